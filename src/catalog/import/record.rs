//! A row as a JSON object, and back.

use std::{path::Path, sync::Arc};

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

/// The number in a text whose column holds numbers by its name.
fn number_in(column: &str, content: &Content) -> Option<Number> {
    let is_number = || {
        NUMBERS.contains(&column) || NUMBER_ENDINGS.iter().any(|ending| column.ends_with(ending))
    };
    match content {
        Content::Text(text) if is_number() => number(text),
        _ => None,
    }
}

/// A row as an object: what is a number by its column's name is written as one, lists as lists.
pub(in crate::catalog) fn record(row: &Row) -> Map<String, Value> {
    let value =
        |(name, cell): &(Arc<str>, Cell)| match (number_in(name, &cell.content), &cell.content) {
            (Some(number), _) => Value::Number(number),
            (None, Content::Text(text)) => Value::from(text.clone()),
            (None, Content::List(values)) => Value::from(values.clone()),
        };
    row.cells.iter().map(|cell| (cell.0.to_string(), value(cell))).collect()
}

/// A row as [`record`] has it, written down without the detour.
pub(super) struct Line<'a>(Vec<(&'a str, Field<'a>)>);

struct Field<'a> {
    content: &'a Content,
    number: Option<Number>,
}

impl<'a> Line<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        let field = |(name, cell): &'a (Arc<str>, Cell)| {
            let content = &cell.content;
            (&**name, Field { content, number: number_in(name, content) })
        };
        Self(row.cells.iter().map(field).collect())
    }

    /// What each column holds in this row.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&'a str, Kind)> {
        self.0.iter().map(|(name, field)| {
            let kind = match (&field.number, field.content) {
                (Some(_), _) => Kind::of_number(name),
                (None, Content::Text(_)) => Kind::Text,
                (None, Content::List(_)) => Kind::List,
            };
            (*name, kind)
        })
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, field)| (name, field)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_the_record_says() {
        let row = Row::default()
            .text("id", "tt9900001")
            .text("year", "1999")
            .text("imdb_rating", "7.5")
            .text("imdb_votes", "NaN")
            .text("plot", "\"quoted\"\n")
            .list("genres", vec!["Drama".to_owned(), "War".to_owned()]);
        let line = Line::of(&row);
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(text, serde_json::to_string(&record(&row)).unwrap());
        assert!(
            text.contains("\"year\":1999,\"imdb_rating\":7.5,\"imdb_votes\":\"NaN\""),
            "{text}"
        );
        let kinds: Vec<_> = line.kinds().map(|(_, kind)| kind).collect();
        let expected = [Kind::Text, Kind::Whole, Kind::Number, Kind::Text, Kind::Text, Kind::List];
        assert!(kinds == expected);
    }
}
