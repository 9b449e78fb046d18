//! The network in candle's own operators: for CUDA and Metal, and what the processor's kernels
//! are tested against.
//!
//! in: a window, `[frames, height, width, 3]` bytes; out: a logit for each frame, `[frames]`.
//!
//! Frames are the batch: a convolution over space is one of pictures, one over time the sum of
//! three products with shifted frames.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, Module, ModuleT, VarBuilder};

use super::{
    architecture::{Architecture, BATCH_NORM_EPS, DILATIONS, LAYERS_PER_STAGE, NUM_BINS},
    similarity::histograms,
};

/// The network with batch norms unfolded.
pub(super) struct PlainNet {
    architecture: Architecture,
    stages: Vec<Vec<Layer>>,
    project: Linear,
    similarity: Linear,
    colour: Linear,
    hidden: Linear,
    classify: Linear,
}

struct Layer {
    branches: Vec<Branch>,
    norm: BatchNorm,
}

struct Branch {
    dilation: usize,
    space: Conv2d,
    /// One per tap.
    time: Vec<Conv2d>,
}

impl PlainNet {
    /// Weights by the names of the PyTorch state dict.
    pub(super) fn load(architecture: &Architecture, vars: &VarBuilder) -> Result<Self> {
        let mut stages = Vec::new();
        for (stage, filters) in architecture.filters.iter().enumerate() {
            let layer = |idx: usize| {
                let channels = architecture.channels(stage + idx.min(1));
                Layer::load(channels, *filters, &vars.pp(format!("SDDCNN.{stage}.DDCNN.{idx}")))
            };
            stages.push((0..LAYERS_PER_STAGE).map(layer).collect::<Result<_>>()?);
        }
        let linear =
            |name: &str, depth: usize, width: usize| candle_nn::linear(depth, width, vars.pp(name));
        let (lookup, lookup_dim) = (architecture.lookup, architecture.lookup_dim);
        let all = architecture.last_dim() + 2 * lookup_dim;
        Ok(Self {
            stages,
            project: linear(
                "frame_sim_layer.projection",
                architecture.pooled_dim(),
                architecture.similarity_dim,
            )?,
            similarity: linear("frame_sim_layer.fc", lookup, lookup_dim)?,
            colour: linear("color_hist_layer.fc", lookup, lookup_dim)?,
            hidden: linear("fc1", all, architecture.hidden)?,
            classify: linear("cls_layer1", architecture.hidden, 1)?,
            architecture: architecture.clone(),
        })
    }

    pub(super) fn forward(&self, rgb: &[u8], device: &Device) -> Result<Tensor> {
        let Architecture { height, width, .. } = self.architecture;
        let frame_bytes = self.architecture.frame_bytes();
        let frames = rgb.len() / frame_bytes;
        let mut x = Tensor::from_slice(rgb, (frames, height, width, 3), device)?
            .permute((0, 3, 1, 2))?
            .to_dtype(DType::F32)?
            .affine(1.0 / 255.0, 0.0)?
            .contiguous()?;
        let mut pooled = Vec::new();
        for layers in &self.stages {
            let mut sum: Option<Tensor> = None;
            for layer in layers {
                x = layer.forward(&x)?.relu()?;
                sum = Some(match sum {
                    None => x.clone(),
                    Some(sum) => (sum + &x)?,
                });
            }
            if let Some(sum) = sum {
                x = sum.avg_pool2d(2)?; // [frames, channels, height / 2, width / 2]
            }
            pooled.push(x.mean((D::Minus2, D::Minus1))?);
        }
        let x = x.permute((0, 2, 3, 1))?.flatten_from(1)?; // [frames, last_dim]

        let compared = self.project.forward(&Tensor::cat(&pooled, 1)?)?;
        let length = compared.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?;
        let compared = compared.broadcast_div(&length)?;
        let colours = Tensor::from_vec(histograms(rgb, frame_bytes), (frames, NUM_BINS), device)?;
        let alike = self.similarity.forward(&self.neighbours(&compared)?)?.relu()?;
        let coloured = self.colour.forward(&self.neighbours(&colours)?)?.relu()?;
        let all = Tensor::cat(&[coloured, alike, x], 1)?;
        self.classify.forward(&self.hidden.forward(&all)?.relu()?)?.squeeze(1)
    }

    /// Similarities of each frame to those around it, `[frames, lookup]`.
    fn neighbours(&self, rows: &Tensor) -> Result<Tensor> {
        let (frames, lookup) = (rows.dim(0)?, self.architecture.lookup);
        let similarities = rows.matmul(&rows.t()?)?.pad_with_zeros(1, lookup / 2, lookup / 2)?;
        let places: Vec<u32> = (0..frames)
            .flat_map(|frame| (frame..frame + lookup).map(|place| place as u32))
            .collect();
        similarities.gather(&Tensor::from_vec(places, (frames, lookup), rows.device())?, 1)
    }
}

impl Layer {
    fn load(channels: usize, filters: usize, vars: &VarBuilder) -> Result<Self> {
        let branches = DILATIONS
            .into_iter()
            .map(|dilation| {
                let vars = vars.pp(format!("Conv3D_{dilation}.layers"));
                let inside = 2 * filters;
                let weight = vars.get((inside, channels, 1, 3, 3), "0.weight")?.squeeze(2)?;
                let config = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
                let space = Conv2d::new(weight, None, config);
                let weight = vars.get((filters, inside, 3, 1, 1), "1.weight")?;
                let time = (0..3)
                    .map(|tap| {
                        let weight = weight.narrow(2, tap, 1)?.squeeze(2)?.contiguous()?;
                        Ok(Conv2d::new(weight, None, Conv2dConfig::default()))
                    })
                    .collect::<Result<_>>()?;
                Ok(Branch { dilation, space, time })
            })
            .collect::<Result<_>>()?;
        let width = DILATIONS.len() * filters;
        Ok(Self { branches, norm: candle_nn::batch_norm(width, BATCH_NORM_EPS, vars.pp("bn"))? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let branches: Vec<Tensor> =
            self.branches.iter().map(|branch| branch.forward(x)).collect::<Result<_>>()?;
        self.norm.forward_t(&Tensor::cat(&branches, 1)?, false)
    }
}

impl Branch {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let frames = x.dim(0)?;
        let spatial = self.space.forward(x)?.pad_with_zeros(0, self.dilation, self.dilation)?;
        let mut taps =
            self.time.iter().enumerate().map(|(tap, time)| {
                time.forward(&spatial.narrow(0, tap * self.dilation, frames)?)
            });
        let first = taps
            .next()
            .unwrap_or_else(|| Err(candle_core::Error::Msg("a branch without taps".to_owned())))?;
        taps.try_fold(first, |sum, tap| sum + tap?)
    }
}
