//! Division of titles into folds and validation parts.
//!
//! in: labels and groups; out: a fold per title. Titles without labels are in no fold.

mod folds;
mod stratify;

pub use folds::{Folds, stratified_group_folds};
pub use stratify::{holdout, iterative_stratification};
