//! From held-out predictions to a report.
//!
//! in: probabilities and decisions of the fusion and of each modality alone, all
//! `[titles, genres]` over the same held-out titles in the same order
//! out: [`EvaluationReport`]

use base::Seed;
use eval::{
    BootstrapConfig, Groups, Headline, Imbalance, Metrics, PrCurve,
    bootstrap::{headline_differences, headline_intervals},
    headline::HeadlineTable,
    ranking::pr_curve,
};
use ndarray::{Array2, Array3, ArrayView2, Axis};

use super::{
    BorrowedReport, ReportError, errors,
    model::{
        AloneReport, Circumstances, EvaluationReport, FoldRow, GenreReport, LeakCheck,
        OperatingPoint, PresenceRow, Provenance, ReferenceRow, RepeatRow, SubsetFigures,
        TrainingCurve,
    },
    trust,
};

/// More points than a small plot can show.
const MAX_CURVE_POINTS: usize = 160;

/// All that was predicted for titles that the model had not seen.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What was evaluated, for people.
    pub title: String,
    /// What a reader must know before the figures.
    pub notes: Vec<String>,
    /// What the figures stand on.
    pub provenance: Provenance,
    /// When, where and how long.
    pub circumstances: Circumstances,
    /// `[genres]` names.
    pub genres: Vec<String>,
    /// `[modalities]` names.
    pub modalities: Vec<String>,
    /// `[titles]`: the fold in which each title was held out; all 0 for a single split.
    pub folds: Vec<usize>,
    /// Titles that belong together: drawn together for intervals.
    pub groups: Groups,
    /// `[titles, genres]`
    pub labels: Array2<bool>,
    /// `[titles, genres]`: the fusion's calibrated probabilities.
    pub probabilities: Array2<f64>,
    /// `[titles, genres]`
    pub decisions: Array2<bool>,
    /// `[genres]`: mean over folds, for display.
    pub thresholds: Vec<f64>,
    /// `[titles, modalities]`
    pub present: Array2<bool>,
    /// `[modalities]`
    pub alone: Vec<Alone>,
    /// `[genres, modalities]`, rows summing to 1, mean over folds; `None` where the head has none.
    pub fusion_weights: Option<Array2<f64>>,
    /// One per fold or member.
    pub training: Vec<TrainingCurve>,
    /// `[titles]`, or empty.
    pub titles: Vec<TitleFacts>,
    /// `[titles, genres, modalities]`: log-odds of each modality; `None` where the head has none.
    pub contributions: Option<Array3<f64>>,
    /// `[titles, genres]`: probabilities before calibration.
    pub uncalibrated: Option<Array2<f64>>,
    /// What asking for a precision gives.
    pub operating_points: Vec<OperatingPoint>,
    /// What is judged through other modalities.
    pub borrowed: Vec<BorrowedReport>,
    /// Checks for leaks that were made.
    pub leaks: Vec<LeakCheck>,
    /// `[titles]`: whether the plot names a genre of the title's own; or empty.
    pub names_genre: Vec<bool>,
    /// Further cross-validations.
    pub repeats: Vec<RepeatRow>,
    /// Figures of others.
    pub references: Vec<ReferenceRow>,
    /// Resamples for the intervals; 0 for none.
    pub num_resamples: usize,
    /// All randomness of the intervals.
    pub seed: Option<Seed>,
}

/// What is known of a title besides its scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TitleFacts {
    /// As in the catalog.
    pub id: String,
    /// The name people know it by.
    pub name: String,
    /// Year of release.
    pub year: Option<i32>,
    /// What happens in it.
    pub plot: Option<String>,
}

/// One modality as if it were the only one.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    /// `[titles, genres]`: its own probabilities; the genre's prior where it is missing.
    pub probabilities: Array2<f64>,
    /// `[titles, genres]`: by thresholds fitted for it alone.
    pub decisions: Array2<bool>,
}

impl Evidence {
    /// Measures everything.
    ///
    /// # Errors
    /// [`ReportError::Shape`] where the arrays do not belong together.
    pub fn assemble(self) -> Result<EvaluationReport, ReportError> {
        self.check()?;
        let labels = self.labels.view();
        let (num_titles, num_genres) = labels.dim();
        let config = BootstrapConfig {
            num_resamples: self.num_resamples,
            groups: self.groups.clone(),
            ..BootstrapConfig::new(self.seed.unwrap_or(Seed(0)))
        };
        let fusion = Metrics::compute(self.probabilities.view(), self.decisions.view(), labels);
        let table = HeadlineTable::new(self.probabilities.view(), self.decisions.view(), labels);

        let folds = self.fold_rows();
        let headlines: Vec<_> = folds.iter().map(|fold| fold.headline).collect();
        let (fold_mean, fold_sd) = Headline::mean_and_sd(&headlines);

        let mut alone = Vec::new();
        let mut alone_ap = Vec::new();
        for (m, (name, system)) in self.modalities.iter().zip(&self.alone).enumerate() {
            let (scores, decisions) = (system.probabilities.view(), system.decisions.view());
            let own = HeadlineTable::new(scores, decisions, labels);
            let on =
                |scores, decisions, rows: &[usize]| headline_of(scores, decisions, labels, rows);
            let rows = positions(num_titles, |t| self.present[[t, m]]);
            alone.push(AloneReport {
                modality: name.clone(),
                num_present: rows.len(),
                all: headline_intervals(&own, &config),
                fusion_gain: headline_differences(&table, &own, &config),
                present: on(scores, decisions, &rows),
                fusion_on_present: on(self.probabilities.view(), self.decisions.view(), &rows),
            });
            let metrics = Metrics::compute(scores, decisions, labels);
            alone_ap.push(metrics.genres.iter().map(|genre| genre.ap).collect::<Vec<_>>());
        }

        let chance = trust::chance(&self);
        let genres = (0..num_genres)
            .map(|g| GenreReport {
                name: self.genres[g].clone(),
                metrics: fusion.genres[g],
                prevalence: fusion.genres[g].support as f64 / num_titles.max(1) as f64,
                threshold: self.thresholds[g],
                alone_ap: alone_ap.iter().map(|aps| aps[g]).collect(),
                fusion_weights: self
                    .fusion_weights
                    .as_ref()
                    .map_or_else(Vec::new, |weights| weights.row(g).to_vec()),
                curve: thinned_curve(
                    &self.probabilities.column(g).to_vec(),
                    &labels.column(g).to_vec(),
                ),
                reliability: trust::reliability(
                    self.probabilities.column(g).iter(),
                    labels.column(g).iter(),
                    chance.as_ref().map(|chance| chance.genres[g]),
                ),
            })
            .collect();

        Ok(EvaluationReport {
            intervals: headline_intervals(&table, &config),
            interval_level: config.level,
            num_resamples: config.num_resamples,
            folds,
            fold_mean,
            fold_sd,
            alone,
            genres,
            reliability: trust::reliability(
                self.probabilities.iter(),
                labels.iter(),
                chance.map(|chance| chance.pooled),
            ),
            uncalibrated: self
                .uncalibrated
                .as_ref()
                .map(|p| trust::reliability(p.iter(), labels.iter(), None)),
            reasons: trust::reasons(&self),
            by_presence: self.by_presence(),
            imbalance: Imbalance::of(labels),
            without_naming: self.without_naming(),
            errors: errors::analyse(&self),
            operating_points: self.operating_points,
            borrowed: self.borrowed,
            leaks: self.leaks,
            repeats: self.repeats,
            co_occurrence: co_occurrence(labels),
            fusion,
            title: self.title,
            notes: self.notes,
            provenance: self.provenance,
            circumstances: self.circumstances,
            modalities: self.modalities,
            training: self.training,
            references: self.references,
        })
    }

    fn check(&self) -> Result<(), ReportError> {
        let (titles, genres) = self.labels.dim();
        let modalities = self.modalities.len();
        let weights = self.fusion_weights.as_ref().map_or((genres, modalities), Array2::dim);
        let mut shapes = vec![
            ("`genres`", vec![genres], vec![self.genres.len()]),
            ("`folds`", vec![titles], vec![self.folds.len()]),
            ("`groups`", vec![titles], vec![self.groups.num_titles().unwrap_or(titles)]),
            ("`thresholds`", vec![genres], vec![self.thresholds.len()]),
            ("`alone`", vec![modalities], vec![self.alone.len()]),
            ("`probabilities`", vec![titles, genres], self.probabilities.shape().to_vec()),
            ("`decisions`", vec![titles, genres], self.decisions.shape().to_vec()),
            ("`present`", vec![titles, modalities], self.present.shape().to_vec()),
            ("`fusion_weights`", vec![genres, modalities], vec![weights.0, weights.1]),
        ];
        // What may be left out.
        if !self.titles.is_empty() {
            shapes.push(("`titles`", vec![titles], vec![self.titles.len()]));
        }
        if !self.names_genre.is_empty() {
            shapes.push(("`names_genre`", vec![titles], vec![self.names_genre.len()]));
        }
        if let Some(contributions) = &self.contributions {
            let expected = vec![titles, genres, modalities];
            shapes.push(("`contributions`", expected, contributions.shape().to_vec()));
        }
        if let Some(uncalibrated) = &self.uncalibrated {
            let found = uncalibrated.shape().to_vec();
            shapes.push(("`uncalibrated`", vec![titles, genres], found));
        }
        for alone in &self.alone {
            let (p, d) = (alone.probabilities.shape(), alone.decisions.shape());
            shapes.push(("`alone.probabilities`", vec![titles, genres], p.to_vec()));
            shapes.push(("`alone.decisions`", vec![titles, genres], d.to_vec()));
        }
        match shapes.into_iter().find(|(_, expected, found)| expected != found) {
            None => Ok(()),
            Some((what, expected, found)) => Err(ReportError::Shape {
                what,
                expected: format!("{expected:?}"),
                found: format!("{found:?}"),
            }),
        }
    }

    fn fold_rows(&self) -> Vec<FoldRow> {
        let mut folds = self.folds.clone();
        folds.sort_unstable();
        folds.dedup();
        folds
            .into_iter()
            .map(|fold| {
                let rows = positions(self.folds.len(), |t| self.folds[t] == fold);
                let (scores, decisions) = (self.probabilities.view(), self.decisions.view());
                let headline = headline_of(scores, decisions, self.labels.view(), &rows);
                FoldRow { fold, num_titles: rows.len(), headline }
            })
            .collect()
    }

    fn by_presence(&self) -> Vec<PresenceRow> {
        let count = |t: usize| self.present.row(t).iter().filter(|&&p| p).count();
        (0..=self.modalities.len())
            .filter_map(|num_present| {
                let rows = positions(self.folds.len(), |t| count(t) == num_present);
                if rows.is_empty() {
                    return None;
                }
                let metrics = Metrics::compute(
                    self.probabilities.select(Axis(0), &rows).view(),
                    self.decisions.select(Axis(0), &rows).view(),
                    self.labels.select(Axis(0), &rows).view(),
                );
                Some(PresenceRow {
                    num_present,
                    num_titles: rows.len(),
                    micro: metrics.micro,
                    samples_f1: metrics.samples.f1,
                    lrap: metrics.lrap,
                })
            })
            .collect()
    }

    /// Where some plots name a genre of the title's own and others do not.
    fn without_naming(&self) -> Option<SubsetFigures> {
        if !self.names_genre.contains(&true) {
            return None;
        }
        let rows = positions(self.folds.len(), |t| !self.names_genre[t]);
        let (scores, decisions) = (self.probabilities.view(), self.decisions.view());
        Some(SubsetFigures {
            num_titles: rows.len(),
            headline: headline_of(scores, decisions, self.labels.view(), &rows),
        })
    }
}

pub(super) fn positions(num_titles: usize, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..num_titles).filter(|&t| wanted(t)).collect()
}

fn headline_of(
    scores: ArrayView2<'_, f64>,
    decisions: ArrayView2<'_, bool>,
    labels: ArrayView2<'_, bool>,
    rows: &[usize],
) -> Headline<f64> {
    Headline::compute(
        scores.select(Axis(0), rows).view(),
        decisions.select(Axis(0), rows).view(),
        labels.select(Axis(0), rows).view(),
    )
}

fn co_occurrence(labels: ArrayView2<'_, bool>) -> Vec<Vec<u64>> {
    let genres = labels.ncols();
    let mut counts = vec![vec![0; genres]; genres];
    for row in labels.rows() {
        for a in positions(genres, |g| row[g]) {
            for b in positions(genres, |g| row[g]) {
                counts[a][b] += 1;
            }
        }
    }
    counts
}

/// The curve with its ends and at most [`MAX_CURVE_POINTS`] points, evenly spread over recall.
fn thinned_curve(scores: &[f64], labels: &[bool]) -> PrCurve {
    if !labels.contains(&true) {
        return PrCurve::default();
    }
    let full = pr_curve(scores, labels);
    let last = full.recall.len() - 1;
    let mut thin = PrCurve::default();
    let mut next_recall = f64::INFINITY;
    for k in 0..=last {
        // Recall falls; of the points that share one the highest precision is the last.
        let ends_step = k == last || full.recall[k + 1] < full.recall[k];
        if ends_step && (full.recall[k] <= next_recall || k == last) {
            next_recall = full.recall[k] - 1.0 / MAX_CURVE_POINTS as f64;
            thin.precision.push(full.precision[k]);
            thin.recall.push(full.recall[k]);
            thin.thresholds.extend(full.thresholds.get(k));
        }
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_ends_and_bounds_the_points() {
        let scores: Vec<f64> = (0..5000).map(f64::from).collect();
        let labels: Vec<bool> = (0..5000).map(|i| i % 3 == 0).collect();
        let curve = thinned_curve(&scores, &labels);
        assert!(curve.recall.len() <= MAX_CURVE_POINTS + 2, "{}", curve.recall.len());
        assert_eq!((curve.recall[0], *curve.recall.last().unwrap()), (1.0, 0.0));
        assert_eq!(curve.thresholds.len() + 1, curve.recall.len());
        assert_eq!(thinned_curve(&[0.5], &[false]), PrCurve::default());
    }
}
