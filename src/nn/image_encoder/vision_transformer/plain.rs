//! The network in candle's operators: for CUDA and Metal, and what the kernels are tested against.

use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, LayerNorm, Linear, Module, ops::softmax_last_dim};

use super::{
    super::PlainNetwork, Activation, HeadWeights, LayerWeights, PoolWeights, TransformWeights,
    Weights,
};
use crate::on_device::Place;

/// The network on a device.
pub(in super::super) struct PlainNet {
    dim: usize,
    heads: usize,
    activation: Activation,
    patch: Conv2d,
    /// `[1, 1, dim]`
    class_token: Option<Tensor>,
    /// `[1, patches, dim]`
    positions: Tensor,
    pre_norm: Option<LayerNorm>,
    layers: Vec<Layer>,
    post_norm: LayerNorm,
    head: Head,
}

struct Layer {
    norm: LayerNorm,
    project: Linear,
    mix: Linear,
    transform: Transform,
}

struct Transform {
    norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

enum Head {
    ClassToken(Option<Linear>),
    AttentionPool(Box<Pool>),
}

struct Pool {
    /// `[1, heads, 1, head_dim]`
    query: Tensor,
    project: Linear,
    mix: Linear,
    transform: Transform,
}

impl PlainNet {
    /// # Errors
    /// The device has no room.
    pub(in super::super) fn new(weights: &Weights, place: &Place) -> Result<Self> {
        let (dim, heads) = (weights.patch.width(), weights.heads);
        let class_token = weights.class_token.as_ref();
        let pre_norm = weights.pre_norm.as_ref();
        Ok(Self {
            dim,
            heads,
            activation: weights.activation,
            patch: weights.patch.plain(place)?,
            class_token: class_token.map(|token| place.tensor(token, (1, 1, dim))).transpose()?,
            positions: place.tensor(&weights.positions, (1, weights.positions.len() / dim, dim))?,
            pre_norm: pre_norm.map(|norm| norm.plain(place)).transpose()?,
            layers: weights
                .layers
                .iter()
                .map(|layer| Layer::new(layer, place))
                .collect::<Result<_>>()?,
            post_norm: weights.post_norm.plain(place)?,
            head: match &weights.head {
                HeadWeights::ClassToken(project) => Head::ClassToken(
                    project.as_ref().map(|project| project.plain(place)).transpose()?,
                ),
                HeadWeights::AttentionPool(pool) => {
                    Head::AttentionPool(Box::new(Pool::new(pool, heads, place)?))
                }
            },
        })
    }

    /// `[batch, tokens, dim]` to `[batch, heads, tokens, head_dim]`.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, dim) = x.dims3()?;
        x.reshape((batch, tokens, self.heads, dim / self.heads))?.transpose(1, 2)?.contiguous()
    }

    fn attend(&self, layer: &Layer, states: &Tensor) -> Result<Tensor> {
        let projected = layer.project.forward(&layer.norm.forward(states)?)?;
        let part = |idx: usize| self.split(&projected.narrow(2, idx * self.dim, self.dim)?);
        let mixed = mixed(&part(0)?, &part(1)?, &part(2)?)?;
        states + layer.mix.forward(&mixed)?
    }

    fn transform(&self, layer: &Transform, states: &Tensor) -> Result<Tensor> {
        let wide = layer.widen.forward(&layer.norm.forward(states)?)?;
        let wide = match self.activation {
            Activation::Gelu => wide.gelu_erf()?,
            Activation::GeluTanh => wide.gelu()?,
            Activation::QuickGelu => (&wide * candle_nn::ops::sigmoid(&(&wide * 1.702)?)?)?,
        };
        states + layer.narrow.forward(&wide)?
    }

    fn pool(&self, pool: &Pool, states: &Tensor) -> Result<Tensor> {
        let projected = pool.project.forward(states)?;
        let part = |idx: usize| self.split(&projected.narrow(2, idx * self.dim, self.dim)?);
        let (_, heads, _, head_dim) = pool.query.dims4()?;
        let query = pool.query.expand((states.dim(0)?, heads, 1, head_dim))?.contiguous()?;
        let mixed = mixed(&query, &part(0)?, &part(1)?)?;
        self.transform(&pool.transform, &pool.mix.forward(&mixed)?)?.squeeze(1)
    }
}

/// Attention of `[batch, heads, tokens, head_dim]`, queries scaled; `[batch, queries, dim]`.
fn mixed(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<Tensor> {
    let scores = softmax_last_dim(&query.matmul(&key.t()?)?)?;
    scores.matmul(value)?.transpose(1, 2)?.flatten_from(2)
}

impl PlainNetwork for PlainNet {
    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let patches = self.patch.forward(pixels)?.flatten_from(2)?.transpose(1, 2)?;
        let mut x = patches.broadcast_add(&self.positions)?; // [batch, patches, dim]
        if let Some(token) = &self.class_token {
            let token = token.expand((x.dim(0)?, 1, self.dim))?;
            x = Tensor::cat(&[&token, &x], 1)?;
        }
        if let Some(norm) = &self.pre_norm {
            x = norm.forward(&x)?;
        }
        for layer in &self.layers {
            x = self.transform(&layer.transform, &self.attend(layer, &x)?)?;
        }
        let x = self.post_norm.forward(&x)?;
        match &self.head {
            Head::AttentionPool(pool) => self.pool(pool, &x),
            Head::ClassToken(project) => {
                let first = x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?;
                project.as_ref().map_or(Ok(first.clone()), |project| project.forward(&first))
            }
        }
    }
}

impl Layer {
    fn new(weights: &LayerWeights, place: &Place) -> Result<Self> {
        Ok(Self {
            norm: weights.norm.plain(place)?,
            project: weights.project.plain(place)?,
            mix: weights.mix.plain(place)?,
            transform: Transform::new(&weights.transform, place)?,
        })
    }
}

impl Transform {
    fn new(weights: &TransformWeights, place: &Place) -> Result<Self> {
        Ok(Self {
            norm: weights.norm.plain(place)?,
            widen: weights.widen.plain(place)?,
            narrow: weights.narrow.plain(place)?,
        })
    }
}

impl Pool {
    fn new(weights: &PoolWeights, heads: usize, place: &Place) -> Result<Self> {
        let head_dim = weights.query.len() / heads;
        Ok(Self {
            query: place.tensor(&weights.query, (1, heads, 1, head_dim))?,
            project: weights.project.plain(place)?,
            mix: weights.mix.plain(place)?,
            transform: Transform::new(&weights.transform, place)?,
        })
    }
}
