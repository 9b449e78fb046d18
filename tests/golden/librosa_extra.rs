//! The descriptors of `encode::audio` that are computed on request, against librosa and FFmpeg:
//! `scripts/golden/librosa_extra.py` wrote the numbers.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use cinetag::{
    base::DeviceChoice,
    encode::{
        EncoderContext, Input, Modality as _, Opened,
        audio::{Analysis, Audio, Descriptor, Settings},
    },
    media::Samples,
};
use serde_json::{Value, json};

const RATE_HZ: i64 = 22_050;
const SECS: i64 = 12;

fn golden() -> Value {
    serde_json::from_str(include_str!("data/librosa_extra.json")).expect("golden data is JSON")
}

/// The script's sound.
fn sound(golden: &Value) -> Vec<f32> {
    let (mut state, mut phase, mut checksum) = (1i64, 0i64, 0);
    let beat = RATE_HZ * 60 / 128;
    let samples = (0..RATE_HZ * SECS)
        .map(|i| {
            state = (state * 1_664_525 + 1_013_904_223) % (1 << 32);
            let note = 85_704 * if (i / beat) % 2 == 1 { 3 } else { 2 };
            phase = (phase + note * 1000) % (1 << 32);
            let square = if phase < 1 << 31 { 1 << 13 } else { -(1 << 13) };
            let tone = if i % beat < beat / 4 { square } else { 0 };
            let value = (((state >> 16) - (1 << 15)) >> 6) + tone;
            let value = value >> (i / RATE_HZ / 3);
            checksum += value.abs();
            value as f32 / 32_768.0
        })
        .collect();
    assert_eq!(checksum, golden["checksum"].as_i64().unwrap());
    samples
}

/// Every so many frames of our series against theirs, within `tolerance` of the largest number.
#[allow(clippy::print_stderr)]
fn compare(what: &str, ours: &[Vec<f32>], golden: &Value, tolerance: f32) {
    let every = golden["every"].as_u64().unwrap() as usize;
    let theirs: Vec<Vec<f32>> = serde_json::from_value(golden[what].clone()).expect("a table");
    let ours: Vec<Vec<f32>> =
        ours.iter().map(|series| series.iter().copied().step_by(every).collect()).collect();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    assert!(ours.iter().zip(&theirs).all(|(a, b)| a.len() == b.len()), "{what}");
    let largest = theirs.iter().flatten().fold(0f32, |max, x| max.max(x.abs()));
    let errors = ours.iter().flatten().zip(theirs.iter().flatten()).map(|(a, b)| (a - b).abs());
    let error = errors.fold(0f32, f32::max) / largest;
    eprintln!("{what}: max|Δ| {error:.2e} of the largest");
    assert!(error <= tolerance, "{what}: {error} of the largest");
}

#[test]
fn mels_chroma_and_contrast_equal_librosas() {
    let golden = golden();
    let samples = sound(&golden);
    let settings = Settings {
        window_secs: 60.0,
        extra: vec![Descriptor::LogMel, Descriptor::Chroma, Descriptor::Contrast],
        ..Settings::default()
    };
    let series = Analysis::new(&settings).series(&samples).next().unwrap();
    compare("log_mel", &series.log_mel, &golden, 1e-5);
    compare("chroma", &series.chroma, &golden, 1e-5);
    compare("contrast", &series.contrast, &golden, 1e-5);
}

#[test]
#[allow(clippy::print_stderr)]
fn tempo_and_loudness_equal_librosas_and_ffmpegs() {
    let golden = golden();
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    let settings = json!({"window_secs": 60.0, "extra": ["tempo", "loudness"]});
    let Opened::Encoder(encoder) = Audio.open(&settings, &context).unwrap() else {
        panic!("sound is no record");
    };
    let samples = Samples { rate_hz: RATE_HZ as u32, mono: sound(&golden), partial: None };
    let features = encoder.encode(Input::Parts(&[Ok(&samples.into())])).unwrap();
    let names = encoder.identity().description["features"].as_array().unwrap();
    for (name, expected, tolerance) in [
        ("tempo_bpm", &golden["tempo_bpm"], 1e-4),
        ("pulse", &golden["pulse"], 1e-5),
        // FFmpeg writes one decimal.
        ("title_loudness_lufs", &golden["r128"]["integrated"], 0.051),
        ("loudness_lufs", &golden["r128"]["integrated"], 0.051),
        ("loudness_max_lufs", &golden["r128"]["momentary_max"], 0.051),
        // They differ by 0.3 LU; Tech 3342 allows 1.
        ("title_loudness_range_lu", &golden["r128"]["range"], 0.5),
    ] {
        let idx = names.iter().position(|known| known == name).unwrap();
        let (ours, expected) = (f64::from(features.data[idx]), expected.as_f64().unwrap());
        eprintln!("{name}: {ours} for {expected}");
        assert!((ours - expected).abs() <= tolerance, "{name}: {ours} for {expected}");
    }
}
