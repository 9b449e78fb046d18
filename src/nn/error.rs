//! What can go wrong with a network once its weights are at hand.

use std::path::PathBuf;

use base::{DeviceChoice, ErrorKind, Hinted};

use super::WeightsError;

/// A network cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// The device asked for is not there, or this build has no code for it.
    #[error("device {choice} cannot be used: {reason}")]
    Device {
        /// What was asked for.
        choice: DeviceChoice,
        /// Why not.
        reason: String,
        /// The mend.
        hint: String,
    },
    /// The file does not hold the network's weights.
    #[error("{path}: not usable as {network}: {message}")]
    Load {
        /// The file.
        path: PathBuf,
        /// The network that was to be loaded.
        network: String,
        /// What was expected and what was found.
        message: String,
    },
    /// Its weights cannot be had.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Neither our kernels nor candle's operators compute this network so.
    #[error("the processor does not compute this network in bf16")]
    NoBf16,
    /// Only Whisper on the processor is computed so.
    #[error("this network, or this device, does not compute in int8")]
    NoInt8,
    /// The network, or so much of it, cannot be trained further.
    #[error("{message}")]
    Untrainable {
        /// What was asked for and what there is.
        message: String,
        /// The mend.
        hint: String,
    },
    /// The caller gave data of another shape than the network takes.
    #[error("{0}")]
    Input(String),
    /// A tensor operation failed: out of memory on the device, or a bug.
    #[error("the network could not be computed")]
    Compute(#[from] candle_core::Error),
}

impl Hinted for NnError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Device { hint, .. } | Self::Untrainable { hint, .. } => Some(hint.clone()),
            Self::Weights(error) => error.hint(),
            Self::Load { .. } => Some(
                "the file may be damaged or belong to another model; `cinetag models verify` \
                 checks what was pulled, `cinetag models list` names what can be pulled"
                    .to_owned(),
            ),
            Self::Compute(_) => Some(
                "if the device ran out of memory, a smaller batch or `--device cpu` helps"
                    .to_owned(),
            ),
            Self::NoBf16 => Some("set `precision` to `f32`, or run on a CUDA device".to_owned()),
            Self::NoInt8 => Some("set `precision` to `f32`, `bf16` or `f16`".to_owned()),
            Self::Input(_) => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Weights(error) => error.kind(),
            Self::Device { .. } | Self::Compute(_) => ErrorKind::System,
            Self::Load { .. } | Self::NoBf16 | Self::NoInt8 | Self::Untrainable { .. } => {
                ErrorKind::Input
            }
            Self::Input(_) => ErrorKind::Bug,
        }
    }
}
