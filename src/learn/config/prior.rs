//! Settings of what another model said before anything was learned.

use eval::thresholds::NEVER;
use serde::{Deserialize, Serialize};

use crate::{LearnError, bounds};

/// `[learn.prior]`: a modality whose one row is the log-odds of each genre, in the data's order, as
/// another model has them; 0 for genres that it does not know. `stacking` begins with them and learns
/// what to add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorSettings {
    /// The modality's name.
    pub modality: String,
    /// Inverse strength of the penalty on what is added, the variance that is expected of a weight, with
    /// 1,000 titles or more. With fewer it is less in proportion: views that were fitted on few
    /// titles are not only unsure, they are worse.
    #[serde(default = "usual_c")]
    pub c: f64,
    /// `[genres]`: the other model's thresholds, on its probabilities; absent for genres that it does not
    /// know. Empty: not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Option<f64>>,
    /// Each threshold is pulled toward the other model's as if that came with so many titles.
    #[serde(default = "usual_titles")]
    pub threshold_titles: f64,
}

/// Chosen on libraries of 30 to 1,000 films (docs/learn.md).
fn usual_c() -> f64 {
    0.02
}

/// With so many titles the penalty is what is said.
const FULL_TITLES: f64 = 1000.0;

fn usual_titles() -> f64 {
    1000.0
}

impl PriorSettings {
    /// With the usual settings.
    #[must_use]
    pub fn of(modality: &str) -> Self {
        Self {
            modality: modality.to_owned(),
            c: usual_c(),
            thresholds: Vec::new(),
            threshold_titles: usual_titles(),
        }
    }

    /// The inverse strength with so many titles.
    pub(crate) fn c_of(&self, num_titles: usize) -> f64 {
        self.c * (num_titles as f64 / FULL_TITLES).min(1.0)
    }

    /// Pulls thresholds `[genres]` that were fitted on `num_titles` `[genres]` toward the other model's.
    pub(crate) fn pull(&self, thresholds: &mut [f64], num_titles: &[f64]) {
        for ((own, theirs), num) in thresholds.iter_mut().zip(&self.thresholds).zip(num_titles) {
            let Some(theirs) = theirs.filter(|&theirs| theirs < NEVER && *own < NEVER) else {
                continue;
            };
            let total = num + self.threshold_titles;
            if total > 0.0 {
                *own = (*own * num + theirs * self.threshold_titles) / total;
            }
        }
    }

    pub(super) fn validate(&self) -> Result<(), LearnError> {
        bounds::real("prior.c", self.c, 1e-9, 1e9)?;
        bounds::real("prior.threshold_titles", self.threshold_titles, 0.0, f64::INFINITY)
    }
}
