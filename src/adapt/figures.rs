//! What would come of learning: held-out figures beside those of the bundle that one begins with.

use base::Seed;
use catalog::split::iterative_stratification;
use dataset::Dataset;
use eval::{GateConfig, Groups, PinnedTest, Verdict, gate, pinned, significance::Said};
use learn::{heads::FitContext, study};
use ndarray::Array2;
use serde::Serialize;

use super::{AdaptError, Material};

const NUM_FOLDS: usize = 5;
/// The other bundle is not compared with on fewer titles that it was not trained on.
const MIN_UNSEEN: usize = 20;

/// Held-out figures. What was learned is `new`; `old` is the other bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Titles that were held out, each once.
    pub num_titles: usize,
    /// Whether the other bundle is compared with: on titles that it was not trained on, if there are
    /// enough. Else it counts as one that knows nothing.
    pub is_compared: bool,
    /// Both on the same titles.
    pub verdict: Verdict,
    /// Micro F1 and mAP with half of the titles, where that was tried.
    pub with_half: Option<[f64; 2]>,
}

impl Figures {
    /// Learns five times without a fifth of the titles, groups whole, and scores that fifth; and the same with half
    /// of the titles.
    ///
    /// # Errors
    /// Too few groups; the fit fails; Ctrl-C.
    pub fn of(material: &Material, context: &FitContext<'_>) -> Result<Self, AdaptError> {
        let whole = held_out(material, &material.train, context)?;
        let half = half_of(material, context.seed);
        let with_half = match held_out(material, &half, context) {
            Ok(half) => Some([half.verdict.micro_f1.new, half.verdict.map.new]),
            Err(AdaptError::TooFew { .. }) => None,
            Err(error) => return Err(error),
        };
        let HeldOut { verdict, num_titles, is_compared } = whole;
        Ok(Self { num_titles, is_compared, verdict, with_half })
    }

    /// By how much micro F1 and mAP would rise with so many titles more, if they rise with the logarithm of
    /// the titles as they did from half of these to all.
    #[must_use]
    pub fn of_more(&self, more: usize) -> Option<[f64; 2]> {
        let [micro_f1, map] = self.with_half?;
        let num = self.num_titles.max(1) as f64;
        let doublings = ((num + more as f64) / num).log2();
        Some([
            (self.verdict.micro_f1.new - micro_f1) * doublings,
            (self.verdict.map.new - map) * doublings,
        ])
    }
}

/// Every second group of the titles, drawn.
fn half_of(material: &Material, seed: Seed) -> Vec<usize> {
    let labels: Vec<bool> = labels(&material.data, &material.train);
    let groups: Vec<usize> = material.train.iter().map(|&title| material.groups[title]).collect();
    let genres = material.data.num_genres();
    let halves = iterative_stratification(&labels, genres, &groups, 2, seed.derive("half"));
    let titles = material.train.iter().zip(halves);
    titles.filter(|(_, half)| *half == 0).map(|(&title, _)| title).collect()
}

fn labels(data: &Dataset, titles: &[usize]) -> Vec<bool> {
    titles.iter().flat_map(|&title| data.labels_of(title)).copied().collect()
}

/// What is learned and what the other bundle says, on titles held out.
struct HeldOut {
    verdict: Verdict,
    num_titles: usize,
    is_compared: bool,
}

/// Learns of `train`.
fn held_out(
    material: &Material,
    train: &[usize],
    context: &FitContext<'_>,
) -> Result<HeldOut, AdaptError> {
    let Material { data, groups, config, prior, .. } = material;
    let own_groups: Vec<usize> = train.iter().map(|&title| groups[title]).collect();
    let mut distinct = own_groups.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < NUM_FOLDS * 2 {
        return Err(AdaptError::TooFew {
            message: format!(
                "{} titles in {} groups cannot be held out in turn",
                train.len(),
                distinct.len()
            ),
            hint: format!("{} groups are needed", NUM_FOLDS * 2),
        });
    }
    let (labels, seed) = (labels(data, train), context.seed.derive("folds"));
    let folds = iterative_stratification(&labels, data.num_genres(), &own_groups, NUM_FOLDS, seed);
    let mut fold_of = vec![None; data.num_titles()];
    train.iter().zip(folds).for_each(|(&title, fold)| fold_of[title] = Some(fold));
    let found = study::cross_validate(data, &fold_of, groups, config, context)?;
    // What the other bundle was trained on says nothing of what it is worth.
    let unseen = found.titles.iter().filter(|&&title| !material.known[title]).count();
    let prior = prior.as_ref().filter(|_| unseen >= MIN_UNSEEN);
    let found = found.only(|title| prior.is_none() || !material.known[title]);
    let shape = (found.titles.len(), data.num_genres());
    let table = |values: &dyn Fn(usize) -> f64| {
        Array2::from_shape_fn(shape, |(t, g)| values(t * shape.1 + g))
    };
    let scored = |at: usize| found.prediction.scored[at / shape.1];
    let new = table(&|at| {
        if scored(at) { f64::from(found.prediction.probability[at]) } else { f64::NAN }
    });
    let decided = Array2::from_shape_fn(shape, |(t, g)| found.prediction.decision[t * shape.1 + g]);
    let (old, old_decided) = match prior {
        Some(prior) => prior.decides(data, &found.titles)?,
        None => (Array2::from_elem(shape, f64::NAN), Array2::from_elem(shape, false)),
    };
    let has = data.labels_matrix(&found.titles);
    let test = PinnedTest {
        labels: has.view(),
        groups: Groups::new(found.titles.iter().map(|&title| groups[title])),
        genres: &data.genres,
        digest: pinned::digest_of(found.titles.iter().map(|&title| data.titles[title].as_str())),
    };
    let verdict = gate::judge(
        Said { scores: old.view(), decisions: old_decided.view() },
        Said { scores: new.view(), decisions: decided.view() },
        &test,
        &GateConfig::new(context.seed),
    );
    Ok(HeldOut { verdict, num_titles: found.titles.len(), is_compared: prior.is_some() })
}
