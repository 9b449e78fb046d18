//! Columns that are called ids, looked at before they are believed.

use std::collections::{BTreeMap, HashSet};

use crate::{Row, ids::imdb_id_in, source::LeftOut};

/// Sites whose ids are whole numbers.
const NUMBERS: [&str; 2] = ["tmdb_id", "movielens_id"];
const IMDB: &str = "imdb_id";

/// Takes ids out of rows that are none, and notes those that several titles share.
#[derive(Default)]
pub(super) struct IdCheck {
    seen: HashSet<String>,
    pub(super) doubted: BTreeMap<String, LeftOut>,
}

impl IdCheck {
    /// A row whose ids have the form of their site.
    pub(super) fn check(&mut self, mut row: Row) -> Row {
        let title = row.get("id").map(|cell| cell.clone().into_text()).unwrap_or_default();
        row.cells.retain(|(name, cell)| {
            if **name != *IMDB && !NUMBERS.contains(&&**name) {
                return true;
            }
            let id = cell.clone().into_text();
            let is_id = if **name == *IMDB {
                imdb_id_in(&id).as_ref() == Some(&id)
            } else {
                id.parse::<u32>().is_ok()
            };
            if !is_id {
                self.doubt(&format!("`{name}` is no such id and is not used"), &title, &id);
            } else if !self.seen.insert(format!("{name}:{id}")) {
                self.doubt(&format!("`{name}` stands with another title too"), &title, &id);
            }
            is_id
        });
        row
    }

    fn doubt(&mut self, reason: &str, title: &str, id: &str) {
        self.doubted.entry(reason.to_owned()).or_default().count(&format!("{title}: {id}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_is_taken_out_and_what_is_shared_is_told() {
        let row = |id: &str, imdb: &str, tmdb: &str| {
            Row::default().text("id", id).text("imdb_id", imdb).text("tmdb_id", tmdb)
        };
        let mut check = IdCheck::default();
        assert_eq!(check.check(row("a", "tt9900001", "11")).cells.len(), 3);
        let wrong = check.check(row("b", "9900001", "eleven"));
        assert_eq!(wrong.cells.len(), 1);
        assert_eq!(check.check(row("c", "tt9900001", "12")).cells.len(), 3);
        let reasons: Vec<_> =
            check.doubted.iter().map(|(r, d)| (r.as_str(), d.num_titles)).collect();
        let expected = [
            ("`imdb_id` is no such id and is not used", 1),
            ("`imdb_id` stands with another title too", 1),
            ("`tmdb_id` is no such id and is not used", 1),
        ];
        assert_eq!(reasons, expected);
        assert_eq!(check.doubted[expected[1].0].examples, ["c: tt9900001"]);
    }
}
