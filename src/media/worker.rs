//! The decode worker: a process that decodes what its parent asks for and nothing else.
//!
//! in: open files with requests on standard input, which is a socket; out: answers on standard
//! output; it ends when the input does. Before it reads anything it takes rights from itself
//! (`sandbox`; it also dies with its parent and dumps no core). How much memory and processor time
//! it may use is set from outside (`pool`), where it cannot be changed from within.

mod faults;

use std::io::{self, BufWriter, Write};
use std::os::{fd::AsFd, unix::net::UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};

use base::memory;

use super::{
    answer::Decoded,
    decode_file, handover,
    hardware::{self, Hwaccel},
    request::{Failure, ReasonCode},
    sandbox, wire,
};

/// The command that a worker is started with.
pub(super) const COMMAND: &str = "decode-worker";

/// Serves, and ends the process, where this program was started as a decode worker: a
/// [`DecodePool`](super::DecodePool) starts the program that it is part of. Whoever has one calls this
/// first in `main`.
pub fn serve_if_asked() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some(COMMAND) {
        return;
    }
    let given = args.next();
    let hwaccel = given.as_deref().and_then(|arg| arg.strip_prefix("--hwaccel=")?.parse().ok());
    // The parent learns from the broken pipe; there is nobody else to tell.
    std::process::exit(i32::from(serve(hwaccel.unwrap_or_default()).is_err()));
}

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
        faults::act_out(&request, &limits, &mut answers)?;
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            faults::act_out_panic(&request);
            match faults::act_out_escape(&request) {
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

/// Sets the soft limit and the hard one: it does not come back.
#[cfg(target_os = "linux")]
fn set_limit(resource: rustix::process::Resource, value: u64) {
    use rustix::process::{getrlimit, setrlimit};

    let most = getrlimit(resource).maximum.map_or(value, |most| most.min(value));
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    let _ = setrlimit(resource, limit);
}

#[cfg(not(target_os = "linux"))]
fn take_rights() {}

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
