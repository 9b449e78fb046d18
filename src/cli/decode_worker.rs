//! `cinetag decode-worker` (hidden): decodes what its parent asks for, in a process that
//! can be limited and killed.

use std::process::ExitCode;

use crate::media::worker;

/// The worker takes its requests from standard input and nothing from the command line.
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> ExitCode {
    // The parent learns from the broken pipe; there is nobody else to tell.
    match worker::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
