//! Logistic regression on a handful of columns, by Newton's method: what brings the scores of a few
//! experts together. A step costs `rows · columns²`, and some eight of them are enough, where a
//! search without second derivatives wants a hundred passes.
//!
//! in: rows `[rows, dim]`, labels, perhaps what is known already; out: weights `[dim]` and bias
//! source: Hastie, Tibshirani and Friedman 2009, §4.4.1 (iteratively reweighted least squares)
//! reference: scikit-learn 1.9 `make_pipeline(StandardScaler(), LogisticRegression(C=c))`

use super::Linear;

/// A step that moves no weight by more than this is the last.
const TOLERANCE: f64 = 1e-9;
const MAX_STEPS: usize = 50;
/// A step that makes things worse is halved so often at most.
const MAX_HALVINGS: usize = 30;
/// Losses that are multiplied before the logarithm is taken.
const LOSSES: usize = 512;

/// Minimises `|w|²/2 + c Σ weight · ln(1 + exp(∓(w·z + b)))` over standardised columns `z`; the bias
/// is not penalised. The weights that it gives are those of the columns as they are. `x` `[rows,
/// dim]`, `weights` `[rows]`, 1 where there are none. Labels that are all alike give their log-odds,
/// smoothed, whatever the row.
#[must_use]
pub fn standardised_logistic(
    x: &[f32],
    dim: usize,
    labels: &[bool],
    weights: Option<&[f64]>,
    c: f64,
) -> Linear {
    let rows = labels.len();
    let with = labels.iter().filter(|&&label| label).count();
    let odds = ((with as f64 + 0.5) / ((rows - with) as f64 + 0.5)).ln();
    if with == 0 || with == rows {
        return Linear::new(vec![0.0; dim], odds as f32);
    }
    minimised(x, dim, labels, Loss { weights, c, known: None }, odds)
}

/// The same, but for what is `known` already `[rows]`, in log-odds: `w·z + b` is added to it, and the
/// bias is penalised like a weight. Without labels, or with few, next to nothing is added.
#[must_use]
pub fn correction(
    x: &[f32],
    dim: usize,
    labels: &[bool],
    weights: Option<&[f64]>,
    c: f64,
    known: &[f32],
) -> Linear {
    minimised(x, dim, labels, Loss { weights, c, known: Some(known) }, 0.0)
}

/// What is minimised, but for rows and labels.
#[derive(Clone, Copy)]
struct Loss<'a> {
    weights: Option<&'a [f64]>,
    c: f64,
    known: Option<&'a [f32]>,
}

/// The least point, from weights of 0 and a bias of `bias`.
fn minimised(x: &[f32], dim: usize, labels: &[bool], loss: Loss<'_>, bias: f64) -> Linear {
    let columns: Vec<Column> = (0..dim).map(|d| Column::of(x, dim, d)).collect();
    let labels: Vec<f64> = labels.iter().map(|&label| f64::from(u8::from(label))).collect();
    let problem = Problem { columns: &columns, labels: &labels, loss };
    // The bias comes last.
    let mut point = vec![0.0; dim + 1];
    point[dim] = bias;
    let mut here = problem.seen_from(&point);
    for _ in 0..MAX_STEPS {
        let Some(step) = problem.step(&point, &here.p) else { break };
        let largest = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
        let mut share = 1.0_f64;
        let mut moved = false;
        for _ in 0..MAX_HALVINGS {
            let next: Vec<f64> =
                point.iter().zip(&step).map(|(p, s)| share.mul_add(*s, *p)).collect();
            let there = problem.seen_from(&next);
            if there.value <= here.value {
                (point, here, moved) = (next, there, true);
                break;
            }
            share *= 0.5;
        }
        if !moved || largest < TOLERANCE {
            break;
        }
    }
    let weights: Vec<f64> = columns.iter().zip(&point).map(|(col, w)| w * col.inv_std).collect();
    let shift: f64 = columns.iter().zip(&weights).map(|(col, w)| w * col.mean).sum();
    Linear::new(weights.into_iter().map(|w| w as f32).collect(), (point[dim] - shift) as f32)
}

/// A column at mean 0 and deviation 1; zeros where it never varies.
struct Column {
    mean: f64,
    inv_std: f64,
    /// `[rows]`
    values: Vec<f64>,
}

impl Column {
    fn of(x: &[f32], dim: usize, column: usize) -> Self {
        let mut values: Vec<f64> =
            x.iter().skip(column).step_by(dim).map(|&x| f64::from(x)).collect();
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let inv_std =
            if variance > 1e-12 * mean.mul_add(mean, 1e-12) { 1.0 / variance.sqrt() } else { 0.0 };
        for x in &mut values {
            *x = (*x - mean) * inv_std;
        }
        Self { mean, inv_std, values }
    }
}

/// How a problem looks at a point.
struct Seen {
    value: f64,
    /// `[rows]`: probabilities.
    p: Vec<f64>,
}

struct Problem<'a> {
    columns: &'a [Column],
    /// `[rows]`: 0 or 1.
    labels: &'a [f64],
    loss: Loss<'a>,
}

impl Problem<'_> {
    /// `[rows]`
    fn logits(&self, point: &[f64]) -> Vec<f64> {
        let bias = point[self.columns.len()];
        let mut logits = match self.loss.known {
            None => vec![bias; self.labels.len()],
            Some(known) => known.iter().map(|&known| f64::from(known) + bias).collect(),
        };
        for (column, weight) in self.columns.iter().zip(point) {
            logits.iter_mut().zip(&column.values).for_each(|(z, x)| *z += weight * x);
        }
        logits
    }

    /// One exponential a row serves loss, slope and curvature; the logarithms of the losses are
    /// taken of products of many, which are above 1 and below 2 each.
    fn seen_from(&self, point: &[f64]) -> Seen {
        let mut p = self.logits(point);
        let mut loss = 0.0;
        if let Some(weights) = self.loss.weights {
            for ((p, y), weight) in p.iter_mut().zip(self.labels).zip(weights) {
                let z = *p;
                let small = (-z.abs()).exp();
                loss += weight * (z.max(0.0) - z * y + small.ln_1p());
                *p = if z >= 0.0 { 1.0 } else { small } / (1.0 + small);
            }
            return Seen { value: self.penalised(point, loss), p };
        }
        for (p, labels) in p.chunks_mut(LOSSES).zip(self.labels.chunks(LOSSES)) {
            let mut product = 1.0;
            for (p, y) in p.iter_mut().zip(labels) {
                let z = *p;
                let small = (-z.abs()).exp();
                product *= 1.0 + small;
                loss += z.max(0.0) - z * y;
                *p = if z >= 0.0 { 1.0 } else { small } / (1.0 + small);
            }
            loss += product.ln();
        }
        Seen { value: self.penalised(point, loss), p }
    }

    fn penalised(&self, point: &[f64], loss: f64) -> f64 {
        let square: f64 = point[..self.num_penalised()].iter().map(|w| w * w).sum();
        self.loss.c.mul_add(loss, square / 2.0)
    }

    fn num_penalised(&self) -> usize {
        self.columns.len() + usize::from(self.loss.known.is_some())
    }

    /// Where the gradient's zero lies if the curvature stays what it is at a point with the
    /// probabilities `p`; `None` where it has none.
    fn step(&self, point: &[f64], p: &[f64]) -> Option<Vec<f64>> {
        let (dim, size) = (self.columns.len(), self.columns.len() + 1);
        let mut slopes: Vec<f64> =
            p.iter().zip(self.labels).map(|(p, y)| self.loss.c * (p - y)).collect();
        let mut curvature: Vec<f64> = p.iter().map(|p| self.loss.c * p * (1.0 - p)).collect();
        if let Some(weights) = self.loss.weights {
            slopes.iter_mut().zip(weights).for_each(|(slope, weight)| *slope *= weight);
            curvature.iter_mut().zip(weights).for_each(|(curve, weight)| *curve *= weight);
        }
        let mut down: Vec<f64> = self
            .columns
            .iter()
            .zip(point)
            .map(|(column, w)| -w - dot(&column.values, &slopes))
            .collect();
        down.push(-slopes.iter().sum::<f64>());
        let mut matrix = vec![0.0; size * size];
        for (a, column) in self.columns.iter().enumerate() {
            let bent: Vec<f64> = column.values.iter().zip(&curvature).map(|(x, r)| x * r).collect();
            for (b, other) in self.columns.iter().enumerate().take(a + 1) {
                matrix[a * size + b] = dot(&bent, &other.values);
            }
            matrix[a * size + a] += 1.0;
            matrix[dim * size + a] = bent.iter().sum();
        }
        matrix[dim * size + dim] = curvature.iter().sum();
        if self.num_penalised() == size {
            down[dim] -= point[dim];
            matrix[dim * size + dim] += 1.0;
        }
        solved(matrix, down)
    }
}

/// The sum in eight lanes, so that it can be vectorised and is always the same.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// The solution of `matrix · solution = right` by a Cholesky factorisation of the lower half,
/// `[size, size]`.
fn solved(mut matrix: Vec<f64>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for a in 0..size {
        for b in 0..=a {
            let known: f64 = (0..b).map(|k| matrix[a * size + k] * matrix[b * size + k]).sum();
            let rest = matrix[a * size + b] - known;
            if a != b {
                matrix[a * size + b] = rest / matrix[b * size + b];
            } else if rest > 0.0 && rest.is_finite() {
                matrix[a * size + a] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    for a in 0..size {
        let known: f64 = (0..a).map(|k| matrix[a * size + k] * right[k]).sum();
        right[a] = (right[a] - known) / matrix[a * size + a];
    }
    for a in (0..size).rev() {
        let known: f64 = (a + 1..size).map(|k| matrix[k * size + a] * right[k]).sum();
        right[a] = (right[a] - known) / matrix[a * size + a];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use base::Seed;
    use rand::RngExt;

    use super::*;
    use crate::heads::classical::Design;

    #[test]
    fn it_finds_what_the_search_without_second_derivatives_finds() {
        let mut rng = Seed(2).rng("rows");
        let (rows, dim) = (300, 4);
        let raw: Vec<f32> = (0..rows * dim).map(|_| rng.random_range(-1.0..1.0)).collect();
        let labels: Vec<bool> = raw
            .chunks(dim)
            .map(|row| row[0] - 0.5 * row[1] + rng.random_range(-1.0..1.0_f32) > 0.3)
            .collect();
        // Standardised by hand, so that both minimise the same.
        let columns: Vec<Column> = (0..dim).map(|d| Column::of(&raw, dim, d)).collect();
        let even: Vec<f32> =
            (0..rows * dim).map(|at| columns[at % dim].values[at / dim] as f32).collect();
        for c in [0.05, 1.0, 30.0] {
            let own = standardised_logistic(&even, dim, &labels, None, c);
            let other = Linear::logistic(&Design::dense(rows, even.clone()), &labels, 1.0, c);
            for (a, b) in own.weights().iter().zip(other.weights()) {
                assert!((a - b).abs() < 1e-3, "{own:?} {other:?}");
            }
            assert!((own.bias() - other.bias()).abs() < 1e-3);
        }
        // The units of a column change nothing, and one that never varies is not looked at.
        let scaled: Vec<f32> =
            raw.chunks(dim).flat_map(|row| [100.0 * row[0] - 7.0, row[1], row[2], 5.0]).collect();
        let without: Vec<f32> = raw.chunks(dim).flat_map(|row| row[..3].to_vec()).collect();
        let (a, b) = (
            standardised_logistic(&scaled, dim, &labels, None, 1.0),
            standardised_logistic(&without, 3, &labels, None, 1.0),
        );
        for (scaled, raw) in scaled.chunks(dim).zip(without.chunks(3)) {
            let score =
                |linear: &Linear, row: &[f32]| linear.score(&Design::dense(1, row.to_vec()), 0);
            assert!((score(&a, scaled) - score(&b, raw)).abs() < 1e-3);
        }
    }

    #[test]
    fn a_correction_is_the_least_point_of_what_it_says() {
        let mut rng = Seed(3).rng("correction");
        let (rows, c) = (200, 0.3);
        let x: Vec<f32> = (0..rows * 2).map(|_| rng.random_range(-2.0..2.0)).collect();
        let known: Vec<f32> = (0..rows).map(|_| rng.random_range(-2.0..2.0)).collect();
        let labels: Vec<bool> = (0..rows)
            .map(|at| known[at] + x[2 * at] - 0.5 + rng.random_range(-2.0..2.0_f32) > 0.0)
            .collect();
        let columns: Vec<Column> = (0..2).map(|d| Column::of(&x, 2, d)).collect();
        let value = |w: [f64; 3]| {
            let loss: f64 = (0..rows)
                .map(|at| {
                    let z = f64::from(known[at])
                        + w[0] * columns[0].values[at]
                        + w[1] * columns[1].values[at]
                        + w[2];
                    (if labels[at] { -z } else { z }).exp().ln_1p()
                })
                .sum();
            c * loss + w.iter().map(|w| w * w).sum::<f64>() / 2.0
        };
        let found = correction(&x, 2, &labels, None, c, &known);
        let weights: Vec<f64> = found.weights().iter().map(|&w| f64::from(w)).collect();
        let shift: f64 = columns.iter().zip(&weights).map(|(col, w)| w * col.mean).sum();
        let at = [
            weights[0] / columns[0].inv_std,
            weights[1] / columns[1].inv_std,
            f64::from(found.bias()) + shift,
        ];
        assert!(at[0] > 0.3, "{at:?}");
        for k in 0..3 {
            for step in [-0.01, 0.01] {
                let mut other = at;
                other[k] += step;
                assert!(value(other) > value(at), "{at:?}, {k} {step}");
            }
        }
        let nothing = correction(&x, 2, &labels, None, 1e-12, &known);
        assert!(nothing.weights().iter().chain([&nothing.bias()]).all(|w| w.abs() < 1e-6));
        let alike = correction(&x, 2, &vec![false; rows], None, c, &known);
        assert!(alike.bias() < -0.5 && alike.bias().is_finite(), "{alike:?}");
    }

    #[test]
    fn what_can_be_parted_and_what_is_all_alike_ends() {
        let rows = [-2.0, -1.0, 1.0, 2.0];
        let parted = standardised_logistic(&rows, 1, &[false, false, true, true], None, 1e6);
        assert!(parted.weights()[0] > 1.0 && parted.weights()[0].is_finite());
        let alike = standardised_logistic(&rows, 1, &[false; 4], None, 1.0);
        assert_eq!((alike.weights(), alike.bias()), (&[0.0][..], (0.5_f32 / 4.5).ln()));
        let flat = standardised_logistic(&[3.0; 4], 1, &[true, false, false, false], None, 1.0);
        assert!((flat.bias() - (1.0_f32 / 3.0).ln()).abs() < 1e-5, "{flat:?}");
        assert!(standardised_logistic(&[], 2, &[], None, 1.0).bias().is_finite());
    }
}
