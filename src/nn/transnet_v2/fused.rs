//! The network on the processor: channels last, batch norms folded into the weights, row by row.
//!
//! in: a window, `[frames, height, width, 3]` bytes; out: a logit for each frame.
//!
//! A layer's four branches look at the same 3 × 3 neighbourhoods, so one matrix product serves
//! them all. Its results for one row of pixels and all frames stay in cache until the
//! convolutions over time have read them: the convolutions over space of a whole stage would be
//! ten times as large.

use std::{collections::HashMap, ops::Range};

use candle_core::{Result, Tensor};
use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows};

use super::{
    architecture::{Architecture, BATCH_NORM_EPS, DILATIONS, LAYERS_PER_STAGE},
    similarity::{histograms, neighbours, normalize_rows},
};
use crate::state_dict::StateDict;

/// Floats that a product's left side may take: a megabyte, so that large weights are read for
/// many rows at once.
const PATCH_FLOATS: usize = 256 << 10;
const BRANCHES: usize = DILATIONS.len();

/// The network, its weights packed for one instruction set.
pub(super) struct FusedNet {
    architecture: Architecture,
    isa: Isa,
    stages: Vec<[Layer; LAYERS_PER_STAGE]>,
    project: PackedMatrix,
    similarity: PackedMatrix,
    colour: PackedMatrix,
    hidden: PackedMatrix,
    classify: PackedMatrix,
}

/// Four branches, each a convolution over space and one over time.
struct Layer {
    /// `[9 · channels]` (row, column, channel) to `[branches · 2 · filters]`.
    space: PackedMatrix,
    /// For each branch `[3 · 2 · filters]` (time, channel) to `[filters]`.
    time: Vec<PackedMatrix>,
}

/// Frames, rows and columns.
#[derive(Clone, Copy)]
struct Size {
    frames: usize,
    height: usize,
    width: usize,
}

/// Memory that is used again for every window.
#[derive(Default)]
pub(super) struct Scratch {
    input: Aligned,
    /// What the first layer of a stage gives, `[frames, height, width, channels]`.
    first: Aligned,
    /// Two rows of the second layer's, `[frames, width, channels]` each.
    rows: [Aligned; 2],
    layer: LayerScratch,
}

#[derive(Default)]
struct LayerScratch {
    /// `[frames · width, 9 · channels]`
    patches: Aligned,
    /// One row after the convolution over space, `[frames, width, branches · 2 · filters]`.
    spatial: Aligned,
    /// `[width, 3 · 2 · filters]`
    taps: Aligned,
}

impl FusedNet {
    /// Weights by the names of the PyTorch state dict, on the processor.
    pub(super) fn load(
        architecture: &Architecture,
        tensors: &HashMap<String, Tensor>,
        isa: Isa,
    ) -> Result<Self> {
        let weights = Weights { dict: StateDict(tensors), isa };
        let stages = (0..architecture.filters.len())
            .map(|stage| weights.stage(architecture, stage))
            .collect::<Result<_>>()?;
        let (lookup, lookup_dim) = (architecture.lookup, architecture.lookup_dim);
        let all = architecture.last_dim() + 2 * lookup_dim;
        Ok(Self {
            isa,
            stages,
            project: weights.linear(
                "frame_sim_layer.projection",
                architecture.pooled_dim(),
                architecture.similarity_dim,
            )?,
            similarity: weights.linear("frame_sim_layer.fc", lookup, lookup_dim)?,
            colour: weights.linear("color_hist_layer.fc", lookup, lookup_dim)?,
            hidden: weights.linear("fc1", all, architecture.hidden)?,
            classify: weights.linear("cls_layer1", architecture.hidden, 1)?,
            architecture: architecture.clone(),
        })
    }

    /// Logits of the frames `wanted` of a window.
    ///
    /// # Panics
    /// Where `rgb` is not whole frames.
    pub(super) fn forward(
        &self,
        rgb: &[u8],
        wanted: Range<usize>,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let architecture = &self.architecture;
        let frames = rgb.len() / architecture.frame_bytes();
        assert_eq!(rgb.len(), frames * architecture.frame_bytes());
        let input = scratch.input.at_least(rgb.len());
        for (x, byte) in input.iter_mut().zip(rgb) {
            *x = f32::from(*byte) / 255.0;
        }
        // Averages over each stage's pictures, `[frames, pooled]`.
        let pooled_dim = architecture.pooled_dim();
        let mut pooled = vec![0.0; frames * pooled_dim];
        let mut column = 0;
        for (idx, layers) in self.stages.iter().enumerate() {
            let (height, width) = architecture.size(idx);
            stage(layers, Size { frames, height, width }, scratch);
            let (height, width) = architecture.size(idx + 1);
            let channels = architecture.channels(idx + 1);
            let output = &scratch.input.as_slice()[..frames * height * width * channels];
            let to = pooled.chunks_exact_mut(pooled_dim);
            for (picture, to) in output.chunks_exact(height * width * channels).zip(to) {
                mean_of_rows(picture, &mut to[column..column + channels]);
            }
            column += channels;
        }
        let last = &scratch.input.as_slice()[..frames * architecture.last_dim()];

        let mut compared = product(&self.project, &pooled, Clamp::NONE);
        normalize_rows(&mut compared, architecture.similarity_dim);
        let colours = histograms(rgb, architecture.frame_bytes());
        let alike = self.neighbours(&self.similarity, &compared, frames, wanted.clone());
        let coloured = self.neighbours(&self.colour, &colours, frames, wanted.clone());

        // `[wanted frames, colours | similarities | pictures]`
        let mut all = Vec::with_capacity(wanted.len() * self.hidden.depth());
        let (lookup_dim, last_dim) = (architecture.lookup_dim, architecture.last_dim());
        for (row, frame) in wanted.enumerate() {
            all.extend_from_slice(&coloured[row * lookup_dim..(row + 1) * lookup_dim]);
            all.extend_from_slice(&alike[row * lookup_dim..(row + 1) * lookup_dim]);
            all.extend_from_slice(&last[frame * last_dim..(frame + 1) * last_dim]);
        }
        let hidden = product(&self.hidden, &all, Clamp::RELU);
        product(&self.classify, &hidden, Clamp::NONE)
    }

    /// What the similarities of the frames `wanted` to those around them say, by `layer`.
    fn neighbours(
        &self,
        layer: &PackedMatrix,
        rows: &[f32],
        frames: usize,
        wanted: Range<usize>,
    ) -> Vec<f32> {
        let others = PackedMatrix::from_rows(self.isa, rows, &vec![0.0; frames]);
        let similarities = product(&others, rows, Clamp::NONE);
        let lookup = layer.depth();
        let around = neighbours(&similarities, frames, lookup);
        product(layer, &around[wanted.start * lookup..wanted.end * lookup], Clamp::RELU)
    }
}

/// `clamp(left · matrix + bias)` of whole rows.
fn product(matrix: &PackedMatrix, left: &[f32], clamp: Clamp) -> Vec<f32> {
    let (depth, width) = (matrix.depth(), matrix.width());
    let num_rows = left.len() / depth;
    let mut out = vec![0.0; num_rows * width];
    matrix.multiply(num_rows, left, depth, None, clamp, &mut out, width, Rows::DENSE);
    out
}

/// `[rows, width]` to `[width]`.
fn mean_of_rows(rows: &[f32], mean: &mut [f32]) {
    for row in rows.chunks_exact(mean.len()) {
        for (mean, x) in mean.iter_mut().zip(row) {
            *mean += x;
        }
    }
    let scale = mean.len() as f32 / rows.len() as f32;
    for mean in mean {
        *mean *= scale;
    }
}

/// Both layers, their sum and the average of 2 × 2 pixels, from and to `scratch.input`.
fn stage(layers: &[Layer; LAYERS_PER_STAGE], size: Size, scratch: &mut Scratch) {
    let Scratch { input, first, rows, layer } = scratch;
    let Size { frames, height, width } = size;
    let [one, two] = layers;
    let channels = one.width();
    let line = width * channels;
    let first = first.at_least(frames * height * line);
    let source = &input.as_slice()[..frames * height * width * one.channels()];
    for y in 0..height {
        one.row(y, source, size, &mut first[y * line..], height * line, layer);
    }
    let (height_out, width_out) = (height / 2, width / 2);
    let line_out = width_out * channels;
    let output = input.at_least(frames * height_out * line_out);
    for y in 0..height_out {
        for (idx, row) in rows.iter_mut().enumerate() {
            two.row(2 * y + idx, first, size, row.at_least(frames * line), line, layer);
        }
        for frame in 0..frames {
            let to = &mut output[(frame * height_out + y) * line_out..][..line_out];
            to.fill(0.0);
            for (idx, row) in rows.iter().enumerate() {
                let row = &row.as_slice()[frame * line..(frame + 1) * line];
                let shortcut = &first[(frame * height + 2 * y + idx) * line..][..line];
                pool(row, shortcut, channels, to);
            }
        }
    }
}

/// Adds a quarter of the sum of two rows, pairs of pixels taken together.
fn pool(row: &[f32], shortcut: &[f32], channels: usize, to: &mut [f32]) {
    let pairs = row.chunks_exact(2 * channels).zip(shortcut.chunks_exact(2 * channels));
    for (to, (row, shortcut)) in to.chunks_exact_mut(channels).zip(pairs) {
        let (row, next) = row.split_at(channels);
        let (shortcut, shortcut_next) = shortcut.split_at(channels);
        for (idx, to) in to.iter_mut().enumerate() {
            *to += 0.25 * (row[idx] + shortcut[idx] + next[idx] + shortcut_next[idx]);
        }
    }
}

impl Layer {
    fn channels(&self) -> usize {
        self.space.depth() / 9
    }

    fn width(&self) -> usize {
        self.time.iter().map(PackedMatrix::width).sum()
    }

    /// Row `y` of all frames. `source` is `[frames, height, width, channels]`; the row of each
    /// frame is written `frame_stride` floats after that of the one before.
    fn row(
        &self,
        y: usize,
        source: &[f32],
        size: Size,
        out: &mut [f32],
        frame_stride: usize,
        scratch: &mut LayerScratch,
    ) {
        let Size { frames, height, width } = size;
        let LayerScratch { patches, spatial, taps } = scratch;
        let (depth, inside) = (self.space.depth(), self.space.width());
        let spatial = spatial.at_least(frames * width * inside);
        let picture = height * width * self.channels();
        let most = (PATCH_FLOATS / (width * depth)).clamp(1, frames);
        let patches = patches.at_least(most * width * depth);
        for (from, spatial) in
            (0..frames).step_by(most).zip(spatial.chunks_mut(most * width * inside))
        {
            let num_pixels = most.min(frames - from) * width;
            let pictures = source[from * picture..].chunks_exact(picture);
            for (picture, patches) in pictures.zip(patches.chunks_exact_mut(width * depth)) {
                gather_patches(picture, y, size, self.channels(), patches);
            }
            self.space.multiply(
                num_pixels,
                patches,
                depth,
                None,
                Clamp::NONE,
                spatial,
                inside,
                Rows::DENSE,
            );
        }

        let width_out = self.width();
        for (branch, (time, dilation)) in self.time.iter().zip(DILATIONS).enumerate() {
            let (depth, filters) = (time.depth(), time.width());
            let taps = taps.at_least(width * depth);
            for frame in 0..frames {
                let columns = branch * depth / 3..(branch + 1) * depth / 3;
                for tap in 0..3 {
                    // One dilation before, the frame itself, one behind.
                    let at = (frame + tap * dilation).checked_sub(dilation);
                    let row = at
                        .filter(|at| *at < frames)
                        .map(|at| &spatial[at * width * inside..(at + 1) * width * inside]);
                    let to = taps.chunks_exact_mut(columns.len()).skip(tap).step_by(3);
                    match row {
                        Some(row) => {
                            for (to, from) in to.zip(row.chunks_exact(inside)) {
                                to.copy_from_slice(&from[columns.clone()]);
                            }
                        }
                        None => to.for_each(|to| to.fill(0.0)),
                    }
                }
                let out = &mut out[frame * frame_stride + branch * filters..];
                time.multiply(width, taps, depth, None, Clamp::RELU, out, width_out, Rows::DENSE);
            }
        }
    }
}

/// The 3 × 3 pixels around each pixel of row `y`, `[width, 9 · channels]`; zeros beyond the
/// picture's edges.
fn gather_patches(picture: &[f32], y: usize, size: Size, channels: usize, patches: &mut [f32]) {
    let Size { height, width, .. } = size;
    let (line, reach) = (width * channels, 3 * channels);
    for row in 0..3 {
        let to = patches.chunks_exact_mut(reach).skip(row).step_by(3);
        let Some(from) = (y + row).checked_sub(1).filter(|at| *at < height) else {
            to.for_each(|to| to.fill(0.0));
            continue;
        };
        let from = &picture[from * line..(from + 1) * line];
        for (x, to) in to.enumerate() {
            if x > 0 && x + 1 < width {
                to.copy_from_slice(&from[(x - 1) * channels..(x + 2) * channels]);
                continue;
            }
            for (column, to) in to.chunks_exact_mut(channels).enumerate() {
                match (x + column).checked_sub(1).filter(|at| *at < width) {
                    Some(at) => to.copy_from_slice(&from[at * channels..(at + 1) * channels]),
                    None => to.fill(0.0),
                }
            }
        }
    }
}

/// Tensors by name, packed and folded with their batch norms.
struct Weights<'a> {
    dict: StateDict<'a>,
    isa: Isa,
}

impl Weights<'_> {
    fn linear(&self, name: &str, depth: usize, width: usize) -> Result<PackedMatrix> {
        let weight = self.dict.get(&format!("{name}.weight"), &[width, depth])?;
        let bias = self.dict.get(&format!("{name}.bias"), &[width])?;
        Ok(PackedMatrix::from_rows(self.isa, &weight, &bias))
    }

    fn stage(&self, shapes: &Architecture, stage: usize) -> Result<[Layer; LAYERS_PER_STAGE]> {
        let filters = shapes.filters[stage];
        let name = |layer: usize| format!("SDDCNN.{stage}.DDCNN.{layer}");
        Ok([
            self.layer(&name(0), shapes.channels(stage), filters)?,
            self.layer(&name(1), shapes.channels(stage + 1), filters)?,
        ])
    }

    /// One of the layers; both end in a rectifier, the last before the shortcut is added.
    fn layer(&self, name: &str, channels: usize, filters: usize) -> Result<Layer> {
        let inside = 2 * filters;
        let (scale, shift) =
            self.dict.batch_norm(&format!("{name}.bn"), BRANCHES * filters, BATCH_NORM_EPS)?;
        let mut space = Vec::with_capacity(BRANCHES * inside * 9 * channels);
        let mut time = Vec::with_capacity(BRANCHES);
        for (branch, dilation) in DILATIONS.into_iter().enumerate() {
            let name = format!("{name}.Conv3D_{dilation}.layers");
            let shape = [inside, channels, 1, 3, 3];
            let weight = self.dict.get(&format!("{name}.0.weight"), &shape)?;
            for kernel in weight.chunks_exact(9 * channels) {
                for position in 0..9 {
                    space.extend((0..channels).map(|channel| kernel[channel * 9 + position]));
                }
            }
            let shape = [filters, inside, 3, 1, 1];
            let weight = self.dict.get(&format!("{name}.1.weight"), &shape)?;
            let outputs = branch * filters..(branch + 1) * filters;
            let mut folded = Vec::with_capacity(weight.len());
            for (kernel, scale) in weight.chunks_exact(3 * inside).zip(&scale[outputs.clone()]) {
                for tap in 0..3 {
                    folded.extend(
                        (0..inside)
                            .map(|channel| (f64::from(kernel[channel * 3 + tap]) * scale) as f32),
                    );
                }
            }
            time.push(PackedMatrix::from_rows(self.isa, &folded, &shift[outputs]));
        }
        let no_bias = vec![0.0; BRANCHES * inside];
        let space = PackedMatrix::from_rows(self.isa, &space, &no_bias);
        Ok(Layer { space, time })
    }
}
