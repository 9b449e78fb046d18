//! From scores to decisions: a threshold per genre, and restraint where a genre is rare.
//!
//! in: out-of-fold or validation scores `[titles, genres]` (one scale for all genres:
//! probabilities), labels
//! out: a finite threshold per genre; decided is `score >= threshold`
//! source: Fan & Lin 2007, "A study on threshold selection for multi-label classification"
//! (why the per-genre optimum overfits on rare genres)

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::ranking::{self, pr_curve};

/// The precisions that models keep thresholds for.
pub const USUAL_PRECISIONS: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// The threshold of a genre that is never decided: above every probability.
pub const NEVER: f64 = 2.0;

/// One threshold per genre at which a precision is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtPrecision {
    /// The precision, in 0..1.
    pub precision: f64,
    /// `[genres]`: `None` where no threshold reaches it.
    pub thresholds: Vec<Option<f64>>,
}

impl AtPrecision {
    /// Fits each genre's [`for_precision`] on held-out scores.
    ///
    /// # Panics
    /// The shapes differ.
    #[must_use]
    pub fn fit(scores: ArrayView2<'_, f64>, labels: ArrayView2<'_, bool>, precision: f64) -> Self {
        let thresholds =
            ranking::columns(scores, labels).map(|(s, l)| for_precision(&s, &l, precision));
        Self { precision, thresholds: thresholds.collect() }
    }

    /// `[genres]`, with [`NEVER`] where no threshold reaches the precision.
    #[must_use]
    pub fn or_never(&self) -> Vec<f64> {
        self.thresholds.iter().map(|threshold| threshold.unwrap_or(NEVER)).collect()
    }
}

/// The lowest threshold whose decisions are right at least this often, one wrong decision more
/// being counted than there was: 0.9 needs nine right ones at least, so that no genre gets a
/// threshold by the luck of a few titles. `None` where there is no such threshold.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn for_precision(scores: &[f64], labels: &[bool], precision: f64) -> Option<f64> {
    lowest_where(scores, labels, |right, decided| right / (decided + 1.0) >= precision - 1e-12)
}

/// The lowest threshold with decisions that are right in so many of so many.
fn lowest_where(scores: &[f64], labels: &[bool], holds: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let curve = pr_curve(scores, labels);
    let positives = labels.iter().filter(|&&l| l).count() as f64;
    curve.thresholds.iter().enumerate().find_map(|(k, &threshold)| {
        let right = (curve.recall[k] * positives).round();
        let decided = if curve.precision[k] > 0.0 { right / curve.precision[k] } else { 0.0 };
        (right > 0.0 && holds(right, decided)).then_some(threshold)
    })
}

/// The lowest threshold whose decisions are wrong at most half as often as the genre given to
/// every title would be: of a genre that every second film has, three in four must be right; of a
/// rare one, one in two. By the count of [`for_precision`]; `None` where there is no such
/// threshold, so that the scores know hardly more than the prior.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn half_the_error_of_the_prior(scores: &[f64], labels: &[bool]) -> Option<f64> {
    for_precision(scores, labels, half_way_from_the_prior(labels))
}

/// As [`half_the_error_of_the_prior`], but by the lower end of the 95 % interval of the precision:
/// for titles so few that the best of all thresholds is the best by luck. A genre that every
/// tenth title has wants five right decisions in a row, one that every second has twelve.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn surely_half_the_error_of_the_prior(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let wanted = half_way_from_the_prior(labels);
    lowest_where(scores, labels, |right, decided| wilson_lower(right, decided) >= wanted)
}

/// The precision at which a genre's decisions are wrong half as often as naming it always.
fn half_way_from_the_prior(labels: &[bool]) -> f64 {
    let positives = labels.iter().filter(|&&l| l).count() as f64;
    f64::midpoint(1.0, positives / labels.len().max(1) as f64)
}

/// The lower end of the 95 % interval of a share (Wilson 1927, "Probable inference, the law of
/// succession, and statistical inference").
fn wilson_lower(right: f64, decided: f64) -> f64 {
    const Z: f64 = 1.959_963_984_540_054;
    let (share, z2) = (right / decided, Z * Z / decided);
    let spread = Z * (share.mul_add(1.0 - share, z2 / 4.0) / decided).sqrt();
    (share + z2 / 2.0 - spread) / (1.0 + z2)
}

/// The threshold with the best F1: half-way between the lowest score that is decided and the
/// next one below; the lowest score itself where everything is decided. Of equally good ones,
/// the highest.
///
/// Always finite for finite scores. Without positives no threshold is better than another: it is
/// just above the highest score, so that nothing is decided; 0.5 without any title.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn best_f1(scores: &[f64], labels: &[bool]) -> f64 {
    let curve = pr_curve(scores, labels);
    let Some(&highest) = curve.thresholds.last() else { return 0.5 };
    if !labels.contains(&true) {
        return highest.next_up();
    }
    let f1 = |k: usize| {
        let (p, r) = (curve.precision[k], curve.recall[k]);
        if p + r == 0.0 { 0.0 } else { 2.0 * p * r / (p + r) }
    };
    // Rounding must not decide between equal ones: a later (higher) one wins within 1e-12.
    let best = (0..curve.thresholds.len())
        .reduce(|best, k| if f1(k) >= f1(best) - 1e-12 { k } else { best })
        .unwrap_or(0);
    let decided = curve.thresholds[best];
    let Some(&below) = best.checked_sub(1).and_then(|k| curve.thresholds.get(k)) else {
        return decided;
    };
    let middle = below.midpoint(decided);
    if middle > below && middle <= decided { middle } else { decided }
}

/// One threshold per genre: each genre's own [`best_f1`], pulled toward the threshold of best
/// micro F1 over all genres as if that came with `shrink_support` positives of its own:
/// `(n * own + shrink_support * pooled) / (n + shrink_support)` for a genre with `n` positives.
///
/// 0 trusts every genre's own optimum (genres without positives still get the pooled threshold);
/// infinity gives every genre the pooled one.
///
/// # Panics
/// The shapes differ, or `shrink_support` is negative or NaN.
#[must_use]
pub fn fit_thresholds(
    scores: ArrayView2<'_, f64>,
    labels: ArrayView2<'_, bool>,
    shrink_support: f64,
) -> Vec<f64> {
    assert!(shrink_support >= 0.0, "`shrink_support` must be 0 or more, got {shrink_support}");
    let pooled = pooled_threshold(scores, labels);
    ranking::columns(scores, labels)
        .map(|(s, l)| {
            let positives = l.iter().filter(|&&l| l).count() as f64;
            if positives == 0.0 || shrink_support.is_infinite() {
                return pooled;
            }
            let share = positives / (positives + shrink_support);
            share * best_f1(&s, &l) + (1.0 - share) * pooled
        })
        .collect()
}

/// The one threshold of best micro F1 over all genres.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn pooled_threshold(scores: ArrayView2<'_, f64>, labels: ArrayView2<'_, bool>) -> f64 {
    assert_eq!(scores.dim(), labels.dim(), "one score for each label");
    let scores: Vec<f64> = scores.iter().copied().collect();
    let labels: Vec<bool> = labels.iter().copied().collect();
    best_f1(&scores, &labels)
}

/// Decisions `[titles, genres]`: `score >= threshold`. NaN is never decided.
///
/// # Panics
/// There is not one threshold per genre.
#[must_use]
pub fn decide(scores: ArrayView2<'_, f64>, thresholds: &[f64]) -> Array2<bool> {
    assert_eq!(scores.ncols(), thresholds.len(), "one threshold for each genre");
    Array2::from_shape_fn(scores.dim(), |(t, g)| scores[[t, g]] >= thresholds[g])
}

/// [`decide`], and a title that would get no genre gets the one whose score comes nearest to its
/// threshold (the first of equals): for libraries in which every film has a genre.
///
/// # Panics
/// There is not one threshold per genre.
#[must_use]
pub fn decide_at_least_one(scores: ArrayView2<'_, f64>, thresholds: &[f64]) -> Array2<bool> {
    let mut decisions = decide(scores, thresholds);
    for (mut row, scores) in decisions.rows_mut().into_iter().zip(scores.rows()) {
        if row.iter().any(|&d| d) {
            continue;
        }
        let mut nearest: Option<(usize, f64)> = None;
        for (g, (&score, &threshold)) in scores.iter().zip(thresholds).enumerate() {
            let margin = score - threshold;
            if margin > nearest.map_or(f64::NEG_INFINITY, |(_, best)| best) {
                nearest = Some((g, margin));
            }
        }
        if let Some((g, _)) = nearest {
            row[g] = true;
        }
    }
    decisions
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    #[test]
    fn best_threshold_by_hand() {
        // Deciding the two highest: P 1, R 1.
        assert_eq!(best_f1(&[0.9, 0.7, 0.3], &[true, true, false]), 0.5);
        // Everything decided is best: the lowest score itself.
        assert_eq!(best_f1(&[0.9, 0.7, 0.3], &[false, false, true]), 0.3);
        // Equally good (F1 2/3): cut after the first (P 1, R 1/2) or after the fourth
        // (P 1/2, R 1): the higher one.
        assert_eq!(best_f1(&[0.8, 0.6, 0.4, 0.2], &[true, false, false, true]), 0.7);
        // Neighbouring floats have no midpoint between them.
        let high = 0.5_f64.next_up();
        assert_eq!(best_f1(&[high, 0.5], &[true, false]), high);
    }

    #[test]
    fn genres_without_positives_are_never_decided_and_get_the_pooled_threshold() {
        let t = best_f1(&[0.2, 0.6], &[false, false]);
        assert!(t > 0.6 && t < 0.600_001);
        assert_eq!(best_f1(&[], &[]), 0.5);
        let scores = array![[0.9, 0.3], [0.7, 0.1], [0.3, 0.2]];
        let labels = array![[true, false], [true, false], [false, false]];
        let pooled = pooled_threshold(scores.view(), labels.view());
        assert_eq!(pooled, 0.5);
        assert_eq!(fit_thresholds(scores.view(), labels.view(), 0.0), [0.5, 0.5]);
    }

    #[test]
    fn rare_genres_lean_on_the_pooled_threshold() {
        let scores = array![[0.9, 0.2], [0.8, 0.1], [0.7, 0.0], [0.1, 0.0], [0.0, 0.0]];
        let labels =
            array![[true, true], [true, false], [true, false], [false, false], [false, false]];
        // Pooled: all of [0.9 0.8 0.7 0.2] -> 0.15; own: 0.4 and 0.15.
        let own = fit_thresholds(scores.view(), labels.view(), 0.0);
        assert!((own[0] - 0.4).abs() < 1e-12 && (own[1] - 0.15).abs() < 1e-12, "{own:?}");
        let shrunk = fit_thresholds(scores.view(), labels.view(), 1.0);
        assert!((shrunk[0] - (3.0 * 0.4 + 0.15) / 4.0).abs() < 1e-12, "{shrunk:?}");
        let pooled = fit_thresholds(scores.view(), labels.view(), f64::INFINITY);
        assert_eq!(pooled[0], pooled[1]);
    }

    #[test]
    fn a_precision_is_reached_by_enough_decisions_or_not_at_all() {
        // Right among the k highest, plus one wrong: 1/2, 2/3, 2/4, 3/5.
        let (scores, labels) = ([0.9, 0.8, 0.7, 0.6], [true, true, false, true]);
        assert_eq!(for_precision(&scores, &labels, 0.6), Some(0.6));
        assert_eq!(for_precision(&scores, &labels, 0.61), Some(0.8));
        assert_eq!(for_precision(&scores, &labels, 0.7), None);
        assert_eq!(for_precision(&scores, &[false; 4], 0.1), None);
        assert_eq!(for_precision(&[], &[], 0.5), None);
        // Nine right ones are what 0.9 needs.
        let high: Vec<f64> = (0..9).map(f64::from).collect();
        assert_eq!(for_precision(&high, &[true; 9], 0.9), Some(0.0));
        assert_eq!(for_precision(&high[1..], &[true; 8], 0.9), None);
        let table = Array2::from_shape_vec((4, 1), scores.to_vec()).unwrap();
        let labels = Array2::from_shape_vec((4, 1), labels.to_vec()).unwrap();
        let never = AtPrecision::fit(table.view(), labels.view(), 0.9);
        assert_eq!((never.thresholds.clone(), never.or_never()), (vec![None], vec![NEVER]));
    }

    #[test]
    fn a_tag_halves_the_error_of_naming_the_genre_blindly_or_is_none() {
        // Every second title: three in four must be right, and one wrong one is added.
        let scores: Vec<f64> = (0..8).map(|k| 1.0 - f64::from(k) / 10.0).collect();
        let perfect = [true, true, true, true, false, false, false, false];
        assert_eq!(half_the_error_of_the_prior(&scores, &perfect), Some(scores[3]));
        let blind = [true, false, true, false, true, false, true, false];
        assert_eq!(half_the_error_of_the_prior(&scores, &blind), None);
        // One in eight: one in two would do, and the one right decision is counted with a wrong.
        let rare = [false, true, false, false, false, false, false, false];
        assert_eq!(half_the_error_of_the_prior(&scores, &rare), None);
        assert_eq!(half_the_error_of_the_prior(&[], &[]), None);
    }

    #[test]
    fn few_titles_do_not_warrant_a_threshold() {
        // Wilson's intervals of 9 in 10 and 45 in 50, from his formula by hand.
        assert!((wilson_lower(9.0, 10.0) - 0.595_850).abs() < 1e-6);
        assert!((wilson_lower(45.0, 50.0) - 0.786_398).abs() < 1e-6);
        let scores: Vec<f64> = (0..48).map(|k| 1.0 - f64::from(k) / 50.0).collect();
        let first = |right: usize| -> Vec<bool> { (0..48).map(|k| k < right).collect() };
        // One in eight, so 0.5625: five right in a row show at least 0.566, four 0.510.
        let six = first(6);
        assert_eq!(half_the_error_of_the_prior(&scores, &six), Some(scores[8]));
        assert_eq!(surely_half_the_error_of_the_prior(&scores, &six), Some(scores[5]));
        let four = first(4);
        assert!(half_the_error_of_the_prior(&scores, &four).is_some());
        assert_eq!(surely_half_the_error_of_the_prior(&scores, &four), None);
        assert_eq!(surely_half_the_error_of_the_prior(&[], &[]), None);
    }

    #[test]
    fn a_title_below_every_threshold_gets_the_nearest_genre() {
        let scores = array![[0.4, 0.2], [0.6, 0.2], [f64::NAN, f64::NAN]];
        let thresholds = [0.5, 0.25];
        assert_eq!(
            decide(scores.view(), &thresholds),
            array![[false, false], [true, false], [false, false]]
        );
        assert_eq!(
            decide_at_least_one(scores.view(), &thresholds),
            array![[false, true], [true, false], [false, false]]
        );
    }

    proptest! {
        #[test]
        fn no_other_threshold_is_better(
            items in prop::collection::vec((0_u8..12, any::<bool>()), 1..40),
        ) {
            let scores: Vec<f64> = items.iter().map(|&(s, _)| f64::from(s) / 12.0).collect();
            let labels: Vec<bool> = items.iter().map(|&(_, l)| l).collect();
            let f1 = |threshold: f64| {
                let mut counts = super::super::Counts::default();
                for (&s, &l) in scores.iter().zip(&labels) {
                    counts.add(s >= threshold, l, 1.0);
                }
                counts.f1()
            };
            let best = f1(best_f1(&scores, &labels));
            for &s in &scores {
                prop_assert!(best >= f1(s) - 1e-12, "{best} < {} at {s}", f1(s));
            }
        }
    }
}
