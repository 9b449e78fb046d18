//! A long-lived reader: opened encoders, decode workers, and the store as its cache.
//!
//! in: titles; out: what each modality sees of them, or a filled store
//!
//! Several threads take titles in their order; each has its files decoded by a worker process,
//! encodes what comes back and hands the rows to one collector. While one thread waits for its
//! worker another encodes, so the cores stay busy with few titles in memory. Rows are seen from memory
//! at once, with the precision that the store keeps, and published every few hundred titles, every
//! minute, and when somebody interrupts.
//!
//! The store is written behind: a crash costs what is held, a minute at most.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use base::{Interrupt, Interrupted, NoProgress, Progress};
use catalog::Title;
use crossbeam_channel::Sender;
use dataset::Looked;
use media::{DecodeRequest, Decoded, Hwaccel};
use store::FeatureStore;

use super::{
    ExtractError, ExtractReport, ExtractSettings, OpenModalities, Retry,
    collector::{Collector, Kept},
    held::Held,
    known::Known,
    outcome::TitleResult,
    report::HwaccelReport,
    title::Shared,
    workers::Workers,
};

/// Looks at titles for as long as they come; shared by threads.
///
/// ```no_run
/// use encode::EncoderContext;
/// use extract::{ExtractSettings, OpenModalities, Session};
/// use store::FeatureStore;
/// # use cinetag_extract as extract;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let titles: Vec<catalog::Title> = Vec::new();
/// let settings = [("plot".to_owned(), serde_json::json!({}))].into();
/// let modalities = OpenModalities::open(&settings, &EncoderContext::default())?;
/// let store = FeatureStore::open("feature_store".as_ref());
/// let session = Session::new(modalities.into(), &store, &ExtractSettings::default());
/// for title in &titles {
///     let looked = session.look(title)?; // from memory, or from the store
///     println!("{}: {} rows", title.name, looked.data.modalities.len());
/// }
/// session.publish()?;
/// # Ok(())
/// # }
/// ```
pub struct Session {
    modalities: Arc<OpenModalities>,
    store: FeatureStore,
    settings: ExtractSettings,
    workers: Workers,
    held: Mutex<Held>,
}

impl Session {
    /// Of these modalities over this store; starts nothing yet.
    #[must_use]
    pub fn new(
        modalities: Arc<OpenModalities>,
        store: &FeatureStore,
        settings: &ExtractSettings,
    ) -> Self {
        let held = Mutex::new(Held::new(modalities.encoders().len()));
        let workers = Workers::new(settings, None);
        Self { modalities, store: store.clone(), settings: settings.clone(), workers, held }
    }

    /// The same; files are decoded by this program (`cinetag`) instead of the one that runs, for
    /// programs that are [no decoder themselves](media::worker::serve_if_asked).
    #[must_use]
    pub fn decoding_with(mut self, program: PathBuf) -> Self {
        self.workers = Workers::new(&self.settings, Some(program));
        self
    }

    /// The modalities that look.
    #[must_use]
    pub fn modalities(&self) -> &Arc<OpenModalities> {
        &self.modalities
    }

    /// Where features are kept.
    #[must_use]
    pub fn store(&self) -> &FeatureStore {
        &self.store
    }

    /// What the modalities see of one title: computed, or from the store.
    ///
    /// # Errors
    /// As [`Self::look_all`].
    pub fn look(&self, title: &Title) -> Result<Looked, ExtractError> {
        let interrupt = Interrupt::of_process();
        Ok(self.look_all(std::slice::from_ref(title), &NoProgress, interrupt)?.0)
    }

    /// What the modalities see of titles, in their order: computed, or from the store. To the bit
    /// what [`OpenModalities::stored`] gives once it is [published](Self::publish).
    ///
    /// # Errors
    /// The store cannot be read or written, no worker can be started, weights are not there, too
    /// many titles fail, or Ctrl-C; what was computed until then is published.
    pub fn look_all(
        &self,
        titles: &[Title],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(Looked, ExtractReport), ExtractError> {
        let Worked { mut known, report, kept } =
            self.work(titles, true, &Retry::No, progress, interrupt)?;
        let Kept { keys, fresh } = kept.unwrap_or_default();
        known.add(fresh);
        Ok((self.modalities.looked(titles, &keys, &known)?, report))
    }

    /// Computes the features that the store lacks for these titles and publishes them.
    ///
    /// The store then holds, for each title and encoder whose source the catalog names, either
    /// features or a failure with its reason.
    ///
    /// # Errors
    /// As [`Self::look_all`].
    pub fn fill(
        &self,
        titles: &[Title],
        retry: &Retry,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<ExtractReport, ExtractError> {
        Ok(self.work(titles, false, retry, progress, interrupt)?.report)
    }

    /// How many features and failures were computed and are not in the store yet, of the encoder
    /// that has most.
    #[must_use]
    pub fn num_held(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Publishes what was computed and is not in the store yet.
    ///
    /// # Errors
    /// The store cannot be written; nothing is lost, and the next call tries it again.
    pub fn publish(&self) -> Result<(), ExtractError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() == 0 {
            return Ok(());
        }
        let folders = Known::folders_of(self.modalities.encoders(), &self.store)?;
        Ok(held.publish(&folders)?)
    }

    /// Decodes a file as encoders would have it: by the session's workers, within its limits.
    ///
    /// # Errors
    /// No worker can be started.
    pub fn decode(&self, request: &DecodeRequest) -> Result<Decoded, ExtractError> {
        Ok(self.workers.get()?.decode(request))
    }

    /// Looks at titles; keeps what comes of them where `is_kept`.
    fn work(
        &self,
        titles: &[Title],
        is_kept: bool,
        retry: &Retry,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Worked, ExtractError> {
        let encoders = self.modalities.encoders();
        let jobs = self.settings.num_jobs();
        let fresh = self.held.lock().unwrap_or_else(PoisonError::into_inner).snapshot();
        let known = Known::new(encoders, &self.store, fresh)?;
        let digests = self.store.sources()?;
        let shared = Shared::new(encoders, &known, &self.workers, &digests, retry);

        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let broken: Mutex<Option<ExtractError>> = Mutex::new(None);
        let (sender, receiver) = crossbeam_channel::bounded::<TitleResult>(2 * jobs);
        let collector = Collector::new(&self.settings, encoders, known.folders(), &self.held);
        let mut collector = if is_kept { collector.keeping(titles.len()) } else { collector };
        progress.begin("extract", Some(titles.len() as u64));
        let result = thread::scope(|scope| {
            for _ in 0..jobs.min(titles.len()) {
                let sender: Sender<TitleResult> = sender.clone();
                let (shared, next, stop, broken) = (&shared, &next, &stop, &broken);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) && !interrupt.is_raised() {
                        let idx = next.fetch_add(1, Ordering::Relaxed);
                        let Some(title) = titles.get(idx) else { break };
                        match shared.process(idx, title) {
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
            let cut = || self.workers.cut();
            let collected = collector.collect(&receiver, progress, interrupt, &cut);
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
        let broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_whole = result.is_ok() && broken.is_none() && !interrupt.is_raised();
        // Who looks goes on looking; what is held is worth a shard later.
        if !is_kept || !is_whole {
            collector.publish()?;
        }
        result?;
        if let Some(error) = broken {
            return Err(match error {
                ExtractError::Encoder(error) => error.naming_all(&shared.weights(titles)).into(),
                other => other,
            });
        }
        if interrupt.is_raised() {
            return Err(Interrupted.into());
        }
        collector.report.jobs = jobs;
        collector.report.hwaccel = HwaccelReport {
            wanted: self.settings.hwaccel,
            used: self.workers.started().map_or(Hwaccel::None, |pool| pool.hwaccel()),
        };
        collector.finish();
        let Collector { report, kept, .. } = collector;
        Ok(Worked { known, report, kept })
    }
}

/// What came of looking at titles.
struct Worked {
    known: Known,
    report: ExtractReport,
    kept: Option<Kept>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Whoever cares about the error has published before.
        if let Err(error) = self.publish() {
            tracing::error!(%error, "features that were computed are not kept");
        }
    }
}

/// Computes the features that the store lacks for these titles and publishes them.
///
/// # Errors
/// As [`Session::fill`].
pub fn extract(
    titles: &[Title],
    modalities: &Arc<OpenModalities>,
    store: &FeatureStore,
    settings: &ExtractSettings,
    retry: &Retry,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<ExtractReport, ExtractError> {
    let session = Session::new(Arc::clone(modalities), store, settings);
    session.fill(titles, retry, progress, interrupt)
}
