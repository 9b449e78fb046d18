//! What it costs to hear what is said in sounds, on files that others are timed on, too:
//! `scripts/bench_speech`.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a measurement, not part of the program

use std::{env, fs};

use cinetag::nn::{
    Device, ModelSource, Precision, WeightCache, Whisper,
    whisper::{RATE_HZ, WhisperSettings},
};
use rustix::time::{ClockId, clock_gettime};

/// The least of so many counts: others on the machine only make it slower.
const ROUNDS: usize = 3;

fn main() {
    let mut args = env::args().skip(1);
    let model = args.next().expect("usage: bench_speech MODEL SAMPLES…");
    let source: ModelSource = model.parse().unwrap();
    let files = WeightCache::open(None).unwrap().resolve(&source).unwrap();
    let sounds: Vec<(String, Vec<f32>)> = args
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            (path, bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect())
        })
        .collect();
    let settings = WhisperSettings::default();
    for (name, precision) in
        [("int8", Precision::Int8), ("bf16", Precision::Bf16), ("f32", Precision::F32)]
    {
        let network = Whisper::load(&files, &Device::Cpu, precision).unwrap();
        for (path, samples) in &sounds {
            let mut least = f64::INFINITY;
            let mut windows = 0;
            for _ in 0..ROUNDS {
                let started = cpu_secs();
                windows = network.listen(samples, &settings).unwrap().1.len();
                least = least.min(cpu_secs() - started);
            }
            let secs = samples.len() as f64 / RATE_HZ as f64;
            println!(
                "cinetag {name}\t{model}\t{path}\t{secs:.1}\t{windows}\t{least:.2}\t{:.3}",
                least / windows.max(1) as f64
            );
        }
    }
}

fn cpu_secs() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
