//! The network on the processor: channels last, batch norms folded into the weights, each
//! block worked through in strips of rows that stay in cache.
//!
//! in: one picture, `[side, side, 3]` bytes; out: `[head_width]`.
//!
//! A block's inside is six times as wide as its ends, and its first convolution would write
//! megabytes that the second reads back. So a few rows at a time go through expansion,
//! depthwise convolution and projection; the rows that the next strip's kernel still covers
//! are kept. The stem is the first block's expansion.

use std::collections::HashMap;

use candle_core::{Result, Tensor};
use kernels::{Aligned, Clamp, Depthwise, DepthwiseShape, Isa, PackedMatrix, Rows};

use super::architecture::{
    Architecture, BATCH_NORM_EPS, Block, PIXEL_MEAN, PIXEL_SCALE, same_padding,
};
use crate::state_dict::StateDict;

/// Floats that a strip's inside may take: half a megabyte fits every second-level cache of the
/// last years beside the weights.
const STRIP_FLOATS: usize = 128 << 10;
/// Elements of the stem's kernel: 3 × 3 pixels of 3 colours.
const STEM_DEPTH: usize = 27;

/// The network, its weights packed for one instruction set.
pub(super) struct FusedNet {
    side: usize,
    blocks: Vec<FusedBlock>,
    head: PackedMatrix,
}

struct FusedBlock {
    /// The stem of the first block; `None` in a later block that has no expansion.
    expand: Option<PackedMatrix>,
    depthwise: Depthwise,
    project: PackedMatrix,
    has_skip: bool,
}

/// Memory that is used again for every picture.
#[derive(Default)]
pub(super) struct Scratch {
    /// The padded picture, `[side + 1, side + 1, 3]` or so.
    pixels: Aligned,
    /// The stem's input, `[pixels, 27]`.
    patches: Aligned,
    /// A strip of the inside before the depthwise convolution, padded.
    expanded: Aligned,
    /// The same after it.
    convolved: Aligned,
    input: Aligned,
    output: Aligned,
}

impl FusedNet {
    /// Weights by the names of the PyTorch state dict, on the processor.
    pub(super) fn load(
        architecture: &Architecture,
        tensors: &HashMap<String, Tensor>,
        isa: Isa,
    ) -> Result<Self> {
        let weights = Weights { dict: StateDict(tensors), isa };
        let mut blocks = Vec::new();
        for (idx, block) in architecture.blocks.iter().enumerate() {
            let is_first = idx == 0;
            if is_first && block.expansion != 1 {
                candle_core::bail!("the first block must have no expansion");
            }
            let stem = is_first.then(|| weights.stem(architecture.stem_width)).transpose()?;
            blocks.push(weights.block(block, &format!("_blocks.{idx}."), stem)?);
        }
        let head = weights.pointwise(
            "_conv_head",
            "_bn1",
            architecture.last_width(),
            architecture.head_width,
        )?;
        Ok(Self { side: architecture.side_px, blocks, head })
    }

    /// Embeds one picture.
    ///
    /// # Panics
    /// Where `rgb` is not `side · side · 3` bytes.
    pub(super) fn forward(&self, rgb: &[u8], scratch: &mut Scratch) -> Vec<f32> {
        let stem = Stem::new(self.side, rgb, &mut scratch.pixels);
        let mut side = stem.side_out;
        for (idx, block) in self.blocks.iter().enumerate() {
            side = block.forward(side, (idx == 0).then_some(&stem), scratch);
            std::mem::swap(&mut scratch.input, &mut scratch.output);
        }
        let num_pixels = side * side;
        let (depth, width) = (self.head.depth(), self.head.width());
        let out = scratch.expanded.at_least(num_pixels * width);
        let input = &scratch.input.as_slice()[..num_pixels * depth];
        self.head.multiply(num_pixels, input, depth, None, Clamp::RELU6, out, width, Rows::DENSE);
        mean_of_rows(out, width)
    }
}

/// `[rows, width]` to `[width]`.
fn mean_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        for (mean, x) in mean.iter_mut().zip(row) {
            *mean += x;
        }
    }
    let scale = 1.0 / (rows.len() / width) as f32;
    for mean in &mut mean {
        *mean *= scale;
    }
    mean
}

impl FusedBlock {
    /// From `scratch.input` (or the stem) to `scratch.output`; gives the side of the output.
    fn forward(&self, side: usize, stem: Option<&Stem>, scratch: &mut Scratch) -> usize {
        let Scratch { pixels, patches, expanded, convolved, input, output } = scratch;
        let (kernel, stride, channels) =
            (self.depthwise.kernel(), self.depthwise.stride(), self.depthwise.channels());
        let (before, after, side_out) = same_padding(side, kernel, stride);
        let columns = side + before + after;
        let row_len = columns * channels;

        // As many rows as fit, of those that the kernel covers.
        let rows_per_strip = (STRIP_FLOATS / row_len)
            .saturating_sub(kernel - stride)
            .div_euclid(stride)
            .clamp(1, side_out);
        let rows_held = (rows_per_strip - 1) * stride + kernel;
        let strip = expanded.at_least(rows_held * row_len);
        let convolved = convolved.at_least(rows_per_strip * side_out * channels);
        let width_out = self.project.width();
        let output = output.at_least(side_out * side_out * width_out);
        let width_in = self.expand.as_ref().map_or(channels, PackedMatrix::depth);
        let input = &input.as_slice()[..if stem.is_some() { 0 } else { side * side * width_in }];

        // Padded rows are counted from 0; the picture's own are `before..before + side`.
        let mut filled = 0; // padded rows in the strip so far, from its beginning
        let mut first_held = 0; // the padded row that the strip begins with
        for from in (0..side_out).step_by(rows_per_strip) {
            let rows_out = rows_per_strip.min(side_out - from);
            let wanted = from * stride..(from + rows_out - 1) * stride + kernel;
            // Keep what the last strip computed and this one needs.
            let dropped = (wanted.start - first_held).min(filled);
            strip.copy_within(dropped * row_len..filled * row_len, 0);
            filled -= dropped;
            first_held = wanted.start;

            let own = |padded: usize| padded.clamp(before, before + side);
            let fresh = first_held + filled..wanted.end;
            let inside = own(fresh.start)..own(fresh.end);
            let row_at = |padded: usize| (padded - first_held) * row_len;
            strip[row_at(fresh.start)..row_at(inside.start.max(fresh.start))].fill(0.0);
            strip[row_at(inside.end.max(fresh.start))..row_at(fresh.end)].fill(0.0);
            if !inside.is_empty() {
                let fresh = &mut strip[row_at(inside.start)..row_at(inside.end)];
                for row in fresh.chunks_exact_mut(row_len) {
                    row[..before * channels].fill(0.0);
                    row[(before + side) * channels..].fill(0.0);
                }
                let rows = inside.start - before..inside.end - before;
                let num_pixels = rows.len() * side;
                let target = &mut fresh[before * channels..];
                let layout = Rows { run: side, gap: before + after };
                match (&self.expand, stem) {
                    (Some(expand), Some(stem)) => {
                        let patches = patches.at_least(num_pixels * STEM_DEPTH);
                        stem.patches(pixels.as_slice(), rows, patches);
                        expand.multiply(
                            num_pixels,
                            patches,
                            STEM_DEPTH,
                            None,
                            Clamp::RELU6,
                            target,
                            channels,
                            layout,
                        );
                    }
                    (Some(expand), None) => {
                        let input =
                            &input[rows.start * side * width_in..rows.end * side * width_in];
                        expand.multiply(
                            num_pixels,
                            input,
                            width_in,
                            None,
                            Clamp::RELU6,
                            target,
                            channels,
                            layout,
                        );
                    }
                    (None, _) => {
                        let input =
                            &input[rows.start * side * channels..rows.end * side * channels];
                        for (to, from) in
                            target.chunks_mut(row_len).zip(input.chunks_exact(side * channels))
                        {
                            to[..from.len()].copy_from_slice(from);
                        }
                    }
                }
            }
            filled = wanted.len();

            let shape = DepthwiseShape { columns_in: columns, columns_out: side_out, rows_out };
            self.depthwise.apply(shape, strip, convolved);
            let pixels_out = from * side_out * width_out..(from + rows_out) * side_out * width_out;
            let add = self.has_skip.then(|| &input[pixels_out.clone()]);
            self.project.multiply(
                rows_out * side_out,
                convolved,
                channels,
                add,
                Clamp::NONE,
                &mut output[pixels_out],
                width_out,
                Rows::DENSE,
            );
        }
        side_out
    }
}

/// The first convolution, 3×3 at stride 2, as a matrix product of patches.
struct Stem {
    side_out: usize,
    columns: usize,
}

impl Stem {
    /// Scales and pads the picture.
    fn new(side: usize, rgb: &[u8], pixels: &mut Aligned) -> Self {
        assert_eq!(rgb.len(), side * side * 3);
        let (before, after, side_out) = same_padding(side, 3, 2);
        let columns = side + before + after;
        let pixels = pixels.at_least(columns * columns * 3);
        pixels.fill(0.0);
        let rows = pixels.chunks_exact_mut(columns * 3).skip(before);
        for (row, bytes) in rows.zip(rgb.chunks_exact(side * 3)) {
            for (x, byte) in row[before * 3..].iter_mut().zip(bytes) {
                *x = (f32::from(*byte) - PIXEL_MEAN) / PIXEL_SCALE;
            }
        }
        Self { side_out, columns }
    }

    /// Patches of some rows of the output, `[pixels, 27]` in the order row, column, colour.
    fn patches(&self, pixels: &[f32], rows: std::ops::Range<usize>, patches: &mut [f32]) {
        let mut out = patches.chunks_exact_mut(STEM_DEPTH);
        for row in rows {
            for column in 0..self.side_out {
                let Some(patch) = out.next() else { return };
                for (y, part) in patch.chunks_exact_mut(9).enumerate() {
                    let at = ((2 * row + y) * self.columns + 2 * column) * 3;
                    part.copy_from_slice(&pixels[at..at + 9]);
                }
            }
        }
    }
}

/// Tensors by name, folded with their batch norms.
struct Weights<'a> {
    dict: StateDict<'a>,
    isa: Isa,
}

impl Weights<'_> {
    /// A convolution's weight `[width, …]` and bias with the batch norm behind it folded in.
    fn folded(&self, conv: &str, norm: &str, shape: &[usize]) -> Result<(Vec<f32>, Vec<f32>)> {
        let width = shape[0];
        let mut weight = self.dict.get(&format!("{conv}.weight"), shape)?;
        let (scale, bias) = self.dict.batch_norm(norm, width, BATCH_NORM_EPS)?;
        let per_channel = weight.len() / width;
        for (row, scale) in weight.chunks_exact_mut(per_channel).zip(scale) {
            for x in row {
                *x = (f64::from(*x) * scale) as f32;
            }
        }
        Ok((weight, bias))
    }

    fn pointwise(
        &self,
        conv: &str,
        norm: &str,
        width_in: usize,
        width_out: usize,
    ) -> Result<PackedMatrix> {
        let (weight, bias) = self.folded(conv, norm, &[width_out, width_in, 1, 1])?;
        Ok(PackedMatrix::from_rows(self.isa, &weight, &bias))
    }

    /// Weights `[width, colour, row, column]` in the order of the patches.
    fn stem(&self, width: usize) -> Result<PackedMatrix> {
        let (weight, bias) = self.folded("_conv_stem", "_bn0", &[width, 3, 3, 3])?;
        let mut reordered = Vec::with_capacity(weight.len());
        for kernel in weight.chunks_exact(STEM_DEPTH) {
            for position in 0..9 {
                reordered.extend((0..3).map(|colour| kernel[colour * 9 + position]));
            }
        }
        Ok(PackedMatrix::from_rows(self.isa, &reordered, &bias))
    }

    fn block(&self, block: &Block, prefix: &str, stem: Option<PackedMatrix>) -> Result<FusedBlock> {
        let name = |name: &str| format!("{prefix}{name}");
        let (inside, kernel) = (block.width_inside(), block.kernel);
        let expand = match (stem, block.expansion) {
            (Some(stem), _) => Some(stem),
            (None, 1) => None,
            (None, _) => Some(self.pointwise(
                &name("_expand_conv"),
                &name("_bn0"),
                block.width_in,
                inside,
            )?),
        };
        let shape = [inside, 1, kernel, kernel];
        let (weight, bias) = self.folded(&name("_depthwise_conv"), &name("_bn1"), &shape)?;
        Ok(FusedBlock {
            expand,
            depthwise: Depthwise::new(self.isa, kernel, block.stride, &weight, &bias, Clamp::RELU6),
            project: self.pointwise(
                &name("_project_conv"),
                &name("_bn2"),
                inside,
                block.width_out,
            )?,
            has_skip: block.has_skip(),
        })
    }
}
