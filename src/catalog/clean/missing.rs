//! Cells that are there and say nothing.

use std::path::Path;

use crate::catalog::row::{Cell, Content};

/// What sites and tables write where they have no text.
const PLACEHOLDERS: [&str; 11] = [
    "add a plot",
    "add a plot »",
    "know what this is about?",
    "plot unknown",
    "no overview found",
    "no plot available",
    "no description available",
    "no synopsis available",
    "to be announced",
    "tba",
    "n/a",
];

/// Why a text is none; `None` where it is one.
pub(super) fn placeholder(text: &str) -> Option<&'static str> {
    let plain = text.trim().trim_end_matches('.').to_lowercase();
    if PLACEHOLDERS.contains(&plain.as_str()) {
        return Some("a placeholder stands there");
    }
    plain.is_empty().then_some("nothing is left without markup")
}

/// Why a column's file is not there; `None` where it is, or where the column names none.
pub(super) fn no_file(column: &str, cell: &Cell) -> Option<&'static str> {
    let paths = match &cell.content {
        Content::Text(path) => std::slice::from_ref(path),
        Content::List(paths) => paths,
    };
    let names_file = ["poster", "trailer"].contains(&column);
    let is_there = || paths.iter().any(|path| Path::new(path).is_file());
    (names_file && !is_there()).then_some("there is no such file")
}
