//! The network in candle's own operators: for CUDA and Metal, and what the processor's
//! kernels are tested against.
//!
//! in: `[batch, 3, side, side]`, pixels as `(x − 127) / 128`; out: `[batch, head_width]`.

use candle_core::{D, Result, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Module, ModuleT, VarBuilder};

use super::architecture::{Architecture, BATCH_NORM_EPS, Block, same_padding};

/// The network with batch norms unfolded.
pub(super) struct PlainNet {
    stem: ConvNorm,
    blocks: Vec<PlainBlock>,
    head: ConvNorm,
}

struct PlainBlock {
    expand: Option<ConvNorm>,
    depthwise: Depthwise,
    depthwise_norm: BatchNorm,
    project: ConvNorm,
    has_skip: bool,
}

/// A convolution with "SAME" padding and its batch norm.
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
    kernel: usize,
}

struct Depthwise {
    /// `[channels, 1, kernel, kernel]`
    weight: Tensor,
    kernel: usize,
    stride: usize,
}

impl PlainNet {
    /// Weights by the names of the PyTorch state dict.
    pub(super) fn load(architecture: &Architecture, vars: &VarBuilder) -> Result<Self> {
        let stem = ConvNorm::load(vars, "_conv_stem", "_bn0", (3, architecture.stem_width), 3, 2)?;
        let blocks = architecture
            .blocks
            .iter()
            .enumerate()
            .map(|(idx, block)| PlainBlock::load(block, &vars.pp(format!("_blocks.{idx}"))))
            .collect::<Result<_>>()?;
        let widths = (architecture.last_width(), architecture.head_width);
        let head = ConvNorm::load(vars, "_conv_head", "_bn1", widths, 1, 1)?;
        Ok(Self { stem, blocks, head })
    }

    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let mut x = relu6(&self.stem.forward(pixels)?)?; // [batch, stem, side/2, side/2]
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        relu6(&self.head.forward(&x)?)?.mean((D::Minus2, D::Minus1)) // [batch, head]
    }
}

impl PlainBlock {
    fn load(block: &Block, vars: &VarBuilder) -> Result<Self> {
        let (inside, kernel) = (block.width_inside(), block.kernel);
        let expand = match block.expansion {
            1 => None,
            _ => {
                Some(ConvNorm::load(vars, "_expand_conv", "_bn0", (block.width_in, inside), 1, 1)?)
            }
        };
        let weight = vars.get((inside, 1, kernel, kernel), "_depthwise_conv.weight")?;
        Ok(Self {
            expand,
            depthwise: Depthwise { weight, kernel, stride: block.stride },
            depthwise_norm: candle_nn::batch_norm(inside, BATCH_NORM_EPS, vars.pp("_bn1"))?,
            project: ConvNorm::load(
                vars,
                "_project_conv",
                "_bn2",
                (inside, block.width_out),
                1,
                1,
            )?,
            has_skip: block.has_skip(),
        })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let mut x = input.clone();
        if let Some(expand) = &self.expand {
            x = relu6(&expand.forward(&x)?)?;
        }
        x = self.depthwise.forward(&x)?;
        x = relu6(&self.depthwise_norm.forward_t(&x, false)?)?;
        x = self.project.forward(&x)?;
        if self.has_skip { x + input } else { Ok(x) }
    }
}

impl ConvNorm {
    fn load(
        vars: &VarBuilder,
        conv: &str,
        norm: &str,
        (width_in, width_out): (usize, usize),
        kernel: usize,
        stride: usize,
    ) -> Result<Self> {
        let config = Conv2dConfig { stride, ..Conv2dConfig::default() };
        Ok(Self {
            conv: candle_nn::conv2d_no_bias(width_in, width_out, kernel, config, vars.pp(conv))?,
            norm: candle_nn::batch_norm(width_out, BATCH_NORM_EPS, vars.pp(norm))?,
            kernel,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = padded(x, self.kernel, self.conv.config().stride)?;
        self.norm.forward_t(&self.conv.forward(&x)?, false)
    }
}

impl Depthwise {
    /// One shifted multiplication and addition per element of the kernel: candle's grouped
    /// convolution is one convolution per channel, which is far slower on every device.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, channels, height, width) = x.dims4()?;
        let stride = self.stride;
        let (.., height_out) = same_padding(height, self.kernel, stride);
        let (.., width_out) = same_padding(width, self.kernel, stride);
        let x = padded(x, self.kernel, stride)?;
        // Room for whole strides, so that each phase of the stride is a view of one shape.
        let room = |out: usize| (out - 1) * stride + self.kernel.next_multiple_of(stride);
        let fill = |axis: usize, room: usize| room - x.dims()[axis];
        let x = x.pad_with_zeros(2, 0, fill(2, room(height_out)))?;
        let x = x.pad_with_zeros(3, 0, fill(3, room(width_out)))?;
        let (batch, _, height, width) = x.dims4()?;
        let phases =
            x.reshape(&[batch, channels, height / stride, stride, width / stride, stride][..])?;

        let mut sum: Option<Tensor> = None;
        for row in 0..self.kernel {
            for column in 0..self.kernel {
                let tap = phases
                    .narrow(3, row % stride, 1)?
                    .narrow(5, column % stride, 1)?
                    .narrow(2, row / stride, height_out)?
                    .narrow(4, column / stride, width_out)?
                    .squeeze(5)?
                    .squeeze(3)?; // [batch, channels, height_out, width_out]
                let weight = self
                    .weight
                    .narrow(2, row, 1)?
                    .narrow(3, column, 1)?
                    .reshape((1, channels, 1, 1))?;
                let product = tap.broadcast_mul(&weight)?;
                sum = Some(match sum {
                    None => product,
                    Some(sum) => (sum + product)?,
                });
            }
        }
        sum.ok_or_else(|| candle_core::Error::Msg("a kernel without elements".to_owned()))
    }
}

fn padded(x: &Tensor, kernel: usize, stride: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let (top, bottom, _) = same_padding(height, kernel, stride);
    let (left, right, _) = same_padding(width, kernel, stride);
    x.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)
}

fn relu6(x: &Tensor) -> Result<Tensor> {
    x.clamp(0.0_f32, 6.0_f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn depthwise_equals_candles_grouped_convolution() {
        for (kernel, stride, side) in
            [(3, 1, 7), (3, 2, 7), (3, 2, 8), (5, 1, 6), (5, 2, 9), (5, 2, 10)]
        {
            let channels = 4;
            let x = Tensor::randn(0_f32, 1.0, (2, channels, side, side + 1), &Device::Cpu).unwrap();
            let weight =
                Tensor::randn(0_f32, 1.0, (channels, 1, kernel, kernel), &Device::Cpu).unwrap();
            let config = Conv2dConfig { stride, groups: channels, ..Conv2dConfig::default() };
            let expected = Conv2d::new(weight.clone(), None, config)
                .forward(&padded(&x, kernel, stride).unwrap())
                .unwrap();
            let found = Depthwise { weight, kernel, stride }.forward(&x).unwrap();
            assert_eq!(found.dims(), expected.dims());
            let error = (found - expected).unwrap().abs().unwrap().max_all().unwrap();
            assert!(error.to_scalar::<f32>().unwrap() < 1e-5, "kernel {kernel} stride {stride}");
        }
    }
}
