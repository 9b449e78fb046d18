//! What the columns of a catalog hold, learnt row by row.

use std::{collections::HashMap, sync::Arc};

use parquet::{
    basic::{ConvertedType, LogicalType, Repetition, Type as Physical},
    errors::ParquetError,
    schema::types::{Type, TypePtr},
};
use serde_json::{Map, Value as Json};

use super::super::record::Value;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::import) enum Kind {
    Whole,
    Number,
    Text,
    List,
}

impl Kind {
    /// Of a column that holds numbers.
    pub(in crate::import) fn of_number(column: &str) -> Self {
        if column == "year" || column == "fold" { Self::Whole } else { Self::Number }
    }
}

/// Columns in the order of their first appearance, collected row by row.
#[derive(Default)]
pub(crate) struct Columns {
    place: HashMap<String, usize>,
    all: Vec<(String, Kind)>,
}

/// What a row said that no row before it did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taught {
    Nothing,
    /// There is one column more.
    Column,
    /// A column holds other things, too, than was thought.
    Kind,
}

impl Columns {
    /// The kinds, in order.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.all.iter().map(|(_, kind)| *kind)
    }

    /// Learns from one more row.
    pub(crate) fn see(&mut self, row: &Map<String, Json>) {
        self.learn(row.iter().map(|(name, value)| (name.as_str(), Value::Json(value).kind(name))));
    }

    /// Learns from what one more row's columns hold.
    pub(super) fn learn<'a>(&mut self, row: impl Iterator<Item = (&'a str, Kind)>) -> Taught {
        let (mut expected, mut taught) = (0, Taught::Nothing);
        for (name, kind) in row {
            let place = self.place_of(name, expected);
            expected = place.unwrap_or(self.all.len()) + 1;
            match place {
                None => {
                    self.place.insert(name.to_owned(), self.all.len());
                    self.all.push((name.to_owned(), kind));
                    taught = taught.max(Taught::Column);
                }
                // What is not of one kind everywhere is text, or a list where some are lists.
                Some(idx) if self.all[idx].1 != kind => {
                    let is_list = kind == Kind::List || self.all[idx].1 == Kind::List;
                    self.all[idx].1 = if is_list { Kind::List } else { Kind::Text };
                    taught = Taught::Kind;
                }
                Some(_) => {}
            }
        }
        taught
    }

    /// Where a column stands; rows are much alike, so the expected place is looked at first.
    pub(super) fn place_of(&self, name: &str, expected: usize) -> Option<usize> {
        if self.all.get(expected).is_some_and(|(there, _)| there == name) {
            return Some(expected);
        }
        self.place.get(name).copied()
    }
}

/// The columns as Parquet declares them.
pub(super) fn schema(columns: &Columns) -> Result<TypePtr, ParquetError> {
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
    for (name, kind) in &columns.all {
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
