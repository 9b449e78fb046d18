//! What an ablation says: which modality is worth what, with what certainty.
//!
//! in: held-out scores of every system over seeds ([`AblationEvidence`])
//! out: `ablation.html`, `ablation.md`, `ablation.json` and a CSV file for each table

mod assemble;
mod tables;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use assemble::{AblationEvidence, DroppedEvidence, SystemEvidence, ViewEvidence};
use eval::{Headline, Interval, MethodDifference, PairedDifference, significance::holm};

use super::{Circumstances, Provenance, ReportError, csv, publish, render};

/// Names of the files in the run folder.
pub const HTML_FILE: &str = "ablation.html";
const MARKDOWN_FILE: &str = "ablation.md";
const JSON_FILE: &str = "ablation.json";
/// All files that [`write()`] may write.
pub const FILES: [&str; 8] = [
    HTML_FILE,
    MARKDOWN_FILE,
    JSON_FILE,
    "ablation-systems.csv",
    "ablation-tests.csv",
    "ablation-genres.csv",
    "ablation-shapley.csv",
    "ablation-missing.csv",
];

/// All figures of an ablation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AblationReport {
    /// What was studied, for people.
    pub title: String,
    /// What a reader must know before the figures.
    pub notes: Vec<String>,
    /// What the figures stand on.
    pub provenance: Provenance,
    /// When, where and how long; not in the JSON.
    #[serde(skip)]
    pub circumstances: Circumstances,
    /// Names of the modalities.
    pub modalities: Vec<String>,
    /// Names of the genres.
    pub genres: Vec<String>,
    /// `[genres]`: held-out titles that have each.
    #[serde(default)]
    pub genre_positives: Vec<usize>,
    /// Held-out titles.
    pub num_titles: usize,
    /// Seeds that every figure is a mean over.
    pub num_seeds: usize,
    /// Folds.
    pub num_folds: usize,
    /// Coverage of all intervals.
    pub interval_level: f64,
    /// Resamples behind all intervals, and draws behind all tests.
    pub num_resamples: usize,
    /// The reference first.
    pub systems: Vec<SystemRow>,
    /// What each modality is worth; `None` where not every subset was tried.
    pub shapley: Option<Shapley>,
    /// The reference with modalities missing at scoring, all subsets of what is present.
    pub missing: Vec<MissingRow>,
    /// The reference against zeros in the place of masks.
    pub dropped: Option<DroppedReport>,
}

/// One system: a head on some of the modalities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemRow {
    /// Its name.
    pub name: String,
    /// Its head.
    pub head: String,
    /// `[modalities]`: whether it has it.
    pub uses: Vec<bool>,
    /// Mean over seeds, with intervals over titles.
    pub figures: Headline<Interval>,
    /// Standard deviation over seeds; 0 for one.
    pub seed_sd: Headline<f64>,
    /// The reference minus this one; `None` for the reference itself.
    pub loss: Option<Headline<Tested>>,
    /// `[genres]`: average precision, mean over seeds.
    pub genre_ap: Vec<Option<f64>>,
    /// `[genres]`: F1, mean over seeds.
    pub genre_f1: Vec<f64>,
}

/// A difference with all that is known of its certainty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// With its bootstrap interval.
    pub difference: Interval,
    /// Paired bootstrap, two-sided.
    pub bootstrap_p: f64,
    /// Approximate randomisation, two-sided.
    pub randomisation_p: f64,
    /// The latter after Holm's correction over all systems of the table, for this figure alone.
    pub holm_p: f64,
    /// Corrected resampled t-test over folds; `None` where there are no folds that both share.
    #[serde(default)]
    pub methods: Option<MethodDifference>,
}

impl Tested {
    /// All tests' results together, not yet corrected.
    pub(super) fn of(
        paired: &Headline<PairedDifference>,
        exchanged: &Headline<f64>,
        methods: Option<&Headline<MethodDifference>>,
    ) -> Headline<Self> {
        Headline::from_fn(|k| {
            let (paired, p) = (*paired.entries()[k].1, *exchanged.entries()[k].1);
            Self {
                difference: paired.difference,
                bootstrap_p: paired.p_value,
                randomisation_p: p,
                holm_p: p,
                methods: methods.map(|methods| *methods.entries()[k].1),
            }
        })
    }

    /// Sets Holm's correction over several comparisons, figure by figure.
    pub(super) fn correct(comparisons: &mut [&mut Headline<Self>]) {
        for k in 0..Headline::<()>::default().entries().len() {
            let p_values: Vec<f64> =
                comparisons.iter().map(|tested| tested.entries()[k].1.randomisation_p).collect();
            for (tested, holm_p) in comparisons.iter_mut().zip(holm(&p_values)) {
                tested.entry_mut(k).holm_p = holm_p;
            }
        }
    }
}

/// Shapley values of the modalities in units of average precision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shapley {
    /// `[genres, modalities]`
    pub genres: Vec<Vec<f64>>,
    /// `[genres]`: what guessing gives, the value of no modality.
    pub guess: Vec<f64>,
    /// `[modalities]`: of mAP.
    pub map: Vec<f64>,
    /// `[modalities]`: of macro F1, no modality being worth 0.
    pub macro_f1: Vec<f64>,
    /// The largest of `genres` in size, for plots.
    pub largest: f64,
}

/// The reference scored with modalities missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MissingRow {
    /// `[modalities]`: whether it is present at scoring.
    pub present: Vec<bool>,
    /// Mean over seeds, with intervals over titles.
    pub figures: Headline<Interval>,
    /// The same head trained on these modalities alone.
    pub retrained: Option<Headline<f64>>,
    /// `[genres]`: average precision, mean over seeds.
    pub genre_ap: Vec<Option<f64>>,
}

/// Masks against zeros where inputs are dropped at random.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DroppedReport {
    /// How often an input is dropped.
    pub frac: f64,
    /// The reference: modality dropout in training, masks in scoring.
    pub aware: Headline<Interval>,
    /// The same head without modality dropout, zeros in the place of what is missing.
    pub zeros: Headline<Interval>,
    /// The first minus the second.
    pub gain: Headline<Tested>,
}

/// Writes page, text, JSON and tables into `folder`; gives the paths, the page first.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, report: &AblationReport) -> Result<Vec<PathBuf>, ReportError> {
    let mut written = vec![
        publish(folder, HTML_FILE, &render::ablation_html(report)?)?,
        publish(folder, MARKDOWN_FILE, &render::ablation_markdown(report)?)?,
    ];
    for table in tables::tables(report) {
        written.push(csv::write(folder, &table)?);
    }
    written.push(publish(folder, JSON_FILE, &base::json::pretty(report))?);
    debug_assert!(written.iter().all(|path| FILES.iter().any(|name| path.ends_with(name))));
    Ok(written)
}

#[cfg(test)]
mod tests;
