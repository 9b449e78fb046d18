//! Words weighed by how often a text has them and how few texts do.
//!
//! in: texts; out: a sparse row of unit length per text, one feature for each known term
//! source: Salton and Buckley 1988; smoothed idf ln((1 + texts) / (1 + texts with it)) + 1
//! reference: scikit-learn 1.9 `TfidfVectorizer` (its tokens, n-grams and stop words too)

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::SparseRow;
use crate::{LearnError, bounds};

/// The list of Glasgow's information retrieval group, as scikit-learn has it.
const ENGLISH_STOP_WORDS: &str = include_str!("../../../assets/stop_words/english.txt");

/// Longest run of words that may be asked for.
const MAX_NGRAMS: usize = 5;

/// What counts as a term and how it weighs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TfIdfSettings {
    /// Longest run of words that is a term of its own.
    pub ngrams: usize,
    /// A term needs so many training texts.
    pub min_texts: usize,
    /// 1 + ln(count) in place of the count.
    pub sublinear: bool,
    /// Leave out the words that English sentences are held together by.
    pub stop_words: bool,
    /// Only so many of the terms that most texts have; 0 for all.
    pub max_terms: usize,
}

impl Default for TfIdfSettings {
    fn default() -> Self {
        Self { ngrams: 2, min_texts: 2, sublinear: true, stop_words: true, max_terms: 0 }
    }
}

impl TfIdfSettings {
    pub(crate) fn validate(&self) -> Result<(), LearnError> {
        bounds::count("tfidf.ngrams", self.ngrams, 1, MAX_NGRAMS)?;
        bounds::count("tfidf.min_texts", self.min_texts, 1, 1 << 30)
    }
}

/// Terms and weights as fitted on training texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TfIdf {
    settings: TfIdfSettings,
    /// Ascending.
    terms: Vec<String>,
    /// `[terms]`
    idf: Vec<f64>,
}

/// Words of two and more letters or digits, in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let words: Vec<String> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.chars().nth(1).is_some())
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

fn terms_of(text: &str, settings: &TfIdfSettings, stop: &HashSet<&str>) -> Vec<String> {
    let words: Vec<String> = words(text).filter(|word| !stop.contains(word.as_str())).collect();
    (1..=settings.ngrams).flat_map(|n| words.windows(n).map(|run| run.join(" "))).collect()
}

fn stop_words(settings: &TfIdfSettings) -> HashSet<&'static str> {
    if settings.stop_words { ENGLISH_STOP_WORDS.lines().collect() } else { HashSet::new() }
}

impl TfIdf {
    /// Fits on training texts.
    #[must_use]
    pub fn fit<'a>(texts: impl Iterator<Item = &'a str>, settings: &TfIdfSettings) -> Self {
        let stop = stop_words(settings);
        let mut num_texts = 0_usize;
        let mut num_with = HashMap::<String, usize>::new();
        for text in texts {
            num_texts += 1;
            let distinct: HashSet<String> = terms_of(text, settings, &stop).into_iter().collect();
            for term in distinct {
                *num_with.entry(term).or_default() += 1;
            }
        }
        let mut num_with: BTreeMap<String, usize> =
            num_with.into_iter().filter(|&(_, count)| count >= settings.min_texts).collect();
        if settings.max_terms > 0 && num_with.len() > settings.max_terms {
            let mut counts: Vec<usize> = num_with.values().copied().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            // Of terms that tie for the last place, those first in the alphabet stay.
            let least = counts[settings.max_terms - 1];
            let mut ties = counts[..settings.max_terms].iter().filter(|&&c| c == least).count();
            num_with.retain(|_, count| {
                let stays = *count > least || (*count == least && ties > 0);
                ties -= usize::from(stays && *count == least);
                stays
            });
        }
        let (terms, idf) = num_with
            .into_iter()
            .map(|(term, with)| (term, ((1.0 + num_texts as f64) / (1.0 + with as f64)).ln() + 1.0))
            .unzip();
        Self { settings: settings.clone(), terms, idf }
    }

    /// Whether each term has its weight and terms are no longer than settings allow.
    pub(crate) fn fits(&self) -> bool {
        self.terms.len() == self.idf.len() && (1..=MAX_NGRAMS).contains(&self.settings.ngrams)
    }

    /// Number of features.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.terms.len()
    }

    /// What each feature stands for.
    #[must_use]
    pub fn terms(&self) -> &[String] {
        &self.terms
    }

    /// The features of these texts; a text without a known term has none.
    #[must_use]
    pub fn apply<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Vec<SparseRow> {
        let stop = stop_words(&self.settings);
        let idx_of: HashMap<&str, u32> =
            self.terms.iter().enumerate().map(|(idx, term)| (term.as_str(), idx as u32)).collect();
        let row = |text: &str| -> SparseRow {
            let mut counts = BTreeMap::<u32, u32>::new();
            for term in terms_of(text, &self.settings, &stop) {
                if let Some(&idx) = idx_of.get(term.as_str()) {
                    *counts.entry(idx).or_default() += 1;
                }
            }
            let weights: Vec<(u32, f64)> = counts
                .into_iter()
                .map(|(idx, count)| {
                    let count = f64::from(count);
                    let tf = if self.settings.sublinear { 1.0 + count.ln() } else { count };
                    (idx, tf * self.idf[idx as usize])
                })
                .collect();
            let norm = weights.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
            weights.into_iter().map(|(idx, w)| (idx, (w / norm) as f32)).collect()
        };
        texts.map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_come_from_the_training_texts_alone_and_rows_have_unit_length() {
        let settings = TfIdfSettings { min_texts: 1, ..TfIdfSettings::default() };
        let fitted = TfIdf::fit(["A heist in Paris", "the Heist of rome"].into_iter(), &settings);
        assert_eq!(fitted.terms(), ["heist", "heist paris", "heist rome", "paris", "rome"]);
        let rows = fitted.apply(["Rome! Rome and a heist", "", "nothing known"].into_iter());
        // ln(3/3) + 1 for `heist`; (1 + ln 2) (ln(3/2) + 1) for `rome`.
        let rome = (1.0 + 2.0_f64.ln()) * (1.5_f64.ln() + 1.0);
        let norm = (1.0 + rome * rome).sqrt();
        assert_eq!(rows[0].len(), 2);
        assert!((f64::from(rows[0][0].1) - 1.0 / norm).abs() < 1e-6);
        assert!((f64::from(rows[0][1].1) - rome / norm).abs() < 1e-6);
        assert!(rows[1].is_empty() && rows[2].is_empty());
    }

    #[test]
    fn the_most_common_terms_stay() {
        let settings =
            TfIdfSettings { ngrams: 1, min_texts: 1, max_terms: 2, ..Default::default() };
        let fitted = TfIdf::fit(["wolf moon", "wolf bone", "wolf ash"].into_iter(), &settings);
        assert_eq!(fitted.terms(), ["ash", "wolf"]);
    }
}
