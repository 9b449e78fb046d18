//! Regression trees on binned columns: what forests and boosting are made of.
//!
//! Each column's values are cut into at most 255 bins of like size on the training rows; a split
//! lies between two bins. For labels of 0 and 1 the gain is that of the Gini impurity.
//!
//! source: Breiman et al. 1984; Ke et al. 2017, `LightGBM` (histograms), Chen and Guestrin 2016,
//! `XGBoost` (gain and leaves of second order)

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Design;

const MAX_BINS: usize = 255;

/// Training rows as bin numbers, column by column.
pub struct Binned {
    num_rows: usize,
    /// `[columns][cuts]`: a value is in the bin of the first cut at or above it.
    cuts: Vec<Vec<f32>>,
    /// `[columns, rows]`
    bins: Vec<u8>,
    /// Columns with more than one bin.
    varying: Vec<u32>,
}

impl Binned {
    /// Cuts each column of `x`.
    #[must_use]
    pub fn new(x: &Design) -> Self {
        let (num_rows, dim) = (x.num_rows(), x.dim());
        let mut columns = vec![0.0_f32; num_rows * dim];
        for row in 0..num_rows {
            for (column, value) in x.entries(row) {
                columns[column * num_rows + row] = value;
            }
        }
        let mut cuts = Vec::with_capacity(dim);
        let mut bins = Vec::with_capacity(num_rows * dim);
        for column in columns.chunks_exact(num_rows.max(1)) {
            let own = cuts_of(column);
            bins.extend(column.iter().map(|&v| own.partition_point(|&cut| cut < v) as u8));
            cuts.push(own);
        }
        let varying = (0..dim as u32).filter(|&c| !cuts[c as usize].is_empty()).collect();
        Self { num_rows, cuts, bins, varying }
    }

    /// Number of columns.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.cuts.len()
    }

    fn column(&self, column: usize) -> &[u8] {
        &self.bins[column * self.num_rows..(column + 1) * self.num_rows]
    }
}

/// Midway between neighbouring values, at most one less than [`MAX_BINS`] of them.
fn cuts_of(column: &[f32]) -> Vec<f32> {
    let mut sorted = column.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() <= MAX_BINS {
        return distinct.windows(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect();
    }
    let mut cuts: Vec<f32> = (1..MAX_BINS)
        .filter_map(|bin| {
            let value = sorted[bin * sorted.len() / MAX_BINS];
            let above = distinct.partition_point(|&v| v <= value);
            distinct.get(above).map(|&next| f32::midpoint(value, next))
        })
        .collect();
    cuts.dedup();
    cuts
}

/// How a tree grows.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Splits between root and leaf, at most.
    pub max_depth: usize,
    /// Rows of a leaf, at least.
    pub min_leaf_rows: usize,
    /// Columns that are tried at each split.
    pub columns_per_split: usize,
    /// Added to the curvature of a leaf: draws it toward 0.
    pub ridge: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Node {
    /// Rows whose value is at most `cut` go to the next node, others to `above`.
    Split {
        column: u32,
        cut: f32,
        above: u32,
    },
    Leaf(f32),
}

/// A fitted tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// A split's lower side follows it.
    nodes: Vec<Node>,
}

/// First and second derivative of the loss at each row, weights included.
#[derive(Clone, Copy)]
pub struct Slopes<'a> {
    /// `[rows]`
    pub gradient: &'a [f64],
    /// `[rows]`, not negative.
    pub curvature: &'a [f64],
}

#[derive(Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    curvature: f64,
    rows: usize,
}

impl Sums {
    fn of(rows: &[u32], slopes: Slopes<'_>) -> Self {
        rows.iter().fold(Self::default(), |sums, &row| sums.with(row, slopes))
    }

    fn with(mut self, row: u32, slopes: Slopes<'_>) -> Self {
        self.gradient += slopes.gradient[row as usize];
        self.curvature += slopes.curvature[row as usize];
        self.rows += 1;
        self
    }

    fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            rows: self.rows - other.rows,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
            rows: self.rows + other.rows,
        }
    }

    fn score(self, ridge: f64) -> f64 {
        let curvature = self.curvature + ridge;
        if curvature > 0.0 { self.gradient * self.gradient / curvature } else { 0.0 }
    }
}

impl Tree {
    /// Whether it looks at rows of this length and each way through it ends in a leaf: both sides of
    /// a split come after it.
    pub(super) fn fits(&self, dim: usize) -> bool {
        let num = self.nodes.len();
        let fits = |(at, node): (usize, &Node)| match *node {
            Node::Leaf(_) => true,
            Node::Split { column, above, .. } => {
                let above = above as usize;
                (column as usize) < dim && at + 1 < above && above < num
            }
        };
        num > 0 && self.nodes.iter().enumerate().all(fits)
    }

    /// Grows a tree on these rows (a row that is named twice counts twice).
    #[must_use]
    pub fn grow(
        x: &Binned,
        mut rows: Vec<u32>,
        slopes: Slopes<'_>,
        growth: &Growth,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let mut tree = Self { nodes: Vec::new() };
        let mut columns = x.varying.clone();
        tree.grow_node(x, &mut rows, slopes, growth, 0, &mut columns, rng);
        tree
    }

    #[allow(clippy::too_many_arguments)] // the recursion's own state
    fn grow_node(
        &mut self,
        x: &Binned,
        rows: &mut [u32],
        slopes: Slopes<'_>,
        growth: &Growth,
        depth: usize,
        columns: &mut [u32],
        rng: &mut ChaCha8Rng,
    ) {
        let here = self.nodes.len();
        let all = Sums::of(rows, slopes);
        let curvature = all.curvature + growth.ridge;
        let value = if curvature > 0.0 { -all.gradient / curvature } else { 0.0 };
        self.nodes.push(Node::Leaf(value as f32));
        if depth == growth.max_depth || rows.len() < 2 * growth.min_leaf_rows {
            return;
        }
        let mut best: Option<(f64, u32, usize)> = None;
        let tried = growth.columns_per_split.min(columns.len());
        let (tried, _) = columns.partial_shuffle(rng, tried);
        let mut histogram = Vec::new();
        for &column in &*tried {
            let bins = x.column(column as usize);
            let num_cuts = x.cuts[column as usize].len();
            histogram.clear();
            histogram.resize(num_cuts + 1, Sums::default());
            for &row in &*rows {
                let sums = &mut histogram[bins[row as usize] as usize];
                *sums = sums.with(row, slopes);
            }
            let mut below = Sums::default();
            for (bin, sums) in histogram[..num_cuts].iter().enumerate() {
                below = below.plus(*sums);
                let above = all.minus(below);
                if sums.rows == 0
                    || below.rows < growth.min_leaf_rows
                    || above.rows < growth.min_leaf_rows
                {
                    continue;
                }
                let gain =
                    below.score(growth.ridge) + above.score(growth.ridge) - all.score(growth.ridge);
                // Of equal gains the first column's, so that the order of trying does not count.
                let better = best
                    .is_none_or(|(most, first, _)| gain > most || (gain == most && column < first));
                if gain > 1e-12 && better {
                    best = Some((gain, column, bin));
                }
            }
        }
        let Some((_, column, bin)) = best else { return };
        let bins = x.column(column as usize);
        let middle = bring_forward(rows, |row| bins[row as usize] as usize <= bin);
        let (low, high) = rows.split_at_mut(middle);
        self.grow_node(x, low, slopes, growth, depth + 1, columns, rng);
        let above = self.nodes.len() as u32;
        let cut = x.cuts[column as usize][bin];
        self.nodes[here] = Node::Split { column, cut, above };
        self.grow_node(x, high, slopes, growth, depth + 1, columns, rng);
    }

    /// Multiplies every leaf.
    pub fn scale(&mut self, factor: f32) {
        for node in &mut self.nodes {
            if let Node::Leaf(value) = node {
                *value *= factor;
            }
        }
    }

    /// The value of the leaf that a row `[columns]` falls into.
    #[must_use]
    pub fn value(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split { column, cut, above } => {
                    at = if row[column as usize] <= cut { at + 1 } else { above as usize };
                }
            }
        }
    }
}

/// Moves the rows that `belongs` before the others; gives their number.
fn bring_forward(rows: &mut [u32], belongs: impl Fn(u32) -> bool) -> usize {
    let mut next = 0;
    for at in 0..rows.len() {
        if belongs(rows[at]) {
            rows.swap(next, at);
            next += 1;
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;

    const GROWTH: Growth =
        Growth { max_depth: 3, min_leaf_rows: 1, columns_per_split: 2, ridge: 0.0 };

    #[test]
    fn a_tree_finds_the_columns_that_matter() {
        // Label = (first > 0.5 and second > 10); hand-worked: the root splits on either column.
        let rows = [[0.0, 20.0], [0.2, 5.0], [0.9, 20.0], [0.8, 5.0], [0.7, 30.0]];
        let x = Design::dense(5, rows.concat());
        let gradient = [0.0, 0.0, -1.0, 0.0, -1.0];
        let slopes = Slopes { gradient: &gradient, curvature: &[1.0; 5] };
        let mut rng = Seed(1).rng("tree");
        let binned = Binned::new(&x);
        let tree = Tree::grow(&binned, (0..5).collect(), slopes, &GROWTH, &mut rng);
        for (row, gradient) in rows.iter().zip(gradient) {
            assert_eq!(f64::from(tree.value(row)), -gradient);
        }
        assert_eq!(tree.nodes.len(), 5, "two splits suffice: {tree:?}");
        let stump = Growth { max_depth: 0, ..GROWTH };
        let stump = Tree::grow(&binned, (0..5).collect(), slopes, &stump, &mut rng);
        assert_eq!(stump.value(&rows[0]), 0.4);
    }

    #[test]
    fn many_values_share_bins_and_none_is_lost() {
        let column: Vec<f32> = (0..10_000).map(|i| (i / 3) as f32).collect();
        let cuts = cuts_of(&column);
        assert_eq!(cuts.len(), MAX_BINS - 1);
        assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(cuts_of(&[2.0; 9]).is_empty());
        assert_eq!(cuts_of(&[1.0, 3.0, 1.0]), [2.0]);
    }
}
