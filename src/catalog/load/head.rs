//! The names of a table's columns, read off its beginning, so that a declaration that cannot fit is
//! known not to before any row is read.
//!
//! in: a declaration; out: names. A delimited table has them in its header. Of JSON Lines every row
//! has its own: the first ones are looked at, and where a name is not among them the keys of all.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    sync::Arc,
};

use base::file;

use super::{Loader, delimiter_of, format_of, unreadable};
use crate::{
    CatalogError, CatalogSpec, Format, delimited::DelimitedReader, jsonl::JsonlReader,
    spec::ResolvedColumns,
};

/// Of JSON Lines, what is read of them to guess what they are.
const HEAD_BYTES: u64 = 1 << 16;

/// The columns of a table; `None` where it is no table, or has no header.
///
/// # Errors
/// As [`load`](super::load): the file cannot be read, or is of no known format.
pub(super) fn names(spec: &CatalogSpec) -> Result<Option<Vec<Arc<str>>>, CatalogError> {
    Heads::default().all(spec).map(|names| names.map(<[_]>::to_vec))
}

/// How a table is read, which is all of a declaration that its columns' names depend on.
type Reading = (PathBuf, Format, u8, bool);

/// The columns of tables that are looked at under several declarations; each is read once.
#[derive(Default)]
pub(crate) struct Heads {
    known: Vec<(Reading, Head)>,
}

struct Head {
    names: Option<Vec<Arc<str>>>,
    /// Whether there can be no other names.
    is_whole: bool,
}

impl Heads {
    /// Whether the table is known to lack a column that the declaration needs. Where that cannot be
    /// told, loading it will.
    pub(crate) fn lacks_column(&mut self, spec: &CatalogSpec) -> bool {
        let Ok(loader) = Loader::new(spec) else { return true };
        let lacks = |names: Option<&[Arc<str>]>| {
            names.is_some_and(|names| loader.check_columns(names, None).is_err())
        };
        self.first(spec).is_ok_and(lacks) && self.all(spec).is_ok_and(lacks)
    }

    /// Whether the table's first rows have a column of posters or trailers.
    pub(crate) fn has_media(&mut self, spec: &CatalogSpec) -> bool {
        let ResolvedColumns { poster, trailer, .. } = spec.columns.resolve();
        let roles = [poster, trailer];
        let is_media = |name: &Arc<str>| roles.iter().flatten().any(|role| *role.name == **name);
        // A row may be longer than what is read of the file.
        let is_told = self.first(spec).is_ok_and(|names| names.is_some_and(|n| !n.is_empty()));
        let names = if is_told { self.first(spec) } else { self.all(spec) };
        names.is_ok_and(|names| names.is_some_and(|names| names.iter().any(is_media)))
    }

    /// The columns that its first rows have.
    fn first(&mut self, spec: &CatalogSpec) -> Result<Option<&[Arc<str>]>, CatalogError> {
        self.head(spec, false)
    }

    /// All of its columns.
    fn all(&mut self, spec: &CatalogSpec) -> Result<Option<&[Arc<str>]>, CatalogError> {
        self.head(spec, true)
    }

    fn head(
        &mut self,
        spec: &CatalogSpec,
        wants_all: bool,
    ) -> Result<Option<&[Arc<str>]>, CatalogError> {
        let format = format_of(spec)?;
        let reading = (spec.path.clone(), format, delimiter_of(spec, format)?, spec.quoting);
        let known = self.known.iter().position(|(known, _)| *known == reading);
        let idx = match known {
            Some(idx) if self.known[idx].1.is_whole || !wants_all => idx,
            Some(idx) => {
                self.known[idx].1 = read(&reading, u64::MAX)?;
                idx
            }
            None => {
                let head = read(&reading, if wants_all { u64::MAX } else { HEAD_BYTES })?;
                self.known.push((reading, head));
                self.known.len() - 1
            }
        };
        Ok(self.known[idx].1.names.as_deref())
    }
}

fn read(
    (path, format, delimiter, quoting): &Reading,
    max_bytes: u64,
) -> Result<Head, CatalogError> {
    let fault = |error| unreadable(path, error);
    if matches!(format, Format::Source(_)) {
        return Ok(Head { names: None, is_whole: true });
    }
    let file = BufReader::with_capacity(HEAD_BYTES as usize, file::open(path).map_err(fault)?);
    if *format != Format::Jsonl {
        let mut reader = DelimitedReader::new(file, *delimiter, *quoting);
        let header = reader.next_record().map_err(fault)?.and_then(Result::ok);
        let name = |cell: Option<crate::row::Cell>| cell.map(|cell| cell.into_text().into());
        let names = header.map(|header| header.cells.into_iter().filter_map(name).collect());
        return Ok(Head { names, is_whole: true });
    }
    let mut limited = file.take(max_bytes);
    let mut reader = JsonlReader::new(&mut limited);
    // A row that the limit cuts off is none, and adds no names.
    while reader.next_row().map_err(fault)?.is_some() {}
    let names = Some(reader.keys);
    let is_whole = limited.limit() > 0 || limited.get_mut().fill_buf().map_err(fault)?.is_empty();
    Ok(Head { names, is_whole })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_table_is_is_guessed_by_its_beginning_and_known_by_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let spec = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            CatalogSpec::new(path)
        };
        let plain = "{\"id\": \"a\"}\n".repeat(HEAD_BYTES as usize / 10);
        let mut late =
            spec("late.jsonl", &format!("{plain}{{\"poster\": \"x\", \"key\": \"b\"}}\n"));
        let mut heads = Heads::default();
        assert!(!heads.has_media(&late), "that many rows say nothing of media");
        assert!(!heads.lacks_column(&late));
        late.columns.id = Some("key".to_owned());
        assert!(!heads.lacks_column(&late), "one of the rows has it");
        late.columns.id = Some("none".to_owned());
        assert!(heads.lacks_column(&late));
        assert_eq!(heads.known.len(), 1, "read under one declaration, known under all");
        let long = format!("{{\"id\": \"{}\", \"trailer\": \"x\"}}\n", "a".repeat(1 << 17));
        assert!(heads.has_media(&spec("long.jsonl", &long)), "a row may be long");

        let table = spec("films.csv", "id;poster\n\"never closed\n");
        assert!(!heads.has_media(&table) && heads.lacks_column(&table), "by another delimiter");
        let table = CatalogSpec { delimiter: Some(';'), ..table };
        assert!(heads.has_media(&table) && !heads.lacks_column(&table));
        let none = spec("empty.csv", "");
        assert!(!heads.has_media(&none) && !heads.lacks_column(&none), "loading it says why");
    }
}
