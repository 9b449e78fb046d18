//! The catalog as Parquet: one column a key of its JSON Lines, texts as UTF-8, lists as LIST of
//! UTF-8, numbers as DOUBLE, the year as INT32; Snappy, row groups of 50,000 titles.
//!
//! A Parquet file says first what its columns are, a catalog last. So the file is written as if
//! every title had the columns of the first 50,000 ([`ParquetLines`]), and where that turns out
//! wrong it is written once more, from the JSON Lines ([`write`]).
//!
//! source: Apache Parquet, "Nested encoding", "Logical types" (LIST with three levels)

mod columns;
mod group;
mod lines;

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    sync::Arc,
};

use parquet::{
    basic::Compression,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
};

use base::{file, publish_file};
pub(crate) use columns::Columns;
pub(super) use columns::Kind;
use columns::schema;
use group::Group;
pub(super) use lines::ParquetLines;

use super::record::Value;
use crate::{CatalogError, jsonl};

/// Writes the Parquet file of a JSON Lines file with these columns.
///
/// # Errors
/// The one cannot be read or the other cannot be written.
pub(crate) fn write(columns: &Columns, catalog: &Path, parquet: &Path) -> Result<(), CatalogError> {
    publish_file(parquet, |temporary| {
        let mut writer = begin(temporary, columns)?;
        let mut group = Group::default();
        let mut keys = Vec::new();
        for line in BufReader::with_capacity(1 << 20, file::open(catalog)?).lines() {
            let row = jsonl::values(&line?, &mut keys)?;
            let row: Vec<_> =
                row.iter().map(|(name, value)| (&**name, Value::Json(value))).collect();
            group.push(columns, row.iter().map(|(name, value)| (*name, value)));
            if group.is_full() {
                group.write(&mut writer)?;
            }
        }
        if !group.is_empty() {
            group.write(&mut writer)?;
        }
        writer.close().map(|_| ()).map_err(io::Error::other)
    })
    .map_err(failed(parquet))
}

fn failed(parquet: &Path) -> impl FnOnce(io::Error) -> CatalogError {
    let path = parquet.to_owned();
    move |source| CatalogError::File { path, action: "written", source }
}

/// The file with its columns declared.
fn begin(path: &Path, columns: &Columns) -> io::Result<SerializedFileWriter<File>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("cinetag".to_owned())
        .build();
    let schema = schema(columns).map_err(io::Error::other)?;
    SerializedFileWriter::new(File::create(path)?, schema, Arc::new(properties))
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs};

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use serde_json::json;

    use super::{super::record::Line, group::ROWS_PER_GROUP, *};
    use crate::Row;

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

    /// Whether all titles have the columns of the first group or not.
    #[test]
    fn lines_that_are_being_written_give_the_same_file() {
        let usual = |n: usize| Row::default().text("id", n.to_string()).text("year", "1999");
        let late_column = |n: usize| {
            usual(n)
                .maybe("late", (n > ROWS_PER_GROUP).then_some("x"))
                .list("genres", vec!["War".into()])
        };
        let late_kind = |n: usize| {
            let year = if n == 3 { "about 1999" } else { "1999" };
            Row::default().text("id", n.to_string()).text("year", year)
        };
        let makers: [&dyn Fn(usize) -> Row; 3] = [&usual, &late_column, &late_kind];
        for row in makers {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let rows: Vec<Row> = (0..ROWS_PER_GROUP + 7).map(row).collect();
            let lines: Vec<Line> = rows.iter().map(Line::of).collect();
            let text: Vec<String> =
                lines.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
            fs::write(path("c.jsonl"), text.join("\n")).unwrap();
            let mut parquet = ParquetLines::begin(&path("lines.parquet")).unwrap();
            lines.chunks(1000).for_each(|lines| parquet.push(lines));
            parquet.finish(&path("c.jsonl"), &path("lines.parquet")).unwrap();

            let mut columns = Columns::default();
            for line in &text {
                columns.see(&serde_json::from_str(line).unwrap());
            }
            write(&columns, &path("c.jsonl"), &path("file.parquet")).unwrap();
            let bytes = |name| fs::read(path(name)).unwrap();
            assert!(bytes("lines.parquet") == bytes("file.parquet"));
        }
    }
}
