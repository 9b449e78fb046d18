//! Values of ours as JSON. An empty file in the place of one would be worse than a panic.

use serde::Serialize;

/// A value in several lines, with a line's end.
///
/// # Panics
/// The value is none that JSON knows (a map whose keys are no strings): a bug.
#[must_use]
pub fn pretty(value: &impl Serialize) -> String {
    text(serde_json::to_string_pretty(value)) + "\n"
}

/// A value in one line, without a line's end.
///
/// # Panics
/// As [`pretty`].
#[must_use]
pub fn line(value: &impl Serialize) -> String {
    text(serde_json::to_string(value))
}

fn text(text: serde_json::Result<String>) -> String {
    text.unwrap_or_else(|error| panic!("a value of the program is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn values_are_whole_or_a_panic() {
        assert_eq!((line(&[1, 2]), pretty(&[1])), ("[1,2]".to_owned(), "[\n  1\n]\n".to_owned()));
        let keyed = BTreeMap::from([([1, 2], 3)]);
        assert!(std::panic::catch_unwind(|| line(&keyed)).is_err(), "not an empty text");
    }
}
