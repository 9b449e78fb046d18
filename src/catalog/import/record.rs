//! A row as a JSON object, and back.

use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use super::parquet_file::Kind;

use crate::catalog::{
    Row,
    row::{Cell, Content},
};

/// Columns that hold paths of files.
const FILES: [&str; 5] = ["poster", "trailer", "film", "nfo", "subtitles"];
/// Columns that hold numbers, besides those that end in these.
const NUMBERS: [&str; 4] = ["year", "fold", "runtime_min", "popularity"];
const NUMBER_ENDINGS: [&str; 4] = ["_votes", "_rating", "_usd", "_secs"];

/// Whether a column of this name holds numbers.
fn is_number(column: &str) -> bool {
    NUMBERS.contains(&column) || NUMBER_ENDINGS.iter().any(|ending| column.ends_with(ending))
}

/// A row as an object: what is a number by its column's name is written as one, lists as lists.
pub(in crate::catalog) fn record(row: &Row) -> Map<String, Value> {
    let value = |name: &str, content: &Content| match content {
        Content::List(values) => Value::from(values.clone()),
        Content::Text(text) if is_number(name) => {
            number(text).map_or_else(|| text.clone().into(), Value::Number)
        }
        Content::Text(text) => Value::from(text.clone()),
    };
    row.cells.iter().map(|(name, cell)| (name.to_string(), value(name, &cell.content))).collect()
}

/// A row as [`record`] has it, written down without the detour.
pub(super) struct Line<'a>(pub(super) &'a Row);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.cells.iter().map(|(name, cell)| {
            let number = match &cell.content {
                Content::Text(text) if is_number(name) => number(text),
                _ => None,
            };
            (&**name, Field { content: &cell.content, number })
        }))
    }
}

struct Field<'a> {
    content: &'a Content,
    number: Option<Number>,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.number, self.content) {
            (Some(number), _) => number.serialize(serializer),
            (None, Content::Text(text)) => serializer.serialize_str(text),
            (None, Content::List(values)) => serializer.collect_seq(values),
        }
    }
}

/// What a column would hold if all rows were like this one.
pub(super) fn kinds(row: &Row) -> impl Iterator<Item = (&str, Kind)> {
    row.cells.iter().map(|(name, cell)| {
        let kind = match &cell.content {
            Content::List(_) => Kind::List,
            Content::Text(text) if is_number(name) && number(text).is_some() => {
                Kind::of_number(name)
            }
            Content::Text(_) => Kind::Text,
        };
        (&**name, kind)
    })
}

/// As JSON writes it: whole where it is whole.
fn number(text: &str) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse().ok().and_then(Number::from_f64),
    }
}

/// Names of files are taken from a folder.
pub(super) fn with_absolute_paths(mut row: Row, folder: &Path) -> Row {
    for (name, Cell { content, .. }) in &mut row.cells {
        if !FILES.contains(&&**name) {
            continue;
        }
        let absolute = |text: &mut String| {
            if !text.contains("://") {
                *text = folder.join(&*text).to_string_lossy().into_owned();
            }
        };
        match content {
            Content::Text(text) => absolute(text),
            Content::List(texts) => texts.iter_mut().for_each(absolute),
        }
    }
    row
}
