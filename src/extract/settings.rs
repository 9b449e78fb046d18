//! How an extraction is run. None of it changes a feature.

use std::{collections::BTreeSet, num::NonZero, thread};

use media::{Hwaccel, Limits};
use serde::{Deserialize, Serialize};

/// The `[extract]` table of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtractSettings {
    /// Titles worked on at once, each with a decode worker; 0: one per core.
    pub jobs: usize,
    /// What decodes pictures, where it is there.
    pub hwaccel: Hwaccel,
    /// The run ends with an error where the system cannot hold decode workers in full.
    pub require_sandbox: bool,
    /// A shard is published after so many titles …
    pub shard_titles: usize,
    /// … or so many seconds, whichever is first.
    pub shard_secs: u64,
    /// Seconds that titles in hand are given once Ctrl-C or SIGTERM came; then their workers are
    /// stopped. What is finished is published at once.
    pub grace_secs: u64,
    /// The run ends with an error once more than this share of the titles tried fails, for
    /// any encoder. The first 20 are not judged.
    pub max_failed_frac: f64,
    /// What one file may cost.
    pub limits: Limits,
}

impl Default for ExtractSettings {
    fn default() -> Self {
        Self {
            jobs: 0,
            hwaccel: Hwaccel::None,
            require_sandbox: false,
            shard_titles: 256,
            shard_secs: 60,
            grace_secs: 20,
            max_failed_frac: 0.5,
            limits: Limits::default(),
        }
    }
}

impl ExtractSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first that is out of range, with what was expected.
    pub fn check(&self) -> Result<(), String> {
        let refuse = |name: &str, range: &str, got: &dyn std::fmt::Display| {
            Err(format!("`extract.{name}` must be {range}, got {got}"))
        };
        if self.shard_titles == 0 {
            return refuse("shard_titles", "at least 1", &self.shard_titles);
        }
        if !(0.0..=1.0).contains(&self.max_failed_frac) {
            return refuse("max_failed_frac", "between 0 and 1", &self.max_failed_frac);
        }
        let Limits { memory_bytes, cpu_secs, max_pixels, max_streams, .. } = self.limits;
        let limits = [
            ("memory_bytes", memory_bytes),
            ("cpu_secs", cpu_secs),
            ("max_pixels", max_pixels),
            ("max_streams", max_streams as u64),
        ];
        match limits.into_iter().find(|(_, limit)| *limit == 0) {
            Some((name, zero)) => refuse(&format!("limits.{name}"), "at least 1", &zero),
            None => Ok(()),
        }
    }

    /// `jobs`, with 0 made the number of cores.
    #[must_use]
    pub fn num_jobs(&self) -> usize {
        match self.jobs {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            jobs => jobs,
        }
    }
}

/// Which known failures are tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// None: a failure is a result.
    #[default]
    No,
    /// All of them.
    All,
    /// Those with one of these reason codes.
    Reasons(BTreeSet<String>),
}

impl Retry {
    /// Whether a failure of this reason is tried again.
    #[must_use]
    pub fn covers(&self, code: &str) -> bool {
        match self {
            Self::No => false,
            Self::All => true,
            Self::Reasons(codes) => codes.contains(code),
        }
    }
}
