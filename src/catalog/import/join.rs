//! Titles of two sources that are one film: by an id that both name, else by name, year and
//! people.
//!
//! Names are compared by their letters and digits alone, without a leading article, and each of
//! a title's names counts. Without an id, one candidate with the same name and year is joined if
//! both name a person in common, and if one side names none (reported as doubtful); with a year's
//! difference only if they share a person. Several candidates are never joined.

use std::collections::{HashMap, HashSet};

use super::Joined;
use crate::{
    Row,
    ids::imdb_id_in,
    row::{Cell, Content},
};

/// Ids by which titles of two sources are the same.
const IDS: [&str; 3] = ["imdb_id", "tmdb_id", "movielens_id"];
const PEOPLE: [&str; 3] = ["director", "writer", "actors"];
const NAMES: [&str; 2] = ["title", "original_title"];

/// What titles can be found by.
#[derive(Default)]
pub(super) struct Keys {
    ids: HashSet<String>,
    names: HashSet<String>,
}

impl Keys {
    pub(super) fn add(&mut self, row: &Row) {
        self.ids.extend(ids(row));
        self.names.extend(names(row));
    }
}

/// A source's titles, to be found by their keys.
pub(super) struct Index {
    kind: &'static str,
    rows: Vec<Row>,
    by_id: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Index {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, rows: Vec::new(), by_id: HashMap::new(), by_name: HashMap::new() }
    }

    /// Keeps a title if it can be wanted.
    pub(super) fn add(&mut self, row: Row, wanted: &Keys) {
        let (ids, names) = (ids(&row), names(&row));
        let by_id = ids.iter().any(|id| wanted.ids.contains(id));
        if !by_id && !names.iter().any(|name| wanted.names.contains(name)) {
            return;
        }
        let idx = self.rows.len();
        for id in ids {
            self.by_id.entry(id).or_default().push(idx);
        }
        for name in names {
            self.by_name.entry(name).or_default().push(idx);
        }
        self.rows.push(row);
    }

    /// Fills what a title lacks from the one that is the same film, if there is one.
    pub(super) fn join(&self, mut row: Row, joined: &mut Joined) -> Row {
        let Some(found) = self.find(&row, joined) else {
            joined.unmatched += 1;
            return row;
        };
        let of_imdb =
            text(&self.rows[found], "id").is_some_and(|id| imdb_id_in(&id).as_ref() == Some(&id));
        let own_id = if of_imdb { "imdb_id".to_owned() } else { format!("{}_id", self.kind) };
        for (name, cell) in &self.rows[found].cells {
            let name = if &**name == "id" { own_id.as_str().into() } else { name.clone() };
            if row.get(&name).is_none() {
                *joined.filled.entry(name.to_string()).or_default() += 1;
                row.cells.push((name, cell.clone()));
            }
        }
        row
    }

    fn find(&self, row: &Row, joined: &mut Joined) -> Option<usize> {
        let title = text(row, "id").unwrap_or_default();
        let candidate_ids = |rows: &[usize]| -> Vec<String> {
            rows.iter().filter_map(|&idx| text(&self.rows[idx], "id")).collect()
        };
        let mut by_id: Vec<usize> =
            ids(row).iter().filter_map(|id| self.by_id.get(id)).flatten().copied().collect();
        by_id.sort_unstable();
        by_id.dedup();
        match by_id[..] {
            [] => {}
            [one] => {
                joined.by_id += 1;
                if names(row).is_disjoint(&names(&self.rows[one]))
                    && years_differ(row, &self.rows[one])
                {
                    let reason = "the ids are equal, but neither name nor year is";
                    joined.doubt(&title, candidate_ids(&by_id), true, reason);
                }
                return Some(one);
            }
            _ => {
                joined.doubt(&title, candidate_ids(&by_id), false, "its ids name several titles");
                return None;
            }
        }
        let mut same_name: Vec<usize> = names(row)
            .iter()
            .filter_map(|name| self.by_name.get(name))
            .flatten()
            .copied()
            .collect();
        same_name.sort_unstable();
        same_name.dedup();
        // Another id of the same site means another film.
        same_name.retain(|&idx| !ids_differ(row, &self.rows[idx]));
        let year_gap = |idx: usize| match (year(row), year(&self.rows[idx])) {
            (Some(a), Some(b)) => Some((a - b).abs()),
            _ => None,
        };
        let mine = people(row);
        let shares = |idx: usize| !mine.is_disjoint(&people(&self.rows[idx]));
        let sharing: Vec<usize> = same_name
            .iter()
            .copied()
            .filter(|&idx| year_gap(idx).is_none_or(|gap| gap <= 1) && shares(idx))
            .collect();
        let same_year: Vec<usize> =
            same_name.iter().copied().filter(|&idx| year_gap(idx) == Some(0)).collect();
        match (&sharing[..], &same_year[..]) {
            (&[one], _) => {
                joined.by_title_year_people += 1;
                Some(one)
            }
            ([], &[one]) if mine.is_empty() || people(&self.rows[one]).is_empty() => {
                joined.by_title_year += 1;
                let reason = "name and year are equal; there are no people to compare";
                joined.doubt(&title, candidate_ids(&same_year), true, reason);
                Some(one)
            }
            ([], &[_]) => {
                let reason = "name and year are equal, but they share no person";
                joined.doubt(&title, candidate_ids(&same_year), false, reason);
                None
            }
            ([], []) => None,
            _ => {
                let several = if sharing.is_empty() { &same_year } else { &sharing };
                let reason = "several titles have its name and year";
                joined.doubt(&title, candidate_ids(several), false, reason);
                None
            }
        }
    }
}

fn text(row: &Row, column: &str) -> Option<String> {
    row.get(column).map(|cell| cell.clone().into_text())
}

/// `imdb_id:tt0000001`; an `id` of IMDb's form is one too.
fn ids(row: &Row) -> Vec<String> {
    let own = text(row, "id").and_then(|id| imdb_id_in(&id).filter(|found| *found == id));
    let mut ids: Vec<String> = own.into_iter().map(|id| format!("imdb_id:{id}")).collect();
    for site in IDS {
        if let Some(id) = text(row, site).map(|id| format!("{site}:{id}"))
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids
}

/// Whether both name an id of the same site, and not the same.
fn ids_differ(a: &Row, b: &Row) -> bool {
    let (a, b) = (ids(a), ids(b));
    let site = |id: &str| id.split(':').next().map(str::to_owned);
    a.iter().any(|a| b.iter().any(|b| site(a) == site(b) && a != b))
}

fn year(row: &Row) -> Option<i32> {
    text(row, "year")?.parse().ok()
}

fn years_differ(a: &Row, b: &Row) -> bool {
    matches!((year(a), year(b)), (Some(a), Some(b)) if (a - b).abs() > 1)
}

fn names(row: &Row) -> HashSet<String> {
    NAMES.iter().filter_map(|column| name_key(&text(row, column)?)).collect()
}

/// Letters and digits in lower case, accents off, without a leading article.
pub(crate) fn name_key(name: &str) -> Option<String> {
    let lower = name.to_lowercase().replace('&', " and ");
    let words: Vec<String> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).map(plain).collect())
        .filter(|word: &String| !word.is_empty())
        .collect();
    let skip = usize::from(words.len() > 1 && ["the", "a", "an"].contains(&words[0].as_str()));
    let key = words[skip..].concat();
    (!key.is_empty()).then_some(key)
}

/// A Latin letter without its accent.
fn plain(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ý' | 'ÿ' => 'y',
        other => other,
    }
}

fn people(row: &Row) -> HashSet<String> {
    let mut people = HashSet::new();
    for column in PEOPLE {
        let Some(Cell { content, .. }) = row.get(column) else { continue };
        let split;
        let names: &[String] = match content {
            Content::List(names) => names,
            Content::Text(text) => {
                split = text.split(['|', ',']).map(str::to_owned).collect::<Vec<_>>();
                &split
            }
        };
        people.extend(names.iter().filter_map(|name| name_key(name)));
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, title: &str, year: &str, director: &str) -> Row {
        Row::default()
            .text("id", id)
            .text("title", title)
            .text("year", year)
            .text("director", director)
    }

    /// What `row` finds among `others`: their ids, and what is told.
    fn joined(row: &Row, others: &[Row]) -> (Option<String>, Vec<(bool, String)>) {
        let mut keys = Keys::default();
        keys.add(row);
        let mut index = Index::new("other");
        for other in others {
            index.add(other.clone(), &keys);
        }
        let mut told = Joined::default();
        let found = text(&index.join(row.clone(), &mut told), "other_id");
        (found, told.doubtful.into_iter().map(|d| (d.joined, d.reason)).collect())
    }

    #[test]
    fn names_are_compared_by_what_is_in_them() {
        let key = |name| name_key(name).unwrap();
        assert_eq!(key("The Quiet Lock"), key("quiet-lock!"));
        assert_eq!(key("Amélie & Co"), key("AMELIE AND CO."));
        assert_eq!(key("It’s a Lock"), key("Its a lock"));
        assert_ne!(key("The"), key("A"));
        assert_eq!(key("千と千尋"), "千と千尋");
        assert_eq!(name_key("…"), None);
    }

    #[test]
    fn people_decide_between_films_of_one_name() {
        let mine = row("m", "Lock", "1995", "Otto Director");
        let same = row("1", "The Lock", "1996", "otto director|Ida");
        let other = row("2", "Lock", "1995", "Somebody Else");
        assert_eq!(joined(&mine, &[other.clone(), same.clone()]), (Some("1".to_owned()), vec![]));
        let (found, told) = joined(&mine, std::slice::from_ref(&other));
        assert_eq!((found, told.len(), told[0].0), (None, 1, false));
        // Two years apart, a person in common proves nothing.
        assert_eq!(joined(&mine, &[row("3", "Lock", "1998", "Otto Director")]), (None, vec![]));
        let nobody = row("n", "Lock", "1995", "");
        let (found, told) = joined(&nobody, std::slice::from_ref(&other));
        assert_eq!((found.as_deref(), told[0].0), (Some("2"), true));
        let (found, told) = joined(&nobody, &[other, row("4", "Lock", "1995", "")]);
        assert_eq!((found, told[0].0), (None, false));
    }

    #[test]
    fn an_id_goes_before_the_name_and_another_id_forbids_it() {
        let mine = row("m", "Lock", "1995", "").text("imdb_id", "tt9900001");
        let by_id = row("1", "Other", "1950", "").text("imdb_id", "tt9900001");
        let by_name = row("2", "Lock", "1995", "").text("imdb_id", "tt9900002");
        let (found, told) = joined(&mine, &[by_id, by_name.clone()]);
        assert_eq!((found.as_deref(), told[0].0), (Some("1"), true), "told: neither name nor year");
        assert_eq!(joined(&mine, &[by_name]), (None, vec![]));
        let twice = [row("3", "Lock", "1995", ""), row("4", "Lock", "1995", "")]
            .map(|row| row.text("imdb_id", "tt9900001"));
        let (found, told) = joined(&mine, &twice);
        assert_eq!((found, told[0].0), (None, false));
    }
}
