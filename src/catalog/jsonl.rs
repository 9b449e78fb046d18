//! Reader of JSON Lines: one object a line.
//!
//! in: lines; out: rows. Numbers and booleans become text, `null` and blank text are absent,
//! lists of texts (or of objects with a `name`) become several values.

use std::{fmt, io, io::BufRead, sync::Arc};

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    lines::{Line, Lines, Place},
    problem::shown,
    row::{Cell, Content, Malformed, Row, shared},
};

/// Different keys of a file; they are looked for one after another.
const MAX_KEYS: usize = 2000;

/// Reads rows.
pub(super) struct JsonlReader<R> {
    lines: Lines<R>,
    /// Keys seen so far, in the order of their first appearance.
    pub(super) keys: Vec<Arc<str>>,
}

impl<R: BufRead> JsonlReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { lines: Lines::new(reader), keys: Vec::new() }
    }

    /// The next row; `None` at the end.
    pub(super) fn next_row(&mut self) -> io::Result<Option<Result<Row, Malformed>>> {
        loop {
            let Some(line) = self.lines.next_line()? else { return Ok(None) };
            if !line.content().trim_ascii().is_empty() {
                return Ok(Some(self.row(&line)));
            }
        }
    }

    fn row(&mut self, line: &Line) -> Result<Row, Malformed> {
        let bad_place = line.undecodable().first().map(|&(_, place)| place);
        let text = String::from_utf8_lossy(line.content());
        let values = values(&text, &mut self.keys).map_err(|e| Malformed {
            place: Place { line: line.number, column: e.column().max(1) as u64 },
            value: shown(&text),
            message: format!("no JSON object ({}); the row is left out", reason(&e)),
            hint: "write one JSON object a line, without line breaks inside".to_owned(),
        })?;
        let mut cells = Vec::with_capacity(values.len());
        for (key, value) in values {
            if let Some(content) = content(value) {
                let undecodable = bad_place.filter(|_| holds_replacement(&content));
                cells.push((key, Cell { content, undecodable }));
            }
        }
        Ok(Row { line: line.number, cells, ..Row::default() })
    }
}

/// The values of an object, of a key that comes twice the last one; keys are shared by all rows.
/// A text that is no object adds no keys.
pub(super) fn values(
    text: &str,
    keys: &mut Vec<Arc<str>>,
) -> serde_json::Result<Vec<(Arc<str>, Value)>> {
    let num_known = keys.len();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let values = deserializer.deserialize_map(Object(keys));
    let values = values.and_then(|values| deserializer.end().map(|()| values));
    if values.is_err() {
        keys.truncate(num_known);
    }
    values
}

/// Takes an object apart, with the keys seen so far.
struct Object<'a>(&'a mut Vec<Arc<str>>);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Vec<(Arc<str>, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values: Self::Value = Vec::with_capacity(self.0.len());
        while let Some(key) = map.next_key_seed(Key(self.0))? {
            if self.0.len() > MAX_KEYS {
                return Err(de::Error::custom(format_args!("more than {MAX_KEYS} different keys")));
            }
            let value = map.next_value()?;
            match values.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &key)) {
                Some((_, before)) => *before = value,
                None => values.push((key, value)),
            }
        }
        Ok(values)
    }
}

/// One of the keys seen so far, or a new one.
struct Key<'a>(&'a mut Vec<Arc<str>>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Arc<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(shared(self.0, key))
    }
}

/// The parser's words without its line number, which is always 1.
fn reason(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.split(" at line ").next().unwrap_or(&words).to_owned()
}

fn holds_replacement(content: &Content) -> bool {
    match content {
        Content::Text(text) => text.contains('\u{fffd}'),
        Content::List(values) => values.iter().any(|value| value.contains('\u{fffd}')),
    }
}

/// What stands in a cell; `None` where that is blank.
pub(super) fn content(value: Value) -> Option<Content> {
    match value {
        Value::Array(values) => {
            let values: Vec<_> = values.into_iter().filter_map(item).collect();
            (!values.is_empty()).then_some(Content::List(values))
        }
        single => item(single).map(Content::Text),
    }
}

/// A text without white space around it; most have none.
fn trimmed(text: String) -> String {
    if text.trim().len() == text.len() { text } else { text.trim().to_owned() }
}

/// One value as text; `None` where it is blank.
pub(super) fn item(value: Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => trimmed(text),
        Value::Object(mut object) => match object.remove("name") {
            Some(Value::String(name)) => trimmed(name),
            _ => Value::Object(object).to_string(),
        },
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_text_and_lists() {
        let text = b"\n{\"id\": \"a\", \"year\": 1999, \"genres\": [\"Drama\", {\"id\": 3, \"name\": \"War\"}], \"x\": null, \"y\": \" \"}\n";
        let mut reader = JsonlReader::new(&text[..]);
        let row = reader.next_row().unwrap().unwrap().unwrap();
        assert_eq!(row.line, 2);
        assert_eq!(row.get("year").unwrap().content, Content::Text("1999".into()));
        let list = Content::List(vec!["Drama".into(), "War".into()]);
        assert_eq!(row.get("genres").unwrap().content, list);
        assert_eq!(row.get("x"), None);
        assert_eq!(row.get("y"), None);
        assert_eq!(reader.keys.len(), 5);
        assert!(reader.next_row().unwrap().is_none());
    }

    #[test]
    fn a_row_with_keys_without_end_is_left_out() {
        let object = |num: usize| {
            let keys: Vec<String> = (0..num).map(|n| format!("\"{n}\": 1")).collect();
            format!("{{{}}}", keys.join(","))
        };
        let text = format!("{}\n{}\n", object(200_000), object(MAX_KEYS));
        let mut reader = JsonlReader::new(text.as_bytes());
        let fault = reader.next_row().unwrap().unwrap().unwrap_err();
        assert!(fault.message.contains("more than 2000 different keys"), "{}", fault.message);
        assert_eq!(reader.next_row().unwrap().unwrap().unwrap().cells.len(), MAX_KEYS);
    }

    #[test]
    fn of_a_key_that_comes_twice_the_last_is_kept() {
        let mut reader = JsonlReader::new(&b"{\"id\": \"a\", \"x\": 1, \"x\": 2}"[..]);
        let row = reader.next_row().unwrap().unwrap().unwrap();
        assert_eq!(row.get("x").unwrap().content, Content::Text("2".into()));
        assert_eq!(row.cells.len(), 2);
    }

    #[test]
    fn broken_lines_say_where_and_the_next_is_read() {
        let mut reader = JsonlReader::new(&b"{\"id\": \"a\",}\n[1]\n{\"id\": \"b\xff\"}"[..]);
        let first = reader.next_row().unwrap().unwrap().unwrap_err();
        assert_eq!(first.place, Place { line: 1, column: 12 });
        assert!(reader.keys.is_empty(), "what is no row has no columns");
        assert!(reader.next_row().unwrap().unwrap().is_err());
        let third = reader.next_row().unwrap().unwrap().unwrap();
        let place = Place { line: 3, column: 10 };
        assert_eq!(third.get("id").unwrap().undecodable, Some(place));
    }
}
