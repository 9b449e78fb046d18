//! What comes of titles: counted, judged, and handed on to be published.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base::{Interrupt, Progress, memory};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use store::{EncoderStore, FailureRow};

use super::{
    EncoderReport, ExtractError, ExtractReport, ExtractSettings, OpenEncoder,
    held::{Fresh, FreshByKey, Held},
    looking::TitleKeys,
    outcome::{Outcome, TitleResult},
    report::is_ordinary,
};

/// How often the collector looks around while no title comes.
const TICK: Duration = Duration::from_millis(200);
/// Titles before `max_failed_frac` is judged.
const JUDGED_AFTER: usize = 20;

/// What came of titles, for who looks at them.
#[derive(Default)]
pub(super) struct Kept {
    /// `[titles]`
    pub(super) keys: Vec<TitleKeys>,
    pub(super) fresh: FreshByKey,
}

/// Takes what comes of titles, in whatever order.
pub(super) struct Collector<'a> {
    settings: &'a ExtractSettings,
    folders: &'a [Arc<EncoderStore>],
    dims: Vec<usize>,
    held: &'a Mutex<Held>,
    /// What came, where somebody looks at it.
    pub(super) kept: Option<Kept>,
    /// Failures of this run that are no ordinary absence, per encoder.
    hard_failures: Vec<usize>,
    started: Instant,
    pub(super) report: ExtractReport,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        settings: &'a ExtractSettings,
        encoders: &[OpenEncoder],
        folders: &'a [Arc<EncoderStore>],
        held: &'a Mutex<Held>,
    ) -> Self {
        let report = ExtractReport {
            encoders: encoders
                .iter()
                .map(|open| {
                    let identity = &open.identity;
                    let reads = if open.reads.is_some() { " (text)" } else { "" };
                    EncoderReport {
                        name: format!("{}{reads}", open.name()),
                        folder: format!("{}-{}", identity.name, identity.fingerprint),
                        ..EncoderReport::default()
                    }
                })
                .collect(),
            ..ExtractReport::default()
        };
        Self {
            settings,
            folders,
            dims: encoders.iter().map(|open| open.identity.dim).collect(),
            held,
            kept: None,
            hard_failures: vec![0; folders.len()],
            started: Instant::now(),
            report,
        }
    }

    /// Keeps what comes of `num_titles` titles for who looks.
    pub(super) fn keeping(self, num_titles: usize) -> Self {
        let keys = vec![Vec::new(); num_titles];
        let fresh = vec![HashMap::new(); self.folders.len()];
        Self { kept: Some(Kept { keys, fresh }), ..self }
    }

    /// Takes what comes until nothing comes any more. `cut` is called once, when an interrupt has
    /// lasted for as long as titles in hand are given.
    pub(super) fn collect(
        &mut self,
        results: &Receiver<TitleResult>,
        progress: &dyn Progress,
        interrupt: &Interrupt,
        cut: &dyn Fn(),
    ) -> Result<(), ExtractError> {
        let mut interrupted: Option<Instant> = None;
        let mut is_cut = false;
        loop {
            match results.recv_timeout(TICK) {
                Ok(result) => {
                    self.take(result);
                    progress.advance(1);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if interrupt.is_raised() {
                let since = interrupted.get_or_insert_with(Instant::now);
                if !is_cut && since.elapsed().as_secs() >= self.settings.grace_secs {
                    is_cut = true;
                    cut();
                }
            }
            let (num_held, age) = {
                let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                (held.len(), held.age().as_secs())
            };
            // Who stops us may not wait for the titles in hand.
            if num_held >= self.settings.shard_titles
                || age >= self.settings.shard_secs
                || interrupt.is_raised()
            {
                self.publish()?;
            }
            self.judge()?;
        }
    }

    /// Takes up what came of a title.
    pub(super) fn take(&mut self, result: TitleResult) {
        if self.report.num_titles == 0 {
            self.report.first_title_secs = self.started.elapsed().as_secs_f64();
        }
        self.report.num_titles += 1;
        let words = result.outcomes.iter().map(|(idx, outcome)| {
            format!("{}={}", self.report.encoders[*idx].name, outcome.word())
        });
        tracing::info!(
            title = %result.title,
            outcome = words.collect::<Vec<_>>().join(" "),
            secs = (result.wall_secs * 1e3).round() / 1e3,
            film_secs = result.films.iter().sum::<f64>(),
            "title"
        );
        self.report.num_films += result.films.len();
        self.report.film_hours += result.films.iter().sum::<f64>() / 3600.0;
        self.report.cpu_secs.add(&result.cpu_secs);
        let worker_peak = &mut self.report.peak_memory.worker_bytes;
        *worker_peak = result.worker_peak_bytes.max(*worker_peak);
        for (encoder_idx, outcome) in result.outcomes {
            let report = &mut self.report.encoders[encoder_idx];
            match outcome {
                Outcome::Absent => report.absent += 1,
                Outcome::Stopped => {}
                Outcome::Cached => report.cached += 1,
                Outcome::KnownFailure(code) => {
                    report.known_failed += 1;
                    *report.failed.entry(code).or_default() += 1;
                }
                Outcome::Computed(row) => match row.rounded(self.dims[encoder_idx]) {
                    Ok(row) => {
                        report.computed += 1;
                        report.partial += usize::from(row.partial.is_some());
                        self.hold(encoder_idx, Fresh::Row(row.into()));
                    }
                    Err(failure) => self.fail(encoder_idx, failure),
                },
                Outcome::Failed(row) => self.fail(encoder_idx, row),
            }
        }
        if let Some(kept) = &mut self.kept {
            kept.keys[result.idx] = result.keys;
        }
    }

    fn fail(&mut self, encoder_idx: usize, row: FailureRow) {
        let report = &mut self.report.encoders[encoder_idx];
        tell_failure(&report.name, &row);
        *report.failed.entry(row.code.clone()).or_default() += 1;
        self.hard_failures[encoder_idx] += usize::from(!is_ordinary(&row.code));
        self.hold(encoder_idx, Fresh::Failure(row.into()));
    }

    fn hold(&mut self, encoder_idx: usize, fresh: Fresh) {
        if let Some(kept) = &mut self.kept {
            kept.fresh[encoder_idx].insert(fresh.key(), fresh.clone());
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take(encoder_idx, fresh);
    }

    /// Publishes all that is held.
    pub(super) fn publish(&mut self) -> Result<(), ExtractError> {
        let _span = tracing::debug_span!("publish").entered();
        let started = Instant::now();
        self.held.lock().unwrap_or_else(PoisonError::into_inner).publish(self.folders)?;
        self.report.cpu_secs.write += started.elapsed().as_secs_f64();
        Ok(())
    }

    /// Ends a hopeless run.
    fn judge(&self) -> Result<(), ExtractError> {
        for (report, &failed) in self.report.encoders.iter().zip(&self.hard_failures) {
            let tried = report.computed + failed;
            if tried >= JUDGED_AFTER && failed as f64 > self.settings.max_failed_frac * tried as f64
            {
                let reason = report.failed.iter().max_by_key(|(_, count)| **count);
                return Err(ExtractError::TooManyFailures {
                    encoder: report.name.clone(),
                    failed,
                    tried,
                    limit: self.settings.max_failed_frac,
                    reason: reason.map_or_else(String::new, |(code, _)| code.clone()),
                });
            }
        }
        Ok(())
    }

    /// Ends the report.
    pub(super) fn finish(&mut self) {
        self.report.wall_secs = self.started.elapsed().as_secs_f64();
        self.report.peak_memory.process_bytes = memory::peak_bytes().unwrap_or(0);
    }
}

/// What costs a title is an error, what is ordinary in a library (a silent film) a warning.
fn tell_failure(encoder: &str, row: &FailureRow) {
    let FailureRow { title, source, code, detail, .. } = row;
    if is_ordinary(code) {
        tracing::warn!(encoder, %title, source, code, detail, "no features");
    } else {
        tracing::error!(encoder, %title, source, code, detail, "no features");
    }
}
