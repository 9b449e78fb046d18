//! Formats of tags, behind one trait; [`registry`] lists them.
//!
//! A format writes one file about many titles (a table), one document about one title (a
//! sidecar), or both. Every tag carries its probability, what gave it, the model, the
//! program's version and the time, where the format has a place for them.

mod csv;
mod ebucore;
mod evidence;
mod existing;
mod json_ld;
mod jsonl;
mod mmif;
pub(crate) mod nfo;
mod parquet;
mod pbcore;
pub mod registry;
mod table;
mod xlsx;
mod xml;

use std::io::{self, Write};

use catalog::Title;
use tag::TitleTags;

pub use existing::{Existing, Update};
pub use nfo::{FilmIds, NewNfo};

/// A title with its tags: what a format writes.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a> {
    /// The title.
    pub title: &'a Title,
    /// Its tags.
    pub tags: &'a TitleTags,
}

/// A way of writing tags down.
pub trait TagFormat: Sync {
    /// The name: on the command line.
    fn name(&self) -> &'static str;

    /// One sentence for people.
    fn about(&self) -> &'static str;

    /// What its files' names end in, without the dot in front (`pbcore.xml`).
    fn extension(&self) -> &'static str;

    /// Whether it knows files about many titles.
    fn is_table(&self) -> bool {
        false
    }

    /// A writer of one file about many titles; `modalities` are those of the model, in order.
    /// `None` where the format knows no such file.
    fn table<'a>(
        &self,
        out: Box<dyn Write + 'a>,
        modalities: &[String],
    ) -> Option<Box<dyn TagWriter + 'a>> {
        let _ = (out, modalities);
        None
    }

    /// Whether it knows documents about one title.
    fn is_sidecar(&self) -> bool {
        false
    }

    /// A document about one title. `None` where the format knows no such file.
    ///
    /// # Errors
    /// Only where the tags cannot be expressed, which is a bug.
    fn document(&self, tagged: Tagged<'_>) -> io::Result<Option<Vec<u8>>> {
        let _ = tagged;
        Ok(None)
    }

    /// What becomes of the sidecar that is there already.
    ///
    /// Unless a format says otherwise, a sidecar is written by the program alone: one that it
    /// wrote is replaced, and one that somebody else wrote or changed is left alone.
    ///
    /// # Errors
    /// As [`TagFormat::document`].
    fn update(&self, tagged: Tagged<'_>, existing: Existing<'_>) -> io::Result<Update> {
        if existing.bytes.is_some() && !existing.is_as_written {
            return Ok(Update::leave("somebody else wrote or changed it"));
        }
        let Some(mut bytes) = self.document(tagged)? else {
            return Ok(Update::leave("the format knows no sidecars"));
        };
        if let Some(old) = existing.bytes
            && let Some(tagged_at) = existing.tagged_at
        {
            // What differs in nothing but the time is not written again.
            let tags = TitleTags { tagged_at: Some(tagged_at), ..tagged.tags.clone() };
            if self.document(Tagged { tags: &tags, ..tagged })?.as_deref() == Some(old) {
                bytes = old.to_vec();
            }
        }
        Ok(Update::Write { bytes, given: tagged.tags.genres.clone(), removed: Vec::new() })
    }
}

/// Writes titles as they come.
pub trait TagWriter {
    /// Writes one title.
    ///
    /// # Errors
    /// The system's error.
    fn write(&mut self, tagged: Tagged<'_>) -> io::Result<()>;

    /// Writes what stands at the end, and flushes.
    ///
    /// # Errors
    /// The system's error.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

#[cfg(test)]
mod tests;
