//! The data set's card: provenance, terms, counts, what is missing, imbalance, splits, leaks.

use std::{collections::BTreeMap, fmt};

use base::file;

use super::{CO_OCCURRENCE_FILE, SPLITS_FILE, annotate::Notes};
use crate::{
    Catalog, CatalogSpec, CatalogSummary, Folds, Problem,
    clean::Cleaning,
    import::{DECISIONS_FILE, Decisions},
};

pub(super) struct Card<'a> {
    pub(super) spec: &'a CatalogSpec,
    pub(super) catalog: &'a Catalog,
    pub(super) problems: Vec<Problem>,
    pub(super) folds: &'a Folds,
    pub(super) cleaning: Cleaning,
    pub(super) notes: &'a [Notes],
}

impl fmt::Display for Card<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.spec.path;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let summary = CatalogSummary::new(path, self.catalog, self.problems.clone());
        writeln!(f, "# Data set card: {name}\n")?;
        writeln!(
            f,
            "{} titles, {} with genres; made by cinetag {} from `{}`.\n",
            summary.num_titles,
            summary.num_labelled,
            env!("CARGO_PKG_VERSION"),
            path.file_name().unwrap_or_default().to_string_lossy()
        )?;
        self.provenance(f)?;
        self.missing(f)?;
        genres(f, &summary)?;
        self.splits(f)?;
        self.traps(f)
    }
}

impl Card<'_> {
    /// What an import wrote beside the catalog says where the titles come from.
    fn provenance(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Where it comes from\n")?;
        let beside = self.spec.folder().join(DECISIONS_FILE);
        let decisions: Option<Decisions> =
            file::read(beside).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(decisions) = decisions else {
            return writeln!(
                f,
                "No `{DECISIONS_FILE}` stands beside the catalog: its sources and their terms are \
                 not recorded. Find them out before the data are passed on.\n"
            );
        };
        writeln!(f, "| source | titles | joined | terms |\n| --- | --- | --- | --- |")?;
        let first = &decisions.input;
        writeln!(f, "| {} | {} | the titles | {} |", first.kind, first.num_titles, first.terms)?;
        for joined in &decisions.joins {
            let Decisions { num_titles, .. } = decisions;
            writeln!(
                f,
                "| {} | {} | {:.1} % of {num_titles} | {} |",
                joined.input.kind,
                joined.input.num_titles,
                100.0 * joined.rate,
                joined.input.terms
            )?;
        }
        writeln!(f, "\nThe strictest of these terms holds for the whole.\n")
    }

    fn missing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## What is missing\n\n| column | reason | titles |\n| --- | --- | --- |")?;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for missing in self.notes.iter().flat_map(|notes| &notes.missing) {
            *counts.entry(missing).or_default() += 1;
        }
        for (missing, num_titles) in counts {
            let (column, reason) = missing.split_once(": ").unwrap_or((missing, ""));
            writeln!(f, "| {column} | {reason} | {num_titles} |")?;
        }
        let languages = self.cleaning.languages.iter().map(|(code, n)| format!("{code} {n}"));
        let languages: Vec<_> = languages.collect();
        writeln!(
            f,
            "\nLanguages of plots (ISO 639-3, told by trigrams): {}.\n",
            languages.join(", ")
        )
    }

    fn splits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "## Splits\n\n`{SPLITS_FILE}`: {} folds, groups whole, digest {}. Titles without genres \
             are in none.\n",
            self.folds.num_folds,
            self.folds.digest(self.catalog).short()
        )?;
        let sizes =
            (0..self.folds.num_folds).map(|fold| self.folds.rows_in(fold).len().to_string());
        writeln!(f, "Titles a fold: {}.\n", sizes.collect::<Vec<_>>().join(", "))
    }

    fn traps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |is: fn(&Notes) -> bool| self.notes.iter().filter(|notes| is(notes)).count();
        writeln!(f, "## Traps\n")?;
        writeln!(
            f,
            "- {} plots say what genre the film is (`leaky_sentences`), {} of them one that it has: \
             leave these sentences out, or figures will be too good.",
            count(|notes| !notes.leaky_sentences.is_empty()),
            count(|notes| notes.names_own_genre)
        )?;
        writeln!(
            f,
            "- {} titles may be duplicates (`duplicate_of`: an equal id, or equal name and year), \
             {} remakes (`remake_of`: an older film of the same name with a genre in common). \
             Both are candidates: look before you delete.",
            count(|notes| notes.duplicate_of.is_some()),
            count(|notes| notes.remake_of.is_some())
        )?;
        writeln!(
            f,
            "- Repaired: HTML in {} texts, encoding in {}.",
            self.cleaning.html.values().sum::<usize>(),
            self.cleaning.encoding.values().sum::<usize>()
        )
    }
}

fn genres(f: &mut fmt::Formatter<'_>, summary: &CatalogSummary) -> fmt::Result {
    let labelled = summary.num_labelled.max(1) as f64;
    writeln!(
        f,
        "## Genres\n\n{} genres, {:.2} a title (label cardinality), density {:.3}.\n",
        summary.genres.len(),
        summary.label_cardinality,
        summary.label_density
    )?;
    let most = summary.genres.iter().map(|genre| genre.num_titles).max().unwrap_or(0);
    writeln!(
        f,
        "| genre | titles | share | imbalance (most common : this) |\n| --- | --- | --- | --- |"
    )?;
    for genre in &summary.genres {
        writeln!(
            f,
            "| {} | {} | {:.1} % | {:.1} |",
            genre.name,
            genre.num_titles,
            100.0 * genre.num_titles as f64 / labelled,
            most as f64 / genre.num_titles.max(1) as f64
        )?;
    }
    writeln!(f, "\n![How often genres occur together]({CO_OCCURRENCE_FILE})\n")
}
