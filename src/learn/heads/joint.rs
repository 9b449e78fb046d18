//! Branches that are joined before they are scored: the gated multimodal unit and concatenation.
//!
//! in: per branch pooled hidden units `[titles that have it, units]`
//! out: logits `[titles, genres]`
//!
//! Units of a missing modality are zeros here, and a flag beside them says that they are missing;
//! its gate is shut.
//!
//! source: Arevalo et al. 2017, "Gated multimodal units for information fusion" (the variant for
//! more than two modalities: a sigmoid gate each)
//! reference: the same unit in PyTorch, values and gradients (`scripts/golden/torch_head.py`)

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;

use super::fusion_net::{Batch, BranchOutput, FusionNet, FusionScheme, NetShape};

fn units(shape: &NetShape, branch: usize) -> usize {
    shape.branches[branch].units(shape.hidden)
}

/// Names and shapes of the parameters.
#[must_use]
pub fn params(shape: &NetShape) -> BTreeMap<String, Vec<usize>> {
    let branches = shape.branches.len();
    let all = (0..branches).map(|m| units(shape, m)).sum::<usize>() + branches;
    let mut params = BTreeMap::new();
    let mut layer = |name: String, inputs: usize, outputs: usize| {
        params.insert(format!("joint.{name}.weight"), vec![outputs, inputs]);
        params.insert(format!("joint.{name}.bias"), vec![outputs]);
    };
    if shape.scheme == FusionScheme::Gated {
        for m in 0..branches {
            layer(format!("value.{m}"), units(shape, m), shape.hidden);
            layer(format!("gate.{m}"), all, shape.hidden);
        }
    } else {
        layer("hidden".to_owned(), all, shape.hidden);
    }
    layer("output".to_owned(), shape.hidden, shape.genres);
    params
}

/// The joined logits `[titles, genres]`.
///
/// # Errors
/// The device's error.
pub fn fuse(net: &FusionNet, batch: &Batch, outputs: &[Option<BranchOutput>]) -> Result<Tensor> {
    let shape = net.shape();
    let layer = |name: &str, x: &Tensor| -> Result<Tensor> {
        x.matmul(&net.param(&format!("joint.{name}.weight"))?.t()?)?
            .broadcast_add(net.param(&format!("joint.{name}.bias"))?.as_tensor())
    };
    let (titles, device) = (batch.num_titles, net.device());
    let mut pooled = Vec::new();
    let mut present = Vec::new();
    for (m, (branch, output)) in batch.branches.iter().zip(outputs).enumerate() {
        if let (Some(branch), Some(output)) = (branch, output) {
            pooled.push(branch.spread(&output.pooled, titles)?);
            present.push(branch.present(titles, device)?);
        } else {
            let zeros = |dim| Tensor::zeros((titles, dim), candle_core::DType::F32, device);
            pooled.push(zeros(units(shape, m))?);
            present.push(zeros(1)?);
        }
    }
    let missing = Tensor::cat(&present, 1)?.affine(-1.0, 1.0)?; // [titles, branches]
    let all = Tensor::cat(&[&pooled[..], &[missing]].concat(), 1)?;
    let hidden = if shape.scheme == FusionScheme::Gated {
        let mut sum: Option<Tensor> = None;
        for (m, (pooled, present)) in pooled.iter().zip(&present).enumerate() {
            let value = layer(&format!("value.{m}"), pooled)?.tanh()?;
            let gate = sigmoid(&layer(&format!("gate.{m}"), &all)?)?.broadcast_mul(present)?;
            let part = (value * gate)?;
            sum = Some(match sum {
                Some(sum) => (sum + part)?,
                None => part,
            });
        }
        sum.ok_or_else(|| candle_core::Error::Msg("a network without branches".to_owned()))?
    } else {
        layer("hidden", &all)?.gelu()?
    };
    layer("output", &hidden)
}
