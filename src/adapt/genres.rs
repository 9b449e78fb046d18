//! Which genres are learned, and what the bundle that one begins with calls them.

use catalog::{
    Vocabulary,
    vocabularies::{self, Crosswalk},
};

use super::Curated;

/// A genre that the other bundle knows is learned from so many titles.
const MIN_OF_KNOWN: usize = 5;
/// One that it does not know.
const MIN_OF_NEW: usize = 10;

/// A genre that is learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genre {
    /// As the library calls it, or the other bundle where the library never names it.
    pub name: String,
    /// As the other bundle calls it; `None` where it does not know it.
    pub there: Option<String>,
}

/// The genres of a library that enough titles have, in its order, then those that only the other bundle
/// knows, in its order.
#[must_use]
pub fn common_genres(curated: &Curated, other: Option<&Vocabulary>) -> Vec<Genre> {
    let nothing = Vocabulary::default();
    let other = other.unwrap_or(&nothing);
    let own = curated.genres.iter().map(|count| (count, name_in(&count.genre, other)));
    let enough = own.filter(|(count, there)| {
        count.yes >= if there.is_some() { MIN_OF_KNOWN } else { MIN_OF_NEW }
    });
    let mut genres: Vec<Genre> =
        enough.map(|(count, there)| Genre { name: count.genre.clone(), there }).collect();
    let known = genres.len();
    for name in other.names() {
        let is_own = |genre: &Genre| genre.there.as_ref() == Some(name);
        if !genres[..known].iter().any(is_own) {
            genres.push(Genre { name: name.clone(), there: Some(name.clone()) });
        }
    }
    genres
}

/// What a genre is called in another vocabulary: by its name, letter case aside, or where a vocabulary
/// that the program knows has it and says the same by exactly one name.
fn name_in(genre: &str, other: &Vocabulary) -> Option<String> {
    let found = |name: &str| other.find(name).map(|id| other.name(id).to_owned());
    found(genre).or_else(|| {
        vocabularies::names().find_map(|vocabulary| {
            let names = vocabularies::shipped(vocabulary)?;
            let own = names.into_iter().find(|name| name.eq_ignore_ascii_case(genre.trim()))?;
            let translated = Crosswalk::between(vocabulary, "imdb").ok()?.translate(&[own]);
            match (translated.genres.as_slice(), translated.losses.is_empty()) {
                ([one], true) => found(one),
                _ => None,
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GenreCount;

    #[test]
    fn genres_are_found_by_name_or_by_a_table_and_rare_ones_are_left_out() {
        let count = |genre: &str, yes: usize| GenreCount {
            genre: genre.to_owned(),
            yes,
            no: 100,
            unknown: 0,
        };
        let curated = Curated {
            num_titles: 200,
            num_labelled: 150,
            num_partly: 0,
            genres: vec![
                count("science fiction", 5),
                count("DRAMA", 60),
                count("Heimatfilm", 10),
                count("Giallo", 9),
                count("Western", 4),
            ],
        };
        let names = ["Drama", "Sci-Fi", "Western"].map(str::to_owned).to_vec();
        let found = common_genres(&curated, Some(&Vocabulary::new(names)));
        let found: Vec<(&str, Option<&str>)> =
            found.iter().map(|genre| (&*genre.name, genre.there.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("science fiction", Some("Sci-Fi")),
                ("DRAMA", Some("Drama")),
                ("Heimatfilm", None),
                ("Western", Some("Western")),
            ],
            "too few westerns to learn from, and still the other bundle's word counts"
        );
        let alone = common_genres(&curated, None);
        assert_eq!(
            alone.iter().map(|genre| &*genre.name).collect::<Vec<_>>(),
            ["DRAMA", "Heimatfilm"]
        );
    }
}
