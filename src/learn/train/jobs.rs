//! Several fits at once: one thread each, so that none waits for another.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use base::DeviceChoice;

use crate::LearnError;

/// Runs `job(0)` … `job(num_jobs - 1)`, as many at once as the device has use for, and returns
/// their results in order. What a job gives must not depend on which thread runs it. Jobs within
/// a job run one after the other in its thread.
///
/// # Errors
/// That of the first job (by number) that failed; no job is begun after a failure.
pub fn run<T: Send>(
    num_jobs: usize,
    device: DeviceChoice,
    job: impl Fn(usize) -> Result<T, LearnError> + Sync,
) -> Result<Vec<T>, LearnError> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<T, LearnError>>>> =
        Mutex::new((0..num_jobs).map(|_| None).collect());
    let work = || {
        loop {
            let idx = next.fetch_add(1, Ordering::SeqCst);
            if idx >= num_jobs {
                return;
            }
            let result = job(idx);
            if result.is_err() {
                next.store(num_jobs, Ordering::SeqCst);
            }
            results.lock().unwrap_or_else(PoisonError::into_inner)[idx] = Some(result);
        }
    };
    let num_threads = num_threads(device).min(rayon::current_num_threads()).min(num_jobs);
    // A pool of one thread for each: the tensor library's own parallelism would have the fits
    // wait for each other at every product.
    let pools: Vec<rayon::ThreadPool> = (0..num_threads)
        .map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build())
        .collect::<Result<_, _>>()
        .map_err(|e| LearnError::Tensor(Box::new(e)))?;
    std::thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(|| pool.install(work));
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Jobs that were not begun stand behind the failure or not at all.
    results.into_iter().flatten().collect()
}

fn num_threads(device: DeviceChoice) -> usize {
    match device {
        DeviceChoice::Auto | DeviceChoice::Cpu => {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        }
        DeviceChoice::Cuda(_) | DeviceChoice::Metal(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_a_failure_stops_the_rest() {
        let squares = run(20, DeviceChoice::Cpu, |i| Ok(i * i)).unwrap();
        assert_eq!(squares, (0..20).map(|i| i * i).collect::<Vec<_>>());
        let begun = AtomicUsize::new(0);
        let result: Result<Vec<()>, _> = run(1000, DeviceChoice::Cpu, |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            Err(LearnError::Data { message: "no".into(), hint: None })
        });
        assert!(result.is_err());
        assert!(begun.load(Ordering::SeqCst) < 1000);
    }
}
