//! The table of a run: its catalog's titles with their features, groups and labels.

use dataset::Dataset;

use super::{Context, PipelineError};

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
        let looked = context.modalities()?.stored(&catalog.titles, context.store())?;
        let genres = catalog.vocabulary.names().to_vec();
        let data = looked.data.with_genres(genres, catalog.labels());
        let data = if catalog.is_partly_known() {
            data.with_label_weights(&catalog.label_weights())
        } else {
            data
        };
        Ok(Self { data, groups: catalog.group_idxs() })
    }
}
