//! What is asked of a decoder, and why there may be no answer.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// How a picture is brought to a network's square input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The whole picture, its aspect ratio given up. Nothing of it is lost.
    #[default]
    Stretch,
    /// The largest centred square.
    CenterCrop,
    /// The whole picture, aspect ratio kept, the rest black.
    Pad,
}

/// Which frames of a film are looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Those that the encoder made keyframes; the decoder skips all others, which is by far the
    /// cheapest.
    #[default]
    Keyframes,
    /// One every so many seconds; every frame is decoded.
    Uniform,
    /// One of each shot, from its middle; every frame is decoded, hard cuts are found on the way.
    Shots,
    /// The same for shots that are known; seconds at which they begin, ascending.
    ShotsAt(Vec<f64>),
    /// None, but a [`super::Preview`] of all, for whoever finds the shots.
    Preview,
}

/// Columns of a [`super::Preview`]'s frames.
pub const PREVIEW_WIDTH_PX: usize = 48;
/// Rows of a [`super::Preview`]'s frames.
pub const PREVIEW_HEIGHT_PX: usize = 27;
/// A film of more frames has no [`super::Preview`] but the failure [`ReasonCode::TooLarge`]: 13 minutes
/// at 25 frames a second, 78 MB.
pub const MAX_PREVIEW_FRAMES: usize = 20_000;

/// Which frames of a trailer are wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameSpec {
    /// Which are looked at.
    pub sampling: Sampling,
    /// With [`Sampling::Uniform`]: seconds from one to the next.
    pub every_secs: f64,
    /// Side of the square picture, pixels.
    pub side_px: u32,
    /// How it is made square.
    pub fit: Fit,
    /// Black bars around the film's picture are cropped.
    pub crop_bars: bool,
    /// At most so many, spread over the film's length.
    pub max_frames: usize,
    /// Frames whose mean luma (0..255) is below this are black and left out.
    pub black_luma: f32,
    /// Frames that differ from the one kept before by less than this are duplicates: mean
    /// absolute luma difference (0..255) of 16 × 16 thumbnails.
    pub duplicate_luma: f32,
}

/// Which part of the soundtrack is wanted: mono.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioSpec {
    /// Sampling rate of the result.
    pub rate_hz: u32,
    /// At most so much from the start.
    pub max_secs: f64,
}

/// How a still picture is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureSpec {
    /// Side of the square picture, pixels.
    pub side_px: u32,
    /// How it is made square.
    pub fit: Fit,
}

/// One thing that is wanted of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// Pictures of a film.
    Frames(FrameSpec),
    /// Its sound.
    Audio(AudioSpec),
    /// The file as a still picture (a poster).
    Picture(PictureSpec),
    /// What is said in a film, as a text stream in it has it.
    Subtitles,
}

/// One file to decode, once, for all that is wanted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodeRequest {
    /// The file; local files only.
    pub path: PathBuf,
    /// Any number of wants, of one kind as well: each is answered as if it were the only one.
    pub wants: Vec<Want>,
}

impl DecodeRequest {
    /// A request for one file.
    pub fn new(path: impl Into<PathBuf>, wants: impl Into<Vec<Want>>) -> Self {
        Self { path: path.into(), wants: wants.into() }
    }
}

/// Why a title has no features of a modality. The codes are stable: they stand in stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// No such file.
    NotFound,
    /// It cannot be read (permissions, not a regular file, I/O error).
    Unreadable,
    /// Zero bytes.
    Empty,
    /// No demuxer or image format recognises it.
    UnknownFormat,
    /// It ends before its content does, and nothing could be decoded.
    Truncated,
    /// The content is damaged, and nothing could be decoded.
    Corrupt,
    /// A film without picture.
    NoVideoStream,
    /// A film without sound.
    NoAudioStream,
    /// A film without a text stream of what is said in it.
    NoSubtitles,
    /// A film in which nobody speaks.
    NoSpeech,
    /// A film in which another language is spoken than is understood.
    UnsupportedLanguage,
    /// No decoder for it.
    UnsupportedCodec,
    /// It is encrypted.
    Encrypted,
    /// All frames are black.
    OnlyBlackFrames,
    /// Pixels, streams or size beyond the limits.
    TooLarge,
    /// It took longer than allowed.
    Timeout,
    /// It needed more memory than allowed.
    MemoryLimit,
    /// The decoder died of it.
    WorkerCrashed,
    /// The text or record holds nothing to encode.
    NoContent,
    /// The encoder gave numbers that are not finite.
    NotFinite,
    /// The encoder itself failed.
    EncoderFailed,
}

impl ReasonCode {
    /// The code that a reason as people read it begins with (`truncated: ends after 3 s`).
    #[must_use]
    pub fn of_reason(reason: &str) -> Option<Self> {
        let code = reason.split(':').next()?;
        serde_json::from_value(code.into()).ok()
    }

    /// Whether it says something of a source that was read, and would say so again; otherwise
    /// the source may be there another time.
    #[must_use]
    pub fn is_of_content(self) -> bool {
        matches!(
            self,
            Self::NoVideoStream
                | Self::NoAudioStream
                | Self::NoSubtitles
                | Self::NoSpeech
                | Self::UnsupportedLanguage
                | Self::OnlyBlackFrames
                | Self::NoContent
        )
    }

    /// The code as it stands in stores and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Unreadable => "unreadable",
            Self::Empty => "empty",
            Self::UnknownFormat => "unknown_format",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::NoVideoStream => "no_video_stream",
            Self::NoAudioStream => "no_audio_stream",
            Self::NoSubtitles => "no_subtitles",
            Self::NoSpeech => "no_speech",
            Self::UnsupportedLanguage => "unsupported_language",
            Self::UnsupportedCodec => "unsupported_codec",
            Self::Encrypted => "encrypted",
            Self::OnlyBlackFrames => "only_black_frames",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::MemoryLimit => "memory_limit",
            Self::WorkerCrashed => "worker_crashed",
            Self::NoContent => "no_content",
            Self::NotFinite => "not_finite",
            Self::EncoderFailed => "encoder_failed",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reason code with the decoder's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable code.
    pub code: ReasonCode,
    /// What the library said; may be empty.
    pub detail: String,
}

impl Failure {
    /// A failure with detail.
    #[must_use]
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            write!(f, "{}", self.code)
        } else {
            write!(f, "{}: {}", self.code, self.detail)
        }
    }
}
