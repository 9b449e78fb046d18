//! The program that `scripts/check_device` packs: cinetag itself, and the check of a device.
//!
//!     check_device check --device cuda --data DIR --out DIR     the check
//!     check_device COMMAND…                                     as `cinetag COMMAND…`
//!
//! One program for both, because a decode worker is the same program and one of 180 MB travels.

mod check;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("check") => check::check(&args[1..]),
        Some("part") => check::part(&args[1..]),
        _ => cinetag::cli::main(),
    }
}
