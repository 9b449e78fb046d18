//! What was seen of titles, before any head judges it.

use std::collections::BTreeMap;

use store::TimedText;

use super::Dataset;

/// What the modalities of a pipeline or bundle see of titles.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Titles × modalities, without genres: [`Dataset::with_genres`].
    pub data: Dataset,
    /// By name of a modality that listens, `[titles]`: what is said, with times; `None` where nothing
    /// is known of it.
    pub transcripts: BTreeMap<String, Vec<Option<TimedText>>>,
    /// `[modalities][titles]`: why a modality has nothing of a title: the reason code and the decoder's
    /// words. `None` where nothing failed, as of records.
    pub failures: Vec<Vec<Option<String>>>,
}
