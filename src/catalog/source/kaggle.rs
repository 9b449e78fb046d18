//! A CSV or TSV as people share them: columns are known by their usual names.
//!
//! Which column was taken for what is said ([`Intake::decide`]). A column called an id is looked
//! at before it is believed: it is the titles' id only if every cell is there and none comes
//! twice, and IMDb's only if its cells have that form. Where no column can be, the row's number
//! is the id.

use std::{collections::HashSet, path::Path};

use super::{Intake, Row, Source, table::Table};
use crate::{CatalogError, ids::imdb_id_in, library::name_and_year, problem::shown};

/// Usual names, normalised, for each of our columns; the first that the file has is taken.
const NAMES: [(&str, &[&str]); 17] = [
    (
        "title",
        &[
            "title",
            "movietitle",
            "primarytitle",
            "seriestitle",
            "name",
            "moviename",
            "film",
            "originaltitle",
        ],
    ),
    ("original_title", &["originaltitle"]),
    (
        "year",
        &[
            "year",
            "releaseyear",
            "releasedyear",
            "titleyear",
            "startyear",
            "releasedate",
            "released",
            "dateoflease",
            "premiered",
        ],
    ),
    (
        "plot",
        &[
            "plot",
            "overview",
            "synopsis",
            "plotsynopsis",
            "storyline",
            "summary",
            "plotsummary",
            "description",
        ],
    ),
    ("genres", &["genres", "genre", "listedin", "expandedgenres"]),
    ("poster", &["poster", "posterfile", "posterlink", "posterpath", "image"]),
    ("trailer", &["trailer", "trailerfile", "video"]),
    ("runtime_min", &["runtimemin", "runtime", "runtimeminutes", "duration", "length"]),
    ("director", &["director", "directors", "directorname"]),
    ("writer", &["writer", "writers"]),
    ("actors", &["actors", "cast", "stars", "starring", "topcast"]),
    ("language", &["language", "languages", "spokenlanguages", "originallanguage"]),
    ("country", &["country", "countries", "productioncountries"]),
    ("mpaa", &["mpaa", "certificate", "contentrating", "rated"]),
    ("imdb_rating", &["imdbrating", "imdbscore"]),
    ("imdb_votes", &["imdbvotes", "novotes", "numvotes", "numvotedusers", "votes"]),
    ("tags", &["tags", "keywords", "plotkeywords"]),
];
/// Usual names of ids, the best first.
const IDS: [&str; 11] = [
    "imdbid",
    "imdbtitleid",
    "tconst",
    "imdb",
    "id",
    "movieid",
    "tmdbid",
    "showid",
    "titleid",
    "filmid",
    "uuid",
];

/// A CSV of films.
pub(super) struct Kaggle;

impl Source for Kaggle {
    fn name(&self) -> &'static str {
        "kaggle"
    }

    fn about(&self) -> &'static str {
        "a CSV or TSV of films as people share them: columns are known by their usual names"
    }

    fn terms(&self) -> &'static str {
        "see the data set's page; a licence given there rarely covers texts that were collected"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let table = Table::open(path)?;
        let columns = table.columns.clone();
        let normal: Vec<String> = columns.iter().map(|column| normalised(column)).collect();
        let place = |names: &[&str]| names.iter().find_map(|n| normal.iter().position(|c| c == n));
        let mut roles = Vec::new();
        for (role, names) in NAMES {
            let Some(idx) = place(names).filter(|idx| !roles.iter().any(|(_, i)| i == idx)) else {
                continue;
            };
            if role != columns[idx] {
                intake.decide(format!("column `{}` is read as `{role}`", columns[idx]));
            }
            roles.push((role, idx));
        }
        let ids = check_ids(path, &columns, &normal, intake)?;
        let id = ids.iter().copied().find(|&idx| normal[idx] != "tmdbid" || ids.len() == 1);
        match id {
            Some(idx) => intake.decide(format!("column `{}` is the titles' id", columns[idx])),
            None => intake.decide("no column can be the titles' id: the row's number is"),
        }
        let shared = table.path.clone();
        let mut number = 0_u64;
        table.for_each(intake, |cells, intake| {
            number += 1;
            let own = id
                .and_then(|idx| cells.at(idx))
                .map_or_else(|| format!("row{number}"), str::to_owned);
            let mut row = Row::at(shared.clone(), cells.line()).text("id", &own);
            let known =
                |name: &str| normal.iter().position(|c| c == name).and_then(|idx| cells.at(idx));
            let imdb = ["imdbid", "imdbtitleid", "tconst", "imdb", "movieimdblink"].iter();
            row = row.maybe("imdb_id", imdb.copied().find_map(known).and_then(imdb_id)).maybe(
                "tmdb_id",
                known("tmdbid").filter(|id| id.bytes().all(|b| b.is_ascii_digit())),
            );
            let mut year_in_title = None;
            for &(role, idx) in &roles {
                let cell = cells.at(idx).filter(|cell| role == "title" || !is_nothing(cell));
                row = match (role, cell) {
                    ("title", Some(cell)) => {
                        let (name, year) = name_and_year(cell);
                        year_in_title = year;
                        row.text(role, name)
                    }
                    ("year", Some(cell)) => row.maybe(role, year_in(cell)),
                    ("poster" | "trailer", Some(cell)) if cell.contains("://") => {
                        row.text(&format!("{role}_url"), cell)
                    }
                    ("genres", Some(cell)) => row.list(role, values(cell)),
                    _ => row.maybe(role, cell),
                };
            }
            if row.get("year").is_none() {
                row = row.maybe("year", year_in_title.map(|year| year.to_string()));
            }
            for (idx, column) in columns.iter().enumerate() {
                let is_taken = Some(idx) == id || roles.iter().any(|(_, taken)| *taken == idx);
                if !is_taken && !column.is_empty() && row.get(column).is_none() {
                    row = row.maybe(column, cells.at(idx).filter(|cell| !is_nothing(cell)));
                }
            }
            intake.title(row);
        })
    }
}

/// IMDb's id, also where it is written as a number or inside an address.
fn imdb_id(cell: &str) -> Option<String> {
    let number = || cell.parse::<u32>().ok().map(|number| format!("tt{number:07}"));
    imdb_id_in(cell).or_else(number)
}

/// Letters and digits in lower case.
fn normalised(column: &str) -> String {
    column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_nothing(cell: &str) -> bool {
    ["n/a", "na", "nan", "none", "null", "\\n", "unknown"].contains(&cell.to_lowercase().as_str())
}

/// Four digits that are a film's year, wherever they stand: `1995`, `12/15/1995`, `(1995)`.
fn year_in(cell: &str) -> Option<String> {
    let is_year = |run: &&str| {
        run.len() == 4 && run.parse().is_ok_and(|year: i32| (1870..=2100).contains(&year))
    };
    cell.split(|c: char| !c.is_ascii_digit()).rfind(is_year).map(str::to_owned)
}

/// Genres between `|`, `,`, `;` or `/`, or as a list in JSON or as Python prints it.
fn values(cell: &str) -> Vec<String> {
    if cell.starts_with('[') {
        if let Ok(values) = serde_json::from_str::<serde_json::Value>(cell) {
            return super::json::names(Some(&values), &["name"]);
        }
        let as_json = cell.replace('\'', "\"");
        if let Ok(values) = serde_json::from_str::<serde_json::Value>(&as_json) {
            return super::json::names(Some(&values), &["name"]);
        }
    }
    let by = ['|', ';', ',', '/'].into_iter().find(|&by| cell.contains(by)).unwrap_or('|');
    cell.split(by).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Columns that are called ids and are: every cell there, none twice. The file is read for it.
fn check_ids(
    path: &Path,
    columns: &[String],
    normal: &[String],
    intake: &mut Intake<'_>,
) -> Result<Vec<usize>, CatalogError> {
    let called = IDS.iter().filter_map(|name| normal.iter().position(|column| column == name));
    let mut called: Vec<(usize, HashSet<String>, Option<String>)> =
        called.map(|idx| (idx, HashSet::new(), None)).collect();
    let mut nothing = |_| {};
    let mut aside = Intake::new(&mut nothing);
    Table::open(path)?.for_each(&mut aside, |cells, _| {
        for (idx, seen, fault) in &mut called {
            if fault.is_some() {
                continue;
            }
            let form_is_wrong = |id: &str| normal[*idx].contains("imdb") && imdb_id(id).is_none();
            *fault = match cells.at(*idx) {
                None => Some(format!("line {} has none", cells.line())),
                Some(id) if form_is_wrong(id) => Some(format!("{:?} is no IMDb id", shown(id))),
                Some(id) if !seen.insert(id.to_owned()) => {
                    Some(format!("{:?} comes twice", shown(id)))
                }
                Some(_) => None,
            };
        }
    })?;
    for (idx, _, fault) in &called {
        if let Some(fault) = fault {
            intake
                .decide(format!("column `{}` is not believed to be an id: {fault}", columns[*idx]));
        }
    }
    Ok(called.into_iter().filter(|(_, _, fault)| fault.is_none()).map(|(idx, ..)| idx).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_in_every_usual_form() {
        assert_eq!(values("['Drama', 'War']"), ["Drama", "War"]);
        assert_eq!(values("[{'id': 18, 'name': 'Drama'}]"), ["Drama"]);
        assert_eq!(values("Drama / War"), ["Drama", "War"]);
        assert_eq!(values("Sci-Fi;Drama"), ["Sci-Fi", "Drama"]);
        for (cell, year) in [
            ("1995", "1995"),
            ("12/15/1995", "1995"),
            ("1995-12-15", "1995"),
            ("Dec 15, 1995", "1995"),
        ] {
            assert_eq!(year_in(cell).as_deref(), Some(year), "{cell}");
        }
        assert_eq!(year_in("9999"), None);
        assert_eq!(normalised("Series_Title "), "seriestitle");
    }
}
