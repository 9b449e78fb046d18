//! NFO files of Kodi and Jellyfin: see [`crate::sidecar`] for what is kept of those that
//! are there.

use std::io;

use super::{TagFormat, Tagged};
use crate::sidecar::{self, Existing, Update};

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
        Ok(sidecar::update_nfo(tagged.tags, existing))
    }
}
