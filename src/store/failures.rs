//! Logs of sources that gave no features: JSON lines, immutable like shards.
//!
//! in: [`FailureRow`]s; out: `failures-<digest>.jsonl`, named by the digest of its bytes.

use std::{io, path::Path};

use base::{Digest, file, publish_bytes};

use super::{FailureRow, error::Damage};

/// What names of failure logs begin with.
pub(super) const PREFIX: &str = "failures-";
/// Extension of failure logs.
pub(super) const EXTENSION: &str = "jsonl";

fn name_of(bytes: &[u8]) -> String {
    format!("{PREFIX}{}.{EXTENSION}", Digest::of_bytes(bytes).short())
}

/// Publishes a log of `rows`.
pub(super) fn publish(folder: &Path, rows: &[FailureRow]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut bytes, row)?;
        bytes.push(b'\n');
    }
    publish_bytes(&folder.join(name_of(&bytes)), &bytes)
}

/// Reads a log and compares it with its name.
pub(super) fn read(path: &Path) -> Result<Vec<FailureRow>, Damage> {
    let bytes = file::read(path)?;
    if path.file_name().is_none_or(|name| *name != *name_of(&bytes)) {
        let digest = Digest::of_bytes(&bytes).short();
        return Err(Damage::content(format!("its content has the SHA-256 digest {digest}…")));
    }
    bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(|e| Damage::content(e.to_string())))
        .collect()
}
