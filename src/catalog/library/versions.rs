//! Versions of one film: which of a folder's files are the same film in another cut or quality.
//!
//! in: stems of a folder's films and sidecars; out: titles, each with the stems that are its own.
//!
//! source: Jellyfin documentation, "Multiple Versions" (in a film's own folder its name, then `-`,
//! `.`, `_` or brackets and any label); Plex, "Multiple Editions" (`{edition-Director's Cut}`); Kodi
//! wiki, "Video versions". Beside other films a label must be made of words that such labels have:
//! `Shorts (2004) - The Dog` is no version of `Shorts (2004) - The Cat`.

use std::collections::{BTreeMap, BTreeSet};

use super::name_and_year;
use crate::ids::{imdb_id_in, tmdb_tag_in};

/// Words of labels beside numbers with a unit (`1080p`, `4k`, `30th`), lower case.
const WORDS: [&str; 88] = [
    "cut",
    "edition",
    "version",
    "extended",
    "theatrical",
    "directors",
    "director",
    "final",
    "special",
    "ultimate",
    "unrated",
    "uncut",
    "uncensored",
    "remastered",
    "remaster",
    "restored",
    "restoration",
    "redux",
    "anniversary",
    "collectors",
    "criterion",
    "imax",
    "open",
    "matte",
    "fullscreen",
    "widescreen",
    "original",
    "alternate",
    "international",
    "workprint",
    "hd",
    "fhd",
    "uhd",
    "sd",
    "hdr",
    "hdr10",
    "sdr",
    "dv",
    "dovi",
    "dolby",
    "vision",
    "hybrid",
    "remux",
    "bluray",
    "blu",
    "ray",
    "bd",
    "bdrip",
    "brrip",
    "dvd",
    "dvdrip",
    "web",
    "webdl",
    "dl",
    "webrip",
    "hdtv",
    "hdrip",
    "x264",
    "x265",
    "h264",
    "h265",
    "hevc",
    "avc",
    "av1",
    "xvid",
    "vp9",
    "10bit",
    "8bit",
    "3d",
    "2d",
    "hsbs",
    "fsbs",
    "htab",
    "ftab",
    "sbs",
    "mvc",
    "atmos",
    "truehd",
    "dts",
    "ac3",
    "eac3",
    "aac",
    "ddp",
    "flac",
    "proper",
    "repack",
    "colorized",
    "optimized",
];
/// Units of numbers in labels.
const UNITS: [&str; 7] = ["p", "i", "k", "fps", "bit", "th", "mbps"];

/// Titles by what their files' names begin with, each with the stems that are its own.
#[derive(Debug, Default)]
pub(super) struct Versions(BTreeMap<String, Vec<String>>);

impl Versions {
    /// Sorts the stems of a folder of this name. A stem that has no other version is a title as it
    /// is, label and all.
    pub(super) fn of(stems: &BTreeSet<String>, folder: &str) -> Self {
        let mut groups: BTreeMap<String, Vec<(&String, Parts<'_>)>> = BTreeMap::new();
        for stem in stems {
            let parts = Parts::of(stem, folder);
            if parts.is_version(folder) {
                groups.entry(parts.key()).or_default().push((stem, parts));
            }
        }
        groups.retain(|_, group| group.len() > 1 && is_one_film(group));
        let mut versions = Self::default();
        for group in groups.into_values() {
            // The name that says most: with an id, where one says it.
            let named = group.iter().map(|(_, parts)| parts.film).max_by_key(|film| film.len());
            let members = group.iter().map(|(stem, _)| (*stem).clone()).collect();
            versions.0.insert(named.unwrap_or_default().to_owned(), members);
        }
        for stem in stems {
            if versions.title_of(stem).is_none() {
                versions.0.insert(stem.clone(), vec![stem.clone()]);
            }
        }
        versions
    }

    /// What the titles' files begin with.
    pub(super) fn titles(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// The stems of a title's files: its own, where it has no versions.
    pub(super) fn stems_of<'a>(&'a self, title: &'a String) -> &'a [String] {
        self.0.get(title).map_or(std::slice::from_ref(title), Vec::as_slice)
    }

    /// Titles that have several versions, with a version's stem.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().flat_map(|(title, stems)| stems.iter().map(move |stem| (stem, title)))
    }

    fn title_of(&self, stem: &String) -> Option<&String> {
        self.0.iter().find(|(_, stems)| stems.contains(stem)).map(|(title, _)| title)
    }
}

/// A stem taken apart.
struct Parts<'s> {
    /// Name, year and ids.
    film: &'s str,
    /// What follows, from its separator on; empty where nothing does.
    label: &'s str,
}

impl<'s> Parts<'s> {
    fn of(stem: &'s str, folder: &str) -> Self {
        let (_, year) = name_and_year(stem);
        let end = year.and_then(|year| {
            let year = format!("({year})");
            Some(stem.find(&year)? + year.len())
        });
        let end = end
            .or_else(|| end_of_name(stem, folder))
            .or_else(|| end_of_name(stem, &name_and_year(folder).0))
            .or_else(|| stem.find(['[', '{']).filter(|&at| at > 0))
            .or_else(|| stem.rfind(" - ").filter(|&at| at > 0))
            .unwrap_or(stem.len());
        let end = end + ids_at(&stem[end..]);
        let (film, label) = stem.split_at(end);
        Self { film: film.trim_end(), label: label.trim() }
    }

    /// Equal for versions of one film: the name and year, without ids.
    fn key(&self) -> String {
        let plain = self.film.split(['[', '{']).next().unwrap_or_default().trim();
        if plain.is_empty() { self.film.to_lowercase() } else { plain.to_lowercase() }
    }

    /// Whether this may be a version of a film that has others.
    fn is_version(&self, folder: &str) -> bool {
        if self.label.is_empty() {
            return true;
        }
        let words = words(self.label);
        if words.is_empty() || words.iter().any(|word| is_episode(word)) {
            return false;
        }
        let is_known = words.iter().all(|word| is_known(word));
        let has_separator = self.label.starts_with(['-', '.', '_', '[', '{', '(']);
        let is_number = |word: &String| word.bytes().all(|b| b.is_ascii_digit());
        let is_any = has_separator && !words.iter().all(is_number) && is_own(self.film, folder);
        is_known || self.label.to_lowercase().starts_with("{edition-") || is_any
    }
}

/// Whether a folder is the film's own: it has its name, and no other year.
fn is_own(film: &str, folder: &str) -> bool {
    let ((name, year), (own, own_year)) = (name_and_year(film), name_and_year(folder));
    name.to_lowercase() == own.to_lowercase()
        && (year == own_year || year.is_none() || own_year.is_none())
}

/// Where the folder's name ends that a stem begins with, if a label follows.
fn end_of_name(stem: &str, name: &str) -> Option<usize> {
    let begins_so = stem.get(..name.len())?.to_lowercase() == name.to_lowercase();
    let rest = stem.get(name.len()..)?.trim_start();
    let is_whole = rest.is_empty() || rest.starts_with(['-', '.', '_', '[', '{', '(']);
    (begins_so && is_whole && !name.is_empty()).then_some(name.len())
}

/// The length of what a text begins with that is an id in brackets.
fn ids_at(text: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = text[end..].trim_start();
        let at = text.len() - rest.len();
        let close = match rest.chars().next() {
            Some('[') => ']',
            Some('{') => '}',
            _ => return end,
        };
        let Some(len) = rest.find(close) else { return end };
        let inside = rest[1..len].to_lowercase();
        let is_id = ["imdb", "tmdb", "tvdb"].iter().any(|site| inside.starts_with(site))
            || imdb_id_in(&inside).is_some_and(|id| id == inside);
        if !is_id {
            return end;
        }
        end = at + len + 1;
    }
}

/// Whether no two ids stand in a group's names: these would be two films.
fn is_one_film(group: &[(&String, Parts<'_>)]) -> bool {
    let differ = |id: fn(&str) -> Option<String>| {
        group.iter().filter_map(|(stem, _)| id(stem)).collect::<BTreeSet<_>>().len() > 1
    };
    !differ(imdb_id_in) && !differ(tmdb_tag_in)
}

fn words(label: &str) -> Vec<String> {
    let plain = label.to_lowercase().replace(['\'', '’'], "");
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// `s01e02`, `1x02`, `e02`: an episode is no version.
fn is_episode(word: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = word.strip_prefix('s').map_or(word, |rest| &rest[digits(rest)..]);
    let of_season = rest.strip_prefix('e').is_some_and(|rest| digits(rest) > 0);
    let crossed = word.split_once('x').is_some_and(|(season, episode)| {
        let is_number = |text: &str| !text.is_empty() && digits(text) == text.len();
        is_number(season) && is_number(episode) && season.len() <= 2
    });
    of_season || crossed
}

fn is_known(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    WORDS.contains(&word) || (unit.len() < word.len() && UNITS.contains(&unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(folder: &str, stems: &[&str]) -> Vec<String> {
        let stems = stems.iter().map(|&stem| stem.to_owned()).collect();
        Versions::of(&stems, folder).titles().into_iter().collect()
    }

    #[test]
    fn versions_of_a_film_in_its_own_folder_have_any_label() {
        for stems in [
            &["A (1999) - 1080p", "A (1999) - 4K"][..],
            &["A (1999)", "A (1999) - Black and Chrome", "A (1999) [2160p]"],
            &["A (1999)-best", "A (1999).Director's Cut", "A (1999)_x"],
            &["A (1999) {edition-Any Thing}", "A (1999)"],
        ] {
            assert_eq!(titles("A (1999)", stems), ["A (1999)"], "{stems:?}");
        }
        let with_id = ["A (1999) [imdbid-tt9900001] - 4K", "A (1999) - HD"];
        assert_eq!(titles("A (1999)", &with_id), ["A (1999) [imdbid-tt9900001]"]);
        assert_eq!(titles("A", &["A - mine", "a.other"]).len(), 1, "without a year");
        assert_eq!(titles("A (1999)", &["A - mine", "A - other"]), ["A"]);
        // One file alone is called as it is called.
        assert_eq!(titles("A (1999)", &["A (1999) - 1080p"]), ["A (1999) - 1080p"]);
    }

    #[test]
    fn beside_other_films_labels_are_of_known_words() {
        let mixed =
            ["A (1999) - 1080p", "A (1999) - Director's Cut", "B (2000)", "C - 4K", "C - DVD"];
        assert_eq!(titles("films", &mixed), ["A (1999)", "B (2000)", "C"]);
        assert_eq!(titles("films", &["A (1999) {edition-Noir}", "A (1999)"]), ["A (1999)"]);
        assert_eq!(
            titles("films", &["A (1999) [1080p]", "A (1999) 30th Anniversary Edition"]).len(),
            1
        );
    }

    #[test]
    fn what_may_be_another_film_stays_one() {
        for (folder, stems) in [
            ("films", &["Shorts (2004) - The Dog", "Shorts (2004) - The Cat"][..]),
            ("A (1999)", &["A (1999) - S01E01", "A (1999) - S01E02"]),
            ("A (1999)", &["A (1999) - 01", "A (1999) - 02"]),
            ("A (1999)", &["A (1999) - 1x01", "A (1999) - 1x02"]),
            ("films", &["A (1999)", "A (2007)"]),
            ("films", &["A (1999) [imdbid-tt9900001]", "A (1999) {imdb-tt9900002} - 4K"]),
            ("A (1999)", &["A (1999)", "Making of A"]),
            ("films", &["A", "A2", "A - The Return", "AB"]),
            ("films", &["[REC]", "[REC] 2", "é", "(", "{", "["]),
        ] {
            assert_eq!(titles(folder, stems).len(), stems.len(), "{stems:?}");
        }
        assert!(titles("films", &[]).is_empty());
    }

    #[test]
    fn a_version_is_found_by_its_stem() {
        let stems = ["A (1999) - 1080p", "A (1999) - 4K"].map(str::to_owned);
        let versions = Versions::of(&stems.iter().cloned().collect(), "A (1999)");
        assert_eq!(versions.stems_of(&"A (1999)".to_owned()), stems);
        assert_eq!(versions.stems_of(&"other".to_owned()), ["other"]);
        assert_eq!(versions.pairs().count(), 2);
    }
}
