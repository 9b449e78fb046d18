//! How unevenly genres are spread over titles.
//!
//! in: labels `[titles, genres]`
//! out: cardinality, density, imbalance ratio per label (`IRLbl`), its mean and variation
//! source: Charte, Rivera, del Jesus & Herrera 2015, "Addressing imbalance in multilabel
//! classification: Measures and random resampling algorithms", Neurocomputing 163

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::counts::ratio;

/// The measures of one table of labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Imbalance {
    /// Labels per title, mean.
    pub cardinality: f64,
    /// Cardinality over the number of genres.
    pub density: f64,
    /// `[genres]`: titles of the commonest genre over titles of this one (1 for the commonest);
    /// `None` for a genre that no title has.
    pub ir_lbl: Vec<Option<f64>>,
    /// Mean of the above over the genres that have one; 0 without any.
    pub mean_ir: f64,
    /// Their standard deviation (over n - 1) by their mean; 0 with fewer than two.
    pub cv_ir: f64,
}

impl Imbalance {
    /// Measures. Without titles everything is 0.
    #[must_use]
    pub fn of(labels: ArrayView2<'_, bool>) -> Self {
        let support: Vec<f64> =
            labels.columns().into_iter().map(|c| c.iter().filter(|&&l| l).count() as f64).collect();
        let most = support.iter().copied().fold(0.0, f64::max);
        let ir_lbl: Vec<Option<f64>> =
            support.iter().map(|&n| (n > 0.0).then(|| most / n)).collect();
        let defined: Vec<f64> = ir_lbl.iter().flatten().copied().collect();
        let mean_ir = ratio(defined.iter().sum(), defined.len() as f64);
        let squares: f64 = defined.iter().map(|ir| (ir - mean_ir).powi(2)).sum();
        let spread = ratio(squares, defined.len().saturating_sub(1) as f64).sqrt();
        let cardinality = ratio(support.iter().sum(), labels.nrows() as f64);
        Self {
            cardinality,
            density: ratio(cardinality, labels.ncols() as f64),
            ir_lbl,
            mean_ir,
            cv_ir: ratio(spread, mean_ir),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn measures_by_hand() {
        let labels = array![
            [true, true, false],
            [true, false, false],
            [true, false, false],
            [true, true, false]
        ];
        let found = Imbalance::of(labels.view());
        assert_eq!((found.cardinality, found.density), (1.5, 0.5));
        assert_eq!(found.ir_lbl, [Some(1.0), Some(2.0), None]);
        assert_eq!(found.mean_ir, 1.5);
        // Standard deviation of 1 and 2 over n - 1: sqrt(0.5).
        assert!((found.cv_ir - 0.5_f64.sqrt() / 1.5).abs() < 1e-15);
    }

    #[test]
    fn nothing_is_zero() {
        let found = Imbalance::of(Array2::from_elem((0, 2), false).view());
        assert_eq!(
            (found.cardinality, found.density, found.mean_ir, found.cv_ir),
            (0.0, 0.0, 0.0, 0.0)
        );
        assert_eq!(found.ir_lbl, [None, None]);
    }
}
