//! Fitted heads that are numbers in memory, as one file.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    base::{file, publish_bytes},
    learn::LearnError,
};

const FILE: &str = "head.postcard";

/// Writes a head into its folder.
///
/// # Errors
/// The file cannot be written.
pub fn write(folder: &Path, head: &impl Serialize) -> Result<(), LearnError> {
    let path = folder.join(FILE);
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| LearnError::File {
        path: path.clone(),
        action: "written",
        source,
    };
    let bytes = postcard::to_allocvec(head).map_err(|e| failed(e.into()))?;
    publish_bytes(&path, &bytes).map_err(|e| failed(e.into()))
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// The file cannot be read, or is not one of this kind of head.
pub fn read<T: DeserializeOwned>(folder: &Path) -> Result<T, LearnError> {
    let path = folder.join(FILE);
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| LearnError::File {
        path: path.clone(),
        action: "read",
        source,
    };
    let bytes = file::read(&path).map_err(|e| failed(e.into()))?;
    postcard::from_bytes(&bytes).map_err(|e| failed(e.into()))
}
