//! `TensorFlow`'s checkpoints, V2: a tensor bundle of one shard.
//!
//! in: the bytes of `NAME.index` and of `NAME.data-00000-of-00001`; out: named tensors of
//! floats. What an optimiser keeps beside the weights (Adam's moments and powers) is left out.
//!
//! The index is a sorted table in `LevelDB`'s format: a footer of 48 bytes names the block of
//! blocks; a block is a run of entries, each a key (of which the beginning may be that of the key
//! before) and a value. The value is a protocol buffer: type, shape, shard, place and length.
//! source: `tensorflow/core/util/tensor_bundle`, `core/protobuf/tensor_bundle.proto`; `LevelDB`'s
//! `doc/table_format.md`.
//! reference: `tf.train.load_checkpoint`.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::{CheckpointError, RawTensor, Reader};

const FORMAT: &str = "a TensorFlow checkpoint";
const FOOTER_LEN: usize = 48;
const MAGIC: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/// `DT_FLOAT` of `types.proto`.
const FLOAT: u64 = 1;
/// What Adam keeps, by the ends of the names.
const OPTIMISER: [&str; 4] = ["/Adam", "/Adam_1", "beta1_power", "beta2_power"];

/// Reads all tensors.
///
/// # Errors
/// Another format, a truncated file, several shards, a compressed index, another element type.
pub fn read(index: &[u8], data: &[u8]) -> Result<BTreeMap<String, RawTensor>, CheckpointError> {
    let footer = index.len().checked_sub(FOOTER_LEN).map(|begin| &index[begin..]);
    let footer = footer
        .filter(|footer| footer.ends_with(&MAGIC))
        .ok_or_else(|| broken("the index's magic number is missing"))?;
    let mut handles = Reader { rest: footer, format: FORMAT };
    handle(&mut handles)?; // of the table of filters, which bundles do not have
    let mut tensors = BTreeMap::new();
    for (_, value) in entries(index, handle(&mut handles)?)? {
        let block = handle(&mut Reader { rest: value, format: FORMAT })?;
        for (key, value) in entries(index, block)? {
            // The empty key is the header's.
            if key.is_empty() || OPTIMISER.iter().any(|end| key.ends_with(end)) {
                continue;
            }
            let tensor = tensor(&key, value, data)?;
            tensors.insert(key, tensor);
        }
    }
    Ok(tensors)
}

/// Where a block lies: its place and its length.
fn handle(reader: &mut Reader<'_>) -> Result<(usize, usize), CheckpointError> {
    Ok((reader.length("a block's place")?, reader.length("a block's length")?))
}

/// Keys and values of a block.
fn entries(
    index: &[u8],
    (place, len): (usize, usize),
) -> Result<Vec<(String, &[u8])>, CheckpointError> {
    let outside = || broken("a block of the index lies outside of it");
    let end = place.checked_add(len).ok_or_else(outside)?;
    let block = index.get(place..end).ok_or_else(outside)?;
    if index.get(end) != Some(&0) {
        return Err(broken("its index is compressed"));
    }
    // At the end: places of keys that are written out, and how many there are.
    let (head, num_restarts) = block.split_last_chunk::<4>().ok_or_else(outside)?;
    let restarts_len = (u32::from_le_bytes(*num_restarts) as usize).checked_mul(4);
    let entries_len =
        restarts_len.and_then(|len| head.len().checked_sub(len)).ok_or_else(outside)?;
    let mut reader = Reader { rest: &head[..entries_len], format: FORMAT };
    let mut entries = Vec::new();
    let mut key: Vec<u8> = Vec::new();
    while !reader.rest.is_empty() {
        let shared = reader.length("a key")?;
        let own = reader.length("a key")?;
        let value_len = reader.length("a value")?;
        key.truncate(shared);
        key.extend(reader.bytes(own, "a key")?);
        let value = reader.bytes(value_len, "a value")?;
        entries.push((String::from_utf8_lossy(&key).into_owned(), value));
    }
    Ok(entries)
}

/// `BundleEntryProto` of one tensor, and its elements.
fn tensor(name: &str, entry: &[u8], data: &[u8]) -> Result<RawTensor, CheckpointError> {
    let (mut dtype, mut shard, mut place, mut len) = (0, 0, 0, 0);
    let mut shape = Vec::new();
    for field in fields(entry, name)? {
        match field {
            (1, Field::Number(number)) => dtype = number,
            (2, Field::Bytes(bytes)) => shape = dims(bytes, name)?,
            (3, Field::Number(number)) => shard = number,
            (4, Field::Number(number)) => place = number,
            (5, Field::Number(number)) => len = number,
            _ => {}
        }
    }
    if dtype != FLOAT {
        return Err(broken(format!("{name} has elements of type {dtype}, expected {FLOAT}")));
    }
    if shard != 0 {
        return Err(broken("it has several shards"));
    }
    let bytes = shape.iter().try_fold(4_usize, |len, dim: &usize| len.checked_mul(*dim));
    let found = usize::try_from(place).ok().zip(usize::try_from(len).ok());
    let data = found
        .filter(|(_, len)| Some(*len) == bytes)
        .and_then(|(place, len)| data.get(place..place.checked_add(len)?))
        .ok_or_else(|| broken(format!("{name} of shape {shape:?} lies outside the data")))?;
    Ok(RawTensor { dtype: Dtype::F32, shape, data: data.to_vec() })
}

/// `TensorShapeProto`.
fn dims(shape: &[u8], name: &str) -> Result<Vec<usize>, CheckpointError> {
    let mut dims = Vec::new();
    for field in fields(shape, name)? {
        let (2, Field::Bytes(dim)) = field else { continue };
        // A dimension without a size is one of 0.
        let size = fields(dim, name)?.into_iter().find_map(|field| match field {
            (1, Field::Number(size)) => Some(size),
            _ => None,
        });
        let size = usize::try_from(size.unwrap_or(0));
        dims.push(size.map_err(|_| broken(format!("{name} has a dimension that is too large")))?);
    }
    Ok(dims)
}

/// A field of a protocol buffer.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, of which none is needed here.
    Fixed,
}

/// Numbers of the fields with their values.
fn fields<'a>(message: &'a [u8], name: &str) -> Result<Vec<(u64, Field<'a>)>, CheckpointError> {
    let mut reader = Reader { rest: message, format: FORMAT };
    let mut fields = Vec::new();
    while !reader.rest.is_empty() {
        let tag = reader.varint(name)?;
        let field = match tag & 7 {
            0 => Field::Number(reader.varint(name)?),
            1 => reader.bytes(8, name).map(|_| Field::Fixed)?,
            2 => {
                let len = reader.length(name)?;
                Field::Bytes(reader.bytes(len, name)?)
            }
            5 => reader.bytes(4, name).map(|_| Field::Fixed)?,
            kind => return Err(broken(format!("{name} has a field of unknown kind {kind}"))),
        };
        fields.push((tag >> 3, field));
    }
    Ok(fields)
}

fn broken(what: impl Into<String>) -> CheckpointError {
    CheckpointError::new(FORMAT, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of entries, one of its keys sharing its beginning with the one before.
    fn block(entries: &[(usize, &str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (shared, own, value) in entries {
            bytes.extend([*shared as u8, own.len() as u8, value.len() as u8]);
            bytes.extend(own.as_bytes());
            bytes.extend(*value);
        }
        bytes.extend([0, 0, 0, 0, 1, 0, 0, 0]); // one key that is written out, at 0
        bytes
    }

    /// An index of these entries.
    fn index(entries: &[(usize, &str, &[u8])]) -> Vec<u8> {
        let mut bytes = block(entries);
        let entries_len = bytes.len() as u8;
        bytes.extend([0; 5]); // not compressed, and a checksum
        let top = block(&[(0, "z", &[0, entries_len])]);
        let place = bytes.len() as u8;
        bytes.extend(&top);
        bytes.extend([0; 5]);
        let mut footer = vec![0, 0, place, top.len() as u8];
        footer.resize(FOOTER_LEN - MAGIC.len(), 0);
        footer.extend(MAGIC);
        bytes.extend(footer);
        bytes
    }

    /// Type 1, shape [2, 1], place 4, eight bytes, a checksum.
    const ENTRY: [u8; 19] = [8, 1, 18, 8, 18, 2, 8, 2, 18, 2, 8, 1, 32, 4, 40, 8, 53, 0, 0];

    fn entry() -> Vec<u8> {
        [&ENTRY[..], &[0, 0]].concat()
    }

    #[test]
    fn tensors_are_found_by_their_names() {
        let entry = entry();
        let index = index(&[
            (0, "", &[8, 1]),
            (0, "conv/bias", &entry),
            (9, "/Adam", &entry),
            (5, "x", &entry),
        ]);
        let data: Vec<u8> = (0..12).collect();
        let tensors = read(&index, &data).unwrap();
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["conv/bias", "conv/x"]);
        let tensor = &tensors["conv/x"];
        assert_eq!((tensor.shape.as_slice(), tensor.dtype), (&[2, 1][..], Dtype::F32));
        assert_eq!(tensor.data, data[4..]);
    }

    #[test]
    fn what_is_no_bundle_is_refused_with_a_reason() {
        let data = [0; 12];
        let whole = index(&[(0, "a", &entry())]);
        assert_eq!(read(&whole, &data).unwrap().len(), 1);
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut], &data).is_err(), "cut to {cut} bytes");
        }
        let words = |entry: &[u8]| read(&index(&[(0, "a", entry)]), &data).unwrap_err().to_string();
        let changed = |at: usize, to: u8| {
            let mut entry = entry();
            entry[at] = to;
            words(&entry)
        };
        assert!(changed(1, 2).contains("a has elements of type 2"));
        assert!(changed(13, 5).contains("lies outside the data"));
        assert!(changed(7, 3).contains("a of shape [3, 1] lies outside"));
        assert!(changed(16, 54).contains("unknown kind 6"));
        assert!(words(&[&entry()[..], &[24, 1]].concat()).contains("several shards"));
        for (at, to) in (0..whole.len()).flat_map(|at| [0, 1, 127, 255].map(|to| (at, to))) {
            let mut mutated = whole.clone();
            mutated[at] = to;
            let _ = read(&mutated, &data); // an error or tensors, never a panic
        }
    }
}
