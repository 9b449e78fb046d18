//! The last layers of sentence networks against PyTorch: vectors and gradients.
//!
//! reference: `scripts/golden/torch_fine_tuning.py`

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor, Var};
use cinetag::nn::{ModelSource, SentenceBert, TextWindow, WeightCache};
use serde::Deserialize;

/// As of the networks over words; of the largest number or of 0.1: gradients of the keys' biases are
/// 0 but for rounding.
const TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
struct Golden {
    networks: BTreeMap<String, Network>,
}

#[derive(Deserialize)]
struct Network {
    layers: usize,
    texts: Vec<Vec<u32>>,
    out: Vec<f32>,
    toward: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
}

/// `DistilBERT`'s names as BERT has them.
fn bert_name(name: &str) -> String {
    let renames = [
        ("transformer.layer", "encoder.layer"),
        ("attention.q_lin", "attention.self.query"),
        ("attention.k_lin", "attention.self.key"),
        ("attention.v_lin", "attention.self.value"),
        ("attention.out_lin", "attention.output.dense"),
        ("sa_layer_norm", "attention.output.LayerNorm"),
        ("ffn.lin1", "intermediate.dense"),
        ("ffn.lin2", "output.dense"),
        ("output_layer_norm", "output.LayerNorm"),
    ];
    renames.iter().fold(name.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours))
}

fn assert_near(ours: &Tensor, theirs: &[f32], what: &str) {
    let ours: Vec<f32> = ours.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0_f32, |max, x| max.max(x.abs())).max(0.1);
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let near = (ours - theirs).abs() <= TOLERANCE * largest;
        assert!(near, "{what}[{i}]: {ours} against {theirs}, of {largest}");
    }
}

#[test]
fn the_last_layers_are_pytorchs() {
    let golden: Golden = serde_json::from_str(include_str!("data/torch_fine_tuning.json")).unwrap();
    assert_eq!(golden.networks.len(), 3);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data/text_networks");
    let cache = WeightCache::open(Some(folder.clone())).unwrap();
    for (name, expected) in &golden.networks {
        let files = cache.resolve(&ModelSource::Path(folder.join(name))).unwrap();
        let network = SentenceBert::load(&files, &Device::Cpu).unwrap();
        let last = network.last_layers(expected.layers).unwrap();
        let vars: BTreeMap<String, Var> = network
            .weights_of(&last)
            .unwrap()
            .into_iter()
            .map(|(name, weight)| (name, Var::from_tensor(&weight).unwrap()))
            .collect();
        let counts: Vec<usize> = expected.texts.iter().map(Vec::len).collect();
        let width = *counts.iter().max().unwrap();
        let mut states = Vec::new();
        for ids in &expected.texts {
            let window = TextWindow { ids: ids.clone(), bytes: 0..0 };
            states.extend(network.states(&window, last.num_below()).unwrap());
            // What stands behind a text's end must not matter.
            states.resize(states.len() + (width - ids.len()) * last.dim(), 3.0);
        }
        let shape = (counts.len(), width, last.dim());
        let states = Tensor::from_vec(states, shape, &Device::Cpu).unwrap();
        let param = |name: &str| Ok(vars[name].as_tensor().clone());
        let out = last.forward(&states, &counts, &param, &mut |x: Tensor| Ok(x)).unwrap();
        assert_near(&out, &expected.out, name);
        let toward = Tensor::from_slice(&expected.toward, out.shape(), &Device::Cpu).unwrap();
        let gradients = (out * toward).unwrap().sum_all().unwrap().backward().unwrap();
        let num_checked = if expected.layers > 1 { vars.len() } else { 10 };
        assert_eq!(expected.gradients.len(), num_checked, "{name}");
        for (theirs, expected) in &expected.gradients {
            let ours = gradients.get(vars[&bert_name(theirs)].as_tensor()).unwrap();
            assert_near(ours, expected, &format!("{name}: gradient of {theirs}"));
        }
    }
}
