//! Fits the heads of models over inner folds.

use dataset::Dataset;

use super::{MemberPlan, jobs};
use crate::{
    LearnConfig, LearnError,
    heads::{self, CrossFit, FitContext, FittedHead, FittedParts, Head, Prediction, Unfitted},
};

/// The fitted heads of a model.
pub struct Heads {
    /// The mean of these scores new titles.
    pub(crate) scoring: Vec<Box<dyn FittedHead>>,
    /// For each plan one that never saw its `valid`; empty where those that score are.
    left_out: Vec<Box<dyn FittedHead>>,
    /// What these say of titles of their `valid`, plan by plan.
    pub(crate) held_out: Vec<HeldOut>,
}

/// Out-of-fold scores.
pub(crate) struct HeldOut {
    pub(crate) titles: Vec<usize>,
    pub(crate) prediction: Prediction,
}

impl Heads {
    /// For each plan the head that never saw its `valid`.
    pub(crate) fn by_plan(&self) -> &[Box<dyn FittedHead>] {
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
    let data = &*config.own_part(data);
    let num_plans: usize = models.iter().map(Vec::len).sum();
    context.progress.begin("training", Some(num_plans as u64 * config.steps_of_fit()));
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
