//! The format from before torch 1.6: pickles, then the storages, one after the other.

use std::collections::{BTreeMap, HashMap};

use super::{
    CheckpointError, RawTensor, budget, gather,
    pickle::{Node, Pickle},
    size_of, tensor_views,
};
use crate::checkpoint::Reader;

/// Pickled magic number of `torch/serialization.py`; the file starts with it.
pub(super) const MAGIC: &[u8] =
    &[0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
/// The only protocol there has ever been.
const PROTOCOL: i64 = 1001;

/// Reads what begins with [`MAGIC`].
pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, RawTensor>, CheckpointError> {
    let mut reader = Reader { rest: &bytes[MAGIC.len()..], format: "a torch checkpoint" };
    if *Pickle::read(&mut reader)?.root() != Node::Int(PROTOCOL) {
        return Err(CheckpointError::torch(format!("its protocol is not {PROTOCOL}")));
    }
    Pickle::read(&mut reader)?; // sizes of C types on the machine that wrote it
    let views = tensor_views(&Pickle::read(&mut reader)?)?;
    let keys = strings(&Pickle::read(&mut reader)?)?;

    // Per storage: a count of elements, then the elements.
    let mut rest = reader.rest;
    let dtype_of: HashMap<_, _> =
        views.iter().map(|(_, view)| (view.storage.as_str(), view.dtype)).collect();
    let mut storages = HashMap::new();
    for key in &keys {
        let dtype = dtype_of
            .get(key.as_str())
            .ok_or_else(|| CheckpointError::torch(format!("storage {key} belongs to no tensor")))?;
        let (count, tail) = rest
            .split_first_chunk::<8>()
            .ok_or_else(|| CheckpointError::torch(format!("it ends before storage {key}")))?;
        let storage = usize::try_from(i64::from_le_bytes(*count))
            .ok()
            .and_then(|count| count.checked_mul(size_of(*dtype)))
            .and_then(|len| tail.split_at_checked(len));
        let (storage, tail) = storage
            .ok_or_else(|| CheckpointError::torch(format!("it ends inside storage {key}")))?;
        storages.insert(key.as_str(), storage);
        rest = tail;
    }
    gather(&views, budget(bytes.len()), |key| storages.get(key).copied())
}

fn strings(pickle: &Pickle<'_>) -> Result<Vec<String>, CheckpointError> {
    let Node::List(items) = pickle.root() else {
        return Err(CheckpointError::torch("the list of storages is missing"));
    };
    let name = |item| pickle.text(item).map(str::to_owned);
    items
        .iter()
        .map(|&item| name(item).ok_or_else(|| CheckpointError::torch("a storage has no name")))
        .collect()
}
