//! From the draws of a bootstrap to the bounds of an interval.
//!
//! in: a figure's value and its values on resamples, in any order
//! out: [`Interval`]
//! source: Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 13 (percentile) and 14
//! (bias-corrected); Efron 1987, "Better bootstrap confidence intervals" (without acceleration)

use super::{
    bootstrap::Interval,
    distributions::{normal_cdf, normal_quantile},
    headline::Headline,
};

/// Which draws bound an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// The central ones.
    Percentile,
    /// Those that would be central if half of the draws lay below the value. Copies of a title
    /// raise its average precision, so most draws of mAP lie above its value; a rare genre that
    /// vanishes from a resample counts as 0 in macro F1, so most of its draws lie below.
    BiasCorrected,
}

impl Bounds {
    /// What bounds each headline figure, by simulation (docs/evaluation.md): bias-corrected are the
    /// means over genres that lean on rare ones. The others, and paired differences, in which most of
    /// the bias cancels, cover as well without.
    pub const OF_FIGURES: Headline<Self> = Headline {
        micro_f1: Self::Percentile,
        macro_f1: Self::BiasCorrected,
        weighted_f1: Self::Percentile,
        samples_f1: Self::Percentile,
        map: Self::BiasCorrected,
        lrap: Self::Percentile,
    };

    /// Bounds of `draws` around `value` at this `level` in `(0, 1)`, interpolated linearly between
    /// order statistics; without draws the value itself.
    #[must_use]
    pub fn of(self, value: f64, mut draws: Vec<f64>, level: f64) -> Interval {
        draws.sort_by(f64::total_cmp);
        let Some(last) = draws.len().checked_sub(1) else {
            return Interval { value, low: value, high: value };
        };
        let quantile = |q: f64| {
            let position = q * last as f64;
            let below = position.floor() as usize;
            let above = (below + 1).min(last);
            draws[below] + (position - below as f64) * (draws[above] - draws[below])
        };
        let tail = (1.0 - level) / 2.0;
        let (low, high) = match self {
            Self::Percentile => (tail, 1.0 - tail),
            Self::BiasCorrected => {
                let shift = 2.0 * normal_quantile(share_below(value, &draws));
                let reach = normal_quantile(1.0 - tail);
                (normal_cdf(shift - reach), normal_cdf(shift + reach))
            }
        };
        Interval { value, low: quantile(low), high: quantile(high) }
    }
}

/// The share of sorted draws below the value, those equal to it counting half; never 0 or 1: that
/// so many draws show no other says no more.
fn share_below(value: f64, draws: &[f64]) -> f64 {
    let below = draws.partition_point(|&draw| draw < value);
    let up_to = draws.partition_point(|&draw| draw <= value);
    let half = 0.5 / draws.len() as f64;
    ((below + up_to) as f64 * half).clamp(half, 1.0 - half)
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;
    use crate::{
        BootstrapConfig,
        bootstrap::{headline_intervals, interval},
        headline::HeadlineTable,
    };
    use ndarray::Array2;
    use rand::RngExt;

    fn draws() -> Vec<f64> {
        (0..=1000).map(f64::from).rev().collect()
    }

    #[test]
    fn bias_is_corrected_by_hand() {
        // 400 of 1,001 draws lie below and one is equal: the normal quantile of 400.5 / 1001 is
        // -0.253 089; bounds are the quantiles at the normal distribution's -2.466 142 and 1.453 786.
        let found = Bounds::BiasCorrected.of(400.0, draws(), 0.95);
        assert!(
            (found.low - 6.829).abs() < 0.01 && (found.high - 926.99).abs() < 0.01,
            "{found:?}"
        );
        let central = Bounds::Percentile.of(400.0, draws(), 0.95);
        assert!((central.low - 25.0).abs() < 1e-9 && (central.high - 975.0).abs() < 1e-9);
    }

    #[test]
    fn without_bias_both_are_the_same() {
        let [a, b] =
            [Bounds::Percentile, Bounds::BiasCorrected].map(|way| way.of(500.0, draws(), 0.9));
        assert!((a.low - b.low).abs() < 1e-9 && (a.high - b.high).abs() < 1e-9, "{a:?} {b:?}");
        // Draws that say nothing else than the value, and draws that all lie above it.
        let same = Bounds::BiasCorrected.of(1.0, vec![1.0; 9], 0.95);
        assert_eq!((same.low, same.high), (1.0, 1.0));
        let above = Bounds::BiasCorrected.of(0.0, vec![1.0, 2.0, 3.0], 0.95);
        assert!(above.low >= 1.0 && above.high <= 3.0, "{above:?}");
        let none = Bounds::BiasCorrected.of(0.5, Vec::new(), 0.95);
        assert_eq!((none.low, none.high), (0.5, 0.5));
    }

    /// Scores of three genres, the rarest 4 %, that lie higher where the label is set.
    fn sample(num_titles: usize, seed: u64) -> (Array2<f64>, Array2<bool>) {
        let mut rng = Seed(seed).rng("sample");
        let shape = (num_titles, 3);
        let labels = Array2::from_shape_fn(shape, |(_, g)| rng.random_bool([0.3, 0.1, 0.04][g]));
        let noise = Array2::from_shape_fn(shape, |_| rng.random::<f64>() + rng.random::<f64>());
        let scores = noise + labels.mapv(|l| 0.6 * f64::from(u8::from(l)));
        (scores, labels)
    }

    /// Copies of a title raise its average precision, so the central draws of mAP lie too high, while
    /// those of a mean over titles lie where they should: how often they then miss the truth is
    /// counted by `scripts/simulate_coverage`.
    #[test]
    fn the_interval_of_map_lies_below_the_central_draws_and_that_of_samples_f1_on_them() {
        let num_titles = 150;
        let lower = (1..=12).filter(|&seed| {
            let (scores, labels) = sample(num_titles, seed);
            let decisions = scores.mapv(|score| score > 1.2);
            let table = HeadlineTable::new(scores.view(), decisions.view(), labels.view());
            let config = BootstrapConfig { num_resamples: 199, ..BootstrapConfig::new(Seed(seed)) };
            let central = |k: usize| {
                interval(num_titles, &config, |counts| {
                    *table.weighted(|t| f64::from(counts[t])).entries()[k].1
                })
            };
            let found = headline_intervals(&table, &config);
            assert_eq!(found.samples_f1, central(3));
            let central = central(4);
            assert_eq!(found.map.value, central.value);
            found.map.low < central.low && found.map.high < central.high
        });
        let lower = lower.count();
        assert!(lower >= 10, "{lower} of 12");
    }
}
