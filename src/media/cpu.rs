//! Processor time of this thread.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A stop-watch for processor time.
pub(super) struct CpuWatch {
    begin: Duration,
}

impl CpuWatch {
    pub(super) fn start() -> Self {
        Self { begin: thread_cpu() }
    }

    /// Time since the start, seconds.
    pub(super) fn secs(&self) -> f64 {
        thread_cpu().saturating_sub(self.begin).as_secs_f64()
    }
}

/// What this thread has used so far.
pub(super) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec as u32)
}
