//! Which files are trailers, by the names that people and their programs give them.
//!
//! in: names of files; out: whose trailer it is ([`Named`]). All readers of folders ask here.
//!
//! source: Kodi wiki, "Local trailers" (`FILM-trailer`, `movie-trailer`); Jellyfin
//! documentation, "Movies", "Extras" (`-trailer`, `.trailer`, `_trailer`, ` trailer`, `trailer`,
//! a folder `trailers`); Plex, "Local files for trailers and extras" (`Any words-trailer`,
//! `Trailers/`); tinyMediaManager and `MediaElch` (`FILM-trailer1`, `trailers/FILM-trailer`);
//! Trailarr (`FILM - Trailer-trailer`, `FILM.trailer`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::media_kind::{VIDEO, has_extension};

/// What a trailer's file is called by; a teaser is a short one.
const WORDS: [&str; 2] = ["trailer", "teaser"];
/// Folders that hold nothing else.
const FOLDERS: [&str; 2] = ["trailers", "trailer"];
/// A longer number is a year, or one of a collection's own.
const MAX_DIGITS: usize = 2;

/// A file that is called a trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// What stands before the word: the film's stem, or any words; empty where nothing does.
    pub(super) film: &'a str,
    /// Whether the name leaves no doubt. `The Trailer` may be a film, and `trailer7` one of a
    /// collection: these are trailers where what stands beside them says so.
    pub(super) is_sure: bool,
}

/// What a file's stem says; `None` where it is not called a trailer.
pub(super) fn named(stem: &str) -> Option<Named<'_>> {
    let (film, by) = before_word(stem)?;
    let is_numbered = stem.ends_with(|c: char| c.is_ascii_digit() || c == ')');
    let mut named = Named {
        film,
        is_sure: match film {
            "" => !is_numbered,
            _ => by != Some(' ') || film.ends_with([')', ']', '}']),
        },
    };
    // `FILM - Trailer-trailer`, `FILM.Trailer.1-trailer`
    while let Some((film, _)) = before_word(named.film) {
        named.film = film;
    }
    if named.film.eq_ignore_ascii_case("movie") {
        named.film = "";
    }
    Some(named)
}

/// `trailer003` is one of a collection, and not a film that others could be trailers of.
pub(super) fn is_of_collection(stem: &str) -> bool {
    let word = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    word.len() < stem.len() && WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// What stands before the last word, and the separator next to it.
fn before_word(stem: &str) -> Option<(&str, Option<char>)> {
    let is_number = |c: char| c.is_ascii_digit() || " -_.#()".contains(c);
    let unnumbered = stem.trim_end_matches(is_number);
    let num_digits = stem[unnumbered.len()..].bytes().filter(u8::is_ascii_digit).count();
    if num_digits > MAX_DIGITS {
        return None;
    }
    let before = WORDS.iter().find_map(|word| {
        let at = unnumbered.len().checked_sub(word.len())?;
        let is_word = unnumbered.get(at..)?.eq_ignore_ascii_case(word);
        is_word.then(|| &unnumbered[..at])
    })?;
    let film = before.trim_end_matches([' ', '-', '_', '.']);
    let separator = &before[film.len()..];
    if separator.is_empty() && !before.is_empty() {
        return None; // `Retrailer`
    }
    // Of ` - ` the dash counts.
    Some((film, separator.chars().find(|&c| c != ' ').or(separator.chars().next())))
}

/// Whether a folder of this name holds trailers and nothing else.
pub(super) fn is_folder_of_trailers(name: &str) -> bool {
    FOLDERS.iter().any(|folder| folder.eq_ignore_ascii_case(name))
}

/// The videos of a folder, in their [order]; none where it cannot be read.
pub(super) fn videos_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_hidden = |path: &Path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    let mut videos: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| has_extension(path, &VIDEO) && !is_hidden(path) && path.is_file())
        .collect();
    videos.sort_by_cached_key(|path| order(path));
    videos
}

/// What a title's trailers are ordered by: the name, teasers last, since they say least.
pub(super) fn order(trailer: &Path) -> (bool, PathBuf) {
    let stem = trailer.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    (stem.contains("teaser"), trailer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_known_by_the_names_that_people_use() {
        for (stem, film, is_sure) in [
            ("Heat (1995)-trailer", "Heat (1995)", true),
            ("Heat (1995).trailer", "Heat (1995)", true),
            ("Heat (1995)_Trailer", "Heat (1995)", true),
            ("Heat (1995) trailer", "Heat (1995)", true),
            ("Heat (1995) - Trailer", "Heat (1995)", true),
            ("Heat [tt0113277] TRAILER 2", "Heat [tt0113277]", true),
            ("Heat-trailer1", "Heat", true),
            ("Heat-trailer-12", "Heat", true),
            ("Heat-trailer (2)", "Heat", true),
            ("Heat-teaser", "Heat", true),
            ("Heat - Trailer-trailer", "Heat", true),
            ("Heat.(1995).Trailer.1-trailer", "Heat.(1995)", true),
            ("Official Trailer #1-trailer", "Official", true),
            ("Tête-trailer", "Tête", true),
            ("trailer", "", true),
            ("Movie-Trailer", "", true),
            ("trailer1", "", false),
            ("Trailer 2", "", false),
            ("Teaser", "", true),
            ("The Trailer", "The", false),
        ] {
            assert_eq!(named(stem), Some(Named { film, is_sure }), "{stem}");
        }
        for film in [
            "Heat",
            "Trailer Park",
            "Trailer (1995)",
            "trailer001",
            "Retrailer",
            "Heat-trailers",
            "Heat-trailer1080",
            "é",
            "",
        ] {
            assert_eq!(named(film), None, "{film}");
        }
        assert!(is_of_collection("Trailer003") && !is_of_collection("trailer"));
        assert!(is_folder_of_trailers("Trailers") && !is_folder_of_trailers("extras"));
    }

    #[test]
    fn a_folders_videos_come_by_name_and_teasers_last() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["b.mp4", "A Teaser.mp4", "c.MKV", "._b.mp4", "notes.txt", "d.mp4/x.mp4"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let expected = ["b.mp4", "c.MKV", "A Teaser.mp4"].map(|name| folder.path().join(name));
        assert_eq!(videos_in(folder.path()), expected);
        assert!(videos_in(&folder.path().join("none")).is_empty());
    }
}
