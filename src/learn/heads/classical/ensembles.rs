//! Trees together: random forest and gradient boosting.
//!
//! source: Breiman 2001; Friedman 2001 (logistic loss, second-order leaves after Chen and
//! Guestrin 2016)
//! reference: scikit-learn 1.9 `RandomForestClassifier` (its scores within sampling error),
//! `HistGradientBoostingClassifier`

use base::Seed;
use rand::{RngExt, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use super::{
    Design,
    tree::{Binned, Growth, Slopes, Tree},
};
use crate::config::TreeSettings;

/// A sum of trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    base: f32,
    members: Vec<Tree>,
    /// Of votes: a share to be turned into log-odds. Else log-odds as they are.
    votes: bool,
}

impl Trees {
    /// Whether each tree looks at rows of this length and ends in a leaf.
    pub(super) fn fits(&self, dim: usize) -> bool {
        self.members.iter().all(|tree| tree.fits(dim))
    }

    /// Trees grown deep on bootstrap samples, with the square root of the columns tried at each
    /// split.
    #[must_use]
    pub fn forest(
        x: &Binned,
        labels: &[bool],
        row_weights: &[f32],
        settings: &TreeSettings,
        seed: Seed,
    ) -> Self {
        let weight = |row: usize| f64::from(row_weights[row]);
        let gradient: Vec<f64> =
            labels.iter().enumerate().map(|(r, &l)| -weight(r) * f64::from(u8::from(l))).collect();
        let curvature: Vec<f64> = (0..labels.len()).map(weight).collect();
        let slopes = Slopes { gradient: &gradient, curvature: &curvature };
        let growth = Growth {
            max_depth: usize::MAX,
            min_leaf_rows: settings.min_leaf_titles,
            columns_per_split: (x.dim() as f64).sqrt().ceil() as usize,
            ridge: 0.0,
        };
        let known = known(row_weights);
        let trees = (0..settings.trees).map(|tree| {
            let mut rng = seed.rng(&format!("tree {tree}"));
            let num_rows = known.len() as u32;
            let mut drawn = || known[rng.random_range(0..num_rows) as usize];
            let rows = known.iter().map(|_| drawn()).collect();
            Tree::grow(x, rows, slopes, &growth, &mut rng)
        });
        Self { base: 0.0, members: trees.collect(), votes: true }
    }

    /// Shallow trees one after the other, each on what the others leave of the logistic loss.
    #[must_use]
    pub fn boosted(
        x: &Binned,
        design: &Design,
        labels: &[bool],
        row_weights: &[f32],
        settings: &TreeSettings,
        seed: Seed,
    ) -> Self {
        let num_rows = labels.len();
        let weight = |row: usize| f64::from(row_weights[row]);
        let all: f64 = (0..num_rows).map(weight).sum();
        let with: f64 = (0..num_rows).filter(|&row| labels[row]).map(weight).sum();
        let prior = (with + 0.5) / (all + 1.0);
        let base = (prior / (1.0 - prior)).ln();
        let growth = Growth {
            max_depth: settings.depth,
            min_leaf_rows: 5,
            columns_per_split: (design.dim() as f64).sqrt().ceil() as usize * 4,
            ridge: 1.0,
        };
        let mut order = known(row_weights);
        let sampled = ((order.len() as f64 * settings.subsample).round() as usize).max(1);
        let mut rng = seed.rng("boosting");
        let mut logits = vec![base; num_rows];
        let mut trees = Vec::with_capacity(settings.rounds);
        let mut gradient = vec![0.0; num_rows];
        let mut curvature = vec![0.0; num_rows];
        for _ in 0..settings.rounds {
            for (row, logit) in logits.iter().enumerate() {
                let p = 1.0 / (1.0 + (-logit).exp());
                gradient[row] = weight(row) * (p - f64::from(u8::from(labels[row])));
                curvature[row] = weight(row) * p * (1.0 - p);
            }
            let (rows, _) = order.partial_shuffle(&mut rng, sampled);
            let slopes = Slopes { gradient: &gradient, curvature: &curvature };
            let mut tree = Tree::grow(x, rows.to_vec(), slopes, &growth, &mut rng);
            tree.scale(settings.step as f32);
            each_row(design, |row, values| logits[row] += f64::from(tree.value(values)));
            trees.push(tree);
        }
        Self { base: base as f32, members: trees, votes: false }
    }

    /// Sum over the trees, as log-odds: a forest's mean vote, one tree smoothed toward even odds.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f32 {
        let sum: f32 = self.members.iter().map(|tree| tree.value(row)).sum();
        if !self.votes {
            return self.base + sum;
        }
        let share = (sum + 0.5) / (self.members.len() as f32 + 1.0);
        (share / (1.0 - share)).ln()
    }
}

/// The rows that weigh anything.
fn known(row_weights: &[f32]) -> Vec<u32> {
    (0..row_weights.len() as u32).filter(|&row| row_weights[row as usize] > 0.0).collect()
}

/// Each row with all its columns.
pub fn each_row(x: &Design, mut visit: impl FnMut(usize, &[f32])) {
    let mut values = vec![0.0; x.dim()];
    for row in 0..x.num_rows() {
        values.fill(0.0);
        x.entries(row).for_each(|(column, value)| values[column] = value);
        visit(row, &values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_learn_a_chessboard_that_no_plane_parts() {
        let mut rng = Seed(3).rng("points");
        let points: Vec<f32> = (0..800).map(|_| rng.random_range(0.0..2.0)).collect();
        let labels: Vec<bool> = points.chunks(2).map(|p| (p[0] < 1.0) != (p[1] < 1.0)).collect();
        let x = Design::dense(400, points);
        let binned = Binned::new(&x);
        let settings = TreeSettings { trees: 20, rounds: 40, ..TreeSettings::default() };
        let weights = [1.0; 400];
        let forest = Trees::forest(&binned, &labels, &weights, &settings, Seed(1));
        let boosted = Trees::boosted(&binned, &x, &labels, &weights, &settings, Seed(1));
        for trees in [forest, boosted] {
            for (cell, label) in
                [([0.5, 0.5], false), ([0.5, 1.5], true), ([1.5, 0.5], true), ([1.5, 1.5], false)]
            {
                assert_eq!(trees.score(&cell) > 0.0, label, "{cell:?}");
            }
        }
    }
}
