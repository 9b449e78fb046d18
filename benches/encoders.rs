//! Every frozen encoder whose weights are in the cache, a picture, text or ten seconds of sound at a
//! time, on one thread: `cargo bench --bench encoders`. `scripts/bench_encoders` compares with
//! PyTorch, ONNX Runtime and OpenVINO.

#![allow(missing_docs, clippy::print_stderr)] // the macro's functions; what is left out

use cinetag::{
    base::DeviceChoice,
    encode::{
        Encoder, EncoderContext, Input, Modality, Opened, audio::Audio, plot::Plot, poster::Poster,
    },
    media::{Picture, Samples, Want},
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

const SOUND_SECS: usize = 10;
const PLOT_WORDS: usize = 110;

/// The encoder, or `None` after saying what is missing.
fn open(modality: &dyn Modality, settings: &Value) -> Option<Box<dyn Encoder>> {
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    match modality.open(settings, &context) {
        Ok(Opened::Encoder(encoder)) => Some(encoder),
        Ok(_) => None,
        Err(error) => {
            eprintln!("left out: {settings}: {error}; `cinetag models pull` fetches weights");
            None
        }
    }
}

fn measure(c: &mut Criterion, name: &str, encoder: &dyn Encoder, input: Input<'_>) {
    c.bench_function(name, |b| b.iter(|| encoder.encode(input)));
}

fn posters(c: &mut Criterion) {
    for model in ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"] {
        let Some(encoder) = open(&Poster, &json!({ "model": model })) else { continue };
        let Some(Want::Picture(spec)) = encoder.wants().pop() else { continue };
        let side = spec.side_px;
        let rgb = (0..side * side * 3).map(|i| (i * 7919 % 251) as u8).collect();
        let picture = Picture { width: side, height: side, rgb }.into();
        measure(c, &format!("poster, {model}"), &*encoder, Input::Parts(&[Ok(&picture)]));
    }
}

fn plots(c: &mut Criterion) {
    let words = ["a", "story", "of", "love", "and", "war", "in", "the", "city"];
    let text: Vec<&str> = words.into_iter().cycle().take(PLOT_WORDS).collect();
    for model in ["all-minilm-l6-v2", "all-mpnet-base-v2"] {
        let Some(encoder) = open(&Plot, &json!({ "model": model })) else { continue };
        measure(c, &format!("plot, {model}"), &*encoder, Input::Text(&text.join(" ")));
    }
}

fn sounds(c: &mut Criterion) {
    let names = ["log-mel", "chroma", "contrast", "tempo", "loudness"];
    let networks = ["audio-events", "musicnn-mtt", "musicnn-msd"];
    let mut settings = vec![("no extra", json!({}))];
    settings.extend(names.into_iter().chain(networks).map(|n| (n, json!({ "extra": [n] }))));
    for (name, settings) in settings {
        let Some(encoder) = open(&Audio, &settings) else { continue };
        let Some(Want::Audio(spec)) = encoder.wants().pop() else { continue };
        let mono = (0..spec.rate_hz as usize * SOUND_SECS)
            .map(|i| ((i * 7919 % 2003) as f32 / 1001.5 - 1.0) * 0.1)
            .collect();
        let samples = Samples { rate_hz: spec.rate_hz, mono, partial: None }.into();
        measure(c, &format!("audio, {name}"), &*encoder, Input::Parts(&[Ok(&samples)]));
    }
}

criterion_group!(benches, posters, plots, sounds);
criterion_main!(benches);
