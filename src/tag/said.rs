//! What was said for a genre, and when: the words of a transcript that raise its log-odds.
//!
//! in: a title's row of the table, its transcript with times; out: for each genre given the few
//! words whose absence costs it most, with the segments that they stand in.
//! source: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks" (occlusion);
//! of words alone: the features of the sentence network stay as they are, so that nothing is
//! embedded anew.

use std::collections::BTreeSet;

use dataset::{Content, Dataset, ModalityTable};
use serde::Serialize;
use store::{Ragged, TimedText};

use super::{Bundle, TagError};

/// Distinct words of a transcript that are left out one by one; those after them stay.
const MAX_WORDS: usize = 300;
/// Words that are named for a genre.
const NUM_NAMED: usize = 3;
/// Shorter words say nothing by themselves.
const MIN_LETTERS: usize = 3;
/// Stands for a word that is left out.
const GAP: &str = "…";
/// A word must bring this much, in log-odds.
const MIN_EFFECT: f32 = 0.02;

/// A word that spoke for a genre.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    /// The genre.
    pub genre: String,
    /// The word as it was said.
    pub word: String,
    /// When the first segment with it begins, seconds; absent where no times are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_secs: Option<f32>,
    /// The segment.
    pub quote: String,
    /// Log-odds of the genre with the word minus those without it.
    pub log_odds: f32,
}

/// The words for each of `genres` of the `title`-th title, whose modality `m` says `transcript`;
/// genres in the order given, the strongest words first.
///
/// # Errors
/// A device error.
pub(super) fn said(
    bundle: &Bundle,
    data: &Dataset,
    title: usize,
    m: usize,
    transcript: &TimedText,
    genres: &[String],
) -> Result<Vec<Said>, TagError> {
    let words = distinct_words(data.modalities[m].words(title));
    if words.is_empty() || genres.is_empty() {
        return Ok(Vec::new());
    }
    // The first lacks nothing, so that all are written alike.
    let wordings = std::iter::once("").chain(words.iter().map(String::as_str));
    let text = data.modalities[m].words(title);
    let wordings: Vec<String> = wordings.map(|word| without(text, word)).collect();
    let views = with_words(data, title, m, &wordings);
    let rows: Vec<usize> = (0..views.num_titles()).collect();
    let views = bundle.with_prior(views)?;
    let prediction = bundle.model.predict(&views, &rows)?;
    let num_genres = prediction.num_genres;
    let mut found = Vec::new();
    for genre in genres {
        let Some(g) = data.genres.iter().position(|known| known == genre) else { continue };
        let effect =
            |idx: usize| prediction.logit[g] - prediction.logit[(idx + 1) * num_genres + g];
        let mut effects: Vec<(f32, &String)> = (0..words.len())
            .map(|idx| (effect(idx), &words[idx]))
            .filter(|(effect, _)| *effect >= MIN_EFFECT)
            .collect();
        effects.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.extend(effects.into_iter().take(NUM_NAMED).filter_map(|(log_odds, word)| {
            let holds = |text: &str| tokens(text).any(|token| token == *word);
            let segment = transcript.segments.iter().find(|segment| holds(&segment.text))?;
            Some(Said {
                genre: genre.clone(),
                word: word.clone(),
                time_secs: segment.is_timed().then_some(segment.start_secs),
                quote: segment.text.clone(),
                log_odds,
            })
        }));
    }
    Ok(found)
}

/// Words in small letters, in the order of the text.
pub fn tokens(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn distinct_words(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    tokens(text)
        .filter(|word| word.chars().count() >= MIN_LETTERS && seen.insert(word.clone()))
        .take(MAX_WORDS)
        .collect()
}

/// A text in which something that is no word stands for a word, wherever it stands: as long as it
/// was, since a longer text counts for more.
fn without(text: &str, word: &str) -> String {
    let kept = |token: String| if token == word { GAP.to_owned() } else { token };
    tokens(text).map(kept).collect::<Vec<_>>().join(" ")
}

/// One title of `data` once for each wording of its modality `m`.
fn with_words(data: &Dataset, title: usize, m: usize, wordings: &[String]) -> Dataset {
    let copies = wordings.len();
    let modalities = data.modalities.iter().enumerate().map(|(k, table)| {
        let content = match &table.content {
            Content::Rows(rows) => {
                let mut repeated = Ragged::new(rows.dim);
                for _ in 0..copies {
                    repeated.push(rows.rows(title), rows.times(title));
                }
                Content::Rows(repeated)
            }
            Content::Records { schema, rows } => {
                Content::Records { schema: schema.clone(), rows: vec![rows[title].clone(); copies] }
            }
        };
        let texts = table.texts.as_ref().map(|texts| {
            let own = &texts[title];
            let wording = |words: &String| if k == m { Some(words.clone()) } else { own.clone() };
            wordings.iter().map(wording).collect()
        });
        let (name, sentences) = (table.name.clone(), table.sentences.clone());
        ModalityTable { name, content, texts, sentences }.into()
    });
    Dataset {
        titles: vec![data.titles[title].clone(); copies],
        genres: data.genres.clone(),
        labels: vec![false; copies * data.num_genres()],
        label_weights: None,
        modalities: modalities.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_left_out_wherever_they_stand() {
        let text = "The Detective's gone. A detective, the detective!";
        assert_eq!(distinct_words(text), ["the", "detective's", "gone", "detective"]);
        assert_eq!(without(text, "detective"), "the detective's gone a … the …");
        assert_eq!(without(text, ""), "the detective's gone a detective the detective");
    }
}
