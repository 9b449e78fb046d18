//! Checkpoints as others write them, brought to safetensors, the one format of the cache.
//!
//! in: the bytes of a file, or of the two that make up a tensor bundle; out: a safetensors file
//! with the same tensors under the same names. No code in a checkpoint runs.

pub mod ctranslate2;
pub mod ovad;
pub mod pth;
pub mod tensor_bundle;

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};

/// A tensor of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawTensor {
    /// Element type.
    pub dtype: Dtype,
    /// Shape.
    pub shape: Vec<usize>,
    /// Little-endian elements, row-major.
    pub data: Vec<u8>,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("not {format}: {what}")]
pub struct CheckpointError {
    format: &'static str,
    what: String,
}

impl CheckpointError {
    fn new(format: &'static str, what: impl Into<String>) -> Self {
        Self { format, what: what.into() }
    }

    fn torch(what: impl Into<String>) -> Self {
        Self::new("a torch checkpoint", what)
    }
}

/// The bytes of a safetensors file with the same tensors. Safetensors stay as they are; the same
/// input always gives the same bytes. `index` is what says where the tensors of a tensor bundle
/// lie.
///
/// # Errors
/// What is wrong with the input.
pub(super) fn to_safetensors(
    bytes: Vec<u8>,
    index: Option<&[u8]>,
) -> Result<Vec<u8>, CheckpointError> {
    if let Some(index) = index {
        return serialized(&tensor_bundle::read(index, &bytes)?);
    }
    if pth::is_pth(&bytes) {
        return serialized(&pth::read(&bytes)?);
    }
    if ovad::is_ovad(&bytes) {
        return serialized(&ovad::read(&bytes)?);
    }
    if ctranslate2::is_ctranslate2(&bytes) {
        return serialized(&ctranslate2::read(&bytes)?);
    }
    SafeTensors::deserialize(&bytes).map_err(refused)?;
    Ok(bytes)
}

fn serialized(tensors: &BTreeMap<String, RawTensor>) -> Result<Vec<u8>, CheckpointError> {
    let views = tensors
        .iter()
        .map(|(name, tensor)| {
            TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data)
                .map(|view| (name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(refused)?;
    serialize(views, None).map_err(refused)
}

fn refused(error: safetensors::SafeTensorError) -> CheckpointError {
    CheckpointError::new("a safetensors file", error.to_string())
}

/// Reads numbers from the front of bytes.
struct Reader<'a> {
    rest: &'a [u8],
    format: &'static str,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize, what: &str) -> Result<&'a [u8], CheckpointError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| CheckpointError::new(self.format, format!("it ends inside {what}")))?;
        self.rest = rest;
        Ok(taken)
    }

    fn u32(&mut self, what: &str) -> Result<u32, CheckpointError> {
        let bytes = self.bytes(4, what)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Base 128, the lowest group first, as protocol buffers have it.
    fn varint(&mut self, what: &str) -> Result<u64, CheckpointError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes(1, what)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CheckpointError::new(self.format, format!("{what} is no number")))
    }

    /// As [`varint`](Self::varint), of a length or a place.
    fn length(&mut self, what: &str) -> Result<usize, CheckpointError> {
        usize::try_from(self.varint(what)?)
            .map_err(|_| CheckpointError::new(self.format, format!("{what} is too large")))
    }
}
