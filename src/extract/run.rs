//! The run over all titles: threads that take titles, one collector that publishes.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base::{Interrupt, Interrupted, Progress, memory};
use catalog::Title;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use encode::EncodeError;
use media::{DecodePool, Hwaccel, PoolSettings};
use store::{EncoderStore, FailureRow, FeatureRow, FeatureStore};

use super::{
    EncoderReport, ExtractError, ExtractReport, ExtractSettings, OpenEncoder, Retry,
    report::{HwaccelReport, is_ordinary},
    title::{Outcome, Shared, TitleResult},
};

/// How often the collector looks around while no title comes.
const TICK: Duration = Duration::from_millis(200);
/// Titles before `max_failed_frac` is judged.
const JUDGED_AFTER: usize = 20;

/// Computes the features that the store lacks for these titles and publishes them.
///
/// # Errors
/// As [`Extractor::extract`].
pub fn extract(
    titles: &[Title],
    encoders: &[OpenEncoder],
    store: &FeatureStore,
    settings: &ExtractSettings,
    retry: &Retry,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<ExtractReport, ExtractError> {
    Extractor::new(encoders, store, settings).extract(titles, retry, progress, interrupt)
}

/// Encoders over titles that come bit by bit: decode workers and what is known of the store stay.
pub struct Extractor<'a> {
    encoders: &'a [OpenEncoder],
    store: &'a FeatureStore,
    settings: &'a ExtractSettings,
    /// Once there was a title, if any encoder wants files.
    pool: OnceLock<Option<DecodePool>>,
}

impl<'a> Extractor<'a> {
    /// Of these encoders into this store; starts nothing yet.
    #[must_use]
    pub fn new(
        encoders: &'a [OpenEncoder],
        store: &'a FeatureStore,
        settings: &'a ExtractSettings,
    ) -> Self {
        Self { encoders, store, settings, pool: OnceLock::new() }
    }

    /// The decode workers; `None` where no encoder wants files.
    fn pool(&self) -> Result<Option<&DecodePool>, ExtractError> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool.as_ref());
        }
        let settings = self.settings;
        let wants_files = self.encoders.iter().any(|open| !open.encoder.wants().is_empty());
        let pool = wants_files
            .then(|| {
                DecodePool::new(PoolSettings {
                    jobs: settings.num_jobs(),
                    limits: settings.limits.clone(),
                    hwaccel: settings.hwaccel,
                    require_sandbox: settings.require_sandbox,
                    ..PoolSettings::default()
                })
            })
            .transpose()?;
        if let Some(sandbox) = pool.as_ref().map(DecodePool::sandbox)
            && cfg!(target_os = "linux")
            && !sandbox.is_whole()
        {
            tracing::warn!("decode workers are held by {sandbox}: this system lacks the rest");
        }
        Ok(self.pool.get_or_init(|| pool).as_ref())
    }

    /// Computes the features that the store lacks for these titles and publishes them.
    ///
    /// The store then holds, for each title and encoder whose source the catalog names, either
    /// features or a failure with its reason.
    ///
    /// # Errors
    /// The store cannot be written, no worker can be started, too many titles fail, or Ctrl-C;
    /// what was computed until then is published first.
    pub fn extract(
        &self,
        titles: &[Title],
        retry: &Retry,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<ExtractReport, ExtractError> {
        let Self { encoders, store, settings, .. } = *self;
        let jobs = settings.num_jobs();
        let started = Instant::now();
        let pool = self.pool()?;
        let folders = encoders
            .iter()
            .map(|open| store.encoder(&open.identity))
            .collect::<Result<Vec<_>, _>>()?;
        let indexes = folders.iter().map(|own| own.index()).collect::<Result<Vec<_>, _>>()?;
        let digests = store.sources()?;
        let shared = Shared {
            encoders,
            folders: &folders,
            indexes: &indexes,
            pool,
            digests: &digests,
            retry,
            claimed: Mutex::new(HashSet::new()),
        };

        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let broken: Mutex<Option<EncodeError>> = Mutex::new(None);
        let (sender, receiver) = crossbeam_channel::bounded::<TitleResult>(2 * jobs);
        let mut collector = Collector::new(settings, encoders, &folders, started);
        progress.begin("extract", Some(titles.len() as u64));
        let result = thread::scope(|scope| {
            for _ in 0..jobs {
                let sender: Sender<TitleResult> = sender.clone();
                let (shared, next, stop, broken) = (&shared, &next, &stop, &broken);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) && !interrupt.is_raised() {
                        let Some(title) = titles.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            break;
                        };
                        match shared.process(title) {
                            Ok(result) => {
                                if sender.send(result).is_err() {
                                    break;
                                }
                            }
                            Err(error) => {
                                *broken.lock().unwrap_or_else(PoisonError::into_inner) =
                                    Some(error);
                                stop.store(true, Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
            drop(sender);
            let collected = collector.collect(&receiver, progress, interrupt);
            if collected.is_err() {
                stop.store(true, Ordering::Relaxed);
                // Titles in flight still arrive; they are kept if the store lets us.
                for result in &receiver {
                    collector.take(result);
                }
            }
            collected
        });
        progress.end();
        collector.publish_all()?;
        result?;
        if let Some(error) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error.naming_all(&shared.weights(titles)).into());
        }
        if interrupt.is_raised() {
            return Err(Interrupted.into());
        }
        collector.report.jobs = jobs;
        collector.report.hwaccel = HwaccelReport {
            wanted: settings.hwaccel,
            used: pool.map_or(Hwaccel::None, DecodePool::hwaccel),
        };
        Ok(collector.finish())
    }
}

/// Rows on their way into shards.
struct Collector<'a> {
    settings: &'a ExtractSettings,
    folders: &'a [Arc<EncoderStore>],
    rows: Vec<Vec<FeatureRow>>,
    failures: Vec<Vec<FailureRow>>,
    /// Failures of this run that are no ordinary absence, per encoder.
    hard_failures: Vec<usize>,
    held_since: Instant,
    started: Instant,
    report: ExtractReport,
}

impl<'a> Collector<'a> {
    fn new(
        settings: &'a ExtractSettings,
        encoders: &[OpenEncoder],
        folders: &'a [Arc<EncoderStore>],
        started: Instant,
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
            rows: vec![Vec::new(); folders.len()],
            failures: vec![Vec::new(); folders.len()],
            hard_failures: vec![0; folders.len()],
            held_since: started,
            started,
            report,
        }
    }

    fn collect(
        &mut self,
        results: &Receiver<TitleResult>,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), ExtractError> {
        loop {
            match results.recv_timeout(TICK) {
                Ok(result) => {
                    self.take(result);
                    progress.advance(1);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let held = self.rows.iter().map(Vec::len).max().unwrap_or(0);
            let too_long = self.held_since.elapsed().as_secs() >= self.settings.shard_secs;
            // Who stops us may not wait for the titles in hand.
            if held >= self.settings.shard_titles || too_long || interrupt.is_raised() {
                self.publish_all()?;
            }
            self.judge()?;
        }
    }

    fn take(&mut self, result: TitleResult) {
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
                Outcome::Computed(row) => {
                    report.computed += 1;
                    report.partial += usize::from(row.partial.is_some());
                    self.rows[encoder_idx].push(row);
                }
                Outcome::Failed(row) => {
                    tell_failure(&report.name, &row);
                    *report.failed.entry(row.code.clone()).or_default() += 1;
                    self.hard_failures[encoder_idx] += usize::from(!is_ordinary(&row.code));
                    self.failures[encoder_idx].push(row);
                }
            }
        }
    }

    /// Publishes all that is held.
    fn publish_all(&mut self) -> Result<(), ExtractError> {
        let _span = tracing::debug_span!("publish").entered();
        let started = Instant::now();
        for (encoder_idx, folder) in self.folders.iter().enumerate() {
            if !self.rows[encoder_idx].is_empty() {
                let published = folder.publish(&self.rows[encoder_idx])?;
                self.rows[encoder_idx].clear();
                let report = &mut self.report.encoders[encoder_idx];
                report.computed -= published.refused.len();
                self.hard_failures[encoder_idx] += published.refused.len();
                for row in published.refused {
                    tell_failure(&report.name, &row);
                    *report.failed.entry(row.code).or_default() += 1;
                }
            }
            if !self.failures[encoder_idx].is_empty() {
                folder.publish_failures(&self.failures[encoder_idx])?;
                self.failures[encoder_idx].clear();
            }
        }
        self.report.cpu_secs.write += started.elapsed().as_secs_f64();
        self.held_since = Instant::now();
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

    fn finish(mut self) -> ExtractReport {
        self.report.wall_secs = self.started.elapsed().as_secs_f64();
        self.report.peak_memory.process_bytes = memory::peak_bytes().unwrap_or(0);
        self.report
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
