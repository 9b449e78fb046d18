//! A row as a JSON object, and back.

use std::{path::Path, sync::Arc};

use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value as Json};

use super::parquet_file::Kind;
use crate::{
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
pub(crate) fn record(row: &Row) -> Map<String, Json> {
    Line::of(row).values().map(|(name, value)| (name.to_owned(), value.to_json())).collect()
}

/// A row as [`record`] has it, written without that detour.
pub(super) struct Line<'a>(Vec<(&'a str, Value<'a>)>);

/// What a line says in a column.
pub(super) enum Value<'a> {
    /// A text that is a number by its column's name.
    Number(Number),
    /// A cell that is none.
    Cell(&'a Content),
    /// As it was read from JSON.
    Json(&'a serde_json::Value),
}

impl<'a> Line<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        let value = |(name, cell): &'a (Arc<str>, Cell)| {
            let content = &cell.content;
            let number = number_in(name, content);
            (&**name, number.map_or(Value::Cell(content), Value::Number))
        };
        Self(row.cells.iter().map(value).collect())
    }

    /// Columns and what stands there.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'a str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl Value<'_> {
    pub(super) fn kind(&self, column: &str) -> Kind {
        match self {
            Self::Number(_) | Self::Json(Json::Number(_)) => Kind::of_number(column),
            Self::Cell(Content::List(_)) | Self::Json(Json::Array(_)) => Kind::List,
            Self::Cell(Content::Text(_)) | Self::Json(_) => Kind::Text,
        }
    }

    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Number(number) => Json::Number(number.clone()),
            Self::Cell(Content::Text(text)) => Json::from(text.as_str()),
            Self::Cell(Content::List(texts)) => Json::from(texts.as_slice()),
            Self::Json(value) => (*value).clone(),
        }
    }

    pub(super) fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) | Self::Json(Json::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// Its texts, one by one; a single one where it is no list.
    pub(super) fn for_each_text(&self, take: &mut dyn FnMut(&str)) {
        match self {
            Self::Cell(Content::Text(text)) | Self::Json(Json::String(text)) => take(text),
            Self::Cell(Content::List(texts)) => texts.iter().for_each(|text| take(text)),
            Self::Json(Json::Array(values)) => {
                for value in values {
                    Value::Json(value).for_each_text(take);
                }
            }
            Self::Number(number) => take(&number.to_string()),
            Self::Json(other) => take(&other.to_string()),
        }
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(serializer),
            Self::Cell(Content::Text(text)) => serializer.serialize_str(text),
            Self::Cell(Content::List(texts)) => serializer.collect_seq(texts),
            Self::Json(value) => value.serialize(serializer),
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
        let kinds: Vec<_> = line.values().map(|(name, value)| value.kind(name)).collect();
        let expected = [Kind::Text, Kind::Whole, Kind::Number, Kind::Text, Kind::Text, Kind::List];
        assert!(kinds == expected);
    }
}
