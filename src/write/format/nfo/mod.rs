//! NFO files of Kodi and Jellyfin: see `update` for what is kept of those that
//! are there.

mod new;
#[cfg(test)]
pub(crate) mod tests;
mod update;

use std::io;

pub use new::{FilmIds, NewNfo};

use super::{Existing, TagFormat, Tagged, Update};

pub(super) struct Nfo;

impl TagFormat for Nfo {
    fn name(&self) -> &'static str {
        "nfo"
    }

    fn about(&self) -> &'static str {
        "NFO of Kodi and Jellyfin: genres in the file that is there, or a new one"
    }

    fn extension(&self) -> &'static str {
        "nfo"
    }

    fn is_sidecar(&self) -> bool {
        true
    }

    fn document(&self, tagged: Tagged<'_>) -> io::Result<Option<Vec<u8>>> {
        match self.update(tagged, Existing::default())? {
            Update::Write { bytes, .. } => Ok(Some(bytes)),
            Update::Leave { .. } => Ok(None),
        }
    }

    fn update(&self, tagged: Tagged<'_>, existing: Existing<'_>) -> io::Result<Update> {
        Ok(update::update(tagged.tags, existing))
    }
}
