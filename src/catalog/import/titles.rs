//! From the rows of the first source to those of the catalog.

use std::collections::{BTreeMap, HashSet};

use super::{check_ids::IdCheck, decisions::Joined, join::Index};
use crate::{
    Row,
    clean::{Cleaner, Cleaning},
    source::LeftOut,
};

/// Checks, joins and cleans titles.
pub(super) struct Titles<'a> {
    indices: &'a [Index],
    joins: &'a mut [Joined],
    ids: IdCheck,
    cleaner: Cleaner,
    seen: HashSet<String>,
    left_out: BTreeMap<String, LeftOut>,
}

/// What became of the rows.
pub(super) struct Taken {
    pub(super) left_out: BTreeMap<String, LeftOut>,
    pub(super) doubted_ids: BTreeMap<String, LeftOut>,
    pub(super) cleaning: Cleaning,
}

impl<'a> Titles<'a> {
    pub(super) fn new(indices: &'a [Index], joins: &'a mut [Joined]) -> Self {
        Self {
            indices,
            joins,
            ids: IdCheck::default(),
            cleaner: Cleaner::default(),
            seen: HashSet::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// A row as it is written; `None` where it is left out.
    pub(super) fn take(&mut self, row: Row) -> Option<Row> {
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

    pub(super) fn finish(self) -> Taken {
        Taken {
            left_out: self.left_out,
            doubted_ids: self.ids.doubted,
            cleaning: self.cleaner.finish(),
        }
    }
}
