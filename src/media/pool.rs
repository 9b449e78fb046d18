//! A pool of decode workers: processes that may crash, hang or talk nonsense, at the cost of
//! the title that they were given and of no other.
//!
//! in: [`DecodeRequest`]s from any number of threads; out: [`Decoded`], always: what went
//! wrong is a [`Failure`] in it. Workers are started when they are needed, used again, and
//! replaced after a fault or after so many titles. They are in a process group of their own
//! (Ctrl-C at the terminal reaches the parent only) and die with the pool and the parent.

mod bounds;
mod keeper;
mod life;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use std::{fs::File, io};

use serde::{Deserialize, Serialize};

use self::{keeper::Keeper, life::Worker};
use super::{
    answer::Decoded,
    container,
    error::MediaError,
    hardware::Hwaccel,
    limits::Limits,
    request::{DecodeRequest, Failure, ReasonCode},
    sandbox::Sandbox,
};

/// How workers are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSettings {
    /// Workers at the same time; each decodes on one thread.
    pub jobs: usize,
    /// What one title may cost.
    pub limits: Limits,
    /// The program that is started with `decode-worker`; this program where it is not given.
    pub program: Option<PathBuf>,
    /// A worker is replaced after so many titles: what libraries leak has an end.
    pub recycle_after: usize,
    /// What decodes pictures, where it is there.
    pub hwaccel: Hwaccel,
    /// No worker is used that the system cannot hold in full.
    pub require_sandbox: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            jobs: thread::available_parallelism().map_or(1, NonZero::get),
            limits: Limits::default(),
            program: None,
            recycle_after: 500,
            hwaccel: Hwaccel::None,
            require_sandbox: false,
        }
    }
}

/// See the module's head. Dropping it kills the workers.
pub struct DecodePool {
    settings: PoolSettings,
    sandbox: Sandbox,
    hwaccel: Hwaccel,
    state: Mutex<State>,
    /// A worker came back, or one may be started.
    freed: Condvar,
    keeper: Keeper,
}

#[derive(Default)]
struct State {
    idle: Vec<Worker>,
    /// Idle, busy and starting.
    num_live: usize,
    is_stopped: bool,
}

impl DecodePool {
    /// Starts the first worker, to see that it can be done; the others are started when
    /// they are needed.
    ///
    /// # Errors
    /// A setting makes no sense, the program cannot be started or is no worker, or the system has
    /// not the sandbox that is required.
    pub fn new(settings: PoolSettings) -> Result<Self, MediaError> {
        check(&settings)?;
        let program = match &settings.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(|source| MediaError::Start {
                program: PathBuf::from("(this program)"),
                source,
            })?,
        };
        let keeper = Keeper::start(program, settings.hwaccel);
        let first = Worker::start(&keeper, &settings.limits)?;
        if settings.require_sandbox && !first.sandbox().is_whole() {
            return Err(MediaError::NoSandbox { sandbox: first.sandbox() });
        }
        let (sandbox, hwaccel) = (first.sandbox(), first.hwaccel());
        let state = State { idle: vec![first], num_live: 1, is_stopped: false };
        Ok(Self {
            settings,
            sandbox,
            hwaccel,
            state: Mutex::new(state),
            freed: Condvar::new(),
            keeper,
        })
    }

    /// How the pool was set up.
    pub fn settings(&self) -> &PoolSettings {
        &self.settings
    }

    /// What holds the workers on this system.
    #[must_use]
    pub fn sandbox(&self) -> Sandbox {
        self.sandbox
    }

    /// What decodes pictures: as asked for, or the processor (`none`).
    #[must_use]
    pub fn hwaccel(&self) -> Hwaccel {
        self.hwaccel
    }

    /// Decodes one title; waits for a free worker. Takes at most the time limit, counted
    /// from when a worker has the request.
    pub fn decode(&self, request: &DecodeRequest) -> Decoded {
        match container::open_file(&request.path) {
            Ok(file) => self.decode_file(&file, request),
            Err(failure) => Decoded::failed(request, &failure),
        }
    }

    /// Decodes a file that is open, and need have no name: the request's path says what it is called
    /// and is not opened.
    pub fn decode_file(&self, file: &File, request: &DecodeRequest) -> Decoded {
        let mut is_second_try = false;
        loop {
            let mut worker = match self.acquire() {
                Ok(worker) => worker,
                Err(failure) => return Decoded::failed(request, &failure),
            };
            match worker.ask(file, request, &self.settings.limits, &self.keeper) {
                Ok(decoded) => {
                    let is_worn = worker.is_worn(self.settings.recycle_after);
                    self.release((!is_worn).then_some(worker));
                    return decoded;
                }
                // It was dead before it could read the request: not this title's fault.
                Err(fault) if fault.request_was_not_sent() && !is_second_try => {
                    is_second_try = true;
                    self.release(None);
                }
                Err(fault) => {
                    let failure = worker.autopsy(&fault, &self.settings.limits);
                    self.release(None);
                    return Decoded::failed(request, &failure);
                }
            }
        }
    }

    /// Kills all workers. Whoever waits in [`Self::decode`] gets `worker_crashed`, and so
    /// does every later call.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        state.idle.clear();
        drop(state);
        self.keeper.kill_all();
        self.freed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acquire(&self) -> Result<Worker, Failure> {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return Err(Failure::new(ReasonCode::WorkerCrashed, "decoding was stopped"));
            }
            if let Some(worker) = state.idle.pop() {
                return Ok(worker);
            }
            if state.num_live < self.settings.jobs {
                state.num_live += 1;
                drop(state);
                let started = Worker::start(&self.keeper, &self.settings.limits);
                return started.map_err(|error| {
                    self.release(None);
                    Failure::new(ReasonCode::WorkerCrashed, error.to_string())
                });
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes a worker back, or notes that there is one less.
    fn release(&self, worker: Option<Worker>) {
        let mut state = self.lock();
        match worker {
            Some(worker) if !state.is_stopped => state.idle.push(worker),
            _ => state.num_live -= 1,
        }
        drop(state);
        self.freed.notify_one();
    }
}

impl Drop for DecodePool {
    fn drop(&mut self) {
        self.stop();
    }
}

fn check(settings: &PoolSettings) -> Result<(), MediaError> {
    let limits = &settings.limits;
    let at_least_one = [
        ("jobs", settings.jobs as u64),
        ("recycle_after", settings.recycle_after as u64),
        ("limits.cpu_secs", limits.cpu_secs),
        ("limits.max_pixels", limits.max_pixels),
        ("limits.max_streams", limits.max_streams as u64),
    ];
    for (name, value) in at_least_one {
        if value == 0 {
            return Err(MediaError::Setting { name, expected: "at least 1", got: "0".into() });
        }
    }
    if limits.wall < Duration::from_millis(1) {
        let got = format!("{:?}", limits.wall);
        return Err(MediaError::Setting { name: "limits.wall", expected: "at least 1 ms", got });
    }
    if limits.memory_bytes < 1 << 28 {
        let got = limits.memory_bytes.to_string();
        let expected = "at least 268435456 bytes (256 MiB)";
        return Err(MediaError::Setting { name: "limits.memory_bytes", expected, got });
    }
    Ok(())
}

/// Why there is no answer.
#[derive(Debug)]
enum Fault {
    /// The request could not be written.
    NotSent(io::Error),
    /// The answer ended early.
    Died,
    /// What came is no answer.
    Garbage(io::Error),
}

impl Fault {
    fn request_was_not_sent(&self) -> bool {
        matches!(self, Self::NotSent(_))
    }
}

#[cfg(test)]
mod tests {
    use base::Hinted;

    use super::*;

    #[test]
    fn settings_are_checked_and_survive_toml() {
        let settings = PoolSettings { jobs: 3, ..PoolSettings::default() };
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<PoolSettings>(&text).unwrap(), settings);
        assert!(toml::from_str::<PoolSettings>("job = 3").is_err());
        assert!(toml::from_str::<PoolSettings>("limits = { wall = 0.0 }").is_err());
        let error = check(&PoolSettings { jobs: 0, ..settings }).unwrap_err();
        assert_eq!(error.to_string(), "`jobs` must be at least 1, got 0");
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_program_that_is_not_there_or_no_worker_is_told_at_once() {
        let with = |program: &str| {
            DecodePool::new(PoolSettings { program: Some(program.into()), ..Default::default() })
        };
        assert!(matches!(with("/nowhere/cinetag"), Err(MediaError::Start { .. })));
        assert!(matches!(with("/bin/echo"), Err(MediaError::NotAWorker { .. })));
    }
}
