//! `tokenizer.json`, which may come from anybody.
//!
//! in: a path; out: the tokenizer. Its library claims of some fields that they are as it wrote them,
//! so reading is guarded, and so is its first use.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::base::{file, guard::guarded};

/// Reads a tokenizer.
///
/// # Errors
/// The file cannot be read or is no tokenizer.
pub(super) fn read(path: &Path) -> Result<Tokenizer, String> {
    let bytes = file::read(path).map_err(|e| e.to_string())?;
    let read = guarded(|| {
        let tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| e.to_string())?;
        // Some faults show with the first text only.
        tokenizer.encode("a", true).map_err(|e| e.to_string())?;
        Ok(tokenizer)
    });
    read.map_err(|panicked| panicked.to_string())?
}
