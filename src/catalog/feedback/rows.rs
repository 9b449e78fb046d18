//! The rows of a file of answers, whatever its format.

use std::{
    io::{self, BufRead, BufReader},
    path::Path,
    sync::Arc,
};

use base::file;

use crate::{
    CatalogError, Format, Problem, ProblemKind, Row, Severity, delimited::DelimitedReader,
    jsonl::JsonlReader, row::Malformed,
};

/// By these columns a file is known that the program exported itself.
pub(super) const OWN_COLUMNS: [&str; 5] = ["title", "genre", "answer", "who", "at"];

/// Rows, and those that cannot be taken apart.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) problems: Vec<Problem>,
}

/// Reads a file's rows.
pub(super) fn read(path: &Path) -> Result<Rows, CatalogError> {
    let unreadable = |source| CatalogError::File { path: path.to_owned(), action: "read", source };
    let reader = BufReader::new(file::open(path).map_err(unreadable)?);
    let mut rows = Rows { rows: Vec::new(), problems: Vec::new() };
    let columns = match Format::of_path(path) {
        Some(Format::Csv) => rows.delimited(path, reader, b','),
        Some(Format::Tsv) => rows.delimited(path, reader, b'\t'),
        Some(Format::Jsonl) => rows.lines(path, reader),
        _ => {
            let message = "the name's ending does not say which format this is".to_owned();
            let hint = "name it .csv, .tsv or .jsonl".to_owned();
            return Err(CatalogError::Format { path: path.to_owned(), message, hint });
        }
    };
    let columns = columns.map_err(unreadable)?;
    let has = |names: &[&str]| columns.iter().any(|column| names.contains(&&**column));
    let says = ["answer", "answers", "genres", "not_genres", "unknown_genres", "complete"];
    let is_fit = has(&["title", "id", "imdb_id", "tmdb_id"]) && has(&says);
    if !is_fit && !rows.rows.is_empty() {
        let message = "there is no column of titles, or none of answers".to_owned();
        let hint = "name them `title`, `genre` and `answer`, or `title` and `genres`".to_owned();
        return Err(CatalogError::Format { path: path.to_owned(), message, hint });
    }
    Ok(rows)
}

impl Rows {
    fn delimited(
        &mut self,
        path: &Path,
        reader: impl BufRead,
        delimiter: u8,
    ) -> io::Result<Vec<Arc<str>>> {
        let mut reader = DelimitedReader::new(reader, delimiter, true);
        let mut names: Option<Vec<Arc<str>>> = None;
        let mut is_ours = false;
        while let Some(record) = reader.next_record()? {
            let record = match record {
                Ok(record) => record,
                Err(malformed) => {
                    self.malformed(path, malformed);
                    continue;
                }
            };
            let Some(names) = &names else {
                let name = |cell: Option<crate::row::Cell>| {
                    cell.map_or_else(|| Arc::from(""), |cell| Arc::from(cell.into_text()))
                };
                let header: Vec<_> = record.cells.into_iter().map(name).collect();
                is_ours = OWN_COLUMNS.iter().all(|own| header.iter().any(|name| &**name == *own));
                names = Some(header);
                continue;
            };
            if record.cells.len() != names.len() {
                let (found, wanted) = (record.cells.len(), names.len());
                let message =
                    format!("{found} cells where the header has {wanted}; the row is left out");
                let hint = "quote cells that hold the delimiter, and write empty cells too";
                self.left_out(path, record.line, message, hint);
                continue;
            }
            let cells = names.iter().cloned().zip(record.cells);
            let cells = cells.filter_map(|(name, cell)| Some((name, cell?)));
            // An apostrophe stands in front of what looks like a formula.
            let cells = cells.map(|(name, cell)| (name, if is_ours { cell.fused() } else { cell }));
            self.rows.push(Row { line: record.line, cells: cells.collect(), ..Row::default() });
        }
        Ok(names.unwrap_or_default())
    }

    fn lines(&mut self, path: &Path, reader: impl BufRead) -> io::Result<Vec<Arc<str>>> {
        let mut reader = JsonlReader::new(reader);
        while let Some(row) = reader.next_row()? {
            match row {
                Ok(row) => self.rows.push(row),
                Err(malformed) => self.malformed(path, malformed),
            }
        }
        Ok(reader.keys)
    }

    fn malformed(&mut self, path: &Path, malformed: Malformed) {
        self.left_out(path, malformed.place.line, malformed.message, &malformed.hint);
    }

    fn left_out(&mut self, path: &Path, line: u64, message: String, hint: &str) {
        let problem = Problem::warning(ProblemKind::MalformedRow, (path, line), message, hint);
        self.problems.push(Problem { severity: Severity::Error, ..problem });
    }
}
