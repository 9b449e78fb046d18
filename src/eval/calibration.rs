//! Scores that mean what they say: Platt scaling per genre, and how to measure calibration.
//!
//! in: scores (logits) and labels of held-out titles
//! out: `sigmoid(a * score + b)` with `a >= 0`; Brier score, expected calibration error,
//! reliability bins
//! source: Platt 1999, "Probabilistic outputs for support vector machines"; Lin, Lin & Weng 2007
//! (the Newton iteration that cannot run away); Guo et al. 2017 (expected calibration error)
//! reference: scikit-learn `_SigmoidCalibration`, `calibration_curve(strategy="uniform")`,
//! `brier_score_loss`

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{
    counts::ratio,
    labels::{Column, Labels},
};

/// `probability = sigmoid(a * score + b)`, with `a >= 0` so that the order of titles stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    /// Slope, 0 or more.
    pub a: f64,
    /// Offset.
    pub b: f64,
}

impl Platt {
    /// Leaves logits as they are: `sigmoid(score)`.
    pub const IDENTITY: Self = Self { a: 1.0, b: 0.0 };

    /// Fits on held-out scores by maximum likelihood with Platt's smoothed targets
    /// `(positives + 1) / (positives + 2)` and `1 / (negatives + 2)`, which keep it finite on
    /// separable data. Scores that are not finite are left out.
    ///
    /// A slope that would be negative (the scores rank the genre worse than chance) becomes 0 and
    /// every title gets the smoothed prevalence. Without any title: [`Platt::IDENTITY`].
    ///
    /// # Panics
    /// The lengths differ.
    #[must_use]
    pub fn fit(scores: &[f64], labels: &[bool]) -> Self {
        Self::fit_to(&Column::even(scores, labels))
    }

    /// [`fit`](Self::fit) to a genre's known titles; positives and negatives are what they weigh.
    #[must_use]
    pub fn fit_to(column: &Column) -> Self {
        let finite: Vec<usize> =
            (0..column.scores.len()).filter(|&at| column.scores[at].is_finite()).collect();
        let scores: Vec<f64> = finite.iter().map(|&at| column.scores[at]).collect();
        let labels: Vec<bool> = finite.iter().map(|&at| column.labels[at]).collect();
        let weights: Vec<f64> = finite.iter().map(|&at| column.weight(at)).collect();
        if scores.is_empty() {
            return Self::IDENTITY;
        }
        let all: f64 = weights.iter().sum();
        let mean = |of: &[f64]| of.iter().zip(&weights).map(|(x, w)| w * x).sum::<f64>() / all;
        let positives: f64 = labels.iter().zip(&weights).filter(|(l, _)| **l).map(|(_, w)| w).sum();
        let negatives = all - positives;
        let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        let targets: Vec<f64> = labels.iter().map(|&l| if l { high } else { low }).collect();
        let prevalence = mean(&targets);
        let flat = Self { a: 0.0, b: (prevalence / (1.0 - prevalence)).ln() };

        // Newton on standardised scores, so that neither a large offset nor a small spread makes
        // the Hessian singular.
        let middle = mean(&scores);
        let squares: Vec<f64> = scores.iter().map(|s| (s - middle).powi(2)).collect();
        let spread = mean(&squares).sqrt();
        if spread <= f64::EPSILON * middle.abs() {
            return flat;
        }
        let standard: Vec<f64> = scores.iter().map(|s| (s - middle) / spread).collect();
        let fitted = newton(&standard, &targets, &weights, flat);
        if fitted.a <= 0.0 {
            return flat;
        }
        Self { a: fitted.a / spread, b: fitted.b - fitted.a * middle / spread }
    }

    /// The probability for a score; NaN stays NaN.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        sigmoid(self.calibrated_logit(score))
    }

    /// `a * score + b`; an infinite score with slope 0 counts as 0.
    #[must_use]
    pub fn calibrated_logit(&self, score: f64) -> f64 {
        if self.a == 0.0 && !score.is_nan() { self.b } else { self.a.mul_add(score, self.b) }
    }
}

/// Minimises the cross-entropy of `sigmoid(a x + b)` against soft targets: Newton with
/// backtracking (Lin, Lin & Weng 2007, algorithm 1; their constants).
fn newton(xs: &[f64], targets: &[f64], weights: &[f64], start: Platt) -> Platt {
    const MAX_STEPS: usize = 100;
    const RIDGE: f64 = 1e-12;
    const SMALLEST_STEP: f64 = 1e-10;
    let loss = |at: Platt| -> f64 {
        xs.iter()
            .zip(targets)
            .zip(weights)
            .map(|((&x, &t), &w)| {
                let z = at.a * x + at.b;
                // -t ln p - (1 - t) ln(1 - p), without overflow on either side.
                w * (z.max(0.0) - t * z + (-z.abs()).exp().ln_1p())
            })
            .sum()
    };
    let mut at = start;
    let mut value = loss(at);
    for _ in 0..MAX_STEPS {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, RIDGE, 0.0, RIDGE);
        for ((&x, &t), &w) in xs.iter().zip(targets).zip(weights) {
            let p = sigmoid(at.a * x + at.b);
            let (error, curvature) = (w * (p - t), w * (p * (1.0 - p)));
            ga += error * x;
            gb += error;
            haa += curvature * x * x;
            hab += curvature * x;
            hbb += curvature;
        }
        if ga.abs().max(gb.abs()) < 1e-10 * xs.len() as f64 {
            break;
        }
        let determinant = haa * hbb - hab * hab;
        let da = -(hbb * ga - hab * gb) / determinant;
        let db = -(haa * gb - hab * ga) / determinant;
        let slope = ga * da + gb * db;
        let mut step = 1.0;
        loop {
            let next = Platt { a: at.a + step * da, b: at.b + step * db };
            let next_value = loss(next);
            if next_value < value + 1e-4 * step * slope {
                (at, value) = (next, next_value);
                break;
            }
            step /= 2.0;
            if step < SMALLEST_STEP {
                return at; // As low as rounding lets it go.
            }
        }
    }
    at
}

/// One [`Platt::fit`] per genre over `[titles, genres]`.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn fit_platt<'a>(scores: ArrayView2<'_, f64>, labels: impl Into<Labels<'a>>) -> Vec<Platt> {
    labels.into().columns(scores).map(|column| Platt::fit_to(&column)).collect()
}

/// Probabilities `[titles, genres]` from scores.
///
/// # Panics
/// There is not one calibration per genre.
#[must_use]
pub fn apply_platt(scores: ArrayView2<'_, f64>, platts: &[Platt]) -> Array2<f64> {
    assert_eq!(scores.ncols(), platts.len(), "one calibration for each genre");
    Array2::from_shape_fn(scores.dim(), |(t, g)| platts[g].apply(scores[[t, g]]))
}

/// The logistic function, without overflow.
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Titles whose probability falls between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower bound, exclusive (inclusive for the first bin).
    pub low: f64,
    /// Upper bound, inclusive.
    pub high: f64,
    /// Number of (title, genre) pairs in it.
    pub count: u64,
    /// Their mean probability; 0 where there is none.
    pub mean_probability: f64,
    /// The share of them that are labelled; 0 where there is none.
    pub positive_frac: f64,
}

/// `num_bins` bins of equal width over `[0, 1]`, empty ones included. Probabilities outside or
/// NaN are left out.
///
/// # Panics
/// The lengths differ or `num_bins` is 0.
#[must_use]
pub fn reliability_bins(
    probabilities: &[f64],
    labels: &[bool],
    num_bins: usize,
) -> Vec<ReliabilityBin> {
    assert_eq!(probabilities.len(), labels.len(), "one probability for each label");
    assert!(num_bins > 0, "`num_bins` must be 1 or more");
    let mut sums = vec![(0_u64, 0.0, 0.0); num_bins];
    for (&p, &label) in probabilities.iter().zip(labels) {
        let Some(k) = bin_of(p, num_bins) else { continue };
        sums[k].0 += 1;
        sums[k].1 += p;
        sums[k].2 += f64::from(u8::from(label));
    }
    let bin = |(k, (count, probability, positive)): (usize, (u64, f64, f64))| ReliabilityBin {
        low: edge(k, num_bins),
        high: edge(k + 1, num_bins),
        count,
        mean_probability: ratio(probability, count as f64),
        positive_frac: ratio(positive, count as f64),
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// The lower bound of a bin.
fn edge(k: usize, num_bins: usize) -> f64 {
    k as f64 / num_bins as f64
}

/// The bin of a probability; `None` outside of 0..1.
pub(super) fn bin_of(p: f64, num_bins: usize) -> Option<usize> {
    if !(0.0..=1.0).contains(&p) {
        return None;
    }
    let mut k = ((p * num_bins as f64).ceil() as usize).clamp(1, num_bins) - 1;
    // The product rounds; the edges decide.
    while k > 0 && p <= edge(k, num_bins) {
        k -= 1;
    }
    while k + 1 < num_bins && p > edge(k + 1, num_bins) {
        k += 1;
    }
    Some(k)
}

/// Expected calibration error: the mean gap between stated probability and observed share, over
/// bins, weighted by their counts; 0 where all are empty.
#[must_use]
pub fn expected_calibration_error(bins: &[ReliabilityBin]) -> f64 {
    let total: u64 = bins.iter().map(|bin| bin.count).sum();
    let gaps: f64 = bins
        .iter()
        .map(|bin| bin.count as f64 * (bin.mean_probability - bin.positive_frac).abs())
        .sum();
    ratio(gaps, total as f64)
}

/// Mean squared distance between probability and label; 0 without any.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn brier_score(probabilities: &[f64], labels: &[bool]) -> f64 {
    assert_eq!(probabilities.len(), labels.len(), "one probability for each label");
    let sum: f64 = probabilities
        .iter()
        .zip(labels)
        .map(|(&p, &label)| (p - f64::from(u8::from(label))).powi(2))
        .sum();
    ratio(sum, probabilities.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The gradient of the likelihood at the fit, by hand.
    fn gradient(platt: Platt, scores: &[f64], labels: &[bool]) -> (f64, f64) {
        let positives = labels.iter().filter(|&&l| l).count() as f64;
        let negatives = labels.len() as f64 - positives;
        scores.iter().zip(labels).fold((0.0, 0.0), |(ga, gb), (&s, &label)| {
            let target =
                if label { (positives + 1.0) / (positives + 2.0) } else { 1.0 / (negatives + 2.0) };
            let error = platt.apply(s) - target;
            (ga + error * s, gb + error)
        })
    }

    #[test]
    fn the_fit_is_where_the_likelihood_is_flat() {
        let scores = [2.0, 1.0, 0.5, 0.0, -0.5, -1.0, -3.0];
        let labels = [true, true, false, true, false, false, false];
        let platt = Platt::fit(&scores, &labels);
        let (ga, gb) = gradient(platt, &scores, &labels);
        assert!(platt.a > 0.0 && ga.abs() < 1e-8 && gb.abs() < 1e-8, "{platt:?} {ga} {gb}");
    }

    #[test]
    fn hostile_scores_leave_a_finite_fit() {
        let smoothed = f64::midpoint(1.0 / 3.0, 2.0 / 3.0);
        // Ranked the wrong way round: flat at the smoothed prevalence.
        let wrong = Platt::fit(&[1.0, -1.0], &[false, true]);
        assert_eq!(wrong.a, 0.0);
        assert!((wrong.apply(7.0) - smoothed).abs() < 1e-12);
        // Constant, separable, huge, tiny, one class, not finite.
        for (scores, labels) in [
            (vec![3.0; 4], vec![true, false, false, false]),
            (vec![-5.0, -4.0, 4.0, 5.0], vec![false, false, true, true]),
            (vec![-1e9, 1e9, 2e9], vec![false, true, true]),
            (vec![1e-9, 2e-9, 3e-9], vec![false, true, true]),
            (vec![1e6, 1e6 + 1e-3, 1e6 + 2e-3], vec![false, false, true]),
            (vec![0.1, 0.2, 0.7], vec![false; 3]),
            (vec![f64::NAN, f64::INFINITY, 1.0, 0.0], vec![true, true, true, false]),
        ] {
            let platt = Platt::fit(&scores, &labels);
            assert!(platt.a >= 0.0 && platt.a.is_finite() && platt.b.is_finite(), "{platt:?}");
            let p = platt.apply(scores[2]);
            assert!((0.0..=1.0).contains(&p), "{platt:?} {p}");
        }
        assert_eq!(Platt::fit(&[], &[]), Platt::IDENTITY);
    }

    #[test]
    fn a_genre_without_positives_gets_a_small_probability() {
        let platt = Platt::fit(&[0.1, 0.2, 0.9, 0.4], &[false; 4]);
        assert!((platt.apply(0.5) - 1.0 / 6.0).abs() < 1e-9, "{platt:?}");
    }

    #[test]
    fn bins_and_errors_by_hand() {
        let probabilities = [0.0, 0.1, 0.5, 0.51, 1.0];
        let labels = [false, true, true, false, true];
        let bins = reliability_bins(&probabilities, &labels, 2);
        assert_eq!(bins.iter().map(|b| b.count).collect::<Vec<_>>(), [3, 2]);
        assert!((bins[0].mean_probability - 0.2).abs() < 1e-15);
        assert!((bins[0].positive_frac - 2.0 / 3.0).abs() < 1e-15);
        let ece = (3.0 * (2.0 / 3.0 - 0.2) + 2.0 * (0.755 - 0.5)) / 5.0;
        assert!((expected_calibration_error(&bins) - ece).abs() < 1e-15);
        let brier = (0.0 + 0.81 + 0.25 + 0.2601 + 0.0) / 5.0;
        assert!((brier_score(&probabilities, &labels) - brier).abs() < 1e-15);
        assert_eq!(expected_calibration_error(&[]), 0.0);
        let strange = reliability_bins(&[f64::NAN, 1.5, -0.1], &[true; 3], 4);
        assert!(strange.iter().all(|b| b.count == 0));
    }

    #[test]
    fn an_edge_belongs_to_the_bin_below_whatever_rounding_says() {
        for num_bins in [3, 7, 10, 15] {
            for k in 1..num_bins {
                let edge = k as f64 / num_bins as f64;
                for (p, expected) in [(edge.next_down(), k - 1), (edge, k - 1), (edge.next_up(), k)]
                {
                    let bins = reliability_bins(&[p], &[true], num_bins);
                    assert_eq!(bins[expected].count, 1, "{p} in {num_bins} bins");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_order_of_titles_stays(
            items in prop::collection::vec((-6.0_f64..6.0, any::<bool>()), 1..60),
        ) {
            let (scores, labels): (Vec<f64>, Vec<bool>) = items.into_iter().unzip();
            let platt = Platt::fit(&scores, &labels);
            for pair in scores.windows(2) {
                let (low, high) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
                prop_assert!(platt.apply(low) <= platt.apply(high));
            }
            if platt.a > 0.0 {
                let (ga, gb) = gradient(platt, &scores, &labels);
                let tolerance = 1e-6 * scores.len() as f64;
                prop_assert!(ga.abs() < tolerance && gb.abs() < tolerance, "{platt:?} {ga} {gb}");
            }
        }
    }
}
