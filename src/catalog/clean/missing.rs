//! Cells that are there and say nothing.

use std::path::Path;

use crate::row::{Cell, Content};

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

/// What tables and programs write where a title has no genre, in lower case: pandas, R, SQL,
/// `MovieLens`, IMDb.
const NO_GENRES: [&str; 12] = [
    "n/a",
    "na",
    "<na>",
    "nan",
    "none",
    "null",
    "\\n",
    "-",
    "--",
    "\u{2013}",
    "\u{2014}",
    "(no genres listed)",
];

/// Whether a genre's name says that there is none.
pub(crate) fn is_no_genre(name: &str) -> bool {
    let name = name.trim();
    name.is_empty() || NO_GENRES.iter().any(|none| none.eq_ignore_ascii_case(name))
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
