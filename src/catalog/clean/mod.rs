//! Texts put right: HTML taken out, broken encoding mended, placeholders taken for what they are,
//! the language told.
//!
//! in: rows; out: rows, and what was done, counted ([`Cleaning`]). Only texts that people read
//! are touched; ids, names of files and lists are not. Each step leaves a clean text as it is,
//! so that cleaning twice changes nothing.

mod html;
pub(super) mod missing;
mod mojibake;

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{
    Row,
    row::{Cell, Content},
};

/// Columns with texts.
const TEXTS: [&str; 7] =
    ["title", "original_title", "plot", "tagline", "transcript", "dialogue", "screenplay"];
/// Columns of which it is said why they are missing.
const EXPECTED: [&str; 6] = ["title", "year", "plot", "poster", "trailer", "genres"];
/// A text with fewer words is too short to tell its language.
const MIN_WORDS: usize = 8;
/// The column with genres.
const GENRES: &str = "genres";
/// The column that says the plot's language, in ISO 639-3.
const LANGUAGE: &str = "plot_language";

/// What cleaning did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaning {
    /// Texts in which HTML was taken out, by column.
    pub html: BTreeMap<String, usize>,
    /// Texts whose encoding was mended, by column.
    pub encoding: BTreeMap<String, usize>,
    /// Titles by their plot's language in ISO 639-3; `und` where it cannot be told.
    pub languages: BTreeMap<String, usize>,
    /// Titles that lack a column, by column and reason.
    pub missing: BTreeMap<String, BTreeMap<String, usize>>,
    /// Titles with a value, by column.
    pub columns: BTreeMap<String, usize>,
}

/// Cleans rows and counts.
#[derive(Default)]
pub(super) struct Cleaner {
    done: Cleaning,
}

impl Cleaner {
    /// A row with its texts put right, and the language of its plot.
    pub(super) fn clean(&mut self, mut row: Row) -> Row {
        let mut why_missing: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, cell) in &mut row.cells {
            if **name == *GENRES && without_no_genres(cell) {
                why_missing.insert(GENRES, "a placeholder stands there");
            }
            let Some(column) = TEXTS.iter().find(|text| **text == &**name) else { continue };
            let Content::Text(text) = &mut cell.content else { continue };
            let without_html = html::text_of(text);
            if without_html != *text {
                count(&mut self.done.html, name);
            }
            let mended = mojibake::mended(&without_html);
            if mended.is_some() {
                count(&mut self.done.encoding, name);
            }
            if let Some(better) = mended.or(match without_html {
                Cow::Owned(text) => Some(text),
                Cow::Borrowed(_) => None,
            }) {
                *text = better;
            }
            if !column.ends_with("title")
                && let Some(reason) = missing::placeholder(text)
            {
                why_missing.insert(*column, reason);
                text.clear();
            }
        }
        row.cells.retain(|(_, cell)| match &cell.content {
            Content::Text(text) => !text.is_empty(),
            Content::List(values) => !values.is_empty(),
        });
        for (name, cell) in &row.cells {
            if let (Some(column), Some(reason)) =
                (EXPECTED.iter().find(|e| **e == &**name), missing::no_file(name, cell))
            {
                why_missing.insert(*column, reason);
            }
            count(&mut self.done.columns, name);
        }
        for column in EXPECTED {
            let reason = match why_missing.get(column) {
                Some(reason) => *reason,
                None if row.get(column).is_none() => "the sources state none",
                None => continue,
            };
            if !self.done.missing.contains_key(column) {
                self.done.missing.insert(column.to_owned(), BTreeMap::new());
            }
            if let Some(of_column) = self.done.missing.get_mut(column) {
                count(of_column, reason);
            }
        }
        self.tell_language(row)
    }

    fn tell_language(&mut self, row: Row) -> Row {
        let Some(Cell { content: Content::Text(plot), .. }) = row.get("plot") else { return row };
        let language = language_of(plot);
        *self.done.languages.entry(language.unwrap_or("und").to_owned()).or_default() += 1;
        if row.get(LANGUAGE).is_some() { row } else { row.maybe(LANGUAGE, language) }
    }

    pub(super) fn finish(self) -> Cleaning {
        self.done
    }
}

/// Takes out of a genre cell what says that there is none; whether nothing is left.
fn without_no_genres(cell: &mut Cell) -> bool {
    match &mut cell.content {
        Content::Text(text) => {
            if missing::is_no_genre(text) {
                text.clear();
            }
            text.is_empty()
        }
        Content::List(names) => {
            names.retain(|name| !missing::is_no_genre(name));
            names.is_empty()
        }
    }
}

/// One more of a name; only the first takes a text of its own.
fn count(counts: &mut BTreeMap<String, usize>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

/// A text's language in ISO 639-3, by the trigrams of Cavnar and Trenkle; `None` where it is
/// too short or looks like several.
pub(super) fn language_of(text: &str) -> Option<&'static str> {
    let is_long = text.split_whitespace().nth(MIN_WORDS - 1).is_some()
        || text.chars().count() > 40 && !text.is_ascii();
    let told = whatlang::detect(text).filter(|_| is_long)?;
    told.is_reliable().then(|| told.lang().code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_cleaned_and_counted() {
        let file: std::sync::Arc<std::path::Path> = std::path::Path::new("x").into();
        let row = Row::at(file.clone(), 0)
            .text("id", "a&amp;b")
            .text("title", "Caf&eacute; M&uuml;ller")
            .text("plot", "A man walks into the caf\u{c3}\u{a9} of his <b>brother</b> and never leaves it again.")
            .text("poster", "/no/such/poster.jpg");
        let mut cleaner = Cleaner::default();
        let once = cleaner.clean(row);
        assert_eq!(once.get("id").unwrap().clone().into_text(), "a&amp;b", "no text");
        assert_eq!(once.get("title").unwrap().clone().into_text(), "Café Müller");
        let plot = once.get("plot").unwrap().clone().into_text();
        assert_eq!(plot, "A man walks into the café of his brother and never leaves it again.");
        assert_eq!(once.get(LANGUAGE).unwrap().clone().into_text(), "eng");
        assert_eq!(Cleaner::default().clean(once.clone()), once, "twice is once");
        let empty = Row::at(file, 0).text("id", "b").text("plot", "Add a Plot");
        let empty = cleaner.clean(empty.text("genres", "(no genres listed)"));
        assert_eq!((empty.get("plot"), empty.get("genres")), (None, None));
        let done = cleaner.finish();
        assert_eq!((done.html["title"], done.html["plot"], done.encoding["plot"]), (1, 1, 1));
        assert_eq!(done.languages["eng"], 1);
        assert_eq!(done.missing["plot"]["a placeholder stands there"], 1);
        assert_eq!(done.missing["genres"]["a placeholder stands there"], 1);
        assert_eq!(done.missing["poster"]["there is no such file"], 1);
        assert_eq!(done.missing["year"]["the sources state none"], 2);
        assert!(!done.missing.contains_key("id"));
    }

    #[test]
    fn languages_are_told_where_there_is_enough_text() {
        let told = |text| language_of(text).unwrap_or("und");
        assert_eq!(
            told("The two sisters run a lighthouse through a winter in which no ship comes."),
            "eng"
        );
        assert_eq!(
            told(
                "Zwei Schwestern führen einen Leuchtturm durch einen Winter, in dem kein Schiff kommt."
            ),
            "deu"
        );
        assert_eq!(
            told("Δύο αδελφές κρατούν έναν φάρο όλο τον χειμώνα, και κανένα πλοίο δεν έρχεται."),
            "ell"
        );
        assert_eq!(told("Two sisters."), "und");
        assert_eq!(told(""), "und");
    }
}
