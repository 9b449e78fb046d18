//! What a decoder answers: for each want a part, or why there is none.

use serde::{Deserialize, Serialize};

use super::request::{DecodeRequest, Failure, ReasonCode};

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

/// Every frame of a film, very small: the whole picture, its aspect ratio given up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// Seconds from the film's start, one per frame.
    pub times_secs: Vec<f64>,
    /// `[frames, 27, 48, 3]`
    pub rgb: Vec<u8>,
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
    /// When shots begin, seconds; with [`super::Sampling::Shots`] and
    /// [`super::Sampling::ShotsAt`].
    pub shots_secs: Option<Vec<f64>>,
    /// With [`super::Sampling::Preview`].
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

/// One line or two of subtitles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cue {
    /// Seconds from the film's start.
    pub start_secs: f64,
    /// Seconds from the film's start, not before `start_secs`.
    pub end_secs: f64,
    /// Plain text without markup, never blank; lines are parted by `\n`.
    pub text: String,
}

/// A stream of subtitles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subtitles {
    /// Of the stream, as the container has it (mostly ISO 639-2: `eng`); `None` where it does
    /// not say.
    pub language: Option<String>,
    /// Ascending in time, at least one.
    pub cues: Vec<Cue>,
    /// The container broke off, or some of the stream cannot be read.
    pub partial: Option<Failure>,
}

/// The answer to one [`super::Want`].
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// To [`super::Want::Frames`].
    Frames(Keyframes),
    /// To [`super::Want::Audio`].
    Audio(Samples),
    /// To [`super::Want::Picture`].
    Picture(Picture),
    /// To [`super::Want::Subtitles`].
    Subtitles(Subtitles),
}

impl Part {
    /// Why it is incomplete, where it is.
    #[must_use]
    pub fn partial(&self) -> Option<&Failure> {
        match self {
            Self::Frames(frames) => frames.partial.as_ref(),
            Self::Audio(samples) => samples.partial.as_ref(),
            Self::Picture(_) => None,
            Self::Subtitles(subtitles) => subtitles.partial.as_ref(),
        }
    }
}

/// One kind of content: what may stand in a [`Part`].
pub trait Content: Sized {
    /// What it is, for messages.
    const NAME: &'static str;
    /// The content, where the part is of this kind.
    fn of(part: Part) -> Option<Self>;
    /// The same, looked at.
    fn of_ref(part: &Part) -> Option<&Self>;
}

macro_rules! content {
    ($($variant:ident($kind:ty): $name:literal)*) => {$(
        impl Content for $kind {
            const NAME: &'static str = $name;

            fn of(part: Part) -> Option<Self> {
                if let Part::$variant(content) = part { Some(content) } else { None }
            }

            fn of_ref(part: &Part) -> Option<&Self> {
                if let Part::$variant(content) = part { Some(content) } else { None }
            }
        }

        impl From<$kind> for Part {
            fn from(content: $kind) -> Self {
                Self::$variant(content)
            }
        }
    )*};
}

content! {
    Frames(Keyframes): "frames of a film"
    Audio(Samples): "sound"
    Picture(Picture): "a picture"
    Subtitles(Subtitles): "subtitles"
}

/// The answer to a [`DecodeRequest`].
#[derive(Debug, Default)]
pub struct Decoded {
    /// One for each want, in their order.
    pub parts: Vec<Result<Part, Failure>>,
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
        let parts = request.wants.iter().map(|_| Err(failure.clone())).collect();
        Self { parts, ..Self::default() }
    }

    /// Takes the answer to want `want_idx` out; another look at it finds a failure.
    ///
    /// # Errors
    /// Why there is none; `encoder_failed` where it is of another kind or was not asked for.
    pub fn take<T: Content>(&mut self, want_idx: usize) -> Result<T, Failure> {
        let unanswered = || Failure::new(ReasonCode::EncoderFailed, "the decoder gave no answer");
        let part = self.parts.get_mut(want_idx).ok_or_else(unanswered)?;
        let part = std::mem::replace(part, Err(unanswered()));
        T::of(part?).ok_or_else(unanswered)
    }
}
