//! The few figures that a run is known by, in one shape for values, intervals and spreads.
//!
//! in: scores, decisions, labels `[titles, genres]`; labels that are not known are in no figure
//! out: [`Headline<f64>`], also for titles that count several times or not at all

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{
    counts::{Averages, Counts, ratio},
    labels::Labels,
    ranking::{self, Ranked},
};

/// One `T` for each headline figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline<T> {
    /// F1 over all decisions together.
    pub micro_f1: T,
    /// Mean of the genres' F1.
    pub macro_f1: T,
    /// Mean of the genres' F1, weighted by support.
    pub weighted_f1: T,
    /// Mean of the titles' F1.
    pub samples_f1: T,
    /// Mean of the genres' average precisions.
    pub map: T,
    /// Label ranking average precision.
    pub lrap: T,
}

impl<T> Headline<T> {
    /// Makes each entry from its index in the order of [`Headline::entries`].
    pub fn from_fn(mut make: impl FnMut(usize) -> T) -> Self {
        Self {
            micro_f1: make(0),
            macro_f1: make(1),
            weighted_f1: make(2),
            samples_f1: make(3),
            map: make(4),
            lrap: make(5),
        }
    }

    /// The entries with the names that people know them by.
    pub fn entries(&self) -> [(&'static str, &T); 6] {
        [
            ("micro F1", &self.micro_f1),
            ("macro F1", &self.macro_f1),
            ("weighted F1", &self.weighted_f1),
            ("samples F1", &self.samples_f1),
            ("mAP", &self.map),
            ("LRAP", &self.lrap),
        ]
    }

    /// The entry at this place of [`Headline::entries`].
    ///
    /// # Panics
    /// There are fewer.
    pub fn entry_mut(&mut self, k: usize) -> &mut T {
        match k {
            0 => &mut self.micro_f1,
            1 => &mut self.macro_f1,
            2 => &mut self.weighted_f1,
            3 => &mut self.samples_f1,
            4 => &mut self.map,
            5 => &mut self.lrap,
            _ => panic!("there are 6 headline figures, not {}", k + 1),
        }
    }

    /// Each entry turned into something else.
    pub fn map_values<U>(&self, mut turn: impl FnMut(&T) -> U) -> Headline<U> {
        let entries = self.entries();
        Headline::from_fn(|k| turn(entries[k].1))
    }
}

impl Headline<f64> {
    /// Equal to the same figures of [`Metrics::compute`](super::Metrics::compute).
    ///
    /// # Panics
    /// The shapes differ.
    #[must_use]
    pub fn compute<'a>(
        scores: ArrayView2<'_, f64>,
        decisions: ArrayView2<'a, bool>,
        labels: impl Into<Labels<'a>>,
    ) -> Self {
        HeadlineTable::new(scores, decisions, labels).weighted(|_| 1.0)
    }

    /// Sample standard deviation and mean of several runs' figures (folds, seeds):
    /// `(mean, sd)`; the sd of fewer than two is 0.
    #[must_use]
    pub fn mean_and_sd(runs: &[Self]) -> (Self, Self) {
        let column = |k: usize| runs.iter().map(move |run| *run.entries()[k].1);
        let mean = Self::from_fn(|k| ratio(column(k).sum(), runs.len() as f64));
        let sd = Self::from_fn(|k| {
            if runs.len() < 2 {
                return 0.0;
            }
            let center = *mean.entries()[k].1;
            let squares: f64 = column(k).map(|v| (v - center).powi(2)).sum();
            (squares / (runs.len() - 1) as f64).sqrt()
        });
        (mean, sd)
    }
}

/// All that is needed to compute a [`Headline`] again and again under other weights of titles,
/// in time linear in titles × genres: sorted once.
pub struct HeadlineTable<'a> {
    decisions: ArrayView2<'a, bool>,
    labels: Labels<'a>,
    ranked: Vec<Ranked>,
    /// `[titles]`: what a title counts and its F1.
    title_f1: Vec<(f64, f64)>,
    /// `[titles]`: what a title counts and its LRAP.
    title_lrap: Vec<(f64, f64)>,
}

impl<'a> HeadlineTable<'a> {
    /// Sorts each genre and scores each title.
    ///
    /// # Panics
    /// The shapes differ.
    #[must_use]
    pub fn new(
        scores: ArrayView2<'_, f64>,
        decisions: ArrayView2<'a, bool>,
        labels: impl Into<Labels<'a>>,
    ) -> Self {
        let labels = labels.into();
        assert_eq!(decisions.dim(), labels.dim(), "one decision for each label");
        let title_f1 = |title| {
            let (weight, counts) = Counts::of_title(decisions, labels, title);
            (if labels.knows(title) { weight } else { 0.0 }, counts.f1())
        };
        let lrap = ranking::of_titles(scores, labels, |s, l| Some(ranking::title_lrap(s, l)));
        Self {
            decisions,
            labels,
            ranked: (0..labels.dim().1).map(|g| Ranked::of_genre(scores, labels, g)).collect(),
            title_f1: (0..labels.dim().0).map(title_f1).collect(),
            title_lrap: lrap.map(|title| title.unwrap_or((0.0, 0.0))).collect(),
        }
    }

    /// Number of titles.
    #[must_use]
    pub fn num_titles(&self) -> usize {
        self.title_f1.len()
    }

    /// The figures where title `i` counts `weight(i)` times. Genres without positives under these
    /// weights count as 0 in macro F1 and not at all in mAP.
    pub fn weighted(&self, weight: impl Fn(usize) -> f64) -> Headline<f64> {
        let mut genres = vec![Counts::default(); self.labels.dim().1];
        for (t, decisions) in self.decisions.outer_iter().enumerate() {
            let w = weight(t);
            if w == 0.0 {
                continue;
            }
            for (g, (counts, &decided)) in genres.iter_mut().zip(decisions).enumerate() {
                counts.add(decided, self.labels.has(t, g), w * self.labels.weight(t, g));
            }
        }
        let mut pooled = Counts::default();
        for &counts in &genres {
            pooled += counts;
        }
        let mean_over_titles = |values: &[(f64, f64)]| {
            let (sum, total) =
                values.iter().enumerate().fold((0.0, 0.0), |(sum, total), (t, (own, v))| {
                    let w = own * weight(t);
                    (sum + w * v, total + w)
                });
            ratio(sum, total)
        };
        Headline {
            micro_f1: pooled.f1(),
            macro_f1: Averages::weighted_mean(genres.iter().map(|c| (1.0, c.averages()))).f1,
            weighted_f1: Averages::weighted_mean(
                genres.iter().map(|c| (c.support(), c.averages())),
            )
            .f1,
            samples_f1: mean_over_titles(&self.title_f1),
            map: ranking::mean_of_defined(
                self.ranked.iter().map(|ranked| ranked.average_precision(&weight)),
            ),
            lrap: mean_over_titles(&self.title_lrap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_spread_by_hand() {
        let run = |x: f64| Headline::from_fn(|k| x + k as f64);
        let (mean, sd) = Headline::mean_and_sd(&[run(1.0), run(3.0)]);
        assert_eq!(mean, run(2.0));
        assert_eq!(sd, Headline::from_fn(|_| 2.0_f64.sqrt()));
        let (mean, sd) = Headline::mean_and_sd(&[run(1.0)]);
        assert_eq!((mean, sd), (run(1.0), Headline::from_fn(|_| 0.0)));
    }
}
