//! An ensemble over inner folds: each member is trained on all folds but one and stops early on
//! that one, so that every training title gets scores from a member that never saw it. On these
//! out-of-fold scores calibration and thresholds are fitted.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2};

use super::jobs;
use crate::{
    base::Seed,
    catalog::split::iterative_stratification,
    eval::{
        AtPrecision, Isotonic,
        calibration::{apply_platt, fit_platt},
        thresholds::{
            NEVER, USUAL_PRECISIONS, fit_thresholds, for_precision, half_the_error_of_the_prior,
            surely_half_the_error_of_the_prior,
        },
    },
    learn::{
        LearnConfig, LearnError, TrainedModel,
        borrowed::{self, Ensemble},
        config::Calibration,
        dataset::Dataset,
        heads::{self, FitContext, FittedHead, Prediction},
        model::{Decisions, ModelSpec, PartialDecisions},
    },
};

/// Fewer out-of-fold titles than this say nothing about thresholds of their own.
const MIN_PARTIAL_TITLES: usize = 200;
/// Up to so many modalities every set of them is looked at; beyond, their number explodes.
const MAX_MODALITIES_OF_ALL_VIEWS: usize = 4;

/// What one member is fitted on.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberPlan {
    /// Indices into the data's titles.
    pub train: Vec<usize>,
    /// `[train]`: the inner folds that these titles come from, groups whole.
    pub inner_folds: Vec<u32>,
    /// The titles that it stops on and scores; disjoint from `train`.
    pub valid: Vec<usize>,
    /// Its own randomness.
    pub seed: Seed,
}

/// Splits the training titles for the members: stratified by genre, groups whole.
///
/// # Errors
/// Fewer titles or groups than members.
pub fn plan(
    data: &Dataset,
    train: &[usize],
    groups: &[usize],
    config: &LearnConfig,
    seed: Seed,
) -> Result<Vec<MemberPlan>, LearnError> {
    let labels: Vec<bool> =
        train.iter().flat_map(|&title| data.labels_of(title)).copied().collect();
    let groups: Vec<usize> = train.iter().map(|&title| groups[title]).collect();
    let mut distinct = groups.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < config.members {
        return Err(LearnError::Data {
            message: format!(
                "{} training titles in {} groups cannot be split into {} inner folds",
                train.len(),
                distinct.len(),
                config.members
            ),
            hint: Some("lower `learn.members`, or add titles".to_owned()),
        });
    }
    let fold_of = iterative_stratification(
        &labels,
        data.num_genres(),
        &groups,
        config.members,
        seed.derive("inner folds"),
    );
    let members = (0..config.members).map(|member| {
        let (mut kept, mut inner_folds, mut valid) = (Vec::new(), Vec::new(), Vec::new());
        for (&title, &fold) in train.iter().zip(&fold_of) {
            if fold as usize == member {
                valid.push(title);
            } else {
                kept.push(title);
                inner_folds.push(fold);
            }
        }
        let seed = seed.derive(&format!("member {member}"));
        MemberPlan { train: kept, inner_folds, valid, seed }
    });
    Ok(members.collect())
}

/// The data with the modalities alone that a head is fitted on.
fn own_part<'a>(data: &'a Dataset, config: &LearnConfig) -> Cow<'a, Dataset> {
    let own = borrowed::own_of(data, config);
    if own.len() == data.modalities.len() {
        return Cow::Borrowed(data);
    }
    Cow::Owned(data.with_modalities(&own))
}

/// A fitted member and what it says of the titles that it never saw.
pub struct Member {
    head: Box<dyn FittedHead>,
    /// Of the plan's `valid`.
    held_out: Prediction,
}

/// Fits the members of several plans at once, in their order, and has each score its held-out
/// titles. `context.seed` is not used: each member has its own.
///
/// # Errors
/// That of the first member that failed.
pub fn fit_members(
    data: &Dataset,
    plans: &[&MemberPlan],
    config: &LearnConfig,
    context: &FitContext<'_>,
) -> Result<Vec<Member>, LearnError> {
    let kind = heads::find(&config.head)?;
    let head = (kind.build)(config);
    let data = &*own_part(data, config);
    context.progress.begin("training", Some((plans.len() * config.epochs) as u64));
    let members = jobs::run(plans.len(), context.device, |idx| {
        let plan = plans[idx];
        let context = FitContext { seed: plan.seed, inner_folds: &plan.inner_folds, ..*context };
        let head = head.fit(data, &plan.train, &plan.valid, &context)?;
        Ok(Member { held_out: head.predict(data, &plan.valid)?, head })
    });
    context.progress.end();
    members
}

/// Fits calibration and thresholds on the members' out-of-fold scores.
///
/// # Errors
/// A device error.
pub fn assemble(
    data: &Dataset,
    plans: &[MemberPlan],
    members: Vec<Member>,
    config: &LearnConfig,
) -> Result<TrainedModel, LearnError> {
    let (whole, data) = (data, &*own_part(data, config));
    let mut labels = Vec::new();
    let mut held_out = Prediction {
        num_genres: data.num_genres(),
        num_modalities: data.modalities.len(),
        ..Prediction::default()
    };
    let mut heads = Vec::with_capacity(members.len());
    for (plan, member) in plans.iter().zip(members) {
        let part = member.held_out;
        heads.push(member.head);
        labels.extend(plan.valid.iter().flat_map(|&title| data.labels_of(title)).copied());
        held_out.logits.extend(part.logits);
        held_out.unimodal.extend(part.unimodal);
        held_out.scored.extend(part.scored);
    }
    let genres = data.num_genres();
    let modalities = data.modalities.len();
    let fit = |score: &dyn Fn(usize) -> f64, counts: &dyn Fn(usize) -> bool| -> Decisions {
        let titles: Vec<usize> = (0..held_out.scored.len()).filter(|&t| counts(t)).collect();
        let scores =
            Array2::from_shape_fn((titles.len(), genres), |(t, g)| score(titles[t] * genres + g));
        let labels =
            Array2::from_shape_fn((titles.len(), genres), |(t, g)| labels[titles[t] * genres + g]);
        fit_decisions(scores.view(), labels.view(), config, false)
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
        num_members: heads.len(),
        num_titles: plans.iter().map(num_learned_from).sum(),
        fused,
        unimodal,
        partial: if config.abstain {
            fit_partial(data, plans, &heads, config)?
        } else {
            Vec::new()
        },
        borrowed: Vec::new(),
        config: config.clone(),
    };
    if whole.modalities.len() > modalities {
        let ensemble = Ensemble { plans, heads: &heads, own: data, spec: &spec };
        let worth = borrowed::fit(whole, &ensemble, config)?;
        spec.lend(whole, worth);
    }
    Ok(TrainedModel::new(spec, heads))
}

/// Decisions for every set of modalities that a title may be left with, from the members'
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
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for (plan, member) in plans.iter().zip(members) {
            let titles: Vec<usize> = plan.valid.iter().copied().filter(|&t| has_all(t)).collect();
            scores.extend(member.predict(&masked, &titles)?.logits.into_iter().map(f64::from));
            labels.extend(titles.iter().flat_map(|&t| data.labels_of(t)).copied());
        }
        let num_titles = labels.len() / genres;
        if num_titles < MIN_PARTIAL_TITLES {
            continue;
        }
        let shape = (num_titles, genres);
        let (Ok(scores), Ok(labels)) =
            (Array2::from_shape_vec(shape, scores), Array2::from_shape_vec(shape, labels))
        else {
            continue;
        };
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

/// With `abstain` a genre's threshold is at least that at which a tag is wrong half as often as
/// the genre named blindly would be.
fn fit_decisions(
    scores: ArrayView2<'_, f64>,
    labels: ArrayView2<'_, bool>,
    config: &LearnConfig,
    abstain: bool,
) -> Decisions {
    let platt = fit_platt(scores, labels);
    let mut probabilities = apply_platt(scores, &platt);
    let mut isotonic = Vec::new();
    if config.calibration == Calibration::Isotonic {
        for (g, mut probabilities) in probabilities.columns_mut().into_iter().enumerate() {
            let logits: Vec<f64> =
                scores.column(g).iter().map(|&s| platt[g].calibrated_logit(s)).collect();
            let curve = Isotonic::fit(&logits, &labels.column(g).to_vec());
            probabilities.iter_mut().zip(&logits).for_each(|(p, &z)| *p = curve.apply(z));
            isotonic.push(curve);
        }
    }
    let probabilities = probabilities.view();
    let least = abstain.then_some(Least::HalfTheError);
    let (thresholds, at_precision) = fit_cuts(probabilities, labels, config, least);
    Decisions { platt, isotonic, thresholds, at_precision }
}

/// How often a tag must be right at least.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Least {
    /// Wrong half as often as the genre named blindly would be.
    HalfTheError,
    /// So by the lower end of the interval: where titles are few.
    SurelyHalfTheError,
    /// This often.
    Precision(f64),
}

/// Thresholds for calibrated probabilities, the usual ones and those for precisions.
pub(crate) fn fit_cuts(
    probabilities: ArrayView2<'_, f64>,
    labels: ArrayView2<'_, bool>,
    config: &LearnConfig,
    least: Option<Least>,
) -> (Vec<f64>, Vec<AtPrecision>) {
    let mut thresholds = match config.precision {
        None => fit_thresholds(probabilities, labels, config.threshold_shrinkage),
        Some(precision) => AtPrecision::fit(probabilities, labels, precision).or_never(),
    };
    let mut at_precision: Vec<AtPrecision> =
        USUAL_PRECISIONS.iter().map(|&p| AtPrecision::fit(probabilities, labels, p)).collect();
    if let Some(least) = least {
        for (g, threshold) in thresholds.iter_mut().enumerate() {
            let (scores, labels) = (probabilities.column(g).to_vec(), labels.column(g).to_vec());
            let least = match least {
                Least::HalfTheError => half_the_error_of_the_prior(&scores, &labels),
                Least::SurelyHalfTheError => surely_half_the_error_of_the_prior(&scores, &labels),
                Least::Precision(least) => for_precision(&scores, &labels, least),
            };
            *threshold = threshold.max(least.unwrap_or(NEVER));
            for at in &mut at_precision {
                let own = at.thresholds[g].zip(least);
                at.thresholds[g] = own.map(|(own, least)| own.max(least));
            }
        }
    }
    (thresholds, at_precision)
}
