//! Words of other people on their way to a terminal.

/// Whether a character steers a terminal or turns the direction of what is written after it. Line
/// ends and tabs do neither.
#[must_use]
pub fn steers(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}
