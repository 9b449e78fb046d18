//! Networks over words against PyTorch: outputs and gradients.
//!
//! reference: `scripts/golden/torch_text.py`

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use cinetag::learn::heads::sequence::{SequenceKind, SequenceShape, encode};
use serde::Deserialize;

/// Ten times what was measured.
const TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
struct Golden {
    words: usize,
    embedding: usize,
    hidden: usize,
    max_words: usize,
    counts: Vec<usize>,
    ids: Vec<u32>,
    kinds: BTreeMap<String, Kind>,
}

#[derive(Deserialize)]
struct Kind {
    params: BTreeMap<String, Param>,
    out: Vec<f32>,
    toward: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
}

#[derive(Deserialize)]
struct Param {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn assert_near(ours: &Tensor, theirs: &[f32], what: &str) {
    let ours: Vec<f32> = ours.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let near = (ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1.0);
        assert!(near, "{what}[{i}]: {ours} against {theirs}");
    }
}

#[test]
fn networks_over_words_are_pytorchs() {
    let golden: Golden = serde_json::from_str(include_str!("data/torch_text.json")).unwrap();
    assert_eq!(golden.kinds.len(), 5);
    for (name, expected) in &golden.kinds {
        let kind: SequenceKind = serde_json::from_value(name.as_str().into()).unwrap();
        let shape = SequenceShape {
            kind,
            words: golden.words,
            embedding: golden.embedding,
            max_words: golden.max_words,
            hidden: golden.hidden,
        };
        let vars: BTreeMap<&str, Var> = expected
            .params
            .iter()
            .map(|(name, p)| {
                let values = p.values.clone();
                let var = Var::from_vec(values, p.shape.as_slice(), &Device::Cpu).unwrap();
                (name.as_str(), var)
            })
            .collect();
        let wanted: BTreeMap<String, Vec<usize>> = shape.params().into_iter().collect();
        let given: BTreeMap<String, Vec<usize>> =
            expected.params.iter().map(|(name, p)| (name.clone(), p.shape.clone())).collect();
        assert_eq!(wanted, given, "{name}");
        let param = |name: &str| Ok(vars[name].as_tensor().clone());
        let out = encode(&shape, &golden.ids, &golden.counts, &Device::Cpu, &param).unwrap();
        assert_eq!(out.dims(), [golden.counts.len(), shape.units()], "{name}");
        assert_near(&out, &expected.out, name);
        let toward = Tensor::from_slice(&expected.toward, out.shape(), &Device::Cpu).unwrap();
        let gradients = (out * toward).unwrap().sum_all().unwrap().backward().unwrap();
        for (param, var) in &vars {
            let ours = gradients.get(var.as_tensor()).unwrap();
            assert_near(ours, &expected.gradients[*param], &format!("{name}: gradient of {param}"));
        }
    }
}
