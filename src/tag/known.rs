//! The titles that a bundle was trained on, by hashes: what it says of these is no evidence.
//!
//! in: titles; out: a file of the bundle, `model/titles.bin`, and whether a title is among them
//!
//! A title has up to three names: `imdb tt0113277`, `tmdb 949`, and `title heat 1995`, its letters and
//! digits in small letters with the year. Of each the first 8 bytes of the SHA-256 are kept, in ascending
//! order, 8 bytes each with the highest first. A title is among them if one of its names is.

use base::Digest;
use catalog::{FilmIds, Title};

const LEN: usize = 8;

/// Titles that a bundle was trained on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTitles(Vec<[u8; LEN]>);

impl KnownTitles {
    /// These titles.
    #[must_use]
    pub fn of<'a>(titles: impl IntoIterator<Item = &'a Title>) -> Self {
        let mut hashes: Vec<[u8; LEN]> = titles.into_iter().flat_map(hashes).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self(hashes)
    }

    /// Whether a title is among them.
    #[must_use]
    pub fn has(&self, title: &Title) -> bool {
        hashes(title).iter().any(|hash| self.0.binary_search(hash).is_ok())
    }

    /// Whether no title is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the file has them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// From the file; `None` where it is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<LEN>();
        (rest.is_empty() && hashes.is_sorted()).then(|| Self(hashes.to_vec()))
    }
}

fn hashes(title: &Title) -> Vec<[u8; LEN]> {
    let ids = FilmIds::of_title(title);
    let name: String =
        title.name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let named = title.year.filter(|_| !name.is_empty()).map(|year| format!("title {name} {year}"));
    let ids = [ids.imdb.map(|id| format!("imdb {id}")), ids.tmdb.map(|id| format!("tmdb {id}"))];
    let hash = |name: String| {
        let mut hash = [0; LEN];
        hash.copy_from_slice(&Digest::of_bytes(name.as_bytes()).as_bytes()[..LEN]);
        hash
    };
    ids.into_iter().flatten().chain(named).map(hash).collect()
}

#[cfg(test)]
mod tests {
    use base::TitleId;

    use super::*;

    fn title(id: &str, name: &str, year: Option<i32>) -> Title {
        Title { name: name.to_owned(), year, ..Title::new(TitleId::new(id)) }
    }

    #[test]
    fn a_title_is_found_by_its_id_or_its_name_and_year() {
        let known =
            KnownTitles::of([&title("tt0113277", "Heat", Some(1995)), &title("x", "M", None)]);
        let tmdb = Title {
            fields: [("tmdb_id".to_owned(), "949".to_owned())].into(),
            ..title("y", "Hitze", Some(1996))
        };
        assert!(known.has(&title("tt0113277", "Hitze", None)));
        assert!(known.has(&title("a/Heat (1995)", "HEAT!", Some(1995))));
        assert!(!known.has(&title("a/Heat (1986)", "Heat", Some(1986))));
        assert!(!known.has(&title("z", "M", None)), "a name alone is too little");
        assert!(!known.has(&tmdb));
        assert!(KnownTitles::of([&tmdb]).has(&Title { year: None, ..tmdb.clone() }));
        let bytes = known.to_bytes();
        assert_eq!(KnownTitles::from_bytes(&bytes), Some(known));
        // python: hashlib.sha256(b"title heat 1995").digest()[:8]
        let heat = [0x69, 0xe3, 0x46, 0xeb];
        assert!(bytes.chunks(8).any(|hash| hash[..4] == heat), "{bytes:x?}");
        assert_eq!(KnownTitles::from_bytes(&bytes[1..]), None);
    }
}
