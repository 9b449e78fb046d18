//! CLIP's two towers together against transformers (`scripts/golden/clip_zero_shot.py`).
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use cinetag::{
    base::DeviceChoice,
    encode::{EncodeError, Encoder, EncoderContext, Input, Modality as _, Opened, poster::Poster},
    media::Picture,
};
use serde_json::{Value, json};

use crate::networks::{assert_close, data, picture, tolerance};

fn open(model: &str, settings: &Value) -> Result<Box<dyn Encoder>, EncodeError> {
    let mut given = json!({ "model": data(model) });
    given.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
    match Poster.open(&given, &context)? {
        Opened::Encoder(encoder) => Ok(encoder),
        _ => panic!("a poster is no record"),
    }
}

fn row(settings: &Value) -> Vec<f32> {
    let golden = golden();
    let side = golden["side_px"].as_u64().unwrap() as u32;
    let rgb = picture(i64::from(side));
    let picture = Picture { width: side, height: side, rgb };
    let encoder = open("clip_zero_shot", settings).unwrap();
    let features = encoder.encode(Input::Parts(&[Ok(&picture.into())])).unwrap();
    assert_eq!(features.data.len(), encoder.identity().dim);
    features.data
}

fn golden() -> Value {
    serde_json::from_str(include_str!("data/clip_zero_shot.json")).unwrap()
}

#[test]
fn logits_of_genres_in_words_equal_transformers() {
    let golden = golden();
    let embedding = row(&json!({}));
    let prompts = golden["prompts"].as_array().unwrap();
    for (name, prompts) in [
        ("first_prompt", &prompts[..1]),
        ("second_prompt", &prompts[1..]),
        ("both_prompts", prompts.as_slice()),
    ] {
        let row = row(&json!({ "zero_shot": golden["labels"], "prompts": prompts }));
        let (usual, logits) = row.split_at(embedding.len());
        assert_eq!(usual, embedding, "the embedding stays as it is");
        let expected: Vec<f32> = serde_json::from_value(golden[name].clone()).unwrap();
        assert_close(name, logits, &expected, tolerance());
    }
}

#[test]
fn the_fingerprint_covers_genres_in_words_where_there_are_some() {
    let fingerprint = |settings: &Value| {
        open("clip_zero_shot", settings).unwrap().identity().fingerprint.to_string()
    };
    let without = fingerprint(&json!({}));
    assert_eq!(fingerprint(&json!({"prompts": ["{}"]})), without, "no genre stands in it");
    let comedy = fingerprint(&json!({"zero_shot": ["comedy"]}));
    assert_ne!(comedy, without);
    assert_ne!(fingerprint(&json!({"zero_shot": ["film"]})), comedy);
    assert_ne!(fingerprint(&json!({"zero_shot": ["comedy"], "prompts": ["{}"]})), comedy);
}

#[test]
fn what_cannot_be_compared_with_words_is_refused_with_the_reason() {
    for (model, settings, words) in [
        (
            "clip_zero_shot",
            json!({"zero_shot": ["a", "a"]}),
            "must name each genre once, got \"a\"",
        ),
        ("clip_zero_shot", json!({"zero_shot": [" "]}), "must name each genre once"),
        ("clip_zero_shot", json!({"zero_shot": ["a"], "prompts": []}), "texts with one {}"),
        ("clip_zero_shot", json!({"zero_shot": ["a"], "prompts": ["film"]}), "got [\"film\"]"),
        ("clip_zero_shot", json!({"zero_shot": ["a".repeat(99)]}), "expected between 1 and 40"),
        ("image_encoders/dinov2", json!({"zero_shot": ["a"]}), "no tokenizer.json"),
    ] {
        let error = open(model, &settings).err().expect(words);
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            message += &error.to_string();
            source = error.source();
        }
        assert!(message.contains(words), "{message}");
    }
}
