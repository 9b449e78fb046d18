//! How sure a figure is: bootstrap intervals and paired differences over titles.
//!
//! in: any figure as a function of how often each title counts
//! out: interval; mean difference, its interval and a two-sided p-value
//! source: Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 13 (percentile) and
//! 16; Davison & Hinkley 1997, §4.2 (the +1 in the p-value)
//!
//! Titles are drawn with replacement, all genres of a title together: a title's labels are not
//! independent. Titles of one group are drawn together, for the same reason. The draws depend on
//! the seed and the draw's number alone, not on threads.

use base::Seed;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    bounds::Bounds,
    groups::Groups,
    headline::{Headline, HeadlineTable},
};

/// How to resample.
#[derive(Clone, Debug, PartialEq)]
pub struct BootstrapConfig {
    /// Number of resamples.
    pub num_resamples: usize,
    /// Coverage of the intervals, in `(0, 1)`.
    pub level: f64,
    /// All randomness of it.
    pub seed: Seed,
    /// Titles that are drawn, or exchanged, together.
    pub groups: Groups,
}

impl BootstrapConfig {
    /// 1,000 resamples, 95 %, every title a group of its own.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { num_resamples: 1000, level: 0.95, seed, groups: Groups::default() }
    }

    /// The same for a part of the titles: `[part]` their places among all.
    #[must_use]
    pub fn on(&self, titles: &[usize]) -> Self {
        Self { groups: self.groups.select(titles), ..self.clone() }
    }

    /// How often each of `num_titles` titles counts in resample `k`. As many groups are drawn as
    /// there are; where every title is a group of its own the counts sum to `num_titles`.
    ///
    /// # Panics
    /// The groups are those of another number of titles.
    #[must_use]
    pub fn draw(&self, k: usize, num_titles: usize) -> Vec<u32> {
        let num_groups = self.groups.num_groups(num_titles);
        let mut counts = vec![0; num_groups];
        if let Ok(bound @ 1..) = u32::try_from(num_groups) {
            let mut rng = self.seed.derive("bootstrap").rng(&k.to_string());
            for _ in 0..num_groups {
                counts[rng.random_range(0..bound) as usize] += 1;
            }
        }
        (0..num_titles).map(|title| counts[self.groups.of(title)]).collect()
    }

    /// `figure(counts)` for each resample, in order.
    fn resample<T: Send>(&self, num_titles: usize, figure: impl Fn(&[u32]) -> T + Sync) -> Vec<T> {
        (0..self.num_resamples).into_par_iter().map(|k| figure(&self.draw(k, num_titles))).collect()
    }
}

/// A figure with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure on the titles as they are.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The percentile interval of any figure over `num_titles` titles; `figure` is told how often each
/// title counts. Without titles or resamples the interval is the value itself.
pub fn interval(
    num_titles: usize,
    config: &BootstrapConfig,
    figure: impl Fn(&[u32]) -> f64 + Sync,
) -> Interval {
    let value = figure(&vec![1; num_titles]);
    let draws = if num_titles == 0 { Vec::new() } else { config.resample(num_titles, &figure) };
    Bounds::Percentile.of(value, draws, config.level)
}

/// Intervals of the headline figures from the same resamples, bounded by [`Bounds::OF_FIGURES`].
pub fn headline_intervals(
    table: &HeadlineTable<'_>,
    config: &BootstrapConfig,
) -> Headline<Interval> {
    mean_intervals(std::slice::from_ref(table), config)
}

/// [`headline_intervals`] of the mean over several tables of the same titles (seeds). Without
/// tables everything is 0.
///
/// # Panics
/// The tables have different numbers of titles.
pub fn mean_intervals(
    tables: &[HeadlineTable<'_>],
    config: &BootstrapConfig,
) -> Headline<Interval> {
    let num_titles = num_titles(tables);
    let value = mean_of(tables, &|_| 1.0);
    let draws = config.resample(num_titles, |counts| mean_of(tables, &|t| f64::from(counts[t])));
    let column = |k: usize| draws.iter().map(|draw| *draw.entries()[k].1).collect();
    let bounds = Bounds::OF_FIGURES.entries();
    Headline::from_fn(|k| bounds[k].1.of(*value.entries()[k].1, column(k), config.level))
}

fn num_titles(tables: &[HeadlineTable<'_>]) -> usize {
    let num_titles = tables.first().map_or(0, HeadlineTable::num_titles);
    assert!(tables.iter().all(|t| t.num_titles() == num_titles), "all tables on the same titles");
    num_titles
}

/// Mean of the tables' figures under the same weights.
fn mean_of(tables: &[HeadlineTable<'_>], weight: &dyn Fn(usize) -> f64) -> Headline<f64> {
    let mut mean = Headline::from_fn(|_| 0.0);
    for table in tables {
        let one = table.weighted(weight);
        mean =
            Headline::from_fn(|k| mean.entries()[k].1 + one.entries()[k].1 / tables.len() as f64);
    }
    mean
}

/// Whether one system is better than another on the same titles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// First minus second, with its interval.
    pub difference: Interval,
    /// Two-sided: how often resampling turns the sign around (at most 1, at least
    /// 2 / (resamples + 1)).
    pub p_value: f64,
}

/// The difference of two figures on the same resamples; `first` and `second` are told how often
/// each title counts.
pub fn paired_difference(
    num_titles: usize,
    config: &BootstrapConfig,
    first: impl Fn(&[u32]) -> f64 + Sync,
    second: impl Fn(&[u32]) -> f64 + Sync,
) -> PairedDifference {
    let difference = |counts: &[u32]| first(counts) - second(counts);
    paired(difference(&vec![1; num_titles]), config.resample(num_titles, difference), config.level)
}

/// [`paired_difference`] of all headline figures from the same resamples; percentile intervals.
///
/// # Panics
/// The tables have different numbers of titles.
pub fn headline_differences(
    first: &HeadlineTable<'_>,
    second: &HeadlineTable<'_>,
    config: &BootstrapConfig,
) -> Headline<PairedDifference> {
    mean_differences(std::slice::from_ref(first), std::slice::from_ref(second), config)
}

/// [`headline_differences`] of the means over several tables of the same titles (seeds).
///
/// # Panics
/// The tables have different numbers of titles.
pub fn mean_differences(
    first: &[HeadlineTable<'_>],
    second: &[HeadlineTable<'_>],
    config: &BootstrapConfig,
) -> Headline<PairedDifference> {
    let titles = num_titles(first);
    assert_eq!(titles, num_titles(second), "both systems on the same titles");
    let difference = |weight: &dyn Fn(usize) -> f64| {
        let (a, b) = (mean_of(first, weight), mean_of(second, weight));
        Headline::from_fn(|k| a.entries()[k].1 - b.entries()[k].1)
    };
    let value = difference(&|_| 1.0);
    let draws = config.resample(titles, |counts| difference(&|t| f64::from(counts[t])));
    Headline::from_fn(|k| {
        let column = draws.iter().map(|draw| *draw.entries()[k].1).collect();
        paired(*value.entries()[k].1, column, config.level)
    })
}

fn paired(value: f64, draws: Vec<f64>, level: f64) -> PairedDifference {
    let share = |against: &dyn Fn(f64) -> bool| {
        let count = draws.iter().filter(|&&d| against(d)).count();
        (count + 1) as f64 / (draws.len() + 1) as f64
    };
    let p_value = (2.0 * share(&|d| d <= 0.0).min(share(&|d| d >= 0.0))).min(1.0);
    PairedDifference { difference: Bounds::Percentile.of(value, draws, level), p_value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand::Rng;

    fn config(num_resamples: usize) -> BootstrapConfig {
        BootstrapConfig { num_resamples, ..BootstrapConfig::new(Seed(7)) }
    }

    fn weighted_mean(values: &[f64], counts: &[u32]) -> f64 {
        let sum: f64 = values.iter().zip(counts).map(|(v, &n)| v * f64::from(n)).sum();
        sum / values.len() as f64
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_theory() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let found = interval(values.len(), &config(2000), |counts| weighted_mean(&values, counts));
        // Mean 9.5, standard error sqrt(33.25 / 400) = 0.2883: +- 1.96 of it.
        assert_eq!(found.value, 9.5);
        assert!((found.low - (9.5 - 0.565)).abs() < 0.05, "{found:?}");
        assert!((found.high - (9.5 + 0.565)).abs() < 0.05, "{found:?}");
    }

    #[test]
    fn same_seed_same_draws_and_each_draw_is_complete() {
        let config = config(1);
        assert_eq!(config.draw(3, 50), config.draw(3, 50));
        assert_ne!(config.draw(3, 50), config.draw(4, 50));
        assert_eq!(config.draw(3, 50).iter().sum::<u32>(), 50);
        assert_eq!(config.draw(0, 0), Vec::<u32>::new());
    }

    #[test]
    fn draws_of_titles_that_are_alone_are_what_they_were_before_groups() {
        let before = [1, 0, 0, 1, 0, 2, 1, 1, 0, 4, 0, 2];
        assert_eq!(config(1).draw(2, 12), before);
        let alone = BootstrapConfig { groups: Groups::new(0..12), ..config(1) };
        assert_eq!(alone.draw(2, 12), before);
        assert_eq!(alone.on(&[3, 1]).draw(2, 2), config(1).draw(2, 2));
    }

    #[test]
    fn groups_are_drawn_whole_and_widen_the_interval() {
        let names = (0..400).map(|t| t / 4);
        let grouped = BootstrapConfig { groups: Groups::new(names), ..config(999) };
        let counts = grouped.draw(0, 400);
        assert!(counts.chunks(4).all(|group| group.iter().all(|&n| n == group[0])), "{counts:?}");
        assert_eq!(counts.iter().sum::<u32>(), 400, "as many groups as there are");
        // Titles that say the same in fours are a quarter as many.
        let values: Vec<f64> = (0..400).map(|t| f64::from(t / 4 % 20)).collect();
        let width = |config: &BootstrapConfig| {
            let found = interval(400, config, |counts| weighted_mean(&values, counts));
            found.high - found.low
        };
        let ratio = width(&grouped) / width(&config(999));
        assert!((ratio - 2.0).abs() < 0.15, "{ratio}");
    }

    #[test]
    fn a_real_difference_is_found_and_none_is_not() {
        let mut rng = Seed(1).rng("values");
        let mut draw = || f64::from(rng.next_u32()) / f64::from(u32::MAX);
        let a: Vec<f64> = (0..200).map(|_| draw()).collect();
        let better: Vec<f64> = a.iter().map(|v| v + 0.05 + 0.1 * (draw() - 0.5)).collect();
        let same: Vec<f64> = a.iter().map(|v| v + 0.1 * (draw() - 0.5)).collect();
        let compare = |x: &[f64]| {
            paired_difference(
                200,
                &config(999),
                |counts| weighted_mean(x, counts),
                |counts| weighted_mean(&a, counts),
            )
        };
        let found = compare(&better);
        assert_eq!(found.p_value, 2.0 / 1000.0);
        assert!(found.difference.low > 0.0, "{found:?}");
        let not_found = compare(&same);
        assert!(not_found.p_value > 0.05, "{not_found:?}");
        let itself = compare(&a);
        assert_eq!((itself.difference.value, itself.p_value), (0.0, 1.0));
    }

    #[test]
    fn headlines_use_the_same_resamples_as_single_figures() {
        let mut rng = Seed(2).rng("table");
        let mut bits = || rng.next_u32();
        let scores = Array2::from_shape_fn((30, 3), |_| f64::from(bits() % 10));
        let labels = Array2::from_shape_fn((30, 3), |_| bits() % 3 == 0);
        let decisions = scores.mapv(|s| s > 6.0);
        let table = HeadlineTable::new(scores.view(), decisions.view(), labels.view());
        let all = headline_intervals(&table, &config(100));
        let one =
            interval(30, &config(100), |counts| table.weighted(|t| f64::from(counts[t])).micro_f1);
        assert_eq!(all.micro_f1, one);
        let nothing = headline_differences(&table, &table, &config(50));
        assert!(nothing.entries().iter().all(|(_, d)| d.p_value == 1.0));
    }

    #[test]
    fn no_titles_no_width() {
        assert_eq!(interval(0, &config(10), |_| 0.0), Interval::default());
    }
}
