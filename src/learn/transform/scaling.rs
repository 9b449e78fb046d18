//! Brings the features of frozen encoders to a common scale: each feature to mean 0 and
//! deviation 1 over the training rows.
//!
//! in: rows `[rows, dim]` of any scale; out: rows of the same shape
//! reference: scikit-learn `StandardScaler`

use serde::{Deserialize, Serialize};
use store::Ragged;

/// Mean and inverse deviation per feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// `[dim]`
    pub mean: Vec<f32>,
    /// `[dim]`; 0 where the feature never varies, so that it is left out.
    pub inv_std: Vec<f32>,
}

impl Scaling {
    /// Fits on the rows of these titles. Each title counts once, however many rows it has.
    ///
    /// Without any row: mean 0 and deviation 1.
    #[must_use]
    pub fn fit(ragged: &Ragged, titles: &[usize]) -> Self {
        let dim = ragged.dim;
        let mut sum = vec![0.0_f64; dim];
        let mut sum_sq = vec![0.0_f64; dim];
        let mut num_titles = 0_u32;
        for &title in titles {
            let num_rows = ragged.num_rows(title);
            if num_rows == 0 {
                continue;
            }
            num_titles += 1;
            let share = 1.0 / num_rows as f64;
            for row in ragged.rows(title).chunks_exact(dim) {
                for (d, &value) in row.iter().enumerate() {
                    let value = f64::from(value);
                    sum[d] += share * value;
                    sum_sq[d] += share * value * value;
                }
            }
        }
        if num_titles == 0 {
            return Self { mean: vec![0.0; dim], inv_std: vec![1.0; dim] };
        }
        let n = f64::from(num_titles);
        let (mean, inv_std) = sum
            .iter()
            .zip(&sum_sq)
            .map(|(&sum, &sum_sq)| {
                let mean = sum / n;
                let variance = (sum_sq / n - mean * mean).max(0.0);
                let constant = variance <= 1e-12 * (1e-6 + mean * mean);
                let inv_std = if constant { 0.0 } else { 1.0 / variance.sqrt() };
                (mean as f32, inv_std as f32)
            })
            .unzip();
        Self { mean, inv_std }
    }

    /// Whether there is a mean and a deviation for each feature, and any feature.
    pub(crate) fn fits(&self) -> bool {
        !self.mean.is_empty() && self.mean.len() == self.inv_std.len()
    }

    /// Length of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Appends the scaled `row` to `out`.
    pub fn push(&self, row: &[f32], out: &mut Vec<f32>) {
        debug_assert_eq!(row.len(), self.dim());
        out.extend(
            row.iter()
                .zip(&self.mean)
                .zip(&self.inv_std)
                .map(|((value, mean), inv_std)| (value - mean) * inv_std),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_by_the_training_titles_alone() {
        let mut ragged = Ragged::new(2);
        ragged.push(&[1.0, 7.0], &[]);
        ragged.push(&[], &[]);
        ragged.push(&[2.0, 7.0, 4.0, 7.0], &[]);
        ragged.push(&[1000.0, -5.0], &[]);
        let scaling = Scaling::fit(&ragged, &[0, 1, 2]);
        // Means per title: 1 and 3 (of 2 and 4); mean 2, second moments 1 and 10 -> variance 1.5.
        assert_eq!(scaling.mean, [2.0, 7.0]);
        assert!((scaling.inv_std[0] - (1.0 / 1.5_f32.sqrt())).abs() < 1e-6);
        let mut out = Vec::new();
        scaling.push(&[2.0, 100.0], &mut out);
        assert_eq!(out, [0.0, 0.0], "a feature that never varied says nothing");
    }
}
