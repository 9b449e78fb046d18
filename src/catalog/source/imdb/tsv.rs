//! One of IMDb's TSV files: cells between tabs, no quoting, `\N` for what is not known.

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
    sync::Arc,
};

use memchr::memchr;

use crate::{
    CatalogError,
    source::gz::{self, ReadAhead},
};

/// A file whose header was read.
pub(super) struct Tsv {
    pub(super) path: Arc<Path>,
    reader: ReadAhead,
    columns: Vec<String>,
}

/// One line. It is taken apart only as far as is asked: of most nothing but the id is looked at.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// 1-based.
    pub(super) number: u64,
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// A cell; `None` where it says nothing.
    pub(super) fn get(&self, column: usize) -> Option<&'a str> {
        let mut rest = self.text;
        for _ in 0..column {
            rest = &rest[memchr(b'\t', rest.as_bytes())? + 1..];
        }
        let end = memchr(b'\t', rest.as_bytes()).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|cell| *cell != "\\N" && !cell.is_empty())
    }
}

/// The file of a dump: `NAME.tsv.gz`, `NAME.tsv`, or `NAME.tsv/data.tsv` as it was once packed.
pub(super) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [format!("{name}.tsv.gz"), format!("{name}.tsv"), format!("{name}.tsv/data.tsv")]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

impl Tsv {
    pub(super) fn open(path: &Path) -> Result<Self, CatalogError> {
        let failed = |source| CatalogError::File { path: path.to_owned(), action: "read", source };
        let mut reader = gz::open(path).map_err(failed)?;
        let mut header = String::new();
        reader.read_line(&mut header).map_err(failed)?;
        let columns = header.trim_end().split('\t').map(str::to_owned).collect();
        Ok(Self { path: path.into(), reader, columns })
    }

    /// Places of the columns of these names.
    pub(super) fn columns<const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<[usize; N], CatalogError> {
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            *place = self.columns.iter().position(|c| c == name).ok_or_else(|| {
                CatalogError::Format {
                    path: self.path.to_path_buf(),
                    message: format!(
                        "there is no column `{name}`; found: {}",
                        self.columns.join(", ")
                    ),
                    hint: "this is no dump of IMDb; its files begin with a line of column names \
                           between tabs"
                        .to_owned(),
                }
            })?;
        }
        Ok(places)
    }

    /// Every line below the header.
    pub(super) fn for_each(mut self, mut each: impl FnMut(Line)) -> Result<(), CatalogError> {
        let mut number = 1;
        let mut line = |bytes: &[u8]| {
            number += 1;
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => each(Line { number, text }),
                Err(_) => each(Line { number, text: &String::from_utf8_lossy(bytes) }),
            }
        };
        // The end of a block that is the beginning of a line.
        let mut begun = Vec::new();
        loop {
            let block = match self.reader.fill_buf() {
                Ok(block) => block,
                Err(error) => return Err(self.cut(number, error)),
            };
            if block.is_empty() {
                break;
            }
            let mut rest = block;
            while let Some(end) = memchr(b'\n', rest) {
                if begun.is_empty() {
                    line(&rest[..end]);
                } else {
                    begun.extend_from_slice(&rest[..end]);
                    line(&begun);
                    begun.clear();
                }
                rest = &rest[end + 1..];
            }
            begun.extend_from_slice(rest);
            let num_bytes = block.len();
            self.reader.consume(num_bytes);
        }
        if !begun.is_empty() {
            line(&begun);
        }
        Ok(())
    }

    fn cut(&self, line: u64, error: io::Error) -> CatalogError {
        CatalogError::Format {
            path: self.path.to_path_buf(),
            message: format!("cannot be read beyond line {line} ({error})"),
            hint: "the file is cut or damaged: download it again".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Lines that end in the middle of a block of the reader, at its end, and not at all.
    #[test]
    fn lines_are_found_whatever_the_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("title.basics.tsv");
        for first_len in [(1 << 20) - 12, (1 << 20) - 11, (1 << 20) - 10, 3 << 20] {
            let first = "x".repeat(first_len);
            let mut bytes = format!("tconst\tname\n{first}\t1\r\nb\t\\N\nc\n").into_bytes();
            bytes.extend_from_slice(b"d\t\xff!");
            fs::write(&path, &bytes).unwrap();
            let file = Tsv::open(&path).unwrap();
            let [id, name] = file.columns(["tconst", "name"]).unwrap();
            let mut found = Vec::new();
            file.for_each(|line| {
                let id = line.get(id).map(|id| id.len().min(9));
                found.push((line.number, id, line.get(name).map(str::to_owned)));
            })
            .unwrap();
            let text = |text: &str| Some(text.to_owned());
            let expected = [
                (2, Some(9), text("1")),
                (3, Some(1), None),
                (4, Some(1), None),
                (5, Some(1), text("\u{fffd}!")),
            ];
            assert_eq!(found, expected, "{first_len}");
        }
    }
}
