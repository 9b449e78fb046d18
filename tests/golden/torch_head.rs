//! The late-fusion network against PyTorch: logits, attention, fusion, losses, gradients.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use cinetag::learn::{
    config::LossKind,
    heads::{
        fusion_net::{
            Batch, BranchBatch, BranchOutput, BranchShape, FusionNet, FusionScheme, NetShape,
        },
        inputs::Gathered,
    },
    loss::Loss,
};
use serde::Deserialize;

/// Ten times what was measured (largest difference 1.2e-6 on values up to 4).
const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    hidden: usize,
    genres: usize,
    titles: usize,
    unimodal_loss: f64,
    branches: Vec<GoldenBranch>,
    params: BTreeMap<String, GoldenParam>,
    targets: Vec<f32>,
    pos_weight: Vec<f32>,
    logits: Vec<Vec<Vec<f32>>>,
    attention: Vec<Vec<Vec<f32>>>,
    fused: Vec<f32>,
    losses: BTreeMap<String, GoldenLoss>,
    label_weights: Vec<f32>,
    partly_known: BTreeMap<String, GoldenLoss>,
    joint: BTreeMap<String, GoldenJoint>,
}

/// Branches joined in another way than by votes.
#[derive(Deserialize)]
struct GoldenJoint {
    params: BTreeMap<String, GoldenParam>,
    fused: Vec<f32>,
    loss: GoldenLoss,
}

#[derive(Deserialize)]
struct GoldenBranch {
    dim: usize,
    queries: usize,
    counts: Vec<usize>,
    inputs: Vec<f32>,
}

#[derive(Deserialize)]
struct GoldenParam {
    shape: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct GoldenLoss {
    value: f32,
    gradients: BTreeMap<String, Vec<f32>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("data/torch_head.json")).unwrap()
}

fn net_and_batch(golden: &Golden) -> (FusionNet, Batch) {
    joined_net_and_batch(golden, FusionScheme::Votes, golden.params.iter())
}

fn joined_net_and_batch<'a>(
    golden: &Golden,
    scheme: FusionScheme,
    params: impl Iterator<Item = (&'a String, &'a GoldenParam)>,
) -> (FusionNet, Batch) {
    let shape = NetShape {
        branches: golden
            .branches
            .iter()
            .map(|b| BranchShape {
                dim: b.dim,
                queries: b.queries,
                sequence: None,
                last_layers: None,
            })
            .collect(),
        hidden: golden.hidden,
        genres: golden.genres,
        scheme,
    };
    let params = params
        .map(|(name, p)| {
            let tensor = Tensor::from_slice(&p.values, p.shape.as_slice(), &Device::Cpu);
            (name.clone(), tensor.unwrap())
        })
        .collect();
    let net = FusionNet::from_params(shape, params, &Device::Cpu).unwrap();
    let branches = golden
        .branches
        .iter()
        .map(|b| {
            let titles: Vec<usize> = (0..golden.titles).filter(|&t| b.counts[t] > 0).collect();
            let counts = titles.iter().map(|&t| b.counts[t]).collect();
            let gathered = Gathered { data: b.inputs.clone(), counts, tokens: Vec::new() };
            Some(BranchBatch::new(gathered, b.dim, titles, &Device::Cpu).unwrap())
        })
        .collect();
    (net, Batch { num_titles: golden.titles, branches })
}

fn assert_near(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let difference = (ours - theirs).abs();
        assert!(
            difference <= TOLERANCE * theirs.abs().max(1.0),
            "{what}[{i}]: {ours} against {theirs}, difference {difference:e}"
        );
    }
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn logits_attention_and_fusion_are_pytorchs() {
    let golden = golden();
    let (net, batch) = net_and_batch(&golden);
    let outputs = net.branches(&batch, None).unwrap();
    for (m, output) in outputs.iter().enumerate() {
        let output = output.as_ref().unwrap();
        assert_near(&flat(&output.logits), &golden.logits[m].concat(), &format!("logits {m}"));
        let counts = &batch.branches[m].as_ref().unwrap().counts;
        let attention = output.attention.as_ref().map(|a| a.mean(1).unwrap().to_vec2::<f32>());
        let attention: Vec<Vec<f32>> = attention.map_or_else(Vec::new, Result::unwrap);
        for ((ours, theirs), &count) in attention.iter().zip(&golden.attention[m]).zip(counts) {
            assert_near(&ours[..count], theirs, &format!("attention {m}"));
            assert!(ours[count..].iter().all(|&weight| weight == 0.0), "padding is attended to");
        }
        assert_eq!(attention.len(), golden.attention[m].len());
    }
    assert_near(&flat(&net.fuse(&batch, &outputs).unwrap()), &golden.fused, "fused");
}

/// Contributions are summed on the host; that must be the same fusion as the one trained.
#[test]
fn the_fusion_on_the_host_is_the_trained_one() {
    let golden = golden();
    let (net, batch) = net_and_batch(&golden);
    let outputs = net.branches(&batch, None).unwrap();
    let fusion = net.fusion().unwrap();
    let modalities = golden.branches.len();
    for title in 0..golden.titles {
        let mut unimodal = vec![f32::NAN; golden.genres * modalities];
        for (m, branch) in batch.branches.iter().enumerate() {
            let branch = branch.as_ref().unwrap();
            let Some(row) = branch.titles.iter().position(|&t| t == title) else { continue };
            let logits = outputs[m].as_ref().unwrap().logits.to_vec2::<f32>().unwrap();
            for (genre, logit) in logits[row].iter().enumerate() {
                unimodal[genre * modalities + m] = *logit;
            }
        }
        let mut contributions = vec![0.0; golden.genres * modalities];
        let mut logits = vec![0.0; golden.genres];
        fusion.apply(&unimodal, &mut contributions, &mut logits);
        let expected = &golden.fused[title * golden.genres..(title + 1) * golden.genres];
        assert_near(&logits, expected, "host fusion");
        for (genre, parts) in contributions.chunks(modalities).enumerate() {
            assert_eq!(parts.iter().fold(0.0, |sum, part| sum + part), logits[genre]);
        }
    }
}

/// The fused loss and the branches' own.
fn total(
    golden: &Golden,
    loss: &Loss,
    net: &FusionNet,
    batch: &Batch,
    outputs: &[Option<BranchOutput>],
    label_weights: Option<&[f32]>,
) -> Tensor {
    let table = |values: &[f32]| {
        Tensor::from_slice(values, (golden.titles, golden.genres), &Device::Cpu).unwrap()
    };
    let (targets, weights) = (table(&golden.targets), label_weights.map(table));
    let fused = net.fuse(batch, outputs).unwrap();
    let mut total = loss.of(&fused, &targets, weights.as_ref()).unwrap();
    for (branch, output) in batch.branches.iter().zip(outputs) {
        let branch = branch.as_ref().unwrap();
        let idxs: Vec<u32> = branch.titles.iter().map(|&t| t as u32).collect();
        let idxs = Tensor::new(idxs, &Device::Cpu).unwrap();
        let own = targets.index_select(&idxs, 0).unwrap();
        let weights = weights.as_ref().map(|weights| weights.index_select(&idxs, 0).unwrap());
        let own = loss.of(&output.as_ref().unwrap().logits, &own, weights.as_ref()).unwrap();
        let share = branch.titles.len() as f64 / golden.titles as f64;
        total = (total + (own * (golden.unimodal_loss * share)).unwrap()).unwrap();
    }
    total
}

#[test]
fn joined_branches_are_pytorchs() {
    let golden = golden();
    for (scheme, name) in
        [(FusionScheme::Gated, "gated"), (FusionScheme::Concatenated, "concatenated")]
    {
        let expected = &golden.joint[name];
        let branches = golden.params.iter().filter(|(name, _)| name.starts_with("branches."));
        let params = branches.chain(&expected.params);
        let (net, batch) = joined_net_and_batch(&golden, scheme, params);
        let outputs = net.branches(&batch, None).unwrap();
        assert_near(&flat(&net.fuse(&batch, &outputs).unwrap()), &expected.fused, name);
        let loss = Loss::new(LossKind::Bce, &golden.pos_weight, &Device::Cpu).unwrap();
        let total = total(&golden, &loss, &net, &batch, &outputs, None);
        assert_near(&[total.to_scalar().unwrap()], &[expected.loss.value], name);
        assert_gradients(&net, &batch, &outputs, &total, &expected.loss, name);
    }
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    let golden = golden();
    let (net, batch) = net_and_batch(&golden);
    for (kind, name) in
        [(LossKind::Bce, "bce"), (LossKind::Asymmetric, "asymmetric"), (LossKind::Focal, "focal")]
    {
        let partly_known = Some(golden.label_weights.as_slice());
        for (weights, expected) in
            [(None, &golden.losses[name]), (partly_known, &golden.partly_known[name])]
        {
            let loss = Loss::new(kind, &golden.pos_weight, &Device::Cpu).unwrap();
            let outputs = net.branches(&batch, None).unwrap();
            let total = total(&golden, &loss, &net, &batch, &outputs, weights);
            assert_near(&[total.to_scalar().unwrap()], &[expected.value], name);
            assert_gradients(&net, &batch, &outputs, &total, expected, name);
        }
    }
}

#[test]
fn of_labels_that_nobody_knows_there_is_no_loss() {
    let loss = Loss::new(LossKind::Bce, &[1.0], &Device::Cpu).unwrap();
    let column = |x: f32| Tensor::new(&[[x]], &Device::Cpu).unwrap();
    let of = loss.of(&column(3.0), &column(0.0), Some(&column(0.0))).unwrap();
    assert_eq!(of.to_scalar::<f32>().unwrap(), 0.0);
}

fn assert_gradients(
    net: &FusionNet,
    batch: &Batch,
    outputs: &[Option<BranchOutput>],
    loss: &Tensor,
    expected: &GoldenLoss,
    name: &str,
) {
    let grads = net.gradients(loss, batch, outputs).unwrap();
    assert_eq!(net.params().len(), expected.gradients.len());
    for (param, var) in net.params() {
        let ours = flat(grads.get(var.as_tensor()).unwrap());
        assert_near(&ours, &expected.gradients[param], &format!("{name}: gradient of {param}"));
    }
}
