//! IMDb's non-commercial dumps.
//!
//! source: IMDb, "Non-Commercial Datasets": `title.basics` is needed; `title.ratings`,
//! `title.crew`, `title.principals` and `name.basics` are read where they are there. Gzipped
//! or not; tabs, no quoting, `\N` for what is not known.
//!
//! Every file is streamed, each once: of `title.basics` the lines of the titles that are taken are
//! kept, of the others 12 bytes a credit, 4 a film and each name once. So memory grows with the
//! films that are taken, not with the dump, nine tenths of which are episodes. Ratings and crew
//! are read beside the principals.

mod credits;
mod id_set;
mod tsv;

use std::{path::Path, sync::Arc};

use credits::{Credits, Role, rank, read_crew, read_principals};
use id_set::{IdSet, number_of};
use tsv::{Line, Tsv};

use super::{Intake, Row, Source};
use crate::{CatalogError, ProblemKind};

/// Kinds of titles that are films.
const TAKEN: [&str; 3] = ["movie", "tvMovie", "video"];
const BASICS: &str = "title.basics";

/// IMDb's dumps.
pub(super) struct Imdb;

impl Source for Imdb {
    fn name(&self) -> &'static str {
        "imdb"
    }

    fn about(&self) -> &'static str {
        "IMDb's non-commercial dumps: title.basics and what stands beside it, .tsv or .tsv.gz"
    }

    fn terms(&self) -> &'static str {
        "IMDb non-commercial licence: personal and non-commercial use, no redistribution"
    }

    fn read(&self, path: &Path, intake: &mut Intake<'_>) -> Result<(), CatalogError> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let basics = tsv::find(folder, BASICS).ok_or_else(|| CatalogError::Format {
            path: folder.to_owned(),
            message: format!("there is no {BASICS}.tsv.gz and no {BASICS}.tsv"),
            hint: "give the folder that holds IMDb's dumps under their own names".to_owned(),
        })?;
        let films = Films::read(&basics, intake)?;
        let other = |name| tsv::find(folder, name);
        let ((ratings, crew), principals) = rayon::join(
            || {
                let ratings = other("title.ratings").map(|path| ratings(&path, &films));
                (ratings, other("title.crew").map(|path| read_crew(&path, &films.ids)))
            },
            || other("title.principals").map(|path| read_principals(&path, &films.ids)),
        );
        let ratings = ratings.transpose()?;
        let mut credits = Credits::default();
        for read in [crew, principals].into_iter().flatten() {
            credits.add(read?);
        }
        let names = other("name.basics");
        if names.is_none() && !credits.is_empty() {
            intake.warn(
                ProblemKind::MissingFile,
                (folder, 0),
                "there is no name.basics: people are known by their ids only",
                "put name.basics.tsv.gz beside the others",
            );
        }
        credits.close(names.as_deref())?;
        films.hand_over(ratings.as_deref(), &credits, intake);
        Ok(())
    }
}

/// Lines of `title.basics` that are films.
struct Films {
    path: Arc<Path>,
    columns: [usize; 7],
    ids: IdSet,
    /// Number of the line, and where it ends in `text`; in the order of the dump.
    lines: Vec<(u64, usize)>,
    text: String,
}

impl Films {
    fn read(basics: &Path, intake: &mut Intake<'_>) -> Result<Self, CatalogError> {
        let file = Tsv::open(basics)?;
        let columns = file.columns([
            "tconst",
            "titleType",
            "primaryTitle",
            "originalTitle",
            "startYear",
            "runtimeMinutes",
            "genres",
        ])?;
        let [id, kind, ..] = columns;
        let path = file.path.clone();
        let (mut ids, mut lines, mut text) = (IdSet::default(), Vec::new(), String::new());
        let mut reason = String::new();
        file.for_each(|line| {
            let stated = line.get(id).unwrap_or_default();
            let kind = line.get(kind).unwrap_or("none");
            if !TAKEN.contains(&kind) {
                reason.clear();
                reason.extend(["its titleType is ", kind]);
                return intake.leave_out(&reason, stated);
            }
            let Some(number) = number_of(stated, "tt") else {
                let example = format!("{stated:?} in line {}", line.number);
                let reason = "its tconst is no IMDb id (tt and 7 to 9 digits)";
                return intake.leave_out(reason, &example);
            };
            ids.add(number);
            text.push_str(line.text);
            lines.push((line.number, text.len()));
        })?;
        ids.close();
        Ok(Self { path, columns, ids, lines, text })
    }

    fn hand_over(&self, ratings: Option<&[(u8, u32)]>, credits: &Credits, intake: &mut Intake<'_>) {
        let [id, _, name, original, year, runtime, genres] = self.columns;
        let mut begin = 0;
        for &(number, end) in &self.lines {
            let line = Line { number, text: &self.text[begin..end] };
            begin = end;
            let Some(rank) = rank(&self.ids, line.get(id)) else { continue };
            let rank = rank as usize;
            let (name, original) = (line.get(name), line.get(original));
            let rating = ratings.map(|ratings| ratings[rank]).filter(|(_, votes)| *votes > 0);
            let mean = rating.map(|(tenths, _)| format!("{:.1}", f64::from(tenths) / 10.0));
            let list = |list: &str| list.split(',').map(str::to_owned).collect();
            let row = Row::at(self.path.clone(), number)
                .maybe("id", line.get(id))
                .maybe("title", name)
                .maybe("original_title", original.filter(|_| original != name))
                .maybe("year", line.get(year))
                .list("genres", line.get(genres).map(list).unwrap_or_default())
                .maybe("runtime_min", line.get(runtime))
                .maybe("imdb_rating", mean)
                .maybe("imdb_votes", rating.map(|(_, votes)| votes.to_string()))
                .list("director", credits.of(rank, Role::Director))
                .list("writer", credits.of(rank, Role::Writer))
                .list("actors", credits.of(rank, Role::Actor));
            intake.title(row);
        }
    }
}

/// Mean rating in tenths and number of votes, by rank; no votes where there is no rating.
fn ratings(path: &Path, films: &Films) -> Result<Vec<(u8, u32)>, CatalogError> {
    let file = Tsv::open(path)?;
    let [id, rating, votes] = file.columns(["tconst", "averageRating", "numVotes"])?;
    let mut ratings = vec![(0, 0); films.lines.len()];
    file.for_each(|line| {
        let Some(rank) = rank(&films.ids, line.get(id)) else { return };
        let rating = line.get(rating).and_then(|rating| rating.parse::<f64>().ok());
        let votes = line.get(votes).and_then(|votes| votes.parse().ok());
        if let (Some(rating), Some(votes)) = (rating, votes) {
            ratings[rank as usize] = ((rating * 10.0).round() as u8, votes);
        }
    })?;
    Ok(ratings)
}
