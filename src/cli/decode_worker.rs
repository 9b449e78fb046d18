//! `cinetag decode-worker` (hidden): decodes what its parent asks for, in a process that
//! can be limited and killed.

use std::process::ExitCode;

use media::{Hwaccel, worker};

/// The worker takes its requests from standard input.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What decodes pictures, where it is there
    #[arg(long, default_value_t)]
    hwaccel: Hwaccel,
}

pub(super) fn run(args: &Args) -> ExitCode {
    // The parent learns from the broken pipe; there is nobody else to tell.
    match worker::serve(args.hwaccel) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
