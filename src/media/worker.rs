//! The decode worker: a process that decodes what its parent asks for and nothing else.
//!
//! in: requests on standard input; out: answers on standard output; it ends when the input
//! does. Before it reads anything it takes rights from itself: it dies with its parent,
//! dumps no core and can write no file (Linux; elsewhere only the parent's time limit
//! holds). Memory and processor time are limited as the request says. FFmpeg's protocol list
//! allows `file` only, so no name inside of a film opens a connection.
//!
//! For tests of the pool, `CINETAG_FAULT_DECODE` holds `abort:`, `hang:`, `garbage:`,
//! `alloc:` or `panic:` and a part of a path: the worker then does that instead of decoding.

use std::io::{self, BufReader, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{
    cpu::thread_cpu,
    decode,
    limits::Limits,
    request::{DecodeRequest, Decoded, Failure, ReasonCode},
    wire,
};

/// Answers requests until the parent closes the pipe.
///
/// # Errors
/// The pipe broke, or a decoder panicked: its state is not to be trusted any more, and the
/// process should end.
pub fn serve() -> io::Result<()> {
    take_rights();
    // Nothing but answers may go to the parent, whatever a library prints.
    let mut answers = BufWriter::with_capacity(1 << 16, private_stdout()?);
    let mut requests = BufReader::new(io::stdin().lock());
    answers.write_all(&wire::HELLO)?;
    answers.flush()?;
    while let Some((request, limits)) = wire::read_request(&mut requests)? {
        limit_resources(&limits);
        act_out_fault(&request, &limits, &mut answers)?;
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            act_out_panic(&request);
            decode(&request, &limits)
        }));
        match decoded {
            Ok(decoded) => wire::write_answer(&mut answers, &decoded, false)?,
            Err(panic) => {
                let words = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                let failure = Failure::new(
                    ReasonCode::WorkerCrashed,
                    format!("the decoder panicked: {words}"),
                );
                wire::write_answer(&mut answers, &Decoded::failed(&request, &failure), true)?;
                return Err(io::Error::other("a decoder panicked"));
            }
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn take_rights() {
    use rustix::process::{Resource, Signal, set_parent_process_death_signal};

    // Each of them may be refused by an outer sandbox that is stricter still.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    set_limit(Resource::Core, 0);
    set_limit(Resource::Fsize, 0);
}

#[cfg(target_os = "linux")]
fn limit_resources(limits: &Limits) {
    use rustix::process::Resource;

    set_limit(Resource::As, limits.memory_bytes);
    if let Some(used) = thread_cpu() {
        set_limit(Resource::Cpu, used.as_secs() + 1 + limits.cpu_secs);
    }
}

/// Sets the soft limit; the hard one stays, so that the next title gets its own.
#[cfg(target_os = "linux")]
fn set_limit(resource: rustix::process::Resource, value: u64) {
    use rustix::process::{getrlimit, setrlimit};

    let mut limit = getrlimit(resource);
    limit.current = Some(limit.maximum.map_or(value, |most| most.min(value)));
    let _ = setrlimit(resource, limit);
}

#[cfg(not(target_os = "linux"))]
fn take_rights() {}

#[cfg(not(target_os = "linux"))]
fn limit_resources(_limits: &Limits) {}

/// Standard output under another number; what is printed from now on goes to standard error.
#[cfg(unix)]
fn private_stdout() -> io::Result<std::fs::File> {
    use std::mem::ManuallyDrop;
    use std::os::fd::{FromRawFd, OwnedFd};

    let answers = rustix::io::dup(io::stdout())?;
    #[allow(unsafe_code)]
    // SAFETY: 1 is open (it was just copied) and is not closed by this handle.
    let mut stdout = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(1) });
    rustix::io::dup2(io::stderr(), &mut stdout)?;
    Ok(std::fs::File::from(answers))
}

#[cfg(not(unix))]
fn private_stdout() -> io::Result<io::StdoutLock<'static>> {
    Ok(io::stdout().lock())
}

/// Misbehaves where a test asks for it.
fn act_out_fault(
    request: &DecodeRequest,
    limits: &Limits,
    answers: &mut impl Write,
) -> io::Result<()> {
    if wants_fault("abort", request) {
        std::process::abort();
    }
    while wants_fault("hang", request) {
        std::thread::sleep(Duration::from_secs(60));
    }
    if wants_fault("garbage", request) {
        answers.write_all(b"Segmentation fault (core dumped)\n")?;
        answers.flush()?;
    }
    if wants_fault("alloc", request) {
        let hoard: Vec<u8> = Vec::with_capacity(limits.memory_bytes as usize);
        return Err(io::Error::other(format!("{} bytes were to be had", hoard.capacity())));
    }
    Ok(())
}

/// Panics where a test asks for it.
fn act_out_panic(request: &DecodeRequest) {
    assert!(!wants_fault("panic", request), "a test asked for it");
}

/// Does a test ask for this fault on this file?
fn wants_fault(kind: &str, request: &DecodeRequest) -> bool {
    std::env::var("CINETAG_FAULT_DECODE").is_ok_and(|fault| {
        fault
            .split_once(':')
            .is_some_and(|(k, part)| k == kind && request.path.to_string_lossy().contains(part))
    })
}
