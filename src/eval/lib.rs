//! Arrays in, numbers out: metrics, thresholds, calibration. Knows no file and no tensor library.
//!
//! Everywhere: rows are titles, columns are genres; a decision is `score >= threshold`; a NaN
//! score ranks below every number; 0 / 0 is 0, as with scikit-learn's `zero_division=0`. What
//! is not defined at all (the AUC of a genre that no title has) is `None`, never NaN.

pub mod bootstrap;
pub mod bounds;
pub mod calibration;
pub mod chance;
pub mod counts;
pub mod distributions;
pub mod evidence;
pub mod expected_f1;
pub mod gate;
pub mod groups;
pub mod headline;
pub mod imbalance;
pub mod isotonic;
pub mod labels;
pub mod methods;
pub mod metrics;
pub mod pinned;
pub mod ranking;
pub mod reasons;
pub mod shapley;
pub mod shares;
pub mod shots;
pub mod significance;
pub mod thresholds;

pub use bootstrap::{BootstrapConfig, Interval, PairedDifference};
pub use bounds::Bounds;
pub use calibration::{Platt, ReliabilityBin};
pub use chance::ByChance;
pub use counts::{Averages, Counts};
pub use gate::{GateConfig, Outcome, PinnedTest, Verdict};
pub use groups::Groups;
pub use headline::Headline;
pub use imbalance::Imbalance;
pub use isotonic::Isotonic;
pub use labels::Labels;
pub use methods::MethodDifference;
pub use metrics::{GenreMetrics, Metrics};
pub use ranking::PrCurve;
pub use reasons::MainReason;
pub use shares::Kept;
pub use thresholds::AtPrecision;
