//! The program that `scripts/check_device` packs: cinetag itself, and the check of a device.
//!
//!     check_device check --device cuda --data DIR --out DIR     the check
//!     check_device COMMAND…                                     as `cinetag COMMAND…`
//!
//! One program for both, because a decode worker is the same program and one of 180 MB travels.

#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program

mod check;

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use check::{Fail, PARTS, Setup, collect, rates, row};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("check") => everything(&args[1..]),
        Some("part") => part(&args[1..]).map(|()| ExitCode::SUCCESS),
        _ => return cinetag::cli::main(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", row::chain(&*error));
        ExitCode::from(2)
    })
}

/// What follows a name in the arguments.
fn value<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).map(String::as_str)
}

fn setup(args: &[String]) -> Result<Setup, Fail> {
    let path = |name: &str| value(args, name).ok_or_else(|| format!("{name} DIR is missing"));
    Ok(Setup {
        device: value(args, "--device").unwrap_or("cuda").parse()?,
        data: fs::canonicalize(path("--data")?)?,
        out: PathBuf::from(path("--out")?),
        program: env::current_exe()?,
        titles: 1500,
        secs: value(args, "--secs").unwrap_or("0.3").parse()?,
    })
}

/// All parts and PyTorch; a JSON object, then a table.
fn everything(args: &[String]) -> Result<ExitCode, Fail> {
    let setup = setup(args)?;
    fs::create_dir_all(&setup.out)?;
    let started = Instant::now();
    let minutes: f64 = value(args, "--minutes").unwrap_or("4.8").parse()?;
    let end = Duration::from_secs_f64(60.0 * minutes);
    let left = || end.saturating_sub(started.elapsed());
    let mut rows = Vec::new();
    for (name, _) in PARTS {
        let mut command = Command::new(&setup.program);
        command.args(["part", name]).args(args);
        rows.extend(collect::rows(name, &mut command, &setup.out, left()));
        if name == "rates" {
            let mut torch = rates::torch(&setup, &setup.data.join("time_device.py"));
            // Something is left for what comes after it.
            let torch = collect::rows("pytorch", &mut torch, &setup.out, left().mul_f64(0.6));
            row::lay_beside(&mut rows, torch);
        }
    }
    let report = row::report(&machine(&setup), started.elapsed(), &rows);
    fs::write(setup.out.join("report.json"), format!("{report}\n"))?;
    println!("{report}\n{}", row::table(&rows));
    Ok(if row::is_right(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One part: its rows as lines of JSON.
fn part(args: &[String]) -> Result<(), Fail> {
    let name = args.first().ok_or("which part?")?;
    let (_, part) = PARTS.iter().find(|(part, _)| part == name).ok_or("no such part")?;
    part(&setup(&args[1..])?, &mut |row| println!("{}", row.json()))
}

/// What computes here.
fn machine(setup: &Setup) -> Value {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|s| !s.is_empty())
    };
    json!({
        "device": setup.device,
        "gpu": said("nvidia-smi", &["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]),
        "cpu": said("sh", &["-c", "grep -m 1 'model name' /proc/cpuinfo | cut -d : -f 2"]),
        "cores": thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "cpu_kernels": cinetag::nn::device::cpu_kernels(),
        "cinetag": env!("CARGO_PKG_VERSION"),
    })
}
