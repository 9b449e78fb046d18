//! Why an extraction ends early.

use base::{ErrorKind, Hinted, Interrupted};
use encode::EncodeError;
use media::MediaError;
use store::StoreError;

/// The extraction cannot go on. What was computed before is in the store.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No decode worker can be started.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// An encoder lacks its weights.
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    /// Features that the store should have are not there.
    #[error("{num_titles} titles have no {modality} features in the store")]
    NotExtracted {
        /// Which features.
        modality: String,
        /// How many titles.
        num_titles: usize,
    },
    /// Too many titles fail.
    #[error(
        "{failed} of {tried} titles have no {encoder} features, more than max_failed_frac = {limit} \
         allows; the most frequent reason is {reason}"
    )]
    TooManyFailures {
        /// Which encoder.
        encoder: String,
        /// How many failed.
        failed: usize,
        /// Of how many tried.
        tried: usize,
        /// The setting.
        limit: f64,
        /// Most frequent reason code.
        reason: String,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Hinted for ExtractError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(e) => e.hint(),
            Self::Media(e) => e.hint(),
            Self::Encoder(e) => e.hint(),
            Self::NotExtracted { .. } => {
                Some("run `cinetag extract PIPELINE` first; it goes on where it stopped".to_owned())
            }
            Self::TooManyFailures { .. } => Some(
                "`cinetag store failures` lists them; mend the files or the paths in the catalog, \
                 or raise `extract.max_failed_frac`, then run the same command again"
                    .to_owned(),
            ),
            Self::Interrupted(_) => {
                Some("the same command goes on where this one stopped".to_owned())
            }
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(e) => e.kind(),
            Self::Media(e) => e.kind(),
            Self::Encoder(e) => e.kind(),
            Self::NotExtracted { .. } | Self::TooManyFailures { .. } => ErrorKind::Input,
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}
