//! Which titles are trained on and which are held out, fold by fold.

use std::collections::BTreeSet;

use dataset::Dataset;

use crate::{LearnError, train::check_groups};

/// The folds of a study. Every title is held out once, but for those of which not every genre is known:
/// they are trained on, and nobody could say whether what is said of them is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldOut {
    /// All that are held out, ascending.
    pub(super) titles: Vec<usize>,
    /// By name, ascending.
    pub(super) folds: Vec<Fold>,
}

/// One fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    pub(super) name: u32,
    /// Of all other folds, ascending.
    pub(super) train: Vec<usize>,
    /// `[train]`: their folds.
    pub(super) others: Vec<u32>,
    /// Ascending.
    pub(super) test: Vec<usize>,
}

impl HeldOut {
    /// `folds` `[titles]`: `None` takes no part; `groups` `[titles]`: titles of one number must be
    /// in one fold.
    ///
    /// # Errors
    /// Fewer than two folds, or a group in two.
    pub(super) fn of(
        data: &Dataset,
        folds: &[Option<u32>],
        groups: &[usize],
    ) -> Result<Self, LearnError> {
        let names: BTreeSet<u32> = folds.iter().flatten().copied().collect();
        if names.len() < 2 {
            return Err(LearnError::Data {
                message: format!("cross-validation needs at least 2 folds, got {}", names.len()),
                hint: Some("declare a fold column or let the split stage make folds".to_owned()),
            });
        }
        check_groups(data, folds, groups)?;
        let titles = |wanted: &dyn Fn(u32) -> bool| -> Vec<usize> {
            (0..folds.len()).filter(|&title| folds[title].is_some_and(wanted)).collect()
        };
        let scored = |wanted: &dyn Fn(u32) -> bool| -> Vec<usize> {
            titles(wanted).into_iter().filter(|&title| data.knows_all_of(title)).collect()
        };
        Ok(Self {
            titles: scored(&|_| true),
            folds: names
                .iter()
                .map(|&name| Fold {
                    name,
                    train: titles(&|fold| fold != name),
                    others: folds.iter().copied().flatten().filter(|&fold| fold != name).collect(),
                    test: scored(&|fold| fold == name),
                })
                .collect(),
        })
    }
}
