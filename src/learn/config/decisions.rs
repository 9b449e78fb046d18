//! How scores become probabilities, and where thresholds lie.

use serde::{Deserialize, Serialize};

use crate::{LearnError, bounds::real};

/// How scores become probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// A logistic curve per genre (Platt): two numbers, fit for rare genres.
    #[default]
    Platt,
    /// A rising step function per genre on top of it (isotonic): any shape, wants many titles.
    Isotonic,
}

/// Where a genre's threshold lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decide {
    /// Where F1 is best on the out-of-fold labels, pulled toward a common threshold.
    Threshold,
    /// Where F1 is best as the calibrated probabilities have it: no label is looked at but for the
    /// calibration, so a rare genre's threshold is not set by the luck of its few titles.
    ExpectedF1,
}

/// Settings of probabilities and thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionSettings {
    /// Where a genre's threshold lies. Absent: `expected-f1` for a head that is fitted once,
    /// `threshold` for the others.
    pub decide: Option<Decide>,
    /// Each genre's threshold is pulled toward the common one as if that came with so many
    /// positives.
    pub threshold_shrinkage: f64,
    /// A title that reaches no threshold gets the genre that comes nearest; not where a
    /// precision is asked for.
    pub at_least_one: bool,
    /// A title that shows only some of the modalities is judged by thresholds of its own, fitted
    /// out of fold on titles that show no more: a genre is a tag only where that halves the error
    /// of naming the genre blindly. Everything else is left to a person.
    pub abstain: bool,
    /// How scores become probabilities.
    pub calibration: Calibration,
    /// Thresholds reach this precision out of fold instead of the best F1; a genre that cannot
    /// reach it is never decided.
    pub precision: Option<f64>,
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self {
            decide: None,
            threshold_shrinkage: 10.0,
            at_least_one: true,
            abstain: false,
            calibration: Calibration::Platt,
            precision: None,
        }
    }
}

impl DecisionSettings {
    pub(super) fn validate(&self) -> Result<(), LearnError> {
        real("threshold_shrinkage", self.threshold_shrinkage, 0.0, f64::INFINITY)?;
        real("precision", self.precision.unwrap_or(0.5), 0.01, 0.999)?;
        Ok(())
    }
}
