//! What an import decided, for people and programs to look at.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Origin;
use crate::{CatalogSummary, Problem, ProblemKind, Severity, clean::Cleaning, source::LeftOut};

/// Doubtful joins that are listed; all are counted.
const MAX_DOUBTFUL: usize = 200;
/// Problems that are listed.
const MAX_PROBLEMS: usize = 1000;
/// Problems that are printed.
const MAX_SHOWN: usize = 3;

/// `decisions.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decisions {
    /// Titles in the catalog.
    pub num_titles: usize,
    /// The source whose titles they are.
    pub input: Input,
    /// Ids that were not believed, or that several titles share, by what is wrong.
    pub doubted_ids: BTreeMap<String, LeftOut>,
    /// What was joined to them, in the order in which it was.
    pub joins: Vec<Joined>,
    /// What was repaired in texts.
    pub cleaning: Cleaning,
    /// What a pipeline finds in the catalog: counts, genres, problems.
    pub catalog: Option<CatalogSummary>,
}

/// A source that was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Input {
    /// Its kind.
    pub kind: String,
    /// Where it lay.
    pub path: PathBuf,
    /// Its publisher's terms.
    pub terms: String,
    /// Titles it gave.
    pub num_titles: usize,
    /// Titles it has that are not taken, by reason.
    pub left_out: BTreeMap<String, LeftOut>,
    /// What was decided while reading it.
    pub notes: Vec<String>,
    /// What was wrong with it; the first thousand.
    pub problems: Vec<Problem>,
}

/// A source that was joined to the first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Joined {
    /// The source.
    pub input: Input,
    /// Titles that found theirs by an id.
    pub by_id: usize,
    /// Titles that found theirs by name, year and a person.
    pub by_title_year_people: usize,
    /// Titles that found theirs by name and year, with no people to compare: look at them.
    pub by_title_year: usize,
    /// Titles that found nothing.
    pub unmatched: usize,
    /// Share of the catalog's titles that found theirs.
    pub rate: f64,
    /// Titles for which a column was filled from here, by column.
    pub filled: BTreeMap<String, usize>,
    /// Matches that want a look.
    pub num_doubtful: usize,
    /// The first of them.
    pub doubtful: Vec<Doubtful>,
}

/// A match that wants a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubtful {
    /// The title's id in the catalog.
    pub title: String,
    /// The ids of those it could be.
    pub candidates: Vec<String>,
    /// Whether it was joined all the same.
    pub joined: bool,
    /// Why it is doubtful.
    pub reason: String,
}

impl Decisions {
    /// Rows of the sources and of the catalog that could not be used, as far as they are listed.
    #[must_use]
    pub fn rows_left_out(&self) -> usize {
        let inputs = std::iter::once(&self.input).chain(self.joins.iter().map(|join| &join.input));
        let of_inputs = inputs.flat_map(|input| &input.problems);
        let of_catalog = self.catalog.iter().flat_map(|catalog| &catalog.problems);
        let costs_row = |problem: &&Problem| {
            problem.severity == Severity::Error || problem.kind == ProblemKind::MalformedRow
        };
        of_inputs.chain(of_catalog).filter(costs_row).count()
    }
}

impl Input {
    pub(super) fn new(from: &Origin) -> Self {
        Self {
            kind: from.source.name().to_owned(),
            path: from.path.clone(),
            terms: from.source.terms().to_owned(),
            ..Self::default()
        }
    }

    /// Takes what the source's intake was told.
    pub(super) fn take(
        &mut self,
        (mut problems, left_out, notes): (Vec<Problem>, BTreeMap<String, LeftOut>, Vec<String>),
        num_titles: usize,
    ) {
        self.num_titles = num_titles;
        problems.truncate(MAX_PROBLEMS);
        (self.problems, self.left_out, self.notes) = (problems, left_out, notes);
    }
}

impl Joined {
    pub(super) fn new(from: &Origin) -> Self {
        Self { input: Input::new(from), ..Self::default() }
    }

    pub(super) fn doubt(
        &mut self,
        title: &str,
        candidates: Vec<String>,
        joined: bool,
        reason: &str,
    ) {
        self.num_doubtful += 1;
        if self.doubtful.len() < MAX_DOUBTFUL {
            let (title, reason) = (title.to_owned(), reason.to_owned());
            self.doubtful.push(Doubtful { title, candidates, joined, reason });
        }
    }

    fn num_joined(&self) -> usize {
        self.by_id + self.by_title_year_people + self.by_title_year
    }
}

impl Decisions {
    pub(super) fn new(first: &Origin) -> Self {
        Self {
            num_titles: 0,
            input: Input::new(first),
            doubted_ids: BTreeMap::new(),
            joins: Vec::new(),
            cleaning: Cleaning::default(),
            catalog: None,
        }
    }

    pub(super) fn check(&mut self, path: &Path, mut summary: CatalogSummary) {
        for joined in &mut self.joins {
            joined.rate = joined.num_joined() as f64 / self.num_titles.max(1) as f64;
        }
        summary.fields.clone_from(&self.cleaning.columns);
        path.clone_into(&mut summary.path);
        summary.problems.truncate(MAX_PROBLEMS);
        self.catalog = Some(summary);
    }
}

impl fmt::Display for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} titles of {} ({})",
            self.num_titles,
            self.input.kind,
            self.input.path.display()
        )?;
        write_input(f, &self.input)?;
        for (reason, doubted) in &self.doubted_ids {
            writeln!(
                f,
                "  {reason}: {}, such as {}",
                doubted.num_titles,
                doubted.examples.join(", ")
            )?;
        }
        for joined in &self.joins {
            writeln!(
                f,
                "\njoined {} ({}): {} by id, {} by name, year and people, {} by name and year; {:.1} % of the titles",
                joined.input.kind,
                joined.input.path.display(),
                joined.by_id,
                joined.by_title_year_people,
                joined.by_title_year,
                100.0 * joined.rate
            )?;
            write_input(f, &joined.input)?;
            if joined.num_doubtful > 0 {
                writeln!(f, "  {} doubtful matches, in decisions.json", joined.num_doubtful)?;
            }
            let filled: Vec<_> = joined.filled.iter().map(|(c, n)| format!("{c} {n}")).collect();
            if !filled.is_empty() {
                writeln!(f, "  filled: {}", filled.join(", "))?;
            }
        }
        let total = |counts: &BTreeMap<String, usize>| counts.values().sum::<usize>();
        writeln!(
            f,
            "\nrepaired: HTML in {} texts, encoding in {}",
            total(&self.cleaning.html),
            total(&self.cleaning.encoding)
        )?;
        for (column, reasons) in &self.cleaning.missing {
            for (reason, num_titles) in reasons {
                writeln!(f, "  no {column}: {num_titles} ({reason})")?;
            }
        }
        match &self.catalog {
            Some(summary) => write!(f, "\n{summary}"),
            None => Ok(()),
        }
    }
}

fn write_input(f: &mut fmt::Formatter<'_>, input: &Input) -> fmt::Result {
    for (reason, left_out) in &input.left_out {
        writeln!(f, "  left out: {} ({reason})", left_out.num_titles)?;
    }
    for note in &input.notes {
        writeln!(f, "  {note}")?;
    }
    for problem in input.problems.iter().take(MAX_SHOWN) {
        writeln!(f, "  {problem}")?;
    }
    match input.problems.len().saturating_sub(MAX_SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "  … and {more} more problems, in decisions.json"),
    }
}
