//! One title: what is known, what must be decoded, what comes of it.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use rustix::time::{ClockId, clock_gettime};

use super::{OpenEncoder, Retry, SourceKey, StageSecs, source_key};
use crate::{
    base::{Digest, TitleId},
    catalog::Title,
    encode::{Features, Input, SourceKind, Want},
    media::{DecodePool, DecodeRequest, Decoded, Failure, Keyframes, ReasonCode},
    store::{FailureRow, FeatureRow, Index, SourceDigests},
};

/// What came of one encoder for one title.
pub(super) enum Outcome {
    /// The catalog names no source.
    Absent,
    /// In the store, or being computed for another title with the same source.
    Cached,
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
            Self::Computed(row) if row.partial.is_some() => "partial",
            Self::Computed(_) => "computed",
            Self::KnownFailure(code) => code,
            Self::Failed(row) => &row.code,
        }
    }
}

/// All that came of one title.
pub(super) struct TitleResult {
    pub(super) title: TitleId,
    /// From when it was taken up, seconds.
    pub(super) wall_secs: f64,
    /// One per encoder.
    pub(super) outcomes: Vec<Outcome>,
    /// Where its time went.
    pub(super) cpu_secs: StageSecs,
    /// Length of the films decoded for it, seconds each.
    pub(super) films: Vec<f64>,
    /// Greatest resident size of a worker that decoded for it, bytes.
    pub(super) worker_peak_bytes: u64,
}

/// What all threads share.
pub(super) struct Shared<'a> {
    pub(super) encoders: &'a [OpenEncoder],
    pub(super) indexes: &'a [Index],
    /// `None` where no encoder wants a file decoded.
    pub(super) pool: Option<&'a DecodePool>,
    pub(super) digests: &'a SourceDigests,
    pub(super) retry: &'a Retry,
    /// Sources taken up in this run, by encoder: two titles may share one.
    pub(super) claimed: Mutex<HashSet<(usize, Digest)>>,
}

impl Shared<'_> {
    /// Computes what is missing of a title.
    pub(super) fn process(&self, title: &Title) -> TitleResult {
        let _span = tracing::debug_span!("title", id = %title.id).entered();
        let started = Instant::now();
        let mut cpu_secs = StageSecs::default();
        let mut films = Vec::new();
        let mut worker_peak_bytes = 0;
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        let mut by_file: BTreeMap<PathBuf, Vec<(usize, SourceKey)>> = BTreeMap::new();
        for (encoder_idx, open) in self.encoders.iter().enumerate() {
            let started = Instant::now();
            let source = source_key(open.modality, title, self.digests);
            cpu_secs.digest += started.elapsed().as_secs_f64();
            let Some(source) = source else {
                outcomes.push(Some(Outcome::Absent));
                continue;
            };
            outcomes.push(self.known(encoder_idx, title, &source));
            if outcomes[encoder_idx].is_some() {
                continue;
            }
            match &source.source {
                SourceKind::File(path) => {
                    by_file.entry(path.clone()).or_default().push((encoder_idx, source));
                }
                SourceKind::Text(text) => {
                    let result = self.encode(encoder_idx, Input::Text(text), &mut cpu_secs);
                    let outcome = outcome(title, &source, result, None);
                    outcomes[encoder_idx] = Some(outcome);
                }
            }
        }
        for (path, wanted) in by_file {
            let mut decoded = self.decode(&self.request(&path, &wanted), &mut cpu_secs);
            for (encoder_idx, _) in &wanted {
                self.look_again(*encoder_idx, &path, &mut decoded, &mut cpu_secs);
            }
            worker_peak_bytes = worker_peak_bytes.max(decoded.peak_bytes.unwrap_or(0));
            if let Some(secs) = decoded.duration_secs
                && decoded.picture.is_none()
            {
                films.push(secs);
            }
            for (encoder_idx, source) in wanted {
                let (result, partial) = self.encode_decoded(encoder_idx, &decoded, &mut cpu_secs);
                outcomes[encoder_idx] = Some(outcome(title, &source, result, partial));
            }
        }
        let outcomes = outcomes.into_iter().map(|o| o.unwrap_or(Outcome::Absent)).collect();
        TitleResult {
            title: title.id.clone(),
            wall_secs: started.elapsed().as_secs_f64(),
            outcomes,
            cpu_secs,
            films,
            worker_peak_bytes,
        }
    }

    /// What is known of a source without computing anything.
    fn known(&self, encoder_idx: usize, title: &Title, source: &SourceKey) -> Option<Outcome> {
        let index = &self.indexes[encoder_idx];
        if index.contains(&source.key) {
            return Some(Outcome::Cached);
        }
        if let Some(failure) = index.failure(&source.key)
            && !self.retry.covers(&failure.code)
        {
            return Some(Outcome::KnownFailure(failure.code.clone()));
        }
        let mut claimed = self.claimed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !claimed.insert((encoder_idx, source.key)) {
            return Some(Outcome::Cached);
        }
        let failure = source.unreadable.clone()?;
        Some(Outcome::Failed(failure_row(title, source, failure)))
    }

    fn decode(&self, request: &DecodeRequest, cpu_secs: &mut StageSecs) -> Decoded {
        let _span = tracing::debug_span!("decode", path = %request.path.display()).entered();
        let decoded = self.pool.map_or_else(Decoded::default, |pool| pool.decode(request));
        cpu_secs.decode_picture += decoded.picture_cpu_secs;
        cpu_secs.decode_sound += decoded.audio_cpu_secs;
        decoded
    }

    /// Puts the frames in place that an encoder wants once it has seen the first. What was wrong
    /// with those marks these.
    fn look_again(
        &self,
        encoder_idx: usize,
        path: &Path,
        decoded: &mut Decoded,
        cpu_secs: &mut StageSecs,
    ) {
        let encoder = &self.encoders[encoder_idx].encoder;
        let (Want::Frames(_), Some(first)) = (encoder.want(), &decoded.frames) else { return };
        let wanted = self.timed(encoder_idx, cpu_secs, || encoder.want_again(first.as_ref()));
        let flaw = match first {
            Ok(frames) => frames.partial.clone(),
            Err(failure) => Some(failure.clone()),
        };
        decoded.frames = Some(match wanted {
            Ok(None) => return,
            Err(failure) => Err(failure),
            Ok(Some(spec)) => {
                decoded.frames = None; // small frames of a whole film are large
                let request = DecodeRequest {
                    path: path.to_owned(),
                    frames: Some(spec),
                    audio: None,
                    picture: None,
                };
                let again = self.decode(&request, cpu_secs);
                decoded.peak_bytes = decoded.peak_bytes.max(again.peak_bytes);
                let frames = again.frames.unwrap_or_else(|| Err(unasked()));
                frames.map(|frames| Keyframes { partial: frames.partial.or(flaw), ..frames })
            }
        });
    }

    fn request(&self, path: &Path, wanted: &[(usize, SourceKey)]) -> DecodeRequest {
        let mut request =
            DecodeRequest { path: path.to_owned(), frames: None, audio: None, picture: None };
        for (encoder_idx, _) in wanted {
            match self.encoders[*encoder_idx].encoder.want() {
                Want::Frames(spec) => request.frames = Some(spec),
                Want::Audio(spec) => request.audio = Some(spec),
                Want::Picture(spec) => request.picture = Some(spec),
                Want::Text => {}
            }
        }
        request
    }

    /// Features from an encoder's part of what was decoded, and why that part is incomplete.
    fn encode_decoded(
        &self,
        encoder_idx: usize,
        decoded: &Decoded,
        cpu_secs: &mut StageSecs,
    ) -> (Result<Features, Failure>, Option<Failure>) {
        let nothing = |what: &str| Failure::new(ReasonCode::NoContent, format!("no {what} left"));
        let (input, partial) = match self.encoders[encoder_idx].encoder.want() {
            Want::Frames(_) => match &decoded.frames {
                Some(Ok(frames)) if frames.kept.is_empty() => {
                    (Err(frames.partial.clone().unwrap_or_else(|| nothing("keyframe"))), None)
                }
                Some(Ok(frames)) => (Ok(Input::Frames(frames)), frames.partial.clone()),
                Some(Err(failure)) => (Err(failure.clone()), None),
                None => (Err(unasked()), None),
            },
            Want::Audio(_) => match &decoded.audio {
                Some(Ok(samples)) if samples.mono.is_empty() => {
                    (Err(samples.partial.clone().unwrap_or_else(|| nothing("sample"))), None)
                }
                Some(Ok(samples)) => (Ok(Input::Audio(samples)), samples.partial.clone()),
                Some(Err(failure)) => (Err(failure.clone()), None),
                None => (Err(unasked()), None),
            },
            Want::Picture(_) => match &decoded.picture {
                Some(Ok(picture)) => (Ok(Input::Picture(picture)), None),
                Some(Err(failure)) => (Err(failure.clone()), None),
                None => (Err(unasked()), None),
            },
            Want::Text => (Err(unasked()), None),
        };
        (input.and_then(|input| self.encode(encoder_idx, input, cpu_secs)), partial)
    }

    fn encode(
        &self,
        encoder_idx: usize,
        input: Input<'_>,
        cpu_secs: &mut StageSecs,
    ) -> Result<Features, Failure> {
        let encoder = &self.encoders[encoder_idx].encoder;
        let _span = tracing::debug_span!("encode", encoder = encoder.identity().name).entered();
        self.timed(encoder_idx, cpu_secs, || encoder.encode(input))
    }

    /// Does something and counts its time to an encoder: the thread's CPU time, or by the clock
    /// where the thread waits for a device.
    fn timed<T>(
        &self,
        encoder_idx: usize,
        cpu_secs: &mut StageSecs,
        work: impl FnOnce() -> T,
    ) -> T {
        let encoder = &self.encoders[encoder_idx].encoder;
        let (started, cpu_before) = (Instant::now(), thread_cpu_secs());
        let result = work();
        let secs = if encoder.is_on_device() {
            started.elapsed().as_secs_f64()
        } else {
            thread_cpu_secs() - cpu_before
        };
        *cpu_secs.encode.entry(encoder.identity().name.clone()).or_default() += secs;
        result
    }
}

fn unasked() -> Failure {
    Failure::new(ReasonCode::EncoderFailed, "the decoder gave no answer")
}

fn outcome(
    title: &Title,
    source: &SourceKey,
    result: Result<Features, Failure>,
    partial: Option<Failure>,
) -> Outcome {
    match result {
        Ok(features) => Outcome::Computed(FeatureRow {
            key: source.key,
            title: title.id.clone(),
            data: features.data,
            time_secs: features.time_secs,
            partial: partial.map(|failure| failure.to_string()),
        }),
        Err(failure) => Outcome::Failed(failure_row(title, source, failure)),
    }
}

fn failure_row(title: &Title, source: &SourceKey, failure: Failure) -> FailureRow {
    FailureRow {
        key: source.key,
        title: title.id.clone(),
        source: source.place(),
        code: failure.code.as_str().to_owned(),
        detail: failure.detail,
    }
}

/// CPU seconds that this thread has used.
fn thread_cpu_secs() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
