//! Training: losses, ensembles over inner folds, and how fits share the processor.

pub mod bagged;
pub mod jobs;
pub mod loss;
