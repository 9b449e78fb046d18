//! The network in candle's own operators: for CUDA and Metal, and what the processor's
//! kernels are tested against.
//!
//! in: `[batch, 3, side, side]`, pixels as `(x − 127) / 128`; out: `[batch, head_width]`.

use std::collections::HashMap;

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder};

use super::{
    super::on_device::Place,
    architecture::{Architecture, BATCH_NORM_EPS, Block, same_padding},
};

/// The network at a place.
pub(super) struct PlainNet {
    stem: ConvNorm,
    blocks: Vec<PlainBlock>,
    head: ConvNorm,
}

/// Weights in f32, and what they are rounded to once norms are folded in.
struct Vars<'a> {
    vars: VarBuilder<'a>,
    dtype: DType,
}

struct PlainBlock {
    expand: Option<ConvNorm>,
    depthwise: Depthwise,
    project: ConvNorm,
    has_skip: bool,
}

/// A convolution with "SAME" padding, its batch norm folded in.
struct ConvNorm {
    conv: Conv2d,
    kernel: usize,
}

/// As [`ConvNorm`], of each channel by itself; in f32 whatever the others compute in, because its
/// sums would be rounded at each addition.
struct Depthwise {
    /// `[channels, 1, kernel, kernel]`
    weight: Tensor,
    /// `[1, channels, 1, 1]`
    bias: Tensor,
    kernel: usize,
    stride: usize,
}

impl PlainNet {
    /// Weights by the names of the PyTorch state dict.
    pub(super) fn load(
        architecture: &Architecture,
        tensors: HashMap<String, Tensor>,
        place: &Place,
    ) -> Result<Self> {
        let vars = VarBuilder::from_tensors(tensors, DType::F32, &place.device);
        let vars = &Vars { vars, dtype: place.precision.into() };
        let stem = ConvNorm::load(vars, "_conv_stem", "_bn0", (3, architecture.stem_width), 3, 2)?;
        let blocks = architecture
            .blocks
            .iter()
            .enumerate()
            .map(|(idx, block)| PlainBlock::load(block, &vars.pp(&format!("_blocks.{idx}"))))
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

impl Vars<'_> {
    fn pp(&self, prefix: &str) -> Self {
        Self { vars: self.vars.pp(prefix), dtype: self.dtype }
    }

    /// A convolution's weight and bias `[width]` with the batch norm behind it, in f32.
    fn folded(&self, conv: &str, norm: &str, shape: [usize; 4]) -> Result<(Tensor, Tensor)> {
        let width = shape[0];
        let part = |part: &str| self.vars.get(width, &format!("{norm}.{part}"));
        let scale = (part("weight")? / (part("running_var")? + BATCH_NORM_EPS)?.sqrt()?)?;
        let bias = (part("bias")? - (part("running_mean")? * &scale)?)?;
        let weight = self.vars.get(&shape, &format!("{conv}.weight"))?;
        let weight = weight.broadcast_mul(&scale.reshape((width, 1, 1, 1))?)?;
        Ok((weight, bias))
    }
}

impl PlainBlock {
    fn load(block: &Block, vars: &Vars) -> Result<Self> {
        let (inside, kernel) = (block.width_inside(), block.kernel);
        let expand = match block.expansion {
            1 => None,
            _ => {
                Some(ConvNorm::load(vars, "_expand_conv", "_bn0", (block.width_in, inside), 1, 1)?)
            }
        };
        let shape = [inside, 1, kernel, kernel];
        let (weight, bias) = vars.folded("_depthwise_conv", "_bn1", shape)?;
        let bias = bias.reshape((1, inside, 1, 1))?;
        Ok(Self {
            expand,
            depthwise: Depthwise { weight, bias, kernel, stride: block.stride },
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
        x = relu6(&self.depthwise.forward(&x)?)?;
        x = self.project.forward(&x)?;
        if self.has_skip { x + input } else { Ok(x) }
    }
}

impl ConvNorm {
    fn load(
        vars: &Vars,
        conv: &str,
        norm: &str,
        (width_in, width_out): (usize, usize),
        kernel: usize,
        stride: usize,
    ) -> Result<Self> {
        let config = Conv2dConfig { stride, ..Conv2dConfig::default() };
        let (weight, bias) = vars.folded(conv, norm, [width_out, width_in, kernel, kernel])?;
        let (weight, bias) = (weight.to_dtype(vars.dtype)?, bias.to_dtype(vars.dtype)?);
        Ok(Self { conv: Conv2d::new(weight, Some(bias), config), kernel })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv.forward(&padded(x, self.kernel, self.conv.config().stride)?)
    }
}

impl Depthwise {
    /// One shifted multiplication and addition per element of the kernel: candle's grouped
    /// convolution is one convolution per channel, which is far slower on every device.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, channels, height, width) = x.dims4()?;
        let (stride, dtype) = (self.stride, x.dtype());
        let (.., height_out) = same_padding(height, self.kernel, stride);
        let (.., width_out) = same_padding(width, self.kernel, stride);
        let x = padded(&x.to_dtype(DType::F32)?, self.kernel, stride)?;
        // Room for whole strides, so that each phase of the stride is a view of one shape.
        let room = |out: usize| (out - 1) * stride + self.kernel.next_multiple_of(stride);
        let fill = |axis: usize, room: usize| room - x.dims()[axis];
        let x = x.pad_with_zeros(2, 0, fill(2, room(height_out)))?;
        let x = x.pad_with_zeros(3, 0, fill(3, room(width_out)))?;
        let (batch, _, height, width) = x.dims4()?;
        let phases =
            x.reshape(&[batch, channels, height / stride, stride, width / stride, stride][..])?;

        let mut sum = self.bias.clone();
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
                sum = tap.broadcast_mul(&weight)?.broadcast_add(&sum)?;
            }
        }
        sum.to_dtype(dtype)
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
            let bias = Tensor::randn(0_f32, 1.0, channels, &Device::Cpu).unwrap();
            let expected = Conv2d::new(weight.clone(), Some(bias.clone()), config)
                .forward(&padded(&x, kernel, stride).unwrap())
                .unwrap();
            let bias = bias.reshape((1, channels, 1, 1)).unwrap();
            let found = Depthwise { weight, bias, kernel, stride }.forward(&x).unwrap();
            assert_eq!(found.dims(), expected.dims());
            let error = (found - expected).unwrap().abs().unwrap().max_all().unwrap();
            assert!(error.to_scalar::<f32>().unwrap() < 1e-5, "kernel {kernel} stride {stride}");
        }
    }
}
