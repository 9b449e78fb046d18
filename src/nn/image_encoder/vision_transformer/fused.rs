//! The network on the processor: query, key and value as one product; bias, addition and the
//! positions fused into the passes that are made anyway; the wide layer in chunks of tokens.

use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows, dot, softmax};

use super::{
    super::{FusedNetwork, convolution::Convolution, layers::NormWeights, scratches::Scratches},
    Activation, HeadWeights, LayerWeights, PoolWeights, TransformWeights, Weights,
};

/// Tokens whose widest activations are held in cache together.
const CHUNK_TOKENS: usize = 64;

/// The network, its weights packed for one instruction set.
pub(in super::super) struct FusedNet {
    isa: Isa,
    side: usize,
    heads: usize,
    activation: Activation,
    patch: Convolution,
    class_token: Option<Vec<f32>>,
    positions: Vec<f32>,
    pre_norm: Option<NormWeights>,
    layers: Vec<Layer>,
    post_norm: NormWeights,
    head: Head,
    scratches: Scratches<Scratch>,
}

struct Layer {
    norm: NormWeights,
    project: PackedMatrix,
    mix: PackedMatrix,
    transform: Transform,
}

struct Transform {
    norm: NormWeights,
    widen: PackedMatrix,
    narrow: PackedMatrix,
}

enum Head {
    ClassToken(Option<PackedMatrix>),
    AttentionPool(Box<Pool>),
}

struct Pool {
    query: Vec<f32>,
    project: PackedMatrix,
    mix: PackedMatrix,
    transform: Transform,
}

/// Memory that is used again for every picture.
struct Scratch {
    patches: Aligned,
    /// `[tokens, dim]`
    states: Aligned,
    next: Aligned,
    normed: Aligned,
    projected: Aligned,
    mixed: Aligned,
    scores: Aligned,
    wide: Aligned,
    keys: PackedMatrix,
    values: PackedMatrix,
}

impl FusedNet {
    /// For pictures of `side` pixels.
    pub(in super::super) fn new(weights: Weights, side: usize, isa: Isa) -> Self {
        Self {
            isa,
            side,
            heads: weights.heads,
            activation: weights.activation,
            patch: Convolution::new(&weights.patch, isa),
            class_token: weights.class_token,
            positions: weights.positions,
            pre_norm: weights.pre_norm,
            layers: weights.layers.into_iter().map(|layer| Layer::new(layer, isa)).collect(),
            post_norm: weights.post_norm,
            head: match weights.head {
                HeadWeights::ClassToken(project) => {
                    Head::ClassToken(project.map(|project| project.fused(isa)))
                }
                HeadWeights::AttentionPool(pool) => {
                    Head::AttentionPool(Box::new(Pool::new(*pool, isa)))
                }
            },
            scratches: Scratches::new(),
        }
    }

    fn dim(&self) -> usize {
        self.patch.width()
    }

    fn scratch(&self) -> Scratch {
        Scratch {
            patches: Aligned::default(),
            states: Aligned::default(),
            next: Aligned::default(),
            normed: Aligned::default(),
            projected: Aligned::default(),
            mixed: Aligned::default(),
            scores: Aligned::default(),
            wide: Aligned::default(),
            keys: PackedMatrix::empty(self.isa, 1, 1),
            values: PackedMatrix::empty(self.isa, 1, 1),
        }
    }

    fn forward(&self, pixels: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let dim = self.dim();
        let class = self.class_token.as_deref().unwrap_or_default();
        let len = class.len() + self.positions.len();
        let states = scratch.states.at_least(len); // [tokens, dim]
        let (first, patches) = states.split_at_mut(class.len());
        first.copy_from_slice(class);
        let add = Some(self.positions.as_slice());
        self.patch.apply((pixels, self.side), add, Clamp::NONE, &mut scratch.patches, patches);
        if let Some(norm) = &self.pre_norm {
            norm.apply(self.isa, states);
        }
        let tokens = len / dim;
        for layer in &self.layers {
            self.attend(layer, tokens, scratch);
            self.transform(&layer.transform, tokens, scratch);
        }
        match &self.head {
            Head::ClassToken(project) => {
                let mut first = scratch.states.as_slice()[..dim].to_vec();
                self.post_norm.apply(self.isa, &mut first);
                project.as_ref().map_or(first.clone(), |project| row_times(&first, project))
            }
            Head::AttentionPool(pool) => {
                self.post_norm.apply(self.isa, scratch.states.at_least(len));
                self.pool(pool, tokens, scratch)
            }
        }
    }

    /// Self-attention: `states` to `states`.
    fn attend(&self, layer: &Layer, tokens: usize, scratch: &mut Scratch) {
        let (dim, head_dim) = (self.dim(), self.dim() / self.heads);
        let (none, dense) = (Clamp::NONE, Rows::DENSE);
        let Scratch { states, next, normed, projected, mixed, scores, keys, values, .. } = scratch;
        let states = states.at_least(tokens * dim);
        let normed = normed.at_least(tokens * dim);
        normed.copy_from_slice(states);
        layer.norm.apply(self.isa, normed);
        let stride = 3 * dim;
        let projected = projected.at_least(tokens * stride); // [tokens, 3, heads, head_dim]
        layer.project.multiply(tokens, normed, dim, None, none, projected, stride, dense);
        let mixed = mixed.at_least(tokens * dim); // [tokens, heads, head_dim]
        let scores = scores.at_least(tokens * tokens); // [tokens, tokens]
        for head in 0..self.heads {
            let query = head * head_dim;
            let (key, value) = (dim + query, 2 * dim + query);
            keys.reshape(head_dim, tokens);
            keys.pack(|k, token| projected[token * stride + key + k]);
            let left = &projected[query..];
            keys.multiply(tokens, left, stride, None, none, scores, tokens, dense);
            softmax(self.isa, scores, tokens);
            values.reshape(tokens, head_dim);
            values.pack(|token, k| projected[token * stride + value + k]);
            let out = &mut mixed[query..];
            values.multiply(tokens, scores, tokens, None, none, out, dim, dense);
        }
        let out = next.at_least(tokens * dim);
        layer.mix.multiply(tokens, mixed, dim, Some(states), none, out, dim, dense);
        std::mem::swap(&mut scratch.states, &mut scratch.next);
    }

    /// The two linear layers of each token: `states` to `states`.
    fn transform(&self, layer: &Transform, tokens: usize, scratch: &mut Scratch) {
        let (dim, width) = (self.dim(), layer.widen.width());
        let (none, dense) = (Clamp::NONE, Rows::DENSE);
        let Scratch { states, next, normed, wide, .. } = scratch;
        let states = states.at_least(tokens * dim);
        let next = next.at_least(tokens * dim);
        let chunks = states.chunks(CHUNK_TOKENS * dim).zip(next.chunks_mut(CHUNK_TOKENS * dim));
        for (states, out) in chunks {
            let tokens = states.len() / dim;
            let normed = normed.at_least(states.len());
            normed.copy_from_slice(states);
            layer.norm.apply(self.isa, normed);
            let wide = wide.at_least(tokens * width);
            layer.widen.multiply(tokens, normed, dim, None, none, wide, width, dense);
            self.activation.apply(self.isa, wide);
            layer.narrow.multiply(tokens, wide, width, Some(states), none, out, dim, dense);
        }
        std::mem::swap(&mut scratch.states, &mut scratch.next);
    }

    /// One query over all tokens, `states` to one embedding.
    fn pool(&self, pool: &Pool, tokens: usize, scratch: &mut Scratch) -> Vec<f32> {
        let (dim, head_dim) = (self.dim(), self.dim() / self.heads);
        let (none, dense) = (Clamp::NONE, Rows::DENSE);
        let Scratch { states, projected, scores, .. } = scratch;
        let stride = 2 * dim;
        let projected = projected.at_least(tokens * stride); // [tokens, 2, heads, head_dim]
        let states = states.at_least(tokens * dim);
        pool.project.multiply(tokens, states, dim, None, none, projected, stride, dense);
        let scores = scores.at_least(tokens);
        let mut mixed = vec![0.0; dim];
        for (idx, mixed) in mixed.chunks_exact_mut(head_dim).enumerate() {
            let own = idx * head_dim..(idx + 1) * head_dim;
            let query = &pool.query[own.clone()];
            for (score, row) in scores.iter_mut().zip(projected.chunks_exact(stride)) {
                *score = dot(self.isa, query, &row[own.clone()]);
            }
            softmax(self.isa, scores, tokens);
            for (score, row) in scores.iter().zip(projected.chunks_exact(stride)) {
                for (mixed, x) in mixed.iter_mut().zip(&row[dim..][own.clone()]) {
                    *mixed += score * x;
                }
            }
        }
        let mixed = row_times(&mixed, &pool.mix);
        scratch.states.at_least(dim).copy_from_slice(&mixed);
        self.transform(&pool.transform, 1, scratch);
        scratch.states.as_slice()[..dim].to_vec()
    }
}

impl FusedNetwork for FusedNet {
    fn embed(&self, pixels: &[f32]) -> Vec<f32> {
        self.scratches.with(|| self.scratch(), |scratch| self.forward(pixels, scratch))
    }
}

/// `[depth]` to `[width]`.
fn row_times(row: &[f32], matrix: &PackedMatrix) -> Vec<f32> {
    let (depth, width) = (matrix.depth(), matrix.width());
    let mut out = vec![0.0; width];
    matrix.multiply(1, row, depth, None, Clamp::NONE, &mut out, width, Rows::DENSE);
    out
}

impl Layer {
    fn new(weights: LayerWeights, isa: Isa) -> Self {
        Self {
            norm: weights.norm,
            project: weights.project.fused(isa),
            mix: weights.mix.fused(isa),
            transform: Transform::new(weights.transform, isa),
        }
    }
}

impl Transform {
    fn new(weights: TransformWeights, isa: Isa) -> Self {
        Self {
            norm: weights.norm,
            widen: weights.widen.fused(isa),
            narrow: weights.narrow.fused(isa),
        }
    }
}

impl Pool {
    fn new(weights: PoolWeights, isa: Isa) -> Self {
        Self {
            query: weights.query,
            project: weights.project.fused(isa),
            mix: weights.mix.fused(isa),
            transform: Transform::new(weights.transform, isa),
        }
    }
}
