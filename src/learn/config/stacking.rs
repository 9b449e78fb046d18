//! The `[learn.stack]` table: whom `stacking` asks, and how it weighs the answers.

use serde::{Deserialize, Serialize};

use crate::{LearnError, bounds};

/// Who is asked beside the learner of each view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpertKind {
    /// Kernel ridge regression over the features of all modalities at once.
    JointKernel,
    /// The training texts whose features are most alike.
    NearestTexts,
    /// What genres a record's people and other values had among the training titles.
    Associations,
}

/// Settings of stacking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StackSettings {
    /// Who is asked beside the learner of each view.
    pub experts: Vec<ExpertKind>,
    /// Inverse strength of the regressions' penalty.
    pub c: f64,
    /// `joint-kernel`: inverse strength of its penalty.
    pub kernel_c: f64,
    /// `joint-kernel`: how fast likeness falls with distance.
    pub kernel_gamma: f64,
    /// `nearest-texts`: training texts that are asked.
    pub neighbours: usize,
    /// `associations`: a value is taken to have so many titles more, of the usual genres.
    pub pseudo_titles: f64,
}

impl Default for StackSettings {
    fn default() -> Self {
        Self {
            experts: vec![
                ExpertKind::JointKernel,
                ExpertKind::NearestTexts,
                ExpertKind::Associations,
            ],
            c: 1.0,
            kernel_c: 3.0,
            kernel_gamma: 1.0,
            neighbours: 40,
            pseudo_titles: 1.5,
        }
    }
}

impl StackSettings {
    /// Whether these are asked.
    #[must_use]
    pub fn asks(&self, kind: ExpertKind) -> bool {
        self.experts.contains(&kind)
    }

    pub(super) fn validate(&self) -> Result<(), LearnError> {
        bounds::real("stack.c", self.c, 1e-9, 1e9)?;
        bounds::real("stack.kernel_c", self.kernel_c, 1e-9, 1e9)?;
        bounds::real("stack.kernel_gamma", self.kernel_gamma, 1e-9, 1e9)?;
        bounds::count("stack.neighbours", self.neighbours, 1, 1 << 20)?;
        bounds::real("stack.pseudo_titles", self.pseudo_titles, 1e-3, 1e6)
    }
}
