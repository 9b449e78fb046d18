//! What comes of a title: by encoder features, or why there are none.

use base::{Digest, TitleId};
use catalog::Title;
use encode::Features;
use media::{Failure, ReasonCode};
use store::{FailureRow, FeatureRow, TimedText};

use super::{SourceKey, StageSecs, looking::TitleKeys};

/// What came of one encoder for one title.
pub(super) enum Outcome {
    /// The catalog names no source.
    Absent,
    /// In the store, or being computed for another title with the same source.
    Cached,
    /// Ctrl-C came while its file was read.
    Stopped,
    /// Failed in an earlier run, with this reason.
    KnownFailure(String),
    /// New features.
    Computed(FeatureRow),
    /// A new failure.
    Failed(FailureRow),
}

impl Outcome {
    /// In a word, for the log.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Absent => "absent",
            Self::Cached => "cached",
            Self::Stopped => "stopped",
            Self::Computed(row) if row.partial.is_some() => "partial",
            Self::Computed(_) => "computed",
            Self::KnownFailure(code) => code,
            Self::Failed(row) => &row.code,
        }
    }
}

/// All that came of one title.
pub(super) struct TitleResult {
    /// Its place among the titles that are looked at.
    pub(super) idx: usize,
    pub(super) title: TitleId,
    /// The keys of its sources, by encoder.
    pub(super) keys: TitleKeys,
    /// From when it was taken up, seconds.
    pub(super) wall_secs: f64,
    /// One or more per encoder, by its place.
    pub(super) outcomes: Vec<(usize, Outcome)>,
    /// Where its time went.
    pub(super) cpu_secs: StageSecs,
    /// Length of the films decoded for it, seconds each.
    pub(super) films: Vec<f64>,
    /// Greatest resident size of a worker that decoded for it, bytes.
    pub(super) worker_peak_bytes: u64,
}

impl TitleResult {
    pub(super) fn new(idx: usize, title: &Title) -> Self {
        Self {
            idx,
            title: title.id.clone(),
            keys: Vec::new(),
            wall_secs: 0.0,
            outcomes: Vec::new(),
            cpu_secs: StageSecs::default(),
            films: Vec::new(),
            worker_peak_bytes: 0,
        }
    }

    pub(super) fn push(&mut self, encoder_idx: usize, outcome: Outcome) {
        self.outcomes.push((encoder_idx, outcome));
    }

    /// What an encoder has just heard of a source.
    pub(super) fn text_of(&self, encoder_idx: usize, key: &Digest) -> Option<&TimedText> {
        self.outcomes.iter().find_map(|(idx, outcome)| match outcome {
            Outcome::Computed(row) if *idx == encoder_idx && row.key == *key => row.text.as_ref(),
            _ => None,
        })
    }
}

/// What comes of a source: a row with features at real times, or a failure.
pub(super) fn outcome(
    title: &Title,
    source: &SourceKey,
    result: Result<Features, Failure>,
    partial: Option<Failure>,
) -> Outcome {
    let result = result.and_then(at_real_times);
    match result {
        Ok(features) => Outcome::Computed(FeatureRow {
            key: source.key,
            title: title.id.clone(),
            data: features.data,
            time_secs: features.time_secs,
            partial: partial.map(|failure| failure.to_string()),
            text: features.text,
        }),
        Err(failure) => Outcome::Failed(failure_row(title, source, failure)),
    }
}

/// The features, if their times are finite: a store takes no others, and one title's would end the run.
fn at_real_times(features: Features) -> Result<Features, Failure> {
    let ends = features.text.iter().flat_map(|text| text.segments.iter().map(|s| s.end_secs));
    if features.time_secs.iter().copied().chain(ends).all(f32::is_finite) {
        return Ok(features);
    }
    Err(Failure::new(ReasonCode::NotFinite, "a time is not finite"))
}

pub(super) fn failure_row(title: &Title, source: &SourceKey, failure: Failure) -> FailureRow {
    FailureRow {
        key: source.key,
        title: title.id.clone(),
        source: source.place(),
        code: failure.code.as_str().to_owned(),
        detail: failure.detail,
    }
}
