//! Fitted heads that are numbers in memory, as one file.

use std::path::Path;

use base::{file, publish_bytes};
use serde::{Serialize, de::DeserializeOwned};

use crate::{LearnError, finite};

const FILE: &str = "head.postcard";
/// What is wrong where each part could be read.
pub(crate) const DO_NOT_FIT: &str = "its parts do not fit together";

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

/// Reads what [`write`] wrote; `fits`: whether its parts belong together.
///
/// # Errors
/// The file cannot be read, or is not one of this kind of head, or somebody made it wrong.
pub fn read<T: DeserializeOwned + Serialize>(
    folder: &Path,
    fits: impl FnOnce(&T) -> bool,
) -> Result<T, LearnError> {
    let path = folder.join(FILE);
    let broken = |source| LearnError::Broken { path: path.clone(), source };
    let bytes = file::read(&path).map_err(|e| broken(e.into()))?;
    let head: T = postcard::from_bytes(&bytes).map_err(|e| broken(e.into()))?;
    finite::check(&head).map_err(|e| broken(e.into()))?;
    if fits(&head) { Ok(head) } else { Err(broken(DO_NOT_FIT.into())) }
}
