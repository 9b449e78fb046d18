//! Word vectors learned on the training texts: skip-grams with negative sampling. A text is the
//! mean of its words' vectors, each by its inverse document frequency.
//!
//! in: texts; out: a row of `dim` numbers per text, none for a text without a known word
//! source: Mikolov et al. 2013, "Distributed representations of words and phrases and their
//! compositionality"

use std::collections::{BTreeMap, HashMap, HashSet};

use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{SparseRow, tfidf::words};
use crate::base::Seed;

/// Words whose share of the text is above this are skipped now and then, the more the commoner.
const SUBSAMPLE: f64 = 1e-3;
/// Negatives are drawn by their count to this power.
const UNIGRAM_POWER: f64 = 0.75;

/// How vectors are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Word2vecSettings {
    /// Numbers of a word.
    pub dim: usize,
    /// Words to either side that are its company, at most.
    pub window: usize,
    /// Random words against each true one.
    pub negatives: usize,
    /// A word needs so many places in the training texts.
    pub min_count: usize,
    /// Passes over the texts.
    pub epochs: usize,
    /// Step size at the beginning; it falls to nothing.
    pub learning_rate: f64,
}

impl Default for Word2vecSettings {
    fn default() -> Self {
        Self { dim: 64, window: 5, negatives: 5, min_count: 3, epochs: 5, learning_rate: 0.05 }
    }
}

/// Vectors of the words of the training texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordVectors {
    dim: usize,
    /// Ascending.
    words: Vec<String>,
    /// `[words]`
    idf: Vec<f32>,
    /// `[words, dim]`
    vectors: Vec<f32>,
}

/// What training reads.
struct Corpus {
    /// Known words of each text, in order.
    texts: Vec<Vec<u32>>,
    /// `[words]`
    counts: Vec<usize>,
}

impl WordVectors {
    /// Learns on training texts.
    #[must_use]
    pub fn fit<'a>(
        texts: impl Iterator<Item = &'a str>,
        settings: &Word2vecSettings,
        seed: Seed,
    ) -> Self {
        let texts: Vec<Vec<String>> = texts.map(|text| words(text).collect()).collect();
        let mut counts = BTreeMap::<&str, usize>::new();
        let mut num_with = HashMap::<&str, usize>::new();
        for text in &texts {
            for word in text {
                *counts.entry(word).or_default() += 1;
            }
            let distinct: HashSet<&str> = text.iter().map(String::as_str).collect();
            for word in distinct {
                *num_with.entry(word).or_default() += 1;
            }
        }
        counts.retain(|_, count| *count >= settings.min_count);
        let idx_of: HashMap<&str, u32> =
            counts.keys().enumerate().map(|(idx, &word)| (word, idx as u32)).collect();
        let known = |text: &Vec<String>| {
            text.iter().filter_map(|word| idx_of.get(word.as_str()).copied()).collect()
        };
        let corpus = Corpus {
            texts: texts.iter().map(known).collect(),
            counts: counts.values().copied().collect(),
        };
        let idf = |word: &str| {
            ((1.0 + texts.len() as f64) / (1.0 + num_with[word] as f64)).ln() as f32 + 1.0
        };
        Self {
            dim: settings.dim,
            idf: counts.keys().map(|word| idf(word)).collect(),
            vectors: skip_grams(&corpus, settings, &mut seed.rng("word vectors")),
            words: counts.keys().map(|&word| word.to_owned()).collect(),
        }
    }

    /// Number of features.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// A word's vector, if it is known.
    #[must_use]
    pub fn vector(&self, word: &str) -> Option<&[f32]> {
        let idx = self.words.binary_search_by(|known| known.as_str().cmp(word)).ok()?;
        Some(&self.vectors[idx * self.dim..(idx + 1) * self.dim])
    }

    /// The features of these texts; a text without a known word has none.
    #[must_use]
    pub fn apply<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Vec<SparseRow> {
        let idx_of: HashMap<&str, usize> =
            self.words.iter().enumerate().map(|(idx, word)| (word.as_str(), idx)).collect();
        let row = |text: &str| -> SparseRow {
            let mut sum = vec![0.0_f32; self.dim];
            let mut total = 0.0;
            for idx in words(text).filter_map(|word| idx_of.get(word.as_str()).copied()) {
                total += self.idf[idx];
                let vector = &self.vectors[idx * self.dim..(idx + 1) * self.dim];
                sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += self.idf[idx] * x);
            }
            if total == 0.0 {
                return SparseRow::new();
            }
            sum.iter().enumerate().map(|(at, x)| (at as u32, x / total)).collect()
        };
        texts.map(row).collect()
    }
}

/// `[words, dim]`
fn skip_grams(corpus: &Corpus, settings: &Word2vecSettings, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let (dim, num_words) = (settings.dim, corpus.counts.len());
    let mut vectors: Vec<f32> =
        (0..num_words * dim).map(|_| rng.random_range(-0.5..0.5) / dim as f32).collect();
    let mut outputs = vec![0.0_f32; num_words * dim];
    let mut change = vec![0.0_f32; dim];
    let total: usize = corpus.counts.iter().sum();
    let keep: Vec<f64> = corpus
        .counts
        .iter()
        .map(|&count| {
            let rate = SUBSAMPLE * total as f64 / count as f64;
            rate.sqrt() + rate
        })
        .collect();
    let mut reach = 0.0;
    let unigrams: Vec<f64> = corpus
        .counts
        .iter()
        .map(|&count| {
            reach += (count as f64).powf(UNIGRAM_POWER);
            reach
        })
        .collect();
    let num_steps = (settings.epochs * corpus.texts.len()).max(1);
    let mut order: Vec<usize> = (0..corpus.texts.len()).collect();
    for epoch in 0..settings.epochs {
        order.shuffle(rng);
        for (step, &text) in order.iter().enumerate() {
            let done = (epoch * order.len() + step) as f64 / num_steps as f64;
            let rate = (settings.learning_rate * (1.0 - done).max(1e-4)) as f32;
            let text: Vec<usize> = corpus.texts[text]
                .iter()
                .map(|&word| word as usize)
                .filter(|&word| rng.random_range(0.0..1.0) < keep[word])
                .collect();
            for (at, &word) in text.iter().enumerate() {
                let reach = rng.random_range(1..=settings.window);
                let company = at.saturating_sub(reach)..(at + reach + 1).min(text.len());
                for other in company.filter(|&other| other != at) {
                    let own = &mut vectors[word * dim..(word + 1) * dim];
                    change.fill(0.0);
                    for draw in 0..=settings.negatives {
                        let (target, label) = if draw == 0 {
                            (text[other], 1.0)
                        } else {
                            let place = rng.random_range(0.0..unigrams[num_words - 1]);
                            (unigrams.partition_point(|&up_to| up_to <= place), 0.0)
                        };
                        if draw > 0 && target == text[other] {
                            continue;
                        }
                        let output = &mut outputs[target * dim..(target + 1) * dim];
                        let z: f32 = own.iter().zip(&*output).map(|(a, b)| a * b).sum();
                        let slope = rate * (label - 1.0 / (1.0 + (-z).exp()));
                        for ((change, output), own) in change.iter_mut().zip(output).zip(&*own) {
                            *change += slope * *output;
                            *output += slope * own;
                        }
                    }
                    own.iter_mut().zip(&change).for_each(|(own, change)| *own += change);
                }
            }
        }
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_keep_the_same_company_are_alike() {
        let texts: Vec<String> = (0..200)
            .map(|i| {
                let (animal, place) = if i % 2 == 0 {
                    (["cat", "dog"][i / 2 % 2], "garden bone fur tail")
                } else {
                    (["ship", "boat"][i / 2 % 2], "harbour sail mast wave")
                };
                format!("{animal} {place} {animal}")
            })
            .collect();
        let settings = Word2vecSettings { dim: 12, epochs: 40, ..Word2vecSettings::default() };
        let fit = |seed| WordVectors::fit(texts.iter().map(String::as_str), &settings, Seed(seed));
        let vectors = fit(1);
        assert_eq!(vectors, fit(1));
        let cosine = |a: &str, b: &str| {
            let (a, b) = (vectors.vector(a).unwrap(), vectors.vector(b).unwrap());
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        assert!(cosine("cat", "dog") > cosine("cat", "ship") + 0.3);
        assert!(cosine("ship", "boat") > cosine("dog", "boat") + 0.3);
        assert!(vectors.vector("unicorn").is_none());
        let rows = vectors.apply(["dog dog", "unicorn", "dog"].into_iter());
        assert_eq!((rows[0].len(), rows[1].len()), (12, 0));
        for (twice, once) in rows[0].iter().zip(&rows[2]) {
            assert!((twice.1 - once.1).abs() < 1e-6);
        }
    }
}
