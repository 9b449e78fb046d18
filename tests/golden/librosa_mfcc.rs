//! `encode::audio` against librosa: `scripts/golden/librosa_mfcc.py` wrote the numbers.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use cinetag::encode::audio::{Analysis, MelScale, Series, Settings};
use serde_json::Value;

/// Of the largest reference number; measured: at most 1.3e-6.
const TOLERANCE: f32 = 1e-5;

fn golden() -> Value {
    serde_json::from_str(include_str!("data/librosa_mfcc.json")).expect("golden data is JSON")
}

/// The script's sound: integers, so that both sides have the very same samples.
fn sound(golden: &Value) -> Vec<f32> {
    let num_samples = golden["num_samples"].as_i64().unwrap();
    let (mut state, mut phase, mut checksum) = (1i64, 0i64, 0);
    let samples = (0..num_samples)
        .map(|i| {
            state = (state * 1_664_525 + 1_013_904_223) % (1 << 32);
            phase = (phase + (1 << 22) + i * (1 << 9)) % (1 << 32);
            let square = if phase < 1 << 31 { 1 << 14 } else { -(1 << 14) };
            let value = (((state >> 16) - (1 << 15)) >> 3) + square;
            let value = match 3 * i / num_samples {
                0 => value,
                1 => 0,
                _ => value >> 9,
            };
            checksum += value.abs();
            value as f32 / 32_768.0
        })
        .collect();
    assert_eq!(checksum, golden["checksum"].as_i64().unwrap());
    samples
}

fn series(settings: &Settings, samples: &[f32]) -> Series {
    let analysis = Analysis::new(settings);
    let mut windows = analysis.series(samples);
    let series = windows.next().expect("one window");
    assert!(windows.next().is_none());
    series
}

fn compare(what: &str, ours: &[Vec<f32>], theirs: &Value) {
    let theirs: Vec<Vec<f32>> = serde_json::from_value(theirs.clone()).expect("a table");
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().flatten().fold(0f32, |max, x| max.max(x.abs()));
    for (idx, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len(), "{what} {idx}");
        for (frame, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let error = (a - b).abs() / largest;
            assert!(error <= TOLERANCE, "{what} {idx} frame {frame}: {a} for {b}");
        }
    }
}

#[test]
fn mfcc_on_both_mel_scales_equal_librosas() {
    let golden = golden();
    let samples = sound(&golden);
    for (name, mel_scale) in [("slaney", MelScale::Slaney), ("htk", MelScale::Htk)] {
        let settings = Settings { mel_scale, ..Settings::default() };
        compare(name, &series(&settings, &samples).mfcc, &golden["mfcc"][name]);
    }
}

#[test]
fn mfcc_of_other_frames_and_filters_without_limit_equal_librosas() {
    let golden = golden();
    let settings = Settings {
        fft_length: 1000,
        hop_length: 300,
        num_mels: 40,
        low_hz: 50.0,
        high_hz: Some(8000.0),
        num_coeffs: 13,
        top_db: None,
        ..Settings::default()
    };
    let ours = series(&settings, &sound(&golden)).mfcc;
    compare("no limit", &ours, &golden["mfcc"]["no_limit"]);
}

#[test]
fn deltas_equal_librosas() {
    let golden = golden();
    let ours = series(&Settings::default(), &sound(&golden));
    compare("delta", &ours.delta, &golden["delta"]);
    compare("delta delta", &ours.delta_delta, &golden["delta_delta"]);
}

#[test]
fn descriptors_equal_librosas() {
    let golden = golden();
    let ours = series(&Settings::default(), &sound(&golden)).descriptors;
    for (idx, name) in
        ["level", "crossings", "centroid", "rolloff", "flatness", "flux"].into_iter().enumerate()
    {
        let theirs = Value::Array(vec![golden["descriptors"][idx].clone()]);
        compare(name, &ours[idx..=idx], &theirs);
    }
}
