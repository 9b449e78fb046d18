//! Word vectors learned on the training texts: skip-grams with negative sampling.
//!
//! in: texts as numbers of words; out: a vector for each word
//! source: Mikolov et al. 2013, "Distributed representations of words and phrases and their
//! compositionality"

use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{LearnError, bounds};

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

impl Word2vecSettings {
    pub(crate) fn validate(&self) -> Result<(), LearnError> {
        bounds::count("word2vec.dim", self.dim, 1, 4096)?;
        bounds::count("word2vec.window", self.window, 1, 100)?;
        bounds::count("word2vec.negatives", self.negatives, 0, 100)?;
        bounds::count("word2vec.min_count", self.min_count, 1, 1 << 30)?;
        bounds::count("word2vec.epochs", self.epochs, 1, 10_000)?;
        bounds::real("word2vec.learning_rate", self.learning_rate, 1e-8, 1.0)
    }
}

/// What training reads.
pub(super) struct Corpus {
    /// Known words of each text, in order.
    pub(super) texts: Vec<Vec<u32>>,
    /// `[words]`: places of each in the texts.
    pub(super) counts: Vec<usize>,
}

/// Learns vectors, `[words, dim]`.
pub(super) fn skip_grams(
    corpus: &Corpus,
    settings: &Word2vecSettings,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
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
