//! The command line: one file per command. The only room that prints.

mod decode_worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tags films with genres from what is in them: trailers, posters, plots and metadata.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(hide = true)]
    DecodeWorker(decode_worker::Args),
}

/// Runs the command line and gives the process' exit code.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::DecodeWorker(args) => decode_worker::run(&args),
    }
}
