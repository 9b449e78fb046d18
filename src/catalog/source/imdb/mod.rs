//! IMDb's non-commercial dumps.
//!
//! source: IMDb, "Non-Commercial Datasets": `title.basics` is needed; `title.ratings`,
//! `title.crew`, `title.principals` and `name.basics` are read where they are there. Gzipped
//! or not; tabs, no quoting, `\N` for what is not known.
//!
//! Every file is streamed. `title.basics` is read twice: first for the ids of the titles that
//! are taken (a bit each), at the end for the titles themselves. In between stand 12 bytes a
//! credit and each name once, so memory grows with the films that are taken, not with the
//! dump, nine tenths of which are episodes.

mod credits;
mod id_set;
mod tsv;

use std::path::Path;

use credits::{Credits, Role, rank};
use id_set::{IdSet, number_of};
use tsv::Tsv;

use super::{Intake, Row, Source};
use crate::catalog::{CatalogError, ProblemKind};

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
        let (kept, num_kept) = kept(&basics)?;
        let other = |name| tsv::find(folder, name);
        let ratings = other("title.ratings").map(|path| ratings(&path, &kept, num_kept));
        let ratings = ratings.transpose()?;
        let mut credits = Credits::default();
        if let Some(path) = other("title.crew") {
            credits.read_crew(&path, &kept)?;
        }
        if let Some(path) = other("title.principals") {
            credits.read_principals(&path, &kept)?;
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
        titles(&basics, &kept, ratings.as_deref(), &credits, intake)
    }
}

/// Ids of the titles that are taken.
fn kept(basics: &Path) -> Result<(IdSet, usize), CatalogError> {
    let file = Tsv::open(basics)?;
    let [id, kind] = file.columns(["tconst", "titleType"])?;
    let mut kept = IdSet::default();
    file.for_each(|line| {
        if line.get(kind).is_some_and(|kind| TAKEN.contains(&kind))
            && let Some(number) = line.get(id).and_then(|id| number_of(id, "tt"))
        {
            kept.add(number);
        }
    })?;
    let num_kept = kept.close();
    Ok((kept, num_kept))
}

/// Mean rating in tenths and number of votes, by rank; no votes where there is no rating.
fn ratings(path: &Path, kept: &IdSet, num_kept: usize) -> Result<Vec<(u8, u32)>, CatalogError> {
    let file = Tsv::open(path)?;
    let [id, rating, votes] = file.columns(["tconst", "averageRating", "numVotes"])?;
    let mut ratings = vec![(0, 0); num_kept];
    file.for_each(|line| {
        let Some(rank) = rank(kept, line.get(id)) else { return };
        let rating = line.get(rating).and_then(|rating| rating.parse::<f64>().ok());
        let votes = line.get(votes).and_then(|votes| votes.parse().ok());
        if let (Some(rating), Some(votes)) = (rating, votes) {
            ratings[rank as usize] = ((rating * 10.0).round() as u8, votes);
        }
    })?;
    Ok(ratings)
}

fn titles(
    basics: &Path,
    kept: &IdSet,
    ratings: Option<&[(u8, u32)]>,
    credits: &Credits,
    intake: &mut Intake<'_>,
) -> Result<(), CatalogError> {
    let file = Tsv::open(basics)?;
    let path = file.path.clone();
    let [id, kind, name, original, year, runtime, genres] = file.columns([
        "tconst",
        "titleType",
        "primaryTitle",
        "originalTitle",
        "startYear",
        "runtimeMinutes",
        "genres",
    ])?;
    let mut reason = String::new();
    file.for_each(|line| {
        let stated = line.get(id).unwrap_or_default();
        let kind = line.get(kind).unwrap_or("none");
        if !TAKEN.contains(&kind) {
            reason.clear();
            reason.extend(["its titleType is ", kind]);
            return intake.leave_out(&reason, stated);
        }
        let Some(rank) = rank(kept, Some(stated)) else {
            let example = format!("{stated:?} in line {}", line.number);
            return intake.leave_out("its tconst is no IMDb id (tt and 7 to 9 digits)", &example);
        };
        let rank = rank as usize;
        let (name, original) = (line.get(name), line.get(original));
        let rating = ratings.map(|ratings| ratings[rank]).filter(|(_, votes)| *votes > 0);
        let mean = rating.map(|(tenths, _)| format!("{:.1}", f64::from(tenths) / 10.0));
        let list = |list: &str| list.split(',').map(str::to_owned).collect();
        let row = Row::at(path.clone(), line.number)
            .text("id", stated)
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
    })
}
