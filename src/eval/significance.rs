//! Whether a difference could be chance: approximate randomisation, and Holm's correction where
//! many differences are looked at.
//!
//! in: scores and decisions of two systems on the same titles, once or for several seeds
//! out: two-sided p-values
//! source: Noreen 1989, "Computer-intensive methods for testing hypotheses" (exchanging what two
//! systems say of a title changes nothing if they are equally good); Holm 1979, "A simple
//! sequentially rejective multiple test procedure"
//! reference: statsmodels `multipletests(method="holm")`
//!
//! These compare predictions, not the methods behind them: the fitted models are held fixed,
//! thresholds and calibration included. Another draw of inner folds moves the threshold of a genre
//! and all titles with it, which no exchange of titles can show; [`super::methods`] counts that.

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use rand::Rng;
use rayon::prelude::*;

use super::{BootstrapConfig, Headline, headline::HeadlineTable};

/// What one system says of some titles, `[titles, genres]` each.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// Scores.
    pub scores: ArrayView2<'a, f64>,
    /// Decisions.
    pub decisions: ArrayView2<'a, bool>,
}

/// Smaller gaps are rounding: the two differences are equal.
const EQUAL: f64 = 1e-12;

/// Two-sided p-values of the differences in the headline figures: how often exchanging the two
/// systems' answers group by group (all titles, seeds and genres of a group together) gives a
/// difference at least as large. `first` and `second` `[seeds]` are means over seeds; a p-value is at least
/// 1 / (draws + 1).
///
/// # Panics
/// The shapes differ, or the two have different numbers of seeds, or the groups are those of
/// another number of titles.
#[must_use]
pub fn randomisation_test(
    first: &[Said<'_>],
    second: &[Said<'_>],
    labels: ArrayView2<'_, bool>,
    config: &BootstrapConfig,
) -> Headline<f64> {
    assert_eq!(first.len(), second.len(), "as many seeds of both systems");
    let num_titles = labels.nrows();
    let num_groups = config.groups.num_groups(num_titles);
    let both_labels = stacked(labels, labels);
    let parts: Vec<(Array2<f64>, Array2<bool>)> = first
        .iter()
        .zip(second)
        .map(|(a, b)| (stacked(a.scores, b.scores), stacked(a.decisions, b.decisions)))
        .collect();
    // Titles of both systems in one table: a system is those rows that weigh 1.
    let tables: Vec<HeadlineTable<'_>> = parts
        .iter()
        .map(|(scores, decisions)| {
            HeadlineTable::new(scores.view(), decisions.view(), both_labels.view())
        })
        .collect();
    let difference = |exchanged: &dyn Fn(usize) -> bool| {
        let one = |of_second: bool| {
            move |row: usize| {
                let is_second = row >= num_titles;
                f64::from(u8::from((is_second != exchanged(row % num_titles.max(1))) == of_second))
            }
        };
        let mut sums = Headline::from_fn(|_| 0.0);
        for table in &tables {
            let (a, b) = (table.weighted(one(false)), table.weighted(one(true)));
            sums = Headline::from_fn(|k| {
                sums.entries()[k].1 + (a.entries()[k].1 - b.entries()[k].1) / tables.len() as f64
            });
        }
        sums
    };
    let observed = difference(&|_| false);
    let draws: Vec<Headline<f64>> = (0..config.num_resamples)
        .into_par_iter()
        .map(|draw| {
            let mut rng = config.seed.derive("randomisation").rng(&draw.to_string());
            let mut exchanged = vec![0_u8; num_groups];
            rng.fill_bytes(&mut exchanged);
            difference(&|title| exchanged[config.groups.of(title)] & 1 == 1)
        })
        .collect();
    Headline::from_fn(|k| {
        let at_least = |draw: &&Headline<f64>| {
            draw.entries()[k].1.abs() >= observed.entries()[k].1.abs() - EQUAL
        };
        (draws.iter().filter(at_least).count() + 1) as f64 / (draws.len() + 1) as f64
    })
}

fn stacked<T: Clone>(first: ArrayView2<'_, T>, second: ArrayView2<'_, T>) -> Array2<T> {
    assert_eq!(first.dim(), second.dim(), "both systems on the same titles and genres");
    concatenate(Axis(0), &[first, second]).unwrap_or_else(|_| first.to_owned())
}

/// Holm's adjusted p-values, in the order given: rejecting those at or below a level keeps the
/// chance of any false rejection at that level, however the tests depend on each other.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut highest: f64 = 0.0;
    for (rank, &at) in order.iter().enumerate() {
        highest = highest.max(p_values[at] * (p_values.len() - rank) as f64);
        adjusted[at] = highest.min(1.0);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;
    use crate::{Groups, bootstrap::headline_differences};
    use rand::RngExt;

    /// A system whose scores are the labels plus noise of this size.
    fn noisy(
        labels: &Array2<bool>,
        noise: f64,
        seed: u64,
        name: &str,
    ) -> (Array2<f64>, Array2<bool>) {
        let mut rng = Seed(seed).rng(name);
        let scores = labels.mapv(|l| f64::from(u8::from(l)) + noise * (rng.random::<f64>() - 0.5));
        let decisions = scores.mapv(|s| s >= 0.5);
        (scores, decisions)
    }

    fn labels(titles: usize, seed: u64) -> Array2<bool> {
        let mut rng = Seed(seed).rng("labels");
        Array2::from_shape_fn((titles, 3), |_| rng.random::<f64>() < 0.3)
    }

    fn said((scores, decisions): &(Array2<f64>, Array2<bool>)) -> Said<'_> {
        Said { scores: scores.view(), decisions: decisions.view() }
    }

    fn config(num_resamples: usize, seed: u64) -> BootstrapConfig {
        BootstrapConfig { num_resamples, ..BootstrapConfig::new(Seed(seed)) }
    }

    #[test]
    fn holm_by_hand() {
        // statsmodels.stats.multitest.multipletests([.01, .04, .03, .005], method="holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (ours, theirs) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((ours - theirs).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }

    #[test]
    fn all_exchanges_of_few_titles_are_counted_right() {
        // One genre, three titles with it; the first system decides all, the second none. Of the
        // 8 exchanges only none and all of them give a micro F1 as far apart: p is about 1/4.
        let labels = Array2::from_elem((3, 1), true);
        let all = (Array2::from_elem((3, 1), 1.0), Array2::from_elem((3, 1), true));
        let none = (Array2::from_elem((3, 1), 0.0), Array2::from_elem((3, 1), false));
        let p = randomisation_test(&[said(&all)], &[said(&none)], labels.view(), &config(4000, 1));
        assert!((p.micro_f1 - 0.25).abs() < 0.03, "{p:?}");
        assert_eq!(p.lrap, 1.0, "every label ranking is right");
        let same = randomisation_test(&[said(&all)], &[said(&all)], labels.view(), &config(50, 1));
        assert!(same.entries().iter().all(|(_, p)| **p == 1.0), "{same:?}");
    }

    #[test]
    fn titles_of_a_group_are_exchanged_together() {
        // As above with four titles in two groups: of the 4 exchanges none and all of them give a
        // micro F1 as far apart: p is about 1/2, where it would be 1/8 for titles that are alone.
        let labels = Array2::from_elem((4, 1), true);
        let all = (Array2::from_elem((4, 1), 1.0), Array2::from_elem((4, 1), true));
        let none = (Array2::from_elem((4, 1), 0.0), Array2::from_elem((4, 1), false));
        let p = |groups: Groups| {
            let config = BootstrapConfig { groups, ..config(4000, 1) };
            randomisation_test(&[said(&all)], &[said(&none)], labels.view(), &config).micro_f1
        };
        let (grouped, alone) = (p(Groups::new([0, 0, 1, 1])), p(Groups::default()));
        assert!((grouped - 0.5).abs() < 0.03, "{grouped}");
        assert!((alone - 0.125).abs() < 0.03, "{alone}");
        assert_eq!(p(Groups::new([4, 3, 2, 1])), alone, "to the bit");
    }

    #[test]
    fn a_real_difference_is_found_over_seeds() {
        let labels = labels(150, 3);
        let good: Vec<_> = (0..2).map(|s| noisy(&labels, 1.2, s, "good")).collect();
        let bad: Vec<_> = (0..2).map(|s| noisy(&labels, 2.4, s, "bad")).collect();
        let p = randomisation_test(
            &good.iter().map(said).collect::<Vec<_>>(),
            &bad.iter().map(said).collect::<Vec<_>>(),
            labels.view(),
            &config(199, 5),
        );
        assert!(p.entries().iter().all(|(_, p)| **p == 1.0 / 200.0), "{p:?}");
    }

    /// On null data no test claims an effect more often than its level says: 200 pairs of
    /// equally noisy systems, level 0.05. By chance alone the count of a test that keeps its
    /// level exceeds 20 in one of two hundred runs (binomial); the seed is fixed.
    #[test]
    fn on_null_data_the_tests_keep_their_level() {
        const PAIRS: u64 = 200;
        let mut false_alarms = [[0; 6]; 2];
        for pair in 0..PAIRS {
            let labels = labels(60, pair);
            let (a, b) = (noisy(&labels, 2.0, pair, "a"), noisy(&labels, 2.0, pair, "b"));
            let config = config(99, pair);
            let by_exchange = randomisation_test(&[said(&a)], &[said(&b)], labels.view(), &config);
            let by_bootstrap = headline_differences(
                &HeadlineTable::new(a.0.view(), a.1.view(), labels.view()),
                &HeadlineTable::new(b.0.view(), b.1.view(), labels.view()),
                &config,
            );
            let p_values = [by_exchange, by_bootstrap.map_values(|d| d.p_value)];
            for (counts, p_values) in false_alarms.iter_mut().zip(p_values) {
                for (count, (_, &p)) in counts.iter_mut().zip(p_values.entries()) {
                    *count += usize::from(p <= 0.05);
                }
            }
        }
        assert!(false_alarms.iter().flatten().all(|&count| count <= 20), "{false_alarms:?}");
        assert!(false_alarms[0].iter().any(|&count| count >= 2), "{false_alarms:?}");
    }
}
