//! Why learning cannot go on.

use base::{ErrorKind, Hinted};
use nn::NnError;

/// Learning cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The data does not allow it.
    #[error("{message}")]
    Data {
        /// What, which value, what was expected.
        message: String,
        /// The mend.
        hint: Option<String>,
    },
    /// A file of a model cannot be written or read.
    #[error("{path}: cannot be {action}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// `written` or `read`.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of a model is missing or is none.
    #[error("{path}: cannot be read as part of a model")]
    Broken {
        /// Which.
        path: std::path::PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tensor library or its device failed.
    #[error("the computing device failed")]
    Tensor(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A network cannot be used or trained further.
    #[error(transparent)]
    Network(Box<NnError>),
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] base::Interrupted),
}

impl From<NnError> for LearnError {
    fn from(error: NnError) -> Self {
        Self::Network(Box::new(error))
    }
}

impl Hinted for LearnError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Data { hint, .. } => hint.clone(),
            Self::Tensor(_) => {
                Some("run with `--device cpu` to see whether it is the device".to_owned())
            }
            Self::Network(error) => error.hint(),
            Self::Broken { .. } => Some(
                "the file is damaged, or whoever made the bundle made it wrong: fetch or train the \
                 bundle again"
                    .to_owned(),
            ),
            Self::File { .. } | Self::Interrupted(_) => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Data { .. } => ErrorKind::Input,
            Self::Broken { .. } => ErrorKind::Damaged,
            Self::File { .. } | Self::Tensor(_) => ErrorKind::System,
            Self::Network(error) => error.kind(),
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}
