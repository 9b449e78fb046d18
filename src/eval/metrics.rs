//! Everything that is measured of one set of scores and decisions.
//!
//! in: `scores`, `decisions`, `labels`, all `[titles, genres]`; labels that are not known are in
//! no figure
//! out: [`Metrics`]
//! reference: scikit-learn 1.x `precision_recall_fscore_support`, `average_precision_score`,
//! `roc_auc_score`, `accuracy_score`, `hamming_loss`, `jaccard_score`,
//! `label_ranking_average_precision_score`, `coverage_error`, `label_ranking_loss`, all with
//! `zero_division=0`; equal within 1e-12 (`scripts/golden/sklearn_metrics.py`)
//!
//! Genres without a positive title count in macro precision, recall, F1 and Jaccard (as 0, like
//! scikit-learn) but have no average precision and no AUC: mAP, weighted AP and macro AUC are
//! means over the genres that have one. scikit-learn, asked for all genres, would count their AP
//! as 0 and refuse the AUC.
//!
//! Always over the whole split at once, never averaged over batches.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{
    counts::{Averages, Counts, ratio},
    labels::Labels,
    ranking::{self, Ranked},
};

/// What was measured. Ratios are in `[0, 1]`; higher is better but for Hamming loss, coverage
/// error, ranking loss and one-error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Number of titles that it stands on.
    pub num_titles: usize,
    /// Labels per title, mean.
    pub label_cardinality: f64,
    /// Decided genres per title, mean.
    pub decided_cardinality: f64,
    /// Over all decisions together.
    pub micro: Averages,
    /// Mean over genres.
    #[serde(rename = "macro")]
    pub macro_avg: Averages,
    /// Mean over genres, weighted by support.
    pub weighted: Averages,
    /// Mean over titles.
    pub samples: Averages,
    /// Mean average precision over the genres that have a positive.
    pub map: f64,
    /// Average precision over all (title, genre) pairs in one ranking; `None` without positives.
    pub micro_ap: Option<f64>,
    /// Mean average precision weighted by support.
    pub weighted_ap: f64,
    /// Area under the ROC curve over all pairs; `None` unless there are positives and negatives.
    pub micro_auc: Option<f64>,
    /// Mean over the genres that have positives and negatives; `None` where none has.
    pub macro_auc: Option<f64>,
    /// Share of titles with exactly the right genres.
    pub subset_accuracy: f64,
    /// Share of (title, genre) pairs that are wrong.
    pub hamming_loss: f64,
    /// Intersection over union over all decisions together.
    pub micro_jaccard: f64,
    /// Mean over genres.
    pub macro_jaccard: f64,
    /// Mean over titles.
    pub samples_jaccard: f64,
    /// Label ranking average precision.
    pub lrap: f64,
    /// How far down the ranking one must go to cover a title's genres, mean, in genres.
    pub coverage_error: f64,
    /// Share of wrongly ordered pairs of genres, mean over titles.
    pub ranking_loss: f64,
    /// Share of labelled titles whose first genre is wrong.
    pub one_error: f64,
    /// One entry a genre, in the vocabulary's order.
    pub genres: Vec<GenreMetrics>,
}

/// One genre's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GenreMetrics {
    /// Number of titles that have it.
    pub support: usize,
    /// Share of the decisions that are right.
    pub precision: f64,
    /// Share of the titles that were found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Average precision; `None` without positives.
    pub ap: Option<f64>,
    /// Area under the ROC curve; `None` unless there are positives and negatives.
    pub auc: Option<f64>,
}

impl Metrics {
    /// Measures. Without titles every ratio is 0.
    ///
    /// ```
    /// # use cinetag_eval as eval;
    /// use eval::metrics::Metrics;
    /// use ndarray::array;
    ///
    /// // Three titles, two genres.
    /// let scores = array![[0.9, 0.2], [0.8, 0.6], [0.3, 0.7]];
    /// let labels = array![[true, false], [false, true], [false, true]];
    /// let decisions = scores.mapv(|score| score >= 0.5);
    /// let metrics = Metrics::compute(scores.view(), decisions.view(), labels.view());
    /// assert_eq!(metrics.headline().micro_f1, 6.0 / 7.0);
    /// ```
    ///
    /// # Panics
    /// The shapes differ.
    #[must_use]
    pub fn compute<'a>(
        scores: ArrayView2<'_, f64>,
        decisions: ArrayView2<'_, bool>,
        labels: impl Into<Labels<'a>>,
    ) -> Self {
        let labels = labels.into();
        assert_eq!(scores.dim(), labels.dim(), "one score for each label");
        assert_eq!(decisions.dim(), labels.dim(), "one decision for each label");
        let (num_titles, num_genres) = labels.dim();

        let per_genre: Vec<Counts> =
            (0..num_genres).map(|g| Counts::of_genre(decisions, labels, g)).collect();
        let known: Vec<usize> = (0..num_titles).filter(|&t| labels.knows(t)).collect();
        let per_title: Vec<(f64, Counts)> =
            known.iter().map(|&t| Counts::of_title(decisions, labels, t)).collect();
        let mut pooled = Counts::default();
        for &counts in &per_genre {
            pooled += counts;
        }
        let all = labels.pooled(scores);
        let ranked_pairs = Ranked::of(&all);

        let genres: Vec<GenreMetrics> = labels
            .columns(scores)
            .zip(&per_genre)
            .map(|(column, counts)| {
                let ranked = Ranked::of(&column);
                GenreMetrics {
                    support: column.labels.iter().filter(|&&label| label).count(),
                    precision: counts.precision(),
                    recall: counts.recall(),
                    f1: counts.f1(),
                    ap: ranked.average_precision(|_| 1.0),
                    auc: ranked.roc_auc(|_| 1.0),
                }
            })
            .collect();

        let all_titles: f64 = per_title.iter().map(|(weight, _)| weight).sum();
        let over_titles = |figure: &dyn Fn(&Counts) -> f64| {
            ratio(per_title.iter().map(|(weight, c)| weight * figure(c)).sum(), all_titles)
        };
        let is_right = |counts: &Counts| {
            f64::from(u8::from(counts.false_positives + counts.false_negatives == 0.0))
        };
        let wrong = pooled.false_positives + pooled.false_negatives;
        Self {
            num_titles: known.len(),
            label_cardinality: ratio(pooled.support(), all_titles),
            decided_cardinality: ratio(pooled.true_positives + pooled.false_positives, all_titles),
            micro: pooled.averages(),
            macro_avg: Averages::weighted_mean(per_genre.iter().map(|c| (1.0, c.averages()))),
            weighted: Averages::weighted_mean(
                per_genre.iter().map(|c| (c.support(), c.averages())),
            ),
            samples: Averages::weighted_mean(per_title.iter().map(|(w, c)| (*w, c.averages()))),
            map: ranking::mean_of_defined(genres.iter().map(|g| g.ap)),
            micro_ap: ranked_pairs.average_precision(|_| 1.0),
            weighted_ap: ratio(
                per_genre.iter().zip(&genres).map(|(c, g)| c.support() * g.ap.unwrap_or(0.0)).sum(),
                pooled.support(),
            ),
            micro_auc: ranked_pairs.roc_auc(|_| 1.0),
            macro_auc: genres
                .iter()
                .any(|g| g.auc.is_some())
                .then(|| ranking::mean_of_defined(genres.iter().map(|g| g.auc))),
            subset_accuracy: over_titles(&is_right),
            hamming_loss: ratio(wrong, all.total()),
            micro_jaccard: pooled.jaccard(),
            macro_jaccard: ratio(per_genre.iter().map(Counts::jaccard).sum(), num_genres as f64),
            samples_jaccard: over_titles(&Counts::jaccard),
            lrap: ranking::lrap(scores, labels),
            coverage_error: ranking::coverage_error(scores, labels),
            ranking_loss: ranking::ranking_loss(scores, labels),
            one_error: ranking::one_error(scores, labels),
            genres,
        }
    }

    /// The figures that a run is known by.
    #[must_use]
    pub fn headline(&self) -> super::Headline<f64> {
        super::Headline {
            micro_f1: self.micro.f1,
            macro_f1: self.macro_avg.f1,
            weighted_f1: self.weighted.f1,
            samples_f1: self.samples.f1,
            map: self.map,
            lrap: self.lrap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headline;
    use ndarray::{Array2, Axis, array};
    use proptest::prelude::*;

    #[test]
    fn a_small_case_by_hand() {
        let scores = array![[0.9, 0.2, 0.7], [0.1, 0.8, 0.6]];
        let labels = array![[true, false, false], [false, true, true]];
        let decisions = array![[true, false, true], [false, true, false]];
        let m = Metrics::compute(scores.view(), decisions.view(), labels.view());
        // 2 right, 1 too many, 1 missed.
        assert_eq!(m.micro.f1, 2.0 / 3.0);
        assert!((m.macro_avg.f1 - 2.0 / 3.0).abs() < 1e-15); // 1, 1, 0
        assert!((m.samples.f1 - 2.0 / 3.0).abs() < 1e-15); // both titles: P, R = 1/2, 1 or 1, 1/2
        assert_eq!(m.subset_accuracy, 0.0);
        assert_eq!(m.hamming_loss, 2.0 / 6.0);
        assert_eq!(m.samples_jaccard, 0.5);
        assert_eq!((m.label_cardinality, m.decided_cardinality), (1.5, 1.5));
        // Genre 2: 0.7 is wrong, 0.6 right.
        assert_eq!(m.genres[2].ap, Some(0.5));
        assert_eq!(m.genres[2].auc, Some(0.0));
        assert!((m.map - 2.5 / 3.0).abs() < 1e-15);
        // Title 0 needs 1 genre, title 1 needs 2.
        assert_eq!(m.coverage_error, 1.5);
        assert_eq!((m.lrap, m.ranking_loss, m.one_error), (1.0, 0.0, 0.0));
    }

    #[test]
    fn nothing_at_all_is_zero_or_none() {
        let m = Metrics::compute(
            Array2::zeros((0, 2)).view(),
            Array2::from_elem((0, 2), false).view(),
            Array2::from_elem((0, 2), false).view(),
        );
        assert_eq!((m.num_titles, m.micro.f1, m.map, m.hamming_loss), (0, 0.0, 0.0, 0.0));
        assert_eq!((m.micro_ap, m.micro_auc, m.macro_auc), (None, None, None));
        assert_eq!(m.genres.len(), 2);
        let json = serde_json::to_string(&m).unwrap();
        assert_eq!(serde_json::from_str::<Metrics>(&json).unwrap(), m);
    }

    /// Random scores (with ties), decisions and labels `[titles, genres]`.
    fn tables() -> impl Strategy<Value = (Array2<f64>, Array2<bool>, Array2<bool>)> {
        (1_usize..12, 1_usize..6).prop_flat_map(|(titles, genres)| {
            let n = titles * genres;
            (
                prop::collection::vec((0_u8..6).prop_map(|k| f64::from(k) / 5.0), n),
                prop::collection::vec(any::<bool>(), n),
                prop::collection::vec(any::<bool>(), n),
            )
                .prop_map(move |(s, d, l)| {
                    let scores = Array2::from_shape_vec((titles, genres), s).unwrap();
                    let bools = |v| Array2::from_shape_vec((titles, genres), v).unwrap();
                    (scores, bools(d), bools(l))
                })
        })
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    proptest! {
        #[test]
        fn perfect_scores_are_perfect((_, _, labels) in tables()) {
            let scores = labels.mapv(|l| f64::from(u8::from(l)));
            let m = Metrics::compute(scores.view(), labels.view(), labels.view());
            prop_assert!(m.genres.iter().all(|g| g.ap.is_none_or(|ap| close(ap, 1.0))));
            prop_assert!(m.genres.iter().all(|g| g.auc.is_none_or(|auc| close(auc, 1.0))));
            prop_assert!(close(m.subset_accuracy, 1.0) && m.hamming_loss == 0.0);
            prop_assert!(m.one_error == 0.0 && m.ranking_loss == 0.0 && close(m.lrap, 1.0));
            if labels.iter().any(|&l| l) {
                prop_assert!(close(m.map, 1.0) && m.micro.f1 == 1.0 && close(m.weighted.f1, 1.0));
            }
        }

        #[test]
        fn the_order_of_titles_does_not_matter(
            (scores, decisions, labels) in tables(),
            keys in prop::collection::vec(any::<u32>(), 12),
        ) {
            let mut order: Vec<usize> = (0..labels.nrows()).collect();
            order.sort_by_key(|&i| keys[i]);
            let a = Metrics::compute(scores.view(), decisions.view(), labels.view());
            let b = Metrics::compute(
                scores.select(Axis(0), &order).view(),
                decisions.select(Axis(0), &order).view(),
                labels.select(Axis(0), &order).view(),
            );
            let (a, b) = (numbers(&a), numbers(&b));
            prop_assert_eq!(a.len(), b.len());
            prop_assert!(a.iter().zip(&b).all(|(x, y)| close(*x, *y)), "{:?} {:?}", a, b);
        }

        #[test]
        fn a_monotone_change_of_scores_changes_no_ranking(
            (scores, decisions, labels) in tables(),
        ) {
            let a = Metrics::compute(scores.view(), decisions.view(), labels.view());
            let bent = scores.mapv(|s| (3.0 * s).exp() - 7.0);
            let b = Metrics::compute(bent.view(), decisions.view(), labels.view());
            prop_assert_eq!(a, b);
        }

        #[test]
        fn ratios_stay_in_bounds_and_headlines_agree((scores, decisions, labels) in tables()) {
            let m = Metrics::compute(scores.view(), decisions.view(), labels.view());
            for ratio in [
                m.micro.f1, m.macro_avg.f1, m.weighted.f1, m.samples.f1, m.map, m.weighted_ap,
                m.subset_accuracy, m.hamming_loss, m.samples_jaccard, m.lrap, m.ranking_loss,
                m.one_error,
            ] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&ratio), "{ratio}");
            }
            prop_assert!(m.coverage_error <= labels.ncols() as f64);
            let quick = Headline::compute(scores.view(), decisions.view(), labels.view());
            for ((name, a), (_, b)) in quick.entries().iter().zip(m.headline().entries()) {
                prop_assert!(close(**a, *b), "{name}: {a} {b}");
            }
        }
    }

    /// All numbers of the metrics, in the order of their JSON.
    fn numbers(metrics: &Metrics) -> Vec<f64> {
        fn collect(value: &serde_json::Value, into: &mut Vec<f64>) {
            match value {
                serde_json::Value::Number(n) => into.extend(n.as_f64()),
                serde_json::Value::Array(items) => items.iter().for_each(|v| collect(v, into)),
                serde_json::Value::Object(map) => map.values().for_each(|v| collect(v, into)),
                _ => {}
            }
        }
        let mut into = Vec::new();
        collect(&serde_json::to_value(metrics).unwrap(), &mut into);
        into
    }
}
