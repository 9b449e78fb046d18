//! Genre vocabularies that the program ships, and crosswalks between them.
//!
//! Every crosswalk goes through IMDb's genres, for which each vocabulary has one table there and
//! one back (`assets/vocabularies/crosswalks`). The tables are total: every genre has its row. A
//! row may name several genres or none; what gets lost on the way is said in words.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base::{file, nearest::mend};
use serde::{Deserialize, Serialize};

use super::CatalogError;

macro_rules! shipped {
    ($($name:literal),+) => {
        /// Vocabularies by name, each with its text.
        const VOCABULARIES: &[(&str, &str)] = &[
            ("imdb", include_str!("../../assets/vocabularies/imdb.txt")),
            $(($name, include_str!(concat!("../../assets/vocabularies/", $name, ".txt"))),)+
        ];
        /// Tables to IMDb's genres and back, by the other vocabulary.
        const CROSSWALKS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../assets/vocabularies/crosswalks/", $name, ".toml"))),)+
        ];
    };
}

shipped!("ebucore", "lcgft", "mm-imdb", "tmdb", "trailers12k", "wikipedia");

/// The vocabulary through which all crosswalks go.
const HUB: &str = "imdb";

/// Names of the vocabularies that the program ships.
pub fn names() -> impl Iterator<Item = &'static str> {
    VOCABULARIES.iter().map(|(name, _)| *name)
}

/// Whether one of the vocabularies has a genre of this name, letter case aside.
#[must_use]
pub fn has(name: &str) -> bool {
    let texts = VOCABULARIES.iter().map(|(_, text)| *text);
    texts.flat_map(str::lines).any(|line| line.trim().eq_ignore_ascii_case(name))
}

/// The genres of a shipped vocabulary in its order.
#[must_use]
pub fn shipped(name: &str) -> Option<Vec<String>> {
    VOCABULARIES.iter().find(|(known, _)| *known == name).map(|(_, text)| lines(text))
}

/// Names in a vocabulary's text: one a line, blank lines and `#` aside.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// What becomes of a genre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Target {
    /// Exactly these.
    Exact(Vec<String>),
    /// These, and not all that was said.
    Lossy { to: Vec<String>, loss: String },
}

impl Target {
    fn parts(&self) -> (&[String], Option<&str>) {
        match self {
            Self::Exact(to) => (to, None),
            Self::Lossy { to, loss } => (to, Some(loss)),
        }
    }
}

type Table = BTreeMap<String, Target>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    to_imdb: Table,
    from_imdb: Table,
}

/// Declares a crosswalk: `genres.crosswalk` of a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected { from = \"VOCABULARY\", to = \"VOCABULARY\" } or the path of a table"
)]
pub enum CrosswalkSpec {
    /// Between two shipped vocabularies.
    Shipped {
        /// The one that the catalog's genres are of.
        from: String,
        /// The one that is wanted.
        to: String,
    },
    /// A table of one's own: a TOML file, from the catalog's folder unless it is absolute, with
    /// a row a genre as in `assets/vocabularies/crosswalks`, without a heading.
    Own(PathBuf),
}

/// How genres of one vocabulary are said in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crosswalk {
    /// By lower-case name.
    rows: BTreeMap<String, (Vec<String>, Vec<String>)>,
}

/// Genres in another vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// Their names there, each once, in the order of what they come from.
    pub genres: Vec<String>,
    /// What was lost: the genre and the words of the table.
    pub losses: Vec<(String, String)>,
    /// Names that the table does not know.
    pub unknown: Vec<String>,
}

impl Crosswalk {
    /// The crosswalk of a declaration.
    ///
    /// # Errors
    /// There is no vocabulary of that name, or the table cannot be read.
    pub fn of_spec(spec: &CrosswalkSpec, folder: &Path) -> Result<Self, CatalogError> {
        match spec {
            CrosswalkSpec::Shipped { from, to } => Self::between(from, to),
            CrosswalkSpec::Own(path) => Self::read(&folder.join(path)),
        }
    }

    /// Between two shipped vocabularies.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn between(from: &str, to: &str) -> Result<Self, CatalogError> {
        for name in [from, to] {
            if !names().any(|known| known == name) {
                let hint = mend(name, names());
                let message = format!("names `{name}`, which is no vocabulary");
                return Err(CatalogError::Setting { setting: "genres.crosswalk", message, hint });
            }
        }
        let same = || shipped(from).unwrap_or_default();
        let identity = || {
            Self::of_table(
                same().into_iter().map(|n| (n.clone(), Target::Exact(vec![n]))).collect(),
            )
        };
        let there = || pair(from).map_or_else(identity, |pair| Self::of_table(pair.to_imdb));
        if from == to {
            return Ok(identity());
        }
        Ok(match pair(to) {
            None => there(),
            Some(pair) if from == HUB => Self::of_table(pair.from_imdb),
            Some(pair) => there().then(&Self::of_table(pair.from_imdb)),
        })
    }

    /// A table of one's own.
    ///
    /// # Errors
    /// The file cannot be read, or is no such table.
    pub fn read(path: &Path) -> Result<Self, CatalogError> {
        let text = file::read_to_string(path).map_err(|source| CatalogError::File {
            path: path.to_owned(),
            action: "read",
            source,
        })?;
        toml::from_str(&text).map(Self::of_table).map_err(|error| CatalogError::Format {
            path: path.to_owned(),
            message: error.to_string(),
            hint: "a row is `Genre = [\"Name\", …]` or `Genre = { to = [], loss = \"why\" }`"
                .to_owned(),
        })
    }

    /// Whether it has a row for a genre; letter case aside.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.rows.contains_key(&name.to_lowercase())
    }

    fn of_table(table: Table) -> Self {
        let row = |(name, target): (String, Target)| {
            let (to, loss) = target.parts();
            let loss = loss.map(|loss| format!("{name}: {loss}"));
            (name.to_lowercase(), (to.to_vec(), loss.into_iter().collect()))
        };
        Self { rows: table.into_iter().map(row).collect() }
    }

    /// This, then another.
    fn then(&self, next: &Self) -> Self {
        let row = |(name, (to, losses)): (&String, &(Vec<String>, Vec<String>))| {
            let onward = next.translate(to);
            let further = onward.losses.into_iter().map(|(_, loss)| loss);
            (name.clone(), (onward.genres, losses.iter().cloned().chain(further).collect()))
        };
        Self { rows: self.rows.iter().map(row).collect() }
    }

    /// Says genres in the other vocabulary; letter case aside.
    #[must_use]
    pub fn translate(&self, genres: &[String]) -> Translated {
        let mut out = Translated::default();
        for genre in genres {
            let Some((to, losses)) = self.rows.get(&genre.trim().to_lowercase()) else {
                out.unknown.push(genre.clone());
                continue;
            };
            for name in to {
                if !out.genres.contains(name) {
                    out.genres.push(name.clone());
                }
            }
            out.losses.extend(losses.iter().map(|loss| (genre.clone(), loss.clone())));
        }
        out
    }
}

impl Translated {
    /// Keeps only names that a target knows; those left out are losses.
    #[must_use]
    pub fn allowed(mut self, known: &[String]) -> Self {
        let is_known = |name: &String| known.iter().any(|k| k.eq_ignore_ascii_case(name));
        let (kept, out): (Vec<_>, Vec<_>) = self.genres.into_iter().partition(is_known);
        self.genres = kept;
        self.losses.extend(out.into_iter().map(|name| {
            let loss = format!("{name}: the target does not know it");
            (name, loss)
        }));
        self
    }
}

/// The tables of a vocabulary; `None` for the one through which all go.
fn pair(name: &str) -> Option<Pair> {
    let (_, text) = CROSSWALKS.iter().find(|(known, _)| *known == name)?;
    toml::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_table_is_total_names_what_is_there_and_says_its_losses() {
        let imdb = shipped(HUB).unwrap();
        assert_eq!(CROSSWALKS.len() + 1, VOCABULARIES.len());
        for (name, text) in CROSSWALKS {
            let pair: Pair = toml::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            let own = shipped(name).unwrap();
            for (table, from, to) in [(&pair.to_imdb, &own, &imdb), (&pair.from_imdb, &imdb, &own)]
            {
                let mut rows: Vec<_> = table.keys().collect();
                let mut expected: Vec<_> = from.iter().collect();
                rows.sort();
                expected.sort();
                assert_eq!(rows, expected, "{name}");
                for (genre, target) in table {
                    let (targets, loss) = target.parts();
                    assert!(targets.iter().all(|t| to.contains(t)), "{name}: {genre}");
                    assert!(
                        !targets.is_empty() || loss.is_some(),
                        "{name}: {genre} is lost silently"
                    );
                }
            }
        }
    }

    #[test]
    fn what_goes_there_exactly_comes_back() {
        for from in names() {
            for to in names() {
                let there = Crosswalk::between(from, to).unwrap();
                let back = Crosswalk::between(to, from).unwrap();
                for genre in shipped(from).unwrap() {
                    let out = there.translate(std::slice::from_ref(&genre));
                    assert!(out.unknown.is_empty(), "{from} to {to}: {genre}");
                    let home = back.translate(&out.genres);
                    assert!(home.unknown.is_empty());
                    if out.losses.is_empty() && home.losses.is_empty() {
                        assert_eq!(home.genres, [genre], "{from} to {to} and back");
                    }
                }
            }
        }
    }

    #[test]
    fn several_and_none_with_what_is_lost() {
        let walk = Crosswalk::between("lcgft", "tmdb").unwrap();
        let out =
            walk.translate(&owned(&["Action and adventure films", "sports films", "Puppets"]));
        assert_eq!(out.genres, ["Action", "Adventure"]);
        assert_eq!(out.unknown, ["Puppets"]);
        let lost: Vec<_> = out.losses.iter().map(|(genre, _)| genre.as_str()).collect();
        assert_eq!(lost, ["Action and adventure films", "sports films"]);
        let allowed = out.allowed(&owned(&["action"]));
        assert_eq!(allowed.genres, ["Action"]);
        assert_eq!(allowed.losses.last().unwrap().0, "Adventure");
    }

    #[test]
    fn own_tables_and_wrong_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        fs::write(&path, "Krimi = [\"Crime\"]\nHeimat = { to = [], loss = \"not known there\" }\n")
            .unwrap();
        let spec = CrosswalkSpec::Own("own.toml".into());
        let walk = Crosswalk::of_spec(&spec, folder.path()).unwrap();
        assert_eq!(walk.translate(&owned(&["KRIMI", "Heimat"])).genres, ["Crime"]);
        fs::write(&path, "Krimi = 3").unwrap();
        assert!(Crosswalk::read(&path).is_err());
        let error = Crosswalk::between("imbd", "tmdb").unwrap_err();
        assert!(base::Hinted::hint(&error).unwrap().contains("imdb"));
    }
}
