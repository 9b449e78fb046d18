//! NFO files where there were none.
//!
//! in: a film's ids, as far as they are known; out: a file to put genres into, and whether one is
//! made at all.
//!
//! A media centre that finds an NFO file may look nothing up any more. Kodi takes one without an
//! address for all that is to be known of the film; one with the address of the film's page behind
//! the XML (a combination NFO) it looks up, and adds what the file says. Jellyfin and Emby look up
//! what the file does not say, so a title or a year in it, guessed by the file's name, would stay.
//! So a new file of a film whose id is known says the ids, the genres and the address, and nothing
//! else. docs/libraries.md has the sources.
//!
//! source: <https://kodi.wiki/view/NFO_files/Combination>, Kodi's `CNfoFile::Create`; Jellyfin's
//! `MetadataService`, `BaseNfoParser`

use std::fmt::Write as _;

pub use catalog::FilmIds;
use quick_xml::escape::escape;
use tag::TitleTags;

use crate::format::xml::clean;

/// When an NFO file is made where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewNfo {
    /// Where an id of the film is known, so that media centres go on looking it up.
    WithId,
    /// Always.
    #[default]
    Always,
    /// Never.
    Never,
}

impl NewNfo {
    /// All, by name.
    pub const ALL: [(&'static str, Self); 3] =
        [("with-id", Self::WithId), ("always", Self::Always), ("never", Self::Never)];

    /// Whether one is made of a film with these ids.
    pub(crate) fn makes(self, ids: &FilmIds) -> bool {
        match self {
            Self::WithId => ids.address().is_some(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// A file without genres.
pub(super) fn without_genres(tags: &TitleTags, ids: Option<&FilmIds>) -> String {
    let mut text =
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<movie>\n".to_owned();
    let none = FilmIds::default();
    let ids = ids.unwrap_or(&none);
    // Writing to a String cannot fail.
    let mut is_default = " default=\"true\"";
    for (site, id) in [("tmdb", &ids.tmdb), ("imdb", &ids.imdb)] {
        if let Some(id) = id {
            let id = escape(clean(id)).into_owned();
            let _ = writeln!(text, "  <uniqueid type=\"{site}\"{is_default}>{id}</uniqueid>");
            is_default = "";
        }
    }
    let address = ids.address();
    if address.is_none() {
        let _ = writeln!(text, "  <title>{}</title>", escape(clean(&tags.title)));
        if let Some(year) = tags.year {
            let _ = writeln!(text, "  <year>{year}</year>");
        }
    }
    text += "</movie>\n";
    if let Some(address) = address {
        let _ = writeln!(text, "{address}");
    }
    text
}
