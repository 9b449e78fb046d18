//! Rows of a catalog file or a source, one by one.

use std::{collections::HashSet, io::BufRead, sync::Arc};

use super::{Loader, unreadable};
use crate::{
    CatalogError, Problem, ProblemKind, Severity,
    delimited::DelimitedReader,
    jsonl::JsonlReader,
    problem::shown,
    row::{Malformed, Row},
    source::{Intake, Source},
};

/// By these a table of tags is known that the program wrote itself.
const OWN_COLUMNS: [&str; 4] = ["genre", "probability", "threshold", "decision"];

/// And by these keys a file of them in JSON Lines.
const OWN_KEYS: [&str; 3] = ["scores", "model", "version"];

impl Loader<'_> {
    pub(super) fn read_delimited(
        &mut self,
        reader: impl BufRead,
        delimiter: u8,
    ) -> Result<(), CatalogError> {
        let path = &self.spec.path;
        let mut reader = DelimitedReader::new(reader, delimiter, self.spec.quoting);
        let header = match reader.next_record().map_err(|e| unreadable(path, e))? {
            None => return Ok(()),
            Some(Err(malformed)) => {
                return Err(CatalogError::Format {
                    path: path.clone(),
                    message: format!(
                        "the header, line {}: {}",
                        malformed.place.line, malformed.message
                    ),
                    hint: malformed.hint,
                });
            }
            Some(Ok(header)) => header,
        };
        let names: Vec<Arc<str>> = header
            .cells
            .into_iter()
            .map(|cell| cell.map_or_else(|| Arc::from(""), |cell| cell.into_text().into()))
            .collect();
        self.check_columns(&names, Some(delimiter))?;
        let mut seen = HashSet::new();
        let used: Vec<bool> = names
            .iter()
            .map(|name| {
                let again = !name.is_empty() && !seen.insert(name);
                if again {
                    self.problems.push(self.duplicate_column(header.line, name));
                }
                !again && self.uses(name)
            })
            .collect();
        // What `cinetag tag` wrote, with an apostrophe in front of what looks like a formula.
        let is_ours = OWN_COLUMNS.iter().all(|own| names.iter().any(|name| &**name == *own));
        while let Some(record) = reader.next_record().map_err(|e| unreadable(path, e))? {
            match record {
                Err(malformed) => self.malformed(malformed),
                Ok(record) if record.cells.len() == names.len() => {
                    let cells = record.cells.into_iter().zip(names.iter().zip(&used));
                    let cells = cells
                        .filter(|(_, (_, used))| **used)
                        .filter_map(|(cell, (name, _))| Some((name.clone(), cell?)))
                        .map(|(name, cell)| (name, if is_ours { cell.fused() } else { cell }))
                        .collect();
                    self.row(Row { line: record.line, cells, ..Row::default() });
                }
                Ok(record) => {
                    self.num_rows += 1;
                    let first = record.cells.iter().flatten().next().cloned();
                    self.problems.push(Problem {
                        severity: Severity::Error,
                        kind: ProblemKind::MalformedRow,
                        file: path.clone(),
                        line: Some(record.line),
                        column: None,
                        field: None,
                        value: first.map(|cell| shown(&cell.into_text())),
                        message: format!(
                            "{} cells where the header has {}; the row is left out",
                            record.cells.len(),
                            names.len()
                        ),
                        hint: "quote cells that hold the delimiter, and write empty cells too"
                            .to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    pub(super) fn read_jsonl(&mut self, reader: impl BufRead) -> Result<(), CatalogError> {
        let mut reader = JsonlReader::new(reader);
        let genres = self.columns.genres.as_ref().map_or("", |column| &column.name).to_owned();
        let mut num_ours = 0;
        while let Some(row) = reader.next_row().map_err(|e| unreadable(&self.spec.path, e))? {
            match row {
                Err(malformed) => self.malformed(malformed),
                Ok(mut row) => {
                    let has = |own: &&str| reader.keys.iter().any(|key| **key == **own);
                    let is_ours = OWN_KEYS.iter().all(has) && row.get(&genres).is_some();
                    num_ours += usize::from(is_ours);
                    row.cells
                        .retain(|(name, _)| self.uses(name) && !(is_ours && *genres == **name));
                    self.row(row);
                }
            }
        }
        if num_ours > 0 {
            self.problems.push(Problem {
                severity: Severity::Note,
                kind: ProblemKind::LeftOut,
                file: self.spec.path.clone(),
                line: None,
                column: None,
                field: Some(genres),
                value: None,
                message: format!(
                    "the genres of {num_ours} titles were given by cinetag: no labels"
                ),
                hint: "give a catalog with the genres that people decided on".to_owned(),
            });
        }
        if reader.keys.is_empty() { Ok(()) } else { self.check_columns(&reader.keys, None) }
    }

    pub(super) fn read_source(&mut self, source: &dyn Source) -> Result<(), CatalogError> {
        let path = &self.spec.path;
        let mut keys: Vec<Arc<str>> = Vec::new();
        let mut take = |mut row: Row| {
            for (name, _) in &row.cells {
                if !keys.contains(name) {
                    keys.push(name.clone());
                }
            }
            row.cells.retain(|(name, _)| self.uses(name));
            self.row(row);
        };
        let mut intake = Intake::new(&mut take);
        source.read(path, &mut intake)?;
        let (problems, left_out, _) = intake.finish();
        self.problems.extend(problems);
        for (reason, titles) in left_out {
            self.problems.push(Problem {
                severity: Severity::Note,
                kind: ProblemKind::LeftOut,
                file: path.clone(),
                line: None,
                column: None,
                field: None,
                value: titles.examples.first().cloned(),
                message: format!("{} titles are left out: {reason}", titles.num_titles),
                hint: format!("the first are {}", titles.examples.join(", ")),
            });
        }
        if keys.is_empty() { Ok(()) } else { self.check_columns(&keys, None) }
    }

    fn malformed(&mut self, malformed: Malformed) {
        self.num_rows += 1;
        self.problems.push(Problem {
            severity: Severity::Error,
            kind: ProblemKind::MalformedRow,
            file: self.spec.path.clone(),
            line: Some(malformed.place.line),
            column: Some(malformed.place.column),
            field: None,
            value: Some(malformed.value),
            message: malformed.message,
            hint: malformed.hint,
        });
    }
}
