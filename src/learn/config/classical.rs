//! Which classical learner, and what it makes of several genres.

use serde::{Deserialize, Serialize};

use crate::{LearnError, bounds};

/// A learner of one genre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// L2-penalised, by L-BFGS.
    #[default]
    LogisticRegression,
    /// Squared hinge, by dual coordinate descent.
    LinearSvm,
    /// Radial basis functions, by sequential minimal optimisation.
    KernelSvm,
    /// Radial basis functions and squared errors, by a Cholesky factorisation.
    KernelRidge,
    /// Trees on bootstrap samples.
    RandomForest,
    /// Trees one after the other.
    GradientBoosting,
    /// By cosine.
    NearestNeighbours,
}

impl Base {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LogisticRegression,
        Self::LinearSvm,
        Self::KernelSvm,
        Self::KernelRidge,
        Self::RandomForest,
        Self::GradientBoosting,
        Self::NearestNeighbours,
    ];

    /// Its name in pipelines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// What its parts hang on, learner by learner.
    pub(crate) const fn facts(self) -> BaseFacts {
        const PLAIN: BaseFacts =
            BaseFacts { name: "", compares: Compares::Nothing, is_tree: false, draws: false };
        match self {
            Self::LogisticRegression => BaseFacts { name: "logistic-regression", ..PLAIN },
            Self::LinearSvm => BaseFacts { name: "linear-svm", draws: true, ..PLAIN },
            Self::KernelSvm => {
                let compares = Compares::EachWithEach;
                BaseFacts { name: "kernel-svm", compares, draws: true, ..PLAIN }
            }
            Self::KernelRidge => {
                BaseFacts { name: "kernel-ridge", compares: Compares::EachWithEach, ..PLAIN }
            }
            Self::RandomForest => {
                BaseFacts { name: "random-forest", is_tree: true, draws: true, ..PLAIN }
            }
            Self::GradientBoosting => {
                BaseFacts { name: "gradient-boosting", is_tree: true, draws: true, ..PLAIN }
            }
            Self::NearestNeighbours => {
                let compares = Compares::WithScored;
                BaseFacts { name: "nearest-neighbours", compares, draws: true, ..PLAIN }
            }
        }
    }
}

/// What is known of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BaseFacts {
    pub(crate) name: &'static str,
    pub(crate) compares: Compares,
    /// Splits columns: it wants bins of them, and few.
    pub(crate) is_tree: bool,
    /// Another seed may give another fit. False only where that is certain: such fits are shared.
    pub(crate) draws: bool,
}

/// Which titles a learner compares with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compares {
    Nothing,
    /// Training titles with each other, by radial basis functions: work grows with their square.
    EachWithEach,
    /// Those that are scored with training titles, by cosine.
    WithScored,
}

/// What a classical head makes of several genres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelScheme {
    /// Each genre by itself.
    #[default]
    BinaryRelevance,
    /// One after the other, each seeing those before it; in the vocabulary's order.
    ClassifierChain,
    /// The mean of several chains in random orders.
    ChainEnsemble,
}

/// How many trees and how they grow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreeSettings {
    /// Trees of a forest.
    pub trees: usize,
    /// Rows of a forest's leaf, at least.
    pub min_leaf_titles: usize,
    /// Rounds of boosting.
    pub rounds: usize,
    /// Share of each round's tree that is taken.
    pub step: f64,
    /// Splits between root and leaf in boosting, at most.
    pub depth: usize,
    /// Share of the titles that each round sees.
    pub subsample: f64,
}

impl Default for TreeSettings {
    fn default() -> Self {
        Self { trees: 100, min_leaf_titles: 2, rounds: 100, step: 0.1, depth: 4, subsample: 0.7 }
    }
}

impl TreeSettings {
    pub(super) fn validate(&self) -> Result<(), LearnError> {
        bounds::count("trees.trees", self.trees, 1, 100_000)?;
        bounds::count("trees.min_leaf_titles", self.min_leaf_titles, 1, 1 << 20)?;
        bounds::count("trees.rounds", self.rounds, 1, 100_000)?;
        bounds::count("trees.depth", self.depth, 1, 64)?;
        bounds::real("trees.step", self.step, 1e-6, 1.0)?;
        bounds::real("trees.subsample", self.subsample, 0.01, 1.0)
    }
}

/// Settings of the classical learners.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassicalSettings {
    /// What classical heads make of several genres.
    pub labels: LabelScheme,
    /// Chains of an ensemble.
    pub chains: usize,
    /// Inverse strength of the penalty of linear and kernel learners, for rows that are 1 long in
    /// the root mean square.
    pub c: f64,
    /// How fast likeness falls with distance in the kernel learner, for such rows.
    pub gamma: f64,
    /// Nearest training titles that are asked.
    pub neighbours: usize,
}

impl Default for ClassicalSettings {
    fn default() -> Self {
        Self { labels: LabelScheme::BinaryRelevance, chains: 5, c: 3.0, gamma: 1.0, neighbours: 30 }
    }
}

impl ClassicalSettings {
    pub(super) fn validate(&self) -> Result<(), LearnError> {
        bounds::count("chains", self.chains, 1, 1000)?;
        bounds::real("c", self.c, 1e-9, 1e9)?;
        bounds::real("gamma", self.gamma, 1e-9, 1e9)?;
        bounds::count("neighbours", self.neighbours, 1, 1 << 20)?;
        Ok(())
    }
}
