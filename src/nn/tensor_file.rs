//! A safetensors file's tensors, read as every file is that others may have put there.
//!
//! in: a path; out: tensors by name, on a device. NaN and infinities are no weights: they pass through
//! every product and come out as some answer.
//! reference: `candle_core::safetensors::load`, which opens whatever the path leads to.

use std::{collections::HashMap, path::Path};

use base::file;
use candle_core::{Device, Result, Tensor, safetensors::load_buffer};
use safetensors::{Dtype, SafeTensors};

/// All tensors of a file.
///
/// # Errors
/// It cannot be read, is no regular file, or is no safetensors file; a weight is no finite number.
pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<HashMap<String, Tensor>> {
    of_bytes(&file::read(path)?, device)
}

/// All tensors of a file's bytes.
///
/// # Errors
/// They are no safetensors file; a weight is no finite number.
pub fn of_bytes(bytes: &[u8], device: &Device) -> Result<HashMap<String, Tensor>> {
    for (name, tensor) in SafeTensors::deserialize(bytes)?.tensors() {
        // torch's modules keep the masks of their attention beside the weights: zeros and -inf.
        if !name.contains("mask") && !is_finite(tensor.dtype(), tensor.data()) {
            candle_core::bail!("tensor {name} holds numbers that are not finite");
        }
    }
    load_buffer(bytes, device)
}

/// Whether no float of these little-endian ones has all bits of its exponent set.
fn is_finite(dtype: Dtype, data: &[u8]) -> bool {
    // Whether any is set is asked at the end only, so that many are looked at in one instruction.
    fn none<const N: usize>(data: &[u8], is_set: impl Fn([u8; N]) -> bool) -> bool {
        let (numbers, _) = data.as_chunks::<N>();
        !numbers.iter().fold(false, |any, number| any | is_set(*number))
    }
    let of_16 = |mask: u16| none(data, |b| u16::from_le_bytes(b) & mask == mask);
    match dtype {
        Dtype::F64 => {
            const MASK: u64 = 0x7ff0_0000_0000_0000;
            none(data, |b| u64::from_le_bytes(b) & MASK == MASK)
        }
        Dtype::F32 => none(data, |b| u32::from_le_bytes(b) & 0x7f80_0000 == 0x7f80_0000),
        Dtype::BF16 => of_16(0x7f80),
        Dtype::F16 => of_16(0x7c00),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use safetensors::{serialize, tensor::TensorView};

    use super::*;

    #[test]
    fn weights_that_are_no_numbers_are_refused_in_every_type_but_not_masks() {
        let load = |name: &str, dtype: Dtype, data: &[u8]| {
            let shape = vec![3];
            let view = TensorView::new(dtype, shape, data).unwrap();
            let bytes = serialize([(name, view)], None).unwrap();
            of_bytes(&bytes, &Device::Cpu).map(|tensors| tensors.len())
        };
        let f32s = |x: f32| [1.0, f32::MAX, x].map(f32::to_le_bytes).concat();
        let f64s = |x: f64| [1.0, f64::MIN, x].map(f64::to_le_bytes).concat();
        let f16s = |x: u16| [0x3c00, 0x7bff, x].map(u16::to_le_bytes).concat();
        for (dtype, good) in
            [(Dtype::F32, f32s(-0.0)), (Dtype::F64, f64s(1e-308)), (Dtype::F16, f16s(0x0001))]
        {
            assert_eq!(load("w", dtype, &good).unwrap(), 1);
        }
        for (dtype, bad) in [
            (Dtype::F32, f32s(f32::NAN)),
            (Dtype::F32, f32s(f32::NEG_INFINITY)),
            (Dtype::F64, f64s(f64::INFINITY)),
            (Dtype::F16, f16s(0xfc00)),
            (Dtype::BF16, f16s(0x7fc0)),
        ] {
            let words = load("w", dtype, &bad).unwrap_err().to_string();
            assert!(words.contains("tensor w holds numbers that are not finite"), "{words}");
            assert_eq!(load("attn_mask", dtype, &bad).unwrap(), 1);
        }
    }
}
