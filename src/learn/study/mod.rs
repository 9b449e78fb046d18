//! Studies: many fits on one data set.

pub mod cross_validate;

pub use cross_validate::{CrossValidation, cross_validate};
