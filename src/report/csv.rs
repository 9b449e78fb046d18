//! Tables as CSV files: numbers in full, nothing where there is none.

use std::path::{Path, PathBuf};

use base::words::defused;

use super::{ReportError, publish};

/// A table with the name of its file.
pub(super) struct Table {
    /// Without `.csv`.
    pub(super) name: &'static str,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Writes `<name>.csv` into `folder`; no spreadsheet computes what stands in it.
pub(super) fn write(folder: &Path, table: &Table) -> Result<PathBuf, ReportError> {
    let name = format!("{}.csv", table.name);
    let failed = |source| ReportError::File { path: folder.join(&name), action: "written", source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(&table.header).chain(&table.rows) {
        // Names of genres are other people's.
        let cells = row.iter().map(|text| defused(text).into_owned());
        writer.write_record(cells).map_err(|e| failed(e.into()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spreadsheet_computes_a_genre() {
        let folder = tempfile::tempdir().unwrap();
        let rows = vec![vec!["=1+1".to_owned(), "-0.25".to_owned()]];
        let table = Table { name: "genres", header: header(&["genre", "gain"]), rows };
        let path = write(folder.path(), &table).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "genre,gain\n'=1+1,-0.25\n");
    }
}
