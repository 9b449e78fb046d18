//! One worker process, from its first words to its autopsy.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{
    Fault, bounds,
    keeper::{Keeper, Started},
};
use crate::{
    answer::Decoded,
    error::MediaError,
    handover,
    hardware::Hwaccel,
    limits::Limits,
    request::{DecodeRequest, Failure, ReasonCode},
    sandbox::Sandbox,
    wire::{self, HELLO},
};

/// A worker has so long to load its libraries and say hello.
const START_WALL: Duration = Duration::from_secs(60);

/// Bytes of a worker's standard error that are kept.
const MAX_STDERR_BYTES: usize = 4096;

/// A process that dies has so long to be gone before it is killed.
const DEATH_WALL: Duration = Duration::from_secs(2);

/// Whether a process may still be killed, and when it must be.
pub(super) struct Life {
    process_id: u32,
    watch: Mutex<Watch>,
}

#[derive(Default)]
struct Watch {
    deadline: Option<Instant>,
    was_late: bool,
    /// Its number may belong to another process by now.
    is_reaped: bool,
}

impl Life {
    pub(super) fn of(child: &Child) -> Arc<Self> {
        Arc::new(Self { process_id: child.id(), watch: Mutex::default() })
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the process if its time is over; else gives its deadline.
    pub(super) fn kill_if_late(&self, now: Instant) -> Option<Instant> {
        let mut watch = self.watch();
        let deadline = watch.deadline?;
        if deadline > now {
            return Some(deadline);
        }
        watch.deadline = None;
        watch.was_late = true;
        self.kill_watched(&watch);
        None
    }

    pub(super) fn kill(&self) {
        self.kill_watched(&self.watch());
    }

    fn kill_watched(&self, watch: &Watch) {
        use rustix::process::{Pid, Signal, kill_process};

        if let (false, Some(pid)) = (watch.is_reaped, Pid::from_raw(self.process_id as i32)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A running worker and its pipes.
pub(super) struct Worker {
    life: Arc<Life>,
    child: Child,
    requests: UnixStream,
    answers: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
    sandbox: Sandbox,
    hwaccel: Hwaccel,
    num_titles: usize,
    /// It said that it takes no more requests.
    is_done: bool,
}

impl Worker {
    pub(super) fn start(keeper: &Keeper, limits: &Limits) -> Result<Self, MediaError> {
        let cannot_start = |source| MediaError::Start { program: keeper.program().clone(), source };
        let Started { life, mut child, requests } = keeper.start_process().map_err(cannot_start)?;
        let pipes = (child.stdout.take(), child.stderr.take());
        let (Some(answers), Some(stderr)) = pipes else {
            return Err(cannot_start(io::Error::other("its pipes are missing")));
        };
        let mut worker = Self {
            life,
            child,
            requests,
            answers: BufReader::with_capacity(1 << 16, answers),
            stderr: Some(thread::spawn(move || tail_of(stderr))),
            sandbox: Sandbox::default(),
            hwaccel: Hwaccel::None,
            num_titles: 0,
            is_done: false,
        };
        worker.set_deadline(START_WALL, keeper);
        let mut hello = [0; HELLO.len() + 2];
        let read = worker.answers.read_exact(&mut hello);
        if worker.clear_deadline()
            && read.is_ok()
            && let Some([sandbox, hwaccel]) = hello.strip_prefix(&HELLO)
        {
            worker.sandbox = Sandbox::from_byte(*sandbox);
            worker.hwaccel = Hwaccel::from_byte(*hwaccel);
            // Drivers reserve far more addresses than they use.
            if worker.hwaccel == Hwaccel::None {
                bounds::limit_memory(&worker.child, limits);
            }
            return Ok(worker);
        }
        let (status, words) = worker.end();
        let status = status.map_or("it was killed".to_owned(), |status| status.to_string());
        let detail = if words.is_empty() { status } else { format!("{status}; {words}") };
        Err(MediaError::NotAWorker { program: keeper.program().clone(), detail })
    }

    /// Is it to be replaced by a new one?
    pub(super) fn is_worn(&self, recycle_after: usize) -> bool {
        self.is_done || self.num_titles >= recycle_after
    }

    /// What holds it.
    pub(super) fn sandbox(&self) -> Sandbox {
        self.sandbox
    }

    /// What decodes its pictures.
    pub(super) fn hwaccel(&self) -> Hwaccel {
        self.hwaccel
    }

    /// Sends a request with its file and waits for the answer.
    pub(super) fn ask(
        &mut self,
        file: &File,
        request: &DecodeRequest,
        limits: &Limits,
        keeper: &Keeper,
    ) -> Result<Decoded, Fault> {
        // It speaks out of turn: what it said would be taken for the answer to this request.
        if self.has_more_to_say() {
            return Err(Fault::NotSent(io::ErrorKind::InvalidData.into()));
        }
        self.num_titles += 1;
        bounds::limit_cpu(&self.child, limits);
        self.set_deadline(limits.wall, keeper);
        handover::send_file(&self.requests, file).map_err(Fault::NotSent)?;
        wire::write_request(&self.requests, request, limits).map_err(Fault::NotSent)?;
        let answer = wire::read_answer(&mut self.answers, request);
        if !self.clear_deadline() {
            return Err(Fault::Died);
        }
        match answer {
            Ok(_) if self.has_more_to_say() => {
                let words = "bytes come behind it";
                Err(Fault::Garbage(io::Error::new(io::ErrorKind::InvalidData, words)))
            }
            Ok((decoded, is_last)) => {
                self.is_done = is_last;
                Ok(decoded)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Fault::Garbage(error)),
            Err(_) => Err(Fault::Died),
        }
    }

    /// Whether anything can be read from it though nothing was asked.
    fn has_more_to_say(&self) -> bool {
        let waiting = rustix::io::ioctl_fionread(self.answers.get_ref());
        !self.answers.buffer().is_empty() || waiting.is_ok_and(|num_bytes| num_bytes > 0)
    }

    fn set_deadline(&self, wall: Duration, keeper: &Keeper) {
        self.life.watch().deadline = Instant::now().checked_add(wall);
        keeper.wake();
    }

    /// Was it in time?
    fn clear_deadline(&self) -> bool {
        let mut watch = self.life.watch();
        watch.deadline = None;
        !watch.was_late
    }

    /// Ends the process and says what it died of.
    pub(super) fn autopsy(mut self, fault: &Fault, limits: &Limits) -> Failure {
        let was_late = self.life.watch().was_late;
        if matches!(fault, Fault::Garbage(_)) || self.has_more_to_say() {
            self.life.kill();
        }
        let (status, words) = self.end();
        if was_late {
            let text = format!("killed after {} s", limits.wall.as_secs_f64());
            return Failure::new(ReasonCode::Timeout, text);
        }
        if let Fault::Garbage(error) = fault {
            let text = format!("the worker's answer makes no sense: {error}");
            return Failure::new(ReasonCode::WorkerCrashed, text);
        }
        if words.contains("memory allocation of") {
            let text = format!("more than {} bytes of memory; {words}", limits.memory_bytes);
            return Failure::new(ReasonCode::MemoryLimit, text);
        }
        if status.and_then(signal_of) == Some(SIGXCPU) {
            let text = format!("more than {} s of processor time", limits.cpu_secs);
            return Failure::new(ReasonCode::Timeout, text);
        }
        let mut text = status.map_or("it did not end".to_owned(), |status| status.to_string());
        if let Fault::NotSent(error) = fault {
            text = format!("{text}; it took no request: {error}");
        }
        if !words.is_empty() {
            text = format!("{text}; {words}");
        }
        Failure::new(ReasonCode::WorkerCrashed, text)
    }

    /// Waits a little for the process to be gone, then makes sure of it; gives its status and
    /// its last words. A process that was killed by this very call has no status.
    fn end(&mut self) -> (Option<ExitStatus>, String) {
        let begin = Instant::now();
        let mut status = None;
        while status.is_none() && begin.elapsed() < DEATH_WALL {
            status = self.reap(Child::try_wait);
            if status.is_none() {
                thread::sleep(Duration::from_millis(5));
            }
        }
        if status.is_none() {
            self.life.kill();
            self.reap(|child| child.wait().map(Some));
        }
        let words = self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        (status, words)
    }

    /// Reaps the child; afterwards its number is not used any more.
    fn reap(
        &mut self,
        wait: impl FnOnce(&mut Child) -> io::Result<Option<ExitStatus>>,
    ) -> Option<ExitStatus> {
        let mut watch = self.life.watch();
        if watch.is_reaped {
            return None;
        }
        let status = wait(&mut self.child).ok().flatten();
        watch.is_reaped = status.is_some();
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The worker has nothing to put in order: it may be killed at any time.
        let mut watch = self.life.watch();
        if !watch.is_reaped {
            let _ = self.child.kill();
            let _ = self.child.wait();
            watch.is_reaped = true;
        }
    }
}

/// Reads to the end and keeps the last line or so.
fn tail_of(mut stderr: ChildStderr) -> String {
    let mut tail: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(num_bytes @ 1..) = stderr.read(&mut buffer) {
        tail.extend_from_slice(&buffer[..num_bytes]);
        if tail.len() > MAX_STDERR_BYTES {
            tail.drain(..tail.len() - MAX_STDERR_BYTES);
        }
    }
    wire::harmless(&String::from_utf8_lossy(&tail).trim().replace('\n', "; "))
}

/// The kernel's signal for too much processor time: 24 on Linux and macOS.
const SIGXCPU: i32 = 24;

fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}
