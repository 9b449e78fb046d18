//! Passes over all rows for several linear models at once: there to the scores, back from the
//! scores' slopes to those of the weights.
//!
//! in: rows `[rows, dim]`, points `[models][dim + 1]`, weights and bias; out: scores
//! `[rows, models]`, gradients `[models][dim + 1]`

use kernels::{Clamp, Isa, PackedMatrix, Rows};

use super::Design;

/// Up to so many models each is multiplied by itself: the matrix product computes a panel of
/// them at the least.
const MAX_SINGLE: usize = 2;

/// Rows, and what is made ready once for many passes over them.
pub struct Passes<'a> {
    x: &'a Design,
    isa: Isa,
    /// `[dense_dim, rows]`
    turned: Vec<f32>,
}

impl<'a> Passes<'a> {
    /// Over these rows.
    pub fn new(x: &'a Design) -> Self {
        let (rows, dim, dense) = (x.num_rows(), x.dense_dim(), x.dense_rows());
        let mut turned = vec![0.0; dense.len()];
        for (row, values) in dense.chunks_exact(dim.max(1)).enumerate() {
            for (column, value) in values.iter().enumerate() {
                turned[column * rows + row] = *value;
            }
        }
        Self { x, isa: vector_isa(), turned }
    }

    /// The vector instructions that passes use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// `[rows, models]`: each row's product with each point's weights, and its bias.
    pub fn scores(&self, points: &[&[f64]]) -> Vec<f32> {
        let (x, models) = (self.x, points.len());
        let (dense_dim, dim) = (x.dense_dim(), x.dim());
        let mut scores =
            product(self.isa, x.dense_rows(), x.num_rows(), dense_dim, models, |column, m| {
                points[m][column] as f32
            });
        let mut weights = vec![0.0_f32; (dim - dense_dim) * models]; // [sparse columns, models]
        for (m, point) in points.iter().enumerate() {
            let column = weights.iter_mut().skip(m).step_by(models);
            column.zip(&point[dense_dim..dim]).for_each(|(weight, w)| *weight = *w as f32);
        }
        let biases: Vec<f32> = points.iter().map(|point| point[dim] as f32).collect();
        for (row, scores) in scores.chunks_exact_mut(models).enumerate() {
            scores.iter_mut().zip(&biases).for_each(|(score, bias)| *score += bias);
            let (idxs, values) = x.sparse_row(row);
            for (&idx, value) in idxs.iter().zip(values) {
                let weights = &weights[idx as usize * models..][..models];
                scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += value * weight);
            }
        }
        scores
    }

    /// `[models][dim + 1]`: all rows, each times its slope `[rows, models]`, and the slopes' sum.
    pub fn gradients(&self, slopes: &[f32], models: usize) -> Vec<Vec<f64>> {
        let (x, rows) = (self.x, self.x.num_rows());
        let dense_dim = x.dense_dim();
        let dense = product(self.isa, &self.turned, dense_dim, rows, models, |row, m| {
            slopes[row * models + m]
        });
        let mut sparse = vec![0.0_f32; (x.dim() - dense_dim) * models]; // [sparse columns, models]
        let mut biases = vec![0.0_f64; models];
        for (row, slopes) in slopes.chunks_exact(models).enumerate() {
            biases.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += f64::from(*slope));
            let (idxs, values) = x.sparse_row(row);
            for (&idx, value) in idxs.iter().zip(values) {
                let sums = &mut sparse[idx as usize * models..][..models];
                sums.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += value * slope);
            }
        }
        let gradient = |m: usize| {
            let dense = dense.iter().skip(m).step_by(models);
            let sparse = sparse.iter().skip(m).step_by(models);
            dense.chain(sparse).map(|&sum| f64::from(sum)).chain([biases[m]]).collect()
        };
        (0..models).map(gradient).collect()
    }
}

/// The vector instructions of products. The tiles of AMX split floats in two and lose the last
/// bits, which a search needs.
pub fn vector_isa() -> Isa {
    match Isa::detect() {
        Isa::Amx => Isa::Avx512,
        isa => isa,
    }
}

/// `[rows, width]`: `left` `[rows, depth]` times what `right(depth, width)` says.
pub fn product(
    isa: Isa,
    left: &[f32],
    rows: usize,
    depth: usize,
    width: usize,
    right: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let mut product = vec![0.0; rows * width];
    if depth == 0 || rows == 0 || width == 0 {
        return product;
    }
    if width <= MAX_SINGLE {
        for column in 0..width {
            let right: Vec<f32> = (0..depth).map(|k| right(k, column)).collect();
            let sums = product[column..].iter_mut().step_by(width);
            for (sum, row) in sums.zip(left.chunks_exact(depth)) {
                *sum = kernels::dot(isa, row, &right);
            }
        }
        return product;
    }
    let mut packed = PackedMatrix::empty(isa, depth, width);
    packed.pack(right);
    packed.multiply(rows, left, depth, None, Clamp::NONE, &mut product, width, Rows::DENSE);
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::SparseRow;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// All numbers are small and whole, so every order of summing gives the same.
        #[test]
        fn scores_and_gradients_are_the_sums_that_they_stand_for(
            (rows, dense_dim, sparse_dim, models) in (1_usize..9, 0_usize..80, 0_usize..5, 1_usize..40),
            numbers in prop::collection::vec(-3_i8..4, 1..60),
        ) {
            let mut numbers = numbers.iter().map(|n| f32::from(*n)).cycle();
            let mut draw = |count: usize| -> Vec<f32> { numbers.by_ref().take(count).collect() };
            let dense = Design::dense(rows, draw(rows * dense_dim));
            let sparse: Vec<SparseRow> = (0..rows)
                .map(|_| (0..sparse_dim as u32).zip(draw(sparse_dim)).filter(|x| x.1 != 0.0).collect())
                .collect();
            let x = Design::beside(rows, &[&dense, &Design::sparse(sparse_dim, &sparse)]);
            let dim = x.dim();
            let points: Vec<Vec<f64>> =
                (0..models).map(|_| draw(dim + 1).into_iter().map(f64::from).collect()).collect();
            let slopes = draw(rows * models);

            let passes = Passes::new(&x);
            let scores = passes.scores(&points.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let gradients = passes.gradients(&slopes, models);
            for (m, point) in points.iter().enumerate() {
                let weights: Vec<f32> = point[..dim].iter().map(|&w| w as f32).collect();
                let mut sums = vec![0.0; dim];
                for row in 0..rows {
                    let expected = x.dot(row, &weights) + point[dim] as f32;
                    prop_assert_eq!(scores[row * models + m], expected);
                    x.add_to(row, slopes[row * models + m], &mut sums);
                }
                let of_bias: f32 = slopes[m..].iter().step_by(models).sum();
                let expected: Vec<f64> = sums.into_iter().chain([of_bias]).map(f64::from).collect();
                prop_assert_eq!(&gradients[m], &expected);
            }
        }
    }
}
