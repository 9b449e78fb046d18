//! Linear classifiers: logistic regression and the linear support vector machine.
//!
//! in: rows `[rows, dim]`, labels, what each row weighs; out: weights `[dim]` and bias
//! source: Fan et al. 2008, LIBLINEAR; Hsieh et al. 2008 (dual coordinate descent)
//! reference: scikit-learn 1.9 `LogisticRegression(solver="lbfgs")` and
//! `LinearSVC(loss="squared_hinge")`

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Design, lbfgs};
use crate::base::Seed;

/// Gradient components below this, per row, are none.
const TOLERANCE: f64 = 1e-6;
const MAX_STEPS: usize = 200;
/// Rows whose gradients are summed in single precision before they join the sum.
const BLOCK_ROWS: usize = 128;

/// A hyperplane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    weights: Vec<f32>,
    bias: f32,
}

impl Linear {
    /// `[dim]`
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The score of a row of zeros.
    #[must_use]
    pub fn bias(&self) -> f32 {
        self.bias
    }

    /// Distance from the hyperplane, in units of the weights.
    #[must_use]
    pub fn score(&self, x: &Design, row: usize) -> f32 {
        x.dot(row, &self.weights) + self.bias
    }

    /// Minimises `|w|²/2 + c Σ weight · ln(1 + exp(∓(w·x + b)))`; the bias is not penalised.
    #[must_use]
    pub fn logistic(x: &Design, labels: &[bool], row_weights: &[f32], c: f64) -> Self {
        let dim = x.dim();
        let mut single = vec![0.0_f32; dim];
        let mut block = vec![0.0_f32; dim];
        let mut solution = vec![0.0_f64; dim + 1];
        let value_and_gradient = |w: &[f64], gradient: &mut [f64]| {
            for (single, w) in single.iter_mut().zip(w) {
                *single = *w as f32;
            }
            gradient[..dim].copy_from_slice(&w[..dim]);
            gradient[dim] = 0.0;
            let mut value = 0.5 * w[..dim].iter().map(|w| w * w).sum::<f64>();
            for first in (0..x.num_rows()).step_by(BLOCK_ROWS) {
                for row in first..(first + BLOCK_ROWS).min(x.num_rows()) {
                    let sign = if labels[row] { 1.0 } else { -1.0 };
                    let weight = c * f64::from(row_weights[row]);
                    let margin = sign * (f64::from(x.dot(row, &single)) + w[dim]);
                    // ln(1 + exp(-margin)) without overflow
                    value += weight * ((-margin).max(0.0) + (-margin.abs()).exp().ln_1p());
                    let slope = -sign * weight / (1.0 + margin.exp());
                    x.add_to(row, slope as f32, &mut block);
                    gradient[dim] += slope;
                }
                for (sum, part) in gradient.iter_mut().zip(&mut block) {
                    *sum += f64::from(*part);
                    *part = 0.0;
                }
            }
            value
        };
        let tolerance = TOLERANCE * c * x.num_rows().max(1) as f64;
        lbfgs::minimise(&mut solution, value_and_gradient, tolerance, MAX_STEPS);
        Self {
            weights: solution[..dim].iter().map(|&w| w as f32).collect(),
            bias: solution[dim] as f32,
        }
    }

    /// Minimises `(|w|² + b²)/2 + c Σ weight · max(0, 1 ∓ (w·x + b))²` in the dual, one row at a
    /// time, in an order drawn from `seed`.
    #[must_use]
    pub fn support_vectors(
        x: &Design,
        labels: &[bool],
        row_weights: &[f32],
        c: f64,
        seed: Seed,
    ) -> Self {
        let mut rng = seed.rng("order of rows");
        let mut order: Vec<usize> = (0..x.num_rows()).collect();
        let mut weights = vec![0.0_f32; x.dim()];
        let mut bias = 0.0_f64;
        let mut alphas = vec![0.0_f64; x.num_rows()];
        let shifts: Vec<f64> =
            row_weights.iter().map(|&weight| 0.5 / (c * f64::from(weight))).collect();
        let diagonal: Vec<f64> = (0..x.num_rows())
            .map(|row| f64::from(x.square_norm(row)) + 1.0 + shifts[row])
            .collect();
        for _ in 0..10 * MAX_STEPS {
            order.shuffle(&mut rng);
            let mut worst = 0.0_f64;
            for &row in &order {
                let sign = if labels[row] { 1.0 } else { -1.0 };
                let score = f64::from(x.dot(row, &weights)) + bias;
                let gradient = sign * score - 1.0 + shifts[row] * alphas[row];
                let projected = if alphas[row] > 0.0 { gradient } else { gradient.min(0.0) };
                worst = worst.max(projected.abs());
                if projected != 0.0 {
                    let before = alphas[row];
                    alphas[row] = (before - gradient / diagonal[row]).max(0.0);
                    let change = sign * (alphas[row] - before);
                    x.add_to(row, change as f32, &mut weights);
                    bias += change;
                }
            }
            if worst < 1e-4 {
                break;
            }
        }
        Self { weights, bias: bias as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_part_what_can_be_parted_and_weights_move_the_plane() {
        let x = Design::dense(4, vec![-2.0, -1.0, 1.0, 2.0]);
        let labels = [false, false, true, true];
        let (even, heavy) = ([1.0; 4], [1.0, 1.0, 5.0, 5.0]);
        let logistic = |weights: &[f32; 4]| Linear::logistic(&x, &labels, weights, 1.0);
        let scores: Vec<f32> = (0..4).map(|row| logistic(&even).score(&x, row)).collect();
        assert!(scores[1] < 0.0 && scores[2] > 0.0, "{scores:?}");
        assert!((scores[0] + scores[3]).abs() < 1e-3, "{scores:?}");
        // The plane moves away from what weighs more.
        assert!(logistic(&heavy).bias() > logistic(&even).bias() + 0.1);

        // By hand: the outer rows lie beyond the margin. Even: w + 4 (w - 1) = 0. Heavy: the
        // gradient is none where 13 w + 8 b = 12 and 8 w + 13 b = 8.
        for (weights, w, b) in [(even, 0.8, 0.0), (heavy, 92.0 / 105.0, 8.0 / 105.0)] {
            let svm = Linear::support_vectors(&x, &labels, &weights, 1.0, Seed(1));
            let off = (svm.weights()[0] - w).abs().max((svm.bias() - b).abs());
            assert!(off < 1e-4, "{svm:?}, by hand {w} and {b}");
        }
    }
}
