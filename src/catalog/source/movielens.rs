//! MovieLens (ml-latest, ml-25m, ml-32m): films with genres, and their ids on IMDb and TMDB.
//!
//! source: the data sets' README. `movies.csv` is needed; `links.csv` and `tags.csv` are read
//! where they are there, ratings are not. A title is written `Matrix, The (1999)`; it becomes
//! The Matrix of 1999. Tags that at least two people gave become `tags`, the commonest first.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{Intake, Row, Source, table::Table};
use crate::{CatalogError, library::name_and_year};

const NO_GENRES: &str = "(no genres listed)";
/// People who must have given a tag.
const MIN_PEOPLE: usize = 2;
/// Tags kept for each title.
const MAX_TAGS: usize = 20;

/// MovieLens.
pub(super) struct MovieLens;

impl Source for MovieLens {
    fn name(&self) -> &'static str {
        "movielens"
    }

    fn about(&self) -> &'static str {
        "MovieLens (ml-25m, ml-32m, ml-latest): movies.csv with links.csv and tags.csv"
    }

    fn terms(&self) -> &'static str {
        "GroupLens: research use, citation, no redistribution and no revenue without permission"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let movies = Table::open_with(&folder.join("movies.csv"), &["movieId", "title", "genres"])?;
        let links = links(&folder.join("links.csv"), intake)?;
        let tags = tags(&folder.join("tags.csv"), intake)?;
        let shared = movies.path.clone();
        movies.for_each(intake, |cells, intake| {
            let id = cells.get("movieId").unwrap_or_default();
            let (name, other_name, year) = name_of(cells.get("title").unwrap_or_default());
            let genres = cells.get("genres").filter(|genres| *genres != NO_GENRES);
            let (imdb_id, tmdb_id) = links.get(id).cloned().unwrap_or_default();
            let row = Row::at(shared.clone(), cells.line())
                .text("id", id)
                .text("movielens_id", id)
                .maybe("imdb_id", imdb_id)
                .maybe("tmdb_id", tmdb_id)
                .text("title", name)
                .maybe("original_title", other_name)
                .maybe("year", year.map(|year| year.to_string()))
                .list(
                    "genres",
                    genres.map(|g| g.split('|').map(str::to_owned).collect()).unwrap_or_default(),
                )
                .list("tags", tags.get(id).cloned().unwrap_or_default());
            intake.title(row);
        })
    }
}

type Links = HashMap<String, (Option<String>, Option<String>)>;

/// Ids on IMDb (written without `tt`) and TMDB, by MovieLens id.
fn links(path: &Path, intake: &mut Intake<'_>) -> Result<Links, CatalogError> {
    let mut links = Links::new();
    if !path.is_file() {
        return Ok(links);
    }
    let table = Table::open_with(path, &["movieId", "imdbId", "tmdbId"])?;
    table.for_each(intake, |cells, _| {
        let imdb = cells.get("imdbId").and_then(|id| id.parse::<u64>().ok());
        let tmdb = cells.get("tmdbId").and_then(|id| id.parse::<u64>().ok());
        if let Some(id) = cells.get("movieId") {
            let ids = (imdb.map(|id| format!("tt{id:07}")), tmdb.map(|id| id.to_string()));
            links.insert(id.to_owned(), ids);
        }
    })?;
    Ok(links)
}

fn tags(
    path: &Path,
    intake: &mut Intake<'_>,
) -> Result<HashMap<String, Vec<String>>, CatalogError> {
    if !path.is_file() {
        return Ok(HashMap::new());
    }
    let mut people_of: HashMap<String, HashMap<String, HashSet<u32>>> = HashMap::new();
    let table = Table::open_with(path, &["userId", "movieId", "tag"])?;
    table.for_each(intake, |cells, _| {
        let user = cells.get("userId").and_then(|user| user.parse().ok());
        if let (Some(user), Some(id), Some(tag)) = (user, cells.get("movieId"), cells.get("tag")) {
            let of_title = people_of.entry(id.to_owned()).or_default();
            of_title.entry(tag.to_lowercase()).or_default().insert(user);
        }
    })?;
    let commonest = |tags: HashMap<String, HashSet<u32>>| {
        let mut tags: Vec<_> = tags.into_iter().map(|(tag, people)| (people.len(), tag)).collect();
        tags.retain(|(num_people, _)| *num_people >= MIN_PEOPLE);
        tags.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        tags.into_iter().take(MAX_TAGS).map(|(_, tag)| tag).collect()
    };
    Ok(people_of.into_iter().map(|(id, tags)| (id, commonest(tags))).collect())
}

/// `Seven Samurai, The (Shichinin no samurai) (1954)` is The Seven Samurai, also called
/// Shichinin no samurai, of 1954.
fn name_of(title: &str) -> (String, Option<String>, Option<i32>) {
    let (name, year) = name_and_year(title);
    let (name, other) = match name.rsplit_once(" (") {
        Some((name, other)) if other.ends_with(')') && !name.trim().is_empty() => {
            let other = other.trim_end_matches(')').trim_start_matches("a.k.a. ");
            (name.trim().to_owned(), Some(article_first(other)))
        }
        _ => (name, None),
    };
    (article_first(&name), other, year)
}

/// `Matrix, The` is The Matrix.
fn article_first(name: &str) -> String {
    const ARTICLES: [&str; 15] = [
        "the", "a", "an", "le", "la", "les", "l'", "el", "los", "las", "il", "der", "die", "das",
        "un",
    ];
    match name.rsplit_once(", ") {
        Some((rest, article)) if ARTICLES.contains(&article.to_lowercase().as_str()) => {
            let gap = if article.ends_with('\'') { "" } else { " " };
            format!("{article}{gap}{rest}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_turned_round() {
        let of = |name: &str, other: Option<&str>, year| {
            (name.to_owned(), other.map(str::to_owned), year)
        };
        assert_eq!(name_of("Quiet Lock, The (1995)"), of("The Quiet Lock", None, Some(1995)));
        assert_eq!(
            name_of("Seven Locks, The (Shichi no jo) (1954)"),
            of("The Seven Locks", Some("Shichi no jo"), Some(1954))
        );
        assert_eq!(name_of("Lock (a.k.a. L0ck) (2001)"), of("Lock", Some("L0ck"), Some(2001)));
        assert_eq!(name_of("Hour, L' (1990)"), of("L'Hour", None, Some(1990)));
        assert_eq!(name_of("Babylon 5"), of("Babylon 5", None, None));
        assert_eq!(name_of("Me, Myself"), of("Me, Myself", None, None));
    }
}
