//! What a head's branch is fed: a modality's rows scaled, its words weighed, or its records as
//! numbers, as fitted on the training titles.

mod dropout;
mod prepared;

use std::path::Path;

use base::{Fingerprint, Seed};
use dataset::{Content, Dataset, ModalityTable, SentenceStates};
use nn::sentence_bert::LastLayers;
use serde::{Deserialize, Serialize};

pub use self::{
    dropout::InputDropout,
    prepared::{Gathered, PreparedInput},
};
use crate::{
    LearnError,
    config::{FineTuning, SequenceSettings},
    transform::{
        Scaling, TabularTransform, TfIdf, TfIdfSettings, Word2vecSettings, WordIds, WordVectors,
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
