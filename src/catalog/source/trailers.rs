//! A bare folder of trailers: what [`from_paths`](crate::from_paths) finds.

use std::path::Path;

use super::{Intake, Row, Source, relative};
use crate::{CatalogError, from_paths, ids::imdb_id_in};

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
        let (catalog, problems) = from_paths(&[path.to_owned()])?;
        for problem in problems {
            intake.problem(problem);
        }
        for title in catalog.titles {
            let file = title.trailers.first().or(title.poster.as_ref());
            let file = file.map_or(path, |file| file.as_path());
            let name = |file: &Path| relative(path, file);
            let row = Row::at(file.into(), 0)
                .text("id", name(Path::new(title.id.as_str())))
                .maybe("imdb_id", imdb_id_in(title.id.as_str()))
                .text("title", &title.name)
                .maybe("year", title.year.map(|year| year.to_string()))
                .maybe("plot", title.plot.as_ref())
                .one_or_list("trailer", title.trailers.iter().map(|file| name(file)).collect())
                .maybe("poster", title.poster.as_deref().map(name));
            intake.title(row);
        }
        Ok(())
    }
}
