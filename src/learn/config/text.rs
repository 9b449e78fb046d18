//! How texts are seen, and the networks over their words.

use serde::{Deserialize, Serialize};

use crate::{LearnError, bounds};

/// How a text is seen; each view is scored by itself before views are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextView {
    /// Frozen features.
    Embedding,
    /// Its words, weighed by TF-IDF.
    TfIdf,
    /// The mean of word vectors that are learned on the training texts.
    Word2vec,
    /// The mean of word vectors that are read from a file.
    Glove,
    /// Its words in order, through a network that is learned with the rest (networks alone).
    Sequence,
    /// Its first tokens through the network of the frozen features, whose last layers are learned
    /// with the rest (networks alone).
    FineTuned,
}

/// The kinds of networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SequenceKind {
    /// Long short-term memory; its last state.
    Lstm,
    /// Gated recurrent units; their last state.
    Gru,
    /// Convolutions over 3, 4 and 5 words; the highest answer of each filter.
    #[default]
    Cnn,
    /// A convolution, every 4 steps made one by their highest answer, and a GRU over them.
    CnnRnn,
    /// One layer of self-attention; the mean over words.
    Transformer,
}

/// The network over a text's words in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SequenceSettings {
    /// Its kind.
    pub kind: SequenceKind,
    /// Numbers of a word; even.
    pub embedding: usize,
    /// Words of a text that are read, from its beginning.
    pub max_words: usize,
    /// A word needs so many training texts.
    pub min_texts: usize,
}

impl Default for SequenceSettings {
    fn default() -> Self {
        Self { kind: SequenceKind::Cnn, embedding: 64, max_words: 150, min_texts: 3 }
    }
}

impl SequenceSettings {
    pub(super) fn validate(&self) -> Result<(), LearnError> {
        bounds::count("sequence.embedding", self.embedding, 2, 4096)?;
        bounds::count("sequence.max_words", self.max_words, 1, 10_000)?;
        bounds::count("sequence.min_texts", self.min_texts, 1, 1 << 30)?;
        if self.embedding % 2 == 1 {
            return Err(LearnError::Data {
                message: format!("`learn.sequence.embedding` must be even, got {}", self.embedding),
                hint: None,
            });
        }
        Ok(())
    }
}

/// How the last layers of a text's sentence network are trained further.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FineTuning {
    /// So many of the last layers are learned; those below stay as they are.
    pub layers: usize,
    /// Tokens of a text that are read, from its beginning; the special ones and the prefix count.
    pub max_tokens: usize,
    /// Adam's step size for these layers at its highest; all else has `learn.learning_rate`.
    pub learning_rate: f64,
    /// Decoupled weight decay of their matrices.
    pub weight_decay: f64,
}

impl Default for FineTuning {
    /// Devlin et al. 2019, appendix A.3: the highest of their step sizes, for fewer layers.
    fn default() -> Self {
        Self { layers: 1, max_tokens: 128, learning_rate: 5e-5, weight_decay: 0.01 }
    }
}

impl FineTuning {
    pub(super) fn validate(&self) -> Result<(), LearnError> {
        bounds::count("fine_tuned.layers", self.layers, 1, 1000)?;
        bounds::count("fine_tuned.max_tokens", self.max_tokens, 3, 1 << 20)?;
        bounds::real("fine_tuned.learning_rate", self.learning_rate, 1e-9, 1.0)?;
        bounds::real("fine_tuned.weight_decay", self.weight_decay, 0.0, 10.0)
    }
}
