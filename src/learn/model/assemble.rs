//! From fitted heads to a model: calibration and thresholds on what they held out.

use dataset::Dataset;
use ndarray::Array2;

use super::TrainedModel;
use crate::{
    LearnConfig, LearnError,
    borrowed::{self, Ensemble},
    heads::{FittedHead, Prediction},
    labels::KnownLabels,
    spec::{Decisions, ModelSpec, PartialDecisions},
    train::{Heads, HeldOut, MemberPlan, fit_decisions},
};

/// Fewer out-of-fold titles than this say nothing about thresholds of their own.
const MIN_PARTIAL_TITLES: usize = 200;
/// Up to so many modalities every set of them is looked at; beyond, their number explodes.
const MAX_MODALITIES_OF_ALL_VIEWS: usize = 4;

/// Fits calibration and thresholds on the out-of-fold scores.
///
/// # Errors
/// A device error.
pub fn assemble(
    data: &Dataset,
    plans: &[MemberPlan],
    heads: Heads,
    config: &LearnConfig,
) -> Result<TrainedModel, LearnError> {
    let (whole, data) = (data, &*config.own_part(data));
    let mut held_out = Prediction {
        num_genres: data.num_genres(),
        num_modalities: data.modalities.len(),
        ..Prediction::default()
    };
    let mut all_titles = Vec::new();
    for HeldOut { titles, prediction: part } in &heads.held_out {
        all_titles.extend(titles);
        held_out.logits.extend(&part.logits);
        held_out.unimodal.extend(&part.unimodal);
        held_out.scored.extend(&part.scored);
    }
    let genres = data.num_genres();
    let modalities = data.modalities.len();
    let fit = |score: &dyn Fn(usize) -> f64, counts: &dyn Fn(usize) -> bool| -> Decisions {
        let titles: Vec<usize> = (0..held_out.scored.len()).filter(|&t| counts(t)).collect();
        let scores =
            Array2::from_shape_fn((titles.len(), genres), |(t, g)| score(titles[t] * genres + g));
        let those: Vec<usize> = titles.iter().map(|&t| all_titles[t]).collect();
        fit_decisions(scores.view(), KnownLabels::of(data, &those).view(), config, false)
    };
    let fused = fit(&|at| f64::from(held_out.logits[at]), &|t| held_out.scored[t]);
    let unimodal = (0..modalities)
        .map(|m| {
            let score = |at: usize| f64::from(held_out.unimodal[at * modalities + m]);
            fit(&score, &|t| !score(t * genres).is_nan())
        })
        .collect();
    let num_learned_from = |plan: &MemberPlan| match whole.modalities.len() {
        all if all == modalities => plan.valid.len(),
        _ => data.with_any(&plan.valid).len(),
    };
    let mut spec = ModelSpec {
        head: config.head.clone(),
        genres: data.genres.clone(),
        modalities: data.modalities.iter().map(|table| table.name.clone()).collect(),
        num_members: heads.scoring.len(),
        num_titles: plans.iter().map(num_learned_from).sum(),
        fused,
        unimodal,
        partial: if config.decisions.abstain {
            fit_partial(data, plans, heads.by_plan(), config)?
        } else {
            Vec::new()
        },
        borrowed: Vec::new(),
        config: config.clone(),
    };
    if whole.modalities.len() > modalities {
        let ensemble = Ensemble { plans, heads: heads.by_plan(), own: data, spec: &spec };
        let worth = borrowed::fit(whole, &ensemble, config)?;
        spec.lend(whole, worth);
    }
    Ok(TrainedModel::new(spec, heads.scoring))
}

/// Decisions for every set of modalities that a title may be left with, from the
/// out-of-fold scores of the titles that have them, all other modalities masked.
fn fit_partial(
    data: &Dataset,
    plans: &[MemberPlan],
    members: &[Box<dyn FittedHead>],
    config: &LearnConfig,
) -> Result<Vec<PartialDecisions>, LearnError> {
    let (genres, modalities) = (data.num_genres(), data.modalities.len());
    let mut partial = Vec::new();
    for present in partial_views(modalities) {
        let has_all =
            |t: usize| (0..modalities).all(|m| !present[m] || data.modalities[m].present(t));
        let masked = data.masked(|t, m| present[m] && has_all(t));
        let (mut scores, mut all_titles) = (Vec::new(), Vec::new());
        for (plan, member) in plans.iter().zip(members) {
            let titles: Vec<usize> = plan.valid.iter().copied().filter(|&t| has_all(t)).collect();
            scores.extend(member.predict(&masked, &titles)?.logits.into_iter().map(f64::from));
            all_titles.extend(titles);
        }
        if all_titles.len() < MIN_PARTIAL_TITLES {
            continue;
        }
        let shape = (all_titles.len(), genres);
        let Ok(scores) = Array2::from_shape_vec(shape, scores) else { continue };
        let labels = KnownLabels::of(data, &all_titles);
        let decisions = fit_decisions(scores.view(), labels.view(), config, true);
        partial.push(PartialDecisions { present, decisions });
    }
    Ok(partial)
}

/// `[views][modalities]`: sets of modalities that lack some; where there are many modalities only
/// each by itself.
fn partial_views(num_modalities: usize) -> Vec<Vec<bool>> {
    let masks: Vec<usize> = if num_modalities <= MAX_MODALITIES_OF_ALL_VIEWS {
        (1..(1 << num_modalities) - 1).collect()
    } else {
        (0..num_modalities).map(|m| 1 << m).collect()
    };
    let bits = |mask: usize| (0..num_modalities).map(|m| mask >> m & 1 == 1).collect();
    masks.into_iter().map(bits).collect()
}
