//! `ConvNeXt` without its classifier: the last feature map, averaged and normalised.
//!
//! in: `[side, side, 3]`, normalised; out: the last of `hidden_sizes` (768 for tiny and small).
//! source: Liu et al. 2022, "A `ConvNet` for the 2020s".
//! reference: transformers 5.23 `ConvNextModel`, `pooler_output`.

mod fused;
mod plain;

use candle_core::Result;
use serde::{Deserialize, Serialize};

pub(super) use self::{fused::FusedNet, plain::PlainNet};
use super::layers::{ConvWeights, LinearWeights, NormWeights, Window};
use crate::state_dict::StateDict;

/// Epsilon of every norm but the last.
const EPS: f64 = 1e-6;
/// The depthwise convolution.
const DEPTHWISE: Window = Window { kernel: 7, stride: 1, padding: 3 };
/// How many times wider a block's inside is than its ends.
const EXPANSION: usize = 4;

/// Sizes, by the names of `config.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Config {
    patch_size: usize,
    hidden_sizes: Vec<usize>,
    depths: Vec<usize>,
    hidden_act: Activation,
    layer_norm_eps: f64,
}

/// The only one that published networks have.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Activation {
    Gelu,
}

impl Default for Config {
    /// transformers' defaults: what `config.json` leaves out.
    fn default() -> Self {
        Self {
            patch_size: 4,
            hidden_sizes: vec![96, 192, 384, 768],
            depths: vec![3, 3, 9, 3],
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
        }
    }
}

impl Config {
    /// Widths of the stages, and their numbers of blocks.
    pub(super) fn stages(&self) -> (&[usize], &[usize]) {
        (&self.hidden_sizes, &self.depths)
    }

    /// The least picture that it can look at: the last stage sees a pixel.
    ///
    /// # Errors
    /// Sizes that cannot be, in words.
    pub(super) fn least_side(&self) -> std::result::Result<usize, String> {
        let halved = self.hidden_sizes.len().saturating_sub(1);
        let least = self.patch_size.checked_shl(halved as u32).filter(|_| halved < 16);
        least.filter(|least| (1..=4096).contains(least)).ok_or_else(|| {
            let (patch, stages) = (self.patch_size, self.hidden_sizes.len());
            format!("patches of {patch} pixels and {stages} stages are none of a network")
        })
    }
}

/// The network's layers, the scale of a block folded in.
pub(super) struct Weights {
    stem: ConvWeights,
    stem_norm: NormWeights,
    stages: Vec<StageWeights>,
    norm: NormWeights,
}

struct StageWeights {
    /// Norm and 2 × 2 convolution at the beginning of every stage but the first.
    shrink: Option<(NormWeights, ConvWeights)>,
    blocks: Vec<BlockWeights>,
}

struct BlockWeights {
    depthwise: DepthwiseWeights,
    norm: NormWeights,
    widen: LinearWeights,
    narrow: LinearWeights,
}

struct DepthwiseWeights {
    /// `[channels, 1, 7, 7]`
    weight: Vec<f32>,
    /// `[channels]`
    bias: Vec<f32>,
}

impl Weights {
    /// # Errors
    /// A tensor is missing or has another shape.
    pub(super) fn read(config: &Config, dict: StateDict) -> Result<Self> {
        let (Some(first), Some(last)) = (config.hidden_sizes.first(), config.hidden_sizes.last())
        else {
            candle_core::bail!("`hidden_sizes` must not be empty");
        };
        let window = Window::patches(config.patch_size);
        let stem = ConvWeights::read(dict, "embeddings.patch_embeddings", (3, *first), window)?;
        let mut channels = *first;
        let mut stages = Vec::new();
        for (stage, (width, depth)) in config.hidden_sizes.iter().zip(&config.depths).enumerate() {
            let name = format!("encoder.stages.{stage}");
            let shrink = (stage > 0).then(|| read_shrink(dict, &name, (channels, *width)));
            let blocks = (0..*depth)
                .map(|idx| BlockWeights::read(dict, &format!("{name}.layers.{idx}"), *width));
            stages.push(StageWeights {
                shrink: shrink.transpose()?,
                blocks: blocks.collect::<Result<_>>()?,
            });
            channels = *width;
        }
        Ok(Self {
            stem,
            stem_norm: NormWeights::read(dict, "embeddings.layernorm", *first, EPS)?,
            stages,
            norm: NormWeights::read(dict, "layernorm", *last, config.layer_norm_eps)?,
        })
    }

    /// Length of an embedding.
    pub(super) fn dim(&self) -> usize {
        self.norm.gamma.len()
    }
}

fn read_shrink(
    dict: StateDict,
    stage: &str,
    widths: (usize, usize),
) -> Result<(NormWeights, ConvWeights)> {
    let name = format!("{stage}.downsampling_layer");
    let norm = NormWeights::read(dict, &format!("{name}.0"), widths.0, EPS)?;
    Ok((norm, ConvWeights::read(dict, &format!("{name}.1"), widths, Window::patches(2))?))
}

impl BlockWeights {
    fn read(dict: StateDict, name: &str, width: usize) -> Result<Self> {
        let inside = EXPANSION * width;
        let part = |part: &str| format!("{name}.{part}");
        let shape = [width, 1, DEPTHWISE.kernel, DEPTHWISE.kernel];
        let mut narrow = LinearWeights::read(dict, &part("pwconv2"), inside, width)?;
        let scale = part("layer_scale_parameter");
        if dict.has(&scale) {
            narrow.scale(&dict.get(&scale, &[width])?);
        }
        Ok(Self {
            depthwise: DepthwiseWeights {
                weight: dict.get(&part("dwconv.weight"), &shape)?,
                bias: dict.get(&part("dwconv.bias"), &[width])?,
            },
            norm: NormWeights::read(dict, &part("layernorm"), width, EPS)?,
            widen: LinearWeights::read(dict, &part("pwconv1"), width, inside)?,
            narrow,
        })
    }
}
