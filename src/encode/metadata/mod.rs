//! Metadata as a modality: year, running time, language, country, certificate, people.
//!
//! in: the title's year and metadata columns; out: a [`Record`] of numbers and categories as
//! the catalog states them. Scaling, filling in and the choice of categories look at other
//! titles; they are fitted inside each training fold and are not done here.

mod cells;

use catalog::{Record, RecordSchema, Title};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    modality::{EncodeError, EncoderContext, Modality, Opened, RecordReader, SourceKind},
    settings,
};

const NAME: &str = "metadata";

/// The number column that a title's year of release goes by, whatever its column is called in
/// the catalog's file.
const YEAR: &str = "year";

/// The modality.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metadata;

/// `[modality.metadata]`. Columns that a catalog does not have are missing for every title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    /// Columns of numbers.
    numbers: Vec<String>,
    /// Columns of categories; a cell may name several, separated by `|` or `,`.
    categories: Vec<String>,
    /// Columns of people; what stands in parentheses is left out.
    people: Vec<String>,
    /// At most so many people of a cell, the first ones.
    max_people: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            numbers: owned(&[YEAR, "runtime_min"]),
            categories: owned(&["language", "country", "mpaa"]),
            people: owned(&["director", "writer", "actors"]),
            max_people: 5,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), EncodeError> {
        let columns: Vec<&String> =
            self.numbers.iter().chain(&self.categories).chain(&self.people).collect();
        settings::expect(NAME, !columns.is_empty(), || {
            "`numbers`, `categories` and `people` name no column".to_owned()
        })?;
        for (idx, column) in columns.iter().enumerate() {
            settings::expect(NAME, !column.is_empty(), || "a column's name is empty".to_owned())?;
            settings::expect(NAME, !columns[..idx].contains(column), || {
                format!("column `{column}` is named twice")
            })?;
        }
        settings::expect(NAME, self.max_people >= 1, || {
            "`max_people` must be at least 1, got 0".to_owned()
        })
    }
}

impl Modality for Metadata {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "what the catalog states in columns: year, running time, language, country, people"
    }

    fn defaults(&self) -> Value {
        settings::defaults::<Settings>()
    }

    fn sources(&self, title: &Title, _settings: &Value) -> Vec<SourceKind> {
        let year = title.year.map(|year| format!("{YEAR}: {year}"));
        let fields = title.fields.iter().map(|(name, value)| format!("{name}: {value}"));
        let lines: Vec<_> = year.into_iter().chain(fields).collect();
        let source = (!lines.is_empty()).then(|| SourceKind::Text(lines.join("\n")));
        source.into_iter().collect()
    }

    fn check(&self, given: &Value) -> Result<(), EncodeError> {
        settings::read::<Settings>(NAME, given)?.check()
    }

    fn columns(&self, given: &Value) -> Vec<(String, String)> {
        let names_of = |setting: &str| {
            let names = given.get(setting).and_then(Value::as_array).into_iter().flatten();
            let names = names.filter_map(Value::as_str).filter(|name| *name != YEAR);
            let setting = setting.to_owned();
            names.map(|name| (setting.clone(), name.to_owned())).collect::<Vec<_>>()
        };
        ["numbers", "categories", "people"].into_iter().flat_map(names_of).collect()
    }

    fn open(&self, given: &Value, _context: &EncoderContext) -> Result<Opened, EncodeError> {
        let settings: Settings = settings::read(NAME, given)?;
        settings.check()?;
        Ok(Opened::Records(Box::new(Reader { settings })))
    }
}

struct Reader {
    settings: Settings,
}

impl RecordReader for Reader {
    fn schema(&self) -> RecordSchema {
        let Settings { numbers, categories, people, .. } = &self.settings;
        RecordSchema {
            numbers: numbers.clone(),
            categories: categories.iter().chain(people).cloned().collect(),
        }
    }

    fn description(&self) -> Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn record(&self, title: &Title) -> Option<Record> {
        let cell = |name: &String| title.fields.get(name).map(String::as_str);
        let number = |name: &String| match cell(name) {
            None if name == YEAR => title.year.map(f64::from),
            cell => cells::number(cell?),
        };
        let numbers: Vec<_> = self.settings.numbers.iter().map(number).collect();
        let categories = self.settings.categories.iter().map(|name| {
            let text = cell(name)?;
            Some(cells::categories(text))
        });
        let people = self.settings.people.iter().map(|name| {
            let text = cell(name)?;
            Some(cells::people(text, self.settings.max_people))
        });
        let categories: Vec<Vec<String>> =
            categories.chain(people).map(Option::unwrap_or_default).collect();
        let any = numbers.iter().any(Option::is_some) || categories.iter().any(|c| !c.is_empty());
        any.then_some(Record { numbers, categories })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base::{DeviceChoice, TitleId};
    use serde_json::json;

    use super::*;

    fn reader(settings: &Value) -> Result<Box<dyn RecordReader>, EncodeError> {
        let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
        match Metadata.open(settings, &context)? {
            Opened::Records(reader) => Ok(reader),
            _ => panic!("metadata has nothing to cache"),
        }
    }

    fn title(year: Option<i32>, fields: &[(&str, &str)]) -> Title {
        let owned = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Title { year, fields: owned.collect::<BTreeMap<_, _>>(), ..Title::new(TitleId::new("tt1")) }
    }

    #[test]
    fn the_defaults_read_a_whole_row() {
        let reader = reader(&Metadata.defaults()).unwrap();
        let schema = reader.schema();
        assert_eq!(schema.numbers, ["year", "runtime_min"]);
        let columns = ["language", "country", "mpaa", "director", "writer", "actors"];
        assert_eq!(schema.categories, columns);
        let record = reader
            .record(&title(
                Some(1983),
                &[
                    ("runtime_min", "91 min"),
                    ("language", "English, Spanish"),
                    ("writer", "Pat Jordan (article), Michael Kane"),
                    ("actors", "A, B, C, D, E, F, G"),
                ],
            ))
            .unwrap();
        assert_eq!(record.numbers, [Some(1983.0), Some(91.0)]);
        assert_eq!(record.categories[0], ["English", "Spanish"]);
        assert!(record.categories[1].is_empty());
        assert_eq!(record.categories[4], ["Pat Jordan", "Michael Kane"]);
        assert_eq!(record.categories[5].len(), 5);
    }

    #[test]
    fn a_title_that_states_nothing_has_no_record() {
        let reader = reader(&json!({})).unwrap();
        let empty = title(None, &[("runtime_min", "N/A"), ("language", " , "), ("votes", "12")]);
        assert_eq!(reader.record(&empty), None);
        assert_eq!(Metadata.sources(&title(None, &[]), &json!({})), []);
        assert_eq!(Metadata.sources(&title(Some(1999), &[]), &json!({})).len(), 1);
    }

    #[test]
    fn settings_that_are_none_are_refused() {
        for settings in [
            json!({"number": ["year"]}),
            json!({"max_people": 0}),
            json!({"numbers": [], "categories": [], "people": []}),
            json!({"numbers": ["year"], "categories": ["year"], "people": []}),
            json!({"numbers": [""]}),
        ] {
            assert!(reader(&settings).is_err(), "{settings}");
        }
    }
}
