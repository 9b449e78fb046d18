//! Thresholds where F1 is best by the probabilities' own account.
//!
//! in: calibrated probabilities `[titles, genres]`; out: a threshold for each genre
//! source: Lewis 1995, "Evaluating and optimizing autonomous text classification systems"
//! (expected effectiveness); Jansche 2007, "A maximum expected utility framework for binary
//! sequence labeling". The expectation of the ratio is taken as the ratio of expectations.
//!
//! No label is looked at: a genre that ten titles have gets the threshold that its calibrated
//! probabilities warrant, not the one that happens to suit these ten.

use ndarray::ArrayView2;

use super::thresholds::NEVER;

/// The cut that makes `2 Σ p(decided) / (number decided + Σ p)` largest: half-way between the lowest
/// probability that is decided and the next one below. [`NEVER`] without titles or where every
/// probability is 0.
#[must_use]
pub fn expected_f1_threshold(probabilities: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = probabilities.iter().copied().filter(|p| !p.is_nan()).collect();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let all: f64 = sorted.iter().sum();
    let (mut above, mut best, mut cut) = (0.0, 0.0, NEVER);
    for (k, &p) in sorted.iter().enumerate() {
        above += p;
        let next = sorted.get(k + 1).copied();
        // Equal probabilities are decided together.
        if next == Some(p) {
            continue;
        }
        let f1 = 2.0 * above / (k as f64 + 1.0 + all);
        if f1 > best {
            best = f1;
            cut = next.map_or(p, |next| next.midpoint(p).clamp(next.next_up(), p));
        }
    }
    cut
}

/// [`expected_f1_threshold`] of each genre.
#[must_use]
pub fn expected_f1_thresholds(probabilities: ArrayView2<'_, f64>) -> Vec<f64> {
    probabilities.columns().into_iter().map(|own| expected_f1_threshold(&own.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn cuts_are_hand_worked() {
        // Sum 1.5. One: 1.8/2.5 = 0.72. Two: 2.6/3.5 = 0.743. Three: 3/4.5 = 0.667.
        assert_eq!(expected_f1_threshold(&[0.4, 0.9, 0.2]), 0.2_f64.midpoint(0.4));
        // Sum 1.1. One: 1.8/2.1 = 0.857. Two: 2/3.1 = 0.645.
        assert_eq!(expected_f1_threshold(&[0.1, 0.9, 0.1]), 0.5);
        // All alike: all or none, and all is better.
        assert_eq!(expected_f1_threshold(&[0.1; 4]), 0.1);
        assert_eq!(expected_f1_threshold(&[]), NEVER);
        assert_eq!(expected_f1_threshold(&[0.0, f64::NAN]), NEVER);
        let high = 0.5_f64.next_up();
        assert_eq!(expected_f1_threshold(&[high, 0.5, 1e-9]), 0.5_f64.midpoint(1e-9));
        let table = array![[0.9, 0.1], [0.1, 0.1], [0.1, 0.1]];
        assert_eq!(expected_f1_thresholds(table.view()), [0.5, 0.1]);
    }

    #[test]
    fn no_other_cut_is_better_where_labels_are_what_probabilities_say() {
        // Each probability stands for a hundred titles, so many of which have the genre.
        let probabilities: Vec<f64> = (1..40).map(|k| f64::from(k) / 40.0).collect();
        let f1 = |cut: f64| {
            let above: Vec<f64> = probabilities.iter().copied().filter(|&p| p >= cut).collect();
            let right: f64 = above.iter().sum();
            2.0 * right / (above.len() as f64 + probabilities.iter().sum::<f64>())
        };
        let best = f1(expected_f1_threshold(&probabilities));
        assert!(probabilities.iter().all(|&p| f1(p) <= best + 1e-12));
    }
}
