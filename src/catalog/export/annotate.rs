//! What is said of each title beside what its catalog says.

use std::collections::HashMap;

use base::GenreId;
use serde_json::{Map, Value};

use crate::{
    Catalog, Row, Title,
    import::name_key,
    leaks::{GenreWords, sentences},
};

/// Years between a film and a remake of it, at least.
const MIN_YEARS_BETWEEN: i32 = 2;
/// Columns of which it is said why they are missing.
const EXPECTED: [&str; 5] = ["year", "plot", "poster", "trailer", "genres"];

/// One title's annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// The id of an earlier title that seems to be the same film.
    pub(super) duplicate_of: Option<String>,
    /// The id of an older film of the same name with a genre in common.
    pub(super) remake_of: Option<String>,
    /// Sentences of the plot that say what genre the film is.
    pub(super) leaky_sentences: Vec<String>,
    /// Whether one of them names a genre that the title has.
    pub(super) names_own_genre: bool,
    /// `poster: there is no such file`.
    pub(super) missing: Vec<String>,
}

impl Notes {
    pub(super) fn write(&self, record: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| {
            record.insert(name.to_owned(), value);
        };
        if let Some(id) = &self.duplicate_of {
            put("duplicate_of", id.as_str().into());
        }
        if let Some(id) = &self.remake_of {
            put("remake_of", id.as_str().into());
        }
        if !self.leaky_sentences.is_empty() {
            put("leaky_sentences", self.leaky_sentences.clone().into());
            put("plot_names_own_genre", self.names_own_genre.into());
        }
        if !self.missing.is_empty() {
            put("missing", self.missing.clone().into());
        }
    }
}

/// A title as a row, with the genres of the vocabulary.
pub(super) fn row_of(title: &Title, catalog: &Catalog) -> Row {
    let path = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    let names = |genres: &[GenreId]| -> Vec<String> {
        genres.iter().map(|&genre| catalog.vocabulary.name(genre).to_owned()).collect()
    };
    let mut row = Row::default()
        .text("id", title.id.as_str())
        .text("title", &title.name)
        .maybe("year", title.year.map(|year| year.to_string()))
        .maybe("plot", title.plot.as_ref())
        .maybe("poster", title.poster.as_ref().map(path))
        .one_or_list("trailer", title.trailers.iter().map(path).collect())
        .maybe("transcript", title.transcript.as_ref())
        .list("genres", names(&title.genres))
        .list("not_genres", names(&title.not_genres))
        .list("unknown_genres", names(&title.unknown_genres))
        .maybe("group", title.group.as_ref())
        .maybe("fold", title.fold.map(|fold| fold.to_string()));
    for (name, value) in &title.fields {
        if row.get(name).is_none() {
            row = row.text(name, value);
        }
    }
    row
}

/// Annotations of every title, in the catalog's order.
pub(super) fn annotate(catalog: &Catalog) -> Vec<Notes> {
    let words = GenreWords::new(&catalog.vocabulary);
    let mut notes: Vec<Notes> = catalog.titles.iter().map(|title| note(title, &words)).collect();
    let mut by_id: HashMap<String, usize> = HashMap::new();
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (idx, title) in catalog.titles.iter().enumerate() {
        for site in ["imdb_id", "tmdb_id"] {
            if let Some(id) = title.fields.get(site) {
                let first = *by_id.entry(format!("{site}:{id}")).or_insert(idx);
                if first != idx {
                    notes[idx].duplicate_of = Some(catalog.titles[first].id.to_string());
                }
            }
        }
        by_name.entry(name_key(&title.name).unwrap_or_default()).or_default().push(idx);
    }
    for of_name in by_name.values() {
        for (k, &idx) in of_name.iter().enumerate() {
            let title = &catalog.titles[idx];
            let Some(year) = title.year else { continue };
            let same_year =
                of_name[..k].iter().find(|&&other| catalog.titles[other].year == Some(year));
            if let Some(&other) = same_year.filter(|_| notes[idx].duplicate_of.is_none()) {
                notes[idx].duplicate_of = Some(catalog.titles[other].id.to_string());
            }
            let is_older = |other: &&usize| {
                let other = &catalog.titles[**other];
                other.year.is_some_and(|older| older + MIN_YEARS_BETWEEN <= year)
                    && other.genres.iter().any(|genre| title.genres.contains(genre))
            };
            let oldest = of_name.iter().filter(is_older).min_by_key(|&&o| catalog.titles[o].year);
            notes[idx].remake_of = oldest.map(|&other| catalog.titles[other].id.to_string());
        }
    }
    notes
}

fn note(title: &Title, words: &GenreWords) -> Notes {
    let mut notes = Notes::default();
    for sentence in title.plot.as_deref().map(sentences).unwrap_or_default() {
        let named = words.named_in(sentence);
        if !named.is_empty() {
            notes.leaky_sentences.push(sentence.to_owned());
            notes.names_own_genre |= title.genres.iter().any(|genre| named.contains(&genre.idx()));
        }
    }
    for column in EXPECTED {
        let file = |paths: &[std::path::PathBuf]| match paths {
            [] => Some("none is stated"),
            paths if !paths.iter().any(|path| path.is_file()) => Some("there is no such file"),
            _ => None,
        };
        let stated = |is_there: bool| (!is_there).then_some("none is stated");
        let reason = match column {
            "year" => stated(title.year.is_some()),
            "plot" => stated(title.plot.is_some()),
            "poster" => file(title.poster.as_slice()),
            "trailer" => file(&title.trailers),
            _ if !title.labelled => Some("none is stated"),
            _ => title.genres.is_empty().then_some("none of its genres counts"),
        };
        notes.missing.extend(reason.map(|reason| format!("{column}: {reason}")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use base::TitleId;

    use super::*;
    use crate::Vocabulary;

    fn title(id: &str, name: &str, year: i32, plot: &str) -> Title {
        Title {
            name: name.to_owned(),
            year: Some(year),
            plot: Some(plot.to_owned()),
            trailers: vec!["/no/such/file.mp4".into()],
            genres: vec![GenreId(0)],
            labelled: true,
            ..Title::new(TitleId::new(id))
        }
    }

    #[test]
    fn duplicates_remakes_leaks_and_what_is_missing() {
        let mut copy = title("c", "Other Name", 1960, "");
        copy.fields.insert("imdb_id".into(), "tt9900001".into());
        let mut first = title("a", "The Lock", 1960, "It is a 1960 horror film. A door opens.");
        first.fields.insert("imdb_id".into(), "tt9900001".into());
        let titles =
            vec![first, title("b", "Lock", 1999, "A door."), copy, title("d", "LOCK!", 1999, "")];
        let vocabulary = Vocabulary::new(vec!["Horror".into(), "War".into()]);
        let notes = annotate(&Catalog { titles, vocabulary });
        assert_eq!(notes[0].leaky_sentences, ["It is a 1960 horror film."]);
        assert!(notes[0].names_own_genre && notes[1].leaky_sentences.is_empty());
        let of = |idx: usize| (notes[idx].duplicate_of.as_deref(), notes[idx].remake_of.as_deref());
        assert_eq!(of(0), (None, None));
        assert_eq!(of(1), (None, Some("a")));
        assert_eq!(of(2), (Some("a"), None));
        assert_eq!(of(3), (Some("b"), Some("a")));
        assert_eq!(notes[0].missing, ["poster: none is stated", "trailer: there is no such file"]);
    }
}
