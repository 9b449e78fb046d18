//! Decoding in this process: `CINETAG_BENCH_FILM=film.mp4 cargo bench --bench media`; without one, on
//! a trailer of the demo library. `scripts/bench_media` compares with `ffmpeg` and a Python
//! pipeline, workers and all.

#![allow(missing_docs)] // the macro's functions

use std::{env, path::PathBuf};

use cinetag::{
    base::{Interrupt, NoProgress, Seed},
    demo,
    media::{AudioSpec, DecodeRequest, Fit, FrameSpec, Limits, Sampling, Want, decode},
};
use criterion::{Criterion, criterion_group, criterion_main};

fn film() -> PathBuf {
    if let Some(film) = env::var_os("CINETAG_BENCH_FILM") {
        return film.into();
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-media");
    demo::render(&folder, 1, Seed(7), &NoProgress, &Interrupt::default())
        .expect("the demo library can be rendered");
    let films = std::fs::read_dir(folder.join("trailers")).expect("it has trailers");
    films.flatten().next().expect("of one title").path()
}

fn frames(sampling: Sampling) -> FrameSpec {
    FrameSpec {
        sampling,
        every_secs: 2.0,
        crop_bars: true,
        side_px: 260,
        fit: Fit::Stretch,
        max_frames: 32,
        black_luma: 12.0,
        duplicate_luma: 3.0,
    }
}

fn decoding(c: &mut Criterion) {
    let film = film();
    let of = |wants: Vec<Want>| DecodeRequest::new(&film, wants);
    let pictures = |sampling| of(vec![Want::Frames(frames(sampling))]);
    let sound = |rate_hz| Want::Audio(AudioSpec { rate_hz, max_secs: 300.0 });
    let mut group = c.benchmark_group("decoding");
    group.sample_size(10);
    for (name, request) in [
        ("keyframes", pictures(Sampling::Keyframes)),
        ("evenly spaced frames", pictures(Sampling::Uniform)),
        ("a frame a shot", pictures(Sampling::Shots)),
        ("sound", of(vec![sound(22_050)])),
        ("sound for two", of(vec![sound(22_050), sound(16_000)])),
    ] {
        group.bench_function(name, |b| b.iter(|| decode(&request, &Limits::default())));
    }
}

criterion_group!(benches, decoding);
criterion_main!(benches);
