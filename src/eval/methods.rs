//! Whether one method is better than another: the corrected resampled t-test over folds.
//!
//! in: scores and decisions of two methods on the same titles of the same folds, once or for
//! several seeds
//! out: for each headline figure the mean difference over folds, its interval and a two-sided p
//! source: Nadeau & Bengio 2003, "Inference for the generalization error" (the variance);
//! Bouckaert & Frank 2004, "Evaluating the replicability of significance tests for comparing
//! learning algorithms" (that the plain t-test over repeated folds finds far too much)
//!
//! Each fold was scored by a model of its own, with inner folds, calibration and thresholds of its
//! own: the spread over folds counts what these do to a figure. Training sets of two folds overlap,
//! so folds are less independent than they look; the variance of the mean difference is therefore
//! not `s² / J` but `s² (1/J + tested/trained)`.
//!
//! Figures are those of each fold by itself, so their mean is near the figure over all titles and
//! not equal to it: a genre that a fold's titles do not have counts as 0 in its macro F1.

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{
    Headline, Interval,
    distributions::{student_two_sided, student_within},
    significance::Said,
};

/// How two methods differ in one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodDifference {
    /// First minus second, mean over folds, with its interval.
    pub difference: Interval,
    /// Two-sided.
    pub p_value: f64,
}

/// Tests the differences in the headline figures over folds. `folds` `[titles]` is where each title
/// was held out; `first` and `second` `[seeds]`, `level` the intervals' coverage.
///
/// Seeds of one fold share its titles, tested and trained, so that they are no further observations:
/// their mean is one of `J`, the number of folds. `None` for fewer than two folds, where nothing can
/// be said of the spread.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn method_differences(
    first: &[Said<'_>],
    second: &[Said<'_>],
    labels: ArrayView2<'_, bool>,
    folds: &[u32],
    level: f64,
) -> Option<Headline<MethodDifference>> {
    assert_eq!(folds.len(), labels.nrows(), "a fold for each title");
    let mut names = folds.to_vec();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 {
        return None;
    }
    let mean = |said: &[Said<'_>], rows: &[usize]| {
        let labels = labels.select(Axis(0), rows);
        let figures = |said: &Said<'_>| {
            let (scores, decisions) =
                (said.scores.select(Axis(0), rows), said.decisions.select(Axis(0), rows));
            Headline::compute(scores.view(), decisions.view(), labels.view())
        };
        Headline::mean_and_sd(&said.iter().map(figures).collect::<Vec<_>>()).0
    };
    let of_folds: Vec<Headline<f64>> = names
        .iter()
        .map(|&fold| {
            let rows: Vec<usize> = (0..folds.len()).filter(|&t| folds[t] == fold).collect();
            let (a, b) = (mean(first, &rows), mean(second, &rows));
            Headline::from_fn(|k| a.entries()[k].1 - b.entries()[k].1)
        })
        .collect();
    // Every title is tested once and trained on in all other folds.
    let tested_to_trained = 1.0 / (names.len() - 1) as f64;
    Some(Headline::from_fn(|k| {
        let column: Vec<f64> = of_folds.iter().map(|fold| *fold.entries()[k].1).collect();
        corrected_t(&column, tested_to_trained, level)
    }))
}

/// The corrected resampled t-test of differences `[resamples]`, at least two; `tested_to_trained` is
/// the size of a test set over that of a training set. Equal differences have no spread to measure
/// them by: then p is 1 where they are 0, and 0 where they are not.
///
/// # Panics
/// Fewer than two differences.
#[must_use]
pub fn corrected_t(differences: &[f64], tested_to_trained: f64, level: f64) -> MethodDifference {
    assert!(differences.len() > 1, "a spread needs two differences");
    let count = differences.len() as f64;
    let degrees = differences.len() as u32 - 1;
    let mean = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    let variance = squares / f64::from(degrees) * (1.0 / count + tested_to_trained);
    let error = variance.sqrt();
    let reach = student_within(level, degrees) * error;
    let p_value = if mean == 0.0 { 1.0 } else { student_two_sided(mean / error, degrees) };
    let difference = Interval { value: mean, low: mean - reach, high: mean + reach };
    MethodDifference { difference, p_value }
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;
    use ndarray::Array2;
    use rand::RngExt;

    #[test]
    fn the_corrected_test_by_hand() {
        // Differences of mean 0.02 and variance 0.00025; 5 folds: 0.00025 (1/5 + 1/4) = 0.0001125,
        // t = 0.02 / 0.0106066 = 1.885618. 2 * scipy.stats.t.sf(1.885618083164127, 4)
        let found = corrected_t(&[0.0, 0.01, 0.02, 0.03, 0.04], 0.25, 0.95);
        assert!((found.p_value - 0.132_418_922_220).abs() < 1e-9, "{found:?}");
        let reach = 2.776_445_105_197_793_4 * 0.000_112_5_f64.sqrt();
        assert!((found.difference.value - 0.02).abs() < 1e-15);
        assert!((found.difference.low - (0.02 - reach)).abs() < 1e-12, "{found:?}");
        assert!((found.difference.high - (0.02 + reach)).abs() < 1e-12, "{found:?}");
        // Without the correction it is the plain t-test, which would call this a difference.
        let plain = corrected_t(&[0.0, 0.01, 0.02, 0.03, 0.04], 0.0, 0.95);
        assert!((plain.p_value - 0.047_420_655_584).abs() < 1e-9, "{plain:?}");
    }

    #[test]
    fn differences_without_a_spread() {
        assert_eq!(corrected_t(&[0.0; 5], 0.25, 0.95).p_value, 1.0);
        assert_eq!(corrected_t(&[0.5; 4], 0.25, 0.95).p_value, 0.0);
    }

    /// Scores that are the labels plus noise of this size, decided at a threshold that roams from
    /// fold to fold as if it were fitted.
    fn fitted(
        labels: &Array2<bool>,
        folds: &[u32],
        noise: f64,
        roam: f64,
        name: &str,
    ) -> (Array2<f64>, Array2<bool>) {
        let mut rng = Seed(1).rng(name);
        let scores = labels.mapv(|l| f64::from(u8::from(l)) + noise * (rng.random::<f64>() - 0.5));
        let thresholds: Vec<f64> =
            (0..5).map(|_| 0.5 + roam * (rng.random::<f64>() - 0.5)).collect();
        let decisions = Array2::from_shape_fn(scores.dim(), |(t, g)| {
            scores[[t, g]] >= thresholds[folds[t] as usize]
        });
        (scores, decisions)
    }

    fn said((scores, decisions): &(Array2<f64>, Array2<bool>)) -> Said<'_> {
        Said { scores: scores.view(), decisions: decisions.view() }
    }

    #[test]
    fn better_methods_are_found_and_equal_seeds_are_no_observations() {
        let mut rng = Seed(3).rng("labels");
        let labels = Array2::from_shape_fn((200, 4), |_| rng.random_bool(0.3));
        let folds: Vec<u32> = (0..200).map(|t| t % 5).collect();
        let good = fitted(&labels, &folds, 1.2, 0.0, "good");
        let bad = fitted(&labels, &folds, 2.4, 0.0, "bad");
        let test = |first: &[Said<'_>], second: &[Said<'_>], folds: &[u32]| {
            method_differences(first, second, labels.view(), folds, 0.95)
        };
        let once = test(&[said(&good)], &[said(&bad)], &folds).unwrap();
        assert!(once.entries().iter().all(|(_, d)| d.p_value < 0.02), "{once:?}");
        assert!(once.map.difference.low > 0.0, "{once:?}");
        // The same predictions thrice know no more.
        let thrice = test(&[said(&good); 3], &[said(&bad); 3], &folds).unwrap();
        for ((_, once), (_, thrice)) in once.entries().iter().zip(thrice.entries()) {
            assert!((once.p_value - thrice.p_value).abs() < 1e-9);
        }
        let itself = test(&[said(&good)], &[said(&good)], &folds).unwrap();
        assert!(itself.entries().iter().all(|(_, d)| d.p_value == 1.0), "{itself:?}");
        assert!(test(&[said(&good)], &[said(&bad)], &[0; 200]).is_none(), "one fold has no spread");
    }
}
