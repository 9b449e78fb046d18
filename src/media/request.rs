//! What is asked of a decoder and what it answers.

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
    /// None, but a [`Preview`] of all, for whoever finds the shots.
    Preview,
}

/// Columns of a [`Preview`]'s frames.
pub const PREVIEW_WIDTH_PX: usize = 48;
/// Rows of a [`Preview`]'s frames.
pub const PREVIEW_HEIGHT_PX: usize = 27;
/// A film of more frames has no [`Preview`] but the failure [`ReasonCode::TooLarge`]: 13 minutes
/// at 25 frames a second, 78 MB.
pub const MAX_PREVIEW_FRAMES: usize = 20_000;

/// Every frame of a film, very small: the whole picture, its aspect ratio given up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// Seconds from the film's start, one per frame.
    pub times_secs: Vec<f64>,
    /// `[frames, 27, 48, 3]`
    pub rgb: Vec<u8>,
}

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

/// One file to decode, once, for all that is wanted of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecodeRequest {
    /// The file; local files only.
    pub path: PathBuf,
    /// Keyframes, if wanted.
    pub frames: Option<FrameSpec>,
    /// Sound, if wanted.
    pub audio: Option<AudioSpec>,
    /// The file as a still picture (a poster), if wanted.
    pub picture: Option<PictureSpec>,
}

/// 8-bit sRGB pixels, `[height, width, 3]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `height * width * 3` bytes.
    pub rgb: Vec<u8>,
}

/// A keyframe and when it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Keyframe {
    /// Seconds from the film's start.
    pub time_secs: f64,
    /// Its picture.
    pub picture: Picture,
}

/// Keyframes of one film, ascending in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keyframes {
    /// Those kept.
    pub kept: Vec<Keyframe>,
    /// Left out as black.
    pub num_black: usize,
    /// Left out as duplicates.
    pub num_duplicate: usize,
    /// When shots begin, seconds; with [`Sampling::Shots`] and [`Sampling::ShotsAt`].
    pub shots_secs: Option<Vec<f64>>,
    /// With [`Sampling::Preview`].
    pub preview: Option<Preview>,
    /// The picture broke off before the film's end, or keyframes of it are damaged; `kept`
    /// holds what could be had.
    pub partial: Option<Failure>,
}

/// Mono samples; full scale is −1..1, lossy codecs overshoot a little.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// As asked for.
    pub rate_hz: u32,
    /// `[samples]`
    pub mono: Vec<f32>,
    /// The sound broke off, or parts of it are damaged; `mono` holds what could be had.
    pub partial: Option<Failure>,
}

/// The answer to a [`DecodeRequest`]: `None` where the part was not asked for.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Keyframes.
    pub frames: Option<Result<Keyframes, Failure>>,
    /// Sound.
    pub audio: Option<Result<Samples, Failure>>,
    /// Picture.
    pub picture: Option<Result<Picture, Failure>>,
    /// CPU seconds that the worker spent on the picture stream or still picture.
    pub picture_cpu_secs: f64,
    /// CPU seconds that the worker spent on the sound.
    pub audio_cpu_secs: f64,
    /// Length of the film as its container states it, seconds.
    pub duration_secs: Option<f64>,
    /// Greatest resident size of the worker so far, bytes, where the system tells.
    pub peak_bytes: Option<u64>,
}

impl Decoded {
    /// The same failure for every part that was asked for.
    #[must_use]
    pub fn failed(request: &DecodeRequest, failure: &Failure) -> Self {
        Self {
            frames: request.frames.as_ref().map(|_| Err(failure.clone())),
            audio: request.audio.as_ref().map(|_| Err(failure.clone())),
            picture: request.picture.as_ref().map(|_| Err(failure.clone())),
            ..Self::default()
        }
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
