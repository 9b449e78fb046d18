//! A bare folder of trailers: what [`from_paths`](crate::from_paths) finds.

use std::path::{Path, PathBuf};

use super::{Intake, Row, Source, relative};
use crate::{CatalogError, paths};

/// A folder of trailers.
pub(super) struct Trailers;

impl Source for Trailers {
    fn name(&self) -> &'static str {
        "trailers"
    }

    fn about(&self) -> &'static str {
        "a bare folder of trailers, with posters and plots of the same names"
    }

    fn terms(&self) -> &'static str {
        "your own files; trailers are mostly the studios'"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let (films, problems) = paths::find(&[path.to_owned()])?;
        for problem in problems {
            intake.problem(problem);
        }
        for film in films {
            let file = film.trailers.first().or(film.poster.as_ref());
            let file = file.map_or(path, |file| file.as_path());
            let name = |file: &PathBuf| relative(path, file);
            let row = Row::at(file.into(), 0)
                .text("id", relative(path, Path::new(&film.id)))
                .maybe("imdb_id", film.imdb_id())
                .text("title", &film.name)
                .maybe("year", film.year.map(|year| year.to_string()))
                .maybe("plot", film.plot)
                .files("trailer", name, &film.trailers)
                .files("poster", name, film.poster.as_slice());
            intake.title(row);
        }
        Ok(())
    }
}
