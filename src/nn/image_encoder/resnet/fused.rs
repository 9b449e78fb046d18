//! The network on the processor, channels last: rectifiers and the addition of the shortcut are
//! done where the products' results are written.

use kernels::{Aligned, Clamp, Isa};

use super::{
    super::{
        FusedNetwork,
        convolution::Convolution,
        layers::{ConvWeights, mean_of_rows},
        scratches::Scratches,
    },
    POOL, Weights,
};

/// The network, its weights packed for one instruction set.
pub(in super::super) struct FusedNet {
    side: usize,
    stem: Convolution,
    blocks: Vec<Block>,
    scratches: Scratches<Scratch>,
}

struct Block {
    convs: Vec<Convolution>,
    shortcut: Option<Convolution>,
}

#[derive(Default)]
struct Scratch {
    patches: Aligned,
    input: Aligned,
    /// What the convolutions of a block hand to each other.
    inside: [Aligned; 2],
    shortcut: Aligned,
    output: Aligned,
}

impl FusedNet {
    /// For pictures of `side` pixels.
    pub(in super::super) fn new(weights: Weights, side: usize, isa: Isa) -> Self {
        let conv = |weights: ConvWeights| Convolution::new(&weights, isa);
        let blocks = weights.blocks.into_iter().map(|block| Block {
            convs: block.convs.into_iter().map(conv).collect(),
            shortcut: block.shortcut.map(conv),
        });
        let blocks = blocks.collect();
        Self { side, stem: conv(weights.stem), blocks, scratches: Scratches::new() }
    }

    fn forward(&self, pixels: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let Scratch { patches, input, inside: [stem, _], .. } = scratch;
        let stem = stem.at_least(self.stem.len_out(self.side));
        self.stem.apply((pixels, self.side), None, Clamp::RELU, patches, stem);
        let side = self.stem.side_out(self.side);
        let mut channels = self.stem.width();
        let mut side = max_pool(stem, side, channels, input);
        for block in &self.blocks {
            side = block.forward(side, channels, scratch);
            channels = block.convs.last().map_or(channels, Convolution::width);
            std::mem::swap(&mut scratch.input, &mut scratch.output);
        }
        mean_of_rows(&scratch.input.as_slice()[..side * side * channels], channels)
    }
}

impl FusedNetwork for FusedNet {
    fn embed(&self, pixels: &[f32]) -> Vec<f32> {
        self.scratches.with(Scratch::default, |scratch| self.forward(pixels, scratch))
    }
}

impl Block {
    /// From `scratch.input` to `scratch.output`; gives the side of the output.
    fn forward(&self, side: usize, channels: usize, scratch: &mut Scratch) -> usize {
        let Scratch { patches, input, inside, shortcut, output } = scratch;
        let input = &input.as_slice()[..side * side * channels];
        let residual = match &self.shortcut {
            None => input,
            Some(conv) => {
                let out = shortcut.at_least(conv.len_out(side));
                conv.apply((input, side), None, Clamp::NONE, patches, out);
                out
            }
        };
        let Some((last, first)) = self.convs.split_last() else { return side };
        let (mut from, mut side) = (input, side);
        for (conv, out) in first.iter().zip(inside) {
            let out = out.at_least(conv.len_out(side));
            conv.apply((from, side), None, Clamp::RELU, patches, out);
            (from, side) = (out, conv.side_out(side));
        }
        let out = output.at_least(last.len_out(side));
        last.apply((from, side), Some(residual), Clamp::RELU, patches, out);
        last.side_out(side)
    }
}

/// The greatest of 3 × 3 pixels at every second one, of numbers that are not negative; gives the
/// side of the output.
fn max_pool(input: &[f32], side: usize, channels: usize, out: &mut Aligned) -> usize {
    let side_out = POOL.side_out(side);
    let out = out.at_least(side_out * side_out * channels);
    let covered = |at: usize| {
        let first = at * POOL.stride;
        first.saturating_sub(POOL.padding)..side.min(first + POOL.kernel - POOL.padding)
    };
    for (idx, greatest) in out.chunks_exact_mut(channels).enumerate() {
        greatest.fill(0.0);
        for y in covered(idx / side_out) {
            for x in covered(idx % side_out) {
                let pixel = &input[(y * side + x) * channels..][..channels];
                for (greatest, x) in greatest.iter_mut().zip(pixel) {
                    *greatest = if *x > *greatest { *x } else { *greatest };
                }
            }
        }
    }
    side_out
}
