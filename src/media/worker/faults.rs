//! What a worker does wrong where a test asks for it.
//!
//! `CINETAG_FAULT_DECODE` holds `abort:`, `hang:`, `garbage:`, `alloc:`, `behind:`, `panic:`,
//! `escape:` or `calls:` and a part of a path: the worker then does that instead of decoding. The
//! pool passes no variable on, so a test's program sets it on the way.

use std::io::{self, Write};
use std::time::Duration;

use crate::{
    answer::Decoded,
    limits::Limits,
    request::{DecodeRequest, Failure, ReasonCode},
    sandbox, wire,
};

fn unasked() -> Failure {
    Failure::new(ReasonCode::EncoderFailed, "a test asked for it")
}

/// Misbehaves where a test asks for it.
pub(super) fn act_out(
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
    if wants_fault("behind", request) {
        let mut bytes = Vec::new();
        wire::write_answer(&mut bytes, &Decoded::failed(request, &unasked()), false)?;
        bytes.extend_from_slice(b"ctd1");
        answers.write_all(&bytes)?;
        answers.flush()?;
    }
    if wants_fault("alloc", request) {
        let hoard: Vec<u8> = Vec::with_capacity(limits.memory_bytes as usize);
        return Err(io::Error::other(format!("{} bytes were to be had", hoard.capacity())));
    }
    Ok(())
}

/// Panics where a test asks for it.
pub(super) fn act_out_panic(request: &DecodeRequest) {
    assert!(!wants_fault("panic", request), "a test asked for it");
}

/// Tries to get at what it was not given, where a test asks for it; says what came of it.
pub(super) fn act_out_escape(request: &DecodeRequest) -> Option<Failure> {
    use std::{fs, net, process::Command};

    #[cfg(target_os = "linux")]
    if wants_fault("calls", request) {
        return Some(ask_for_every_call());
    }
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

/// Asks the kernel for every call that is not to be answered; says which were.
#[cfg(target_os = "linux")]
fn ask_for_every_call() -> Failure {
    let deadly = std::env::var("CINETAG_FAULT_DEADLY").ok().and_then(|place| place.parse().ok());
    let answered = sandbox::answered(deadly);
    let text = format!("answered: {answered:?} of {} deadly", sandbox::num_deadly());
    Failure::new(ReasonCode::EncoderFailed, text)
}

/// Does a test ask for this fault on this file?
fn wants_fault(kind: &str, request: &DecodeRequest) -> bool {
    std::env::var("CINETAG_FAULT_DECODE").is_ok_and(|fault| {
        fault
            .split_once(':')
            .is_some_and(|(k, part)| k == kind && request.path.to_string_lossy().contains(part))
    })
}
