//! Small plots and titles, put together from the phrases of `assets/demo/`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    recipe::one_of,
    style::{GENRES, PLAIN, Words},
};

/// A phrase that is taken from the words of no genre.
const PLAIN_PHRASE: f64 = 0.15;

/// The name of a film that does not exist.
pub(super) fn title_name(rng: &mut ChaCha8Rng) -> String {
    let noun = one_of(&PLAIN.title_nouns, rng);
    let mut second = one_of(&PLAIN.title_nouns, rng);
    while second == noun {
        second = one_of(&PLAIN.title_nouns, rng);
    }
    let adjective = one_of(&PLAIN.title_adjectives, rng);
    let name = one_of(&PLAIN.first_names, rng);
    one_of(&PLAIN.title_forms, rng)
        .replace("{adjective}", adjective)
        .replace("{noun2}", second)
        .replace("{noun}", noun)
        .replace("{name}", name)
}

/// A plot of three to five sentences; `pick` says which genre the next phrase leans to.
pub(super) fn story(
    rng: &mut ChaCha8Rng,
    mut pick: impl FnMut(&mut ChaCha8Rng) -> usize,
) -> String {
    let mut phrase = |list: fn(&Words) -> &Vec<String>, rng: &mut ChaCha8Rng| {
        let genre = pick(rng);
        let words = if rng.random_bool(PLAIN_PHRASE) { &PLAIN.words } else { &GENRES[genre].words };
        one_of(list(words), rng).clone()
    };
    let name = one_of(&PLAIN.first_names, rng).clone();
    let mut other = one_of(&PLAIN.first_names, rng);
    while *other == name {
        other = one_of(&PLAIN.first_names, rng);
    }
    let full_name = format!("{name} {}", one_of(&PLAIN.last_names, rng));
    let role = phrase(|words| &words.roles, rng);
    let place = phrase(|words| &words.places, rng);
    let thing = phrase(|words| &words.things, rng);

    let mut sentences = vec![one_of(&PLAIN.openings, rng).clone()];
    let num_troubles = if rng.random_bool(0.75) { 2 } else { 1 };
    while sentences.len() <= num_troubles {
        let mut trouble = phrase(|words| &words.troubles, rng);
        if PLAIN.words.troubles.contains(&trouble) {
            let link: &String = one_of(&PLAIN.links, rng);
            trouble.insert_str(0, link);
        }
        let sentence = format!("{trouble}.");
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    if rng.random_bool(0.85) {
        sentences.push(format!("{}.", phrase(|words| &words.turns, rng)));
    }
    if rng.random_bool(0.7) {
        sentences.push(phrase(|words| &words.ends, rng));
    }
    let filled = sentences.iter().map(|sentence| {
        let sentence = sentence
            .replace("{role}", &role)
            .replace("{place}", &place)
            .replace("{thing}", &thing)
            .replace("{other}", other);
        capitalised(&sentence)
    });
    let text = filled.collect::<Vec<_>>().join(" ");
    text.replacen("{name}", &full_name, 1).replace("{name}", &name)
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;

    fn stories() -> Vec<String> {
        let mut rng = Seed(3).rng("stories");
        (0..800).map(|i| story(&mut rng, |_| i % GENRES.len())).collect()
    }

    #[test]
    fn plots_are_whole_sentences_of_some_variety() {
        let all = stories();
        for text in &all {
            assert!(!text.contains(['{', '}']) && text.ends_with('.'), "{text}");
            assert!(text.starts_with(char::is_uppercase), "{text}");
            assert!(!text.contains("..") && !text.contains("  "), "{text}");
            assert!((8..120).contains(&text.split_whitespace().count()), "{text}");
        }
        let mut unique = all.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
    }

    #[test]
    fn no_plot_and_no_title_names_a_genre() {
        let mut rng = Seed(4).rng("titles");
        let titles = (0..400).map(|_| title_name(&mut rng));
        let stems = [
            "action-",
            "action ",
            "comed",
            "comic",
            "documenta",
            "drama",
            "horror",
            "horrif",
            "romanc",
            "romant",
            "sci-fi",
            "science fiction",
            "western",
            "genre",
        ];
        for text in stories().into_iter().chain(titles) {
            let lower = text.to_lowercase();
            for stem in stems {
                assert!(!lower.contains(stem), "{stem:?} in {text}");
            }
        }
    }
}
