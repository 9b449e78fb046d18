//! Where tags go.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use base::Digest;
use tag::Bundle;

use super::{
    WriteError,
    format::{TagFormat, TagWriter, Tagged},
};

/// Takes tags as they come, in the titles' order.
pub trait TagSink {
    /// Whether the title at `idx` is wanted at all; `inputs` is the digest of all that its tags
    /// are made from. A title that no sink wants is neither decoded nor scored.
    fn wants(&mut self, idx: usize, inputs: &Digest) -> bool {
        let _ = (idx, inputs);
        true
    }

    /// Takes the tags of the title at `idx`.
    ///
    /// # Errors
    /// They cannot be written.
    fn write(&mut self, idx: usize, tagged: Tagged<'_>, inputs: Digest) -> Result<(), WriteError>;
}

/// One file about many titles.
pub struct TableSink<'a> {
    writer: Box<dyn TagWriter + 'a>,
    only_undecided: bool,
    path: Option<PathBuf>,
}

impl TableSink<'static> {
    /// A new file with tags of a bundle.
    ///
    /// # Errors
    /// It cannot be made, or the format knows no file about many titles.
    pub fn create(
        path: &Path,
        format: &'static dyn TagFormat,
        bundle: &Bundle,
    ) -> Result<Self, WriteError> {
        let file = File::create(path).map_err(WriteError::file(path))?;
        Ok(Self::new(Box::new(BufWriter::new(file)), format, bundle)?.named(path))
    }
}

impl<'a> TableSink<'a> {
    /// Writes to `out`.
    ///
    /// # Errors
    /// The format knows no file about many titles.
    pub fn new(
        out: Box<dyn Write + 'a>,
        format: &'static dyn TagFormat,
        bundle: &Bundle,
    ) -> Result<Self, WriteError> {
        let writer = format
            .table(out, &bundle.model.spec().modalities)
            .ok_or_else(|| WriteError::NoTable { format: format.name() })?;
        Ok(Self { writer, only_undecided: false, path: None })
    }

    /// Under this name its errors tell of it: that which the file will have.
    #[must_use]
    pub fn named(self, path: &Path) -> Self {
        Self { path: Some(path.to_owned()), ..self }
    }

    /// Only titles that a person should look at: those without any tag, and those with a doubtful
    /// one.
    #[must_use]
    pub fn only_undecided(self) -> Self {
        Self { only_undecided: true, ..self }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The system's error.
    pub fn finish(self) -> Result<(), WriteError> {
        self.writer.finish().map_err(failed(self.path.as_deref()))
    }
}

fn failed(path: Option<&Path>) -> impl FnOnce(io::Error) -> WriteError {
    move |source| match path {
        Some(path) => WriteError::file(path)(source),
        None => source.into(),
    }
}

impl TagSink for TableSink<'_> {
    fn write(
        &mut self,
        _idx: usize,
        tagged: Tagged<'_>,
        _inputs: Digest,
    ) -> Result<(), WriteError> {
        let is_settled = !tagged.tags.genres.is_empty() && tagged.tags.doubtful.is_empty();
        if self.only_undecided && is_settled {
            return Ok(());
        }
        self.writer.write(tagged).map_err(failed(self.path.as_deref()))
    }
}
