//! Linear classifiers: logistic regression and the linear support vector machine.
//!
//! in: rows `[rows, dim]`, labels, what each row weighs; out: weights `[dim]` and bias
//! source: Fan et al. 2008, LIBLINEAR; Hsieh et al. 2008 (dual coordinate descent)
//! reference: scikit-learn 1.9 `LogisticRegression(solver="lbfgs")` and
//! `LinearSVC(loss="squared_hinge")`

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Design, lbfgs::Search};
use crate::base::Seed;

/// Gradient components below this, per row, are none: a fiftieth of scikit-learn's.
const TOLERANCE: f64 = 2e-6;
const MAX_STEPS: usize = 200;
/// Rows whose gradients are summed in single precision before they join the sum.
const BLOCK_ROWS: usize = 256;

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

    /// Minimises `|w|²/2 + c Σ weight · ln(1 + exp(∓(w·x + b)))`, where rows with the label weigh
    /// `pos_weight` and the others 1; the bias is not penalised.
    #[must_use]
    pub fn logistic(x: &Design, labels: &[bool], pos_weight: f32, c: f64) -> Self {
        Self::logistics(x, &[(labels, pos_weight)], c).swap_remove(0)
    }

    /// The same of several labels of the same rows, each by itself, `(labels, pos_weight)`. All
    /// searches are answered in one pass over the rows, which costs little more than one of them.
    #[must_use]
    pub fn logistics(x: &Design, problems: &[(&[bool], f32)], c: f64) -> Vec<Self> {
        let dim = x.dim();
        let tolerance = TOLERANCE * c * x.num_rows().max(1) as f64;
        let mut searches: Vec<Search> = problems
            .iter()
            .map(|_| Search::new(vec![0.0; dim + 1], tolerance, MAX_STEPS))
            .collect();
        loop {
            let open: Vec<usize> =
                (0..searches.len()).filter(|&at| searches[at].asks().is_some()).collect();
            if open.is_empty() {
                break;
            }
            let points: Vec<&[f64]> = open.iter().filter_map(|&at| searches[at].asks()).collect();
            let asked: Vec<_> = open.iter().map(|&at| problems[at]).collect();
            let answers = logistic_losses(x, &asked, &points, c);
            for (&at, (value, gradient)) in open.iter().zip(answers) {
                searches[at].answer(value, gradient);
            }
        }
        let plane = |search: Search| {
            let best = search.into_best();
            Self {
                weights: best[..dim].iter().map(|&w| w as f32).collect(),
                bias: best[dim] as f32,
            }
        };
        searches.into_iter().map(plane).collect()
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

/// Value and gradient `[dim + 1]` of each problem's loss at its point `[dim + 1]`.
fn logistic_losses(
    x: &Design,
    problems: &[(&[bool], f32)],
    points: &[&[f64]],
    c: f64,
) -> Vec<(f64, Vec<f64>)> {
    let (dim, num) = (x.dim(), problems.len());
    let mut weights = vec![0.0_f32; dim * num]; // [dim, problems]
    for (at, point) in points.iter().enumerate() {
        for (weight, w) in weights[at..].iter_mut().step_by(num).zip(&point[..dim]) {
            *weight = *w as f32;
        }
    }
    let square = |point: &[f64]| point[..dim].iter().map(|w| w * w).sum::<f64>();
    let mut values: Vec<f64> = points.iter().map(|point| 0.5 * square(point)).collect();
    let mut bias_slopes = vec![0.0; num];
    let mut sums = vec![0.0_f64; dim * num]; // [dim, problems]
    for first in (0..x.num_rows()).step_by(BLOCK_ROWS) {
        let rows = first..(first + BLOCK_ROWS).min(x.num_rows());
        let mut scores = x.times(rows.clone(), &weights, num); // [rows, problems]
        for (row, scores) in rows.clone().zip(scores.chunks_exact_mut(num)) {
            for (at, score) in scores.iter_mut().enumerate() {
                let (labels, pos_weight) = problems[at];
                let (sign, weight) =
                    if labels[row] { (1.0, c * f64::from(pos_weight)) } else { (-1.0, c) };
                let margin = sign * (f64::from(*score) + points[at][dim]);
                // ln(1 + exp(-margin)) and 1 / (1 + exp(margin)) without overflow
                let small = (-margin.abs()).exp();
                values[at] += weight * ((-margin).max(0.0) + small.ln_1p());
                let wrong = if margin > 0.0 { small } else { 1.0 } / (1.0 + small);
                let slope = -sign * weight * wrong;
                bias_slopes[at] += slope;
                *score = slope as f32;
            }
        }
        x.add_transposed_times(rows, &scores, num, &mut sums);
    }
    let gradient = |at: usize| {
        let penalty = points[at][..dim].iter();
        let slopes = sums[at..].iter().step_by(num);
        penalty.zip(slopes).map(|(w, slope)| w + slope).chain([bias_slopes[at]]).collect()
    };
    values.into_iter().enumerate().map(|(at, value)| (value, gradient(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_part_what_can_be_parted_and_weights_move_the_plane() {
        let x = Design::dense(4, vec![-2.0, -1.0, 1.0, 2.0]);
        let labels = [false, false, true, true];
        let (even, heavy) = ([1.0; 4], [1.0, 1.0, 5.0, 5.0]);
        let logistic = |weights: &[f32; 4]| Linear::logistic(&x, &labels, weights[3], 1.0);
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
