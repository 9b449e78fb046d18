//! Every title is scored by a model that never saw it, its group or anything fitted on them.

use dataset::Dataset;

use super::folds::HeldOut;
use crate::{
    LearnConfig, LearnError, TrainedModel,
    heads::{FitContext, TrainingLog},
    model::{ModelPrediction, ModelSpec, assemble},
    train::{self, jobs},
};

/// The outcome: held-out predictions and how they came about.
#[derive(Clone, Debug, Default)]
pub struct CrossValidation {
    /// The titles that took part, ascending (indices into the data's titles).
    pub titles: Vec<usize>,
    /// `[titles]` of the above: the fold in which each was held out.
    pub fold_of: Vec<u32>,
    /// Held-out predictions of these titles.
    pub prediction: ModelPrediction,
    /// One per fold, ascending.
    pub folds: Vec<FoldOutcome>,
    /// What held-out titles are tagged with when they show less than they have; where the models
    /// have decisions for that.
    pub partial: Vec<PartialOutcome>,
    /// Where modalities are borrowed: the titles that have one and others of the head's own, seen
    /// without the borrowed ones.
    pub bare: BareOutcome,
}

/// Held-out titles seen without their borrowed modalities.
#[derive(Clone, Debug, Default)]
pub struct BareOutcome {
    /// Indices into the data's titles, fold by fold.
    pub titles: Vec<usize>,
    /// Of these.
    pub prediction: ModelPrediction,
}

impl CrossValidation {
    /// The part of the outcome that is about the titles that `keep`; what was seen in part and
    /// without borrowed modalities stays.
    #[must_use]
    pub fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> =
            (0..self.titles.len()).filter(|&row| keep(self.titles[row])).collect();
        Self {
            titles: rows.iter().map(|&row| self.titles[row]).collect(),
            fold_of: rows.iter().map(|&row| self.fold_of[row]).collect(),
            prediction: self.prediction.select(&rows),
            ..self.clone()
        }
    }
}

/// Held-out titles seen through some of their modalities only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartialOutcome {
    /// `[modalities]`: what was shown.
    pub present: Vec<bool>,
    /// Titles that have all of these (indices into the data's titles), fold by fold.
    pub titles: Vec<usize>,
    /// `[titles, genres]` of the above.
    pub decision: Vec<bool>,
}

/// One fold's model.
#[derive(Clone, Debug)]
pub struct FoldOutcome {
    /// The fold that was held out.
    pub fold: u32,
    /// Titles trained on.
    pub num_train: usize,
    /// Titles held out.
    pub num_test: usize,
    /// Calibration and thresholds.
    pub spec: ModelSpec,
    /// `[genres, modalities]`: shares of the modalities, where the head has them.
    pub fusion_weights: Option<Vec<f32>>,
    /// One per member.
    pub logs: Vec<TrainingLog>,
}

/// Trains once per fold on all others. `folds` `[titles]`: `None` takes no part; `groups`
/// `[titles]`: titles of one number must be in one fold, and stay together in inner folds.
///
/// # Errors
/// Fewer than two folds, a group in two folds, settings out of range, data that cannot be
/// fitted, a device error, an interrupt.
pub fn cross_validate(
    data: &Dataset,
    folds: &[Option<u32>],
    groups: &[usize],
    config: &LearnConfig,
    context: &FitContext<'_>,
) -> Result<CrossValidation, LearnError> {
    config.validate()?;
    let held_out = HeldOut::of(data, folds, groups)?;
    let mut plans = Vec::new();
    for fold in &held_out.folds {
        let seed = context.seed.derive(&format!("fold {}", fold.name));
        plans.push(train::plan(data, &fold.train, groups, &fold.others, config, seed)?);
    }
    let heads = train::fit_heads(data, &plans, config, context)?;
    let models: Vec<TrainedModel> = plans
        .iter()
        .zip(heads)
        .map(|(plans, heads)| assemble(data, plans, heads, config))
        .collect::<Result<_, _>>()?;
    let predictions = jobs::run(models.len(), context.device, |k| {
        context.interrupt.check()?;
        models[k].predict(data, &held_out.folds[k].test)
    })?;

    let mut outcome = CrossValidation::default();
    let mut titles: Vec<(usize, u32)> = Vec::new();
    for ((fold, model), prediction) in held_out.folds.iter().zip(&models).zip(predictions) {
        outcome.prediction.append(prediction);
        for partial in &model.spec().partial {
            let has_all = |title: usize| {
                let tables = data.modalities.iter().zip(&partial.present);
                tables.into_iter().all(|(table, &shown)| !shown || table.present(title))
            };
            let shown: Vec<usize> = fold.test.iter().copied().filter(|&t| has_all(t)).collect();
            let masked = data.masked(|_, m| partial.present[m]);
            let decision = model.predict(&masked, &shown)?.decision;
            let known = outcome.partial.iter_mut().find(|known| known.present == partial.present);
            if let Some(known) = known {
                known.titles.extend(shown);
                known.decision.extend(decision);
            } else {
                let present = partial.present.clone();
                outcome.partial.push(PartialOutcome { present, titles: shown, decision });
            }
        }
        if !model.spec().borrowed.is_empty() {
            let own = model.spec().own_modalities();
            let masked = data.masked(|_, m| own.contains(&m));
            let has = |title: usize, m: usize| data.modalities[m].present(title);
            let both = |title: usize| {
                let mut lent = (0..data.modalities.len()).filter(|m| !own.contains(m));
                own.iter().any(|&m| has(title, m)) && lent.any(|m| has(title, m))
            };
            let titles: Vec<usize> = fold.test.iter().copied().filter(|&t| both(t)).collect();
            outcome.bare.prediction.append(model.predict(&masked, &titles)?);
            outcome.bare.titles.extend(titles);
        }
        titles.extend(fold.test.iter().map(|&title| (title, fold.name)));
        outcome.folds.push(FoldOutcome {
            fold: fold.name,
            num_train: fold.train.len(),
            num_test: fold.test.len(),
            spec: model.spec().clone(),
            fusion_weights: model.fusion_weights(),
            logs: model.training().into_iter().cloned().collect(),
        });
    }
    let mut order: Vec<usize> = (0..titles.len()).collect();
    order.sort_unstable_by_key(|&at| titles[at].0);
    outcome.prediction = outcome.prediction.select(&order);
    outcome.titles = order.iter().map(|&at| titles[at].0).collect();
    outcome.fold_of = order.iter().map(|&at| titles[at].1).collect();
    Ok(outcome)
}
