//! Regressions that bring the experts' scores together, one for each subset of the modalities.
//!
//! Scores are standardised first: a kernel's lie within ±1 and a regression's within ±10, and one
//! penalty must not weigh more on the one than on the other.

use dataset::Dataset;
use serde::{Deserialize, Serialize};

use super::experts::{Looks, Opinions};
use crate::{
    LearnConfig,
    heads::classical::{Linear, correction, standardised_logistic},
};

/// A set of modalities that fewer training titles have has no regression: each modality's own
/// opinion counts the same.
const MIN_TITLES: usize = 20;

/// Fitted on scores of experts that never saw the title.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Fusions {
    /// `[subsets][genres]`: of the scores of the experts that see the subset, in their order; a
    /// subset of modalities is a number whose bits they are. `None` where too few titles have it.
    of_subset: Vec<Option<Vec<Linear>>>,
}

impl Fusions {
    /// Fits on those titles of `train` that `counts` (by their places); `held_out` are of `train`,
    /// by experts that look at `looks`. Where one of them was there before, what is fitted is what
    /// the others add to its word.
    pub(super) fn fit(
        data: &Dataset,
        train: &[usize],
        held_out: &Opinions,
        looks: &Looks,
        config: &LearnConfig,
        counts: impl Fn(usize) -> bool,
    ) -> Self {
        let of_subset = |subset: usize| {
            let modalities = || (0..data.modalities.len()).filter(move |m| subset >> m & 1 == 1);
            let rows: Vec<usize> = (0..train.len())
                .filter(|&at| counts(at))
                .filter(|&at| modalities().all(|m| data.modalities[m].present(train[at])))
                .collect();
            if subset == 0 || rows.len() < MIN_TITLES {
                return None;
            }
            let seeing: Vec<usize> = looks.seeing(subset).collect();
            let given = seeing.iter().position(|&expert| looks.given == Some(expert));
            let fit = |genre: usize| {
                let said = |at: usize| {
                    let said = move |&expert: &usize| held_out.of(expert, subset, at, genre);
                    seeing.iter().map(said)
                };
                let weight = |at: usize| data.label_weight(train[at], genre);
                let known: Vec<usize> =
                    rows.iter().copied().filter(|&at| weight(at) > 0.0).collect();
                let x: Vec<f32> = known.iter().flat_map(|&at| said(at)).collect();
                let labels: Vec<bool> =
                    known.iter().map(|&at| data.labels_of(train[at])[genre]).collect();
                let weights: Option<Vec<f64>> = data
                    .is_weighed()
                    .then(|| known.iter().map(|&at| f64::from(weight(at))).collect());
                let (dim, weights) = (seeing.len(), weights.as_deref());
                let known: Option<Vec<f32>> =
                    given.map(|at| x.iter().skip(at).step_by(dim).copied().collect());
                match (&config.prior, given.zip(known)) {
                    // Of a genre that it does not know, it says the same whatever the title.
                    (Some(prior), Some((at, known))) if known.iter().any(|&z| z != known[0]) => {
                        let c = prior.c_of(labels.len());
                        correction(&x, dim, &labels, weights, c, &known).trusting(at)
                    }
                    _ => standardised_logistic(&x, dim, &labels, weights, config.stack.c),
                }
            };
            Some((0..data.num_genres()).map(fit).collect())
        };
        Self { of_subset: (0..1_usize << data.modalities.len()).map(of_subset).collect() }
    }

    /// Whether there is one for each subset, of the experts that see it.
    pub(super) fn fits(&self, looks: &Looks, genres: usize, modalities: usize) -> bool {
        let fusion = |(subset, fusion): (usize, &Option<Vec<Linear>>)| {
            let num_seen = looks.seeing(subset).count();
            fusion.as_ref().is_none_or(|of_genre| {
                of_genre.len() == genres && of_genre.iter().all(|linear| linear.fits(num_seen))
            })
        };
        u32::try_from(modalities).ok().and_then(|m| 1_usize.checked_shl(m))
            == Some(self.of_subset.len())
            && self.of_subset.iter().enumerate().all(fusion)
    }

    /// A genre's logit, seen through a subset of the modalities that is not empty; `said`: by an
    /// expert, through a subset. `prior`: where nobody knows.
    pub(super) fn logit(
        &self,
        looks: &Looks,
        subset: usize,
        genre: usize,
        prior: f32,
        said: &dyn Fn(usize, usize) -> f32,
    ) -> f32 {
        match &self.of_subset[subset] {
            Some(of_genre) => {
                let fusion = &of_genre[genre];
                let terms = fusion.weights().iter().zip(looks.seeing(subset));
                let terms = terms.map(|(weight, expert)| weight * said(expert, subset));
                terms.fold(fusion.bias(), |sum, term| sum + term)
            }
            None if looks.given.is_some_and(|given| looks.seeing(subset).any(|at| at == given)) => {
                looks.given.map_or(prior, |given| said(given, subset))
            }
            None if subset.is_power_of_two() => prior,
            None => {
                let members = (0..usize::BITS).filter(|m| subset >> m & 1 == 1);
                let alone: f32 =
                    members.map(|m| self.logit(looks, 1 << m, genre, prior, said)).sum();
                alone / subset.count_ones() as f32
            }
        }
    }
}
