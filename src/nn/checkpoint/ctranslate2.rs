//! `CTranslate2`'s `model.bin`, of Whisper.
//!
//! in: bytes; out: the tensors under the names that `transformers` gives them, `model.encoder.…`
//! and `model.decoder.…`, and `model.{encoder,decoder}.num_heads`. What `CTranslate2` stacks to one
//! matrix is taken apart again; the bias of keys, which Whisper has not, is left out where it is
//! zero. Weights in 8 bits become f32 by the scales of their rows.
//!
//! Layout, little-endian: u32 version; a name (u16 length, bytes, a zero counted among them); u32
//! revision; u32 how many variables. Of each: name, u8 rank, a u32 a dimension, u8 type, u32 bytes,
//! numbers. Then u32 how many aliases, of each two names. Nothing follows.
//! source: `CTranslate2` 4.8, `specs/model_spec.py`, `specs/whisper_spec.py`.
//! reference: `ctranslate2` 4.8.5.

use std::{collections::BTreeMap, ops::Range};

use safetensors::Dtype;

use super::{CheckpointError, RawTensor, Reader};

const FORMAT: &str = "a CTranslate2 model";
/// Versions that name types and have aliases.
const VERSIONS: Range<u32> = 4..7;
const SPEC: &str = "WhisperSpec";
/// Dimensions of a tensor at most, which the format does not limit.
const MAX_RANK: usize = 8;

/// Does the file start as Whisper's does?
#[must_use]
pub fn is_ctranslate2(bytes: &[u8]) -> bool {
    bytes.get(6..6 + SPEC.len()) == Some(SPEC.as_bytes())
}

/// Reads all tensors.
///
/// # Errors
/// Another model or version, a truncated file, variables that are not Whisper's.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, RawTensor>, CheckpointError> {
    let mut reader = Reader { rest: bytes, format: FORMAT };
    let version = reader.u32("the header")?;
    if !VERSIONS.contains(&version) {
        return Err(broken(format!("version {version}, expected 4 to 6")));
    }
    let spec = name(&mut reader, "the header")?;
    if spec != SPEC {
        return Err(broken(format!("a {spec}, expected a {SPEC}")));
    }
    reader.u32("the header")?; // revision
    let mut variables = BTreeMap::new();
    for _ in 0..reader.u32("the header")? {
        let name = name(&mut reader, "a variable's name")?;
        let tensor = variable(&mut reader, &name)?;
        variables.insert(name, tensor);
    }
    for _ in 0..reader.u32("the aliases")? {
        name(&mut reader, "an alias")?;
        name(&mut reader, "an alias")?;
    }
    if !reader.rest.is_empty() {
        return Err(broken(format!("{} bytes belong to no variable", reader.rest.len())));
    }
    let mut tensors = BTreeMap::new();
    for (name, tensor) in &variables {
        if let Some(scale) = name.strip_suffix("_scale") {
            if !variables.contains_key(scale) {
                return Err(broken(format!("{name} scales nothing")));
            }
            continue;
        }
        let tensor = scaled(name, tensor, variables.get(&format!("{name}_scale")))?;
        rename(name, &tensor, &mut tensors)?;
    }
    Ok(tensors)
}

fn name(reader: &mut Reader<'_>, what: &str) -> Result<String, CheckpointError> {
    let len = reader.bytes(2, what)?;
    let bytes = reader.bytes(usize::from(u16::from_le_bytes([len[0], len[1]])), what)?;
    let text = std::str::from_utf8(bytes).map_err(|e| broken(format!("{what}: {e}")))?;
    Ok(text.trim_end_matches('\0').to_owned())
}

fn variable(reader: &mut Reader<'_>, name: &str) -> Result<RawTensor, CheckpointError> {
    let rank = usize::from(reader.bytes(1, name)?[0]);
    if rank > MAX_RANK {
        return Err(broken(format!("{name} has {rank} dimensions")));
    }
    let shape = (0..rank)
        .map(|_| reader.u32(name).map(|dim| dim as usize))
        .collect::<Result<Vec<_>, _>>()?;
    let (dtype, size) = match reader.bytes(1, name)?[0] {
        0 => (Dtype::F32, 4),
        1 => (Dtype::I8, 1),
        2 => (Dtype::I16, 2),
        3 => (Dtype::I32, 4),
        4 => (Dtype::F16, 2),
        other => return Err(broken(format!("{name} has the unknown type {other}"))),
    };
    let expected = shape.iter().try_fold(size, |len: usize, dim| len.checked_mul(*dim));
    let len = reader.u32(name)? as usize;
    if expected != Some(len) {
        return Err(broken(format!("{name}: {len} bytes for the shape {shape:?}")));
    }
    Ok(RawTensor { dtype, shape, data: reader.bytes(len, name)?.to_vec() })
}

/// Numbers of 8 bits as f32: each divided by the scale of its row.
fn scaled(
    name: &str,
    tensor: &RawTensor,
    scale: Option<&RawTensor>,
) -> Result<RawTensor, CheckpointError> {
    let Some(scale) = scale else { return Ok(tensor.clone()) };
    let rows = tensor.shape.first().copied().unwrap_or(0);
    let is_right = tensor.dtype == Dtype::I8
        && scale.dtype == Dtype::F32
        && rows > 0
        && scale.data.len() == rows * 4;
    if !is_right {
        return Err(broken(format!("{name} and its scale do not fit")));
    }
    let (scales, _) = scale.data.as_chunks::<4>();
    let row_len = tensor.data.len() / rows;
    let mut data = Vec::with_capacity(tensor.data.len() * 4);
    for (row, scale) in tensor.data.chunks(row_len.max(1)).zip(scales) {
        let scale = f32::from_le_bytes(*scale);
        data.extend(row.iter().flat_map(|x| (f32::from(*x as i8) / scale).to_le_bytes()));
    }
    Ok(RawTensor { dtype: Dtype::F32, shape: tensor.shape.clone(), data })
}

/// Puts a variable under its other names.
fn rename(
    name: &str,
    tensor: &RawTensor,
    tensors: &mut BTreeMap<String, RawTensor>,
) -> Result<(), CheckpointError> {
    let unknown = || broken(format!("{name} is not Whisper's"));
    let (part, rest) = name.split_once('/').ok_or_else(unknown)?;
    let layered = rest.strip_prefix("layer_").and_then(|rest| {
        let (idx, rest) = rest.split_once('/')?;
        idx.parse::<usize>().ok().map(|idx| (format!("model.{part}.layers.{idx}"), rest))
    });
    let (prefix, rest) = layered.unwrap_or((format!("model.{part}"), rest));
    if rest == "num_heads" {
        let heads = tensor.data.first().copied().filter(|_| tensor.dtype == Dtype::I16);
        let heads = u32::from(heads.ok_or_else(unknown)?).to_le_bytes().to_vec();
        let heads = RawTensor { dtype: Dtype::U32, shape: vec![1], data: heads };
        tensors.insert(format!("{prefix}.num_heads"), heads);
        return Ok(());
    }
    if !matches!(tensor.dtype, Dtype::F16 | Dtype::F32) {
        return Ok(()); // flags, and what aligns words
    }
    // Stacked layers, and which of them have no bias.
    let stacked: (&[&str], &str) = match rest.rsplit_once('/') {
        Some(("self_attention/linear_0", end)) => {
            (&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], end)
        }
        Some(("self_attention/linear_1", end)) => (&["self_attn.out_proj"], end),
        Some(("self_attention/layer_norm", end)) => (&["self_attn_layer_norm"], end),
        Some(("attention/linear_0", end)) => (&["encoder_attn.q_proj"], end),
        Some(("attention/linear_1", end)) => (&["encoder_attn.k_proj", "encoder_attn.v_proj"], end),
        Some(("attention/linear_2", end)) => (&["encoder_attn.out_proj"], end),
        Some(("attention/layer_norm", end)) => (&["encoder_attn_layer_norm"], end),
        Some(("ffn/layer_norm", end)) => (&["final_layer_norm"], end),
        Some(("ffn/linear_0", end)) => (&["fc1"], end),
        Some(("ffn/linear_1", end)) => (&["fc2"], end),
        Some(("conv1", end)) => (&["conv1"], end),
        Some(("conv2", end)) => (&["conv2"], end),
        Some(("layer_norm", end)) => (&["layer_norm"], end),
        Some(("position_encodings", "encodings")) => (&["embed_positions"], "weight"),
        Some(("embeddings", end)) => (&["embed_tokens"], end),
        _ => return Err(unknown()),
    };
    let (names, end) = stacked;
    let end = match end {
        "gamma" => "weight",
        "beta" => "bias",
        "weight" | "bias" => end,
        _ => return Err(unknown()),
    };
    let rows = tensor.shape.first().copied().unwrap_or(0);
    if rows == 0 || !rows.is_multiple_of(names.len()) {
        return Err(broken(format!("{name}: {rows} rows for {} layers", names.len())));
    }
    let pieces = tensor.data.chunks(tensor.data.len() / names.len());
    for (layer, data) in names.iter().zip(pieces) {
        if layer.ends_with("k_proj") && end == "bias" {
            let size = data.len() / (rows / names.len());
            // All but the sign.
            let is_zero =
                |(at, byte): (usize, &u8)| *byte == 0 || at % size == size - 1 && *byte == 0x80;
            if !data.iter().enumerate().all(is_zero) {
                return Err(broken(format!("{name}: keys have a bias")));
            }
            continue;
        }
        let mut shape = tensor.shape.clone();
        shape[0] = rows / names.len();
        let piece = RawTensor { dtype: tensor.dtype, shape, data: data.to_vec() };
        tensors.insert(format!("{prefix}.{layer}.{end}"), piece);
    }
    Ok(())
}

fn broken(what: impl Into<String>) -> CheckpointError {
    CheckpointError::new(FORMAT, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(bytes: &mut Vec<u8>, name: &str) {
        bytes.extend((name.len() as u16 + 1).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.push(0);
    }

    fn variable(bytes: &mut Vec<u8>, name: &str, shape: &[u32], kind: u8, data: &[u8]) {
        named(bytes, name);
        bytes.push(shape.len() as u8);
        bytes.extend(shape.iter().flat_map(|dim| dim.to_le_bytes()));
        bytes.push(kind);
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
    }

    /// A flag, heads, keys and values with a bias, and a row of 8 bits.
    fn model(key_bias: u8) -> Vec<u8> {
        let mut bytes = 6_u32.to_le_bytes().to_vec();
        named(&mut bytes, SPEC);
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(6_u32.to_le_bytes());
        variable(&mut bytes, "decoder/pre_norm", &[], 1, &[1]);
        variable(&mut bytes, "decoder/num_heads", &[], 2, &[8, 0]);
        let projection = "decoder/layer_3/attention/linear_1";
        let weight = [1, 0, 2, 0, 3, 0, 4, 0];
        variable(&mut bytes, &format!("{projection}/weight"), &[2, 2], 4, &weight);
        variable(&mut bytes, &format!("{projection}/bias"), &[2], 4, &[0, key_bias, 7, 0]);
        variable(&mut bytes, "encoder/layer_0/ffn/linear_0/weight", &[1, 2], 1, &[4, 254]);
        let scale = 2f32.to_le_bytes();
        variable(&mut bytes, "encoder/layer_0/ffn/linear_0/weight_scale", &[1], 0, &scale);
        bytes.extend(1_u32.to_le_bytes());
        named(&mut bytes, "decoder/projection/weight");
        named(&mut bytes, "decoder/embeddings/weight");
        bytes
    }

    #[test]
    fn stacked_layers_are_taken_apart_and_named() {
        // A minus before a zero is none.
        let tensors = read(&model(0x80)).unwrap();
        let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "model.decoder.layers.3.encoder_attn.k_proj.weight",
                "model.decoder.layers.3.encoder_attn.v_proj.bias",
                "model.decoder.layers.3.encoder_attn.v_proj.weight",
                "model.decoder.num_heads",
                "model.encoder.layers.0.fc1.weight",
            ]
        );
        let value = &tensors["model.decoder.layers.3.encoder_attn.v_proj.weight"];
        assert_eq!(
            (value.shape.as_slice(), value.data.as_slice()),
            (&[1, 2][..], &[3, 0, 4, 0][..])
        );
        let wide = [2f32, -1.0].map(f32::to_le_bytes).concat();
        assert_eq!(tensors["model.encoder.layers.0.fc1.weight"].data, wide);
        assert_eq!(tensors["model.decoder.num_heads"].data, [8, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_whisper_is_refused_with_a_reason() {
        let whole = model(0);
        assert!(is_ctranslate2(&whole) && !is_ctranslate2(&whole[..10]));
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut to {cut} bytes");
        }
        let words = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(words(&model(1)).contains("keys have a bias"));
        assert!(words(&[&whole[..], &[0]].concat()).contains("1 bytes belong to no variable"));
        let changed = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            words(&bytes)
        };
        assert!(changed(0, 9).contains("version 9, expected 4 to 6"));
        assert!(changed(6, b'w').contains("a whisperSpec"));
        let rank = 6 + SPEC.len() + 1 + 8 + 2 + "decoder/pre_norm".len() + 1;
        assert!(changed(rank, 200).contains("has 200 dimensions"));
        assert!(changed(rank + 1, 9).contains("unknown type 9"));
        assert!(changed(rank + 2, 2).contains("2 bytes for the shape []"));
    }
}
