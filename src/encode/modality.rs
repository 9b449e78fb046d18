//! The two traits that every modality implements.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use base::{DeviceChoice, ErrorKind, Hinted, nearest};
use catalog::{Record, RecordSchema, Title};
use media::{Content, Failure, FrameSpec, Keyframes, Part, ReasonCode, Want};
use nn::{OnDemand, SentenceBert, WeightCache, WeightsError, weights::ModelStatus};
use serde_json::Value;
use store::{EncoderIdentity, TimedText};

use super::{settings, shared::SharedNetworks, speech::Hear};

/// Where a modality's content comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// A file to be decoded in a worker.
    File(PathBuf),
    /// Text of the catalog.
    Text(String),
}

/// What an encoder is given.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// What was decoded for each of its wants, in their order; at least one is there. Frames and
    /// sound are never empty.
    Parts(&'a [Result<&'a Part, &'a Failure>]),
    /// Text, never blank.
    Text(&'a str),
}

impl<'a> Input<'a> {
    /// The answer to want `want_idx`.
    ///
    /// # Errors
    /// Why it could not be decoded; `encoder_failed` where it is none of that kind.
    pub fn part<T: Content>(self, want_idx: usize) -> Result<&'a T, Failure> {
        let other = || Failure::new(ReasonCode::EncoderFailed, format!("expected {}", T::NAME));
        let Self::Parts(parts) = self else { return Err(other()) };
        let part = parts.get(want_idx).copied().ok_or_else(other)?;
        T::of_ref(part.map_err(Failure::clone)?).ok_or_else(other)
    }

    /// The text.
    ///
    /// # Errors
    /// `encoder_failed` where it is something else.
    pub fn text(self) -> Result<&'a str, Failure> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Parts(_) => Err(Failure::new(ReasonCode::EncoderFailed, "expected text")),
        }
    }
}

/// What an encoder gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `[rows, dim]`, all finite, at least one row.
    pub data: Vec<f32>,
    /// `[rows]` seconds, or empty where rows have no time.
    pub time_secs: Vec<f32>,
    /// What the rows say, where they are segments of a text.
    pub text: Option<TimedText>,
}

impl Features {
    /// Numbers alone: `[rows, dim]`, and `[rows]` seconds or none.
    #[must_use]
    pub fn rows(data: Vec<f32>, time_secs: Vec<f32>) -> Self {
        Self { data, time_secs, text: None }
    }
}

/// Computes features of one title's source. Frozen: settings and weights, nothing fitted.
pub trait Encoder: Send + Sync {
    /// Name, fingerprint, dim and the settings in words.
    fn identity(&self) -> &EncoderIdentity;
    /// What must be decoded of its file, all in one pass; empty where the source is text. What
    /// others want of the same file, too, is decoded once.
    fn wants(&self) -> Vec<Want>;
    /// What must be decoded of the same file once more, now that the frames of its first
    /// [`Want::Frames`] are here or are known not to be; for encoders that look twice. `None` where there is nothing more: the
    /// first result stands.
    ///
    /// # Errors
    /// A reason why this title has no features.
    fn want_again(
        &self,
        _frames: Result<&Keyframes, &Failure>,
    ) -> Result<Option<FrameSpec>, Failure> {
        Ok(None)
    }
    /// Whether a device computes and the caller's thread waits for it.
    fn is_on_device(&self) -> bool {
        false
    }
    /// Loads what it needs to look at a source, or at a text that another gives of it; until then it
    /// may have loaded nothing. Where this was not called, [`encode`](Self::encode) loads it, and a
    /// title pays for weights that are not there.
    ///
    /// # Errors
    /// Weights that are not there, or are another network's.
    fn prepare(&self, _source: &SourceKind) -> Result<(), EncodeError> {
        Ok(())
    }
    /// The sentence network behind the features, where there is one: a head may train its last
    /// layers further.
    fn sentence_network(&self) -> Option<Arc<OnDemand<SentenceBert>>> {
        None
    }
    /// Features of one source.
    ///
    /// # Errors
    /// A reason why this title has none; it costs this title only.
    fn encode(&self, input: Input<'_>) -> Result<Features, Failure>;
}

/// What opening an encoder may need.
#[derive(Clone, Debug, Default)]
pub struct EncoderContext {
    /// Where networks run.
    pub device: DeviceChoice,
    /// Weights are looked for here instead of in the user's cache.
    pub weights_dir: Option<PathBuf>,
    /// When trailers are listened to, whatever the settings say.
    pub hear: Option<Hear>,
    /// Networks of encoders that were opened with it and are in use: who opens them again, as when a
    /// bundle is replaced, does not load them again.
    pub networks: SharedNetworks,
}

/// An encoder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A setting is unknown or out of range.
    #[error("modality {modality}: {message}")]
    Settings {
        /// Whose settings.
        modality: String,
        /// What, which value, what was expected.
        message: String,
    },
    /// The weights or the device are not there.
    #[error("modality {modality}: its encoder cannot be loaded")]
    Load {
        /// Whose.
        modality: String,
        /// The mend.
        hint: Option<String>,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Hinted for EncodeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Settings { message, .. } => Some(nearest::meant(message).map_or_else(
                || "`cinetag modalities` lists every setting".to_owned(),
                |near| format!("did you mean `{near}`? `cinetag modalities` lists every setting"),
            )),
            Self::Load { hint, .. } => hint.clone(),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Settings { .. } => ErrorKind::Usage,
            Self::Load { .. } => ErrorKind::System,
        }
    }
}

impl EncodeError {
    /// The same; where weights are not there, the hint names all of `ids` that are not, so that one
    /// command fetches them.
    #[must_use]
    pub fn naming_all(self, ids: &[String]) -> Self {
        let Self::Load { modality, source, hint } = self else { return self };
        let Some(WeightsError::Absent { id, folder }) = source.downcast_ref() else {
            return Self::Load { modality, hint, source };
        };
        let cache = WeightCache::open(folder.parent().map(Path::to_owned));
        let is_absent = |other: &String| {
            other == id
                || cache
                    .as_ref()
                    .is_ok_and(|cache| matches!(cache.status(other), Ok(ModelStatus::Absent)))
        };
        let mut absent: Vec<&str> =
            ids.iter().filter(|id| is_absent(id)).map(String::as_str).collect();
        if !absent.contains(&id.as_str()) {
            absent.push(id);
        }
        let hint = Some(format!("run `cinetag models pull {}`", absent.join(" ")));
        Self::Load { modality, hint, source }
    }
}

/// A way of looking at a title.
pub trait Modality: Sync {
    /// The name: in pipelines, stores, bundles and reports.
    fn name(&self) -> &'static str;
    /// One sentence for people.
    fn about(&self) -> &'static str;
    /// All settings with their defaults, as a pipeline's `[modality.<name>]` table.
    fn defaults(&self) -> Value;
    /// Ids of the pretrained models that it needs with these settings.
    fn weights(&self, settings: &Value) -> Vec<String> {
        settings::models(&self.defaults(), settings)
    }
    /// Where the title's content for this modality is, with these settings; none where the catalog
    /// has none. Features of several sources stand one after another.
    fn sources(&self, title: &Title, settings: &Value) -> Vec<SourceKind>;
    /// Checks settings, as far as that can be without weights or a device.
    ///
    /// # Errors
    /// A setting that is unknown, of another type or out of range.
    fn check(&self, settings: &Value) -> Result<(), EncodeError>;
    /// Columns of the catalog that the settings name, with the setting that does so; none of those
    /// that are read where nothing is said.
    fn columns(&self, _settings: &Value) -> Vec<(String, String)> {
        Vec::new()
    }
    /// How features come about. What the manifest of weights knows of a network is enough for it:
    /// the network is loaded by [`Encoder::prepare`].
    ///
    /// # Errors
    /// Settings that are no settings; a device that is not there; files that are not there, of a
    /// model that is named by a path.
    fn open(&self, settings: &Value, context: &EncoderContext) -> Result<Opened, EncodeError>;
}

/// A modality made ready with its settings.
pub enum Opened {
    /// Runs before any split; its features are cached in the store.
    Encoder(Box<dyn Encoder>),
    /// The same, and what it gives is a text: another modality, `reader`, opened with `settings`,
    /// makes features of the words.
    Text {
        /// Gives the text.
        listener: Box<dyn Encoder>,
        /// The name of the modality that reads it.
        reader: &'static str,
        /// Its settings.
        settings: Value,
    },
    /// Typed values of the catalog, whose scaling and choice of categories are fitted
    /// inside each training fold; nothing to cache.
    Records(Box<dyn RecordReader>),
}

/// Reads a title's metadata as typed values.
pub trait RecordReader: Send + Sync {
    /// The columns.
    fn schema(&self) -> RecordSchema;
    /// Settings in words, for bundles.
    fn description(&self) -> Value;
    /// The values; `None` where the title has none of them.
    fn record(&self, title: &Title) -> Option<Record>;
}
