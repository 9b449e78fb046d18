//! TMDB: films as its API gives them, the CSV of 5,000 films, and the daily export of ids.
//!
//! source: TMDB developer documentation, "Movie details", "Daily ID exports"; the data set
//! "TMDB 5000 Movie Dataset" (`tmdb_5000_movies.csv` with JSON in its cells, and
//! `tmdb_5000_credits.csv`).
//!
//! `path` is a JSON, JSONL or CSV file (`.gz` or not) or a folder of them. A title's id is
//! TMDB's number. Pictures are named by TMDB (`/abc.jpg`), not held: the name is kept as
//! `poster_path`, and is a poster where a file of that name stands in `posters` or beside.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::{
    Intake, Row, Source, files_below,
    json::{self, Object, names, nonzero, text},
    table::Table,
};
use crate::{CatalogError, ProblemKind, ids::imdb_id_in};

/// TMDB's genres by number, as lists of films and search results give them.
const GENRES: [(u64, &str); 19] = [
    (12, "Adventure"),
    (14, "Fantasy"),
    (16, "Animation"),
    (18, "Drama"),
    (27, "Horror"),
    (28, "Action"),
    (35, "Comedy"),
    (36, "History"),
    (37, "Western"),
    (53, "Thriller"),
    (80, "Crime"),
    (99, "Documentary"),
    (878, "Science Fiction"),
    (9648, "Mystery"),
    (10402, "Music"),
    (10749, "Romance"),
    (10751, "Family"),
    (10752, "War"),
    (10770, "TV Movie"),
];
const MAX_ACTORS: usize = 10;
const CREDITS: &str = "tmdb_5000_credits.csv";

/// TMDB's films.
pub(super) struct Tmdb;

impl Source for Tmdb {
    fn name(&self) -> &'static str {
        "tmdb"
    }

    fn about(&self) -> &'static str {
        "TMDB: JSON of its API, the 5000-movies CSV with its credits, the daily export of ids"
    }

    fn terms(&self) -> &'static str {
        "TMDB API terms: attribution required, non-commercial without an agreement"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let files = files_below(path, &["json", "jsonl", "csv", "gz"])?;
        let credits = files.iter().find(|file| file.ends_with(CREDITS));
        let beside = path.parent().map(|folder| folder.join(CREDITS)).filter(|p| p.is_file());
        let credits = credits.cloned().or_else(|| beside.filter(|_| path.is_file()));
        let credits = credits.map_or_else(|| Ok(HashMap::new()), |c| read_credits(&c, intake))?;
        let posters = Posters::of(path);
        for file in files.iter().filter(|file| !file.ends_with(CREDITS)) {
            if file.to_string_lossy().contains(".csv") {
                let table = Table::open_with(file, &["id", "title"])?;
                let (columns, shared) = (table.columns.clone(), table.path.clone());
                table.for_each(intake, |cells, intake| {
                    let mut object = Object::new();
                    for (idx, column) in columns.iter().enumerate() {
                        if let Some(cell) = cells.at(idx) {
                            object.insert(column.clone(), parsed(cell));
                        }
                    }
                    if let Some(credits) = text(&object, "id").and_then(|id| credits.get(&id)) {
                        object.insert("credits".to_owned(), credits.clone());
                    }
                    take(&object, &shared, cells.line(), &posters, intake);
                })?;
            } else {
                json::for_each(file, intake, |object, shared, intake| {
                    take(&object, shared, 0, &posters, intake);
                })?;
            }
        }
        Ok(())
    }
}

/// A cell that holds JSON as what it says, any other as text.
fn parsed(cell: &str) -> Value {
    let is_json = cell.starts_with(['[', '{']);
    let value = if is_json { serde_json::from_str(cell).ok() } else { None };
    value.unwrap_or_else(|| Value::String(cell.to_owned()))
}

fn read_credits(
    path: &Path,
    intake: &mut Intake<'_>,
) -> Result<HashMap<String, Value>, CatalogError> {
    let mut credits = HashMap::new();
    let table = Table::open_with(path, &["movie_id", "cast", "crew"])?;
    table.for_each(intake, |cells, _| {
        if let Some(id) = cells.get("movie_id") {
            let part = |name: &str| cells.get(name).map_or(Value::Null, parsed);
            let both = serde_json::json!({ "cast": part("cast"), "crew": part("crew") });
            credits.insert(id.to_owned(), both);
        }
    })?;
    Ok(credits)
}

/// Pictures that were downloaded under TMDB's names.
struct Posters {
    root: PathBuf,
}

impl Posters {
    fn of(path: &Path) -> Self {
        let root = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        Self { root: root.to_owned() }
    }

    fn find(&self, poster_path: &str) -> Option<String> {
        let name = poster_path.trim_start_matches('/');
        let is_name = !name.is_empty() && !name.contains(['/', '\\']);
        let candidates = [format!("posters/{name}"), name.to_owned()];
        candidates.into_iter().filter(|_| is_name).find(|file| self.root.join(file).is_file())
    }
}

fn take(object: &Object, path: &Arc<Path>, line: u64, posters: &Posters, intake: &mut Intake<'_>) {
    let id = text(object, "id").filter(|id| id.bytes().all(|b| b.is_ascii_digit()));
    let Some(id) = id else {
        let found = object.get("id").map_or_else(|| "none".to_owned(), Value::to_string);
        return intake.warn(
            ProblemKind::EmptyId,
            (path, line),
            format!("`id` must be TMDB's number, got {found:.40}; the film is left out"),
            "see whether this is TMDB's data",
        );
    };
    let get = |key: &str| object.get(key);
    let mut genres = names(get("genres"), &["name"]);
    if let (true, Some(Value::Array(ids))) = (genres.is_empty(), get("genre_ids")) {
        let name = |id: &Value| GENRES.iter().find(|(number, _)| Some(*number) == id.as_u64());
        genres = ids.iter().filter_map(name).map(|(_, name)| (*name).to_owned()).collect();
    }
    let title = text(object, "title").or_else(|| text(object, "original_title"));
    let original = text(object, "original_title").filter(|o| Some(o) != title.as_ref());
    let credits = get("credits").and_then(Value::as_object);
    let cast = names(credits.and_then(|c| c.get("cast")), &["name"]);
    let crew = credits.and_then(|c| c.get("crew")).and_then(Value::as_array);
    let crew_of = |field: &str, wanted: &str| -> Vec<String> {
        let is_meant = |member: &&Object| text(member, field).as_deref() == Some(wanted);
        let members = crew.into_iter().flatten().filter_map(Value::as_object).filter(is_meant);
        let mut names: Vec<String> = members.filter_map(|member| text(member, "name")).collect();
        names.dedup();
        names
    };
    let keywords = match get("keywords") {
        Some(Value::Object(inside)) => names(inside.get("keywords"), &["name"]),
        other => names(other, &["name"]),
    };
    let collection = get("belongs_to_collection").and_then(Value::as_object);
    let external = get("external_ids").and_then(Value::as_object);
    let imdb_id = text(object, "imdb_id").or_else(|| external.and_then(|e| text(e, "imdb_id")));
    let poster_path = text(object, "poster_path");
    let row = Row::at(path.clone(), line)
        .text("id", &id)
        .text("tmdb_id", &id)
        .maybe("imdb_id", imdb_id.and_then(|id| imdb_id_in(&id)))
        .maybe("title", title)
        .maybe("original_title", original)
        .maybe("year", text(object, "release_date").and_then(|d| d.get(..4).map(str::to_owned)))
        .maybe("plot", text(object, "overview"))
        .maybe("tagline", text(object, "tagline"))
        .maybe("poster", poster_path.as_deref().and_then(|name| posters.find(name)))
        .maybe("poster_path", poster_path)
        .list("genres", genres)
        .maybe("group", collection.and_then(|collection| text(collection, "name")))
        .maybe("runtime_min", nonzero(object, "runtime"))
        .maybe("budget_usd", nonzero(object, "budget"))
        .maybe("revenue_usd", nonzero(object, "revenue"))
        .maybe("tmdb_rating", nonzero(object, "vote_average"))
        .maybe("tmdb_votes", nonzero(object, "vote_count"))
        .maybe("popularity", text(object, "popularity"))
        .list("country", names(get("production_countries"), &["name", "iso_3166_1"]))
        .list("language", names(get("spoken_languages"), &["english_name", "name", "iso_639_1"]))
        .maybe("original_language", text(object, "original_language"))
        .list("tags", keywords)
        .list("director", crew_of("job", "Director"))
        .list("writer", crew_of("department", "Writing"))
        .list("actors", cast.into_iter().take(MAX_ACTORS).collect());
    intake.title(row);
}
