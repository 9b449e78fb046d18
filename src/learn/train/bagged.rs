//! A model from fits over inner folds.
//!
//! Of most heads a model is an ensemble: each member is trained on all folds but one and stops
//! early on that one; the mean counts. Of a head that is fitted once, a model is that one fit, and
//! the heads without an inner fold are there for what follows: every training title gets scores
//! from a head that never saw it, and on these out-of-fold scores calibration and thresholds are
//! fitted.

use std::{borrow::Cow, collections::BTreeSet};

use base::Seed;
use catalog::split::iterative_stratification;
use dataset::Dataset;
use eval::{
    AtPrecision, Isotonic,
    calibration::{apply_platt, fit_platt},
    expected_f1::expected_f1_thresholds,
    thresholds::{
        NEVER, USUAL_PRECISIONS, fit_thresholds, for_precision, half_the_error_of_the_prior,
        surely_half_the_error_of_the_prior,
    },
};
use ndarray::{Array2, ArrayView2};

use super::jobs;
use crate::{
    LearnConfig, LearnError, TrainedModel,
    borrowed::{self, Ensemble},
    config::{Calibration, Decide},
    heads::{self, CrossFit, FitContext, FittedHead, FittedParts, Head, Prediction, Unfitted},
    model::{Decisions, ModelSpec, PartialDecisions},
    study::check_groups,
};

/// Fewer out-of-fold titles than this say nothing about thresholds of their own.
const MIN_PARTIAL_TITLES: usize = 200;
/// Up to so many modalities every set of them is looked at; beyond, their number explodes.
const MAX_MODALITIES_OF_ALL_VIEWS: usize = 4;

/// What one member is fitted on.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberPlan {
    /// The inner fold that is left out.
    pub fold: u32,
    /// Indices into the data's titles.
    pub train: Vec<usize>,
    /// `[train]`: the inner folds that these titles come from, groups whole.
    pub inner_folds: Vec<u32>,
    /// The titles that it stops on and scores; disjoint from `train`.
    pub valid: Vec<usize>,
    /// Its own randomness.
    pub seed: Seed,
}

/// Fewer inner folds than this leave too little to fit on: folds that are given are not used.
const MIN_GIVEN_FOLDS: usize = 3;

/// Splits the training titles into inner folds: stratified by genre, groups whole. A head that is
/// fitted once takes the folds that are `given` `[train]` instead, if there are enough of them.
///
/// # Errors
/// Fewer titles or groups than members; a group in two of the folds given.
pub fn plan(
    data: &Dataset,
    train: &[usize],
    groups: &[usize],
    given: &[u32],
    config: &LearnConfig,
    seed: Seed,
) -> Result<Vec<MemberPlan>, LearnError> {
    let fitted_once = matches!((heads::find(&config.head)?.build)(config), Unfitted::Once(_));
    let names: BTreeSet<u32> = given.iter().copied().collect();
    if fitted_once && given.len() == train.len() && names.len() >= MIN_GIVEN_FOLDS {
        let mut fold_of = vec![None; data.num_titles()];
        train.iter().zip(given).for_each(|(&title, &fold)| fold_of[title] = Some(fold));
        check_groups(data, &fold_of, groups)?;
        return Ok(plans(train, given, &names.into_iter().collect::<Vec<_>>(), seed));
    }
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
    let names: Vec<u32> = (0..config.members as u32).collect();
    Ok(plans(train, &fold_of, &names, seed))
}

/// One for each fold, which it leaves out.
fn plans(train: &[usize], fold_of: &[u32], names: &[u32], seed: Seed) -> Vec<MemberPlan> {
    let plan = |&name: &u32| {
        let (mut kept, mut inner_folds, mut valid) = (Vec::new(), Vec::new(), Vec::new());
        for (&title, &fold) in train.iter().zip(fold_of) {
            if fold == name {
                valid.push(title);
            } else {
                kept.push(title);
                inner_folds.push(fold);
            }
        }
        let seed = seed.derive(&format!("member {name}"));
        MemberPlan { fold: name, train: kept, inner_folds, valid, seed }
    };
    names.iter().map(plan).collect()
}

/// The data with the modalities alone that a head is fitted on.
fn own_part<'a>(data: &'a Dataset, config: &LearnConfig) -> Cow<'a, Dataset> {
    let own = borrowed::own_of(data, config);
    if own.len() == data.modalities.len() {
        return Cow::Borrowed(data);
    }
    Cow::Owned(data.with_modalities(&own))
}

/// The fitted heads of a model.
pub struct Heads {
    /// The mean of these scores new titles.
    scoring: Vec<Box<dyn FittedHead>>,
    /// For each plan one that never saw its `valid`; empty where those that score are.
    left_out: Vec<Box<dyn FittedHead>>,
    /// What these say of titles of their `valid`, plan by plan.
    held_out: Vec<HeldOut>,
}

/// Out-of-fold scores.
struct HeldOut {
    titles: Vec<usize>,
    prediction: Prediction,
}

impl Heads {
    /// For each plan the head that never saw its `valid`.
    fn by_plan(&self) -> &[Box<dyn FittedHead>] {
        if self.left_out.is_empty() { &self.scoring } else { &self.left_out }
    }
}

/// Fits the heads of several models at once, each model by its plans, and has the titles scored
/// that each plan holds out. `context.seed` is not used: each plan has its own.
///
/// # Errors
/// That of the first fit that failed.
pub fn fit_heads(
    data: &Dataset,
    models: &[Vec<MemberPlan>],
    config: &LearnConfig,
    context: &FitContext<'_>,
) -> Result<Vec<Heads>, LearnError> {
    let kind = heads::find(&config.head)?;
    let data = &*own_part(data, config);
    let num_plans: usize = models.iter().map(Vec::len).sum();
    context.progress.begin("training", Some((num_plans * config.epochs) as u64));
    let heads = match (kind.build)(config) {
        Unfitted::Members(head) => fit_members(&*head, data, models, context),
        Unfitted::Once(head) => {
            let own = FittedParts::default();
            let context = FitContext { parts: Some(context.parts.unwrap_or(&own)), ..*context };
            jobs::run(models.len(), context.device, |idx| {
                fit_once(&*head, data, &models[idx], &context)
            })
        }
    };
    context.progress.end();
    heads
}

fn fit_members(
    head: &dyn Head,
    data: &Dataset,
    models: &[Vec<MemberPlan>],
    context: &FitContext<'_>,
) -> Result<Vec<Heads>, LearnError> {
    let plans: Vec<&MemberPlan> = models.iter().flatten().collect();
    let members = jobs::run(plans.len(), context.device, |idx| {
        let plan = plans[idx];
        let context = FitContext { seed: plan.seed, inner_folds: &plan.inner_folds, ..*context };
        let fitted = head.fit(data, &plan.train, &plan.valid, &context)?;
        let prediction = fitted.predict(data, &plan.valid)?;
        Ok((HeldOut { titles: plan.valid.clone(), prediction }, fitted))
    })?;
    let mut members = members.into_iter();
    let heads = models.iter().map(|plans| {
        let (held_out, scoring) = members.by_ref().take(plans.len()).unzip();
        Heads { scoring, left_out: Vec::new(), held_out }
    });
    Ok(heads.collect())
}

fn fit_once(
    head: &dyn CrossFit,
    data: &Dataset,
    plans: &[MemberPlan],
    context: &FitContext<'_>,
) -> Result<Heads, LearnError> {
    let mut titles: Vec<(usize, u32)> = Vec::new();
    for plan in plans {
        titles.extend(plan.valid.iter().map(|&title| (title, plan.fold)));
    }
    titles.sort_unstable();
    let (train, inner_folds): (Vec<usize>, Vec<u32>) = titles.into_iter().unzip();
    let seed = plans.first().map_or(context.seed, |plan| plan.seed);
    let context = FitContext { seed, inner_folds: &inner_folds, ..*context };
    let mut fitted = head.cross_fit(data, &train, &context)?;
    let (mut left_out, mut held_out) = (Vec::new(), Vec::new());
    for plan in plans {
        let Some(at) = fitted.left_out.iter().position(|out| out.fold == plan.fold) else {
            continue;
        };
        let out = fitted.left_out.swap_remove(at);
        left_out.push(out.head);
        held_out.push(HeldOut { titles: out.titles, prediction: out.held_out });
    }
    Ok(Heads { scoring: vec![fitted.whole], left_out, held_out })
}

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
    let (whole, data) = (data, &*own_part(data, config));
    let mut labels = Vec::new();
    let mut held_out = Prediction {
        num_genres: data.num_genres(),
        num_modalities: data.modalities.len(),
        ..Prediction::default()
    };
    for HeldOut { titles, prediction: part } in &heads.held_out {
        labels.extend(titles.iter().flat_map(|&title| data.labels_of(title)).copied());
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
        num_members: heads.scoring.len(),
        num_titles: plans.iter().map(num_learned_from).sum(),
        fused,
        unimodal,
        partial: if config.abstain {
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
    let mut thresholds = match (config.precision, config.decide()) {
        (None, Decide::Threshold) => {
            fit_thresholds(probabilities, labels, config.threshold_shrinkage)
        }
        (None, Decide::ExpectedF1) => expected_f1_thresholds(probabilities),
        (Some(precision), _) => AtPrecision::fit(probabilities, labels, precision).or_never(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        heads::{registry, stacking},
        laws::{NUM_TITLES, config, groups, library},
    };

    /// The inner folds of the model of all titles but those of every third group.
    fn planned(head: &str, members: usize, given: bool) -> Vec<MemberPlan> {
        let fold_of = |title: usize| (groups()[title] % 5) as u32;
        let train: Vec<usize> = (0..NUM_TITLES).filter(|&title| fold_of(title) != 1).collect();
        let folds: Vec<u32> = train.iter().map(|&title| fold_of(title)).collect();
        let config = LearnConfig { members, ..config(head) };
        let given = if given { &folds[..] } else { &[] };
        plan(&library(true), &train, &groups(), given, &config, Seed(3)).unwrap()
    }

    #[test]
    fn no_inner_fold_has_part_of_a_group_whatever_the_head_and_the_number_of_members() {
        for head in registry() {
            for (members, given) in [(2, false), (4, false), (2, true)] {
                let plans = planned(head.name, members, given);
                let by_fold = head.name == stacking::NAME && given;
                assert_eq!(plans.len(), if by_fold { 4 } else { members }, "{}", head.name);
                for plan in &plans {
                    let groups = groups();
                    let inside: BTreeSet<usize> = plan.valid.iter().map(|&t| groups[t]).collect();
                    assert!(plan.train.iter().all(|&t| !inside.contains(&groups[t])));
                    let names: BTreeSet<u32> = plan.inner_folds.iter().copied().collect();
                    assert_eq!(names.len(), plans.len() - 1);
                    assert!(!names.contains(&plan.fold));
                }
            }
        }
        let folds: Vec<u32> = planned(stacking::NAME, 2, true).iter().map(|p| p.fold).collect();
        assert_eq!(folds, [0, 2, 3, 4], "the folds of the catalog are the inner ones");
    }

    #[test]
    fn a_group_in_two_of_the_given_folds_is_refused() {
        let train: Vec<usize> = (0..NUM_TITLES).collect();
        let torn: Vec<u32> = train.iter().map(|&title| (title % 3) as u32).collect();
        let config = config(stacking::NAME);
        let refused = plan(&library(true), &train, &groups(), &torn, &config, Seed(3));
        assert!(refused.unwrap_err().to_string().contains("are of one group"));
    }
}
