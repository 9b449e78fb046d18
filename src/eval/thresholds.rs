//! From scores to decisions: a threshold per genre, and restraint where a genre is rare.
//!
//! in: out-of-fold or validation scores `[titles, genres]` (one scale for all genres:
//! probabilities), labels
//! out: a finite threshold per genre; decided is `score >= threshold`
//! source: Fan & Lin 2007, "A study on threshold selection for multi-label classification"
//! (why the per-genre optimum overfits on rare genres)
//!
//! A threshold for a precision is the lowest of many that reach it, so it is more often than not one
//! that reached it by luck. By the count alone, with one wrong decision more, tags came to 0.599,
//! 0.798 and 0.946 on other titles where 0.6, 0.8 and 0.95 were asked for, every second genre below;
//! by the bound of [`SURE`] deviates to 0.618, 0.815 and 0.956 (docs/heads.md, "Decisions").

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{
    counts::ratio,
    labels::{Column, Labels},
    ranking::{compare, pr_curve_of},
    shares::{Z_95, wilson},
};

/// The precisions that models keep thresholds for.
pub const USUAL_PRECISIONS: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// The normal deviate that one in ten lie above: a precision is reached where the lower end of its
/// one-sided 90 % interval reaches it.
pub const SURE: f64 = 1.281_551_565_544_600_4;

/// Fewer right decisions than this set no threshold for a precision: two of two have a lower end
/// above 0.5 already.
pub const MIN_RIGHT: usize = 10;

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
    pub fn fit<'a>(
        scores: ArrayView2<'_, f64>,
        labels: impl Into<Labels<'a>>,
        precision: f64,
    ) -> Self {
        let columns = labels.into().columns(scores);
        let thresholds = columns.map(|column| for_precision(&column, precision));
        Self { precision, thresholds: thresholds.collect() }
    }

    /// `[genres]`, with [`NEVER`] where no threshold reaches the precision.
    #[must_use]
    pub fn or_never(&self) -> Vec<f64> {
        self.thresholds.iter().map(|threshold| threshold.unwrap_or(NEVER)).collect()
    }
}

/// The lowest threshold whose decisions are right at least this often by the lower end of Wilson's
/// interval, [`SURE`] deviates wide, with [`MIN_RIGHT`] right ones at least, so that no genre gets
/// a threshold by the luck of a few titles: 0.5 needs 10 right ones in a row or 30 of 50, 0.9
/// fifteen in a row. `None` where there is no such threshold.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn for_precision(column: &Column, precision: f64) -> Option<f64> {
    lowest_where(column, |right, decided| {
        right >= MIN_RIGHT as f64 && wilson(right, decided, SURE).0 >= precision - 1e-12
    })
}

/// The lowest threshold with decisions that are right in so many of so many. Of titles that weigh
/// differently so many as say as much if they weigh the same (Kish 1965, "Survey sampling").
fn lowest_where(column: &Column, holds: impl Fn(f64, f64) -> bool) -> Option<f64> {
    if let Some(weights) = &column.weights {
        return lowest_of_weighed(column, weights, holds);
    }
    let curve = pr_curve_of(column);
    let positives = column.positives();
    curve.thresholds.iter().enumerate().find_map(|(k, &threshold)| {
        let right = (curve.recall[k] * positives).round();
        let decided = if curve.precision[k] > 0.0 { right / curve.precision[k] } else { 0.0 };
        (right > 0.0 && holds(right, decided)).then_some(threshold)
    })
}

/// The lowest threshold whose decisions are wrong at most half as often as the genre given to
/// every title would be: of a genre that every second film has, three in four must be right; of a
/// rare one, one in two. As sure as [`for_precision`]; `None` where there is no such
/// threshold, so that the scores know hardly more than the prior.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn half_the_error_of_the_prior(column: &Column) -> Option<f64> {
    for_precision(column, half_way_from_the_prior(column))
}

fn lowest_of_weighed(
    column: &Column,
    weights: &[f64],
    holds: impl Fn(f64, f64) -> bool,
) -> Option<f64> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| compare(column.scores[b], column.scores[a]));
    let (mut right, mut all, mut squares, mut lowest) = (0.0, 0.0, 0.0, None);
    for (k, &at) in order.iter().enumerate() {
        let weight = weights[at];
        right += if column.labels[at] { weight } else { 0.0 };
        all += weight;
        squares += weight * weight;
        let score = column.scores[at];
        let next = order.get(k + 1).map(|&next| column.scores[next]);
        if next.is_some_and(|next| compare(next, score) == Ordering::Equal) {
            continue; // equal scores are decided together
        }
        let as_many = all * all / squares;
        if right > 0.0 && holds(right / all * as_many, as_many) {
            lowest = Some(score);
        }
    }
    lowest
}

/// As [`half_the_error_of_the_prior`], but by the lower end of the 95 % interval of the precision:
/// for titles so few that the best of all thresholds is the best by luck. A genre that every
/// tenth title has wants five right decisions in a row, one that every second has twelve.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn surely_half_the_error_of_the_prior(column: &Column) -> Option<f64> {
    let wanted = half_way_from_the_prior(column);
    lowest_where(column, |right, decided| wilson(right, decided, Z_95).0 >= wanted)
}

/// The precision at which a genre's decisions are wrong half as often as naming it always.
fn half_way_from_the_prior(column: &Column) -> f64 {
    f64::midpoint(1.0, ratio(column.positives(), column.total()))
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
pub fn best_f1(column: &Column) -> f64 {
    let curve = pr_curve_of(column);
    let Some(&highest) = curve.thresholds.last() else { return 0.5 };
    if !column.labels.contains(&true) {
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
pub fn fit_thresholds<'a>(
    scores: ArrayView2<'_, f64>,
    labels: impl Into<Labels<'a>>,
    shrink_support: f64,
) -> Vec<f64> {
    let labels = labels.into();
    assert!(shrink_support >= 0.0, "`shrink_support` must be 0 or more, got {shrink_support}");
    let pooled = pooled_threshold(scores, labels);
    labels
        .columns(scores)
        .map(|column| {
            let positives = column.positives();
            if positives == 0.0 || shrink_support.is_infinite() {
                return pooled;
            }
            let share = positives / (positives + shrink_support);
            share * best_f1(&column) + (1.0 - share) * pooled
        })
        .collect()
}

/// The one threshold of best micro F1 over all genres.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn pooled_threshold<'a>(scores: ArrayView2<'_, f64>, labels: impl Into<Labels<'a>>) -> f64 {
    best_f1(&labels.into().pooled(scores))
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
        assert_eq!(best_f1(&Column::even(&[0.9, 0.7, 0.3], &[true, true, false])), 0.5);
        // Everything decided is best: the lowest score itself.
        assert_eq!(best_f1(&Column::even(&[0.9, 0.7, 0.3], &[false, false, true])), 0.3);
        // Equally good (F1 2/3): cut after the first (P 1, R 1/2) or after the fourth
        // (P 1/2, R 1): the higher one.
        assert_eq!(best_f1(&Column::even(&[0.8, 0.6, 0.4, 0.2], &[true, false, false, true])), 0.7);
        // Neighbouring floats have no midpoint between them.
        let high = 0.5_f64.next_up();
        assert_eq!(best_f1(&Column::even(&[high, 0.5], &[true, false])), high);
    }

    #[test]
    fn genres_without_positives_are_never_decided_and_get_the_pooled_threshold() {
        let t = best_f1(&Column::even(&[0.2, 0.6], &[false, false]));
        assert!(t > 0.6 && t < 0.600_001);
        assert_eq!(best_f1(&Column::even(&[], &[])), 0.5);
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

    /// Scores that fall from 1, with the labels of the first; all others are wrong.
    fn falling(labels: &[bool], num: usize) -> (Vec<f64>, Vec<bool>) {
        let scores = (0..num).map(|k| 1.0 - k as f64 / num as f64).collect();
        (scores, (0..num).map(|k| labels.get(k).copied().unwrap_or(false)).collect())
    }

    #[test]
    fn a_precision_is_reached_by_enough_decisions_or_not_at_all() {
        // n right in a row have the lower end n / (n + z²) = n / (n + 1.642): 0.9 needs fifteen.
        let (scores, labels) = falling(&[true; 15], 60);
        assert_eq!(for_precision(&Column::even(&scores, &labels), 0.9), Some(scores[14]));
        let (scores, labels) = falling(&[true; 14], 60);
        assert_eq!(for_precision(&Column::even(&scores, &labels), 0.9), None);
        assert_eq!(
            for_precision(&Column::even(&scores, &labels), 0.8),
            Some(scores[14]),
            "14 of 15: 0.801"
        );
        assert_eq!(for_precision(&Column::even(&scores, &[false; 60]), 0.1), None);
        assert_eq!(for_precision(&Column::even(&[], &[]), 0.5), None);
        let table = Array2::from_shape_vec((60, 1), scores.clone()).unwrap();
        let labels = Array2::from_shape_vec((60, 1), labels).unwrap();
        let never = AtPrecision::fit(table.view(), labels.view(), 0.9);
        assert_eq!((never.thresholds.clone(), never.or_never()), (vec![None], vec![NEVER]));
    }

    #[test]
    fn no_threshold_is_reached_by_the_luck_of_a_few() {
        // Two of two, nine of nine: the posters of rare genres, of which 4 of 20 were right.
        for right in [2, 9] {
            let (scores, labels) = falling(&vec![true; right], 400);
            assert_eq!(
                for_precision(&Column::even(&scores, &labels), 0.5),
                None,
                "{right} right ones"
            );
            assert_eq!(
                half_the_error_of_the_prior(&Column::even(&scores, &labels)),
                None,
                "{right} right ones"
            );
        }
        // The lowest of many thresholds that reach a precision reaches it by luck: on other titles
        // it is to hold. 60 genres of 400 titles, right as often as the score says.
        let mut rng = base::Seed(5).rng("luck");
        let mut draw = || -> (Vec<f64>, Vec<bool>) {
            let scores: Vec<f64> = (0..400).map(|k| (f64::from(k) / 400.0).powi(2)).collect();
            let labels = scores.iter().map(|&p| rand::RngExt::random_bool(&mut rng, p)).collect();
            (scores, labels)
        };
        for asked in [0.5, 0.8] {
            let mut promised: Vec<(usize, usize)> = Vec::new();
            for _ in 0..60 {
                let (scores, labels) = draw();
                let Some(threshold) = for_precision(&Column::even(&scores, &labels), asked) else {
                    continue;
                };
                let (others, labels) = draw();
                let decided = others.iter().zip(&labels).filter(|(s, _)| **s >= threshold);
                promised.push((decided.clone().filter(|(_, l)| **l).count(), decided.count()));
            }
            let short =
                |&&(right, decided): &&(usize, usize)| (right as f64) < asked * decided as f64;
            let num_short = promised.iter().filter(short).count();
            assert!(promised.len() > 50 && 3 * num_short < promised.len(), "{asked}: {num_short}");
        }
    }

    #[test]
    fn a_tag_halves_the_error_of_naming_the_genre_blindly_or_is_none() {
        // Every second title: three in four must be right, surely.
        let labels: Vec<bool> = (0..80).map(|k| k < 40).collect();
        let (scores, labels) = falling(&labels, 80);
        let threshold = half_the_error_of_the_prior(&Column::even(&scores, &labels)).unwrap();
        let decided = scores.iter().filter(|&&s| s >= threshold).count();
        assert_eq!(decided, 48, "40 right ones of 48 have the lower end 0.754, of 49 0.736");
        let blind: Vec<bool> = (0..80).map(|k| k % 2 == 0).collect();
        let (scores, blind) = falling(&blind, 80);
        assert_eq!(half_the_error_of_the_prior(&Column::even(&scores, &blind)), None);
        assert_eq!(half_the_error_of_the_prior(&Column::even(&[], &[])), None);
    }

    #[test]
    fn few_titles_do_not_warrant_a_threshold() {
        let scores: Vec<f64> = (0..48).map(|k| 1.0 - f64::from(k) / 50.0).collect();
        let first = |right: usize| -> Vec<bool> { (0..48).map(|k| k < right).collect() };
        // One in eight, so 0.5625: five right in a row show at least 0.566, four 0.510.
        let six = first(6);
        assert_eq!(half_the_error_of_the_prior(&Column::even(&scores, &six)), None);
        assert_eq!(
            surely_half_the_error_of_the_prior(&Column::even(&scores, &six)),
            Some(scores[5])
        );
        let four = first(4);
        assert_eq!(surely_half_the_error_of_the_prior(&Column::even(&scores, &four)), None);
        assert_eq!(surely_half_the_error_of_the_prior(&Column::even(&[], &[])), None);
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
            let best = f1(best_f1(&Column::even(&scores, &labels)));
            for &s in &scores {
                prop_assert!(best >= f1(s) - 1e-12, "{best} < {} at {s}", f1(s));
            }
        }
    }
}
