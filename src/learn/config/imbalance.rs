//! What is done about genres that few titles have: weights, smoothing, resampling.

use crate::{LearnError, bounds::real, loss::ClassWeights, transform::resampling::Resampling};

/// What is done about genres that few titles have.
#[derive(Clone, Debug, PartialEq)]
pub struct ImbalanceSettings {
    /// What positives weigh.
    pub class_weights: ClassWeights,
    /// With `effective-number`: how much a title repeats those before it, near 1.
    pub effective_beta: f64,
    /// What is done to the training titles of each fit.
    pub resampling: Resampling,
    /// Share of the titles that over- and undersampling add or leave out.
    pub resampled_frac: f64,
    /// Exponent of (negatives / positives) in a genre's weight on positives: 0 none, 1 balanced.
    /// Absent: 0.5 for networks; 0 for the others, whose scores it tilts and whose figures it lowers.
    pub class_weight_power: Option<f64>,
    /// No genre's positives weigh more than this.
    pub class_weight_cap: f64,
    /// Targets are moved this far from 0 and 1 toward the genre's prevalence.
    pub label_smoothing: f64,
}

impl Default for ImbalanceSettings {
    fn default() -> Self {
        Self {
            class_weights: ClassWeights::Power,
            effective_beta: 0.999,
            resampling: Resampling::None,
            resampled_frac: 0.25,
            class_weight_power: None,
            class_weight_cap: 5.0,
            label_smoothing: 0.02,
        }
    }
}

impl ImbalanceSettings {
    pub(super) fn validate(&self) -> Result<(), LearnError> {
        real("effective_beta", self.effective_beta, 0.0, 0.999_999)?;
        real("resampled_frac", self.resampled_frac, 0.0, 1.0)?;
        real("class_weight_power", self.class_weight_power.unwrap_or(0.0), 0.0, 1.0)?;
        real("class_weight_cap", self.class_weight_cap, 1.0, 1e6)?;
        real("label_smoothing", self.label_smoothing, 0.0, 0.5)?;
        Ok(())
    }
}
