//! Words of other people on their way to a terminal or a spreadsheet.

use std::borrow::Cow;

/// Whether a character steers a terminal or turns the direction of what is written after it. Line
/// ends and tabs do neither.
#[must_use]
pub fn steers(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

/// A text as a spreadsheet may be given it in CSV: one that it would take for a formula, or that is
/// such a text made harmless before, begins with an apostrophe more. Numbers stay as they are.
///
/// source: OWASP, "CSV Injection"
#[must_use]
pub fn defused(text: &str) -> Cow<'_, str> {
    let is_formula = text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula && text.parse::<f64>().is_err() { format!("'{text}").into() } else { text.into() }
}

/// The text that was [`defused`]; any other is what it was.
#[must_use]
pub fn fused(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(original) if defused(original) == text => original,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_text_and_numbers_are_numbers() {
        for formula in
            ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1", "-"]
        {
            assert_eq!(defused(formula), format!("'{formula}"));
        }
        for harmless in ["", "-0.25", "+1e3", "Se7en", "a=b", "'tis", "'", "\u{2212}3"] {
            assert_eq!(defused(harmless), harmless);
        }
    }

    proptest! {
        #[test]
        fn a_text_comes_back_as_it_was(text in "['=+@\t0-9a-]{0,6}") {
            let harmless = defused(&text);
            prop_assert_eq!(fused(&harmless), text.as_str());
        }
    }
}
