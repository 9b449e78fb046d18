//! Two bundles on the same titles: what the gate says of the new one.
//!
//! in: titles whose genres are known and that neither was trained on; out: the gate's verdict
//! ([`eval::gate`])

use base::{Interrupt, Progress, Seed};
use catalog::Catalog;
use eval::{GateConfig, Groups, PinnedTest, Verdict, gate, pinned, significance::Said};
use ndarray::Array2;

use super::{TagJob, TagSink, WriteError, batch::tag_titles, format::Tagged};

/// What a bundle says of titles. Nothing is written.
struct Opinion<'a> {
    genres: &'a [String],
    /// `[titles, genres]`: probabilities; NaN of a title that nothing is known of.
    scores: Array2<f64>,
    /// `[titles, genres]`
    decisions: Array2<bool>,
}

impl<'a> Opinion<'a> {
    fn of(
        job: &TagJob<'_>,
        genres: &'a [String],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Self, WriteError> {
        let shape = (job.titles.len(), genres.len());
        let mut own = Self {
            genres,
            scores: Array2::from_elem(shape, f64::NAN),
            decisions: Array2::from_elem(shape, false),
        };
        tag_titles(job, &mut [&mut own], progress, interrupt)?;
        Ok(own)
    }

    fn said(&self) -> Said<'_> {
        Said { scores: self.scores.view(), decisions: self.decisions.view() }
    }
}

impl TagSink for Opinion<'_> {
    fn write(
        &mut self,
        idx: usize,
        tagged: Tagged<'_>,
        _inputs: base::Digest,
    ) -> Result<(), WriteError> {
        for score in &tagged.tags.scores {
            if let Some(genre) = self.genres.iter().position(|genre| *genre == score.genre) {
                self.scores[[idx, genre]] = f64::from(score.probability);
                self.decisions[[idx, genre]] = score.decision;
            }
        }
        Ok(())
    }
}

/// Judges the `new` bundle against the `old` one on a catalog's titles, in the genres that both have. A
/// genre that the catalog never names is one that none of its titles has.
///
/// # Errors
/// The titles cannot be looked at; Ctrl-C came.
pub fn judge(
    old: &TagJob<'_>,
    new: &TagJob<'_>,
    catalog: &Catalog,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Verdict, WriteError> {
    let known = &old.bundle.config.genres;
    let both = new.bundle.config.genres.names().iter().filter(|name| known.find(name).is_some());
    let genres: Vec<String> = both.cloned().collect();
    let before = Opinion::of(old, &genres, progress, interrupt)?;
    let after = Opinion::of(new, &genres, progress, interrupt)?;
    let ids: Vec<_> = genres.iter().map(|name| catalog.vocabulary.find(name)).collect();
    let has = |title: usize, genre: usize| {
        ids[genre].is_some_and(|id| catalog.titles[title].genres.contains(&id))
    };
    let labels = Array2::from_shape_fn((catalog.titles.len(), genres.len()), |(title, genre)| {
        has(title, genre)
    });
    let test = PinnedTest {
        labels: labels.view(),
        groups: Groups::new(catalog.group_idxs()),
        genres: &genres,
        digest: pinned::digest_of(catalog.titles.iter().map(|title| title.id.as_str())),
    };
    Ok(gate::judge(before.said(), after.said(), &test, &GateConfig::new(Seed(1))))
}
