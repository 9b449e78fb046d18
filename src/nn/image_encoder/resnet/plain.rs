//! The network in candle's operators: for CUDA and Metal, and what the kernels are tested against.

use candle_core::{D, Result, Tensor};
use candle_nn::{Conv2d, Module};

use super::{super::PlainNetwork, POOL, Weights};
use crate::on_device::Place;

/// The network on a device.
pub(in super::super) struct PlainNet {
    stem: Conv2d,
    blocks: Vec<Block>,
}

struct Block {
    convs: Vec<Conv2d>,
    shortcut: Option<Conv2d>,
}

impl PlainNet {
    /// # Errors
    /// The device has no room.
    pub(in super::super) fn new(weights: &Weights, place: &Place) -> Result<Self> {
        let blocks = weights.blocks.iter().map(|block| {
            Ok(Block {
                convs: block.convs.iter().map(|conv| conv.plain(place)).collect::<Result<_>>()?,
                shortcut: block.shortcut.as_ref().map(|conv| conv.plain(place)).transpose()?,
            })
        });
        Ok(Self { stem: weights.stem.plain(place)?, blocks: blocks.collect::<Result<_>>()? })
    }
}

impl PlainNetwork for PlainNet {
    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let x = self.stem.forward(pixels)?.relu()?; // [batch, stem, side/2, side/2]
        let (before, after) = (POOL.padding, POOL.padding);
        let x = x.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?;
        let mut x = x.max_pool2d_with_stride(POOL.kernel, POOL.stride)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        x.mean((D::Minus2, D::Minus1)) // [batch, dim]
    }
}

impl Block {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let residual = match &self.shortcut {
            None => input.clone(),
            Some(conv) => conv.forward(input)?,
        };
        let mut x = input.clone();
        for (idx, conv) in self.convs.iter().enumerate() {
            x = if idx == 0 { conv.forward(&x)? } else { conv.forward(&x.relu()?)? };
        }
        (x + residual)?.relu()
    }
}
