//! BERT on the processor: query, key and value as one product, bias, addition and activation
//! fused into the passes that are made anyway, one window at a time without padding.
//!
//! in: token ids; out: `[tokens, dim]`, the last layer or one below it.
//! source: Devlin et al. 2019; Vaswani et al. 2017.
//! reference: `PlainBert`.

use std::collections::HashMap;

use candle_core::{Result, Tensor};
use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows, gelu, layer_norm, softmax};

use super::{architecture::Architecture, checkpoint::POSITIONS, position_bias::PositionBias};

/// Tokens whose widest activations are held in cache together.
const CHUNK_TOKENS: usize = 128;

/// The network, its weights packed for one instruction set.
pub(super) struct FusedBert {
    isa: Isa,
    dim: usize,
    heads: usize,
    eps: f32,
    /// `[vocabulary, dim]`
    words: Vec<f32>,
    /// `[positions, dim]`
    positions: Vec<f32>,
    norm: Norm,
    bias: Option<PositionBias>,
    layers: Vec<Layer>,
}

struct Layer {
    /// `[dim]` to `[3 · dim]`: query (scaled by `1/√head_dim`), key, value.
    project: PackedMatrix,
    mix: PackedMatrix,
    mix_norm: Norm,
    widen: PackedMatrix,
    narrow: PackedMatrix,
    narrow_norm: Norm,
}

struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

/// Memory that is used again for every window.
pub(super) struct Scratch {
    states: Aligned,
    next: Aligned,
    projected: Aligned,
    mixed: Aligned,
    scores: Aligned,
    bias: Aligned,
    wide: Aligned,
    keys: PackedMatrix,
    values: PackedMatrix,
}

impl FusedBert {
    /// Tensors as `checkpoint::unified` gives them.
    pub(super) fn load(
        architecture: &Architecture,
        tensors: &HashMap<String, Tensor>,
        isa: Isa,
    ) -> Result<Self> {
        let weights = Weights { tensors, isa };
        let (dim, vocabulary) = (architecture.hidden_size, architecture.vocab_size);
        let layers = (0..architecture.num_hidden_layers)
            .map(|idx| weights.layer(&format!("encoder.layer.{idx}"), architecture))
            .collect::<Result<_>>()?;
        Ok(Self {
            isa,
            dim,
            heads: architecture.num_attention_heads,
            eps: architecture.layer_norm_eps as f32,
            words: weights.get("embeddings.word_embeddings.weight", &[vocabulary, dim])?,
            positions: weights.get(POSITIONS, &[architecture.max_tokens(), dim])?,
            norm: weights.norm("embeddings.LayerNorm", dim)?,
            bias: PositionBias::load(architecture, tensors)?,
            layers,
        })
    }

    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            states: Aligned::default(),
            next: Aligned::default(),
            projected: Aligned::default(),
            mixed: Aligned::default(),
            scores: Aligned::default(),
            bias: Aligned::default(),
            wide: Aligned::default(),
            keys: PackedMatrix::empty(self.isa, 1, 1),
            values: PackedMatrix::empty(self.isa, 1, 1),
        }
    }

    /// What the first `layers` layers make of a window, `[tokens, dim]`.
    ///
    /// # Panics
    /// Where `ids` are too many or not in the vocabulary.
    pub(super) fn forward<'s>(
        &self,
        ids: &[u32],
        layers: usize,
        scratch: &'s mut Scratch,
    ) -> &'s [f32] {
        let (dim, tokens) = (self.dim, ids.len());
        let states = scratch.states.at_least(tokens * dim); // [tokens, dim]
        for ((state, id), position) in
            states.chunks_exact_mut(dim).zip(ids).zip(self.positions.chunks_exact(dim))
        {
            let word = &self.words[*id as usize * dim..][..dim];
            for ((x, word), position) in state.iter_mut().zip(word).zip(position) {
                *x = word + position;
            }
        }
        layer_norm(self.isa, states, &self.norm.gamma, &self.norm.beta, self.eps);
        for layer in self.layers.iter().take(layers) {
            self.attend(layer, tokens, scratch);
            self.transform(layer, tokens, scratch);
        }
        &scratch.states.as_slice()[..tokens * dim]
    }

    /// Self-attention: `states` to `states`.
    fn attend(&self, layer: &Layer, tokens: usize, scratch: &mut Scratch) {
        let (dim, head_dim) = (self.dim, self.dim / self.heads);
        let Scratch { states, next, projected, mixed, scores, bias, keys, values, .. } = scratch;
        let states = states.at_least(tokens * dim);
        let projected = projected.at_least(tokens * 3 * dim); // [tokens, 3, heads, head_dim]
        let mixed = mixed.at_least(tokens * dim); // [tokens, heads, head_dim]
        let scores = scores.at_least(tokens * tokens); // [tokens, tokens]
        layer.project.multiply(
            tokens,
            states,
            dim,
            None,
            Clamp::NONE,
            projected,
            3 * dim,
            Rows::DENSE,
        );
        for head in 0..self.heads {
            let (query, key, value) =
                (head * head_dim, dim + head * head_dim, 2 * dim + head * head_dim);
            keys.reshape(head_dim, tokens);
            keys.pack(|k, token| projected[token * 3 * dim + key + k]);
            let bias = self.bias.as_ref().map(|of| {
                let bias = bias.at_least(tokens * tokens);
                of.fill(head, tokens, bias);
                &*bias
            });
            keys.multiply(
                tokens,
                &projected[query..],
                3 * dim,
                bias,
                Clamp::NONE,
                scores,
                tokens,
                Rows::DENSE,
            );
            softmax(self.isa, scores, tokens);
            values.reshape(tokens, head_dim);
            values.pack(|token, k| projected[token * 3 * dim + value + k]);
            let out = &mut mixed[head * head_dim..];
            values.multiply(tokens, scores, tokens, None, Clamp::NONE, out, dim, Rows::DENSE);
        }
        let out = next.at_least(tokens * dim);
        layer.mix.multiply(tokens, mixed, dim, Some(states), Clamp::NONE, out, dim, Rows::DENSE);
        layer_norm(self.isa, out, &layer.mix_norm.gamma, &layer.mix_norm.beta, self.eps);
        std::mem::swap(&mut scratch.states, &mut scratch.next);
    }

    /// The two linear layers of each token: `states` to `states`.
    fn transform(&self, layer: &Layer, tokens: usize, scratch: &mut Scratch) {
        let (dim, width) = (self.dim, layer.widen.width());
        let Scratch { states, next, wide, .. } = scratch;
        let states = states.at_least(tokens * dim);
        let next = next.at_least(tokens * dim);
        let chunks = states.chunks(CHUNK_TOKENS * dim).zip(next.chunks_mut(CHUNK_TOKENS * dim));
        for (states, out) in chunks {
            let tokens = states.len() / dim;
            let wide = wide.at_least(tokens * width);
            layer.widen.multiply(tokens, states, dim, None, Clamp::NONE, wide, width, Rows::DENSE);
            gelu(self.isa, wide);
            layer.narrow.multiply(
                tokens,
                wide,
                width,
                Some(states),
                Clamp::NONE,
                out,
                dim,
                Rows::DENSE,
            );
            layer_norm(self.isa, out, &layer.narrow_norm.gamma, &layer.narrow_norm.beta, self.eps);
        }
        std::mem::swap(&mut scratch.states, &mut scratch.next);
    }
}

/// Tensors by name.
struct Weights<'a> {
    tensors: &'a HashMap<String, Tensor>,
    isa: Isa,
}

impl Weights<'_> {
    fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let Some(tensor) = self.tensors.get(name) else {
            candle_core::bail!("cannot find tensor {name}");
        };
        if tensor.dims() != shape {
            candle_core::bail!("tensor {name}: expected shape {shape:?}, got {:?}", tensor.dims());
        }
        tensor.flatten_all()?.to_vec1()
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm> {
        let part = |part: &str| self.get(&format!("{name}.{part}"), &[width]);
        Ok(Norm { gamma: part("weight")?, beta: part("bias")? })
    }

    fn linear(&self, name: &str, depth: usize, width: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let weight = self.get(&format!("{name}.weight"), &[width, depth])?;
        Ok((weight, self.get(&format!("{name}.bias"), &[width])?))
    }

    fn packed(&self, name: &str, depth: usize, width: usize) -> Result<PackedMatrix> {
        let (weight, bias) = self.linear(name, depth, width)?;
        Ok(PackedMatrix::from_rows(self.isa, &weight, &bias))
    }

    fn layer(&self, name: &str, architecture: &Architecture) -> Result<Layer> {
        let (dim, width) = (architecture.hidden_size, architecture.intermediate_size);
        let part = |part: &str| format!("{name}.{part}");
        let (mut weight, mut bias) = self.linear(&part("attention.self.query"), dim, dim)?;
        let scale = 1.0 / (architecture.head_dim() as f32).sqrt();
        for x in weight.iter_mut().chain(&mut bias) {
            *x *= scale;
        }
        for other in ["attention.self.key", "attention.self.value"] {
            let (other_weight, other_bias) = self.linear(&part(other), dim, dim)?;
            weight.extend(other_weight);
            bias.extend(other_bias);
        }
        Ok(Layer {
            project: PackedMatrix::from_rows(self.isa, &weight, &bias),
            mix: self.packed(&part("attention.output.dense"), dim, dim)?,
            mix_norm: self.norm(&part("attention.output.LayerNorm"), dim)?,
            widen: self.packed(&part("intermediate.dense"), dim, width)?,
            narrow: self.packed(&part("output.dense"), width, dim)?,
            narrow_norm: self.norm(&part("output.LayerNorm"), dim)?,
        })
    }
}
