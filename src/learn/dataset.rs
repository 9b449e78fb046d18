//! The table that heads are fitted on.

use crate::{
    base::TitleId,
    catalog::{Record, RecordSchema},
    store::Ragged,
};

/// Titles × modalities with their labels. Rows are in the catalog's order.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// `[titles]`
    pub titles: Vec<TitleId>,
    /// `[genres]`
    pub genres: Vec<String>,
    /// `[titles * genres]`, title-major. All false for titles without labels.
    pub labels: Vec<bool>,
    /// In the order of the pipeline.
    pub modalities: Vec<ModalityTable>,
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
        Self { name: name.to_owned(), content, texts: None }
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

    /// A title's words; empty where they are missing or the modality is no text.
    #[must_use]
    pub fn words(&self, title_idx: usize) -> &str {
        self.texts.as_ref().and_then(|texts| texts[title_idx].as_deref()).unwrap_or_default()
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

    /// The same titles seen through these modalities only (indices into `modalities`).
    #[must_use]
    pub fn with_modalities(&self, modality_idxs: &[usize]) -> Self {
        Self {
            titles: self.titles.clone(),
            genres: self.genres.clone(),
            labels: self.labels.clone(),
            modalities: modality_idxs.iter().map(|&m| self.modalities[m].clone()).collect(),
        }
    }
}
