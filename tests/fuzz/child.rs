//! The process that inputs are tried in. It says which one it begins with, and then lives or not.
//!
//! What it was before the first damaged input is its base: memory is limited to a gigabyte more.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use cinetag::base::Seed;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{
    mutate::mutate,
    targets::{self, Target},
};

/// The first argument of a child.
pub const WORD: &str = "fuzz-child";
/// How it counts its inputs.
pub const HUNT: &str = "hunt";
pub const FILES: &str = "files";

/// Bytes beyond those that a child has before its first damaged input.
const MAX_BYTES: u64 = 1 << 30;

/// `TARGET SEEDS SCRATCH hunt SEED FIRST` or `TARGET SEEDS SCRATCH files PATH…`.
pub fn run(args: &[String]) {
    let target = targets::find(&args[0]).expect("a target");
    let scratch = PathBuf::from(&args[2]);
    let seeds = seeds_in(Path::new(&args[1]));
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{info}");
        std::process::abort();
    }));
    // Threads, tables and caches that are made once are nobody's fault.
    for seed in &seeds {
        attempt(target, seed, &scratch);
    }
    limit();
    if args[3] == HUNT {
        let seed = Seed(args[4].parse().expect("a seed"));
        for number in args[5].parse().expect("a number").. {
            let input = input(target, &seeds, seed, number);
            begin(number);
            attempt(target, &input, &scratch);
        }
    }
    for (number, path) in args[4..].iter().enumerate() {
        let input = fs::read(path).expect("an input");
        begin(number as u64);
        attempt(target, &input, &scratch);
    }
}

/// The seeds that were written into a folder, in their order.
pub fn seeds_in(folder: &Path) -> Vec<Vec<u8>> {
    super::files::read(folder).into_iter().map(|(_, bytes)| bytes).collect()
}

/// The `number`-th input of a seed.
pub fn input(target: &Target, seeds: &[Vec<u8>], seed: Seed, number: u64) -> Vec<u8> {
    let mut rng = seed.rng(&format!("{} {number}", target.name));
    mutate(seeds, target.tokens, target.form, &mut rng)
}

/// Says that an input is begun with.
fn begin(number: u64) {
    let mut out = io::stdout();
    out.write_all(&number.to_le_bytes()).and_then(|()| out.flush()).expect("a parent that listens");
}

fn attempt(target: &Target, input: &[u8], scratch: &Path) {
    let folder = scratch.join("input");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder to write to");
    if let Err(what) = (target.run)(input, &folder) {
        panic!("{what}");
    }
}

/// No more memory than a gigabyte beyond what there is, and no core dumps.
fn limit() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    let base = kib.expect("a size of this process") << 10;
    setrlimit(Resource::As, limit(base + MAX_BYTES)).expect("a limit");
    setrlimit(Resource::Core, limit(0)).expect("a limit");
}
