//! The network in candle's operators: for CUDA and Metal, and what the kernels are tested against.

use candle_core::{D, Result, Tensor};
use candle_nn::{Conv2d, LayerNorm, Linear, Module};

use super::{super::PlainNetwork, BlockWeights, DEPTHWISE, DepthwiseWeights, Weights};
use crate::on_device::Place;

/// The network on a device.
pub(in super::super) struct PlainNet {
    stem: Conv2d,
    stem_norm: LayerNorm,
    stages: Vec<Stage>,
    norm: LayerNorm,
}

struct Stage {
    shrink: Option<(LayerNorm, Conv2d)>,
    blocks: Vec<Block>,
}

struct Block {
    /// `[1, channels, 1, 1]` for each place of the kernel, row by row.
    taps: Vec<Tensor>,
    /// `[1, channels, 1, 1]`
    bias: Tensor,
    norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl PlainNet {
    /// # Errors
    /// The device has no room.
    pub(in super::super) fn new(weights: &Weights, place: &Place) -> Result<Self> {
        let stages = weights.stages.iter().map(|stage| {
            let shrink = stage.shrink.as_ref();
            Ok(Stage {
                shrink: shrink
                    .map(|(norm, conv)| {
                        Ok::<_, candle_core::Error>((norm.plain(place)?, conv.plain(place)?))
                    })
                    .transpose()?,
                blocks: stage
                    .blocks
                    .iter()
                    .map(|block| Block::new(block, place))
                    .collect::<Result<_>>()?,
            })
        });
        Ok(Self {
            stem: weights.stem.plain(place)?,
            stem_norm: weights.stem_norm.plain(place)?,
            stages: stages.collect::<Result<_>>()?,
            norm: weights.norm.plain(place)?,
        })
    }
}

impl PlainNetwork for PlainNet {
    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let mut x = of_channels(&self.stem_norm, &self.stem.forward(pixels)?)?;
        for stage in &self.stages {
            if let Some((norm, conv)) = &stage.shrink {
                x = conv.forward(&of_channels(norm, &x)?)?;
            }
            for block in &stage.blocks {
                x = block.forward(&x)?;
            }
        }
        self.norm.forward(&x.mean((D::Minus2, D::Minus1))?) // [batch, dim]
    }
}

/// A layer over the channels of `[batch, channels, side, side]`.
fn of_channels(layer: &impl Module, x: &Tensor) -> Result<Tensor> {
    let x = x.permute((0, 2, 3, 1))?.contiguous()?;
    layer.forward(&x)?.permute((0, 3, 1, 2))?.contiguous()
}

impl Block {
    fn new(weights: &BlockWeights, place: &Place) -> Result<Self> {
        let DepthwiseWeights { weight, bias } = &weights.depthwise;
        let channels = bias.len();
        let by_tap = place.tensor(weight, (channels, weight.len() / channels))?;
        let taps = (0..weight.len() / channels)
            .map(|tap| by_tap.narrow(1, tap, 1)?.contiguous()?.reshape((1, channels, 1, 1)));
        Ok(Self {
            taps: taps.collect::<Result<_>>()?,
            bias: place.tensor(bias, (1, channels, 1, 1))?,
            norm: weights.norm.plain(place)?,
            widen: weights.widen.plain(place)?,
            narrow: weights.narrow.plain(place)?,
        })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let x = self.depthwise(input)?;
        let transform = |x: &Tensor| {
            self.narrow.forward(&self.widen.forward(&self.norm.forward(x)?)?.gelu_erf()?)
        };
        input + of_channels(&candle_nn::func(transform), &x)?
    }

    /// One shifted multiplication and addition per place of the kernel: candle's grouped
    /// convolution is one convolution per channel.
    fn depthwise(&self, x: &Tensor) -> Result<Tensor> {
        let (.., height, width) = x.dims4()?;
        let padding = DEPTHWISE.padding;
        let x = x.pad_with_zeros(2, padding, padding)?.pad_with_zeros(3, padding, padding)?;
        let mut sum = self.bias.clone();
        for (place, tap) in self.taps.iter().enumerate() {
            let (row, column) = (place / DEPTHWISE.kernel, place % DEPTHWISE.kernel);
            let shifted = x.narrow(2, row, height)?.narrow(3, column, width)?;
            sum = shifted.broadcast_mul(tap)?.broadcast_add(&sum)?;
        }
        Ok(sum)
    }
}
