//! From held-out scores of many systems to an [`AblationReport`].

use base::Seed;
use eval::{
    BootstrapConfig, Groups, Headline, Interval, Metrics,
    bootstrap::{mean_differences, mean_intervals},
    headline::HeadlineTable,
    methods::method_differences,
    shapley::shapley_values,
    significance::{Said, randomisation_test},
};
use learn::study::Scored;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::{AblationReport, DroppedReport, MissingRow, Shapley, SystemRow, Tested};
use crate::{Circumstances, Provenance};

/// All that an ablation found.
#[derive(Clone, Debug, Default)]
pub struct AblationEvidence {
    /// What was studied, for people.
    pub title: String,
    /// What a reader must know before the figures.
    pub notes: Vec<String>,
    /// What the figures stand on.
    pub provenance: Provenance,
    /// When, where and how long.
    pub circumstances: Circumstances,
    /// Names of the modalities.
    pub modalities: Vec<String>,
    /// Names of the genres.
    pub genres: Vec<String>,
    /// Folds.
    pub num_folds: usize,
    /// `[titles]`: the fold in which each was held out.
    pub folds: Vec<u32>,
    /// Titles that belong together.
    pub groups: Groups,
    /// `[titles, genres]`
    pub labels: Array2<bool>,
    /// The reference first.
    pub systems: Vec<SystemEvidence>,
    /// The reference seen through subsets of the modalities.
    pub views: Vec<ViewEvidence>,
    /// The reference against zeros.
    pub dropped: Option<DroppedEvidence>,
    /// Resamples and draws.
    pub num_resamples: usize,
    /// All randomness of intervals and tests.
    pub seed: Option<Seed>,
}

/// One system's held-out scores.
#[derive(Clone, Debug, Default)]
pub struct SystemEvidence {
    /// Its name.
    pub name: String,
    /// Its head.
    pub head: String,
    /// Indices of its modalities, ascending.
    pub modalities: Vec<usize>,
    /// `[seeds]`
    pub scored: Vec<Scored>,
}

/// The reference with only these modalities present.
#[derive(Clone, Debug, Default)]
pub struct ViewEvidence {
    /// Indices of those present, ascending.
    pub present: Vec<usize>,
    /// `[seeds]`
    pub scored: Vec<Scored>,
}

/// Two ways to meet inputs that are dropped at random.
#[derive(Clone, Debug, Default)]
pub struct DroppedEvidence {
    /// How often an input is dropped.
    pub frac: f64,
    /// `[seeds]`: the reference.
    pub aware: Vec<Scored>,
    /// `[seeds]`: trained without modality dropout, fed zeros.
    pub zeros: Vec<Scored>,
}

impl AblationEvidence {
    /// Measures everything. The first system is the reference.
    #[must_use]
    pub fn assemble(self) -> AblationReport {
        let config = BootstrapConfig {
            num_resamples: self.num_resamples,
            groups: self.groups.clone(),
            ..BootstrapConfig::new(self.seed.unwrap_or(Seed(0)))
        };
        let (level, num_resamples) = (config.level, config.num_resamples);
        let measure = Measure { labels: self.labels.view(), folds: &self.folds, config };
        let mut systems: Vec<SystemRow> = self
            .systems
            .iter()
            .enumerate()
            .map(|(k, system)| measure.system(system, &self.systems[..k.min(1)], &self.modalities))
            .collect();
        let losses = systems.iter_mut().filter_map(|system| system.loss.as_mut());
        Tested::correct(&mut losses.collect::<Vec<_>>());
        let missing = self
            .views
            .iter()
            .map(|view| {
                let same = |s: &&SystemRow| {
                    s.head == systems[0].head && uses(&self.modalities, &view.present) == s.uses
                };
                let retrained = systems.iter().find(same);
                MissingRow {
                    present: uses(&self.modalities, &view.present),
                    figures: measure.figures(&view.scored),
                    retrained: retrained.map(|s| s.figures.map_values(|i| i.value)),
                    genre_ap: measure.per_genre(&view.scored).0,
                }
            })
            .collect();
        AblationReport {
            num_titles: self.labels.nrows(),
            num_seeds: self.systems.first().map_or(0, |system| system.scored.len()),
            num_folds: self.num_folds,
            interval_level: level,
            num_resamples,
            shapley: shapley(&systems, self.labels.view(), self.modalities.len()),
            systems,
            missing,
            dropped: self.dropped.as_ref().map(|dropped| DroppedReport {
                frac: dropped.frac,
                aware: measure.figures(&dropped.aware),
                zeros: measure.figures(&dropped.zeros),
                gain: measure.tested(&dropped.aware, &dropped.zeros),
            }),
            title: self.title,
            notes: self.notes,
            provenance: self.provenance,
            circumstances: self.circumstances,
            modalities: self.modalities,
            genre_positives: self
                .labels
                .columns()
                .into_iter()
                .map(|genre| genre.iter().filter(|&&label| label).count())
                .collect(),
            genres: self.genres,
        }
    }
}

fn uses(modalities: &[String], used: &[usize]) -> Vec<bool> {
    (0..modalities.len()).map(|m| used.contains(&m)).collect()
}

struct Measure<'a> {
    labels: ArrayView2<'a, bool>,
    folds: &'a [u32],
    config: BootstrapConfig,
}

fn said(scored: &[Scored]) -> Vec<Said<'_>> {
    scored
        .iter()
        .map(|s| Said { scores: s.probabilities.view(), decisions: s.decisions.view() })
        .collect()
}

impl Measure<'_> {
    fn tables<'s>(&'s self, scored: &'s [Scored]) -> Vec<HeadlineTable<'s>> {
        scored
            .par_iter()
            .map(|s| HeadlineTable::new(s.probabilities.view(), s.decisions.view(), self.labels))
            .collect()
    }

    fn figures(&self, scored: &[Scored]) -> Headline<Interval> {
        mean_intervals(&self.tables(scored), &self.config)
    }

    /// `[genres]`: mean average precision and mean F1 over seeds.
    fn per_genre(&self, scored: &[Scored]) -> (Vec<Option<f64>>, Vec<f64>) {
        let metrics: Vec<Metrics> = scored
            .par_iter()
            .map(|s| Metrics::compute(s.probabilities.view(), s.decisions.view(), self.labels))
            .collect();
        let count = metrics.len().max(1) as f64;
        (0..self.labels.ncols())
            .map(|g| {
                let ap: Option<f64> = metrics.iter().map(|m| m.genres[g].ap).sum();
                let f1: f64 = metrics.iter().map(|m| m.genres[g].f1).sum();
                (ap.map(|ap| ap / count), f1 / count)
            })
            .unzip()
    }

    fn tested(&self, first: &[Scored], second: &[Scored]) -> Headline<Tested> {
        let by_bootstrap =
            mean_differences(&self.tables(first), &self.tables(second), &self.config);
        let by_exchange =
            randomisation_test(&said(first), &said(second), self.labels, &self.config);
        let (first, second) = (said(first), said(second));
        let by_folds =
            method_differences(&first, &second, self.labels, self.folds, self.config.level);
        Tested::of(&by_bootstrap, &by_exchange, by_folds.as_ref())
    }

    fn system(
        &self,
        system: &SystemEvidence,
        reference: &[SystemEvidence],
        modalities: &[String],
    ) -> SystemRow {
        let runs: Vec<Headline<f64>> = system
            .scored
            .iter()
            .map(|s| Headline::compute(s.probabilities.view(), s.decisions.view(), self.labels))
            .collect();
        let (genre_ap, genre_f1) = self.per_genre(&system.scored);
        SystemRow {
            name: system.name.clone(),
            head: system.head.clone(),
            uses: uses(modalities, &system.modalities),
            figures: self.figures(&system.scored),
            seed_sd: Headline::mean_and_sd(&runs).1,
            loss: reference.first().map(|r| self.tested(&r.scored, &system.scored)),
            genre_ap,
            genre_f1,
        }
    }
}

/// `None` unless the reference's head was tried on every subset.
fn shapley(
    systems: &[SystemRow],
    labels: ArrayView2<'_, bool>,
    num_modalities: usize,
) -> Option<Shapley> {
    let head = &systems.first()?.head;
    let bits = |uses: &[bool]| -> u32 {
        uses.iter().enumerate().map(|(m, used)| u32::from(*used) << m).sum()
    };
    let mut of_subset: Vec<Option<&SystemRow>> = vec![None; 1 << num_modalities];
    for system in systems.iter().filter(|system| system.head == *head) {
        of_subset[bits(&system.uses) as usize] = Some(system);
    }
    let of_subset: Vec<&SystemRow> = of_subset[1..].iter().copied().collect::<Option<_>>()?;
    let guess: Vec<f64> = labels
        .columns()
        .into_iter()
        .map(|c| c.iter().filter(|&&l| l).count() as f64 / c.len().max(1) as f64)
        .collect();
    let value_of = |nothing: f64, value: &dyn Fn(&SystemRow) -> f64| {
        shapley_values(num_modalities, |subset| match subset {
            0 => nothing,
            some => value(of_subset[some as usize - 1]),
        })
    };
    let genres: Vec<Vec<f64>> = (0..labels.ncols())
        .map(|g| value_of(guess[g], &|system| system.genre_ap[g].unwrap_or(guess[g])))
        .collect();
    let with_titles: Vec<f64> = guess.iter().copied().filter(|&share| share > 0.0).collect();
    let mean_guess = with_titles.iter().sum::<f64>() / with_titles.len().max(1) as f64;
    Some(Shapley {
        largest: genres.iter().flatten().fold(0.0, |most, v| v.abs().max(most)),
        genres,
        guess,
        map: value_of(mean_guess, &|system| system.figures.map.value),
        macro_f1: value_of(0.0, &|system| system.figures.macro_f1.value),
    })
}
