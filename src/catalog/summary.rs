//! What a catalog holds, counted.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Catalog, CatalogError, CatalogSpec, Problem, ProblemKind, Severity, load};

/// Reads a catalog and counts what it holds.
///
/// # Errors
/// Those of [`load`].
pub fn check(spec: &CatalogSpec) -> Result<CatalogSummary, CatalogError> {
    let (catalog, problems) = load(spec)?;
    Ok(CatalogSummary::new(&spec.path, &catalog, problems))
}

/// How many titles have something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Availability {
    /// It is there.
    pub present: usize,
    /// The catalog names a file that is not there.
    pub file_missing: usize,
    /// The catalog names none.
    pub absent: usize,
}

impl Availability {
    /// Of several files of a title one that is there is enough.
    fn count<'a>(files_of: impl Iterator<Item = &'a [PathBuf]>) -> Self {
        let mut counts = Self::default();
        for files in files_of {
            match files {
                [] => counts.absent += 1,
                files if files.iter().any(|file| file.is_file()) => counts.present += 1,
                _ => counts.file_missing += 1,
            }
        }
        counts
    }

    /// Whether no title has any.
    fn is_none(&self) -> bool {
        self.present == 0 && self.file_missing == 0
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        writeln!(f, "  {what:<12}{:>8}{:>12}{:>10}", self.present, self.file_missing, self.absent)
    }
}

/// Titles that have a genre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenreSupport {
    /// The genre.
    pub name: String,
    /// Labelled titles that have it.
    pub num_titles: usize,
}

/// What a catalog holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogSummary {
    /// The catalog file.
    pub path: PathBuf,
    /// Titles read.
    pub num_titles: usize,
    /// Titles that state genres.
    pub num_labelled: usize,
    /// Labelled titles none of whose genres counts.
    pub num_without_genre: usize,
    /// Trailer files.
    pub trailers: Availability,
    /// Poster files.
    pub posters: Availability,
    /// Plot texts.
    pub plots: Availability,
    /// Trailers' transcripts.
    #[serde(default, skip_serializing_if = "Availability::is_none")]
    pub transcripts: Availability,
    /// Years of release.
    pub years: Availability,
    /// Titles with a value, per metadata column.
    pub fields: BTreeMap<String, usize>,
    /// Genres that count, in the vocabulary's order.
    pub genres: Vec<GenreSupport>,
    /// Mean number of genres of a labelled title.
    pub label_cardinality: f64,
    /// Label cardinality divided by the number of genres.
    pub label_density: f64,
    /// Groups; a title without one is a group by itself.
    pub num_groups: usize,
    /// Labelled titles per fold that the catalog assigns.
    pub folds: BTreeMap<u32, usize>,
    /// What was found wrong, by line.
    pub problems: Vec<Problem>,
}

impl CatalogSummary {
    /// Counts a catalog that was read from `path` with these problems. Looks whether the
    /// files that it names are there.
    #[must_use]
    pub fn new(path: &Path, catalog: &Catalog, problems: Vec<Problem>) -> Self {
        let titles = &catalog.titles;
        let stated = |is_there: fn(&super::Title) -> bool| {
            let present = titles.iter().filter(|&title| is_there(title)).count();
            Availability { present, file_missing: 0, absent: titles.len() - present }
        };
        let mut fields = BTreeMap::new();
        let mut folds = BTreeMap::new();
        let mut support = vec![0; catalog.vocabulary.len()];
        for title in titles {
            for name in title.fields.keys() {
                *fields.entry(name.clone()).or_default() += 1;
            }
            for genre in &title.genres {
                support[genre.idx()] += 1;
            }
            if let Some(fold) = title.fold.filter(|_| title.labelled) {
                *folds.entry(fold).or_default() += 1;
            }
        }
        let num_labelled = titles.iter().filter(|title| title.labelled).count();
        let num_labels: usize = support.iter().sum();
        let label_cardinality = num_labels as f64 / num_labelled.max(1) as f64;
        let genres = catalog.vocabulary.names().iter().zip(&support);
        Self {
            path: path.to_owned(),
            num_titles: titles.len(),
            num_labelled,
            num_without_genre: titles
                .iter()
                .filter(|title| title.labelled && title.genres.is_empty())
                .count(),
            trailers: Availability::count(titles.iter().map(|title| &title.trailers[..])),
            posters: Availability::count(titles.iter().map(|title| title.poster.as_slice())),
            plots: stated(|title| title.plot.is_some()),
            transcripts: stated(|title| title.transcript.is_some()),
            years: stated(|title| title.year.is_some()),
            fields,
            genres: genres
                .map(|(name, &num_titles)| GenreSupport { name: name.clone(), num_titles })
                .collect(),
            label_cardinality,
            label_density: label_cardinality / catalog.vocabulary.len().max(1) as f64,
            num_groups: catalog.group_idxs().iter().max().map_or(0, |&last| last + 1),
            folds,
            problems,
        }
    }

    /// Number of problems of a severity.
    #[must_use]
    pub fn num_problems(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }
}

/// Problems of one kind that are shown in full.
const SHOWN_PER_KIND: usize = 3;

impl fmt::Display for CatalogSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} titles, {} with genres, {} groups",
            self.path.display(),
            self.num_titles,
            self.num_labelled,
            self.num_groups
        )?;
        writeln!(f, "\n  {:<12}{:>8}{:>12}{:>10}", "", "present", "no file", "not given")?;
        self.trailers.row(f, "trailers")?;
        self.posters.row(f, "posters")?;
        self.plots.row(f, "plots")?;
        if !self.transcripts.is_none() {
            self.transcripts.row(f, "transcripts")?;
        }
        self.years.row(f, "years")?;
        if !self.fields.is_empty() {
            writeln!(f, "\n  metadata columns, titles with a value")?;
            let width = self.fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
            for (name, num_titles) in &self.fields {
                writeln!(f, "  {name:<width$}{num_titles:>8}")?;
            }
        }
        if !self.genres.is_empty() {
            writeln!(
                f,
                "\n  {} genres, {:.2} a title (label density {:.3})",
                self.genres.len(),
                self.label_cardinality,
                self.label_density
            )?;
            let width = self.genres.iter().map(|g| g.name.chars().count()).max().unwrap_or(0);
            for genre in &self.genres {
                writeln!(f, "  {:<width$}{:>8}", genre.name, genre.num_titles)?;
            }
            if self.num_without_genre > 0 {
                writeln!(f, "  {} labelled titles have none of them", self.num_without_genre)?;
            }
        }
        if !self.folds.is_empty() {
            let folds: Vec<_> = self.folds.iter().map(|(fold, n)| format!("{fold}: {n}")).collect();
            writeln!(f, "\n  folds of the catalog: {}", folds.join(", "))?;
        }
        self.write_problems(f)
    }
}

impl CatalogSummary {
    /// The first problems of each kind, and how many more there are.
    fn write_problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{} rows left out, {} warnings, {} notes",
            self.num_problems(Severity::Error),
            self.num_problems(Severity::Warning),
            self.num_problems(Severity::Note)
        )?;
        let mut num_of: BTreeMap<(Severity, ProblemKind), usize> = BTreeMap::new();
        for problem in &self.problems {
            let num = num_of.entry((problem.severity, problem.kind)).or_default();
            *num += 1;
            if *num <= SHOWN_PER_KIND {
                writeln!(f, "{problem}")?;
            }
        }
        for ((severity, kind), num) in num_of {
            if num > SHOWN_PER_KIND {
                let more = num - SHOWN_PER_KIND;
                writeln!(f, "… and {more} more: {severity}, {kind}")?;
            }
        }
        Ok(())
    }
}
