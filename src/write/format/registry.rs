//! All formats of tags.

use std::path::Path;

use super::{
    TagFormat, csv, ebucore::EbuCore, json_ld::JsonLd, jsonl::Jsonl, mmif::Mmif, nfo::Nfo,
    parquet::Parquet, pbcore::PbCore, xlsx::Xlsx,
};

/// Every format there is; the first is the default of tables.
pub const FORMATS: &[&dyn TagFormat] =
    &[&Jsonl, &csv::CSV, &Xlsx, &Parquet, &JsonLd, &PbCore, &EbuCore, &Mmif, &Nfo];

/// The format of sidecars where none is named: what media centres read.
pub const SIDECAR: &dyn TagFormat = &Nfo;

/// CSV with texts as they are, also those that a spreadsheet would take for formulas.
pub const RAW_CSV: &dyn TagFormat = &csv::RAW;

/// Finds a format by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn TagFormat> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// The format that a file's name asks for: that with the longest ending.
#[must_use]
pub fn of_path(path: &Path) -> Option<&'static dyn TagFormat> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let ending = |format: &dyn TagFormat| format!(".{}", format.extension());
    let matching = FORMATS.iter().copied().filter(|&format| name.ends_with(&ending(format)));
    matching.max_by_key(|format| format.extension().len())
}

/// All names, for messages.
#[must_use]
pub fn names() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name()).collect()
}
