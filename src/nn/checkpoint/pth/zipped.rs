//! The format since torch 1.6: a zip file with the pickle and one member per storage.

use std::{
    collections::{BTreeMap, HashMap},
    io::{Cursor, Read},
};

use zip::ZipArchive;

use super::{
    CheckpointError, RawTensor, budget, gather,
    pickle::{MAX_BYTES, Pickle},
    spend, tensor_views,
};
use crate::checkpoint::Reader;

/// A zip file's first bytes.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// Reads what begins with [`MAGIC`].
pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, RawTensor>, CheckpointError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| CheckpointError::torch(format!("the zip file cannot be read: {e}")))?;
    let names: Vec<String> =
        archive.file_names().filter_map(Result::ok).map(std::borrow::Cow::into_owned).collect();
    // All members lie in one folder, whose name is that of the file when it was saved.
    let folder = names
        .iter()
        .find_map(|name| name.strip_suffix("data.pkl"))
        .ok_or_else(|| CheckpointError::torch("a zip file without `data.pkl`"))?
        .to_owned();
    let mut left = budget(bytes.len());
    let mut member = |name: &str, max_bytes: usize| {
        let name = format!("{folder}{name}");
        let max_bytes = max_bytes.min(left);
        let mut content = Vec::new();
        // What the zip file says of a member's size is not believed.
        let read = archive.by_name(&name).map_err(|e| e.to_string()).and_then(|member| {
            let mut member = member.take(max_bytes as u64 + 1);
            member.read_to_end(&mut content).map_err(|e| e.to_string())
        });
        read.map_err(|e| CheckpointError::torch(format!("{name} cannot be read: {e}")))?;
        if content.len() > max_bytes {
            return Err(CheckpointError::torch(format!("{name} is larger than {max_bytes} bytes")));
        }
        spend(&mut left, content.len())?;
        Ok(content)
    };
    if names.contains(&format!("{folder}byteorder")) && member("byteorder", 16)? != b"little" {
        return Err(CheckpointError::torch("its numbers are big-endian"));
    }
    let pickle = member("data.pkl", MAX_BYTES)?;
    let pickle = Pickle::read(&mut Reader { rest: &pickle, format: "a torch checkpoint" })?;
    let views = tensor_views(&pickle)?;
    let mut storages = HashMap::new();
    for (_, view) in &views {
        if !storages.contains_key(&view.storage) {
            let name = format!("data/{}", view.storage);
            storages.insert(view.storage.clone(), member(&name, usize::MAX)?);
        }
    }
    gather(&views, budget(bytes.len()), |key| storages.get(key).map(Vec::as_slice))
}
