//! The format since torch 1.6: a zip file with the pickle and one member per storage.

use std::{
    collections::{BTreeMap, HashMap},
    io::{Cursor, Read},
};

use zip::ZipArchive;

use super::{CheckpointError, RawTensor, gather, tensor_views, unpickle};

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
    let mut member = |name: &str| {
        let name = format!("{folder}{name}");
        let mut content = Vec::new();
        let read = archive
            .by_name(&name)
            .map_err(|e| e.to_string())
            .and_then(|mut member| member.read_to_end(&mut content).map_err(|e| e.to_string()));
        read.map_err(|e| CheckpointError::torch(format!("{name} cannot be read: {e}")))?;
        Ok(content)
    };
    if names.contains(&format!("{folder}byteorder")) && member("byteorder")? != b"little" {
        return Err(CheckpointError::torch("its numbers are big-endian"));
    }
    let views = tensor_views(unpickle(&mut Cursor::new(member("data.pkl")?.as_slice()))?)?;
    let mut storages = HashMap::new();
    for (_, view) in &views {
        if !storages.contains_key(&view.storage) {
            storages.insert(view.storage.clone(), member(&format!("data/{}", view.storage))?);
        }
    }
    gather(&views, |key| storages.get(key).map(Vec::as_slice))
}
