//! Views: the ways in which a head looks at each modality. A text may be seen as frozen features
//! and as words, anything else in one way.

use std::collections::BTreeMap;

use base::Seed;
use candle_core::Tensor;
use dataset::Dataset;
use serde::{Deserialize, Serialize};

use super::inputs::{BranchInput, PreparedInput};
use crate::{
    LearnError,
    config::{LearnConfig, TextView},
    transform::TfIdfSettings,
};

/// One view, fitted on training titles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Index of the modality that it looks at.
    pub modality: usize,
    /// What is seen of it.
    pub input: BranchInput,
}

impl View {
    /// Whether it is of one of so many modalities and its parts belong together.
    #[must_use]
    pub fn fits(&self, num_modalities: usize) -> bool {
        self.modality < num_modalities && self.input.fits()
    }
}

/// Fits the views of all modalities, in their order. `tfidf` may differ from the settings where a
/// head cannot take as many terms.
///
/// # Errors
/// A file of word vectors that cannot be read; a text whose network's last layers cannot be
/// trained; else none for data whose tables belong together.
pub fn fit(
    data: &Dataset,
    train: &[usize],
    config: &LearnConfig,
    tfidf: &TfIdfSettings,
    seed: Seed,
) -> Result<Vec<View>, LearnError> {
    let mut views = Vec::new();
    for (modality, table) in data.modalities.iter().enumerate() {
        let kinds: &[TextView] =
            if table.texts.is_some() { config.views_of_texts() } else { &[TextView::Embedding] };
        for kind in kinds {
            let input = match kind {
                TextView::Embedding => BranchInput::fit(table, train, config.min_support)?,
                TextView::TfIdf => BranchInput::fit_words(table, train, tfidf)?,
                TextView::Sequence => BranchInput::fit_sequence(table, train, &config.sequence),
                TextView::FineTuned => BranchInput::fit_sentences(table, &config.fine_tuned)?,
                TextView::Word2vec | TextView::Glove => {
                    let path = config.glove.as_deref().filter(|_| *kind == TextView::Glove);
                    let seed = seed.derive(&table.name);
                    BranchInput::fit_word_vectors(table, train, &config.word2vec, path, seed)?
                }
            };
            views.push(View { modality, input });
        }
    }
    Ok(views)
}

/// Parameters of networks over views that begin as somebody else has trained them, by the names
/// that they have there.
///
/// # Errors
/// The weights of a sentence network can no longer be read.
pub fn pretrained(views: &[View], data: &Dataset) -> Result<BTreeMap<String, Tensor>, LearnError> {
    let mut pretrained = BTreeMap::new();
    for (idx, view) in views.iter().enumerate() {
        let sentences = data.modalities[view.modality].sentences.as_ref();
        if let (Some(layers), Some(sentences)) = (view.input.last_layers(), sentences) {
            let weights = sentences.network()?.weights_of(layers)?.into_iter();
            pretrained.extend(weights.map(|(name, x)| (format!("branches.{idx}.{name}"), x)));
        }
    }
    Ok(pretrained)
}

/// Makes the views of these titles ready.
///
/// # Errors
/// The data is not what the views were fitted on.
pub fn prepare<'a>(
    views: &'a [View],
    data: &'a Dataset,
    titles: &[usize],
) -> Result<Vec<PreparedInput<'a>>, LearnError> {
    views.iter().map(|view| view.input.prepare(&data.modalities[view.modality], titles)).collect()
}

/// Why nothing can be fitted, if so.
///
/// # Errors
/// No genre, no modality, or no title with one.
pub fn check_data(head: &str, data: &Dataset, train: &[usize]) -> Result<(), LearnError> {
    let missing = if data.num_genres() == 0 {
        "no genre to learn"
    } else if data.modalities.is_empty() {
        "no modality to learn from"
    } else if train.is_empty() {
        "no training title has any modality"
    } else {
        return Ok(());
    };
    Err(LearnError::Data {
        message: format!("cannot fit the head {head}: {missing}"),
        hint: Some("`cinetag catalog check` and `cinetag store ls` show what there is".to_owned()),
    })
}
