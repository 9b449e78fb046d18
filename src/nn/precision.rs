//! The numbers that a network computes in.

use candle_core::DType;
use serde::{Deserialize, Serialize};

use super::NnError;

/// What weights and activations are kept in; products of matrices are summed in f32. On the
/// processor f32 and bf16 are computed by our own kernels, f16 by candle's operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 24 bits of mantissa.
    #[default]
    F32,
    /// 11 bits, at most 65,504: half the memory, and the tensor cores of a device.
    F16,
    /// 8 bits, the range of f32. On the processor both sides of deep products of matrices alone are
    /// rounded, and only where it has tiles for it (AMX).
    Bf16,
    /// Weights in 8 bits with a scale a row, activations rounded so where they meet them: Whisper on
    /// the processor alone.
    Int8,
}

impl Precision {
    /// Itself, of networks that are not computed in 8 bits.
    ///
    /// # Errors
    /// [`NnError::NoInt8`].
    pub fn of_floats(self) -> Result<Self, NnError> {
        if self == Self::Int8 { Err(NnError::NoInt8) } else { Ok(self) }
    }
}

impl From<Precision> for DType {
    fn from(precision: Precision) -> Self {
        match precision {
            // In 8 bits are products of matrices alone.
            Precision::F32 | Precision::Int8 => Self::F32,
            Precision::F16 => Self::F16,
            Precision::Bf16 => Self::BF16,
        }
    }
}
