//! Trials on a catalog's own films, divided at random: `scripts/simulate`, docs/learn.md.
//!
//!     simulate gate|learn PIPELINE DRAWS[@SEED] [KEY=VALUE…]
//!
//! Features are read from the pipeline's store.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a measurement, not part of the program

mod films;
mod gate;
mod learn;

use std::{env, path::Path};

use cinetag::{base::Seed, pipeline::Pipeline};

use films::Films;

const SEED: &str = "7";

fn main() {
    let mut args = env::args().skip(1);
    let usage = "usage: simulate gate|learn PIPELINE DRAWS[@SEED] [KEY=VALUE…]";
    let trial = args.next().expect(usage);
    let path = args.next().expect(usage);
    let draws = args.next().expect(usage);
    let (draws, seed) = draws.split_once('@').unwrap_or((&draws, SEED));
    let (num_draws, seed): (usize, u64) = (draws.parse().expect(usage), seed.parse().expect(usage));
    let overrides: Vec<_> = args.map(|text| text.parse().expect(usage)).collect();
    let films = Films::read(&Pipeline::read(Path::new(&path), &overrides).unwrap());
    println!(
        "{num_draws} draws from seed {seed}, {} films, head {}",
        films.groups.len(),
        films.config.head
    );
    match trial.as_str() {
        "gate" => gate::run(&films, num_draws, Seed(seed)),
        "learn" => learn::run(&films, num_draws, Seed(seed)),
        _ => panic!("{usage}"),
    }
}
