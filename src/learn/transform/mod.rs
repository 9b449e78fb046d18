//! Transforms that are fitted: on the training titles of a fold and on nothing else.

pub mod scaling;
pub mod tabular;

pub use scaling::Scaling;
pub use tabular::{SparseRow, TabularTransform};
