//! The late-fusion network: a branch per modality and the weights that fuse them.
//!
//! in: a [`Batch`]: per modality the rows of those titles that have it
//! out: per modality logits `[titles that have it, genres]`, and their fusion
//!
//! A branch is projection, GELU, pooling over rows, output. Its first product stands outside
//! the tape: its input needs no gradient, and candle would compute one (a third of the work);
//! [`FusionNet::gradients`] adds the product's own gradient by hand, and that of the last layers of
//! a sentence network where a branch begins with them.
//!
//! source: architecture.md, "Late fusion"
//! reference: the same network in PyTorch, values and gradients (`scripts/golden/torch_head.py`)

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use nn::{
    attention_pool::{self, AttentionPool},
    sentence_bert::LastLayers,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    inputs::{Gathered, InputDropout},
    joint,
    sentences::Sentences,
    sequence::{self, SequenceShape},
};
use crate::math::softplus;

/// Units of a layer, genres or ids of words, at most.
const MAX_SIZE: usize = 1 << 24;
/// Queries of a branch, at most.
const MAX_QUERIES: usize = 1 << 12;

/// The shape of one branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchShape {
    /// Length of an input row.
    pub dim: usize,
    /// Learned queries; 0: rows are averaged.
    pub queries: usize,
    /// The network over words that stands in the place of projection and pooling.
    #[serde(default)]
    pub sequence: Option<SequenceShape>,
    /// The last layers of a sentence network, in front of the projection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_layers: Option<LastLayers>,
}

impl BranchShape {
    /// Hidden units of a title, with projections of `hidden` units.
    #[must_use]
    pub fn units(&self, hidden: usize) -> usize {
        self.sequence.as_ref().map_or(self.queries.max(1) * hidden, SequenceShape::units)
    }
}

/// How branches become one logit for each genre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Joining {
    /// A weighted sum of the branches' own logits: late fusion.
    #[default]
    Votes,
    /// A sum of the branches' hidden units, each let through by a gate that sees them all.
    Gated,
    /// A layer over the branches' hidden units side by side: early fusion.
    Concatenated,
}

/// The shape of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetShape {
    /// One per modality.
    pub branches: Vec<BranchShape>,
    /// Width of the projections.
    pub hidden: usize,
    /// Number of genres.
    pub genres: usize,
    /// How branches come together.
    #[serde(default)]
    pub joining: Joining,
}

/// How weights begin.
pub struct Init<'a> {
    /// `[modalities]`: mean squared length of the input rows.
    pub square_norms: &'a [f64],
    /// `[genres]`: log-odds of the prevalence.
    pub prior: &'a [f32],
    /// Parameters that others have trained, by name.
    pub pretrained: &'a BTreeMap<String, Tensor>,
}

/// One modality's part of a [`Batch`].
#[derive(Clone, Debug)]
pub struct BranchBatch {
    /// What goes in.
    pub inputs: Inputs,
    /// Rows of each title, at least 1.
    pub counts: Vec<usize>,
    /// Which titles of the batch these are, ascending.
    pub titles: Vec<usize>,
}

/// What goes into a branch.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// `[rows, dim]`
    Rows(Tensor),
    /// `[titles that have it]` of `[tokens, dim]`: for the last layers of a sentence network.
    Tokens(Vec<Tensor>),
}

/// Titles to be scored together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// How many.
    pub num_titles: usize,
    /// One per modality; `None` where no title of the batch has it.
    pub branches: Vec<Option<BranchBatch>>,
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

impl BranchBatch {
    /// Puts gathered rows on the device.
    ///
    /// # Errors
    /// The device's error.
    pub fn new(
        gathered: Gathered,
        dim: usize,
        titles: Vec<usize>,
        device: &Device,
    ) -> Result<Self> {
        let num_rows = gathered.counts.iter().sum::<usize>();
        let inputs = if gathered.tokens.is_empty() {
            Inputs::Rows(Tensor::from_vec(gathered.data, (num_rows, dim), device)?)
        } else {
            Inputs::Tokens(gathered.tokens)
        };
        Ok(Self { inputs, counts: gathered.counts, titles })
    }

    /// `[titles that have it, dim]` as `[titles, dim]`, zeros for the others.
    pub(super) fn spread(&self, rows: &Tensor, num_titles: usize) -> Result<Tensor> {
        let mut row_of_title = vec![self.titles.len() as u32; num_titles];
        for (row, &title) in self.titles.iter().enumerate() {
            row_of_title[title] = row as u32;
        }
        let zeros = Tensor::zeros((1, rows.dim(1)?), DType::F32, rows.device())?;
        let row_of_title = Tensor::from_vec(row_of_title, num_titles, rows.device())?;
        Tensor::cat(&[rows, &zeros], 0)?.index_select(&row_of_title, 0)
    }

    /// `[titles, 1]`: 1 for those that have it, 0 for the others.
    pub(super) fn present(&self, num_titles: usize, device: &Device) -> Result<Tensor> {
        let mut present = vec![0.0_f32; num_titles];
        self.titles.iter().for_each(|&title| present[title] = 1.0);
        Tensor::from_vec(present, (num_titles, 1), device)
    }
}

impl NetShape {
    /// Whether it is the shape of a network, and of none that is larger than any has need of: its
    /// sizes may be multiplied with each other.
    #[must_use]
    pub fn fits(&self) -> bool {
        let is_size = |size: usize| (1..=MAX_SIZE).contains(&size);
        let branch = |branch: &BranchShape| {
            let words = branch.sequence.as_ref();
            is_size(branch.dim)
                && branch.queries <= MAX_QUERIES
                && words.is_none_or(|words| words.fits() && is_size(words.words))
        };
        is_size(self.hidden)
            && is_size(self.genres)
            && !self.branches.is_empty()
            && self.branches.iter().all(branch)
    }

    /// Names and shapes of all parameters.
    #[must_use]
    pub fn params(&self) -> BTreeMap<String, Vec<usize>> {
        let mut params = BTreeMap::new();
        for (m, branch) in self.branches.iter().enumerate() {
            let mut add = |name: &str, shape: &[usize]| {
                params.insert(format!("branches.{m}.{name}"), shape.to_vec());
            };
            if let Some(sequence) = &branch.sequence {
                sequence.params().iter().for_each(|(name, shape)| add(name, shape));
            } else {
                let layers = branch.last_layers.iter().flat_map(LastLayers::params);
                layers.for_each(|(name, shape)| add(&name, &shape));
                add("projection.weight", &[self.hidden, branch.dim]);
                add("projection.bias", &[self.hidden]);
                if branch.queries > 0 {
                    add("pool.queries", &[branch.queries, self.hidden]);
                }
            }
            add("output.weight", &[self.genres, branch.units(self.hidden)]);
            add("output.bias", &[self.genres]);
        }
        match self.joining {
            Joining::Votes => {
                params.insert("fusion.weight".to_owned(), vec![self.genres, self.branches.len()]);
                params.insert("fusion.gain".to_owned(), vec![self.branches.len()]);
            }
            Joining::Gated | Joining::Concatenated => params.extend(joint::params(self)),
        }
        params
    }
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
        match self.shape.joining {
            Joining::Votes => self.vote(batch, outputs),
            Joining::Gated | Joining::Concatenated => joint::fuse(self, batch, outputs),
        }
    }

    fn vote(&self, batch: &Batch, outputs: &[Option<BranchOutput>]) -> Result<Tensor> {
        let weights = softplus(self.param("fusion.weight")?.as_tensor())?; // [genres, modalities]
        let mut num_present = vec![0_u32; batch.num_titles];
        let mut weighted: Option<Tensor> = None;
        let mut total: Option<Tensor> = None;
        for (m, (branch, output)) in batch.branches.iter().zip(outputs).enumerate() {
            let (Some(branch), Some(output)) = (branch, output) else { continue };
            branch.titles.iter().for_each(|&title| num_present[title] += 1);
            let logits = branch.spread(&output.logits, batch.num_titles)?;
            let weight = branch
                .present(batch.num_titles, &self.device)?
                .matmul(&weights.narrow(1, m, 1)?.t()?)?; // [titles, genres]
            let product = (&weight * logits)?;
            weighted = Some(match weighted {
                Some(sum) => (sum + product)?,
                None => product,
            });
            total = Some(match total {
                Some(sum) => (sum + weight)?,
                None => weight,
            });
        }
        let (Some(weighted), Some(total)) = (weighted, total) else {
            candle_core::bail!("a batch without any modality cannot be fused");
        };
        let gain_idx: Vec<u32> = num_present.iter().map(|&n| n.saturating_sub(1)).collect();
        let gain_idx = Tensor::from_vec(gain_idx, batch.num_titles, &self.device)?;
        let gain = self.gain()?.index_select(&gain_idx, 0)?.unsqueeze(1)?;
        (weighted / total)?.broadcast_mul(&gain)
    }

    /// `[modalities]`: what the weighted mean is multiplied by when 1, 2, … modalities are
    /// present: independent evidence adds up. 1 for a single one.
    fn gain(&self) -> Result<Tensor> {
        let raw = self.param("fusion.gain")?.as_tensor();
        let mut learned = vec![1.0_f32; raw.elem_count()];
        learned[0] = 0.0;
        let learned = Tensor::from_vec(learned, raw.elem_count(), &self.device)?;
        (raw * learned)?.exp()
    }

    /// The fusion's numbers on the host.
    ///
    /// # Errors
    /// The device's error.
    pub fn fusion(&self) -> Result<Fusion> {
        Ok(Fusion {
            weights: softplus(self.param("fusion.weight")?.as_tensor())?
                .flatten_all()?
                .to_vec1()?,
            gain: self.gain()?.to_vec1()?,
            genres: self.shape.genres,
        })
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

/// How branches' logits become one: on the host, so that contributions sum to the logit exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Fusion {
    /// `[genres, modalities]`, positive.
    pub weights: Vec<f32>,
    /// `[modalities]`: by the number of modalities present, minus 1.
    pub gain: Vec<f32>,
    /// Number of genres.
    pub genres: usize,
}

impl Fusion {
    /// One title: `unimodal` `[genres, modalities]` with NaN where a modality is missing.
    /// Writes `contributions` `[genres, modalities]` and `logits` `[genres]`, each of which is
    /// the sum of its contributions in their order, to the last bit. Nothing present: all 0.
    pub fn apply(&self, unimodal: &[f32], contributions: &mut [f32], logits: &mut [f32]) {
        let modalities = self.gain.len();
        for (genre, fused) in logits.iter_mut().enumerate().take(self.genres) {
            let range = genre * modalities..(genre + 1) * modalities;
            let unimodal = &unimodal[range.clone()];
            let weights = &self.weights[range.clone()];
            let contributions = &mut contributions[range];
            let mut total = 0.0;
            let mut num_present = 0;
            for (logit, weight) in unimodal.iter().zip(weights) {
                if !logit.is_nan() {
                    total += weight;
                    num_present += 1;
                }
            }
            let gain = if num_present == 0 { 0.0 } else { self.gain[num_present - 1] };
            *fused = 0.0;
            for m in 0..modalities {
                contributions[m] = if unimodal[m].is_nan() {
                    0.0
                } else {
                    gain * (weights[m] / total) * unimodal[m]
                };
                *fused += contributions[m];
            }
        }
    }
}
