//! Precision, recall and F1 of both shot detectors on films whose cuts are known, and what they
//! cost: `scripts/bench_shots FOLDER`.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a measurement, not part of the program

#[path = "../tests/golden/cut_lists.rs"]
mod cut_lists;

use std::{env, path::Path};

use cinetag::{
    eval::Counts,
    media::{DecodeRequest, Fit, FrameSpec, Keyframes, Limits, Sampling, Want, decode},
    nn::{
        Device, TransNetV2, WeightCache,
        transnet_v2::{self, shot_begins},
    },
};
use rustix::time::{ClockId, clock_gettime};

fn main() {
    let folder = env::args().nth(1).expect("usage: bench_shots FOLDER");
    let films = cut_lists::of_folder(Path::new(&folder));
    let files = WeightCache::open(None).unwrap().require(transnet_v2::MODEL).unwrap();
    let network = TransNetV2::load(&files.weights, &Device::Cpu).unwrap();
    let mut content = Total::default();
    let mut transnet = Total::default();
    for list in &films {
        let started = cpu_secs();
        let looked = look(&list.film, Sampling::Shots);
        let found = looked.shots_secs.unwrap();
        content.add(list.score(&found[1..]), cpu_secs() - started);

        let started = cpu_secs();
        let preview = look(&list.film, Sampling::Preview).preview.unwrap();
        let begins = shot_begins(&network.predict(&preview.rgb).unwrap());
        let secs = cpu_secs() - started;
        let found: Vec<f64> = begins.iter().map(|frame| preview.times_secs[*frame]).collect();
        transnet.add(list.score(&found[1..]), secs);

        let num_frames = preview.times_secs.len();
        content.num_frames += num_frames;
        transnet.num_frames += num_frames;
    }
    let num_cuts: usize = films.iter().map(|list| list.cuts.len()).sum();
    println!("{} films, {} frames, {num_cuts} cuts", films.len(), content.num_frames);
    content.print("content");
    transnet.print("transnetv2");
}

#[derive(Default)]
struct Total {
    counts: Counts,
    cpu_secs: f64,
    num_frames: usize,
}

impl Total {
    fn add(&mut self, counts: Counts, cpu_secs: f64) {
        self.counts += counts;
        self.cpu_secs += cpu_secs;
    }

    fn print(&self, name: &str) {
        let Self { counts, cpu_secs, num_frames } = self;
        println!(
            "{name:<10}  F1 {:.3}  precision {:.3}  recall {:.3}  {} right, {} wrong, {} not found  \
             {:.2} CPU-ms a frame with decoding",
            counts.f1(),
            counts.precision(),
            counts.recall(),
            counts.true_positives,
            counts.false_positives,
            counts.false_negatives,
            cpu_secs * 1e3 / *num_frames as f64,
        );
    }
}

/// Decodes in this process: the films are one's own.
fn look(film: &Path, sampling: Sampling) -> Keyframes {
    let frames = FrameSpec {
        sampling,
        every_secs: 1.0,
        crop_bars: false,
        side_px: 32,
        fit: Fit::Stretch,
        max_frames: 8,
        black_luma: 0.0,
        duplicate_luma: 0.0,
    };
    let request = DecodeRequest::new(film, [Want::Frames(frames)]);
    decode(&request, &Limits::default()).take(0).unwrap()
}

/// Of the whole process.
fn cpu_secs() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
