//! Settings that must lie between two bounds.

use crate::LearnError;

/// # Errors
/// `learn.{name}` lies outside.
pub(crate) fn count(name: &str, value: usize, low: usize, high: usize) -> Result<(), LearnError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(LearnError::Data {
        message: format!("`learn.{name}` must be between {low} and {high}, got {value}"),
        hint: None,
    })
}

/// # Errors
/// `learn.{name}` lies outside, or is not a number.
pub(crate) fn real(name: &str, value: f64, low: f64, high: f64) -> Result<(), LearnError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(LearnError::Data {
        message: format!("`learn.{name}` must be between {low} and {high}, got {value}"),
        hint: None,
    })
}
