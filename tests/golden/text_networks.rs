//! Text encoders of every family against sentence-transformers, loaded from folders.
//!
//! reference: `scripts/golden/text_networks.py`

use std::{collections::BTreeMap, path::PathBuf};

use cinetag::nn::{Device, ModelSource, SentenceBert, WeightCache, sentence_bert::Pooling};
use serde::Deserialize;

use crate::networks::{assert_close, tolerance};

#[derive(Deserialize)]
struct Golden {
    max_tokens: usize,
    overlap: usize,
    models: BTreeMap<String, Model>,
}

#[derive(Deserialize)]
struct Model {
    pooling: Pooling,
    texts: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    prefix: String,
    text: String,
    windows: Vec<Window>,
}

#[derive(Deserialize)]
struct Window {
    ids: Vec<u32>,
    vector: Vec<f32>,
}

fn load(name: &str) -> SentenceBert {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data/text_networks");
    let cache = WeightCache::open(Some(folder.clone())).unwrap();
    let files = cache.resolve(&ModelSource::Path(folder.join(name))).unwrap();
    SentenceBert::load(&files, &Device::Cpu).unwrap()
}

#[test]
fn text_networks_of_every_family_equal_sentence_transformers() {
    let golden: Golden = serde_json::from_str(include_str!("data/text_networks.json")).unwrap();
    assert_eq!(golden.models.len(), 4);
    for (name, model) in &golden.models {
        assert_eq!(load(name).max_tokens(), golden.max_tokens, "{name}");
        assert_eq!(load(name).pooling(), model.pooling, "{name}");
        for Entry { prefix, text, windows: expected } in &model.texts {
            let network = load(name).with_prefix(prefix);
            let windows = network.windows(text, golden.max_tokens, golden.overlap).unwrap();
            assert_eq!(windows.len(), expected.len(), "{name}");
            let vectors = network.embed(&windows).unwrap();
            let rows = vectors.chunks_exact(network.dim());
            for ((window, row), expected) in windows.iter().zip(rows).zip(expected) {
                assert_eq!(window.ids, expected.ids, "{name}");
                assert_close(name, row, &expected.vector, tolerance());
            }
            // Windows are about the text, wherever the prefix lies.
            assert_eq!(windows[0].bytes.start, 0, "{name}");
            assert_eq!(windows[windows.len() - 1].bytes.end, text.len(), "{name}");
        }
    }
}

#[test]
fn pooling_can_be_set() {
    let vector = |network: SentenceBert| {
        network.embed(&network.windows("a ghost story", 32, 0).unwrap()).unwrap()
    };
    let own = vector(load("bert"));
    assert_eq!(own, vector(load("bert").with_pooling(Pooling::Cls)));
    assert_ne!(own, vector(load("bert").with_pooling(Pooling::Mean)));
}
