//! Seeded mutations of everything that strangers may write and cinetag reads (`docs/security.md`).
//!
//! in: small valid inputs that the program itself makes, mutated by a seed; out: inputs that a
//! child process did not survive ([`watch`]): a panic, an abort, more than ten seconds, more than
//! a gigabyte. They go into `tests/corpus/TARGET/`, which a plain run of this test replays.
//!
//!     cargo test --release --test fuzz                                      # replays tests/corpus
//!     scripts/fuzz [--minutes M] [--seed N] [--jobs J] [--only TARGET,…] [--keep DIR]
//!
//! It is a program of its own (`harness = false`), because it is its own child.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod child;
mod files;
mod hunt;
mod mutate;
mod replay;
mod targets;
mod watch;

use std::{path::PathBuf, process::ExitCode};

/// What is asked for on the command line.
struct Settings {
    minutes: f64,
    seed: u64,
    jobs: usize,
    /// Targets; all where empty.
    only: Vec<String>,
    /// Where inputs go that were found.
    keep: PathBuf,
}

/// Inputs that were found once.
fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// `None` where no hunt is asked for; whatever else a test binary may be told is passed over.
fn settings(args: &[String]) -> Option<Settings> {
    let value = |name: &str| {
        let at = args.iter().rposition(|arg| arg == name)?; // the last one counts
        args.get(at + 1)
    };
    let minutes = value("--minutes")?.parse().expect("--minutes is a number");
    let number = |name: &str, default: u64| {
        value(name).map_or(default, |text| text.parse().expect("a number"))
    };
    Some(Settings {
        minutes,
        seed: number("--seed", 1),
        jobs: number("--jobs", 2).max(1) as usize,
        only: value("--only")
            .map(|names| names.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        keep: value("--keep").map_or_else(corpus, PathBuf::from),
    })
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == child::WORD) {
        child::run(&args[1..]);
        return ExitCode::SUCCESS;
    }
    let is_well = match settings(&args) {
        Some(settings) => hunt::hunt(&settings),
        None => replay::replay(),
    };
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
