//! What an order of scores is worth, whatever the thresholds.
//!
//! in: scores and labels of one genre over titles (`&[f64]`, `&[bool]`), or of all genres
//! (`[titles, genres]`)
//! out: average precision, ROC-AUC, precision-recall curve; per title LRAP, coverage error,
//! ranking loss, one-error
//! source: Tsoumakas, Katakis & Vlahavas 2010, "Mining multi-label data" (the measures per title)
//! reference: scikit-learn `average_precision_score`, `roc_auc_score`, `precision_recall_curve`,
//! `label_ranking_average_precision_score`, `coverage_error`, `label_ranking_loss`
//!
//! Tied scores are one step: no order among them is made up.

use std::cmp::Ordering;

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{
    counts::ratio,
    labels::{Column, Labels},
};

/// One genre's titles sorted by falling score, so that weighted re-evaluations (a bootstrap)
/// need no second sort.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Title indices by falling score.
    order: Vec<usize>,
    /// In that order: whether the title has the genre.
    labels: Vec<bool>,
    /// In that order: whether this title is the last of its group of equal scores.
    ends_tie: Vec<bool>,
    /// `[titles]`: what each counts; `None`: 1.
    weights: Option<Vec<f64>>,
}

impl Ranked {
    /// Sorts.
    ///
    /// # Panics
    /// The lengths differ.
    #[must_use]
    pub fn new(scores: &[f64], labels: &[bool]) -> Self {
        assert_eq!(scores.len(), labels.len(), "one score for each label");
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| compare(scores[b], scores[a]));
        let ends_tie = (0..order.len())
            .map(|k| {
                order
                    .get(k + 1)
                    .is_none_or(|&next| compare(scores[order[k]], scores[next]) != Ordering::Equal)
            })
            .collect();
        let labels = order.iter().map(|&i| labels[i]).collect();
        Self { order, labels, ends_tie, weights: None }
    }

    /// Sorts all titles by their scores for a genre; those of which it is not known count nothing.
    /// `scores` `[titles, genres]`.
    #[must_use]
    pub fn of_genre(scores: ArrayView2<'_, f64>, labels: Labels<'_>, genre: usize) -> Self {
        let titles = 0..labels.dim().0;
        let has: Vec<bool> = titles.clone().map(|title| labels.has(title, genre)).collect();
        let weights = titles.map(|title| labels.weight(title, genre));
        Self::new(&scores.column(genre).to_vec(), &has)
            .weighing(labels.is_weighed().then(|| weights.collect()))
    }

    /// Sorts a genre's known titles.
    #[must_use]
    pub fn of(column: &Column) -> Self {
        Self::new(&column.scores, &column.labels).weighing(column.weights.clone())
    }

    /// The same where title `i` counts `weights[i]` times, and so often again in what it is asked.
    #[must_use]
    pub fn weighing(self, weights: Option<Vec<f64>>) -> Self {
        Self { weights, ..self }
    }

    /// Walks down the ranking and calls `step(position, positives, negatives)` at the end of each
    /// group of equal scores, with the weighted counts so far.
    fn walk(&self, weight: impl Fn(usize) -> f64, mut step: impl FnMut(usize, f64, f64)) {
        let (mut positives, mut negatives) = (0.0, 0.0);
        for (k, &title_idx) in self.order.iter().enumerate() {
            let count = if self.labels[k] { &mut positives } else { &mut negatives };
            *count += match &self.weights {
                None => weight(title_idx),
                Some(own) => own[title_idx] * weight(title_idx),
            };
            if self.ends_tie[k] {
                step(k, positives, negatives);
            }
        }
    }

    /// Average precision where title `i` counts `weight(i)` times; `None` without positives.
    pub fn average_precision(&self, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut sum, mut before) = (0.0, 0.0);
        self.walk(weight, |_, positives, negatives| {
            if positives > before {
                sum += (positives - before) * positives / (positives + negatives);
                before = positives;
            }
        });
        (before > 0.0).then(|| sum / before)
    }

    /// Area under the ROC curve where title `i` counts `weight(i)` times; `None` unless there
    /// are positives and negatives.
    pub fn roc_auc(&self, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut area, mut last) = (0.0, (0.0, 0.0));
        self.walk(weight, |_, positives, negatives| {
            area += (negatives - last.1) * (positives + last.0) / 2.0;
            last = (positives, negatives);
        });
        let pairs = last.0 * last.1;
        (pairs > 0.0).then(|| area / pairs)
    }
}

/// Average precision of one genre: the mean precision at each positive, ties as one step.
/// `None` without positives.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn average_precision(scores: &[f64], labels: &[bool]) -> Option<f64> {
    Ranked::new(scores, labels).average_precision(|_| 1.0)
}

/// Area under the ROC curve of one genre, ties counting half. `None` unless there are
/// positives and negatives.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn roc_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    Ranked::new(scores, labels).roc_auc(|_| 1.0)
}

/// Mean of the genres' average precisions (mAP) over `[titles, genres]`. Genres without a
/// positive have none and are left out (scikit-learn would count them as 0); 0 where no genre
/// has one.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn mean_average_precision<'a>(
    scores: ArrayView2<'_, f64>,
    labels: impl Into<Labels<'a>>,
) -> f64 {
    let columns = labels.into().columns(scores);
    mean_of_defined(columns.map(|column| Ranked::of(&column).average_precision(|_| 1.0)))
}

/// Mean of what is defined; 0 where nothing is.
pub fn mean_of_defined(values: impl IntoIterator<Item = Option<f64>>) -> f64 {
    let (sum, count) =
        values.into_iter().flatten().fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    ratio(sum, count)
}

/// Precision against recall over all thresholds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrCurve {
    /// `[points + 1]`, the last is 1: nothing decided.
    pub precision: Vec<f64>,
    /// `[points + 1]`, falling, the last is 0.
    pub recall: Vec<f64>,
    /// `[points]`, rising: the distinct scores.
    pub thresholds: Vec<f64>,
}

/// The precision-recall curve of one genre. Without positives recall is 1 everywhere but at
/// the last point, as with scikit-learn.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn pr_curve(scores: &[f64], labels: &[bool]) -> PrCurve {
    pr_curve_of(&Column::even(scores, labels))
}

/// [`pr_curve`] of a genre's known titles.
#[must_use]
pub fn pr_curve_of(column: &Column) -> PrCurve {
    let ranked = Ranked::of(column);
    let total = column.positives();
    let mut curve = PrCurve { precision: vec![1.0], recall: vec![0.0], thresholds: Vec::new() };
    ranked.walk(
        |_| 1.0,
        |k, positives, negatives| {
            curve.precision.push(ratio(positives, positives + negatives));
            curve.recall.push(if total == 0.0 { 1.0 } else { positives / total });
            curve.thresholds.push(column.scores[ranked.order[k]]);
        },
    );
    curve.precision.reverse();
    curve.recall.reverse();
    curve.thresholds.reverse();
    curve
}

/// One title's label ranking average precision: for each of its genres, the share of its genres
/// among all ranked at least as high. 1 where it has no genre or all of them.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn title_lrap(scores: ArrayView1<'_, f64>, labels: ArrayView1<'_, bool>) -> f64 {
    let num_labels = count(labels);
    if num_labels == 0 || num_labels == labels.len() {
        return 1.0;
    }
    let mut sum = 0.0;
    for (&score, _) in scores.iter().zip(labels).filter(|&(_, &l)| l) {
        let at_least = |other: f64| compare(other, score) != Ordering::Less;
        let (mut rank, mut hits) = (0.0, 0.0);
        for (&other, &label) in scores.iter().zip(labels) {
            if at_least(other) {
                rank += 1.0;
                hits += f64::from(u8::from(label));
            }
        }
        sum += hits / rank;
    }
    sum / num_labels as f64
}

/// How far down one title's ranking one must go to cover all its genres; 0 where it has none.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn title_coverage(scores: ArrayView1<'_, f64>, labels: ArrayView1<'_, bool>) -> f64 {
    assert_eq!(scores.len(), labels.len(), "one score for each label");
    let of_labels = scores.iter().zip(labels).filter(|&(_, &l)| l).map(|(&s, _)| s);
    match of_labels.min_by(|&a, &b| compare(a, b)) {
        Some(lowest) => {
            scores.iter().filter(|&&s| compare(s, lowest) != Ordering::Less).count() as f64
        }
        None => 0.0,
    }
}

/// Share of one title's (genre it has, genre it has not) pairs that are ordered wrongly or tied;
/// 0 where it has no genre or all of them.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn title_ranking_loss(scores: ArrayView1<'_, f64>, labels: ArrayView1<'_, bool>) -> f64 {
    assert_eq!(scores.len(), labels.len(), "one score for each label");
    let (mut wrong, mut pairs) = (0.0, 0.0);
    for (&yes, _) in scores.iter().zip(labels).filter(|&(_, &l)| l) {
        for (&no, _) in scores.iter().zip(labels).filter(|&(_, &l)| !l) {
            pairs += 1.0;
            wrong += f64::from(u8::from(compare(yes, no) != Ordering::Greater));
        }
    }
    ratio(wrong, pairs)
}

/// Whether one title's first genre is wrong: the share of wrong ones among those tied at the
/// top. `None` where the title has no genre.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn title_one_error(scores: ArrayView1<'_, f64>, labels: ArrayView1<'_, bool>) -> Option<f64> {
    assert_eq!(scores.len(), labels.len(), "one score for each label");
    if count(labels) == 0 {
        return None;
    }
    let top = scores.iter().copied().max_by(|&a, &b| compare(a, b))?;
    let (mut wrong, mut tied) = (0.0, 0.0);
    for (&score, &label) in scores.iter().zip(labels) {
        if compare(score, top) == Ordering::Equal {
            tied += 1.0;
            wrong += f64::from(u8::from(!label));
        }
    }
    Some(wrong / tied)
}

/// Label ranking average precision: mean of [`title_lrap`]; 0 without titles.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn lrap<'a>(scores: ArrayView2<'_, f64>, labels: impl Into<Labels<'a>>) -> f64 {
    mean_of_titles(scores, labels, |s, l| Some(title_lrap(s, l)))
}

/// Coverage error: mean of [`title_coverage`]; 0 without titles.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn coverage_error<'a>(scores: ArrayView2<'_, f64>, labels: impl Into<Labels<'a>>) -> f64 {
    mean_of_titles(scores, labels, |s, l| Some(title_coverage(s, l)))
}

/// Ranking loss: mean of [`title_ranking_loss`]; 0 without titles.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn ranking_loss<'a>(scores: ArrayView2<'_, f64>, labels: impl Into<Labels<'a>>) -> f64 {
    mean_of_titles(scores, labels, |s, l| Some(title_ranking_loss(s, l)))
}

/// One-error: mean of [`title_one_error`] over the titles that have a genre; 0 without any.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn one_error<'a>(scores: ArrayView2<'_, f64>, labels: impl Into<Labels<'a>>) -> f64 {
    mean_of_titles(scores, labels, title_one_error)
}

/// What a figure of single titles is of each, by their known genres, and what each title counts.
/// `None` of a title of which nothing is known.
pub(crate) fn of_titles<'a, 's, F>(
    scores: ArrayView2<'s, f64>,
    labels: Labels<'a>,
    figure: F,
) -> impl Iterator<Item = Option<(f64, f64)>> + use<'a, 's, F>
where
    F: Fn(ArrayView1<'_, f64>, ArrayView1<'_, bool>) -> Option<f64>,
{
    labels.rows(scores).map(move |row| {
        let value = figure(ArrayView1::from(&row.scores), ArrayView1::from(&row.labels))?;
        let is_known = !row.labels.is_empty() || labels.dim().1 == 0;
        is_known.then(|| (row.mean_weight(), value))
    })
}

fn mean_of_titles<'a>(
    scores: ArrayView2<'_, f64>,
    labels: impl Into<Labels<'a>>,
    figure: impl Fn(ArrayView1<'_, f64>, ArrayView1<'_, bool>) -> Option<f64>,
) -> f64 {
    let titles = of_titles(scores, labels.into(), figure).flatten();
    let (sum, all) = titles.fold((0.0, 0.0), |(sum, all), (w, v)| (sum + w * v, all + w));
    ratio(sum, all)
}

fn count(labels: ArrayView1<'_, bool>) -> usize {
    labels.iter().filter(|&&l| l).count()
}

/// Order of scores; NaN is below every number and equal to itself, -0 equals 0.
pub(crate) fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn average_precision_by_hand() {
        // Falling: yes, no, yes -> (1/1 + 2/3) / 2.
        let ap = average_precision(&[0.9, 0.5, 0.1], &[true, false, true]).unwrap();
        assert!((ap - 5.0 / 6.0).abs() < 1e-15);
        // All tied: one step, the prevalence.
        assert_eq!(average_precision(&[0.5; 4], &[true, false, false, false]), Some(0.25));
        assert_eq!(average_precision(&[0.5, 0.1], &[false, false]), None);
        assert_eq!(average_precision(&[], &[]), None);
    }

    #[test]
    fn weights_are_repetitions() {
        let scores = [0.1, 0.7, 0.7, 0.4, 0.9];
        let labels = [true, false, true, true, false];
        let times = [2_u8, 0, 3, 1, 1];
        let repeat = |i: usize| std::iter::repeat_n(i, usize::from(times[i]));
        let idxs: Vec<usize> = (0..5).flat_map(repeat).collect();
        let s: Vec<f64> = idxs.iter().map(|&i| scores[i]).collect();
        let l: Vec<bool> = idxs.iter().map(|&i| labels[i]).collect();
        let ranked = Ranked::new(&scores, &labels);
        let weight = |i: usize| f64::from(times[i]);
        assert_eq!(ranked.average_precision(weight), average_precision(&s, &l));
        assert_eq!(ranked.roc_auc(weight), roc_auc(&s, &l));
    }

    #[test]
    fn auc_by_hand() {
        // Pairs: (0.8, 0.6) right, (0.8, 0.4) right, (0.4, 0.6) wrong, (0.4, 0.4) half.
        let auc = roc_auc(&[0.8, 0.6, 0.4, 0.4], &[true, false, true, false]);
        assert_eq!(auc, Some(2.5 / 4.0));
        assert_eq!(roc_auc(&[0.8, 0.6], &[true, true]), None);
    }

    #[test]
    fn nan_ranks_last() {
        let ap = average_precision(&[f64::NAN, -1e300, f64::NEG_INFINITY], &[true, false, false]);
        assert_eq!(ap, Some(1.0 / 3.0));
        assert_eq!(compare(f64::NAN, f64::NEG_INFINITY), Ordering::Less);
        assert_eq!(compare(f64::NEG_INFINITY, f64::NAN), Ordering::Greater);
        assert_eq!(compare(f64::NAN, f64::NAN), Ordering::Equal);
        assert_eq!(compare(-0.0, 0.0), Ordering::Equal);
    }

    #[test]
    fn curve_by_hand() {
        let curve = pr_curve(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]);
        assert_eq!(curve.thresholds, [0.1, 0.35, 0.4, 0.8]);
        assert_eq!(curve.precision, [0.5, 2.0 / 3.0, 0.5, 1.0, 1.0]);
        assert_eq!(curve.recall, [1.0, 1.0, 0.5, 0.5, 0.0]);
    }

    #[test]
    fn measures_per_title_by_hand() {
        let scores = array![0.9, 0.2, 0.5, 0.5];
        let labels = array![false, false, true, true];
        assert_eq!(title_lrap(scores.view(), labels.view()), 2.0 / 3.0);
        assert_eq!(title_coverage(scores.view(), labels.view()), 3.0);
        assert_eq!(title_ranking_loss(scores.view(), labels.view()), 0.5);
        assert_eq!(title_one_error(scores.view(), labels.view()), Some(1.0));
        let none = array![false, false, false, false];
        assert_eq!(title_lrap(scores.view(), none.view()), 1.0);
        assert_eq!(title_coverage(scores.view(), none.view()), 0.0);
        assert_eq!(title_ranking_loss(scores.view(), none.view()), 0.0);
        assert_eq!(title_one_error(scores.view(), none.view()), None);
        let tied = array![0.5, 0.2, 0.5, 0.1];
        assert_eq!(title_one_error(tied.view(), labels.view()), Some(0.5));
    }
}
