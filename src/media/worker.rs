//! The decode worker: a process that decodes what its parent asks for and nothing else.
//!
//! in: open files with requests on standard input, which is a socket; out: answers on standard
//! output; it ends when the input does. Before it reads anything it takes rights from itself
//! (`sandbox`; it also dies with its parent and dumps no core). Memory and processor
//! time are limited as the request says (Linux; elsewhere only the parent's time limit holds).
//!
//! For tests of the pool, `CINETAG_FAULT_DECODE` holds `abort:`, `hang:`, `garbage:`,
//! `alloc:`, `panic:` or `escape:` and a part of a path: the worker then does that instead of
//! decoding.

use std::io::{self, BufWriter, Write};
use std::os::{fd::AsFd, unix::net::UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{
    answer::Decoded,
    cpu::thread_cpu,
    decode_file, handover,
    hardware::{self, Hwaccel},
    limits::Limits,
    request::{DecodeRequest, Failure, ReasonCode},
    sandbox, wire,
};
use crate::base::memory;

/// Answers requests until the parent closes the pipe. Pictures are decoded by this hardware
/// where it is there.
///
/// # Errors
/// The pipe broke, or a decoder panicked: its state is not to be trusted any more, and the
/// process should end.
pub fn serve(hwaccel: Hwaccel) -> io::Result<()> {
    take_rights();
    let _ = memory::peak_bytes(); // opens what it reads later
    // Nothing but answers may go to the parent, whatever a library prints.
    let mut answers = BufWriter::with_capacity(1 << 16, private_stdout()?);
    let requests = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let hwaccel = hardware::open(hwaccel);
    let sandbox = sandbox::enter(hwaccel != Hwaccel::None);
    answers.write_all(&wire::HELLO)?;
    answers.write_all(&[sandbox.to_byte(), hwaccel.to_byte()])?;
    answers.flush()?;
    while let Some(file) = handover::receive_file(&requests)? {
        let Some((request, limits)) = wire::read_request(&requests)? else { break };
        limit_resources(&limits, hwaccel);
        act_out_fault(&request, &limits, &mut answers)?;
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            act_out_panic(&request);
            match act_out_escape(&request) {
                Some(failure) => Decoded::failed(&request, &failure),
                None => decode_file(&file, &request, &limits),
            }
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
fn limit_resources(limits: &Limits, hwaccel: Hwaccel) {
    use rustix::process::Resource;

    // Drivers reserve far more addresses than they use.
    if hwaccel == Hwaccel::None {
        set_limit(Resource::As, limits.memory_bytes);
    }
    set_limit(Resource::Cpu, thread_cpu().as_secs() + 1 + limits.cpu_secs);
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
fn limit_resources(_limits: &Limits, _hwaccel: Hwaccel) {}

/// Standard output under another number; what is printed from now on goes to standard error.
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

/// Tries to get at what it was not given, where a test asks for it; says what came of it.
fn act_out_escape(request: &DecodeRequest) -> Option<Failure> {
    use std::{fs, net, process::Command};

    if !wants_fault("escape", request) {
        return None;
    }
    let path = &request.path;
    let attempts: [(&str, io::Result<()>); 8] = [
        ("read its own file by path", fs::read(path).map(drop)),
        ("read another file", fs::read(path.with_extension("secret")).map(drop)),
        ("list a folder", fs::read_dir("/").map(drop)),
        ("create a file", fs::write(path.with_extension("made"), b"")),
        ("delete a file", fs::remove_file(path.with_extension("secret"))),
        ("connect", net::TcpStream::connect("127.0.0.1:9").map(drop)),
        ("open a port", net::UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("start a program", Command::new("/bin/true").status().map(drop)),
    ];
    let results = attempts.map(|(what, result)| match result {
        Ok(()) => format!("{what}: done"),
        Err(error) => format!("{what}: {:?}", error.kind()),
    });
    Some(Failure::new(ReasonCode::EncoderFailed, results.join("; ")))
}

/// Does a test ask for this fault on this file?
fn wants_fault(kind: &str, request: &DecodeRequest) -> bool {
    std::env::var("CINETAG_FAULT_DECODE").is_ok_and(|fault| {
        fault
            .split_once(':')
            .is_some_and(|(k, part)| k == kind && request.path.to_string_lossy().contains(part))
    })
}
