//! The table that heads are fitted on.

use std::sync::Arc;

use base::{Digest, DigestBuilder, TitleId, json};
use catalog::{Record, RecordSchema};
use ndarray::Array2;
use store::Ragged;

use super::sentence_states::SentenceStates;

/// Titles × modalities with their labels. Rows are in the catalog's order.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// `[titles]`
    pub titles: Vec<TitleId>,
    /// `[genres]`
    pub genres: Vec<String>,
    /// `[titles * genres]`, title-major. All false for titles without labels.
    pub labels: Vec<bool>,
    /// `[titles * genres]`: what each label weighs; 0 where nobody knows whether the title has the
    /// genre. `None`: all are known and weigh 1. See [`with_label_weights`](Self::with_label_weights).
    pub label_weights: Option<Arc<[f32]>>,
    /// In the order of the pipeline. Shared: a part of the data costs next to nothing.
    pub modalities: Vec<Arc<ModalityTable>>,
}

/// One modality's part of a [`Dataset`].
#[derive(Clone, Debug)]
pub struct ModalityTable {
    /// The modality's name.
    pub name: String,
    /// Its content per title.
    pub content: Content,
    /// The words themselves, where the modality is a text: `[titles]`, `None` where missing.
    pub texts: Option<Vec<Option<String>>>,
    /// The sentence network that made the features of a text, where one did: its last layers can
    /// be trained further.
    pub sentences: Option<Arc<SentenceStates>>,
}

/// What heads get to see of a modality.
#[derive(Clone, Debug)]
pub enum Content {
    /// Frozen features: one or more rows a title; none where the modality is missing.
    Rows(Ragged),
    /// Typed metadata: `[titles]`, `None` where missing.
    Records {
        /// Columns.
        schema: RecordSchema,
        /// Values.
        rows: Vec<Option<Record>>,
    },
}

impl ModalityTable {
    /// Numbers alone.
    #[must_use]
    pub fn new(name: &str, content: Content) -> Self {
        Self { name: name.to_owned(), content, texts: None, sentences: None }
    }

    /// A text: frozen features of it, and its words `[titles]`. Where the features are missing,
    /// the modality is, and its words are not looked at.
    #[must_use]
    pub fn text(name: &str, content: Content, words: Vec<Option<String>>) -> Self {
        let mut table = Self::new(name, content);
        let words = words.into_iter().enumerate();
        table.texts = Some(words.map(|(t, text)| text.filter(|_| table.present(t))).collect());
        table
    }

    /// The same text with the sentence network that made its features.
    #[must_use]
    pub fn with_sentences(self, sentences: SentenceStates) -> Self {
        Self { sentences: Some(Arc::new(sentences)), ..self }
    }

    /// Number of titles.
    #[must_use]
    pub fn num_titles(&self) -> usize {
        match &self.content {
            Content::Rows(ragged) => ragged.num_titles(),
            Content::Records { rows, .. } => rows.len(),
        }
    }

    /// A title's words; empty where they are missing or the modality is no text.
    #[must_use]
    pub fn words(&self, title_idx: usize) -> &str {
        self.texts.as_ref().and_then(|texts| texts[title_idx].as_deref()).unwrap_or_default()
    }

    /// The same content for the titles that `keep`; missing for the others.
    #[must_use]
    pub fn masked(&self, keep: impl Fn(usize) -> bool) -> Self {
        let content = match &self.content {
            Content::Rows(ragged) => {
                let mut kept = Ragged::new(ragged.dim);
                for title in 0..ragged.num_titles() {
                    if keep(title) {
                        kept.push(ragged.rows(title), ragged.times(title));
                    } else {
                        kept.push(&[], &[]);
                    }
                }
                Content::Rows(kept)
            }
            Content::Records { schema, rows } => {
                let rows = rows.iter().enumerate();
                let rows = rows.map(|(title, row)| row.clone().filter(|_| keep(title))).collect();
                Content::Records { schema: schema.clone(), rows }
            }
        };
        let texts = self.texts.as_ref().map(|texts| {
            let texts = texts.iter().enumerate();
            texts.map(|(title, text)| text.clone().filter(|_| keep(title))).collect()
        });
        Self { name: self.name.clone(), content, texts, sentences: self.sentences.clone() }
    }

    /// A row of zeros, an empty record or an empty text in the place of what is missing: what a
    /// model sees that knows no mask. For comparison with such models only.
    #[must_use]
    pub fn zero_filled(&self) -> Self {
        let content = match &self.content {
            Content::Rows(ragged) => {
                let zeros = vec![0.0; ragged.dim];
                let mut filled = Ragged::new(ragged.dim);
                for title in 0..ragged.num_titles() {
                    let rows = ragged.rows(title);
                    filled.push(if rows.is_empty() { &zeros } else { rows }, &[]);
                }
                Content::Rows(filled)
            }
            Content::Records { schema, rows } => {
                let nothing = || Record {
                    numbers: schema.numbers.iter().map(|_| Some(0.0)).collect(),
                    categories: vec![Vec::new(); schema.categories.len()],
                };
                let rows = rows.iter().map(|row| Some(row.clone().unwrap_or_else(nothing)));
                Content::Records { schema: schema.clone(), rows: rows.collect() }
            }
        };
        let texts = self
            .texts
            .as_ref()
            .map(|texts| texts.iter().map(|text| Some(text.clone().unwrap_or_default())).collect());
        Self { name: self.name.clone(), content, texts, sentences: self.sentences.clone() }
    }

    /// Digest over all that a fit may see of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.add_to(DigestBuilder::new()).finish()
    }

    fn add_to(&self, mut digest: DigestBuilder) -> DigestBuilder {
        let texts = json::line(&self.texts);
        digest = digest.part(&self.name).part(texts);
        if let Some(sentences) = &self.sentences {
            digest = digest.part(sentences.made_by().as_str());
        }
        match &self.content {
            Content::Rows(ragged) => {
                let bytes = |values: &[f32]| -> Vec<u8> {
                    values.iter().flat_map(|value| value.to_le_bytes()).collect()
                };
                let offsets: Vec<u8> =
                    ragged.offsets.iter().flat_map(|o| (*o as u64).to_le_bytes()).collect();
                digest.part(offsets).part(bytes(&ragged.data)).part(bytes(&ragged.time_secs))
            }
            Content::Records { schema, rows } => {
                let text = serde_json::json!({ "schema": schema, "rows": rows }).to_string();
                digest.part(text)
            }
        }
    }

    /// Whether a title has this modality.
    #[must_use]
    pub fn present(&self, title_idx: usize) -> bool {
        match &self.content {
            Content::Rows(ragged) => ragged.num_rows(title_idx) > 0,
            Content::Records { rows, .. } => rows[title_idx].is_some(),
        }
    }
}

impl Dataset {
    /// The same titles with these genres and `labels` `[titles * genres]`.
    #[must_use]
    pub fn with_genres(self, genres: Vec<String>, labels: Vec<bool>) -> Self {
        debug_assert_eq!(labels.len(), self.titles.len() * genres.len());
        Self { genres, labels, label_weights: None, ..self }
    }

    /// The same labels, each of this weight, `[titles * genres]`, 0 or more. A genre that is not known
    /// of a title (weight 0) is none that it has.
    #[must_use]
    pub fn with_label_weights(self, weights: &[f32]) -> Self {
        debug_assert_eq!(weights.len(), self.labels.len());
        let labels = self.labels.iter().zip(weights);
        let labels = labels.map(|(&label, &weight)| label && weight > 0.0).collect();
        #[allow(clippy::float_cmp)] // what was set, not computed
        let is_even = weights.iter().all(|&weight| weight == 1.0);
        Self { labels, label_weights: (!is_even).then(|| weights.into()), ..self }
    }

    /// The same titles to be judged by these genres: none is labelled.
    #[must_use]
    pub fn unlabelled(self, genres: Vec<String>) -> Self {
        let labels = vec![false; self.titles.len() * genres.len()];
        self.with_genres(genres, labels)
    }

    /// Number of titles.
    #[must_use]
    pub fn num_titles(&self) -> usize {
        self.titles.len()
    }

    /// Number of genres.
    #[must_use]
    pub fn num_genres(&self) -> usize {
        self.genres.len()
    }

    /// A title's labels, `[genres]`.
    #[must_use]
    pub fn labels_of(&self, title_idx: usize) -> &[bool] {
        let num_genres = self.num_genres();
        &self.labels[title_idx * num_genres..(title_idx + 1) * num_genres]
    }

    /// Whether some labels are not known, or weigh something else than 1.
    #[must_use]
    pub fn is_weighed(&self) -> bool {
        self.label_weights.is_some()
    }

    /// What it weighs whether a title has a genre; 0: it is not known.
    #[must_use]
    pub fn label_weight(&self, title_idx: usize, genre: usize) -> f32 {
        let at = title_idx * self.num_genres() + genre;
        self.label_weights.as_ref().map_or(1.0, |weights| weights[at])
    }

    /// Whether every genre of a title is known.
    #[must_use]
    pub fn knows_all_of(&self, title_idx: usize) -> bool {
        (0..self.num_genres()).all(|genre| self.label_weight(title_idx, genre) > 0.0)
    }

    /// What the labels of some titles weigh, `[titles, genres]`; `None`: 1.
    #[must_use]
    pub fn label_weights_matrix(&self, titles: &[usize]) -> Option<Array2<f32>> {
        let shape = (titles.len(), self.num_genres());
        self.is_weighed().then(|| {
            Array2::from_shape_fn(shape, |(at, genre)| self.label_weight(titles[at], genre))
        })
    }

    /// Labels of some titles, `[titles, genres]`.
    #[must_use]
    pub fn labels_matrix(&self, titles: &[usize]) -> Array2<bool> {
        let shape = (titles.len(), self.num_genres());
        Array2::from_shape_fn(shape, |(at, genre)| self.labels_of(titles[at])[genre])
    }

    /// Those of `titles` that have any modality.
    #[must_use]
    pub fn with_any(&self, titles: &[usize]) -> Vec<usize> {
        let any = |title: &usize| self.modalities.iter().any(|table| table.present(*title));
        titles.iter().copied().filter(any).collect()
    }

    /// The same titles seen through these modalities only (indices into `modalities`).
    #[must_use]
    pub fn with_modalities(&self, modality_idxs: &[usize]) -> Self {
        Self {
            titles: self.titles.clone(),
            genres: self.genres.clone(),
            labels: self.labels.clone(),
            label_weights: self.label_weights.clone(),
            modalities: modality_idxs.iter().map(|&m| self.modalities[m].clone()).collect(),
        }
    }

    /// The same titles with `keep(title, modality)` of what they have.
    #[must_use]
    pub fn masked(&self, keep: impl Fn(usize, usize) -> bool) -> Self {
        let modalities = self.modalities.iter().enumerate();
        Self {
            titles: self.titles.clone(),
            genres: self.genres.clone(),
            labels: self.labels.clone(),
            label_weights: self.label_weights.clone(),
            modalities: modalities.map(|(m, table)| table.masked(|t| keep(t, m)).into()).collect(),
        }
    }

    /// [`ModalityTable::zero_filled`] of every modality.
    #[must_use]
    pub fn zero_filled(&self) -> Self {
        Self {
            titles: self.titles.clone(),
            genres: self.genres.clone(),
            labels: self.labels.clone(),
            label_weights: self.label_weights.clone(),
            modalities: self.modalities.iter().map(|table| table.zero_filled().into()).collect(),
        }
    }

    /// Digest over all that a fit may see: titles, genres, labels, features.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let labelled = self.add_labels_to(DigestBuilder::new());
        self.modalities.iter().fold(labelled, |digest, table| table.add_to(digest)).finish()
    }

    /// Digest over titles, genres and labels.
    #[must_use]
    pub fn labels_digest(&self) -> Digest {
        self.add_labels_to(DigestBuilder::new()).finish()
    }

    fn add_labels_to(&self, mut digest: DigestBuilder) -> DigestBuilder {
        for title in &self.titles {
            digest = digest.part(title.as_str());
        }
        for genre in &self.genres {
            digest = digest.part(genre);
        }
        let labels: Vec<u8> = self.labels.iter().map(|&label| u8::from(label)).collect();
        digest = digest.part(labels);
        match &self.label_weights {
            None => digest,
            Some(weights) => {
                let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
                digest.part(bytes)
            }
        }
    }
}
