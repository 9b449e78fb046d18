//! The table of a run: its catalog's titles with their features, groups and labels.

use std::collections::HashMap;

use super::{Context, PipelineError};
use crate::{catalog::Title, learn::dataset::Dataset};

/// What fitting reads.
pub(super) struct Table {
    /// In the catalog's order.
    pub(super) data: Dataset,
    /// `[titles]`: titles of one number stay together.
    pub(super) groups: Vec<usize>,
}

impl Table {
    /// Reads the features of the catalog's titles.
    ///
    /// # Errors
    /// Features that were never extracted; a damaged store.
    pub(super) fn read(context: &Context<'_>) -> Result<Self, PipelineError> {
        let catalog = context.catalog()?;
        let modalities = context.modalities()?.names();
        context.pipeline.learn.check_borrowed(&modalities)?;
        let store = context.store();
        let digests = store.sources()?;
        let mut data =
            context.modalities()?.table(&catalog.titles, &catalog.vocabulary, store, &digests)?;
        let num_genres = data.num_genres();
        for (title_idx, title) in catalog.titles.iter().enumerate() {
            for genre in &title.genres {
                data.labels[title_idx * num_genres + genre.idx()] = true;
            }
        }
        Ok(Self { data, groups: groups(&catalog.titles) })
    }
}

/// `[titles]`: a number for each group; titles without a group are groups of their own.
fn groups(titles: &[Title]) -> Vec<usize> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut next = 0;
    titles
        .iter()
        .map(|title| {
            let mut fresh = || {
                next += 1;
                next - 1
            };
            match &title.group {
                None => fresh(),
                Some(group) => *numbers.entry(group).or_insert_with(fresh),
            }
        })
        .collect()
}
