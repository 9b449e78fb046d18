//! From the rows of the first source to the lines of the catalog.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, BufWriter, Write},
};

use super::{Columns, check_ids::IdCheck, decisions::Joined, join::Index, record::Line};
use crate::catalog::{
    Row,
    clean::{Cleaner, Cleaning},
    source::LeftOut,
};

/// Checks, joins, cleans and writes titles, one by one.
pub(super) struct Titles<'a> {
    file: BufWriter<File>,
    indices: &'a [Index],
    joins: &'a mut [Joined],
    ids: IdCheck,
    cleaner: Cleaner,
    seen: HashSet<String>,
    taken: Taken,
}

/// What was written, and what became of the rest.
pub(super) struct Taken {
    pub(super) num_titles: usize,
    pub(super) left_out: BTreeMap<String, LeftOut>,
    pub(super) doubted_ids: BTreeMap<String, LeftOut>,
    pub(super) cleaning: Cleaning,
    pub(super) columns: Columns,
    /// The first failure, if there was one.
    pub(super) written: io::Result<()>,
}

impl<'a> Titles<'a> {
    pub(super) fn new(file: File, indices: &'a [Index], joins: &'a mut [Joined]) -> Self {
        Self {
            file: BufWriter::with_capacity(1 << 20, file),
            indices,
            joins,
            ids: IdCheck::default(),
            cleaner: Cleaner::default(),
            seen: HashSet::new(),
            taken: Taken {
                num_titles: 0,
                left_out: BTreeMap::new(),
                doubted_ids: BTreeMap::new(),
                cleaning: Cleaning::default(),
                columns: Columns::default(),
                written: Ok(()),
            },
        }
    }

    /// Writes a title; gives back its row, for whoever made it to drop.
    pub(super) fn take(&mut self, row: Row) -> Option<Row> {
        let Some(id) = row.get("id").map(|cell| cell.clone().into_text()) else {
            self.taken.left_out.entry("it has no id".to_owned()).or_default().count("");
            return None;
        };
        // Of an id that comes twice the first is kept.
        if self.seen.contains(&id) {
            self.taken.left_out.entry("its id stood before".to_owned()).or_default().count(&id);
            return None;
        }
        self.seen.insert(id);
        let mut row = self.ids.check(row);
        for (index, joined) in self.indices.iter().zip(self.joins.iter_mut()) {
            row = index.join(row, joined);
        }
        let row = self.cleaner.clean(row);
        let line = Line::of(&row);
        self.taken.columns.see_kinds(line.kinds());
        self.taken.num_titles += 1;
        if self.taken.written.is_ok() {
            self.taken.written = serde_json::to_writer(&mut self.file, &line)
                .map_err(io::Error::from)
                .and_then(|()| self.file.write_all(b"\n"));
        }
        Some(row)
    }

    pub(super) fn finish(mut self) -> Taken {
        let Self { ids, cleaner, mut taken, .. } = self;
        taken.written = taken.written.and_then(|()| self.file.flush());
        taken.doubted_ids = ids.doubted;
        taken.cleaning = cleaner.finish();
        taken
    }
}
