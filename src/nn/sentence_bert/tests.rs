//! The fused network against the plain one, and both against other people's.

use std::{collections::HashMap, fs, path::PathBuf};

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use kernels::Isa;
use serde_json::Value;

use super::*;
use crate::{ModelSource, WeightCache};

fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data/text_networks")
}

fn assert_near(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1_f32, |max, x| max.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(error <= 1e-5 * largest, "{what}: {found} for {expected}");
    }
}

/// The plain network's states, after comparing those of every instruction set with them.
fn states(
    what: &str,
    architecture: &Architecture,
    tensors: &HashMap<String, Tensor>,
    ids: &[u32],
) -> Vec<f32> {
    let (place, layers) = (Place::f32(&Device::Cpu), architecture.num_hidden_layers);
    let plain = PlainBert::load(architecture, tensors.clone(), &place).unwrap();
    let batch = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap(); // [1, tokens]
    let expected = plain.forward(&batch, layers, &place).unwrap();
    let expected = expected.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for isa in Isa::available() {
        let fused = FusedBert::load(architecture, tensors, isa).unwrap();
        let mut scratch = fused.scratch();
        fused.forward(&[1, 2, 3, 4, 5, 6, 7], layers, &mut scratch);
        let found = fused.forward(ids, layers, &mut scratch);
        assert_near(&format!("{what} {isa:?} {}", ids.len()), found, &expected);
    }
    expected
}

#[test]
fn bert_equals_candles() {
    let config = Config {
        vocab_size: 50,
        hidden_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        intermediate_size: 40,
        max_position_embeddings: 160,
        ..Config::default()
    };
    let ours = serde_json::json!({
        "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
        "intermediate_size": 40, "max_position_embeddings": 160, "hidden_act": "gelu",
    });
    let architecture = Architecture::parse(ours.to_string().as_bytes()).unwrap();
    // candle makes the tensors that it misses, with random numbers.
    let vars = candle_nn::VarMap::new();
    let builder = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let candles = BertModel::load(builder, &config).unwrap();
    let tensors = vars.data().lock().unwrap();
    let tensors = tensors.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
    let tensors = checkpoint::unified(&architecture, tensors.collect()).unwrap();
    // Longer than a chunk, so that the cut shows.
    for tokens in [1, 2, 17, 131, 160] {
        let ids: Vec<u32> = (0..tokens).map(|idx| (idx * 7 + 3) % 50).collect();
        let found = states("bert", &architecture, &tensors, &ids);
        let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap(); // [1, tokens]
        let expected = candles.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap();
        assert_near("candle", &found, &expected.flatten_all().unwrap().to_vec1().unwrap());
    }
}

#[test]
fn every_family_is_the_same_fused_and_plain_and_as_transformers_has_it() {
    let text = fs::read(golden_folder().with_extension("json")).unwrap();
    let golden: Value = serde_json::from_slice(&text).unwrap();
    let cache = WeightCache::open(Some(golden_folder())).unwrap();
    for (name, model) in golden["models"].as_object().unwrap() {
        let files = cache.resolve(&ModelSource::Path(golden_folder().join(name))).unwrap();
        let network = SentenceBert::load(&files, &Device::Cpu).unwrap();
        let architecture = network.architecture();
        let tensors = checkpoint::read(&files.weights, architecture, &Device::Cpu).unwrap();
        for window in
            model["texts"].as_array().unwrap().iter().flat_map(|t| t["windows"].as_array().unwrap())
        {
            let ids: Vec<u32> = serde_json::from_value(window["ids"].clone()).unwrap();
            let expected: Vec<f32> = serde_json::from_value(window["vector"].clone()).unwrap();
            let states = states(name, architecture, &tensors, &ids);
            let mut found = network.pooling().of(&states, network.dim());
            to_unit_length(&mut found);
            assert_near(name, &found, &expected);
        }
    }
}

#[test]
fn an_activation_without_a_kernel_takes_the_plain_network() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.safetensors", "tokenizer.json", "config.json"] {
        fs::copy(golden_folder().join("bert").join(name), folder.path().join(name)).unwrap();
    }
    let path = folder.path().join("config.json");
    let load = || {
        let cache = WeightCache::open(Some(golden_folder())).unwrap();
        let files = cache.resolve(&ModelSource::Path(folder.path().to_owned())).unwrap();
        SentenceBert::load(&files, &Device::Cpu).unwrap()
    };
    let exact = load();
    let config = fs::read_to_string(&path).unwrap().replace("\"gelu\"", "\"gelu_new\"");
    fs::write(&path, config).unwrap();
    let by_tanh = load();
    assert!(matches!(exact.network, Network::Fused { .. }));
    assert!(matches!(by_tanh.network, Network::Plain(_)));
    let windows = exact.windows("a story", 16, 0).unwrap();
    let (exact, by_tanh) = (exact.embed(&windows).unwrap(), by_tanh.embed(&windows).unwrap());
    let differ = exact.iter().zip(&by_tanh).fold(0_f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(differ > 0.0 && differ < 0.01, "the two are near each other: {differ}");
}
