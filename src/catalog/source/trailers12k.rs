//! Trailers12k: genres of trailers as a table of zeros and ones, with three splits.
//!
//! source: Montalvo-Lezama et al. 2022, "Improving Transfer Learning with a Dual Image and
//! Video Transformer for Multi-label Movie Trailer Genre Classification"; `trailers12k_mgtc.csv`
//! has the columns `mid`, one a genre, and `split0` to `split2` (0 training, 1 validation,
//! 2 test). A trailer is found where a video is named by the `mid`, beside or in `trailers`.

use std::path::Path;

use super::{Intake, Row, Source, by_film, files_below, table::Table};
use crate::{CatalogError, ProblemKind, ids::imdb_id_in, media_kind::VIDEO};

/// Trailers12k.
pub(super) struct Trailers12k;

impl Source for Trailers12k {
    fn name(&self) -> &'static str {
        "trailers12k"
    }

    fn about(&self) -> &'static str {
        "Trailers12k's labels (trailers12k_mgtc.csv), with the trailers where they are there"
    }

    fn terms(&self) -> &'static str {
        "labels CC BY-NC-SA 4.0 as published; trailers are the studios'"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let labels =
            if path.is_dir() { path.join("trailers12k_mgtc.csv") } else { path.to_owned() };
        let table = Table::open_with(&labels, &["mid", "split0"])?;
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let trailers = by_film(folder, &files_below(folder, &VIDEO)?);
        let (shared, columns) = (table.path.clone(), table.columns.clone());
        let is_genre = |name: &str| name != "mid" && !name.starts_with("split");
        table.for_each(intake, |cells, intake| {
            let mut genres = Vec::new();
            for (idx, name) in columns.iter().enumerate().filter(|(_, name)| is_genre(name)) {
                match cells.at(idx).unwrap_or("0") {
                    "1" | "1.0" => genres.push(spelt(name)),
                    "0" | "0.0" => {}
                    other => intake.warn(
                        ProblemKind::BadGenres,
                        (&shared, cells.line()),
                        format!("`{name}` must be 0 or 1, got {other:?}; it is read as 0"),
                        "see whether this is trailers12k_mgtc.csv",
                    ),
                }
            }
            let id = cells.get("mid").unwrap_or_default();
            let split = |name: &str| {
                let names = ["train", "validation", "test"];
                cells.get(name).and_then(|n| names.get(n.parse::<usize>().ok()?).copied())
            };
            let row = Row::at(shared.clone(), cells.line())
                .text("id", id)
                .maybe("imdb_id", imdb_id_in(id))
                .one_or_list("trailer", trailers.get(id).cloned().unwrap_or_default())
                .list("genres", genres)
                .maybe("split", split("split0"))
                .maybe("split1", split("split1"))
                .maybe("split2", split("split2"));
            intake.title(row);
        })
    }
}

/// `sci-fi` is spelt Sci-Fi.
fn spelt(name: &str) -> String {
    let mut at_start = true;
    name.chars()
        .map(|c| {
            let starts_word = std::mem::replace(&mut at_start, !c.is_alphanumeric());
            if starts_word { c.to_ascii_uppercase() } else { c }
        })
        .collect()
}
