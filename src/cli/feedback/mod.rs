//! `cinetag feedback`: people's answers about titles, taken into the log and out of it.

mod export;
mod import;

use super::{Console, Failure};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Take a file of answers (CSV, TSV, JSON Lines) into the log of a library or catalog
    Import(import::Args),
    /// Write what the log of a library or catalog says, a row an answer
    Export(export::Args),
}

pub(super) fn run(command: &Command, console: &Console) -> Result<u8, Failure> {
    match command {
        Command::Import(args) => import::run(args, console),
        Command::Export(args) => export::run(args, console),
    }
}
