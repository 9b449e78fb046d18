//! How scores become probabilities, and where thresholds lie.

use serde::{Deserialize, Serialize};

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
