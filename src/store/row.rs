//! What goes into the store and what comes out.

use base::{Digest, Fingerprint, TitleId};
use half::f16;
use serde::{Deserialize, Serialize};

/// The reason code of features that are not finite in the store's f16.
const NOT_FINITE: &str = "not_finite";

/// Who made the features: written in words into `encoder.json` beside the shards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderIdentity {
    /// The modality's name; the folder is `<name>-<fingerprint>`.
    pub name: String,
    /// Over everything below that changes numbers.
    pub fingerprint: Fingerprint,
    /// Length of one feature row.
    pub dim: usize,
    /// What one row is (`keyframe`, `window of 10 s`, `text window`), for people.
    pub row_unit: String,
    /// Settings, weights digest, algorithm version: all that the fingerprint covers.
    pub description: serde_json::Value,
}

/// Features of one source: zero rows are not allowed (that is a [`FailureRow`]).
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureRow {
    /// Digest of the source's content: the row's key within its encoder.
    pub key: Digest,
    /// The title it was first computed for (for people; the key is what counts).
    pub title: TitleId,
    /// `[rows, dim]`, all finite.
    pub data: Vec<f32>,
    /// `[rows]` seconds from the start, where rows have a time; else empty.
    pub time_secs: Vec<f32>,
    /// Why the features are not of the whole source, where they are not (`truncated: …`).
    pub partial: Option<String>,
    /// What each row says, where rows are segments of a text; then they have times, too.
    pub text: Option<TimedText>,
}

impl FeatureRow {
    /// The row as it will be read back: numbers of f16's precision.
    ///
    /// # Errors
    /// f16 cannot hold a number of it (beyond ±65504, or not finite): the failure that is published
    /// in its place. Clamped it would look like data.
    pub fn rounded(mut self, dim: usize) -> Result<Self, FailureRow> {
        if let Some(failure) = self.unstorable(dim) {
            return Err(failure);
        }
        for value in &mut self.data {
            *value = f16::from_f32(*value).to_f32();
        }
        Ok(self)
    }

    /// Why f16 cannot hold its features, if so.
    pub(super) fn unstorable(&self, dim: usize) -> Option<FailureRow> {
        let at = self.data.iter().position(|&value| !f16::from_f32(value).is_finite())?;
        let value = self.data[at];
        Some(FailureRow {
            key: self.key,
            title: self.title.clone(),
            source: String::new(),
            code: NOT_FINITE.to_owned(),
            detail: format!("feature {} of row {} is {value}", at % dim, at / dim),
        })
    }
}

/// A text in segments, such as what is said in a trailer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimedText {
    /// In the order in which they are said.
    pub segments: Vec<TextSegment>,
    /// ISO 639-1, where it is known.
    pub language: Option<String>,
}

/// A piece of a [`TimedText`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextSegment {
    /// Seconds from the source's start.
    pub start_secs: f32,
    /// Seconds from the source's start; equal to `start_secs` where no times are known.
    pub end_secs: f32,
    /// The words.
    pub text: String,
}

impl TextSegment {
    /// Whether it is known when it is said.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.end_secs > self.start_secs
    }
}

impl TimedText {
    /// All words, a space between segments.
    #[must_use]
    pub fn words(&self) -> String {
        let texts: Vec<&str> = self.segments.iter().map(|segment| segment.text.trim()).collect();
        texts.join(" ")
    }
}

/// A source without features, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureRow {
    /// Digest of the source's content; of its path where it could not be read.
    pub key: Digest,
    /// The title it was asked for.
    pub title: TitleId,
    /// Where the source is.
    pub source: String,
    /// The stable reason code.
    pub code: String,
    /// The decoder's own words.
    pub detail: String,
}

/// Features of many titles, flat: title `i` owns rows `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ragged {
    /// Length of one row.
    pub dim: usize,
    /// `[rows, dim]`
    pub data: Vec<f32>,
    /// `[titles + 1]`; a title without rows is missing.
    pub offsets: Vec<usize>,
    /// `[rows]`, or empty where rows have no time.
    pub time_secs: Vec<f32>,
}

impl Ragged {
    /// No titles yet.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { dim, data: Vec::new(), offsets: vec![0], time_secs: Vec::new() }
    }

    /// Number of titles, missing ones counted.
    #[must_use]
    pub fn num_titles(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Number of rows of a title; 0 where it is missing.
    #[must_use]
    pub fn num_rows(&self, title_idx: usize) -> usize {
        self.offsets[title_idx + 1] - self.offsets[title_idx]
    }

    /// A title's rows, `[rows, dim]`.
    #[must_use]
    pub fn rows(&self, title_idx: usize) -> &[f32] {
        &self.data[self.offsets[title_idx] * self.dim..self.offsets[title_idx + 1] * self.dim]
    }

    /// A title's row times; empty where rows have none.
    #[must_use]
    pub fn times(&self, title_idx: usize) -> &[f32] {
        if self.time_secs.is_empty() {
            &[]
        } else {
            &self.time_secs[self.offsets[title_idx]..self.offsets[title_idx + 1]]
        }
    }

    /// Adds the next title: `data` `[rows, dim]` (empty: missing), `time_secs` `[rows]` or
    /// empty.
    pub fn push(&mut self, data: &[f32], time_secs: &[f32]) {
        debug_assert_eq!(data.len() % self.dim.max(1), 0);
        self.data.extend_from_slice(data);
        self.time_secs.extend_from_slice(time_secs);
        self.offsets.push(self.data.len() / self.dim.max(1));
    }
}
