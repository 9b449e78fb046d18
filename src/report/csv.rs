//! Tables as CSV files: numbers in full, nothing where there is none.

use std::path::{Path, PathBuf};

use super::{ReportError, publish};

/// A table with the name of its file.
pub(super) struct Table {
    /// Without `.csv`.
    pub(super) name: &'static str,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Writes `<name>.csv` into `folder`.
pub(super) fn write(folder: &Path, table: &Table) -> Result<PathBuf, ReportError> {
    let name = format!("{}.csv", table.name);
    let failed = |source| ReportError::File { path: folder.join(&name), action: "written", source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(&table.header).chain(&table.rows) {
        writer.write_record(row).map_err(|e| failed(e.into()))?;
    }
    let bytes = writer.into_inner().map_err(|e| failed(e.into_error()))?;
    publish(folder, &name, &String::from_utf8_lossy(&bytes))
}

/// A number as a cell; empty where there is none.
pub(super) fn cell(value: impl Into<Option<f64>>) -> String {
    value.into().filter(|v| v.is_finite()).map_or_else(String::new, |v| v.to_string())
}

/// Names as a header.
pub(super) fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
