//! Learners that look at training rows again: kernel ridge regression, the kernel support vector
//! machine and nearest neighbours. What a row has in common with each training row is computed
//! once for all genres.
//!
//! source: Saunders, Gammerman and Vovk 1998; Rifkin and Klautau 2004, "In defense of one-vs-all
//! classification" (regularised least squares); Platt 1998 and Fan, Chen and Lin 2005 (SMO,
//! second-order working sets); Cover and Hart 1967
//! reference: scikit-learn 1.9 `KernelRidge(kernel="rbf")`, `SVC(kernel="rbf")`,
//! `KNeighborsClassifier(metric="cosine")`

use std::{borrow::Cow, collections::BTreeMap};

use faer::{Mat, MatRef, Side, prelude::Solve};
use serde::{Deserialize, Serialize};

use super::{
    Design,
    passes::{product, vector_isa},
    problem::Problem,
};

/// How alike two rows are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Likeness {
    /// `exp(-gamma |a - b|²)`
    Rbf {
        /// Per squared unit of length.
        gamma: f32,
    },
    /// The cosine of the angle between them; 0 for a row of zeros.
    Cosine,
}

impl Likeness {
    /// Of each row of `x` with each row of `training`: `[rows, training rows]`.
    #[must_use]
    pub fn between(self, x: &Design, training: &Design) -> Vec<f32> {
        let mut likeness = x.products(training);
        let squares = |d: &Design| (0..d.num_rows()).map(|r| d.square_norm(r)).collect::<Vec<_>>();
        let (own, theirs) = (squares(x), squares(training));
        for (row, own) in likeness.chunks_exact_mut(theirs.len().max(1)).zip(own) {
            for (product, theirs) in row.iter_mut().zip(&theirs) {
                *product = match self {
                    Self::Rbf { gamma } => {
                        (-gamma * (own + theirs - 2.0 * *product).max(0.0)).exp()
                    }
                    Self::Cosine if own > 0.0 && *theirs > 0.0 => *product / (own * theirs).sqrt(),
                    Self::Cosine => 0.0,
                };
            }
        }
        likeness
    }
}

/// Weights of training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelMachine {
    /// (training row, weight), rows ascending.
    support: Vec<(u32, f32)>,
    bias: f32,
}

impl KernelMachine {
    /// Whether it looks at no more than so many training rows.
    #[must_use]
    pub fn fits(&self, num_rows: usize) -> bool {
        self.support.iter().all(|(row, _)| (*row as usize) < num_rows)
    }

    /// Kernel ridge regression on 1 where a row has the label and −1 elsewhere, of several labels
    /// of the same rows: minimises `|f|²/2 + c/2 Σ weight · (f(x) + bias ∓ 1)²` over the known rows;
    /// the bias is the weighted mean of what it regresses on. `kernel` `[rows, rows]`. Labels without
    /// a weight of their own that are known of the same rows share one factorisation.
    #[must_use]
    pub fn ridge(kernel: &[f32], problems: &[Problem<'_>], c: f64) -> Vec<Self> {
        let (even, uneven): (Vec<usize>, Vec<usize>) =
            (0..problems.len()).partition(|&p| problems[p].is_even());
        let mut of_rows: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for p in even {
            of_rows.entry(problems[p].known()).or_default().push(p);
        }
        let mut machines: Vec<Option<Self>> = vec![None; problems.len()];
        for members in uneven.into_iter().map(|p| vec![p]).chain(of_rows.into_values()) {
            let rows = problems[members[0]].known();
            let weight = |p: usize, row: usize| f64::from(problems[p].weight(row));
            let target = |p: usize, row: usize| if problems[p].labels[row] { 1.0 } else { -1.0 };
            let mean = |p: usize| {
                let all: f64 = rows.iter().map(|&row| weight(p, row)).sum();
                let sum: f64 = rows.iter().map(|&row| weight(p, row) * target(p, row)).sum();
                sum / all.max(1e-300)
            };
            let means: Vec<f64> = members.iter().map(|&p| mean(p)).collect();
            let penalties: Vec<f64> =
                rows.iter().map(|&row| 1.0 / (c * weight(members[0], row))).collect();
            let away = Mat::from_fn(rows.len(), members.len(), |k, at| {
                (target(members[at], rows[k]) - means[at]) as f32
            });
            let weights = solved(&among(kernel, &rows), &penalties, &away);
            for (at, &p) in members.iter().enumerate() {
                let support =
                    rows.iter().enumerate().map(|(k, &row)| (row as u32, weights[(k, at)]));
                machines[p] = Some(Self { support: support.collect(), bias: means[at] as f32 });
            }
        }
        machines.into_iter().flatten().collect()
    }

    /// Solves the soft-margin dual; `kernel` `[rows, rows]`, `c` times `row_weights` bounds each
    /// row's weight.
    #[must_use]
    pub fn fit(kernel: &[f32], labels: &[bool], row_weights: &[f32], c: f64) -> Self {
        /// Violation of optimality below which a solution is one.
        const TOLERANCE: f64 = 1e-3;
        let n = labels.len();
        let k = |i: usize, j: usize| f64::from(kernel[i * n + j]);
        let sign: Vec<f64> = labels.iter().map(|&l| if l { 1.0 } else { -1.0 }).collect();
        let bound: Vec<f64> = row_weights.iter().map(|&w| c * f64::from(w)).collect();
        let mut alpha = vec![0.0_f64; n];
        let mut gradient = vec![-1.0_f64; n];
        let mut bias = 0.0;
        for _ in 0..100 * n.max(100) {
            let may_rise = |t: usize| {
                if sign[t] > 0.0 { alpha[t] < bound[t] } else { alpha[t] > 0.0 }
            };
            let may_fall = |t: usize| {
                if sign[t] > 0.0 { alpha[t] > 0.0 } else { alpha[t] < bound[t] }
            };
            let pull = |t: usize| -sign[t] * gradient[t];
            let Some(i) =
                (0..n).filter(|&t| may_rise(t)).max_by(|&a, &b| pull(a).total_cmp(&pull(b)))
            else {
                break;
            };
            let highest = pull(i);
            let mut lowest = f64::INFINITY;
            let mut best: Option<(f64, usize)> = None;
            for t in (0..n).filter(|&t| may_fall(t)) {
                lowest = lowest.min(pull(t));
                let gap = highest - pull(t);
                if gap > 0.0 {
                    let gain = gap * gap / curvature(k(i, i), k(t, t), k(i, t));
                    if best.is_none_or(|(most, _)| gain > most) {
                        best = Some((gain, t));
                    }
                }
            }
            // Between the two lies the bias of every solution.
            bias = if lowest.is_finite() { f64::midpoint(highest, lowest) } else { highest };
            let Some((_, j)) = best.filter(|_| highest - lowest > TOLERANCE) else { break };
            let step = (highest - pull(j)) / curvature(k(i, i), k(j, j), k(i, j));
            let room = |t: usize, rises: bool| {
                if rises == (sign[t] > 0.0) { bound[t] - alpha[t] } else { alpha[t] }
            };
            let step = step.min(room(i, true)).min(room(j, false));
            // Exactly at its bound, or rounding would leave it a hair below.
            let moved = |t: usize, by: f64| {
                let to = alpha[t] + sign[t] * by;
                if to < 1e-12 * bound[t] {
                    0.0
                } else if to > bound[t] * (1.0 - 1e-12) {
                    bound[t]
                } else {
                    to
                }
            };
            (alpha[i], alpha[j]) = (moved(i, step), moved(j, -step));
            for (t, gradient) in gradient.iter_mut().enumerate() {
                *gradient += sign[t] * step * (k(i, t) - k(j, t));
            }
        }
        let support = alpha.iter().enumerate().filter(|&(_, &alpha)| alpha > 0.0);
        Self {
            support: support.map(|(t, alpha)| (t as u32, (sign[t] * alpha) as f32)).collect(),
            bias: bias as f32,
        }
    }

    /// Distance from the margin's middle; `likeness` `[training rows]`.
    #[must_use]
    pub fn score(&self, likeness: &[f32]) -> f32 {
        self.support.iter().fold(self.bias, |sum, &(t, w)| sum + w * likeness[t as usize])
    }

    /// The same of several machines on several rows at once, `[rows, machines]`; `likeness` `[rows,
    /// training rows]`.
    #[must_use]
    pub fn scores(machines: &[&Self], likeness: &[f32], rows: usize) -> Vec<f32> {
        if rows == 0 {
            return Vec::new();
        }
        let (width, training) = (machines.len(), likeness.len() / rows);
        let mut weights = vec![0.0; training * width]; // [training rows, machines]
        for (at, machine) in machines.iter().enumerate() {
            for &(row, weight) in &machine.support {
                weights[row as usize * width + at] = weight;
            }
        }
        let mut scores = product(vector_isa(), likeness, rows, training, width, |row, at| {
            weights[row * width + at]
        });
        for scores in scores.chunks_exact_mut(width.max(1)) {
            scores.iter_mut().zip(machines).for_each(|(score, machine)| *score += machine.bias);
        }
        scores
    }
}

/// A kernel's part between some of its rows.
fn among<'a>(kernel: &'a [f32], rows: &[usize]) -> Cow<'a, [f32]> {
    let num = kernel.len().isqrt();
    if rows.len() == num {
        return kernel.into();
    }
    let row = |&a: &usize| rows.iter().map(move |&b| kernel[a * num + b]);
    rows.iter().flat_map(row).collect::<Vec<f32>>().into()
}

/// The solution of (kernel + diagonal of penalties) · solution = `right` `[rows, labels]`. Where
/// penalties are too small for single precision, they are taken ten times as large until they
/// are not.
fn solved(kernel: &[f32], penalties: &[f64], right: &Mat<f32>) -> Mat<f32> {
    let n = penalties.len();
    let mut times = 1.0;
    loop {
        // The kernel is its own mirror image.
        let mut matrix = MatRef::from_column_major_slice(kernel, n, n).to_owned();
        for (row, penalty) in penalties.iter().enumerate() {
            matrix[(row, row)] += (times * penalty) as f32;
        }
        match matrix.llt(Side::Lower) {
            Ok(factors) => return factors.solve(right),
            Err(_) => times *= 10.0,
        }
    }
}

fn curvature(own: f64, theirs: f64, both: f64) -> f64 {
    (own + theirs - 2.0 * both).max(1e-12)
}

/// Labels of training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    labels: Vec<bool>,
    row_weights: Vec<f32>,
    k: usize,
}

impl Neighbours {
    /// Whether it remembers so many training rows.
    pub(super) fn fits(&self, num_rows: usize) -> bool {
        self.labels.len() == num_rows && self.row_weights.len() == num_rows
    }

    /// Remembers the training rows' labels.
    #[must_use]
    pub fn new(labels: &[bool], row_weights: &[f32], k: usize) -> Self {
        Self { labels: labels.to_vec(), row_weights: row_weights.to_vec(), k }
    }

    /// The share of the `k` most alike known training rows that have the label, each by its weight;
    /// of those that are equally alike, the first.
    #[must_use]
    pub fn share(&self, likeness: &[f32]) -> f32 {
        let mut nearest: Vec<usize> =
            (0..likeness.len()).filter(|&row| self.row_weights[row] > 0.0).collect();
        let k = self.k.min(nearest.len());
        let order = |a: &usize, b: &usize| likeness[*b].total_cmp(&likeness[*a]).then(a.cmp(b));
        if k > 0 && k < nearest.len() {
            nearest.select_nth_unstable_by(k - 1, order);
        }
        let (mut with, mut all) = (0.0, 0.0);
        for &t in &nearest[..k] {
            all += self.row_weights[t];
            with += if self.labels[t] { self.row_weights[t] } else { 0.0 };
        }
        if all > 0.0 { with / all } else { 0.0 }
    }

    /// The share as log-odds, one neighbour smoothed toward even odds.
    #[must_use]
    pub fn score(&self, likeness: &[f32]) -> f32 {
        let k = self.k as f32;
        let share = (self.share(likeness) * k + 0.5) / (k + 1.0);
        (share / (1.0 - share)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_parts_what_no_plane_can() {
        let x = Design::dense(4, vec![0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
        let labels = [false, false, true, true];
        let kernel = Likeness::Rbf { gamma: 2.0 }.between(&x, &x);
        assert_eq!((kernel[0], kernel[1]), (1.0, (-4.0_f32).exp()));
        let machine = KernelMachine::fit(&kernel, &labels, &[1.0; 4], 10.0);
        for (row, label) in kernel.chunks(4).zip(labels) {
            assert_eq!(machine.score(row) > 0.0, label);
        }
    }

    #[test]
    fn ridge_shrinks_what_it_cannot_tell_apart_from_chance() {
        // Rows that have nothing in common: each keeps c w / (1 + c w) of its way from the mean.
        let kernel = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let labels = [true, false, false];
        let (even, heavy, twin) =
            ((&labels[..], 1.0), (&labels[..], 2.0), (&[false, true, true][..], 1.0));
        let machines = KernelMachine::ridge(&kernel, &[heavy, even, twin].map(Problem::from), 0.5);
        let scores = |machine: &KernelMachine| -> Vec<f32> {
            kernel.chunks(3).map(|row| machine.score(row)).collect()
        };
        let third = 1.0 / 3.0;
        let away = |bias: f32, to: f32, kept: f32| bias + kept * (to - bias);
        for (ours, bias, kept) in [(&machines[1], -third, third), (&machines[0], 0.0, 0.5)] {
            let expected =
                [away(bias, 1.0, kept), away(bias, -1.0, third), away(bias, -1.0, third)];
            for (ours, expected) in scores(ours).iter().zip(expected) {
                assert!((ours - expected).abs() < 1e-6, "{ours} against {expected}");
            }
        }
        for (ours, other) in scores(&machines[1]).iter().zip(scores(&machines[2])) {
            assert!((ours + other).abs() < 1e-6, "the opposite label has the opposite score");
        }
        let both: Vec<&KernelMachine> = vec![&machines[0], &machines[2]];
        for (row, together) in KernelMachine::scores(&both, &kernel, 3).chunks(2).enumerate() {
            let alone = both.iter().map(|machine| scores(machine)[row]);
            assert!(together.iter().zip(alone).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        // Equal rows and no penalty to speak of: the matrix has no inverse, yet there is an answer.
        let same = KernelMachine::ridge(&[1.0; 9], &[even.into()], 1e9);
        assert!(same[0].score(&[1.0; 3]).is_finite());
    }

    #[test]
    fn neighbours_are_those_that_point_the_same_way() {
        let training = Design::dense(4, vec![1.0, 0.0, 9.0, 1.0, 0.0, 2.0, 0.0, 0.0]);
        let rows = Design::dense(2, vec![3.0, 0.0, 0.0, 0.0]);
        let cosine = Likeness::Cosine.between(&rows, &training);
        assert_eq!(cosine[4..], [0.0; 4]);
        let neighbours = Neighbours::new(&[true, false, true, true], &[1.0; 4], 2);
        assert_eq!(neighbours.share(&cosine[..4]), 0.5);
        assert_eq!(neighbours.share(&cosine[4..]), 0.5, "of equals the first two");
        let one = Neighbours::new(&[true, false, true, true], &[1.0; 4], 1);
        assert_eq!(one.share(&cosine[..4]), 1.0);
    }
}
