//! The catalog as Parquet: one column a key of its JSON Lines, texts as UTF-8, lists as LIST of
//! UTF-8, numbers as DOUBLE, the year as INT32; Snappy, row groups of 50,000 titles.
//!
//! source: Apache Parquet, "Nested encoding", "Logical types" (LIST with three levels)

use std::{
    collections::BTreeMap,
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

use crate::{base::publish_file, catalog::CatalogError};

const ROWS_PER_GROUP: usize = 50_000;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Number,
    Text,
    List,
}

type Object = Map<String, Value>;

/// Writes the Parquet file of a JSON Lines file.
pub(in crate::catalog) fn write(jsonl: &Path, parquet: &Path) -> Result<(), CatalogError> {
    let failed = |source: io::Error| CatalogError::File {
        path: parquet.to_owned(),
        action: "written",
        source,
    };
    let columns = columns(jsonl).map_err(failed)?;
    publish_file(parquet, |temporary| {
        let schema = schema(&columns).map_err(other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("cinetag".to_owned())
            .build();
        let file = File::create(temporary)?;
        let mut writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(other)?;
        let mut rows = Vec::with_capacity(ROWS_PER_GROUP);
        for row in objects(jsonl)? {
            rows.push(row?);
            if rows.len() == ROWS_PER_GROUP {
                write_group(&mut writer, &columns, &rows).map_err(other)?;
                rows.clear();
            }
        }
        if !rows.is_empty() {
            write_group(&mut writer, &columns, &rows).map_err(other)?;
        }
        writer.close().map(|_| ()).map_err(other)
    })
    .map_err(failed)
}

fn other(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

fn objects(jsonl: &Path) -> io::Result<impl Iterator<Item = io::Result<Object>>> {
    let lines = BufReader::with_capacity(1 << 20, File::open(jsonl)?).lines();
    Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}

/// All columns in the order of their first appearance.
fn columns(jsonl: &Path) -> io::Result<Vec<(String, Kind)>> {
    let mut place: BTreeMap<String, usize> = BTreeMap::new();
    let mut columns: Vec<(String, Kind)> = Vec::new();
    for row in objects(jsonl)? {
        for (name, value) in row? {
            let kind = match value {
                Value::Array(_) => Kind::List,
                Value::Number(_) if name == "year" || name == "fold" => Kind::Whole,
                Value::Number(_) => Kind::Number,
                _ => Kind::Text,
            };
            match place.get(&name) {
                None => {
                    place.insert(name.clone(), columns.len());
                    columns.push((name, kind));
                }
                // What is not of one kind everywhere is text, or a list where some are lists.
                Some(&idx) if columns[idx].1 != kind => {
                    let is_list = kind == Kind::List || columns[idx].1 == Kind::List;
                    columns[idx].1 = if is_list { Kind::List } else { Kind::Text };
                }
                Some(_) => {}
            }
        }
    }
    Ok(columns)
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

fn write_group(
    writer: &mut SerializedFileWriter<File>,
    columns: &[(String, Kind)],
    rows: &[Object],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for (name, _) in columns {
        let Some(mut column) = group.next_column()? else { break };
        let values = rows.iter().map(|row| row.get(name));
        match column.untyped() {
            ColumnWriter::Int32ColumnWriter(typed) => {
                let (values, levels) = optional(values, |v| v.as_i64().map(|n| n as i32));
                typed.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::DoubleColumnWriter(typed) => {
                let (values, levels) = optional(values, Value::as_f64);
                typed.write_batch(&values, Some(&levels), None)?;
            }
            ColumnWriter::ByteArrayColumnWriter(typed)
                if typed.get_descriptor().max_rep_level() > 0 =>
            {
                let (values, definition, repetition) = lists(values);
                typed.write_batch(&values, Some(&definition), Some(&repetition))?;
            }
            ColumnWriter::ByteArrayColumnWriter(typed) => {
                let (values, levels) = optional(values, |v| Some(bytes(v)));
                typed.write_batch(&values, Some(&levels), None)?;
            }
            _ => {}
        }
        column.close()?;
    }
    group.close().map(|_| ())
}

fn bytes(value: &Value) -> ByteArray {
    match value {
        Value::String(text) => ByteArray::from(text.as_str()),
        other => ByteArray::from(other.to_string().as_str()),
    }
}

/// The values that are there, and for each row whether it is (1) or not (0).
fn optional<'a, T>(
    values: impl Iterator<Item = Option<&'a Value>>,
    read: impl Fn(&Value) -> Option<T>,
) -> (Vec<T>, Vec<i16>) {
    let (mut there, mut levels) = (Vec::new(), Vec::new());
    for value in values.map(|value| value.and_then(&read)) {
        levels.push(i16::from(value.is_some()));
        there.extend(value);
    }
    (there, levels)
}

/// The values of lists: definition level 0 for no list, 1 for an empty one, 2 for a value;
/// repetition level 1 for what continues a list.
fn lists<'a>(
    values: impl Iterator<Item = Option<&'a Value>>,
) -> (Vec<ByteArray>, Vec<i16>, Vec<i16>) {
    let (mut there, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        let single = value.into_iter().filter(|value| !value.is_array());
        let several = value.and_then(Value::as_array).into_iter().flatten();
        let before = there.len();
        for element in several.chain(single) {
            definition.push(2);
            repetition.push(i16::from(there.len() > before));
            there.push(bytes(element));
        }
        if there.len() == before {
            definition.push(i16::from(value.is_some()));
            repetition.push(0);
        }
    }
    (there, definition, repetition)
}
