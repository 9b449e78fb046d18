//! BERT on the processor: query, key and value as one product, bias, addition and activation
//! fused into the passes that are made anyway, one window at a time without padding.
//!
//! in: token ids; out: `[dim]`, the mean of the last layer over all tokens.
//! source: Devlin et al. 2019; Vaswani et al. 2017.
//! reference: candle-transformers' `BertModel`.

use std::collections::HashMap;

use candle_core::{DType, Result, Tensor};
use candle_transformers::models::bert::Config;

use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows, gelu, layer_norm, softmax};

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
    /// `[positions, dim]`, with the embedding of the first segment added.
    positions: Vec<f32>,
    norm: Norm,
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
    wide: Aligned,
    keys: PackedMatrix,
    values: PackedMatrix,
}

impl FusedBert {
    /// Weights by the names of the published state dict, with or without `bert.` in front.
    pub(super) fn load(
        config: &Config,
        tensors: &HashMap<String, Tensor>,
        isa: Isa,
    ) -> Result<Self> {
        let prefix =
            if tensors.contains_key("embeddings.word_embeddings.weight") { "" } else { "bert." };
        let weights = Weights { tensors, isa, prefix };
        let (dim, heads) = (config.hidden_size, config.num_attention_heads);
        if !dim.is_multiple_of(heads) {
            candle_core::bail!("{dim} numbers cannot be divided among {heads} heads");
        }
        let words = weights.get("embeddings.word_embeddings.weight", &[config.vocab_size, dim])?;
        let mut positions = weights
            .get("embeddings.position_embeddings.weight", &[config.max_position_embeddings, dim])?;
        let segments = weights
            .get("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, dim])?;
        for row in positions.chunks_exact_mut(dim) {
            for (x, segment) in row.iter_mut().zip(&segments[..dim]) {
                *x += segment;
            }
        }
        let layers = (0..config.num_hidden_layers)
            .map(|idx| weights.layer(&format!("encoder.layer.{idx}"), config))
            .collect::<Result<_>>()?;
        let norm = weights.norm("embeddings.LayerNorm", dim)?;
        Ok(Self {
            isa,
            dim,
            heads,
            eps: config.layer_norm_eps as f32,
            words,
            positions,
            norm,
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
            wide: Aligned::default(),
            keys: PackedMatrix::empty(self.isa, 1, 1),
            values: PackedMatrix::empty(self.isa, 1, 1),
        }
    }

    /// The mean over all tokens, not yet of unit length.
    ///
    /// # Panics
    /// Where `ids` are none, too many, or not in the vocabulary.
    pub(super) fn forward(&self, ids: &[u32], scratch: &mut Scratch) -> Vec<f32> {
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
        for layer in &self.layers {
            self.attend(layer, tokens, scratch);
            self.transform(layer, tokens, scratch);
        }
        let states = &scratch.states.as_slice()[..tokens * dim];
        let mut mean = vec![0.0; dim];
        for state in states.chunks_exact(dim) {
            for (mean, x) in mean.iter_mut().zip(state) {
                *mean += x;
            }
        }
        for x in &mut mean {
            *x /= tokens as f32;
        }
        mean
    }

    /// Self-attention: `states` to `states`.
    fn attend(&self, layer: &Layer, tokens: usize, scratch: &mut Scratch) {
        let (dim, head_dim) = (self.dim, self.dim / self.heads);
        let Scratch { states, next, projected, mixed, scores, keys, values, .. } = scratch;
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
            keys.multiply(
                tokens,
                &projected[query..],
                3 * dim,
                None,
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
    prefix: &'a str,
}

impl Weights<'_> {
    fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let name = format!("{}{name}", self.prefix);
        let Some(tensor) = self.tensors.get(&name) else {
            candle_core::bail!("cannot find tensor {name}");
        };
        if tensor.dims() != shape {
            candle_core::bail!("tensor {name}: expected shape {shape:?}, got {:?}", tensor.dims());
        }
        tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
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

    fn layer(&self, name: &str, config: &Config) -> Result<Layer> {
        let (dim, width) = (config.hidden_size, config.intermediate_size);
        let part = |part: &str| format!("{name}.{part}");
        let (mut weight, mut bias) = self.linear(&part("attention.self.query"), dim, dim)?;
        let scale = 1.0 / ((dim / config.num_attention_heads) as f32).sqrt();
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
