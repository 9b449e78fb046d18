//! The network on the processor, channels last, as the norms want it; a block's inside, four
//! times as wide as its ends, is worked through in chunks that stay in cache.

use kernels::{Aligned, Clamp, Depthwise, DepthwiseShape, Isa, PackedMatrix, Rows, gelu};

use super::{
    super::{
        FusedNetwork,
        convolution::Convolution,
        layers::{NormWeights, mean_of_rows},
        scratches::Scratches,
    },
    BlockWeights, DEPTHWISE, Weights,
};

/// Floats that a block's inside may take at a time: half a megabyte.
const INSIDE_FLOATS: usize = 128 << 10;

/// The network, its weights packed for one instruction set.
pub(in super::super) struct FusedNet {
    isa: Isa,
    side: usize,
    stem: Convolution,
    stem_norm: NormWeights,
    stages: Vec<Stage>,
    norm: NormWeights,
    scratches: Scratches<Scratch>,
}

struct Stage {
    shrink: Option<(NormWeights, Convolution)>,
    blocks: Vec<Block>,
}

struct Block {
    depthwise: Depthwise,
    norm: NormWeights,
    widen: PackedMatrix,
    narrow: PackedMatrix,
}

#[derive(Default)]
struct Scratch {
    patches: Aligned,
    /// `[side, side, channels]`, changed in place by the blocks.
    states: Aligned,
    next: Aligned,
    /// The states with zeros around them.
    padded: Aligned,
    inside: Aligned,
    narrowed: Aligned,
}

impl FusedNet {
    /// For pictures of `side` pixels.
    pub(in super::super) fn new(weights: Weights, side: usize, isa: Isa) -> Self {
        let stages = weights.stages.into_iter().map(|stage| Stage {
            shrink: stage.shrink.map(|(norm, conv)| (norm, Convolution::new(&conv, isa))),
            blocks: stage.blocks.into_iter().map(|block| Block::new(block, isa)).collect(),
        });
        Self {
            isa,
            side,
            stem: Convolution::new(&weights.stem, isa),
            stem_norm: weights.stem_norm,
            stages: stages.collect(),
            norm: weights.norm,
            scratches: Scratches::new(),
        }
    }

    fn forward(&self, pixels: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let mut side = self.stem.side_out(self.side);
        let mut channels = self.stem.width();
        let states = scratch.states.at_least(self.stem.len_out(self.side));
        self.stem.apply((pixels, self.side), None, Clamp::NONE, &mut scratch.patches, states);
        self.stem_norm.apply(self.isa, states);
        for stage in &self.stages {
            if let Some((norm, conv)) = &stage.shrink {
                let states = scratch.states.at_least(side * side * channels);
                norm.apply(self.isa, states);
                let next = scratch.next.at_least(conv.len_out(side));
                conv.apply((states, side), None, Clamp::NONE, &mut scratch.patches, next);
                (side, channels) = (conv.side_out(side), conv.width());
                std::mem::swap(&mut scratch.states, &mut scratch.next);
            }
            for block in &stage.blocks {
                block.forward(self.isa, side, scratch);
            }
        }
        let states = &scratch.states.as_slice()[..side * side * channels];
        let mut mean = mean_of_rows(states, channels);
        self.norm.apply(self.isa, &mut mean);
        mean
    }
}

impl FusedNetwork for FusedNet {
    fn embed(&self, pixels: &[f32]) -> Vec<f32> {
        self.scratches.with(Scratch::default, |scratch| self.forward(pixels, scratch))
    }
}

impl Block {
    fn new(weights: BlockWeights, isa: Isa) -> Self {
        let (kernel, depthwise) = (DEPTHWISE, weights.depthwise);
        let (weight, bias) = (&depthwise.weight, &depthwise.bias);
        Self {
            depthwise: Depthwise::new(isa, kernel.kernel, kernel.stride, weight, bias, Clamp::NONE),
            norm: weights.norm,
            widen: weights.widen.fused(isa),
            narrow: weights.narrow.fused(isa),
        }
    }

    /// `scratch.states` to `scratch.states`.
    fn forward(&self, isa: Isa, side: usize, scratch: &mut Scratch) {
        let Scratch { states, next, padded, inside, narrowed, .. } = scratch;
        let (channels, width) = (self.depthwise.channels(), self.widen.width());
        let states = states.at_least(side * side * channels);
        let columns_in = side + 2 * DEPTHWISE.padding;
        let padded = padded.at_least(columns_in * columns_in * channels);
        pad(states, side, channels, padded);
        let convolved = next.at_least(states.len());
        let shape = DepthwiseShape { columns_in, columns_out: side, rows_out: side };
        self.depthwise.apply(shape, padded, convolved);
        self.norm.apply(isa, convolved);

        let most = (INSIDE_FLOATS / width).max(1) * channels;
        for (states, convolved) in states.chunks_mut(most).zip(convolved.chunks(most)) {
            let num_pixels = states.len() / channels;
            let inside = inside.at_least(num_pixels * width);
            let (dense, none) = (Rows::DENSE, Clamp::NONE);
            self.widen.multiply(num_pixels, convolved, channels, None, none, inside, width, dense);
            gelu(isa, inside);
            let out = narrowed.at_least(states.len());
            let add = Some(&*states);
            self.narrow.multiply(num_pixels, inside, width, add, none, out, channels, dense);
            states.copy_from_slice(out);
        }
    }
}

/// `[side, side, channels]` with zeros around it.
fn pad(states: &[f32], side: usize, channels: usize, padded: &mut [f32]) {
    let (before, line) = (DEPTHWISE.padding * channels, side * channels);
    padded.fill(0.0);
    let rows = padded.chunks_exact_mut(line + 2 * before).skip(DEPTHWISE.padding);
    for (row, state) in rows.zip(states.chunks_exact(line)) {
        row[before..before + line].copy_from_slice(state);
    }
}
