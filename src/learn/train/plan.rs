//! What each member of a model is fitted on: inner folds of the training titles.

use std::collections::{BTreeSet, HashMap};

use base::Seed;
use catalog::split::iterative_stratification;
use dataset::Dataset;

use crate::{LearnConfig, LearnError, heads};

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
    heads::find(&config.head)?;
    let names: BTreeSet<u32> = given.iter().copied().collect();
    if config.is_fitted_once() && given.len() == train.len() && names.len() >= MIN_GIVEN_FOLDS {
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

/// Whether every group is in one fold; `folds` and `groups` `[titles]`.
///
/// # Errors
/// Two titles of one group are in different folds.
pub(crate) fn check_groups(
    data: &Dataset,
    folds: &[Option<u32>],
    groups: &[usize],
) -> Result<(), LearnError> {
    let mut first_of_group = HashMap::new();
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
