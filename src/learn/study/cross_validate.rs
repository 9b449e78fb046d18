//! Every title is scored by a model that never saw it, its group or anything fitted on them.

use std::collections::BTreeSet;

use crate::{
    learn::{
        LearnConfig, LearnError,
        dataset::Dataset,
        heads::{FitContext, TrainingLog},
        model::{ModelPrediction, ModelSpec},
        train::bagged,
    },
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
    let names: Vec<u32> =
        folds.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if names.len() < 2 {
        return Err(LearnError::Data {
            message: format!("cross-validation needs at least 2 folds, got {}", names.len()),
            hint: Some("declare a fold column or let the split stage make folds".to_owned()),
        });
    }
    check_groups(data, folds, groups)?;
    let mut plans = Vec::new();
    for &name in &names {
        let train: Vec<usize> = (0..data.num_titles())
            .filter(|&title| folds[title].is_some_and(|fold| fold != name))
            .collect();
        let seed = context.seed.derive(&format!("fold {name}"));
        plans.push(bagged::plan(data, &train, groups, config, seed)?);
    }
    let flat: Vec<_> = plans.iter().flatten().collect();
    let mut members = bagged::fit_members(data, &flat, config, context)?.into_iter();

    let mut outcome = CrossValidation::default();
    let mut held_out: Vec<(usize, u32)> = Vec::new();
    for (&name, plans) in names.iter().zip(&plans) {
        context.interrupt.check()?;
        let members = members.by_ref().take(plans.len()).collect();
        let model = bagged::assemble(data, plans, members, config)?;
        let test: Vec<usize> =
            (0..data.num_titles()).filter(|&title| folds[title] == Some(name)).collect();
        outcome.prediction.append(model.predict(data, &test)?);
        held_out.extend(test.iter().map(|&title| (title, name)));
        outcome.folds.push(FoldOutcome {
            fold: name,
            num_train: plans.iter().map(|plan| plan.valid.len()).sum(),
            num_test: test.len(),
            spec: model.spec().clone(),
            fusion_weights: model.fusion_weights(),
            logs: model.training().into_iter().cloned().collect(),
        });
    }
    let mut order: Vec<usize> = (0..held_out.len()).collect();
    order.sort_unstable_by_key(|&at| held_out[at].0);
    outcome.prediction = outcome.prediction.select(&order);
    outcome.titles = order.iter().map(|&at| held_out[at].0).collect();
    outcome.fold_of = order.iter().map(|&at| held_out[at].1).collect();
    Ok(outcome)
}

fn check_groups(
    data: &Dataset,
    folds: &[Option<u32>],
    groups: &[usize],
) -> Result<(), LearnError> {
    let mut first_of_group = std::collections::HashMap::new();
    for (title, (fold, group)) in folds.iter().zip(groups).enumerate() {
        let Some(fold) = fold else { continue };
        let &mut (first, first_fold) = first_of_group.entry(group).or_insert((title, *fold));
        if first_fold != *fold {
            return Err(LearnError::Data {
                message: format!(
                    "titles {} and {} are of one group but in folds {first_fold} and {fold}",
                    data.titles[first], data.titles[title]
                ),
                hint: Some("a group (franchise, cuts of a film) must be whole in one fold".into()),
            });
        }
    }
    Ok(())
}
