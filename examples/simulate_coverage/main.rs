//! Whether intervals cover what they say and tests find what is not there, on made-up titles:
//! `scripts/simulate_coverage`, docs/evaluation.md.
//!
//!     simulate_coverage coverage SAMPLES   of intervals, percentile and bias-corrected
//!     simulate_coverage nulls PAIRS        differences found between two seeds of one head

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a measurement, not part of the program

mod coverage;
mod nulls;
mod sample;

use std::env;

use cinetag::base::Seed;

const SEED: Seed = Seed(7);

fn main() {
    let mut args = env::args().skip(1);
    let (what, count) = (args.next().unwrap_or_default(), args.next());
    let count = count.and_then(|text| text.parse().ok());
    match (what.as_str(), count) {
        ("coverage", Some(num_samples)) => coverage::print(num_samples, SEED),
        ("nulls", Some(num_pairs)) => nulls::print(num_pairs, SEED),
        _ => panic!("usage: simulate_coverage coverage SAMPLES | nulls PAIRS"),
    }
}
