//! Ids of titles on the sites that people know them by; checked before they are believed.

use super::Title;

/// What media centres look a film up by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilmIds {
    /// The id on IMDb (`tt…`).
    pub imdb: Option<String>,
    /// The number on TMDB.
    pub tmdb: Option<String>,
}

impl FilmIds {
    /// Those that a catalog states, or that the title's own id is.
    #[must_use]
    pub fn of_title(title: &Title) -> Self {
        let is_imdb = |id: &&str| {
            let digits = id.strip_prefix("tt").unwrap_or_default();
            (7..=10).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        };
        let is_number = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let field = |name: &str| title.fields.get(name).map(|id| id.trim());
        Self {
            imdb: [field("imdb_id"), Some(title.id.as_str())]
                .into_iter()
                .flatten()
                .find(is_imdb)
                .map(str::to_owned),
            tmdb: field("tmdb_id").filter(is_number).map(str::to_owned),
        }
    }

    /// The page that scrapers know the film by.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let imdb = || self.imdb.as_ref().map(|id| format!("https://www.imdb.com/title/{id}/"));
        let tmdb = self.tmdb.as_ref().map(|id| format!("https://www.themoviedb.org/movie/{id}"));
        tmdb.or_else(imdb)
    }
}

/// An IMDb id in a text (`tt` and at least seven digits: an address, a file name); `None` where
/// there is none.
pub(super) fn imdb_id_in(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    text.match_indices("tt").find_map(|(at, _)| {
        let stands_alone = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let digits = &text[at + 2..];
        let num_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
        let ends = digits.as_bytes().get(num_digits).is_none_or(|b| !b.is_ascii_alphanumeric());
        (stands_alone && ends && (7..=10).contains(&num_digits))
            .then(|| text[at..at + 2 + num_digits].to_owned())
    })
}

/// The film's id in the address of its page on TMDB.
pub(super) fn tmdb_id_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("themoviedb.org/movie/")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// The film's number on TMDB in the name of a file or folder: `[tmdbid-603]`, `[tmdbid=603]`,
/// `{tmdb-603}`.
pub(super) fn tmdb_tag_in(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    lower.match_indices(['[', '{']).find_map(|(at, _)| {
        let tag = lower[at + 1..].split([']', '}']).next()?;
        let tag = tag.strip_prefix("tmdbid").or_else(|| tag.strip_prefix("tmdb"))?;
        let digits = tag.strip_prefix(['-', '='])?;
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        (is_number && digits.len() <= 10).then(|| digits.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_looked_at_before_it_is_believed() {
        let id = |text| imdb_id_in(text).unwrap_or_default();
        assert_eq!(id("tt0076759"), "tt0076759");
        assert_eq!(id("https://www.imdb.com/title/tt12345678/"), "tt12345678");
        assert_eq!(id("Butter [tt0076759].mkv"), "tt0076759");
        for none in ["", "tt", "tt12345", "0076759", "att0076759", "tt0076759x", "tt12345678901"] {
            assert_eq!(imdb_id_in(none), None, "{none}");
        }
        assert_eq!(tmdb_id_in("https://www.themoviedb.org/movie/11-x").unwrap(), "11");
        assert_eq!(tmdb_id_in("https://www.themoviedb.org/tv/11"), None);
        for name in ["A (1999) [tmdbid-603]", "A {tmdb-603}", "[x] A [TmdbId=603] - 4K"] {
            assert_eq!(tmdb_tag_in(name).as_deref(), Some("603"), "{name}");
        }
        for name in ["A tmdb-603", "A [tmdb]", "A [tmdbid-]", "A [tmdbid-6x]", "{", "[imdbid-tt1]"]
        {
            assert_eq!(tmdb_tag_in(name), None, "{name}");
        }
    }
}
