//! MM-IMDb: a JSON and a JPEG a film, and `split.json`.
//!
//! source: Arevalo et al. 2017, "Gated Multimodal Units for Information Fusion", and the
//! archive's layout: `dataset/0000005.json`, `dataset/0000005.jpeg`, `split.json` with the
//! lists `train`, `dev` and `test` beside or above. Some mirrors keep `labels/` and `images/`.
//! A file's name is the IMDb number. Of several plots the longest is taken; the writer's
//! name after `::` is left out.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{
    Intake, Row, Source, files_below,
    json::{self, Object, names, text},
    relative,
};
use crate::{
    CatalogError,
    media_kind::{IMAGE, has_extension},
};

/// MM-IMDb.
pub(super) struct MmImdb;

impl Source for MmImdb {
    fn name(&self) -> &'static str {
        "mm-imdb"
    }

    fn about(&self) -> &'static str {
        "MM-IMDb's folder: 0000005.json and .jpeg for each film, split.json"
    }

    fn terms(&self) -> &'static str {
        "research use; texts and posters are IMDb's and the studios'"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let files = files_below(path, &["json", "jpeg", "jpg", "png"])?;
        let mut posters: HashMap<String, &PathBuf> = HashMap::new();
        for file in files.iter().filter(|file| has_extension(file, &IMAGE)) {
            posters.insert(stem(file), file);
        }
        let mut split_of = HashMap::new();
        let is_split = |file: &&PathBuf| file.ends_with("split.json");
        for file in files.iter().filter(is_split) {
            json::for_each(file, intake, |object, _, _| split_of.extend(splits(&object)))?;
        }
        let films = files.iter().filter(|file| has_extension(file, &["json"]));
        for file in films.filter(|file| !is_split(file)) {
            let number = stem(file);
            let Ok(id) = number.parse::<u32>() else {
                intake.leave_out("the file's name is no IMDb number", &number);
                continue;
            };
            json::for_each(file, intake, |object, shared, intake| {
                let row = Row::at(shared.clone(), 0)
                    .text("id", format!("tt{id:07}"))
                    .maybe("poster", posters.get(&number).map(|poster| relative(path, poster)))
                    .maybe("split", split_of.get(&number));
                intake.title(describe(row, &object));
            })?;
        }
        Ok(())
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// `{"train": ["0000005", …], …}` by film.
fn splits(object: &Object) -> Vec<(String, String)> {
    let of_split = |(name, ids): (&String, &serde_json::Value)| {
        let name = name.clone();
        names(Some(ids), &[]).into_iter().map(move |id| (id, name.clone()))
    };
    object.iter().flat_map(of_split).collect()
}

fn describe(row: Row, object: &Object) -> Row {
    let list = |key: &str| names(object.get(key), &["name", "long imdb name", "title"]);
    let mut plots = list("plot");
    plots.extend(text(object, "plot outline"));
    let plots = plots.iter().map(|plot| plot.split("::").next().unwrap_or_default().trim());
    let first = |key: &str| list(key).into_iter().next();
    row.maybe("title", text(object, "title"))
        .maybe("year", text(object, "year"))
        .maybe("plot", plots.max_by_key(|plot| plot.len()))
        .list("genres", list("genres"))
        .maybe("runtime_min", first("runtimes").or_else(|| first("runtime")))
        .list("language", list("languages"))
        .list("country", list("countries"))
        .maybe("mpaa", text(object, "mpaa"))
        .maybe("imdb_rating", text(object, "rating"))
        .maybe("imdb_votes", text(object, "votes"))
        .list("director", list("director"))
        .list("writer", list("writer"))
        .list("actors", list("cast").into_iter().take(10).collect())
}
