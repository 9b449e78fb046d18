//! The network of the fusions: a branch per modality, and what joins them.
//!
//! in: a [`Batch`]: per modality the rows of those titles that have it
//! out: per modality logits `[titles that have it, genres]`, and their fusion
//!
//! A branch is projection, GELU, pooling over rows, output. Its first product stands outside
//! the tape: its input needs no gradient, and candle would compute one (a third of the work);
//! [`FusionNet::gradients`] adds the product's own gradient by hand, and that of the last layers of
//! a sentence network where a branch begins with them.
//!
//! source: docs/heads.md, "Networks"
//! reference: the same network in PyTorch, values and gradients (`scripts/golden/torch_head.py`)

mod batch;
mod shape;
mod votes;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use nn::attention_pool::{self, AttentionPool};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub use self::{
    batch::{Batch, BranchBatch, Inputs},
    shape::{BranchShape, FusionScheme, NetShape},
    votes::Fusion,
};
use super::{inputs::InputDropout, joint, sentences::Sentences, sequence};

/// How weights begin.
pub struct Init<'a> {
    /// `[modalities]`: mean squared length of the input rows.
    pub square_norms: &'a [f64],
    /// `[genres]`: log-odds of the prevalence.
    pub prior: &'a [f32],
    /// Parameters that others have trained, by name.
    pub pretrained: &'a BTreeMap<String, Tensor>,
}

/// One branch's answer.
pub struct BranchOutput {
    /// `[titles that have it, genres]`
    pub logits: Tensor,
    /// `[titles that have it, queries, rows]`; `None` where rows are averaged or there is one
    /// row a title.
    pub attention: Option<Tensor>,
    /// `[titles that have it, max(queries, 1) * hidden]`
    pub pooled: Tensor,
    /// Where the tape begins.
    leaf: Option<Leaf>,
}

/// Where a branch's tape begins.
enum Leaf {
    /// The projection before its bias, `[rows, hidden]`.
    Projection(Var),
    /// What came out of the last layers of a sentence network, `[titles that have it, dim]`, and
    /// the seed of what they dropped.
    Sentences(Var, Option<u64>),
}

/// The network.
#[derive(Debug)]
pub struct FusionNet {
    shape: NetShape,
    device: Device,
    /// By name, so that their order is always the same.
    params: BTreeMap<String, Var>,
}

impl FusionNet {
    /// A network with fresh weights. All numbers come from `rng`.
    ///
    /// # Errors
    /// The device's error.
    pub fn fresh(
        shape: NetShape,
        init: &Init<'_>,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<Self> {
        let mut params = BTreeMap::new();
        for (name, dims) in shape.params() {
            if let Some(tensor) = init.pretrained.get(&name) {
                params.insert(name, Var::from_tensor(&tensor.to_device(device)?)?);
                continue;
            }
            let len = dims.iter().product::<usize>();
            let mut uniform = |bound: f64| -> Vec<f32> {
                (0..len).map(|_| rng.random_range(-bound..bound) as f32).collect()
            };
            let values = match name.split('.').collect::<Vec<_>>()[..] {
                // Hidden units of variance 1.
                [_, m, "projection", "weight"] => {
                    let m: usize = m.parse().unwrap_or_default();
                    uniform((3.0 / init.square_norms[m]).sqrt())
                }
                [_, _, "pool", "queries"] => uniform(1.0),
                [_, _, "output", "weight"] => uniform(1.0 / (dims[1] as f64).sqrt()),
                [_, _, "output", "bias"] | ["joint", "output", "bias"] => init.prior.to_vec(),
                ["joint", .., "weight"] => uniform((3.0 / dims[1] as f64).sqrt()),
                ["branches", _, "norm1" | "norm2", "weight"] => vec![1.0; len],
                ["branches", _, "embedding" | "position", "weight"] => uniform(0.5),
                ["branches", .., last] if last.contains("weight") => {
                    uniform(1.0 / (dims[1] as f64).sqrt())
                }
                _ => vec![0.0; len],
            };
            params.insert(name, Var::from_vec(values, dims, device)?);
        }
        Ok(Self { shape, device: device.clone(), params })
    }

    /// A network with these weights.
    ///
    /// # Errors
    /// A weight is missing, has another shape, or is not of this network.
    pub fn from_params(
        shape: NetShape,
        mut tensors: BTreeMap<String, Tensor>,
        device: &Device,
    ) -> Result<Self> {
        let mut params = BTreeMap::new();
        for (name, dims) in shape.params() {
            let Some(tensor) = tensors.remove(&name) else {
                candle_core::bail!("weight {name} is missing");
            };
            if tensor.dims() != dims || tensor.dtype() != DType::F32 {
                candle_core::bail!(
                    "weight {name} is {:?} {:?}, expected F32 {dims:?}",
                    tensor.dtype(),
                    tensor.dims()
                );
            }
            params.insert(name, Var::from_tensor(&tensor.to_device(device)?)?);
        }
        if let Some(name) = tensors.keys().next() {
            candle_core::bail!("weight {name} belongs to another network");
        }
        Ok(Self { shape, device: device.clone(), params })
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> &NetShape {
        &self.shape
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All parameters by name.
    #[must_use]
    pub fn params(&self) -> &BTreeMap<String, Var> {
        &self.params
    }

    pub(super) fn param(&self, name: &str) -> Result<&Var> {
        self.params
            .get(name)
            .ok_or_else(|| candle_core::Error::Msg(format!("weight {name} is missing")))
    }

    /// Scores a batch by each branch. With `dropout`, hidden units are dropped.
    ///
    /// # Errors
    /// The device's error.
    pub fn branches(
        &self,
        batch: &Batch,
        dropout: Option<(f64, &mut ChaCha8Rng)>,
    ) -> Result<Vec<Option<BranchOutput>>> {
        let mut dropout = dropout;
        let mut outputs = Vec::with_capacity(batch.branches.len());
        for (m, branch) in batch.branches.iter().enumerate() {
            outputs.push(match branch {
                Some(branch) => Some(self.branch(
                    m,
                    branch,
                    dropout.as_mut().map(|(p, rng)| (*p, &mut **rng)),
                )?),
                None => None,
            });
        }
        Ok(outputs)
    }

    fn branch(
        &self,
        m: usize,
        batch: &BranchBatch,
        dropout: Option<(f64, &mut ChaCha8Rng)>,
    ) -> Result<BranchOutput> {
        let name = |part: &str| format!("branches.{m}.{part}");
        let inputs = match &batch.inputs {
            Inputs::Rows(rows) => rows,
            Inputs::Tokens(texts) => return self.sentence_branch(m, texts, dropout),
        };
        if let Some(shape) = &self.shape.branches[m].sequence {
            let ids = inputs.flatten_all()?.to_vec1::<f32>()?;
            let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
            let param = |part: &str| Ok(self.param(&name(part))?.as_tensor().clone());
            let pooled = sequence::encode(shape, &ids, &batch.counts, &self.device, &param)?;
            let pooled = self.drop_units(pooled, dropout)?;
            let logits = self.score(m, &pooled)?;
            return Ok(BranchOutput { logits, attention: None, pooled, leaf: None });
        }
        let weight = self.param(&name("projection.weight"))?.as_detached_tensor();
        let leaf = Var::from_tensor(&inputs.matmul(&weight.t()?)?)?; // [rows, hidden]
        let bias = self.param(&name("projection.bias"))?;
        let rows = self.drop_units(leaf.broadcast_add(bias.as_tensor())?.gelu()?, dropout)?;
        let queries = self.shape.branches[m].queries;
        let one_row_each = batch.counts.iter().all(|&count| count == 1);
        let (pooled, attention) = if one_row_each {
            (Tensor::cat(&vec![&rows; queries.max(1)], 1)?, None)
        } else {
            let padded = self.pad(&rows, &batch.counts)?;
            if queries == 0 {
                let weights = attention_pool::mean_weights(&batch.counts, &self.device)?;
                (attention_pool::mean_pool(&padded, &weights)?, None)
            } else {
                let bias = attention_pool::mask_bias(&batch.counts, &self.device)?;
                let pool =
                    AttentionPool::new(self.param(&name("pool.queries"))?.as_tensor().clone());
                let pooled = pool.forward(&padded, &bias)?;
                (pooled.vectors, Some(pooled.attention))
            }
        };
        let logits = self.score(m, &pooled)?;
        Ok(BranchOutput { logits, attention, pooled, leaf: Some(Leaf::Projection(leaf)) })
    }

    /// A branch that begins with the last layers of a sentence network.
    fn sentence_branch(
        &self,
        m: usize,
        texts: &[Tensor],
        mut dropout: Option<(f64, &mut ChaCha8Rng)>,
    ) -> Result<BranchOutput> {
        let name = |part: &str| format!("branches.{m}.{part}");
        let dropout_seed = dropout.as_mut().map(|(_, rng)| rng.random());
        let sentences = self.sentences(m, texts, dropout_seed)?;
        let vectors =
            sentences.encode(&|part| Ok(self.param(&name(part))?.as_detached_tensor()))?;
        let leaf = Var::from_tensor(&vectors)?;
        let again = dropout.as_mut().map(|(frac, rng)| (*frac, &mut **rng));
        let kept = self.drop_units(leaf.as_tensor().clone(), again)?;
        let pooled = kept
            .matmul(&self.param(&name("projection.weight"))?.t()?)?
            .broadcast_add(self.param(&name("projection.bias"))?.as_tensor())?
            .gelu()?;
        let pooled = self.drop_units(pooled, dropout)?; // [titles, hidden]
        let logits = self.score(m, &pooled)?;
        let leaf = Some(Leaf::Sentences(leaf, dropout_seed));
        Ok(BranchOutput { logits, attention: None, pooled, leaf })
    }

    fn sentences<'a>(
        &'a self,
        m: usize,
        texts: &'a [Tensor],
        dropout_seed: Option<u64>,
    ) -> Result<Sentences<'a>> {
        let Some(layers) = &self.shape.branches[m].last_layers else {
            candle_core::bail!("branch {m} takes rows, not tokens");
        };
        Ok(Sentences { layers, texts, device: &self.device, dropout_seed })
    }

    /// A branch's logits of its hidden units.
    fn score(&self, m: usize, pooled: &Tensor) -> Result<Tensor> {
        pooled
            .matmul(&self.param(&format!("branches.{m}.output.weight"))?.t()?)?
            .broadcast_add(self.param(&format!("branches.{m}.output.bias"))?.as_tensor())
    }

    fn drop_units(&self, units: Tensor, dropout: Option<(f64, &mut ChaCha8Rng)>) -> Result<Tensor> {
        let Some((dropped_frac, rng)) = dropout else { return Ok(units) };
        let mut mask = vec![1.0_f32; units.elem_count()];
        InputDropout::new(dropped_frac, rng).apply(&mut mask);
        &units * Tensor::from_vec(mask, units.shape(), &self.device)?
    }

    /// `[rows, hidden]` as `[titles, max(counts), hidden]`, filled up with rows of zeros.
    fn pad(&self, rows: &Tensor, counts: &[usize]) -> Result<Tensor> {
        let (num_rows, hidden) = rows.dims2()?;
        let width = counts.iter().copied().max().unwrap_or(0);
        let mut idxs = Vec::with_capacity(counts.len() * width);
        let mut next = 0;
        for &count in counts {
            idxs.extend((next..next + count).map(|row| row as u32));
            idxs.resize(idxs.len() + width - count, num_rows as u32);
            next += count;
        }
        let idxs = Tensor::from_vec(idxs, counts.len() * width, &self.device)?;
        let zeros = Tensor::zeros((1, hidden), DType::F32, &self.device)?;
        Tensor::cat(&[rows, &zeros], 0)?.index_select(&idxs, 0)?.reshape((
            counts.len(),
            width,
            hidden,
        ))
    }

    /// The fused logits `[titles, genres]` of a batch, each of whose titles has a modality.
    ///
    /// # Errors
    /// The device's error.
    pub fn fuse(&self, batch: &Batch, outputs: &[Option<BranchOutput>]) -> Result<Tensor> {
        match self.shape.scheme {
            FusionScheme::Votes => self.vote(batch, outputs),
            FusionScheme::Gated | FusionScheme::Concatenated => joint::fuse(self, batch, outputs),
        }
    }

    /// Gradients of `loss` with respect to all parameters.
    ///
    /// # Errors
    /// The device's error.
    pub fn gradients(
        &self,
        loss: &Tensor,
        batch: &Batch,
        outputs: &[Option<BranchOutput>],
    ) -> Result<GradStore> {
        let mut grads = loss.backward()?;
        for (m, (branch, output)) in batch.branches.iter().zip(outputs).enumerate() {
            let (Some(branch), Some(output)) = (branch, output) else { continue };
            let name = |part: &str| format!("branches.{m}.{part}");
            match (&output.leaf, &branch.inputs) {
                (Some(Leaf::Projection(leaf)), Inputs::Rows(rows)) => {
                    let Some(grad) = grads.remove(leaf.as_tensor()) else { continue };
                    let weight = self.param(&name("projection.weight"))?;
                    grads.insert(weight.as_tensor(), grad.t()?.matmul(rows)?);
                }
                (Some(Leaf::Sentences(leaf, dropout_seed)), Inputs::Tokens(texts)) => {
                    let Some(grad) = grads.remove(leaf.as_tensor()) else { continue };
                    let param = |part: &str| Ok(self.param(&name(part))?.as_tensor().clone());
                    let sentences = self.sentences(m, texts, *dropout_seed)?;
                    for (part, grad) in sentences.gradients(&grad, &param)? {
                        grads.insert(self.param(&name(&part))?.as_tensor(), grad);
                    }
                }
                _ => {}
            }
        }
        Ok(grads)
    }
}
