//! A safetensors file's tensors, read as every file is that others may have put there.
//!
//! in: a path; out: tensors by name, on a device.
//! reference: `candle_core::safetensors::load`, which opens whatever the path leads to.

use std::{collections::HashMap, path::Path};

use candle_core::{Device, Result, Tensor, safetensors::load_buffer};

use crate::base::file;

/// All tensors of a file.
///
/// # Errors
/// It cannot be read, is no regular file, or is no safetensors file.
pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<HashMap<String, Tensor>> {
    load_buffer(&file::read(path)?, device)
}
