//! Training: heads over inner folds, how fits share the processor, and thresholds from what was
//! held out.
//!
//! Of most heads a model is an ensemble: each member is trained on all folds but one and stops
//! early on that one; the mean counts. Of a head that is fitted once, a model is that one fit, and
//! the heads without an inner fold are there for what follows: every training title gets scores
//! from a head that never saw it, and on these out-of-fold scores calibration and thresholds are
//! fitted.

mod cuts;
mod fit;
pub mod jobs;
mod plan;

pub(crate) use cuts::{Least, fit_cuts, fit_decisions};
pub(crate) use fit::HeldOut;
pub use fit::{Heads, fit_heads};
pub(crate) use plan::check_groups;
pub use plan::{MemberPlan, plan};
