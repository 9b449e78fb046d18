//! All that a log says of a catalog's titles, a row an answer, as [`plan`](super::plan) reads it.

use std::{io, path::Path};

use base::words::defused;
use curation::reviews::{Decided, Said};
use serde_json::{Map, Value};

use super::{Target, decided, rows::OWN_COLUMNS};
use crate::{Problem, decided::Place};

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Cells between commas. What a spreadsheet would compute is made harmless.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Column and cell; empty ones are told by none in JSON Lines.
type Cells = [(&'static str, String); 8];

/// The answers that hold, by title and genre; what of the log cannot be read; how many answers there
/// are. A title that is complete has `complete` in all of its rows, and one without a genre where there is
/// no answer.
///
/// # Errors
/// None but of memory.
pub fn export(target: &Target, form: Form) -> io::Result<(Vec<u8>, Vec<Problem>, usize)> {
    let (log, problems) = decided::read(&target.place, &target.opened.catalog.titles);
    let mut rows: Vec<Cells> = Vec::new();
    for (name, decided) in log.iter() {
        let Some(title) = name_of(&target.place, name) else { continue };
        rows.extend(decided.answers.values().map(|said| cells(&title, decided, Some(said))));
        if decided.answers.is_empty() {
            rows.push(cells(&title, decided, None));
        }
    }
    let bytes = match form {
        Form::Csv => csv_of(&rows)?,
        Form::Jsonl => lines_of(&rows)?,
    };
    Ok((bytes, problems, rows.len()))
}

/// A title as its catalog calls it; `None` of one that lies elsewhere.
fn name_of(place: &Place, name: &str) -> Option<String> {
    match place {
        Place::Beside(_) => Some(name.to_owned()),
        Place::Library(root) => {
            let path = Path::new(name).strip_prefix(root).ok()?;
            Some(path.to_string_lossy().into_owned())
        }
    }
}

fn cells(title: &str, decided: &Decided, said: Option<&Said>) -> Cells {
    let [titles, genre, answer, who, at] = OWN_COLUMNS;
    let text = |of: fn(&Said) -> String| said.map(of).unwrap_or_default();
    let site = |site: &str| decided.ids.get(site).cloned().unwrap_or_default();
    let complete = if decided.complete { "yes" } else { "" };
    [
        (titles, title.to_owned()),
        (genre, text(|said| said.genre.clone())),
        (answer, text(|said| said.answer.name().to_owned())),
        (who, text(|said| said.who.clone())),
        (at, text(|said| said.at.to_string())),
        ("complete", complete.to_owned()),
        ("imdb_id", site("imdb")),
        ("tmdb_id", site("tmdb")),
    ]
}

fn csv_of(rows: &[Cells]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = OWN_COLUMNS.into_iter().chain(["complete", "imdb_id", "tmdb_id"]);
    writer.write_record(names)?;
    for row in rows {
        writer.write_record(row.iter().map(|(_, cell)| defused(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn lines_of(rows: &[Cells]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows {
        let stated = row.iter().filter(|(_, cell)| !cell.is_empty());
        let object: Map<String, Value> =
            stated.map(|(name, cell)| ((*name).to_owned(), Value::from(cell.as_str()))).collect();
        serde_json::to_writer(&mut bytes, &object)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}
