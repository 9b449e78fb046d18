//! Linear classifiers: logistic regression and the linear support vector machine.
//!
//! in: rows `[rows, dim]`, labels, what each row weighs; out: weights `[dim]` and bias
//! source: Fan et al. 2008, LIBLINEAR; Hsieh et al. 2008 (dual coordinate descent)
//! reference: scikit-learn 1.9 `LogisticRegression(solver="lbfgs")` and
//! `LinearSVC(loss="squared_hinge")`

use base::Seed;
use kernels::logistic_losses;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Design, lbfgs::Search, passes::Passes, problem::Problem};

/// Gradient components below this, per row, are none: a fiftieth of scikit-learn's.
const TOLERANCE: f64 = 2e-6;
const MAX_STEPS: usize = 200;

/// A hyperplane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    weights: Vec<f32>,
    bias: f32,
}

impl Linear {
    /// Of these weights `[dim]`.
    #[must_use]
    pub fn new(weights: Vec<f32>, bias: f32) -> Self {
        Self { weights, bias }
    }

    /// Whether it is one of `[dim]`.
    pub(in crate::heads) fn fits(&self, dim: usize) -> bool {
        self.weights.len() == dim
    }

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

    /// The same with a whole weight more on a column.
    #[must_use]
    pub(crate) fn trusting(mut self, column: usize) -> Self {
        self.weights[column] += 1.0;
        self
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
        Self::logistics(x, &[(labels, pos_weight).into()], c).swap_remove(0)
    }

    /// The same of several labels of the same rows, each by itself. All
    /// searches are answered in one pass over the rows, which costs little more than one of them.
    #[must_use]
    pub fn logistics(x: &Design, problems: &[Problem<'_>], c: f64) -> Vec<Self> {
        let dim = x.dim();
        let tolerance = TOLERANCE * c * x.num_rows().max(1) as f64;
        let passes = Passes::new(x);
        let mut searches: Vec<Search> = problems
            .iter()
            .map(|_| Search::new(vec![0.0; dim + 1], tolerance, MAX_STEPS))
            .collect();
        let mut losses = Losses::default();
        loop {
            let open: Vec<usize> =
                (0..searches.len()).filter(|&at| searches[at].asks().is_some()).collect();
            if open.is_empty() {
                break;
            }
            if losses.of != open {
                losses = Losses::new(open, problems, c);
            }
            let points: Vec<&[f64]> =
                losses.of.iter().filter_map(|&at| searches[at].asks()).collect();
            let answers = losses.at(&passes, &points);
            for (&at, (value, gradient)) in losses.of.iter().zip(answers) {
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
    /// time, in an order drawn from `seed`. Rows that weigh 0 are not looked at.
    #[must_use]
    pub fn support_vectors(
        x: &Design,
        labels: &[bool],
        row_weights: &[f32],
        c: f64,
        seed: Seed,
    ) -> Self {
        let mut rng = seed.rng("order of rows");
        let mut order: Vec<usize> =
            (0..x.num_rows()).filter(|&row| row_weights[row] > 0.0).collect();
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

/// The penalised losses of some problems.
#[derive(Default)]
struct Losses {
    /// Which problems.
    of: Vec<usize>,
    /// `[rows, problems]`: 1 where a row has the label, −1 elsewhere.
    signs: Vec<f32>,
    /// `[rows, problems]`: what a row's loss counts.
    weights: Vec<f32>,
}

impl Losses {
    fn new(of: Vec<usize>, problems: &[Problem<'_>], c: f64) -> Self {
        let rows = problems.first().map_or(0, |problem| problem.labels.len());
        let (mut signs, mut weights) = (Vec::new(), Vec::new());
        for row in 0..rows {
            for problem in of.iter().map(|&at| &problems[at]) {
                signs.push(if problem.labels[row] { 1.0 } else { -1.0 });
                weights.push(c as f32 * problem.weight(row));
            }
        }
        Self { of, signs, weights }
    }

    /// Value and gradient `[dim + 1]` of each at its point `[dim + 1]`.
    fn at(&self, passes: &Passes<'_>, points: &[&[f64]]) -> Vec<(f64, Vec<f64>)> {
        let num = points.len();
        let mut slopes = passes.scores(points); // [rows, problems]
        let mut losses = vec![0.0_f32; slopes.len()];
        logistic_losses(passes.isa(), &self.signs, &self.weights, &mut slopes, &mut losses);
        let mut values = vec![0.0_f64; num];
        for losses in losses.chunks_exact(num) {
            values.iter_mut().zip(losses).for_each(|(value, loss)| *value += f64::from(*loss));
        }
        let mut gradients = passes.gradients(&slopes, num);
        for ((point, value), gradient) in points.iter().zip(&mut values).zip(&mut gradients) {
            let penalised = &point[..point.len() - 1];
            *value += 0.5 * penalised.iter().map(|w| w * w).sum::<f64>();
            gradient.iter_mut().zip(penalised).for_each(|(slope, w)| *slope += w);
        }
        values.into_iter().zip(gradients).collect()
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
