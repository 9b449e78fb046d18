//! One of IMDb's TSV files: cells between tabs, no quoting, `\N` for what is not known.

use std::{
    io::{self, BufRead},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::catalog::{
    CatalogError,
    source::gz::{self, ReadAhead},
};

/// A file whose header was read.
pub(super) struct Tsv {
    pub(super) path: Arc<Path>,
    reader: ReadAhead,
    columns: Vec<String>,
}

/// One line taken apart.
pub(super) struct Line<'a> {
    /// 1-based.
    pub(super) number: u64,
    cells: &'a [&'a str],
}

impl<'a> Line<'a> {
    /// A cell; `None` where it says nothing.
    pub(super) fn get(&self, column: usize) -> Option<&'a str> {
        self.cells.get(column).copied().filter(|cell| *cell != "\\N" && !cell.is_empty())
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

    /// Every line below the header; `each` may be told of a line with too few cells.
    pub(super) fn for_each(mut self, mut each: impl FnMut(&Line)) -> Result<(), CatalogError> {
        let mut bytes = Vec::new();
        let mut number = 1;
        loop {
            bytes.clear();
            let num_read = self.reader.read_until(b'\n', &mut bytes);
            if num_read.map_err(|e| self.cut(number, e))? == 0 {
                return Ok(());
            }
            number += 1;
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\n', '\r']);
            let mut cells = [""; 16];
            let mut num_cells = 0;
            for (cell, text) in cells.iter_mut().zip(text.split('\t')) {
                *cell = text;
                num_cells += 1;
            }
            each(&Line { number, cells: &cells[..num_cells] });
        }
    }

    fn cut(&self, line: u64, error: io::Error) -> CatalogError {
        CatalogError::Format {
            path: self.path.to_path_buf(),
            message: format!("cannot be read beyond line {line} ({error})"),
            hint: "the file is cut or damaged: download it again".to_owned(),
        }
    }
}
