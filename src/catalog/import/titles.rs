//! From the rows of the first source to the lines of the catalog.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, BufWriter, Write},
};

use super::{
    check_ids::IdCheck, decisions::Joined, join::Index, parquet_file::ParquetLines, record::Line,
};
use crate::catalog::{
    Row,
    clean::{Cleaner, Cleaning},
    load::RowLoader,
    source::LeftOut,
};

/// Checks, joins, cleans and writes titles.
pub(super) struct Titles<'a> {
    indices: &'a [Index],
    joins: &'a mut [Joined],
    ids: IdCheck,
    cleaner: Cleaner,
    seen: HashSet<String>,
    left_out: BTreeMap<String, LeftOut>,
    outputs: Outputs<'a>,
}

/// Where lines go to.
pub(super) struct Outputs<'a> {
    pub(super) jsonl: JsonLines,
    pub(super) parquet: ParquetLines,
    /// What a pipeline will find.
    pub(super) loader: RowLoader<'a>,
}

/// The catalog.
pub(super) struct JsonLines {
    file: BufWriter<File>,
    pub(super) num_titles: usize,
    written: io::Result<()>,
}

/// What became of the rows.
pub(super) struct Taken<'a> {
    pub(super) left_out: BTreeMap<String, LeftOut>,
    pub(super) doubted_ids: BTreeMap<String, LeftOut>,
    pub(super) cleaning: Cleaning,
    pub(super) outputs: Outputs<'a>,
}

impl<'a> Titles<'a> {
    pub(super) fn new(indices: &'a [Index], joins: &'a mut [Joined], outputs: Outputs<'a>) -> Self {
        Self {
            indices,
            joins,
            ids: IdCheck::default(),
            cleaner: Cleaner::default(),
            seen: HashSet::new(),
            left_out: BTreeMap::new(),
            outputs,
        }
    }

    /// Writes titles; gives back their rows, for whoever made them to drop.
    pub(super) fn take(&mut self, rows: Vec<Row>) -> Vec<Row> {
        let rows: Vec<Row> = rows.into_iter().filter_map(|row| self.put_right(row)).collect();
        let lines: Vec<Line> = rows.iter().map(Line::of).collect();
        let Outputs { jsonl, parquet, loader } = &mut self.outputs;
        rayon::join(
            || jsonl.write(&lines),
            || rayon::join(|| parquet.push(&lines), || load(loader, &lines)),
        );
        drop(lines);
        rows
    }

    fn put_right(&mut self, row: Row) -> Option<Row> {
        let Some(id) = row.get("id").map(|cell| cell.clone().into_text()) else {
            self.left_out.entry("it has no id".to_owned()).or_default().count("");
            return None;
        };
        // Of an id that comes twice the first is kept.
        if self.seen.contains(&id) {
            self.left_out.entry("its id stood before".to_owned()).or_default().count(&id);
            return None;
        }
        self.seen.insert(id);
        let mut row = self.ids.check(row);
        for (index, joined) in self.indices.iter().zip(self.joins.iter_mut()) {
            row = index.join(row, joined);
        }
        Some(self.cleaner.clean(row))
    }

    pub(super) fn finish(self) -> Taken<'a> {
        Taken {
            left_out: self.left_out,
            doubted_ids: self.ids.doubted,
            cleaning: self.cleaner.finish(),
            outputs: self.outputs,
        }
    }
}

impl JsonLines {
    pub(super) fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(1 << 20, file), num_titles: 0, written: Ok(()) }
    }

    fn write(&mut self, lines: &[Line<'_>]) {
        self.num_titles += lines.len();
        if self.written.is_ok() {
            self.written = lines.iter().try_for_each(|line| {
                serde_json::to_writer(&mut self.file, line)?;
                self.file.write_all(b"\n")
            });
        }
    }

    /// The first failure, if there was one.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.written.and_then(|()| self.file.flush())
    }
}

fn load(loader: &mut RowLoader<'_>, lines: &[Line<'_>]) {
    for line in lines {
        let values = line.values().filter(|(name, _)| loader.uses(name));
        let values = values.map(|(name, value)| (name, value.to_json())).collect::<Vec<_>>();
        loader.push(values);
    }
}
