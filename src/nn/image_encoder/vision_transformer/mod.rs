//! Vision transformers: the image towers of CLIP and `SigLIP`, and `DINOv2`.
//!
//! in: `[side, side, 3]`, normalised; out: CLIP's projected embedding, `SigLIP`'s attention-pooled
//! one, or `DINOv2`'s class token after the last norm. None is of unit length.
//! source: Dosovitskiy et al. 2021, "An Image is Worth 16×16 Words"; Radford et al. 2021 (CLIP);
//! Zhai et al. 2023 (`SigLIP`); Oquab et al. 2023 (`DINOv2`).
//! reference: transformers 5.23 `CLIPVisionModelWithProjection`, `SiglipVisionModel`,
//! `Dinov2Model`.

mod config;
mod fused;
mod plain;
mod positions;

use candle_core::Result;

use self::{config::Activation, positions::interpolated};
pub(super) use self::{
    config::{Clip, Config, DinoV2, SigLip},
    fused::FusedNet,
    plain::PlainNet,
};
use super::layers::{ConvWeights, LinearWeights, NormWeights, Window};
use crate::state_dict::StateDict;

/// The network's layers. What only scales is folded in: `1/√head_dim` into the queries,
/// `DINOv2`'s layer scale into what it follows.
pub(super) struct Weights {
    heads: usize,
    activation: Activation,
    patch: ConvWeights,
    /// Class token with its position, `[dim]`.
    class_token: Option<Vec<f32>>,
    /// `[patches, dim]`
    positions: Vec<f32>,
    pre_norm: Option<NormWeights>,
    layers: Vec<LayerWeights>,
    post_norm: NormWeights,
    head: HeadWeights,
}

/// One layer; both halves are normalised before and added to their input.
struct LayerWeights {
    norm: NormWeights,
    /// `[dim]` to `[3 · dim]`: query, key, value.
    project: LinearWeights,
    mix: LinearWeights,
    transform: TransformWeights,
}

/// Norm, linear layer, activation, linear layer.
struct TransformWeights {
    norm: NormWeights,
    widen: LinearWeights,
    narrow: LinearWeights,
}

/// What becomes of the last layer's tokens.
enum HeadWeights {
    /// The first token, through a projection where there is one.
    ClassToken(Option<LinearWeights>),
    AttentionPool(Box<PoolWeights>),
}

/// One query that asks all tokens.
struct PoolWeights {
    /// `[dim]`, projected.
    query: Vec<f32>,
    /// `[dim]` to `[2 · dim]`: key, value.
    project: LinearWeights,
    mix: LinearWeights,
    transform: TransformWeights,
}

/// How the tensors of a layer are called, behind the layer's name.
struct Names {
    layer: &'static str,
    norms: [&'static str; 2],
    /// Query, key, value.
    project: [&'static str; 3],
    mix: &'static str,
    /// What the halves' results are multiplied with.
    scales: Option<[&'static str; 2]>,
}

const CLIP_NAMES: Names = Names {
    layer: "encoder.layers",
    norms: ["layer_norm1", "layer_norm2"],
    project: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    mix: "self_attn.out_proj",
    scales: None,
};
const DINO_NAMES: Names = Names {
    layer: "encoder.layer",
    norms: ["norm1", "norm2"],
    project: ["attention.attention.query", "attention.attention.key", "attention.attention.value"],
    mix: "attention.output.dense",
    scales: Some(["layer_scale1.lambda1", "layer_scale2.lambda1"]),
};

impl Weights {
    /// # Errors
    /// A tensor is missing or has another shape; sizes that do not fit each other or the picture.
    pub(super) fn read(config: &Config, side: usize, dict: StateDict) -> Result<Self> {
        let shape = config.shape();
        if !shape.dim.is_multiple_of(shape.heads.max(1)) || shape.heads == 0 {
            candle_core::bail!(
                "{} numbers cannot be divided among {} heads",
                shape.dim,
                shape.heads
            );
        }
        if side < shape.patch_size || shape.patch_size == 0 {
            candle_core::bail!("pictures of {side} px have no patch of {} px", shape.patch_size);
        }
        match config {
            Config::Clip(config) => Self::clip(config, &shape, side, dict),
            Config::SigLip(config) => Self::sig_lip(config, &shape, side, dict),
            Config::DinoV2(_) => Self::dino_v2(&shape, side, dict),
        }
    }

    fn clip(config: &Clip, shape: &Shape, side: usize, dict: StateDict) -> Result<Self> {
        shape.expect_side(side)?;
        let dim = shape.dim;
        let class_token = dict.get("embeddings.class_embedding", &[dim])?;
        let grid = side / shape.patch_size;
        let positions =
            dict.get("embeddings.position_embedding.weight", &[grid * grid + 1, dim])?;
        let project = dict
            .has("visual_projection.weight")
            .then(|| LinearWeights::read(dict, "visual_projection", dim, config.projection_dim));
        Ok(Self {
            class_token: Some(sum(&class_token, &positions[..dim])),
            positions: positions[dim..].to_vec(),
            pre_norm: Some(shape.norm(dict, "pre_layrnorm")?),
            post_norm: shape.norm(dict, "post_layernorm")?,
            head: HeadWeights::ClassToken(project.transpose()?),
            ..Self::trunk(shape, "embeddings.patch_embedding", &CLIP_NAMES, dict)?
        })
    }

    fn sig_lip(config: &SigLip, shape: &Shape, side: usize, dict: StateDict) -> Result<Self> {
        shape.expect_side(side)?;
        if !config.vision_use_head {
            candle_core::bail!("`vision_use_head` is false: there is no embedding of the picture");
        }
        let grid = side / shape.patch_size;
        let positions =
            dict.get("embeddings.position_embedding.weight", &[grid * grid, shape.dim])?;
        Ok(Self {
            positions,
            post_norm: shape.norm(dict, "post_layernorm")?,
            head: HeadWeights::AttentionPool(Box::new(PoolWeights::read(shape, dict)?)),
            ..Self::trunk(shape, "embeddings.patch_embedding", &CLIP_NAMES, dict)?
        })
    }

    fn dino_v2(shape: &Shape, side: usize, dict: StateDict) -> Result<Self> {
        let dim = shape.dim;
        let class_token = dict.get("embeddings.cls_token", &[1, 1, dim])?;
        let grid = shape.image_size / shape.patch_size;
        let positions = dict.get("embeddings.position_embeddings", &[1, grid * grid + 1, dim])?;
        Ok(Self {
            class_token: Some(sum(&class_token, &positions[..dim])),
            positions: interpolated(&positions[dim..], grid, side / shape.patch_size),
            post_norm: shape.norm(dict, "layernorm")?,
            ..Self::trunk(shape, "embeddings.patch_embeddings.projection", &DINO_NAMES, dict)?
        })
    }

    /// What all have; the rest is empty.
    fn trunk(shape: &Shape, patch: &str, names: &Names, dict: StateDict) -> Result<Self> {
        let window = Window::patches(shape.patch_size);
        let layers = (0..shape.num_layers)
            .map(|idx| LayerWeights::read(shape, &format!("{}.{idx}", names.layer), names, dict));
        Ok(Self {
            heads: shape.heads,
            activation: shape.activation,
            patch: ConvWeights::read(dict, patch, (3, shape.dim), window)?,
            class_token: None,
            positions: Vec::new(),
            pre_norm: None,
            layers: layers.collect::<Result<_>>()?,
            post_norm: NormWeights { gamma: Vec::new(), beta: Vec::new(), eps: shape.eps },
            head: HeadWeights::ClassToken(None),
        })
    }

    /// Length of an embedding.
    pub(super) fn dim(&self) -> usize {
        match &self.head {
            HeadWeights::ClassToken(Some(project)) => project.bias.len(),
            HeadWeights::ClassToken(None) | HeadWeights::AttentionPool(_) => self.patch.width(),
        }
    }
}

/// Sizes that all families have.
struct Shape {
    dim: usize,
    heads: usize,
    num_layers: usize,
    inside: usize,
    image_size: usize,
    patch_size: usize,
    activation: Activation,
    eps: f64,
}

impl Shape {
    /// # Errors
    /// The picture has another side than the positions were learnt for.
    fn expect_side(&self, side: usize) -> Result<()> {
        if side == self.image_size {
            return Ok(());
        }
        candle_core::bail!("it takes pictures of {} px, not of {side} px", self.image_size)
    }

    fn norm(&self, dict: StateDict, name: &str) -> Result<NormWeights> {
        NormWeights::read(dict, name, self.dim, self.eps)
    }

    fn linear(&self, dict: StateDict, name: &str) -> Result<LinearWeights> {
        LinearWeights::read(dict, name, self.dim, self.dim)
    }

    fn query_scale(&self) -> f32 {
        1.0 / ((self.dim / self.heads) as f32).sqrt()
    }
}

impl LayerWeights {
    fn read(shape: &Shape, name: &str, names: &Names, dict: StateDict) -> Result<Self> {
        let part = |part: &str| format!("{name}.{part}");
        let [query, key, value] = names.project.map(|name| shape.linear(dict, &part(name)));
        let mut query = query?;
        query.scale(&vec![shape.query_scale(); shape.dim]);
        let [norm, second_norm] = names.norms.map(part);
        let mut mix = shape.linear(dict, &part(names.mix))?;
        let mut transform = TransformWeights::read(shape, &second_norm, &part("mlp"), dict)?;
        if let Some([first, second]) = names.scales {
            mix.scale(&dict.get(&part(first), &[shape.dim])?);
            transform.narrow.scale(&dict.get(&part(second), &[shape.dim])?);
        }
        let project = query.and(key?).and(value?);
        Ok(Self { norm: shape.norm(dict, &norm)?, project, mix, transform })
    }
}

impl TransformWeights {
    fn read(shape: &Shape, norm: &str, name: &str, dict: StateDict) -> Result<Self> {
        let (dim, inside) = (shape.dim, shape.inside);
        Ok(Self {
            norm: shape.norm(dict, norm)?,
            widen: LinearWeights::read(dict, &format!("{name}.fc1"), dim, inside)?,
            narrow: LinearWeights::read(dict, &format!("{name}.fc2"), inside, dim)?,
        })
    }
}

impl PoolWeights {
    fn read(shape: &Shape, dict: StateDict) -> Result<Self> {
        let dim = shape.dim;
        let probe = dict.get("head.probe", &[1, 1, dim])?;
        let weight = dict.get("head.attention.in_proj_weight", &[3 * dim, dim])?;
        let bias = dict.get("head.attention.in_proj_bias", &[3 * dim])?;
        let (of_query, of_others) = weight.split_at(dim * dim);
        let query = of_query.chunks_exact(dim).zip(&bias).map(|(row, bias)| {
            let products = row.iter().zip(&probe).map(|(a, b)| f64::from(*a) * f64::from(*b));
            ((products.sum::<f64>() + f64::from(*bias)) as f32) * shape.query_scale()
        });
        Ok(Self {
            query: query.collect(),
            project: LinearWeights { weight: of_others.to_vec(), bias: bias[dim..].to_vec() },
            mix: shape.linear(dict, "head.attention.out_proj")?,
            transform: TransformWeights::read(shape, "head.layernorm", "head.mlp", dict)?,
        })
    }
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
