//! The thread that starts workers and kills those that are late.
//!
//! Workers are started by this one thread because Linux sends the parent-death signal when
//! the *thread* that forked ends, and the threads that ask for decoding come and go.

use std::ffi::OsStr;
use std::io;
use std::os::{
    fd::OwnedFd,
    unix::{net::UnixStream, process::CommandExt},
};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{
    Arc, Weak,
    mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::life::Life;
use crate::{hardware::Hwaccel, worker};

enum Task {
    /// Start a worker.
    Start(SyncSender<io::Result<Started>>),
    /// A worker got a deadline: look at the clock again.
    Wake,
    /// Kill all workers.
    KillAll,
}

/// A worker's process, and the socket that it takes requests from.
pub(super) struct Started {
    pub(super) life: Arc<Life>,
    pub(super) child: Child,
    pub(super) requests: UnixStream,
}

/// Talks to the thread; the thread ends when it is dropped.
pub(super) struct Keeper {
    program: PathBuf,
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Workers are this program, and decode pictures with this hardware.
    pub(super) fn start(program: PathBuf, hwaccel: Hwaccel) -> Self {
        let (tasks, inbox) = mpsc::channel();
        let for_thread = program.clone();
        let thread = thread::spawn(move || run(&for_thread, hwaccel, &inbox));
        Self { program, tasks: Some(tasks), thread: Some(thread) }
    }

    pub(super) fn program(&self) -> &PathBuf {
        &self.program
    }

    /// Starts a worker's process.
    pub(super) fn start_process(&self) -> io::Result<Started> {
        let (answer, started) = mpsc::sync_channel(1);
        self.send(Task::Start(answer));
        started.recv().unwrap_or_else(|_| Err(io::Error::other("the keeper is gone")))
    }

    /// A deadline was set.
    pub(super) fn wake(&self) {
        self.send(Task::Wake);
    }

    pub(super) fn kill_all(&self) {
        self.send(Task::KillAll);
    }

    fn send(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            // It fails only when the thread has ended, and then all workers are dead.
            let _ = tasks.send(task);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.send(Task::KillAll);
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(program: &PathBuf, hwaccel: Hwaccel, inbox: &Receiver<Task>) {
    let mut lives: Vec<Weak<Life>> = Vec::new();
    loop {
        lives.retain(|life| life.strong_count() > 0);
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        for life in lives.iter().filter_map(Weak::upgrade) {
            if let Some(deadline) = life.kill_if_late(now) {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
            }
        }
        let task = match next {
            Some(deadline) => inbox.recv_timeout(deadline.saturating_duration_since(now)),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match task {
            Ok(Task::Start(answer)) => {
                let started = start_process(program, hwaccel);
                if let Ok(started) = &started {
                    lives.push(Arc::downgrade(&started.life));
                }
                let _ = answer.send(started);
            }
            Ok(Task::KillAll) => lives.iter().filter_map(Weak::upgrade).for_each(|l| l.kill()),
            Ok(Task::Wake) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Whether a worker is told this variable: where its libraries lie, and what drivers look at.
fn is_passed_on(name: &OsStr, hwaccel: Hwaccel) -> bool {
    let name = name.to_string_lossy();
    let of_loader = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
    let of_drivers = ["LIBVA_", "CUDA_", "NVIDIA_", "MESA_", "DRI_", "RADV_", "AMD_"];
    of_loader.contains(&&*name)
        || hwaccel != Hwaccel::None && of_drivers.iter().any(|begin| name.starts_with(begin))
}

fn start_process(program: &PathBuf, hwaccel: Hwaccel) -> io::Result<Started> {
    let (requests, theirs) = UnixStream::pair()?;
    let mut command = Command::new(program);
    // What the environment holds, such as tokens, is nothing to a decoder.
    let passed = std::env::vars_os().filter(|(name, _)| is_passed_on(name, hwaccel));
    command
        .env_clear()
        .envs(passed)
        .arg(worker::COMMAND)
        .arg(format!("--hwaccel={hwaccel}"))
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.process_group(0);
    let child = command.spawn()?;
    Ok(Started { life: Life::of(&child), child, requests })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_where_its_libraries_are_and_no_secrets() {
        let passed = |name: &str, hwaccel| is_passed_on(OsStr::new(name), hwaccel);
        assert!(passed("LD_LIBRARY_PATH", Hwaccel::None));
        assert!(passed("CUDA_VISIBLE_DEVICES", Hwaccel::Auto));
        for name in ["AWS_SECRET_ACCESS_KEY", "HOME", "PATH", "LD_PRELOAD", "CUDA_VISIBLE_DEVICES"]
        {
            assert!(!passed(name, Hwaccel::None), "{name}");
        }
        assert!(!passed("TMDB_API_KEY", Hwaccel::Cuda));
    }
}
