//! Processor time of this thread.

use std::time::{Duration, Instant};

/// A stop-watch for processor time; by the clock where the system does not tell (outside of
/// Linux).
pub(super) struct CpuWatch {
    begin: Instant,
    begin_cpu: Option<Duration>,
}

impl CpuWatch {
    pub(super) fn start() -> Self {
        Self { begin: Instant::now(), begin_cpu: thread_cpu() }
    }

    /// Time since the start, seconds.
    pub(super) fn secs(&self) -> f64 {
        let cpu = self.begin_cpu.zip(thread_cpu()).map(|(begin, now)| now.saturating_sub(begin));
        cpu.unwrap_or_else(|| self.begin.elapsed()).as_secs_f64()
    }
}

/// The first number of `/proc/thread-self/schedstat`: nanoseconds on the processor.
pub(super) fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
