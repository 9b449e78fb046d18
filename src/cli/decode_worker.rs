//! `cinetag decode-worker` (hidden): decodes what its parent asks for, in a process that
//! can be limited and killed.

use std::process::ExitCode;

/// The worker takes its requests from standard input and nothing from the command line.
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> ExitCode {
    ExitCode::SUCCESS
}
