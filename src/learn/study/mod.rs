//! Studies: many fits on one data set.

pub mod cells;
pub mod cross_validate;
mod folds;
pub mod grid;
pub mod isolation;
pub mod search;

pub use cells::{CellStore, Filling, Variant, View};
pub use cross_validate::{BareOutcome, CrossValidation, PartialOutcome, cross_validate};
pub use grid::{GridResult, Scored, all_subsets, quick, run_grid};

#[cfg(test)]
mod tests;
