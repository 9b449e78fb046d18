//! Calibration by a rising step function: isotonic regression, per genre.
//!
//! in: scores and labels of held-out titles
//! out: a rising curve through points, linear between them, flat beyond
//! source: Barlow et al. 1972 (pool adjacent violators); Zadrozny & Elkan 2002, "Transforming
//! classifier scores into accurate multiclass probability estimates"
//! reference: scikit-learn `IsotonicRegression(out_of_bounds="clip")`

use serde::{Deserialize, Serialize};

use super::labels::Column;

/// A rising curve. Applied to scores it keeps their order but may make neighbours equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// `[points]`, rising.
    pub scores: Vec<f64>,
    /// `[points]`, not falling, in 0..1.
    pub probabilities: Vec<f64>,
}

impl Isotonic {
    /// Fits on held-out scores by least squares. Probabilities are kept `1 / (titles + 2)` away
    /// from 0 and 1, so that log-odds stay finite. Scores that are not finite are left out;
    /// without any the curve is empty.
    ///
    /// # Panics
    /// The lengths differ.
    #[must_use]
    pub fn fit(scores: &[f64], labels: &[bool]) -> Self {
        Self::fit_to(&Column::even(scores, labels))
    }

    /// [`fit`](Self::fit) to a genre's known titles, each as it weighs.
    #[must_use]
    pub fn fit_to(column: &Column) -> Self {
        // Score, what of the weight has the genre, weight.
        let mut pairs: Vec<(f64, f64, f64)> = (0..column.scores.len())
            .filter(|&at| column.scores[at].is_finite())
            .map(|at| {
                let weight = column.weight(at);
                (column.scores[at], if column.labels[at] { weight } else { 0.0 }, weight)
            })
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Blocks of equal height: first and last score, mean label, titles.
        let mut blocks: Vec<Block> = Vec::new();
        for tied in pairs.chunk_by(|a, b| a.0 == b.0) {
            let count = tied.iter().map(|pair| pair.2).sum::<f64>();
            let mean = tied.iter().map(|pair| pair.1).sum::<f64>() / count;
            let mut block = Block { first: tied[0].0, last: tied[0].0, mean, count };
            while let Some(before) = blocks.pop_if(|before| before.mean >= block.mean) {
                block = before.joined(&block);
            }
            blocks.push(block);
        }
        let margin = 1.0 / (pairs.iter().map(|pair| pair.2).sum::<f64>() + 2.0);
        let mut curve = Self::default();
        for block in &blocks {
            let probability = block.mean.clamp(margin, 1.0 - margin);
            curve.push(block.first, probability);
            if block.last > block.first {
                curve.push(block.last, probability);
            }
        }
        curve
    }

    /// Whether each point has both coordinates.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.scores.len() == self.probabilities.len()
    }

    fn push(&mut self, score: f64, probability: f64) {
        self.scores.push(score);
        self.probabilities.push(probability);
    }

    /// The probability for a score; NaN stays NaN, and so is everything on an empty curve.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        let Some(last) = self.scores.len().checked_sub(1) else { return f64::NAN };
        if score.is_nan() {
            return f64::NAN;
        }
        let above = self.scores.partition_point(|&known| known <= score);
        if above == 0 {
            return self.probabilities[0];
        }
        if above > last {
            return self.probabilities[last];
        }
        let (low, high) = (self.scores[above - 1], self.scores[above]);
        let share = (score - low) / (high - low);
        let (below, next) = (self.probabilities[above - 1], self.probabilities[above]);
        below + share * (next - below)
    }
}

struct Block {
    first: f64,
    last: f64,
    mean: f64,
    count: f64,
}

impl Block {
    fn joined(&self, next: &Self) -> Self {
        let count = self.count + next.count;
        Self {
            first: self.first,
            last: next.last,
            mean: (self.mean * self.count + next.mean * next.count) / count,
            count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn violators_are_pooled_by_hand() {
        let curve = Isotonic::fit(&[1.0, 2.0, 3.0, 4.0], &[false, true, false, true]);
        assert_eq!(curve.scores, [1.0, 2.0, 3.0, 4.0]);
        let margin = 1.0 / 6.0;
        assert_eq!(curve.probabilities, [margin, 0.5, 0.5, 1.0 - margin]);
        assert_eq!(curve.apply(2.5), 0.5);
        assert_eq!((curve.apply(-9.0), curve.apply(9.0)), (margin, 1.0 - margin));
        assert!((curve.apply(1.5) - f64::midpoint(margin, 0.5)).abs() < 1e-15);
        assert!(curve.apply(f64::NAN).is_nan());
        assert!(Isotonic::fit(&[], &[]).apply(0.0).is_nan());
        // Ranked the wrong way round: flat at the prevalence.
        let flat = Isotonic::fit(&[1.0, 2.0], &[true, false]);
        assert_eq!((flat.apply(1.0), flat.apply(2.0)), (0.5, 0.5));
    }

    proptest! {
        #[test]
        fn the_curve_rises_and_keeps_the_mean(
            items in prop::collection::vec((0_u8..20, any::<bool>()), 2..60),
        ) {
            let scores: Vec<f64> = items.iter().map(|&(s, _)| f64::from(s)).collect();
            let labels: Vec<bool> = items.iter().map(|&(_, l)| l).collect();
            let curve = Isotonic::fit(&scores, &labels);
            prop_assert!(curve.scores.is_sorted_by(|a, b| a < b));
            prop_assert!(curve.probabilities.is_sorted());
            prop_assert!(curve.probabilities.iter().all(|p| (0.0..1.0).contains(p) && *p > 0.0));
        }
    }
}
