//! What a worker may use of the machine, set from outside: a worker cannot change it.
//!
//! The memory is limited for good (hard and soft). Processor time is counted over a worker's life, so
//! its limit grows with each title; what it has used is asked of the kernel, not of the worker.

use std::process::Child;

use crate::limits::Limits;

/// Limits the address space.
#[cfg(target_os = "linux")]
pub(super) fn limit_memory(child: &Child, limits: &Limits) {
    use rustix::process::{Resource, Rlimit};

    let most = Some(limits.memory_bytes);
    set(child, Resource::As, Rlimit { current: most, maximum: most });
}

/// Gives it the processor time of one more title.
#[cfg(target_os = "linux")]
pub(super) fn limit_cpu(child: &Child, limits: &Limits) {
    use nix::{
        time::{clock_getcpuclockid, clock_gettime},
        unistd::Pid,
    };
    use rustix::process::{Resource, Rlimit};

    let Ok(id) = i32::try_from(child.id()) else { return };
    let used = clock_getcpuclockid(Pid::from_raw(id)).and_then(clock_gettime);
    let used_secs = used.map_or(0, |time| time.tv_sec().unsigned_abs());
    let most = Some(used_secs.saturating_add(1).saturating_add(limits.cpu_secs));
    // A hard limit that is lowered does not rise again for the next title; this one the worker cannot
    // raise either, since it may not make the call.
    let current = rustix::process::getrlimit(Resource::Cpu);
    let soft = current.maximum.map_or(most, |hard| most.map(|most| most.min(hard)));
    set(child, Resource::Cpu, Rlimit { current: soft, maximum: current.maximum });
}

#[cfg(target_os = "linux")]
fn set(child: &Child, resource: rustix::process::Resource, limit: rustix::process::Rlimit) {
    let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let Some(id) = id else { return };
    match rustix::process::prlimit(Some(id), resource, limit) {
        // A worker that is gone needs no limit; the next question finds it out.
        Ok(_) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => tracing::warn!("a decode worker's {resource:?} is not limited: {error}"),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn limit_memory(_child: &Child, _limits: &Limits) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn limit_cpu(_child: &Child, _limits: &Limits) {}
