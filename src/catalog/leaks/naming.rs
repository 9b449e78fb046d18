//! Plots that say what genre the film is: "is a 1982 American horror film".

use crate::{Title, Vocabulary};

/// Words that a text calls a film by.
const WORKS: &[&str] = &[
    "film",
    "films",
    "movie",
    "movies",
    "picture",
    "feature",
    "flick",
    "serial",
    "series",
    "miniseries",
    "remake",
    "sequel",
    "prequel",
    "biopic",
    "short",
];

/// Genres whose name is itself what a film is: "is a comedy".
const KINDS: &[&str] =
    &["comedy", "drama", "thriller", "western", "musical", "documentary", "melodrama", "biopic"];

/// What else genres are called in running text, by their lower-case name.
const FORMS: &[(&str, &[&str])] = &[
    ("animation", &["animated"]),
    ("animated", &["animation"]),
    ("biography", &["biographical", "biopic"]),
    ("comedy", &["comic", "comedic", "comedies"]),
    ("documentary", &["documentaries"]),
    ("drama", &["dramatic", "melodrama"]),
    ("film-noir", &["noir", "film noir"]),
    ("history", &["historical"]),
    ("mystery", &["whodunit"]),
    ("romance", &["romantic"]),
    ("sci-fi", &["sci fi", "science fiction", "scifi"]),
    ("science fiction", &["sci fi", "scifi"]),
    ("sport", &["sports"]),
    ("thriller", &["thrillers"]),
    ("western", &["westerns"]),
];

/// A work this many words after a form belongs to it: "science fiction action comedy film".
const WORK_REACH: usize = 4;
/// Unless one of these stands between: "horror in a film studio".
const BREAKS: &[&str] = &["a", "an", "at", "by", "for", "from", "in", "of", "on", "the", "to"];

/// A copula this many words before a kind makes a sentence name it.
const COPULA_REACH: usize = 12;

/// The forms of every genre of a vocabulary, as runs of words.
#[derive(Clone, Debug)]
pub struct GenreWords {
    /// `[genres][forms][words]`
    forms: Vec<Vec<Vec<String>>>,
}

impl GenreWords {
    /// The names and other forms of these genres.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let forms = |name: &String| {
            let name = name.to_lowercase();
            let others = FORMS.iter().filter(|(known, _)| *known == name);
            let others = others.flat_map(|(_, others)| others.iter().copied());
            std::iter::once(name.as_str()).chain(others).map(words).collect()
        };
        Self { forms: vocabulary.names().iter().map(forms).collect() }
    }

    /// Genres that the text says the film is, ascending: in one sentence stands a form of the
    /// genre beside a word such as `film`, or a kind such as `comedy` shortly after `is a`.
    #[must_use]
    pub fn named_in(&self, text: &str) -> Vec<usize> {
        let sentences: Vec<Vec<String>> =
            text.split(['.', '!', '?', ';', '\n']).map(words).collect();
        let named = |forms: &Vec<Vec<String>>| {
            sentences.iter().any(|sentence| forms.iter().any(|form| names(sentence, form)))
        };
        (0..self.forms.len()).filter(|&genre| named(&self.forms[genre])).collect()
    }

    /// The text without the sentences that say what genre the film is; `None` where nothing is
    /// left. A text without such a sentence is given as it is.
    #[must_use]
    pub fn without_naming(&self, text: &str) -> Option<String> {
        if self.named_in(text).is_empty() {
            return Some(text.to_owned());
        }
        let silent = |sentence: &&str| self.named_in(sentence).is_empty();
        let left: Vec<&str> = sentences(text).into_iter().filter(silent).collect();
        (!left.is_empty()).then(|| left.join(" "))
    }
}

/// Sentences of a text: they end at a full stop, a question mark or an exclamation mark before a
/// blank, and at the end of a line.
#[must_use]
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut begin = 0;
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        if c == '\n' || (c.is_whitespace() && ['.', '!', '?'].contains(&last)) {
            found.push(text[begin..at].trim());
            begin = at;
        }
        last = c;
    }
    found.push(text[begin..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// `[titles]`: whether the plot names one of the title's own genres.
#[must_use]
pub fn names_own_genre(titles: &[Title], vocabulary: &Vocabulary) -> Vec<bool> {
    let words = GenreWords::new(vocabulary);
    let names_own = |title: &Title| {
        let named = title.plot.as_deref().map_or_else(Vec::new, |plot| words.named_in(plot));
        title.genres.iter().any(|genre| named.contains(&genre.idx()))
    };
    titles.iter().map(names_own).collect()
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn names(sentence: &[String], form: &[String]) -> bool {
    if form.is_empty() || sentence.len() < form.len() {
        return false;
    }
    let is = |word: &String, any: &[&str]| any.contains(&word.as_str());
    sentence.windows(form.len()).enumerate().filter(|(_, words)| *words == form).any(|(at, _)| {
        let (before, after) = (&sentence[..at], &sentence[at + form.len()..]);
        let mut close = after.iter().take(WORK_REACH).take_while(|word| !is(word, BREAKS));
        let near_work = close.any(|word| is(word, WORKS));
        let reach = before.len().saturating_sub(COPULA_REACH);
        let copula = before[reach..].windows(2).any(|pair| {
            is(&pair[0], &["is", "was", "are", "s"]) && is(&pair[1], &["a", "an", "the"])
        });
        near_work || (copula && form.iter().any(|word| is(word, KINDS)))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use base::{GenreId, TitleId};

    use super::*;

    pub(in crate::leaks) fn title(plot: Option<&str>) -> Title {
        Title {
            plot: plot.map(str::to_owned),
            genres: vec![GenreId(0)],
            labelled: true,
            ..Title::new(TitleId::new("t"))
        }
    }

    fn vocabulary() -> Vocabulary {
        Vocabulary::new(
            ["Horror", "Comedy", "Sci-Fi", "War", "Animation"].map(str::to_owned).into(),
        )
    }

    #[test]
    fn a_planted_naming_is_found_and_a_plot_is_not() {
        let words = GenreWords::new(&vocabulary());
        for (text, named) in [
            (
                "Scream is a 1982 American horror film directed by A. B. It was shot in Ohio.",
                vec![0],
            ),
            ("A science fiction comedy film about a robot.", vec![1, 2]),
            ("The picture is a bitter-sweet comedy of manners", vec![1]),
            ("An animated feature. War breaks out.", vec![4]),
            ("He is a war veteran who watches the horror unfold in a film studio.", vec![]),
            ("Her comedy career is over.", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(words.named_in(text), named, "{text}");
        }
    }

    #[test]
    fn sentences_end_where_they_end() {
        let text = "One. Two! 3.5 is it?\nThree";
        assert_eq!(sentences(text), ["One.", "Two!", "3.5 is it?", "Three"]);
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn sentences_that_name_a_genre_are_left_out_and_no_others() {
        let words = GenreWords::new(&vocabulary());
        let text = "It is a 1982 horror film. A door opens.  It was shot in Ohio.";
        assert_eq!(words.without_naming(text).unwrap(), "A door opens. It was shot in Ohio.");
        assert_eq!(words.without_naming("A  door.").as_deref(), Some("A  door."));
        assert_eq!(words.without_naming("It is a 1982 war film."), None);
    }

    #[test]
    fn only_a_title_s_own_genres_count() {
        let titles = [
            title(Some("It is a 1982 horror movie.")),
            title(Some("It is a 1982 war movie.")),
            title(None),
        ];
        assert_eq!(names_own_genre(&titles, &vocabulary()), [true, false, false]);
    }
}
