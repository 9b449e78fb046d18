//! What a head's branch is fed: a modality's rows scaled, its words weighed, or its records as
//! numbers, as fitted on the training titles.

use std::path::Path;

use base::{Fingerprint, Seed};
use candle_core::Tensor;
use dataset::{Content, Dataset, ModalityTable, SentenceStates};
use nn::sentence_bert::LastLayers;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::classical::Design;
use crate::{
    LearnError,
    config::{FineTuning, SequenceSettings},
    transform::{
        Scaling, SparseRow, TabularTransform, TfIdf, TfIdfSettings, Word2vecSettings, WordIds,
        WordVectors,
    },
};

/// What the absolute values of a row add up to, on average over the training titles, once it is
/// scaled. A step of Adam moves every weight by about the learning rate, so it moves a branch's
/// units by about the learning rate times this sum: brought to one value, all branches of dense
/// features learn at one pace.
const ROW_SUM: f64 = 300.0;
/// The same of records. A column that few titles have moves as far as one that all have, whenever it
/// is there, and is learned by heart early on: a slower pace leaves it less to say.
const RECORD_SUM: f64 = 0.3 * ROW_SUM;
/// The same of words, most of which are rare.
const WORD_SUM: f64 = 0.1 * ROW_SUM;

/// A modality's fitted transform and the factor that brings its rows to one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchInput {
    transform: Transform,
    scale: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Transform {
    /// Frozen features.
    Rows(Scaling),
    /// Metadata.
    Records(TabularTransform),
    /// The words of a text.
    Words(TfIdf),
    /// The mean of its words' vectors.
    WordVectors(WordVectors),
    /// Its words in order.
    Sequence(WordIds),
    /// Its first tokens, for the last layers of its sentence network.
    Sentences(SentenceInput),
}

/// What the last layers of a sentence network are given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SentenceInput {
    layers: LastLayers,
    max_tokens: usize,
    /// The encoder whose network it is.
    made_by: Fingerprint,
}

/// A modality of one data set, ready to be gathered from.
#[derive(Debug)]
pub struct PreparedInput<'a> {
    input: &'a BranchInput,
    table: &'a ModalityTable,
    /// `[titles]`, for records and words alone: transformed once instead of once per epoch.
    sparse: Vec<Option<SparseRow>>,
    /// `[titles]` of `[tokens, dim]`, for the last layers of a sentence network alone.
    tokens: Vec<Option<Tensor>>,
}

/// Rows of several titles, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// `[rows, dim]`
    pub data: Vec<f32>,
    /// `[titles]`: rows of each, at least 1.
    pub counts: Vec<usize>,
    /// `[titles]` of `[tokens, dim]` in the place of rows, for the last layers of a sentence
    /// network alone.
    pub tokens: Vec<Tensor>,
}

/// Sets a share of the inputs to 0 and scales up the others.
pub struct InputDropout<'a> {
    /// Inputs whose random byte is below are dropped.
    threshold: u8,
    rng: &'a mut ChaCha8Rng,
}

impl<'a> InputDropout<'a> {
    /// Drops this share, to the next 1/256.
    pub fn new(dropped_frac: f64, rng: &'a mut ChaCha8Rng) -> Self {
        Self { threshold: (dropped_frac * 256.0).round().clamp(0.0, 255.0) as u8, rng }
    }

    /// Applies it to `values`.
    pub fn apply(&mut self, values: &mut [f32]) {
        if self.threshold == 0 {
            return;
        }
        let scale = 256.0 / (256.0 - f32::from(self.threshold));
        let mut bytes = [0_u8; 512];
        for chunk in values.chunks_mut(bytes.len()) {
            let bytes = &mut bytes[..chunk.len()];
            self.rng.fill_bytes(bytes);
            for (value, &byte) in chunk.iter_mut().zip(bytes.iter()) {
                *value *= if byte < self.threshold { 0.0 } else { scale };
            }
        }
    }
}

impl BranchInput {
    /// Fits on the training titles.
    ///
    /// # Errors
    /// None for data whose tables belong together.
    pub fn fit(
        table: &ModalityTable,
        train: &[usize],
        min_support: usize,
    ) -> Result<Self, LearnError> {
        let transform = match &table.content {
            Content::Rows(ragged) => Transform::Rows(Scaling::fit(ragged, train)),
            Content::Records { schema, rows } => {
                Transform::Records(TabularTransform::fit(schema, rows, train, min_support))
            }
        };
        Self::scaled(transform, table, train)
    }

    /// Fits on the words of the training titles.
    ///
    /// # Errors
    /// The modality is no text.
    pub fn fit_words(
        table: &ModalityTable,
        train: &[usize],
        settings: &TfIdfSettings,
    ) -> Result<Self, LearnError> {
        let there = train.iter().filter(|&&title| table.present(title));
        let words = TfIdf::fit(there.map(|&title| table.words(title)), settings);
        Self::scaled(Transform::Words(words), table, train)
    }

    /// Learns word vectors on the training titles, or takes them from the file `glove`.
    ///
    /// # Errors
    /// The modality is no text; the file cannot be read or is no file of vectors.
    pub fn fit_word_vectors(
        table: &ModalityTable,
        train: &[usize],
        settings: &Word2vecSettings,
        glove: Option<&Path>,
        seed: Seed,
    ) -> Result<Self, LearnError> {
        let there = train.iter().filter(|&&title| table.present(title));
        let texts = there.map(|&title| table.words(title));
        let words = match glove {
            None => WordVectors::learned(texts, settings, seed),
            Some(path) => WordVectors::from_file(texts, path)?,
        };
        Self::scaled(Transform::WordVectors(words), table, train)
    }

    /// Gives ids to the words of the training titles.
    #[must_use]
    pub fn fit_sequence(
        table: &ModalityTable,
        train: &[usize],
        settings: &SequenceSettings,
    ) -> Self {
        let there = train.iter().filter(|&&title| table.present(title));
        let texts = there.map(|&title| table.words(title));
        let ids = WordIds::fit(texts, settings.min_texts, settings.max_words);
        Self { transform: Transform::Sequence(ids), scale: 1.0 }
    }

    /// Takes the first tokens for the last layers of the network that made the features.
    ///
    /// # Errors
    /// No sentence network made them; the layers cannot be trained; more tokens than it takes.
    pub fn fit_sentences(table: &ModalityTable, settings: &FineTuning) -> Result<Self, LearnError> {
        let sentences = sentences_of(table)?;
        let network = sentences.network()?;
        for (name, value, most) in [
            ("layers", settings.layers, network.num_layers()),
            ("max_tokens", settings.max_tokens, network.max_tokens()),
        ] {
            if value > most {
                return Err(LearnError::Data {
                    message: format!(
                        "`learn.fine_tuned.{name}` must be at most {most} for the network of \
                         modality {}, got {value}",
                        table.name
                    ),
                    hint: None,
                });
            }
        }
        let (layers, max_tokens) = (network.last_layers(settings.layers)?, settings.max_tokens);
        let made_by = sentences.made_by().clone();
        let transform = Transform::Sentences(SentenceInput { layers, max_tokens, made_by });
        Ok(Self { transform, scale: 1.0 })
    }

    /// The layers of a sentence network that it is for.
    #[must_use]
    pub fn last_layers(&self) -> Option<&LastLayers> {
        match &self.transform {
            Transform::Sentences(sentences) => Some(&sentences.layers),
            _ => None,
        }
    }

    /// Number of word ids, where words are read in order.
    #[must_use]
    pub fn num_word_ids(&self) -> Option<usize> {
        match &self.transform {
            Transform::Sequence(words) => Some(words.num_ids()),
            _ => None,
        }
    }

    fn scaled(
        transform: Transform,
        table: &ModalityTable,
        train: &[usize],
    ) -> Result<Self, LearnError> {
        let wanted = match &transform {
            Transform::Words(_) => WORD_SUM,
            Transform::Records(_) => RECORD_SUM,
            _ => ROW_SUM,
        };
        let unscaled = Self { transform, scale: 1.0 };
        let row_sum = unscaled.prepare(table, train)?.mean_over_rows(train, f64::abs);
        let scale = if row_sum > 0.0 { (wanted / row_sum) as f32 } else { 1.0 };
        Ok(Self { scale, ..unscaled })
    }

    /// Length of a row that goes into the branch.
    #[must_use]
    pub fn dim(&self) -> usize {
        match &self.transform {
            Transform::Rows(scaling) => scaling.dim(),
            Transform::Records(tabular) => tabular.dim(),
            Transform::Words(words) => words.dim(),
            Transform::WordVectors(words) => words.dim(),
            Transform::Sequence(_) => 1,
            Transform::Sentences(sentences) => sentences.layers.dim(),
        }
    }

    /// Whether its parts belong together, as those of one that was fitted do.
    #[must_use]
    pub fn fits(&self) -> bool {
        match &self.transform {
            Transform::Rows(scaling) => scaling.fits(),
            Transform::Words(words) => words.fits(),
            Transform::WordVectors(words) => words.fits(),
            Transform::Sentences(sentences) => sentences.layers.fits(),
            Transform::Records(_) | Transform::Sequence(_) => true,
        }
    }

    /// Whether no text gives more words in order than this; true of what reads no words in order.
    #[must_use]
    pub fn gives_at_most(&self, num_words: usize) -> bool {
        match &self.transform {
            Transform::Sequence(words) => words.gives_at_most(num_words),
            _ => true,
        }
    }

    /// Makes a modality's table ready, if it is what this was fitted on.
    ///
    /// # Errors
    /// Rows of another length, other columns, or rows where records are expected.
    pub fn prepare<'a>(
        &'a self,
        table: &'a ModalityTable,
        titles: &[usize],
    ) -> Result<PreparedInput<'a>, LearnError> {
        let (mut sparse, mut tokens) = (Vec::new(), Vec::new());
        let present = || titles.iter().copied().filter(|&title| table.present(title));
        match (&self.transform, &table.content) {
            (Transform::Rows(scaling), Content::Rows(ragged)) if ragged.dim == scaling.dim() => {}
            (Transform::Rows(scaling), Content::Rows(ragged)) => {
                return Err(LearnError::Data {
                    message: format!(
                        "modality {}: the features have {} numbers a row, but the model was \
                         fitted on {}",
                        table.name,
                        ragged.dim,
                        scaling.dim()
                    ),
                    hint: Some("use the encoder that the model was fitted with".to_owned()),
                });
            }
            (Transform::Records(tabular), Content::Records { schema, rows }) => {
                tabular.check_schema(schema)?;
                sparse.resize(rows.len(), None);
                for &title in titles {
                    sparse[title] = rows[title].as_ref().map(|record| tabular.apply(record));
                }
            }
            (Transform::Sentences(own), _) if table.texts.is_some() => {
                let sentences = sentences_of(table)?;
                if *sentences.made_by() != own.made_by {
                    return Err(LearnError::Data {
                        message: format!(
                            "modality {}: the last layers were trained on the encoder {}, but the \
                             features are of {}",
                            table.name,
                            own.made_by,
                            sentences.made_by()
                        ),
                        hint: Some("use the encoder that the model was fitted with".to_owned()),
                    });
                }
                let texts: Vec<&str> = present().map(|title| table.words(title)).collect();
                let states = sentences.of(&texts, own.layers.num_below(), own.max_tokens)?;
                tokens.resize(table.num_titles(), None);
                for (title, states) in present().zip(states) {
                    tokens[title] = Some(states);
                }
            }
            (
                transform @ (Transform::Words(_)
                | Transform::WordVectors(_)
                | Transform::Sequence(_)),
                _,
            ) if table.texts.is_some() => {
                sparse.resize(table.num_titles(), None);
                let texts = present().map(|title| table.words(title));
                let rows = match transform {
                    Transform::Words(words) => words.apply(texts),
                    Transform::WordVectors(words) => words.apply(texts),
                    Transform::Sequence(words) => words.apply(texts),
                    Transform::Rows(_) | Transform::Records(_) | Transform::Sentences(_) => {
                        Vec::new()
                    }
                };
                for (title, row) in present().zip(rows) {
                    sparse[title] = Some(row);
                }
            }
            _ => {
                return Err(LearnError::Data {
                    message: format!(
                        "modality {}: the model was fitted on another kind of content \
                         (features of an encoder, words of a text, metadata records)",
                        table.name
                    ),
                    hint: None,
                });
            }
        }
        Ok(PreparedInput { input: self, table, sparse, tokens })
    }
}

impl PreparedInput<'_> {
    /// Length of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.input.dim()
    }

    /// Rows of a title.
    #[must_use]
    pub fn num_rows(&self, title_idx: usize) -> usize {
        match (&self.input.transform, &self.table.content) {
            (Transform::Rows(_), Content::Rows(ragged)) => ragged.num_rows(title_idx),
            _ => usize::from(self.table.present(title_idx)),
        }
    }

    /// Whether a title has the modality.
    #[must_use]
    pub fn present(&self, title_idx: usize) -> bool {
        self.table.present(title_idx)
    }

    /// Rows of these titles, each of which has the modality; `dropout` in training alone.
    pub fn gather(&self, titles: &[usize], mut dropout: Option<InputDropout<'_>>) -> Gathered {
        let mut gathered = Gathered::default();
        let dim = self.input.dim();
        for &title in titles {
            debug_assert!(self.table.present(title));
            let start = gathered.data.len();
            if let (Transform::Rows(scaling), Content::Rows(ragged)) =
                (&self.input.transform, &self.table.content)
            {
                for row in ragged.rows(title).chunks_exact(dim) {
                    scaling.push(row, &mut gathered.data);
                }
                gathered.counts.push(ragged.num_rows(title));
                if let Some(dropout) = &mut dropout {
                    dropout.apply(&mut gathered.data[start..]);
                }
            } else if let Transform::Sentences(_) = &self.input.transform {
                let tokens = self.tokens[title].iter().cloned();
                gathered.counts.extend(tokens.clone().map(|states| states.dims()[0]));
                gathered.tokens.extend(tokens);
            } else if let Transform::Sequence(_) = &self.input.transform {
                let words = self.sparse[title].as_deref().unwrap_or_default();
                gathered.data.extend(words.iter().map(|&(_, id)| id));
                gathered.counts.push(words.len());
            } else {
                let features = self.sparse[title].as_deref().unwrap_or_default();
                let mut values: Vec<f32> = features.iter().map(|&(_, v)| v).collect();
                if let Some(dropout) = &mut dropout {
                    dropout.apply(&mut values);
                }
                gathered.data.resize(start + dim, 0.0);
                for (&(idx, _), value) in features.iter().zip(values) {
                    gathered.data[start + idx as usize] = value;
                }
                gathered.counts.push(1);
            }
            gathered.data[start..].iter_mut().for_each(|x| *x *= self.input.scale);
        }
        gathered
    }

    /// These titles as classical learners read them, each with one row: the mean of its rows
    /// where it has several, zeros where it has none.
    #[must_use]
    pub fn design(&self, titles: &[usize]) -> Design {
        let dim = self.input.dim();
        if let Transform::Rows(_) = &self.input.transform {
            let mut dense = vec![0.0; titles.len() * dim];
            for (own, &title) in dense.chunks_exact_mut(dim).zip(titles) {
                if self.table.present(title) {
                    let gathered = self.gather(&[title], None);
                    let share = 1.0 / gathered.counts[0] as f32;
                    for row in gathered.data.chunks_exact(dim) {
                        own.iter_mut().zip(row).for_each(|(own, x)| *own += share * x);
                    }
                }
            }
            return Design::dense(titles.len(), dense);
        }
        let rows: Vec<SparseRow> = titles
            .iter()
            .map(|&title| {
                let row = self.sparse[title].as_deref().unwrap_or_default();
                row.iter().map(|&(idx, value)| (idx, value * self.input.scale)).collect()
            })
            .collect();
        Design::sparse(dim, &rows)
    }

    /// Mean squared length of the rows of these titles: what the first layer's initial
    /// weights are scaled by. 1 where there is none.
    #[must_use]
    pub fn mean_square_norm(&self, titles: &[usize]) -> f64 {
        if let Transform::Sentences(sentences) = &self.input.transform {
            return sentences.layers.dim() as f64; // as they come out of the layers
        }
        let mean = self.mean_over_rows(titles, |x| x * x);
        if mean > 0.0 { mean } else { 1.0 }
    }

    /// The sum of `term` over a row, on average over the rows of these titles; 0 without any.
    fn mean_over_rows(&self, titles: &[usize], term: impl Fn(f64) -> f64) -> f64 {
        let mut sum = 0.0;
        let mut num_rows = 0_usize;
        for &title in titles {
            if !self.table.present(title) {
                continue;
            }
            if let Some(features) = self.sparse.get(title).and_then(Option::as_deref) {
                let scaled = features.iter().map(|&(_, x)| term(f64::from(x * self.input.scale)));
                sum += scaled.sum::<f64>();
                num_rows += 1;
            } else {
                let gathered = self.gather(&[title], None);
                sum += gathered.data.iter().map(|&x| term(f64::from(x))).sum::<f64>();
                num_rows += gathered.counts[0];
            }
        }
        if num_rows == 0 { 0.0 } else { sum / num_rows as f64 }
    }
}

/// The sentence network that made a text's features.
fn sentences_of(table: &ModalityTable) -> Result<&SentenceStates, LearnError> {
    table.sentences.as_deref().ok_or_else(|| LearnError::Data {
        message: format!("modality {}: no sentence network made its features", table.name),
        hint: Some("take \"fine-tuned\" out of `learn.text_views`".to_owned()),
    })
}

/// Are the modalities of `data` these, in this order?
///
/// # Errors
/// Others, or in another order.
pub fn check_modalities(data: &Dataset, expected: &[String]) -> Result<(), LearnError> {
    if data.modalities.iter().map(|table| &table.name).eq(expected) {
        return Ok(());
    }
    let found: Vec<&String> = data.modalities.iter().map(|table| &table.name).collect();
    Err(LearnError::Data {
        message: format!("the modalities are {found:?}, but the model was fitted on {expected:?}"),
        hint: Some("keep a modality that no title has: it counts as missing".to_owned()),
    })
}
