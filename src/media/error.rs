//! What can go wrong with the decoders themselves; what is wrong with a title is a
//! [`super::Failure`] in its result.

use std::io;
use std::path::PathBuf;

use base::{ErrorKind, Hinted};

/// Decoding cannot begin at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// A setting makes no sense.
    #[error("`{name}` must be {expected}, got {got}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// The worker's program cannot be started.
    #[error("cannot start the decode worker {program:?}")]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The program is started and does not answer as a worker does.
    #[error("{program:?} does not answer as a decode worker: {detail}")]
    NotAWorker {
        /// The program.
        program: PathBuf,
        /// What it did instead.
        detail: String,
    },
    /// A sandbox was required.
    #[error("decode workers would be held by {sandbox}, and the whole sandbox is required")]
    NoSandbox {
        /// What there is.
        sandbox: super::Sandbox,
    },
}

impl Hinted for MediaError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Setting { name, .. } => {
                format!("Correct `{name}` in the pipeline file or leave it out.")
            }
            Self::Start { .. } => {
                "The program decodes in processes of its own; see that it may be executed and \
                 that its libraries are there (`ldd`)."
                    .to_owned()
            }
            Self::NoSandbox { .. } => {
                "Run it on Linux 5.13 or newer with landlock and seccomp (`cinetag doctor` says what \
                 this system has; a container may hide them), or, where you trust the files, without \
                 `--require-sandbox` and `extract.require_sandbox`."
                    .to_owned()
            }
            Self::NotAWorker { .. } => {
                "Set the pool's `program` to the cinetag program; if it is, the memory limit may \
                 be too small for its libraries (1 GiB or more)."
                    .to_owned()
            }
        })
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::Input,
            Self::Start { .. } | Self::NotAWorker { .. } | Self::NoSandbox { .. } => {
                ErrorKind::System
            }
        }
    }
}
