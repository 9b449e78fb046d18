//! A row of a catalog file, whatever its format.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::Arc,
};

use base::words::fused;

use super::lines::Place;

/// What stands in a cell; never blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Text without space around it.
    Text(String),
    /// Several values (a JSON list).
    List(Vec<String>),
}

/// A cell that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) content: Content,
    /// The first place that is not UTF-8; U+FFFD stands there.
    pub(super) undecodable: Option<Place>,
}

impl Cell {
    /// A cell of bytes; `None` where they are blank.
    pub(super) fn of_bytes(bytes: &[u8], undecodable: Option<Place>) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        Some(Self { content: Content::Text(text.to_owned()), undecodable })
    }

    /// The text that the program's own CSV made harmless.
    pub(super) fn fused(self) -> Self {
        match self.content {
            Content::Text(text) => Self { content: Content::Text(fused(&text).to_owned()), ..self },
            Content::List(_) => self,
        }
    }

    /// As one text; several values are joined by `|`.
    pub(super) fn into_text(self) -> String {
        match self.content {
            Content::Text(text) => text,
            Content::List(values) => values.join("|"),
        }
    }
}

/// Cells of one title by column name; empty ones are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The file that says so, where it is not the catalog itself.
    pub(super) file: Option<Arc<Path>>,
    /// Where it begins, 1-based; 0 where it is no matter of lines.
    pub(super) line: u64,
    pub(super) cells: Vec<(Arc<str>, Cell)>,
    /// Files that were found, by column: they are taken as they are, whatever they are called.
    pub(super) found: Vec<(Arc<str>, Vec<PathBuf>)>,
}

impl Row {
    /// A row without cells, which a line of a file states (0: the file as a whole).
    #[must_use]
    pub fn at(file: Arc<Path>, line: u64) -> Self {
        Self { file: Some(file), line, ..Self::default() }
    }

    /// With a text; blank text is no cell.
    #[must_use]
    pub fn text(mut self, column: &str, text: impl AsRef<str>) -> Self {
        if let Some(cell) = Cell::of_bytes(text.as_ref().as_bytes(), None) {
            self.cells.push((name_of(column), cell));
        }
        self
    }

    /// With a text, where there is one.
    #[must_use]
    pub fn maybe(self, column: &str, text: Option<impl AsRef<str>>) -> Self {
        match text {
            Some(text) => self.text(column, text),
            None => self,
        }
    }

    /// With several values; an empty list is no cell.
    #[must_use]
    pub fn list(self, column: &str, values: Vec<String>) -> Self {
        self.with(column, (!values.is_empty()).then_some(Content::List(values)))
    }

    /// With a text where there is one value, with a list where there are several.
    #[must_use]
    pub fn one_or_list(self, column: &str, values: Vec<String>) -> Self {
        match &values[..] {
            [one] => self.text(column, one),
            _ => self.list(column, values),
        }
    }

    /// With files that were found, named as others are to find them.
    #[must_use]
    pub(super) fn files(
        self,
        column: &str,
        name: impl Fn(&PathBuf) -> String,
        files: &[PathBuf],
    ) -> Self {
        let mut row = self.one_or_list(column, files.iter().map(name).collect());
        if !files.is_empty() {
            row.found.push((name_of(column), files.to_vec()));
        }
        row
    }

    /// The files that were found for a column.
    pub(super) fn found_in(&self, column: &str) -> Option<&[PathBuf]> {
        let found = self.found.iter().find(|(name, _)| &**name == column);
        found.map(|(_, files)| files.as_slice())
    }

    /// With what stands in a cell, where there is anything.
    #[must_use]
    pub(super) fn with(mut self, column: &str, content: Option<Content>) -> Self {
        let cell = content.map(|content| Cell { content, undecodable: None });
        self.cells.extend(cell.map(|cell| (name_of(column), cell)));
        self
    }

    /// The cell of a column.
    pub(super) fn get(&self, column: &str) -> Option<&Cell> {
        self.cells.iter().find(|(name, _)| &**name == column).map(|(_, cell)| cell)
    }
}

thread_local! {
    /// Names of columns that rows were made of on this thread.
    static NAMES: RefCell<Vec<Arc<str>>> = const { RefCell::new(Vec::new()) };
}

/// A column's name, which all rows of this thread share.
fn name_of(column: &str) -> Arc<str> {
    const MAX_NAMES: usize = 256;
    NAMES.with_borrow_mut(|names| {
        names.truncate(MAX_NAMES);
        shared(names, column)
    })
}

/// The name among these, where it is added if it is new.
pub(super) fn shared(names: &mut Vec<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.iter().find(|known| &***known == name) {
        return known.clone();
    }
    let name: Arc<str> = name.into();
    names.push(name.clone());
    name
}

/// A row that cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) place: Place,
    /// Its beginning.
    pub(super) value: String,
    pub(super) message: String,
    pub(super) hint: String,
}
