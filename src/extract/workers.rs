//! Decode workers that are started with the first file that must be decoded.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use media::{DecodePool, MediaError, PoolSettings};

use super::ExtractSettings;

/// Workers of a session.
pub(super) struct Workers {
    settings: PoolSettings,
    pool: Mutex<Option<Arc<DecodePool>>>,
    /// They were killed while they worked.
    is_cut: AtomicBool,
}

impl Workers {
    pub(super) fn new(settings: &ExtractSettings, program: Option<PathBuf>) -> Self {
        let settings = PoolSettings {
            jobs: settings.num_jobs(),
            limits: settings.limits.clone(),
            program,
            hwaccel: settings.hwaccel,
            require_sandbox: settings.require_sandbox,
            ..PoolSettings::default()
        };
        Self { settings, pool: Mutex::default(), is_cut: AtomicBool::new(false) }
    }

    /// The workers; starts them where nobody has yet.
    ///
    /// # Errors
    /// A setting makes no sense, or they cannot be started or held.
    pub(super) fn get(&self) -> Result<Arc<DecodePool>, MediaError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*pool {
            return Ok(Arc::clone(pool));
        }
        let started = Arc::new(DecodePool::new(self.settings.clone())?);
        let sandbox = started.sandbox();
        if cfg!(target_os = "linux") && !sandbox.is_whole() {
            tracing::warn!("decode workers are held by {sandbox}: this system lacks the rest");
        }
        *pool = Some(Arc::clone(&started));
        Ok(started)
    }

    /// The workers, where they were started.
    pub(super) fn started(&self) -> Option<Arc<DecodePool>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Kills them: what they decode is over, and no fault of its file.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        if let Some(pool) = self.started() {
            pool.stop();
        }
    }

    /// Whether they were killed while they worked.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }
}
