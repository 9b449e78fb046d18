//! Whisper against `CTranslate2` and faster-whisper (`scripts/golden/whisper.py`).
#![allow(clippy::unwrap_used, clippy::print_stderr)] // helpers of tests, which clippy does not take for tests

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cinetag::nn::{
    Device, ModelFiles, ModelSource, Precision, WeightCache, Whisper,
    whisper::{MODEL, RATE_HZ, WhisperSettings},
};
use serde::Deserialize;
use serde_json::Value;

use crate::networks::{assert_close, data, pretrained, tolerance};

#[derive(Deserialize)]
struct Golden {
    log_mels: Vec<f32>,
    encoded: Vec<f32>,
    texts: BTreeMap<String, Text>,
}

#[derive(Deserialize)]
struct Text {
    tokens: Vec<u32>,
    no_speech: f32,
    avg_logprob: f32,
}

fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fs::read(data(name)).unwrap()).unwrap()
}

/// The tiny network, read from `CTranslate2`'s file.
fn tiny() -> ModelFiles {
    let cache = tempfile::tempdir().unwrap().keep();
    let cache = WeightCache::open(Some(cache)).unwrap();
    cache.resolve(&ModelSource::Path(data("whisper"))).unwrap()
}

/// The script's sound.
fn sound(num_samples: usize) -> Vec<f32> {
    let (mut state, mut phase) = (1i64, 0i64);
    let sample = |idx: i64| {
        state = (state * 1_664_525 + 1_013_904_223) % (1 << 32);
        let note = idx / 1000;
        phase = (phase + 29_527_900 * (8 + note * 5 % 12) / 8) % (1 << 32);
        let tone = if phase < 1 << 31 { 1 << 12 } else { -(1 << 12) };
        let noise = ((state >> 16) - (1 << 15)).div_euclid(256);
        (noise + if note % 7 == 0 { 0 } else { tone }) as f32 / 32_768.0
    };
    (0..num_samples as i64).map(sample).collect()
}

fn settings(language: &str, translate: bool) -> WhisperSettings {
    WhisperSettings { language: Some(language.to_owned()), translate }
}

#[test]
fn a_tiny_network_equals_ctranslate2() {
    let (golden, files) = (golden::<Golden>("whisper.json"), tiny());
    let fused = Whisper::load(&files, &Device::Cpu, Precision::F32).unwrap();
    let plain = Whisper::load_plain(&files, &Device::Cpu).unwrap();
    let samples = sound(9600);
    for (name, network, tolerance) in [("fused", fused, tolerance()), ("plain", plain, 1e-5)] {
        assert!(network.is_multilingual());
        let mels = network.log_mels(&samples);
        assert_close(&format!("{name}, log-mels"), &mels, &golden.log_mels, 2e-5);
        let encoded = network.encode(&golden.log_mels).unwrap();
        assert_close(&format!("{name}, encoder"), &encoded, &golden.encoded, tolerance);
        for (language, text) in &golden.texts {
            let (found, windows) =
                network.listen(&samples, &settings(language, language == "de")).unwrap();
            assert_eq!(found.as_ref(), Some(language));
            assert_eq!(windows[0].tokens, text.tokens, "{name}, {language}");
            assert_close("no speech", &[windows[0].no_speech], &[text.no_speech], 1e-3);
            assert_close("log-probability", &[windows[0].avg_logprob], &[text.avg_logprob], 1e-3);
        }
    }
}

#[test]
fn a_tiny_network_hears_the_same_again_and_in_8_bits_nearly_the_same() {
    let (files, samples) = (tiny(), sound(16_000));
    let f32 = Whisper::load(&files, &Device::Cpu, Precision::F32).unwrap();
    let found = f32.transcribe(&samples, &WhisperSettings::default()).unwrap();
    assert_eq!(f32.transcribe(&samples, &WhisperSettings::default()).unwrap(), found);
    assert!(found.segments.iter().all(|s| s.start_secs < s.end_secs && !s.text.is_empty()));
    assert!(found.language.is_some_and(|code| ["en", "de"].contains(&code.as_str())));
    assert_eq!(f32.transcribe(&[], &WhisperSettings::default()).unwrap().segments, []);
    let error = f32.transcribe(&samples, &settings("xx", false)).unwrap_err();
    assert!(error.to_string().contains("known are en, de"), "{error}");
    let int8 = Whisper::load(&files, &Device::Cpu, Precision::Int8).unwrap();
    let mels = f32.log_mels(&sound(9600));
    let expected = f32.encode(&mels).unwrap();
    assert_close("8 bits", &int8.encode(&mels).unwrap(), &expected, 0.1);
}

/// Samples as the script has them, or `None` after saying why there are none.
fn samples(source: &Path) -> Option<Vec<f32>> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i"]).arg(source);
    match ffmpeg.args(["-ac", "1", "-ar", "16000", "-f", "f32le", "-"]).output() {
        Ok(output) => {
            let (floats, _) = output.stdout.as_chunks::<4>();
            Some(floats.iter().map(|x| f32::from_le_bytes(*x)).collect())
        }
        Err(error) => {
            eprintln!("NOT CHECKED: {}: ffmpeg cannot be run: {error}", source.display());
            None
        }
    }
}

/// A file in which a synthetic voice says a text, or `None` where the pinned one is not there.
fn spoken(voice: &str, pinned: &str, folder: &Path) -> Option<PathBuf> {
    let version = Command::new("espeak-ng").arg("--version").output();
    if !version.is_ok_and(|output| output.stdout.starts_with(pinned.as_bytes())) {
        eprintln!("NOT CHECKED: a voice: there is no {pinned}");
        return None;
    }
    let file = folder.join("voice.wav");
    let status = Command::new("espeak-ng").args(["-s", "150", "-w"]).arg(&file).arg(voice).status();
    assert!(status.unwrap().success());
    Some(file)
}

#[test]
fn real_clips_equal_faster_whisper() {
    let golden: Value = golden("whisper_clips.json");
    let Some(files) = pretrained(MODEL) else { return };
    let root = std::env::var_os("CINETAG_SHARED_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let network = Whisper::load(&files, &Device::Cpu, Precision::F32).unwrap();
    let voice = golden["voice"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (clip, windows) in golden["clips"].as_object().unwrap() {
        let source = if clip == "espeak-ng" {
            spoken(voice, golden["espeak-ng"].as_str().unwrap(), folder.path())
        } else {
            let source = root.join(clip);
            let is_there = source.is_file();
            if !is_there {
                eprintln!("NOT CHECKED: {clip} is not in {}", root.display());
            }
            is_there.then_some(source)
        };
        let Some(samples) = source.as_deref().and_then(samples) else { continue };
        assert!(samples.len() > RATE_HZ, "{clip}");
        let (_, found) = network.listen(&samples, &WhisperSettings::default()).unwrap();
        let expected: BTreeMap<String, Vec<u32>> = serde_json::from_value(windows.clone()).unwrap();
        let mut compared = 0;
        for window in &found {
            let Some(tokens) = expected.get(&window.first_frame.to_string()) else { continue };
            compared += 1;
            if window.is_cut {
                // The last one ends what was cut.
                let kept = &window.tokens[..window.tokens.len() - 1];
                assert_eq!(kept, &tokens[..kept.len()], "{clip}");
            } else {
                // The reference leaves out what it hears again from the next window's begin.
                assert!(
                    window.tokens.starts_with(tokens),
                    "{clip}: {:?}, {tokens:?}",
                    window.tokens
                );
            }
        }
        assert!(compared > 0, "{clip}");
    }
}
