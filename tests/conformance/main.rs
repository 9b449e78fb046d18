//! What every modality promises, checked by going through the registry: a new one is
//! checked as soon as it has its row there.
//!
//! Those that need pretrained weights (`cinetag models pull`) are left out where the weights
//! are not here, but fail where `CI` is set.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod library;

use std::{collections::BTreeSet, path::PathBuf, thread};

use cinetag::{
    base::DeviceChoice,
    encode::{Encoder, EncoderContext, Features, Input, Modality, Opened, SourceKind, registry},
    media::{Cue, Keyframe, Keyframes, Part, Picture, Samples, Subtitles, Want},
};
use serde_json::{Value, json};

fn open(modality: &dyn Modality, settings: &Value) -> Result<Opened, String> {
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    modality.open(settings, &context).map_err(|e| e.to_string())
}

/// Each modality made ready, but for those whose weights are not here.
fn opened() -> Vec<(&'static dyn Modality, Opened)> {
    let mut all = Vec::new();
    for modality in registry::MODALITIES {
        match open(*modality, &json!({})).and_then(prepared) {
            Ok(opened) => all.push((*modality, opened)),
            Err(message) => {
                assert!(message.contains("cannot be loaded"), "{message}");
                assert!(std::env::var_os("CI").is_none(), "{message}: `cinetag models pull`");
                println!("{message}: not tested");
            }
        }
    }
    assert!(all.len() >= 2, "sound and metadata need no weights");
    all
}

/// The same, its networks loaded.
fn prepared(opened: Opened) -> Result<Opened, String> {
    if let Opened::Encoder(encoder) | Opened::Text { listener: encoder, .. } = &opened {
        let any = SourceKind::File(PathBuf::new());
        encoder.prepare(&any).map_err(|e| e.to_string())?;
    }
    Ok(opened)
}

/// What it does to numbers: its fingerprint, or for records their description.
fn mark(opened: &Opened) -> String {
    match opened {
        Opened::Encoder(encoder) => encoder.identity().fingerprint.to_string(),
        Opened::Text { listener, reader, settings } => {
            format!("{} {reader} {settings}", listener.identity().fingerprint)
        }
        Opened::Records(reader) => reader.description().to_string(),
    }
}

/// Other values for a setting; what is right for it is not known here, so several.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(number) if number.is_u64() => {
            let number = number.as_u64().unwrap();
            vec![json!(number + 1), json!(number * 2), json!(number / 2), json!(number + 100)]
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            vec![json!(number + 0.5), json!(number / 2.0), json!(number + 100.0)]
        }
        Value::Null => vec![json!(1.5), json!(8000.0), json!("max"), json!("en")],
        Value::String(_) => {
            let models = ["efficientnet-lite2", "efficientnet-lite0"].map(Value::from);
            let words = ["htk", "pad", "stretch", "crop", "f16"].map(Value::from);
            [models.as_slice(), words.as_slice()].concat()
        }
        Value::Array(items) => ["more", "chroma", "a {}"]
            .map(|word| Value::from([items.as_slice(), &[json!(word)]].concat()))
            .to_vec(),
        Value::Object(_) => Vec::new(),
    }
}

/// Settings that say which titles are looked at, and change no number.
const OF_SOURCES: &[&str] = &["hear"];

/// Modalities that take files and texts.
const READS_TOO: &[&str] = &["speech"];

/// The encoder of a modality that has one.
fn encoder_of(opened: Opened) -> Option<Box<dyn Encoder>> {
    match opened {
        Opened::Encoder(encoder) | Opened::Text { listener: encoder, .. } => Some(encoder),
        Opened::Records(_) => None,
    }
}

/// What else is set while a setting is varied, for those that not every model has.
fn beside(key: &str) -> Value {
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/data/clip_zero_shot");
    match key {
        "zero_shot" => json!({ "model": clip }),
        "prompts" => json!({ "model": clip, "zero_shot": ["comedy"] }),
        _ => json!({}),
    }
}

/// Content of each kind, small; `seed` gives others.
fn text(seed: usize) -> String {
    format!("A diver finds {seed} letters in a wreck and reads them aloud. ").repeat(9)
}

fn part(want: &Want, seed: usize) -> Part {
    let picture = |side: u32, frame: usize| {
        let num_bytes = (side * side * 3) as usize;
        let rgb = (0..num_bytes).map(|idx| ((idx * (seed + frame + 3)) >> 4) as u8).collect();
        Picture { width: side, height: side, rgb }
    };
    match want {
        Want::Frames(spec) => {
            let frame = |idx: usize| Keyframe {
                time_secs: idx as f64,
                picture: picture(spec.side_px, idx),
            };
            Keyframes { kept: (0..3).map(frame).collect(), ..Keyframes::default() }.into()
        }
        Want::Audio(spec) => {
            let mono = (0..spec.rate_hz * 3)
                .map(|n| ((n as f32).powi(2) * 1e-5 * (seed + 1) as f32).sin() * 0.4)
                .collect();
            Samples { rate_hz: spec.rate_hz, mono, partial: None }.into()
        }
        Want::Picture(spec) => picture(spec.side_px, 0).into(),
        Want::Subtitles => {
            let cue = Cue { start_secs: 1.0, end_secs: 4.0, text: text(seed) };
            Subtitles { language: Some("eng".to_owned()), cues: vec![cue], partial: None }.into()
        }
    }
}

#[test]
fn names_are_plain_and_unique_and_say_what_they_are() {
    let mut names = BTreeSet::new();
    for modality in registry::MODALITIES {
        let name = modality.name();
        assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{name}");
        assert!(names.insert(name), "{name} twice");
        assert_eq!(registry::find(name).unwrap().name(), name);
        assert!(modality.about().len() > 20, "{name}: {:?}", modality.about());
    }
    assert_eq!(names.len(), registry::names().len());
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    for modality in registry::MODALITIES {
        let message = open(*modality, &json!({"flavour": 1})).err().unwrap();
        assert!(message.contains(modality.name()) && message.contains("`flavour`"), "{message}");
        for key in modality.defaults().as_object().unwrap().keys() {
            assert!(message.contains(key.as_str()), "{key} is not offered: {message}");
        }
    }
}

#[test]
fn every_setting_changes_the_fingerprint_and_nothing_else_does() {
    for (modality, default) in opened() {
        let name = modality.name();
        let again = open(modality, &modality.defaults()).unwrap();
        assert_eq!(mark(&again), mark(&default), "{name}: defaults spelt out");
        let defaults = modality.defaults();
        let settings = defaults.as_object().unwrap().iter();
        for (key, value) in settings.filter(|(key, _)| !OF_SOURCES.contains(&key.as_str())) {
            let mut settings = beside(key);
            let usual = mark(&open(modality, &settings).unwrap());
            let with = |other: Value| {
                settings[key] = other;
                open(modality, &settings).ok()
            };
            let accepted: Vec<_> =
                others(value).into_iter().filter(|other| other != value).filter_map(with).collect();
            // A choice may have one member so far.
            assert!(
                !accepted.is_empty() || value.is_string(),
                "{name}.{key} can be nothing but {value}"
            );
            for other in accepted {
                assert_ne!(mark(&other), usual, "{name}.{key} is not in the fingerprint");
            }
        }
    }
}

fn encoded(encoder: &dyn Encoder, seed: usize) -> Features {
    let wants = encoder.wants();
    if wants.is_empty() {
        return encoder.encode(Input::Text(&text(seed))).unwrap();
    }
    let parts: Vec<Part> = wants.iter().map(|want| part(want, seed)).collect();
    let parts: Vec<_> = parts.iter().map(Ok).collect();
    encoder.encode(Input::Parts(&parts)).unwrap()
}

#[test]
fn features_are_finite_whole_rows_and_the_same_every_time() {
    for (modality, opened) in opened() {
        let Some(encoder) = encoder_of(opened) else { continue };
        let (name, identity) = (modality.name(), encoder.identity());
        assert_eq!(identity.name, name);
        let first = encoded(&*encoder, 0);
        let num_rows = first.data.len() / identity.dim;
        assert!(num_rows > 0 && first.data.len() == num_rows * identity.dim, "{name}");
        assert!(first.data.iter().all(|x| x.is_finite()), "{name}");
        assert!([0, num_rows].contains(&first.time_secs.len()), "{name}");
        assert!(first.time_secs.is_sorted(), "{name}");
        let other = encoded(&*encoder, 1);
        if let Some(text) = &first.text {
            assert_eq!(text.segments.len(), num_rows, "{name}");
            assert_ne!(other.text, first.text, "{name}: other content, same text");
        } else {
            assert!(first.data.iter().any(|x| *x != first.data[0]), "{name}: all the same");
            assert_ne!(other.data, first.data, "{name}: other content, same features");
        }
        assert_eq!(encoded(&*encoder, 0), first, "{name}: it remembers what came before");
        thread::scope(|scope| {
            let both = [0, 1].map(|seed| {
                scope.spawn({
                    let encoder = &*encoder;
                    move || encoded(encoder, seed)
                })
            });
            let [a, b] = both.map(|thread| thread.join().unwrap());
            assert_eq!(
                (a, b),
                (first.clone(), other.clone()),
                "{name}: threads disturb each other"
            );
        });
    }
}

#[test]
fn what_it_did_not_ask_for_is_refused_and_does_not_panic() {
    for (modality, opened) in opened() {
        let Some(encoder) = encoder_of(opened) else { continue };
        let wants = encoder.wants();
        let name = modality.name();
        if !wants.is_empty() && !READS_TOO.contains(&name) {
            assert!(encoder.encode(Input::Text(&text(0))).is_err(), "{name} took text");
        }
        assert!(encoder.encode(Input::Parts(&[])).is_err(), "{name} took nothing");
        let all = [
            Part::Frames(Keyframes::default()),
            Part::Audio(Samples::default()),
            Part::Picture(Picture { width: 1, height: 1, rgb: vec![0; 3] }),
            part(&Want::Subtitles, 0),
        ];
        let own: Vec<_> = wants.iter().map(|want| std::mem::discriminant(&part(want, 0))).collect();
        for other in all.iter().filter(|other| !own.contains(&std::mem::discriminant(*other))) {
            let parts = vec![Ok(other); wants.len().max(1)];
            assert!(encoder.encode(Input::Parts(&parts)).is_err(), "{name} took another's input");
        }
    }
}
