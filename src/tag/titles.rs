//! Tagging many titles: a chunk at a time through extraction, prediction and writing, so
//! that memory does not grow with the library.

use std::io::Write;

use super::{Bundle, OpenModalities, TagError, TagWriter, Tagger};
use crate::{
    base::{Interrupt, Progress},
    catalog::Title,
    extract::{self, ExtractReport, ExtractSettings, Retry},
    store::FeatureStore,
};

/// Titles at once.
const CHUNK: usize = 512;

/// What a tagging did.
#[derive(Debug, Default)]
pub struct TagSummary {
    /// Titles written.
    pub num_titles: usize,
    /// Of them, those of which nothing could be looked at.
    pub num_unscored: usize,
    /// Tags given.
    pub num_tags: usize,
    /// Sources that failed for a reason that wants a look.
    pub num_skipped: usize,
    /// What extraction did, one report a chunk.
    pub extraction: Vec<ExtractReport>,
}

/// Extracts what the store lacks, predicts, writes; in the titles' order.
///
/// # Errors
/// Extraction cannot go on, features cannot be read, or the tags cannot be written.
#[allow(clippy::too_many_arguments)] // one thing each
pub fn tag_titles<W: Write>(
    titles: &[Title],
    bundle: &Bundle,
    modalities: &OpenModalities,
    store: &FeatureStore,
    settings: &ExtractSettings,
    writer: &mut TagWriter<W>,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<TagSummary, TagError> {
    let tagger = Tagger::new(bundle, modalities);
    let mut summary = TagSummary::default();
    for chunk in titles.chunks(CHUNK) {
        let report = extract::extract(
            chunk,
            modalities.encoders(),
            store,
            settings,
            &Retry::No,
            progress,
            interrupt,
        )?;
        summary.num_skipped +=
            report.encoders.iter().map(extract::EncoderReport::num_skipped).sum::<usize>();
        summary.extraction.push(report);
        for tags in tagger.tag(chunk, store, &store.sources()?)? {
            summary.num_titles += 1;
            summary.num_unscored += usize::from(tags.scores.is_empty());
            summary.num_tags += tags.genres.len();
            writer.write(&tags)?;
        }
    }
    Ok(summary)
}
