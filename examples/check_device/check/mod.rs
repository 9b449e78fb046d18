//! Whether a device computes what the processor does, and how fast: `docs/cuda.md`.
//!
//! Each part is a process of its own with an end to its time, so that one that crashes, hangs or
//! leaves the device unusable costs its own lines only. A part prints a [`Row`] a line; so does
//! `scripts/time_device.py`, which has PyTorch do the same.

#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program

pub mod collect;
pub mod films;
pub mod networks;
pub mod parity;
pub mod rates;
pub mod row;
pub mod training;

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use cinetag::base::DeviceChoice;

pub use row::Row;

/// Whatever ends a part.
pub type Fail = Box<dyn std::error::Error>;

/// What a part is given, and where its rows go.
pub type Part = fn(&Setup, &mut dyn FnMut(Row)) -> Result<(), Fail>;

/// All parts, in the order in which they matter: a lease may end at any time.
pub const PARTS: [(&str, Part); 5] = [
    ("parity", parity::run),
    ("training", training::run),
    ("tag", films::tag),
    ("rates", rates::run),
    ("decoding", films::decoding),
];

/// What is checked, and with what.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The device that is held against the processor.
    pub device: DeviceChoice,
    /// Holds `weights/` (a cache), `networks/` (tiny ones) and `library/` (films); each may lack.
    pub data: PathBuf,
    /// What the check writes.
    pub out: PathBuf,
    /// `cinetag`, or this program, which is cinetag too.
    pub program: PathBuf,
    /// Titles of the training set.
    pub titles: usize,
    /// A measurement takes at least so long, and its batches are raised until one takes as long.
    pub secs: f64,
}

impl Setup {
    fn parse(args: &[String]) -> Result<Self, Fail> {
        let value = |name: &str| {
            let at = args.iter().position(|arg| arg == name);
            at.and_then(|at| args.get(at + 1)).map(String::as_str)
        };
        let path = |name: &str| value(name).ok_or_else(|| format!("{name} DIR is missing"));
        Ok(Self {
            device: value("--device").unwrap_or("cuda").parse()?,
            data: fs::canonicalize(path("--data")?)?,
            out: PathBuf::from(path("--out")?),
            program: env::current_exe()?,
            titles: 1500,
            secs: value("--secs").unwrap_or("0.3").parse()?,
        })
    }
}

/// `check_device check …`: everything; a JSON object, then a table.
pub fn check(args: &[String]) -> ExitCode {
    match run_all(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run_all(args: &[String]) -> Result<ExitCode, Fail> {
    let setup = Setup::parse(args)?;
    fs::create_dir_all(&setup.out)?;
    let minutes = args.iter().position(|arg| arg == "--minutes").and_then(|at| args.get(at + 1));
    let started = Instant::now();
    let end = Duration::from_secs_f64(60.0 * minutes.map_or("4.8", String::as_str).parse::<f64>()?);
    let mut rows = Vec::new();
    for (name, _) in PARTS {
        let mut command = Command::new(&setup.program);
        command.args(["part", name]).args(args);
        let left = end.saturating_sub(started.elapsed());
        rows.extend(collect::rows(name, &mut command, &setup.out, left));
        if name == "rates" {
            let mut torch = rates::torch(&setup, &setup.data.join("time_device.py"));
            let left = end.saturating_sub(started.elapsed());
            let torch = collect::rows("pytorch", &mut torch, &setup.out, left.mul_f64(0.6));
            row::lay_beside(&mut rows, torch);
        }
    }
    let report = row::report(&collect::machine(&setup), started.elapsed(), &rows);
    fs::write(setup.out.join("report.json"), format!("{report}\n"))?;
    println!("{report}\n{}", row::table(&rows));
    Ok(if row::is_right(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `check_device part NAME …`: one of them, its rows as lines of JSON.
pub fn part(args: &[String]) -> ExitCode {
    let run = |args: &[String]| -> Result<(), Fail> {
        let name = args.first().ok_or("which part?")?;
        let (_, part) = PARTS.iter().find(|(part, _)| part == name).ok_or("no such part")?;
        part(&Setup::parse(&args[1..])?, &mut |row| println!("{}", row.json()))
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", row::chain(&*error));
            ExitCode::FAILURE
        }
    }
}
