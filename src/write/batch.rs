//! Tagging many titles: a chunk at a time through extraction, prediction and writing, so
//! that memory does not grow with the library.

use base::{Digest, DigestBuilder, Interrupt, Progress, digest::canonical_json};
use catalog::Title;
use extract::{EncoderReport, ExtractReport, Session};
use jiff::Timestamp;
use rayon::prelude::*;
use serde_json::json;
use store::SourceDigests;
use tag::{Bundle, Choice, Tagger};

use super::{TagSink, WriteError, format::Tagged};

/// Titles at once.
const CHUNK: usize = 512;

/// What to tag and with what.
#[derive(Clone, Copy)]
pub struct TagJob<'a> {
    /// The titles.
    pub titles: &'a [Title],
    /// The bundle.
    pub bundle: &'a Bundle,
    /// Who looks at titles for it: with the bundle's modalities ([`Bundle::open_modalities`]).
    pub session: &'a Session,
    /// Which scores become tags.
    pub choice: &'a Choice,
    /// The moment that is written with the tags.
    pub tagged_at: Option<Timestamp>,
}

/// What a tagging did.
#[derive(Debug, Default)]
pub struct TagSummary {
    /// Titles written.
    pub num_titles: usize,
    /// Of them, those of which nothing could be looked at.
    pub num_unscored: usize,
    /// Of them, those that have no tag.
    pub num_untagged: usize,
    /// Of them, those that have a doubtful genre.
    pub num_doubtful: usize,
    /// Titles that no sink wanted.
    pub num_unchanged: usize,
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
pub fn tag_titles(
    job: &TagJob<'_>,
    sinks: &mut [&mut dyn TagSink],
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<TagSummary, WriteError> {
    let tagging = Tagging {
        tagger: Tagger::new(job.bundle).with(job.choice, job.tagged_at),
        session: job.session,
    };
    let mut summary = TagSummary::default();
    for (chunk_idx, titles) in job.titles.chunks(CHUNK).enumerate() {
        interrupt.check()?;
        let mut wanted = Vec::new();
        for (at, (title, inputs)) in titles.iter().zip(inputs_of(job, titles)?).enumerate() {
            let idx = chunk_idx * CHUNK + at;
            // Every sink is asked: each counts for itself what it need not look at.
            let by: Vec<bool> = sinks.iter_mut().map(|sink| sink.wants(idx, &inputs)).collect();
            if by.contains(&true) {
                wanted.push(Wanted { idx, title, inputs, by });
            } else {
                summary.num_unchanged += 1;
            }
        }
        tagging.tag(&wanted, sinks, &mut summary, progress, interrupt)?;
    }
    job.session.publish()?;
    Ok(summary)
}

/// A title that some sink wants.
struct Wanted<'a> {
    idx: usize,
    title: &'a Title,
    inputs: Digest,
    /// Which sinks.
    by: Vec<bool>,
}

/// What all chunks share.
struct Tagging<'a> {
    tagger: Tagger<'a>,
    session: &'a Session,
}

impl Tagging<'_> {
    /// Extracts, predicts and writes some titles.
    fn tag(
        &self,
        chunk: &[Wanted<'_>],
        sinks: &mut [&mut dyn TagSink],
        summary: &mut TagSummary,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), WriteError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let titles: Vec<Title> = chunk.iter().map(|wanted| wanted.title.clone()).collect();
        let (looked, report) = self.session.look_all(&titles, progress, interrupt)?;
        summary.num_skipped +=
            report.encoders.iter().map(EncoderReport::num_skipped).sum::<usize>();
        summary.extraction.push(report);
        let tagged = self.tagger.tag(&titles, looked)?;
        for (wanted, tags) in chunk.iter().zip(tagged) {
            interrupt.check()?;
            summary.num_titles += 1;
            summary.num_unscored += usize::from(tags.scores.is_empty());
            summary.num_untagged += usize::from(tags.genres.is_empty());
            summary.num_doubtful += usize::from(!tags.doubtful.is_empty());
            summary.num_tags += tags.genres.len();
            let tagged = Tagged { title: wanted.title, tags: &tags };
            for (sink, _) in sinks.iter_mut().zip(&wanted.by).filter(|(_, wants)| **wants) {
                sink.write(wanted.idx, tagged, wanted.inputs)?;
            }
        }
        Ok(())
    }
}

/// `[titles]`: the digest of all that a title's tags are made from. A file whose digest the
/// store remembers is not read.
fn inputs_of(job: &TagJob<'_>, titles: &[Title]) -> Result<Vec<Digest>, WriteError> {
    let sources = job.session.store().sources()?;
    let made_by = DigestBuilder::new()
        .part(job.bundle.digest.as_bytes())
        .part(canonical_json(&json!(job.choice)))
        .finish();
    Ok(titles.par_iter().map(|title| inputs(job, title, &made_by, &sources)).collect())
}

fn inputs(job: &TagJob<'_>, title: &Title, made_by: &Digest, sources: &SourceDigests) -> Digest {
    let mut digest = DigestBuilder::new()
        .part(made_by.as_bytes())
        .part(title.id.as_str())
        .part(&title.name)
        .part(title.year.map_or_else(String::new, |year| year.to_string()));
    for seen in job.session.modalities().inputs(title, sources) {
        digest = digest.part(seen);
    }
    digest.finish()
}
