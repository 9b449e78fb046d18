//! Many variants of a model over seeds and folds, in parallel, cell by cell.
//!
//! in: one data set, its folds, variants (modalities, head, settings)
//! out: held-out scores of every title for each variant, seed and view
//! source: ablation as leave-in over all subsets of the modalities; every title is scored by a
//! model that never saw it or its group

use std::sync::{Arc, Mutex, PoisonError};

use base::Seed;
use dataset::Dataset;
use ndarray::Array2;

use super::cells::{Cell, CellResult, CellStore, Study, Variant};
use crate::{
    LearnConfig, LearnError,
    heads::{FitContext, FittedParts},
    study::folds::{Fold, HeldOut},
    train::jobs,
};

/// Held-out scores of all titles that are in a fold, in the data's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// `[titles, genres]`
    pub probabilities: Array2<f64>,
    /// `[titles, genres]`
    pub decisions: Array2<bool>,
}

/// What a study found.
#[derive(Clone, Debug, Default)]
pub struct GridResult {
    /// Indices of the scored titles, ascending.
    pub titles: Vec<usize>,
    /// `[variants][seeds][views]`
    pub scored: Vec<Vec<Vec<Scored>>>,
    /// Cells that were computed now; the others were there.
    pub num_computed: usize,
    /// All cells.
    pub num_cells: usize,
}

/// Every non-empty subset of `num_modalities`, the largest first.
#[must_use]
pub fn all_subsets(num_modalities: usize) -> Vec<Vec<usize>> {
    let mut subsets: Vec<Vec<usize>> = (1..1_usize << num_modalities)
        .map(|bits| (0..num_modalities).filter(|m| bits >> m & 1 == 1).collect())
        .collect();
    subsets.sort_by(|a: &Vec<usize>, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    subsets
}

/// Half the members on half the titles, and fewer passes: for a first look.
#[must_use]
pub fn quick(config: &LearnConfig) -> LearnConfig {
    config.clone().with(|config| {
        config.members = 2;
        config.fusion.epochs = config.fusion.epochs.min(30);
        config.fusion.patience = config.fusion.patience.min(5);
    })
}

/// Trains and scores what `store` does not have yet. `folds` `[titles]`: `None` takes no part;
/// `groups` `[titles]`.
///
/// # Errors
/// Fewer than two folds, a group in two folds, settings out of range, data that cannot be fitted,
/// a cell that cannot be written, an interrupt; what is done stays done.
pub fn run_grid(
    data: &Dataset,
    folds: &[Option<u32>],
    groups: &[usize],
    variants: &[Variant],
    num_seeds: usize,
    store: &CellStore,
    context: &FitContext<'_>,
) -> Result<GridResult, LearnError> {
    let held_out = HeldOut::of(data, folds, groups)?;
    let mut gloves = Vec::with_capacity(variants.len());
    for variant in variants {
        variant.config.validate()?;
        gloves.push(variant.config.glove_digest()?);
    }
    let seeds: Vec<Seed> =
        (0..num_seeds).map(|k| context.seed.derive(&format!("study {k}"))).collect();
    let study = Study { data, data_digest: data.digest(), groups };
    // Variants come with the dearest first: no thread is left with a long fit at the end.
    let mut cells = Vec::new();
    for (variant, glove) in variants.iter().zip(&gloves) {
        for &seed in &seeds {
            for Fold { name, train, others, test } in &held_out.folds {
                let seed = seed.derive(&format!("fold {name}"));
                cells.push(Cell { variant, glove: glove.as_ref(), seed, train, others, test });
            }
        }
    }
    let keys: Vec<_> = cells.iter().map(|cell| study.key(cell)).collect();
    let mut results: Vec<Option<CellResult>> = keys.iter().map(|key| store.get(key)).collect();
    let open: Vec<usize> = (0..cells.len()).filter(|&at| results[at].is_none()).collect();
    context.progress.begin("study", Some(cells.len() as u64));
    context.progress.advance((cells.len() - open.len()) as u64);
    let parts = shared_parts(open.iter().map(|&at| &cells[at].variant.config));
    let computed = jobs::run(open.len(), context.device, |k| {
        context.interrupt.check()?;
        let at = open[k];
        let own = parts[k].lock().unwrap_or_else(PoisonError::into_inner).take();
        let scores = study.compute(&cells[at], &own.unwrap_or_default(), context)?;
        let result = store.put(&keys[at], scores)?;
        context.progress.advance(1);
        Ok(result)
    });
    context.progress.end();
    for (&at, result) in open.iter().zip(computed?) {
        results[at] = Some(result);
    }
    let mut results = results.into_iter().flatten();
    let scored = variants
        .iter()
        .map(|variant| {
            let of_seed = |_| {
                let folds: Vec<CellResult> = results.by_ref().take(held_out.folds.len()).collect();
                (0..variant.views.len())
                    .map(|view| held_out.gathered(data.num_genres(), &folds, view))
                    .collect()
            };
            (0..num_seeds).map(of_seed).collect()
        })
        .collect();
    Ok(GridResult {
        titles: held_out.titles.clone(),
        scored,
        num_computed: open.len(),
        num_cells: cells.len(),
    })
}

/// What one cell may share with others of the same settings, until it was taken.
type CellParts = Mutex<Option<Arc<FittedParts>>>;

/// `[cells]`: cells of the same settings share parts, which are dropped with the last of them.
fn shared_parts<'a>(settings: impl Iterator<Item = &'a LearnConfig>) -> Vec<CellParts> {
    let mut of_settings: Vec<(&LearnConfig, Arc<FittedParts>)> = Vec::new();
    let mut of_cell = |config| {
        if let Some((_, known)) = of_settings.iter().find(|(known, _)| *known == config) {
            return Mutex::new(Some(Arc::clone(known)));
        }
        let new = Arc::<FittedParts>::default();
        of_settings.push((config, Arc::clone(&new)));
        Mutex::new(Some(new))
    };
    settings.map(&mut of_cell).collect()
}

impl HeldOut {
    /// The folds' scores in one table, in the order of `titles`.
    fn gathered(&self, num_genres: usize, folds: &[CellResult], view: usize) -> Scored {
        let mut scored = Scored {
            probabilities: Array2::zeros((self.titles.len(), num_genres)),
            decisions: Array2::from_elem((self.titles.len(), num_genres), false),
        };
        for (fold, result) in self.folds.iter().zip(folds) {
            let scores = &result.scores[view];
            for (k, title) in fold.test.iter().enumerate() {
                let Ok(row) = self.titles.binary_search(title) else { continue };
                for g in 0..num_genres {
                    let at = k * num_genres + g;
                    scored.probabilities[[row, g]] = f64::from(scores.probability[at]);
                    scored.decisions[[row, g]] = scores.decision[at];
                }
            }
        }
        scored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_come_largest_first_and_all() {
        let subsets = all_subsets(3);
        assert_eq!(subsets[0], [0, 1, 2]);
        assert_eq!(subsets[1..4], [vec![0, 1], vec![0, 2], vec![1, 2]]);
        assert_eq!(subsets.len(), 7);
        assert!(all_subsets(0).is_empty());
    }
}
