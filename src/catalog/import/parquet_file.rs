//! The catalog as Parquet: one column a key of its JSON Lines, texts as UTF-8, lists as LIST of
//! UTF-8, numbers as DOUBLE, the year as INT32; Snappy, row groups of 50,000 titles.
//!
//! source: Apache Parquet, "Nested encoding", "Logical types" (LIST with three levels)

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    sync::Arc,
};

use parquet::{
    basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::{Type, TypePtr},
};
use serde_json::{Map, Value};

use crate::{
    base::publish_file,
    catalog::{CatalogError, jsonl},
};

const ROWS_PER_GROUP: usize = 50_000;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Number,
    Text,
    List,
}

impl Kind {
    /// Of a column that holds numbers.
    pub(super) fn of_number(column: &str) -> Self {
        if column == "year" || column == "fold" { Self::Whole } else { Self::Number }
    }
}

type Object = Map<String, Value>;

/// Columns in the order of their first appearance, collected row by row.
#[derive(Default)]
pub(in crate::catalog) struct Columns {
    place: HashMap<String, usize>,
    all: Vec<(String, Kind)>,
}

impl Columns {
    /// Learns from one more row.
    pub(in crate::catalog) fn see(&mut self, row: &Object) {
        self.see_kinds(row.iter().map(|(name, value)| {
            let kind = match value {
                Value::Array(_) => Kind::List,
                Value::Number(_) => Kind::of_number(name),
                _ => Kind::Text,
            };
            (name.as_str(), kind)
        }));
    }

    /// Learns from what one more row's columns hold.
    pub(super) fn see_kinds<'a>(&mut self, row: impl Iterator<Item = (&'a str, Kind)>) {
        let mut expected = 0;
        for (name, kind) in row {
            let place = self.place_of(name, expected);
            expected = place.unwrap_or(self.all.len()) + 1;
            match place {
                None => {
                    self.place.insert(name.to_owned(), self.all.len());
                    self.all.push((name.to_owned(), kind));
                }
                // What is not of one kind everywhere is text, or a list where some are lists.
                Some(idx) if self.all[idx].1 != kind => {
                    let is_list = kind == Kind::List || self.all[idx].1 == Kind::List;
                    self.all[idx].1 = if is_list { Kind::List } else { Kind::Text };
                }
                Some(_) => {}
            }
        }
    }

    /// Where a column stands; rows are much alike, so the expected place is looked at first.
    fn place_of(&self, name: &str, expected: usize) -> Option<usize> {
        if self.all.get(expected).is_some_and(|(there, _)| there == name) {
            return Some(expected);
        }
        self.place.get(name).copied()
    }
}

/// Writes the Parquet file of a JSON Lines file with these columns.
pub(in crate::catalog) fn write(
    columns: &Columns,
    catalog: &Path,
    parquet: &Path,
) -> Result<(), CatalogError> {
    let failed = |source: io::Error| CatalogError::File {
        path: parquet.to_owned(),
        action: "written",
        source,
    };
    publish_file(parquet, |temporary| {
        let schema = schema(&columns.all).map_err(other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("cinetag".to_owned())
            .build();
        let file = File::create(temporary)?;
        let mut writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(other)?;
        let mut group = Group::new(columns);
        let mut keys = Vec::new();
        for line in BufReader::with_capacity(1 << 20, File::open(catalog)?).lines() {
            group.push(columns, jsonl::values(&line?, &mut keys)?);
            if group.num_rows == ROWS_PER_GROUP {
                group.write(&mut writer).map_err(other)?;
                group = Group::new(columns);
            }
        }
        if group.num_rows > 0 {
            group.write(&mut writer).map_err(other)?;
        }
        writer.close().map(|_| ()).map_err(other)
    })
    .map_err(failed)
}

fn other(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

fn schema(columns: &[(String, Kind)]) -> Result<TypePtr, ParquetError> {
    let text = |name: &str, repetition| {
        Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::String))
            .with_converted_type(ConvertedType::UTF8)
            .build()
    };
    let plain = |name: &str, physical| {
        Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL).build()
    };
    let mut fields = Vec::new();
    for (name, kind) in columns {
        fields.push(Arc::new(match kind {
            Kind::Whole => plain(name, Physical::INT32)?,
            Kind::Number => plain(name, Physical::DOUBLE)?,
            Kind::Text => text(name, Repetition::OPTIONAL)?,
            Kind::List => {
                let element = Arc::new(text("element", Repetition::REQUIRED)?);
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![element])
                    .build()?;
                Type::group_type_builder(name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(LogicalType::List))
                    .with_converted_type(ConvertedType::LIST)
                    .with_fields(vec![Arc::new(list)])
                    .build()?
            }
        }));
    }
    Type::group_type_builder("catalog").with_fields(fields).build().map(Arc::new)
}

/// Rows that are written together, column by column.
struct Group {
    num_rows: usize,
    columns: Vec<Cells>,
}

/// One column's values, and of each row whether it has one.
struct Cells {
    values: Values,
    /// 0 for none and 1 for a value; in lists 1 for an empty one and 2 for a value.
    definition: Vec<i16>,
    /// In lists: 1 for what continues a row's.
    repetition: Vec<i16>,
    /// Rows that were told of.
    num_rows: usize,
}

enum Values {
    Whole(Vec<i32>),
    Number(Vec<f64>),
    Text(Vec<ByteArray>),
    List(Vec<ByteArray>),
}

impl Group {
    fn new(columns: &Columns) -> Self {
        let cells = |kind: &Kind| Cells {
            values: match kind {
                Kind::Whole => Values::Whole(Vec::new()),
                Kind::Number => Values::Number(Vec::new()),
                Kind::Text => Values::Text(Vec::new()),
                Kind::List => Values::List(Vec::new()),
            },
            definition: Vec::new(),
            repetition: Vec::new(),
            num_rows: 0,
        };
        Self { num_rows: 0, columns: columns.all.iter().map(|(_, kind)| cells(kind)).collect() }
    }

    fn push(&mut self, columns: &Columns, row: Vec<(Arc<str>, Value)>) {
        let mut expected = 0;
        for (name, value) in row {
            if let Some(idx) = columns.place_of(&name, expected) {
                self.columns[idx].push(self.num_rows, value);
                expected = idx + 1;
            }
        }
        self.num_rows += 1;
    }

    fn write(mut self, writer: &mut SerializedFileWriter<File>) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        for cells in &mut self.columns {
            cells.leave_out_until(self.num_rows);
            let Some(mut column) = group.next_column()? else { break };
            let (definition, repetition) = (Some(&cells.definition[..]), &cells.repetition[..]);
            match (column.untyped(), &cells.values) {
                (ColumnWriter::Int32ColumnWriter(typed), Values::Whole(values)) => {
                    typed.write_batch(values, definition, None)?;
                }
                (ColumnWriter::DoubleColumnWriter(typed), Values::Number(values)) => {
                    typed.write_batch(values, definition, None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(typed), Values::Text(values)) => {
                    typed.write_batch(values, definition, None)?;
                }
                (ColumnWriter::ByteArrayColumnWriter(typed), Values::List(values)) => {
                    typed.write_batch(values, definition, Some(repetition))?;
                }
                _ => {}
            }
            column.close()?;
        }
        group.close().map(|_| ())
    }
}

impl Cells {
    /// The rows before this one that were not told of have no value.
    fn leave_out_until(&mut self, row_idx: usize) {
        let num_missing = row_idx - self.num_rows;
        self.definition.extend(std::iter::repeat_n(0, num_missing));
        if let Values::List(_) = self.values {
            self.repetition.extend(std::iter::repeat_n(0, num_missing));
        }
        self.num_rows = row_idx;
    }

    fn push(&mut self, row_idx: usize, value: Value) {
        self.leave_out_until(row_idx);
        self.num_rows += 1;
        let definition = &mut self.definition;
        match &mut self.values {
            Values::Whole(values) => {
                let value = value.as_i64().map(|n| n as i32);
                definition.push(i16::from(value.is_some()));
                values.extend(value);
            }
            Values::Number(values) => {
                let value = value.as_f64();
                definition.push(i16::from(value.is_some()));
                values.extend(value);
            }
            Values::Text(values) => {
                definition.push(1);
                values.push(bytes(value));
            }
            Values::List(values) => {
                let elements = match value {
                    Value::Array(elements) => elements,
                    single => vec![single],
                };
                if elements.is_empty() {
                    definition.push(1);
                    self.repetition.push(0);
                }
                for (idx, element) in elements.into_iter().enumerate() {
                    definition.push(2);
                    self.repetition.push(i16::from(idx > 0));
                    values.push(bytes(element));
                }
            }
        }
    }
}

fn bytes(value: Value) -> ByteArray {
    match value {
        Value::String(text) => ByteArray::from(text.into_bytes()),
        other => ByteArray::from(other.to_string().as_str()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use serde_json::json;

    use super::*;

    /// More rows than a group has, columns that come late or go early, lists beside single values.
    #[test]
    fn every_row_keeps_its_cells() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, file) = (folder.path().join("c.jsonl"), folder.path().join("c.parquet"));
        let row = |n: usize| match n {
            0 => json!({"id": "0", "early": "x", "genres": []}),
            1 => json!({"id": "1", "year": 1999, "genres": ["a", "b"], "score": 0.5}),
            2 => json!({"id": "2", "genres": "single", "year": "none"}),
            n if n == ROWS_PER_GROUP => json!({"late": "y", "id": n.to_string()}),
            n => json!({"id": n.to_string()}),
        };
        let mut columns = Columns::default();
        let mut text = String::new();
        for n in 0..ROWS_PER_GROUP + 2 {
            let row = row(n);
            columns.see(row.as_object().unwrap());
            text.extend([row.to_string().as_str(), "\n"]);
        }
        fs::write(&catalog, text).unwrap();
        write(&columns, &catalog, &file).unwrap();
        let reader = SerializedFileReader::new(File::open(&file).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let rows: Vec<HashMap<String, String>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| {
                let row = row.unwrap();
                row.get_column_iter().map(|(name, cell)| (name.clone(), cell.to_string())).collect()
            })
            .collect();
        assert_eq!(rows.len(), ROWS_PER_GROUP + 2);
        assert!(rows.iter().enumerate().all(|(n, row)| row["id"] == format!("\"{n}\"")));
        let expected = [
            (0, "early", "\"x\""),
            (1, "early", "null"),
            (0, "genres", "[]"),
            (1, "genres", "[\"a\", \"b\"]"),
            (2, "genres", "[\"single\"]"),
            (3, "genres", "null"),
            (1, "year", "\"1999\""),
            (2, "year", "\"none\""),
            (1, "score", "0.5"),
            (2, "score", "null"),
            (ROWS_PER_GROUP, "late", "\"y\""),
            (ROWS_PER_GROUP + 1, "late", "null"),
        ];
        for (n, name, cell) in expected {
            assert_eq!(rows[n][name], cell, "row {n}, {name}");
        }
    }
}
