//! `ResNet` without its classifier: the last feature map, averaged.
//!
//! in: `[side, side, 3]`, normalised; out: `[512]` (18 and 34 layers) or `[2048]` (50 and more).
//! source: He et al. 2015, "Deep Residual Learning for Image Recognition"; with the stride in the
//! 3×3 convolution of a bottleneck, as torchvision has it.
//! reference: torchvision 0.29 `resnet18`, `resnet50`; transformers 5.23 `ResNetModel`.

mod fused;
mod plain;

use std::collections::HashMap;

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

pub(super) use self::{fused::FusedNet, plain::PlainNet};
use super::layers::{ConvWeights, Window};
use crate::state_dict::StateDict;

const BATCH_NORM_EPS: f64 = 1e-5;
/// How many times wider a bottleneck's ends are than its inside.
const BOTTLENECK: usize = 4;
const STEM: Window = Window { kernel: 7, stride: 2, padding: 3 };
/// The maximum of 3 × 3 pixels that follows the stem.
const POOL: Window = Window { kernel: 3, stride: 2, padding: 1 };

/// Sizes, by the names of `config.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Config {
    embedding_size: usize,
    hidden_sizes: Vec<usize>,
    depths: Vec<usize>,
    layer_type: LayerType,
    hidden_act: Activation,
    downsample_in_first_stage: bool,
    downsample_in_bottleneck: bool,
    /// Whose names the tensors have; not part of the file.
    #[serde(skip)]
    naming: Naming,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum LayerType {
    Basic,
    Bottleneck,
}

/// The only one that published networks have.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Activation {
    Relu,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Naming {
    #[default]
    HuggingFace,
    /// timm's names, too.
    Torchvision,
}

impl Default for Config {
    /// transformers' defaults: what `config.json` leaves out.
    fn default() -> Self {
        Self {
            embedding_size: 64,
            hidden_sizes: vec![256, 512, 1024, 2048],
            depths: vec![3, 4, 6, 3],
            layer_type: LayerType::Bottleneck,
            hidden_act: Activation::Relu,
            downsample_in_first_stage: false,
            downsample_in_bottleneck: false,
            naming: Naming::HuggingFace,
        }
    }
}

impl Config {
    /// Widths of the stages, and their numbers of blocks.
    pub(super) fn stages(&self) -> (&[usize], &[usize]) {
        (&self.hidden_sizes, &self.depths)
    }

    /// The sizes of a network with torchvision's names, read off its tensors; `None` where it is
    /// none.
    pub(super) fn of_torchvision(tensors: &HashMap<String, Tensor>) -> Option<Self> {
        let width = |name: &str| tensors.get(&format!("{name}.weight"))?.dims().first().copied();
        let embedding_size = width("conv1")?;
        let layer_type = if width("layer1.0.conv3").is_some() {
            LayerType::Bottleneck
        } else {
            LayerType::Basic
        };
        let last = if layer_type == LayerType::Bottleneck { "conv3" } else { "conv2" };
        let (mut hidden_sizes, mut depths) = (Vec::new(), Vec::new());
        while let Some(width_out) = width(&format!("layer{}.0.{last}", depths.len() + 1)) {
            let stage = depths.len() + 1;
            let is_there = |idx: &usize| width(&format!("layer{stage}.{idx}.conv1")).is_some();
            depths.push((0..tensors.len()).take_while(is_there).count());
            hidden_sizes.push(width_out);
        }
        let naming = Naming::Torchvision;
        (!depths.is_empty()).then(|| Self {
            embedding_size,
            hidden_sizes,
            depths,
            layer_type,
            naming,
            ..Self::default()
        })
    }

    fn names(&self, block: &str, part: Part) -> (String, String) {
        match (self.naming, part) {
            (Naming::HuggingFace, Part::Stem) => (
                "embedder.embedder.convolution".to_owned(),
                "embedder.embedder.normalization".to_owned(),
            ),
            (Naming::HuggingFace, Part::Conv(idx)) => (
                format!("{block}.layer.{idx}.convolution"),
                format!("{block}.layer.{idx}.normalization"),
            ),
            (Naming::HuggingFace, Part::Shortcut) => {
                (format!("{block}.shortcut.convolution"), format!("{block}.shortcut.normalization"))
            }
            (Naming::Torchvision, Part::Stem) => ("conv1".to_owned(), "bn1".to_owned()),
            (Naming::Torchvision, Part::Conv(idx)) => {
                (format!("{block}.conv{}", idx + 1), format!("{block}.bn{}", idx + 1))
            }
            (Naming::Torchvision, Part::Shortcut) => {
                (format!("{block}.downsample.0"), format!("{block}.downsample.1"))
            }
        }
    }

    fn block_name(&self, stage: usize, idx: usize) -> String {
        match self.naming {
            Naming::HuggingFace => format!("encoder.stages.{stage}.layers.{idx}"),
            Naming::Torchvision => format!("layer{}.{idx}", stage + 1),
        }
    }

    /// The convolutions of a block between its ends: widths and windows.
    fn convolutions(
        &self,
        (channels, width): (usize, usize),
        stride: usize,
    ) -> Vec<((usize, usize), Window)> {
        let three = |stride| Window { kernel: 3, stride, padding: 1 };
        let one = |stride| Window { kernel: 1, stride, padding: 0 };
        match self.layer_type {
            LayerType::Basic => {
                vec![((channels, width), three(stride)), ((width, width), three(1))]
            }
            LayerType::Bottleneck => {
                let inside = width / BOTTLENECK;
                let (first, second) =
                    if self.downsample_in_bottleneck { (stride, 1) } else { (1, stride) };
                vec![
                    ((channels, inside), one(first)),
                    ((inside, inside), three(second)),
                    ((inside, width), one(1)),
                ]
            }
        }
    }
}

/// A convolution's place.
#[derive(Clone, Copy)]
enum Part {
    Stem,
    Conv(usize),
    Shortcut,
}

/// The network's layers, batch norms folded in.
pub(super) struct Weights {
    stem: ConvWeights,
    blocks: Vec<BlockWeights>,
}

/// Convolutions with rectifiers between them; the input, by way of the shortcut where there is
/// one, is added before the last rectifier.
struct BlockWeights {
    convs: Vec<ConvWeights>,
    shortcut: Option<ConvWeights>,
}

impl Weights {
    /// # Errors
    /// A tensor is missing or has another shape.
    pub(super) fn read(config: &Config, dict: StateDict) -> Result<Self> {
        let conv = |block: &str, part, widths, window| {
            let (conv, norm) = config.names(block, part);
            ConvWeights::read_with_norm(dict, (&conv, &norm), widths, window, BATCH_NORM_EPS)
        };
        let stem = conv("", Part::Stem, (3, config.embedding_size), STEM)?;
        let mut blocks = Vec::new();
        let mut channels = config.embedding_size;
        for (stage, (width, depth)) in config.hidden_sizes.iter().zip(&config.depths).enumerate() {
            for idx in 0..*depth {
                let name = config.block_name(stage, idx);
                let halves = idx == 0 && (stage > 0 || config.downsample_in_first_stage);
                let stride = if halves { 2 } else { 1 };
                let convs = config.convolutions((channels, *width), stride).into_iter().enumerate();
                let convs = convs
                    .map(|(idx, (widths, window))| conv(&name, Part::Conv(idx), widths, window));
                let window = Window { kernel: 1, stride, padding: 0 };
                let shortcut = (stride > 1 || channels != *width)
                    .then(|| conv(&name, Part::Shortcut, (channels, *width), window));
                blocks.push(BlockWeights {
                    convs: convs.collect::<Result<_>>()?,
                    shortcut: shortcut.transpose()?,
                });
                channels = *width;
            }
        }
        Ok(Self { stem, blocks })
    }

    /// Length of an embedding.
    pub(super) fn dim(&self) -> usize {
        let last = self.blocks.last().and_then(|block| block.convs.last());
        last.unwrap_or(&self.stem).width()
    }
}
