//! The features of some titles as classical learners read them: dense columns first, then
//! sparse ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::passes::{product, vector_isa};
use crate::transform::SparseRow;

/// Rows that are multiplied at once where each is multiplied with each.
const BLOCK: usize = 512;

/// `[rows, dense + sparse]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Design {
    num_rows: usize,
    dense_dim: usize,
    /// `[rows, dense_dim]`
    dense: Vec<f32>,
    sparse_dim: usize,
    /// `[rows + 1]`
    offsets: Vec<usize>,
    /// Ascending within a row.
    idxs: Vec<u32>,
    values: Vec<f32>,
}

impl Design {
    /// Whether it is rows of this length, as one that was made from titles is.
    #[must_use]
    pub fn fits(&self, dim: usize) -> bool {
        let is_full = self.num_rows.checked_mul(self.dense_dim) == Some(self.dense.len());
        let ends = self.num_rows.checked_add(1) == Some(self.offsets.len())
            && self.offsets.first() == Some(&0)
            && self.offsets.last() == Some(&self.idxs.len())
            && self.offsets.is_sorted();
        self.dense_dim.checked_add(self.sparse_dim) == Some(dim)
            && is_full
            && ends
            && self.values.len() == self.idxs.len()
            && self.idxs.iter().all(|idx| (*idx as usize) < self.sparse_dim)
    }

    /// Rows without a column yet.
    #[must_use]
    pub fn new(num_rows: usize) -> Self {
        Self { num_rows, offsets: vec![0; num_rows + 1], ..Self::default() }
    }

    /// Of dense rows `[rows, dim]`.
    #[must_use]
    pub fn dense(num_rows: usize, dense: Vec<f32>) -> Self {
        let dense_dim = dense.len() / num_rows.max(1);
        Self { dense_dim, dense, ..Self::new(num_rows) }
    }

    /// Of sparse rows with `dim` columns.
    #[must_use]
    pub fn sparse(dim: usize, rows: &[SparseRow]) -> Self {
        let mut design = Self { sparse_dim: dim, ..Self::new(rows.len()) };
        for (at, row) in rows.iter().enumerate() {
            design.idxs.extend(row.iter().map(|&(idx, _)| idx));
            design.values.extend(row.iter().map(|&(_, value)| value));
            design.offsets[at + 1] = design.idxs.len();
        }
        design
    }

    /// Several side by side; all have the same rows.
    #[must_use]
    pub fn beside(num_rows: usize, parts: &[&Self]) -> Self {
        let mut all = Self::new(num_rows);
        all.dense_dim = parts.iter().map(|part| part.dense_dim).sum();
        all.sparse_dim = parts.iter().map(|part| part.sparse_dim).sum();
        for row in 0..num_rows {
            let mut first = 0;
            for part in parts {
                all.dense.extend(part.dense_row(row));
                let (idxs, values) = part.sparse_row(row);
                all.idxs.extend(idxs.iter().map(|idx| idx + first));
                all.values.extend(values);
                first += part.sparse_dim as u32;
            }
            all.offsets[row + 1] = all.idxs.len();
        }
        all
    }

    /// The rows at these places.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut part = Self {
            dense_dim: self.dense_dim,
            sparse_dim: self.sparse_dim,
            ..Self::new(rows.len())
        };
        for (at, &row) in rows.iter().enumerate() {
            part.dense.extend(self.dense_row(row));
            let (idxs, values) = self.sparse_row(row);
            part.idxs.extend(idxs);
            part.values.extend(values);
            part.offsets[at + 1] = part.idxs.len();
        }
        part
    }

    /// Multiplies every entry.
    pub fn scale(&mut self, factor: f32) {
        self.dense.iter_mut().chain(&mut self.values).for_each(|x| *x *= factor);
    }

    /// Multiplies each row by a factor of its squared length.
    pub fn scale_rows(&mut self, factor: impl Fn(f32) -> f32) {
        for row in 0..self.num_rows {
            let factor = factor(self.square_norm(row));
            let dense = &mut self.dense[row * self.dense_dim..(row + 1) * self.dense_dim];
            let sparse = &mut self.values[self.offsets[row]..self.offsets[row + 1]];
            for x in dense.iter_mut().chain(sparse) {
                *x *= factor;
            }
        }
    }

    /// Sets the rows to 0 that `which` names.
    pub fn clear_rows(&mut self, which: impl Fn(usize) -> bool) {
        for row in (0..self.num_rows).filter(|&row| which(row)) {
            self.dense[row * self.dense_dim..(row + 1) * self.dense_dim].fill(0.0);
            self.values[self.offsets[row]..self.offsets[row + 1]].fill(0.0);
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.num_rows
    }

    /// Number of columns.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dense_dim + self.sparse_dim
    }

    /// Number of dense columns; they are the first.
    #[must_use]
    pub fn dense_dim(&self) -> usize {
        self.dense_dim
    }

    /// `[rows, dense_dim]`
    #[must_use]
    pub fn dense_rows(&self) -> &[f32] {
        &self.dense
    }

    fn dense_row(&self, row: usize) -> &[f32] {
        &self.dense[row * self.dense_dim..(row + 1) * self.dense_dim]
    }

    /// Columns, counted from the first sparse one, and their values.
    pub(super) fn sparse_row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.offsets[row]..self.offsets[row + 1];
        (&self.idxs[range.clone()], &self.values[range])
    }

    /// Every entry of a row that may be other than 0, as (column, value).
    pub fn entries(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let (idxs, values) = self.sparse_row(row);
        let sparse = idxs.iter().map(|&idx| self.dense_dim + idx as usize);
        self.dense_row(row).iter().copied().enumerate().chain(sparse.zip(values.iter().copied()))
    }

    /// The product of a row with `weights` `[dim]`.
    #[must_use]
    pub fn dot(&self, row: usize, weights: &[f32]) -> f32 {
        let (idxs, values) = self.sparse_row(row);
        let (dense, sparse) = weights.split_at(self.dense_dim);
        let sum: f32 = idxs.iter().zip(values).map(|(&idx, v)| v * sparse[idx as usize]).sum();
        sum + dot(self.dense_row(row), dense)
    }

    /// Adds `factor` times a row to `sum` `[dim]`.
    pub fn add_to(&self, row: usize, factor: f32, sum: &mut [f32]) {
        let (idxs, values) = self.sparse_row(row);
        let (dense, sparse) = sum.split_at_mut(self.dense_dim);
        for (sum, value) in dense.iter_mut().zip(self.dense_row(row)) {
            *sum += factor * value;
        }
        for (&idx, value) in idxs.iter().zip(values) {
            sparse[idx as usize] += factor * value;
        }
    }

    /// Squared distance of two rows.
    #[must_use]
    pub fn square_distance(&self, a: usize, b: usize) -> f32 {
        let dense = self.dense_row(a).iter().zip(self.dense_row(b)).map(|(a, b)| (a - b).powi(2));
        let apart = self.difference(a, b).into_values().map(|x| x * x);
        dense.chain(apart).sum()
    }

    /// What leads from one row's sparse part to another's.
    fn difference(&self, from: usize, to: usize) -> BTreeMap<u32, f32> {
        let mut difference = BTreeMap::new();
        for (row, sign) in [(to, 1.0), (from, -1.0)] {
            let (idxs, values) = self.sparse_row(row);
            for (&idx, value) in idxs.iter().zip(values) {
                *difference.entry(idx).or_default() += sign * value;
            }
        }
        difference
    }

    /// Appends the row at `at` of the way from one row to another.
    pub fn push_between(&mut self, from: usize, to: usize, at: f32) {
        for column in 0..self.dense_dim {
            let (a, b) = (self.dense_row(from)[column], self.dense_row(to)[column]);
            self.dense.push(a + at * (b - a));
        }
        let mut row = self.difference(from, to);
        for x in row.values_mut() {
            *x *= at;
        }
        let (idxs, values) = self.sparse_row(from);
        for (&idx, value) in idxs.iter().zip(values) {
            *row.entry(idx).or_default() += value;
        }
        self.idxs.extend(row.keys());
        self.values.extend(row.values());
        self.offsets.push(self.idxs.len());
        self.num_rows += 1;
    }

    /// Squared length of a row.
    #[must_use]
    pub fn square_norm(&self, row: usize) -> f32 {
        let dense = self.dense_row(row);
        dot(dense, dense) + self.sparse_row(row).1.iter().map(|v| v * v).sum::<f32>()
    }

    /// Products of every row of `self` with every row of `other`, `[rows, other rows]`.
    #[must_use]
    pub fn products(&self, other: &Self) -> Vec<f32> {
        let (theirs, dim) = (other.num_rows, self.dense_dim);
        let mut products =
            product(vector_isa(), &self.dense, self.num_rows, dim, theirs, |column, there| {
                other.dense[there * dim + column]
            });
        let who = other.who();
        for (row, products) in products.chunks_exact_mut(theirs.max(1)).enumerate() {
            let (idxs, values) = self.sparse_row(row);
            for (&idx, value) in idxs.iter().zip(values) {
                for &(there, other) in &who[idx as usize] {
                    products[there as usize] += value * other;
                }
            }
        }
        products
    }

    /// Products of every row with every row, `[rows, rows]`: each pair is multiplied once.
    #[must_use]
    pub fn products_among(&self) -> Vec<f32> {
        let (num, dim) = (self.num_rows, self.dense_dim);
        let mut products = vec![0.0_f32; num * num];
        // Rows up to the end of a block with those of the block: what lies above the diagonal, and
        // within the block all.
        for first in (0..num).step_by(BLOCK) {
            let end = (first + BLOCK).min(num);
            let width = end - first;
            let dense = &self.dense[..end * dim];
            let block = product(vector_isa(), dense, end, dim, width, |column, there| {
                self.dense[(first + there) * dim + column]
            });
            for (row, block) in block.chunks_exact(width).enumerate() {
                products[row * num + first..row * num + end].copy_from_slice(block);
            }
        }
        let who = self.who();
        for row in 0..num {
            let (idxs, values) = self.sparse_row(row);
            for (&idx, value) in idxs.iter().zip(values) {
                let who = &who[idx as usize];
                for &(there, other) in
                    &who[who.partition_point(|&(there, _)| (there as usize) < row)..]
                {
                    products[row * num + there as usize] += value * other;
                }
            }
        }
        for first in (0..num).step_by(BLOCK) {
            let end = (first + BLOCK).min(num);
            for row in 0..end {
                for there in first.max(row + 1)..end {
                    products[there * num + row] = products[row * num + there];
                }
            }
        }
        products
    }

    /// `[sparse columns]`: which rows have something there, ascending, as (row, value).
    fn who(&self) -> Vec<Vec<(u32, f32)>> {
        let mut who: Vec<Vec<(u32, f32)>> = vec![Vec::new(); self.sparse_dim];
        for row in 0..self.num_rows {
            let (idxs, values) = self.sparse_row(row);
            for (&idx, &value) in idxs.iter().zip(values) {
                who[idx as usize].push((row as u32, value));
            }
        }
        who
    }
}

/// Sums in eight lanes, so that the compiler may use vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_multiplied_once_is_as_good_as_twice() {
        // More rows than a block has; numbers small and whole, so that every order sums alike.
        let num = BLOCK + 87;
        let small = |n: usize| (n * n % 7) as f32 - 3.0;
        let dense = Design::dense(num, (0..num * 5).map(small).collect());
        let rows: Vec<SparseRow> = (0..num)
            .map(|row| vec![(row as u32 % 3, small(row)), (3 + row as u32 % 4, 2.0)])
            .collect();
        let both = Design::beside(num, &[&dense, &Design::sparse(7, &rows)]);
        assert_eq!(both.products_among(), both.products(&both));
        assert!(Design::new(0).products_among().is_empty());
    }

    #[test]
    fn dense_and_sparse_columns_are_one_row() {
        let dense = Design::dense(2, vec![1.0, 2.0, 3.0, 4.0]);
        let sparse = Design::sparse(3, &[vec![(0, 5.0), (2, 6.0)], vec![]]);
        let both = Design::beside(2, &[&sparse, &dense, &sparse]);
        assert_eq!((both.num_rows(), both.dim()), (2, 8));
        let entries: Vec<_> = both.entries(0).collect();
        assert_eq!(entries, [(0, 1.0), (1, 2.0), (2, 5.0), (4, 6.0), (5, 5.0), (7, 6.0)]);
        let weights = [1.0, 10.0, 0.5, 7.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!((both.dot(0, &weights), both.dot(1, &weights)), (29.5, 43.0));
        assert_eq!(both.square_norm(0), 127.0);
        let turned = both.select(&[1, 0]);
        assert_eq!(turned.dot(1, &weights), 29.5);
        assert_eq!(both.products(&turned), [11.0, 127.0, 25.0, 11.0]);
        assert_eq!(both.square_distance(0, 1), 130.0);
        let mut longer = both.clone();
        longer.push_between(0, 1, 0.5);
        assert_eq!((longer.num_rows(), longer.dot(2, &weights)), (3, 36.25));
        let mut sum = vec![0.0; 8];
        both.add_to(0, 2.0, &mut sum);
        assert_eq!(sum, [2.0, 4.0, 10.0, 0.0, 12.0, 10.0, 0.0, 12.0]);
    }
}
