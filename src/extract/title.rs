//! One title: what is known, what must be decoded, what comes of it.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use base::Digest;
use catalog::Title;
use encode::{EncodeError, Features, Input, SourceKind, registry};
use media::{DecodeRequest, Decoded, Failure, FrameSpec, Keyframes, Part, ReasonCode, Want};
use rustix::time::{ClockId, clock_gettime};
use store::{SourceDigests, TimedText, digest_of_text};

use super::{
    ExtractError, OpenEncoder, Retry, SourceKey, StageSecs,
    asked::{Answers, Asked},
    known::Known,
    outcome::{Outcome, TitleResult, failure_row, outcome},
    workers::Workers,
};

/// What all threads share.
pub(super) struct Shared<'a> {
    encoders: &'a [OpenEncoder],
    known: &'a Known,
    workers: &'a Workers,
    digests: &'a SourceDigests,
    retry: &'a Retry,
    /// Sources taken up in this run, by encoder: two titles may share one.
    claimed: Mutex<HashSet<(usize, Digest)>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        encoders: &'a [OpenEncoder],
        known: &'a Known,
        workers: &'a Workers,
        digests: &'a SourceDigests,
        retry: &'a Retry,
    ) -> Self {
        Self { encoders, known, workers, digests, retry, claimed: Mutex::default() }
    }

    /// Computes what is missing of a title.
    ///
    /// # Errors
    /// An encoder lacks its weights; no decode worker can be started.
    pub(super) fn process(&self, idx: usize, title: &Title) -> Result<TitleResult, ExtractError> {
        let _span = tracing::debug_span!("title", id = %title.id).entered();
        let started = Instant::now();
        let mut result = TitleResult::new(idx, title);
        let mut by_file: BTreeMap<PathBuf, Vec<(usize, SourceKey)>> = BTreeMap::new();
        for (encoder_idx, open) in self.encoders.iter().enumerate() {
            let started = Instant::now();
            let sources = open.source_keys(title, self.digests);
            result.cpu_secs.digest += started.elapsed().as_secs_f64();
            if sources.is_empty() && open.reads.is_none() {
                result.push(encoder_idx, Outcome::Absent);
            }
            result.keys.push(sources.iter().map(|source| source.key).collect());
            for source in sources {
                if let Some(known) = self.known(encoder_idx, title, &source) {
                    result.push(encoder_idx, known);
                    continue;
                }
                self.prepare(encoder_idx, &source.source)?;
                match &source.source {
                    SourceKind::File(path) => {
                        by_file.entry(path.clone()).or_default().push((encoder_idx, source));
                    }
                    SourceKind::Text(text) => {
                        let cpu_secs = &mut result.cpu_secs;
                        let features = self.encode(encoder_idx, Input::Text(text), cpu_secs);
                        result.push(encoder_idx, outcome(title, &source, features, None));
                    }
                }
            }
        }
        for (path, wanted) in by_file {
            self.process_file(title, &path, wanted, &mut result)?;
        }
        for (encoder_idx, open) in self.encoders.iter().enumerate() {
            if let Some(listener) = open.reads {
                self.read_texts(title, encoder_idx, listener, &mut result)?;
            }
        }
        // In the encoders' order, whoever was quicker.
        result.outcomes.sort_by_key(|(encoder_idx, _)| *encoder_idx);
        result.wall_secs = started.elapsed().as_secs_f64();
        Ok(result)
    }

    /// Loads what an encoder needs to look at a source, and those that read what it gives of it:
    /// before anything is decoded, so that weights which are not there cost no time.
    fn prepare(&self, encoder_idx: usize, source: &SourceKind) -> Result<(), EncodeError> {
        let is_asked =
            |idx: usize, open: &OpenEncoder| idx == encoder_idx || open.reads == Some(encoder_idx);
        let mut asked = self.encoders.iter().enumerate().filter(|(idx, open)| is_asked(*idx, open));
        asked.try_for_each(|(_, open)| open.encoder.prepare(source))
    }

    /// Ids of the pretrained models of all encoders that have something to look at. A file counts as
    /// new: whether it is known cannot be told without reading it.
    pub(super) fn weights(&self, titles: &[Title]) -> Vec<String> {
        let is_new = |idx: usize, source: &SourceKind| match source {
            SourceKind::File(_) => true,
            SourceKind::Text(text) => !self.known.has(idx, &digest_of_text(text)),
        };
        let has_new = |idx: usize, open: &OpenEncoder| {
            titles.iter().any(|title| open.sources(title).iter().any(|source| is_new(idx, source)))
        };
        let encoders = self.encoders.iter().enumerate();
        let asked = encoders.filter(|(idx, open)| has_new(*idx, open));
        let instances: Vec<_> = asked.map(|(_, open)| open.instance.clone()).collect();
        registry::weights(&instances)
    }

    /// Decodes a file once for all encoders that want something of it.
    ///
    /// # Errors
    /// No decode worker can be started.
    fn process_file(
        &self,
        title: &Title,
        path: &Path,
        wanted: Vec<(usize, SourceKey)>,
        result: &mut TitleResult,
    ) -> Result<(), ExtractError> {
        let encoders: Vec<usize> = wanted.iter().map(|(encoder_idx, _)| *encoder_idx).collect();
        let mut asked = Asked::default();
        for encoder_idx in &encoders {
            asked.add(self.encoders[*encoder_idx].encoder.wants());
        }
        let request = DecodeRequest::new(path, asked.wants.as_slice());
        let mut decoded = self.decode(&request, &mut result.cpu_secs)?;
        if let Some(secs) = decoded.duration_secs
            && !request.wants.iter().any(|want| matches!(want, Want::Picture(_)))
        {
            result.films.push(secs);
        }
        let mut answers = asked.answered(&mut decoded);
        let again = self.look_again(&encoders, path, &mut answers, &mut result.cpu_secs)?;
        let peak_bytes = decoded.peak_bytes.max(again).unwrap_or(0);
        result.worker_peak_bytes = result.worker_peak_bytes.max(peak_bytes);
        answers.refuse_empty();
        if self.workers.is_cut() {
            // Nothing is known of the file: its worker was stopped.
            for (encoder_idx, _) in wanted {
                result.push(encoder_idx, Outcome::Stopped);
            }
            return Ok(());
        }
        for (asker, (encoder_idx, source)) in wanted.into_iter().enumerate() {
            let parts = answers.of(asker);
            let cpu_secs = &mut result.cpu_secs;
            let (features, partial) = self.encode_parts(encoder_idx, &parts, cpu_secs);
            result.push(encoder_idx, outcome(title, &source, features, partial));
        }
        Ok(())
    }

    /// Has an encoder read the texts that another, `listener`, gives of the title's sources. Where
    /// that has none for want of a text, there is nothing to read.
    ///
    /// # Errors
    /// It lacks its weights.
    fn read_texts(
        &self,
        title: &Title,
        encoder_idx: usize,
        listener: usize,
        result: &mut TitleResult,
    ) -> Result<(), EncodeError> {
        let open = &self.encoders[listener];
        let sources = open.source_keys(title, self.digests);
        if sources.is_empty() {
            result.push(encoder_idx, Outcome::Absent);
        }
        for source in sources {
            let heard = result.text_of(listener, &source.key).cloned();
            let is_stored = self.known.has(listener, &source.key);
            if heard.is_none() && !is_stored {
                result.push(encoder_idx, Outcome::Absent);
                continue;
            }
            let key = open.key_of_text(&source.key);
            let derived = SourceKey { key, unreadable: None, ..source.clone() };
            if let Some(known) = self.known(encoder_idx, title, &derived) {
                result.push(encoder_idx, known);
                continue;
            }
            self.prepare(encoder_idx, &source.source)?;
            let text = heard.map_or_else(|| self.stored_text(listener, &source.key), Ok);
            let features = text.and_then(|text| {
                self.encode(encoder_idx, Input::Text(&text.words()), &mut result.cpu_secs)
            });
            result.push(encoder_idx, outcome(title, &derived, features, None));
        }
        Ok(())
    }

    fn stored_text(&self, listener: usize, key: &Digest) -> Result<TimedText, Failure> {
        let texts = self.known.texts(listener, &[*key]);
        let failed = |what: String| Failure::new(ReasonCode::EncoderFailed, what);
        let text = texts.map_err(|e| failed(e.to_string()))?.pop().flatten();
        text.ok_or_else(|| failed("the store has no text of it".to_owned()))
    }

    /// What is known of a source without computing anything.
    fn known(&self, encoder_idx: usize, title: &Title, source: &SourceKey) -> Option<Outcome> {
        if source.is_cut {
            return Some(Outcome::Stopped);
        }
        if self.known.has(encoder_idx, &source.key) {
            return Some(Outcome::Cached);
        }
        if let Some(failure) = self.known.failure(encoder_idx, &source.key)
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

    fn decode(
        &self,
        request: &DecodeRequest,
        cpu_secs: &mut StageSecs,
    ) -> Result<Decoded, ExtractError> {
        let _span = tracing::debug_span!("decode", path = %request.path.display()).entered();
        let decoded = self.workers.get()?.decode(request);
        cpu_secs.decode_picture += decoded.picture_cpu_secs;
        cpu_secs.decode_sound += decoded.audio_cpu_secs;
        Ok(decoded)
    }

    /// Puts the frames in place that encoders want once they have seen the first, decoded in one
    /// pass for all of them. What was wrong with the first marks these. Gives the worker's peak.
    fn look_again(
        &self,
        encoders: &[usize],
        path: &Path,
        answers: &mut Answers,
        cpu_secs: &mut StageSecs,
    ) -> Result<Option<u64>, ExtractError> {
        let mut again: Vec<SecondLook> = Vec::new();
        for (asker, encoder_idx) in encoders.iter().enumerate() {
            let Some(first) = answers.frames(asker) else { continue };
            let encoder = &self.encoders[*encoder_idx].encoder;
            let flaw = match first {
                Ok(frames) => frames.partial.clone(),
                Err(failure) => Some(failure.clone()),
            };
            match self.timed(*encoder_idx, cpu_secs, || encoder.want_again(first)) {
                Ok(None) => {}
                Err(failure) => answers.replace_frames(&[asker], Err(failure)),
                Ok(Some(spec)) => {
                    match again.iter_mut().find(|look| look.spec == spec && look.flaw == flaw) {
                        Some(look) => look.askers.push(asker),
                        None => again.push(SecondLook { spec, flaw, askers: vec![asker] }),
                    }
                }
            }
        }
        answers.drop_previews();
        if again.is_empty() {
            return Ok(None);
        }
        let wants: Vec<Want> = again.iter().map(|look| Want::Frames(look.spec.clone())).collect();
        let mut decoded = self.decode(&DecodeRequest::new(path, wants), cpu_secs)?;
        for (idx, SecondLook { flaw, askers, .. }) in again.into_iter().enumerate() {
            let frames = decoded.take::<Keyframes>(idx);
            let frames = frames.map(|frames| {
                Part::Frames(Keyframes { partial: frames.partial.clone().or(flaw), ..frames })
            });
            answers.replace_frames(&askers, frames);
        }
        Ok(decoded.peak_bytes)
    }

    /// Features from an encoder's parts of what was decoded, and why they are incomplete. Where
    /// none of its parts is there, the first's failure stands.
    fn encode_parts(
        &self,
        encoder_idx: usize,
        parts: &[Result<&Part, &Failure>],
        cpu_secs: &mut StageSecs,
    ) -> (Result<Features, Failure>, Option<Failure>) {
        if parts.iter().all(Result::is_err) {
            let failure = parts.iter().find_map(|part| part.err().cloned());
            return (Err(failure.unwrap_or_else(unasked)), None);
        }
        let partial = parts.iter().flatten().find_map(|part| part.partial().cloned());
        (self.encode(encoder_idx, Input::Parts(parts), cpu_secs), partial)
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
        *cpu_secs.encode.entry(self.encoders[encoder_idx].identity.name.clone()).or_default() +=
            secs;
        result
    }
}

/// Frames that some encoders want once they have seen the first.
struct SecondLook {
    spec: FrameSpec,
    /// What was wrong with the first.
    flaw: Option<Failure>,
    askers: Vec<usize>,
}

fn unasked() -> Failure {
    Failure::new(ReasonCode::EncoderFailed, "the decoder gave no answer")
}

/// CPU seconds that this thread has used.
fn thread_cpu_secs() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
