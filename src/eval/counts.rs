//! What decisions are worth: precision, recall, F1 and Jaccard from counts.
//!
//! in: true positives, false positives, false negatives
//! out: ratios in `[0, 1]`; 0 / 0 is 0
//! reference: scikit-learn `precision_recall_fscore_support` and `jaccard_score` with
//! `zero_division=0`

use std::ops::AddAssign;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::labels::Labels;

/// Counts of decisions against labels. They are `f64` so that titles may carry weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Decided and labelled.
    pub true_positives: f64,
    /// Decided, not labelled.
    pub false_positives: f64,
    /// Labelled, not decided.
    pub false_negatives: f64,
}

impl Counts {
    /// Counts over one genre's titles; `decisions` `[titles, genres]`.
    #[must_use]
    pub fn of_genre(decisions: ArrayView2<'_, bool>, labels: Labels<'_>, genre: usize) -> Self {
        let mut counts = Self::default();
        for title in 0..labels.dim().0 {
            let weight = labels.weight(title, genre);
            counts.add(decisions[[title, genre]], labels.has(title, genre), weight);
        }
        counts
    }

    /// What a title weighs, the mean of its known labels' weights, and the counts over its genres
    /// where it weighs 1. `decisions` `[titles, genres]`.
    #[must_use]
    pub fn of_title(
        decisions: ArrayView2<'_, bool>,
        labels: Labels<'_>,
        title: usize,
    ) -> (f64, Self) {
        let known: Vec<usize> =
            (0..labels.dim().1).filter(|&g| labels.weight(title, g) > 0.0).collect();
        let all: f64 = known.iter().map(|&genre| labels.weight(title, genre)).sum();
        let mean = if known.is_empty() { 1.0 } else { all / known.len() as f64 };
        let mut counts = Self::default();
        for genre in known {
            let weight = labels.weight(title, genre) / mean;
            counts.add(decisions[[title, genre]], labels.has(title, genre), weight);
        }
        (mean, counts)
    }

    /// Adds one decision with a weight.
    pub fn add(&mut self, decided: bool, labelled: bool, weight: f64) {
        match (decided, labelled) {
            (true, true) => self.true_positives += weight,
            (true, false) => self.false_positives += weight,
            (false, true) => self.false_negatives += weight,
            (false, false) => {}
        }
    }

    /// Number of labels.
    #[must_use]
    pub fn support(&self) -> f64 {
        self.true_positives + self.false_negatives
    }

    /// Share of the decisions that are right.
    #[must_use]
    pub fn precision(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the labels that were found.
    #[must_use]
    pub fn recall(&self) -> f64 {
        ratio(self.true_positives, self.support())
    }

    /// Harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let twice = 2.0 * self.true_positives;
        ratio(twice, twice + self.false_positives + self.false_negatives)
    }

    /// Intersection over union of decisions and labels.
    #[must_use]
    pub fn jaccard(&self) -> f64 {
        ratio(
            self.true_positives,
            self.true_positives + self.false_positives + self.false_negatives,
        )
    }

    /// Precision, recall and F1 together.
    #[must_use]
    pub fn averages(&self) -> Averages {
        Averages { precision: self.precision(), recall: self.recall(), f1: self.f1() }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
    }
}

/// Precision, recall and F1 averaged in one of the four ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// Share of the decisions that are right.
    pub precision: f64,
    /// Share of the labels that were found.
    pub recall: f64,
    /// Harmonic mean of the two, before averaging.
    pub f1: f64,
}

impl Averages {
    /// Weighted mean; all 0 where the weights sum to 0.
    #[must_use]
    pub fn weighted_mean(items: impl IntoIterator<Item = (f64, Self)>) -> Self {
        let mut sum = Self::default();
        let mut total = 0.0;
        for (weight, item) in items {
            sum.precision += weight * item.precision;
            sum.recall += weight * item.recall;
            sum.f1 += weight * item.f1;
            total += weight;
        }
        Self {
            precision: ratio(sum.precision, total),
            recall: ratio(sum.recall, total),
            f1: ratio(sum.f1, total),
        }
    }
}

/// `part / whole`, 0 where `whole` is 0.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn ratios_by_hand() {
        let decisions = array![[true], [true], [true], [false], [false]];
        let labels = array![[true], [true], [false], [true], [false]];
        let counts = Counts::of_genre(decisions.view(), labels.view().into(), 0);
        assert_eq!(
            counts,
            Counts { true_positives: 2.0, false_positives: 1.0, false_negatives: 1.0 }
        );
        assert_eq!(counts.precision(), 2.0 / 3.0);
        assert_eq!(counts.recall(), 2.0 / 3.0);
        assert_eq!(counts.f1(), 2.0 / 3.0);
        assert_eq!(counts.jaccard(), 0.5);
        assert_eq!(counts.support(), 3.0);
    }

    #[test]
    fn nothing_decided_and_nothing_labelled_is_zero() {
        let (weight, counts) =
            Counts::of_title(array![[false]].view(), array![[false]].view().into(), 0);
        assert_eq!(weight, 1.0);
        assert_eq!(counts.averages(), Averages::default());
        assert_eq!(counts.jaccard(), 0.0);
        assert_eq!(Averages::weighted_mean([]), Averages::default());
    }
}
