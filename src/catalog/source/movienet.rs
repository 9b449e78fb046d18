//! MovieNet: one JSON of metadata a film (`meta/tt0120338.json`).
//!
//! source: Huang et al. 2020, "MovieNet: A Holistic Dataset for Movie Understanding", and the
//! layout of its metadata: `imdb_id`, `tmdb_id`, `title` (`Titanic (1997)`), `genres`,
//! `country`, `director`, `writer`, `cast`, `storyline`, `overview`, `plot`. Texts may be one or
//! a list; the longest of overview, storyline and plot is the plot. A trailer is found where a
//! video is named by the IMDb id.

use std::path::Path;

use super::{
    Intake, Row, Source, by_film, files_below,
    json::{self, names, text},
};
use crate::{
    CatalogError,
    ids::imdb_id_in,
    library::name_and_year,
    media_kind::{VIDEO, has_extension},
};

/// MovieNet.
pub(super) struct MovieNet;

impl Source for MovieNet {
    fn name(&self) -> &'static str {
        "movienet"
    }

    fn about(&self) -> &'static str {
        "MovieNet's metadata: one JSON a film, named by its IMDb id"
    }

    fn terms(&self) -> &'static str {
        "research use on agreement; texts are IMDb's and TMDB's"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let files = files_below(path, &[&["json"][..], &VIDEO].concat())?;
        let (videos, files): (Vec<_>, Vec<_>) =
            files.iter().partition(|file| has_extension(file, &VIDEO));
        let trailers = by_film(path, videos);
        for file in files {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            json::for_each(file, intake, |object, shared, intake| {
                let stated = text(&object, "imdb_id").unwrap_or_else(|| stem.clone());
                let Some(id) = imdb_id_in(&stated) else {
                    return intake
                        .leave_out("neither `imdb_id` nor the file's name is an IMDb id", &stem);
                };
                let list = |key: &str| names(object.get(key), &["name", "description"]);
                let (name, year) = name_and_year(&text(&object, "title").unwrap_or_default());
                let plots = ["overview", "storyline", "plot"].into_iter().flat_map(list);
                let row = Row::at(shared.clone(), 0)
                    .text("id", &id)
                    .maybe("tmdb_id", text(&object, "tmdb_id"))
                    .text("title", name)
                    .maybe("year", year.map(|y| y.to_string()).or_else(|| text(&object, "year")))
                    .maybe("plot", plots.max_by_key(String::len))
                    .one_or_list("trailer", trailers.get(&id).cloned().unwrap_or_default())
                    .list("genres", list("genres"))
                    .list("country", list("country"))
                    .list("director", list("director"))
                    .list("writer", list("writer"))
                    .list("actors", list("cast").into_iter().take(10).collect());
                intake.title(row);
            })?;
        }
        Ok(())
    }
}
