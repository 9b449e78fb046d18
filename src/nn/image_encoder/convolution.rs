//! Convolution on the processor, channels last: a matrix product of patches, made a few rows at a
//! time so that they stay in cache. A 1×1 kernel at stride 1 needs no patches.
//!
//! in: `[side, side, channels]`; out: `[side_out, side_out, width]`, with bias, addition of a
//! second operand and clamping done while the results are in registers.
//! reference: candle's `Conv2d`.

use std::ops::Range;

use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows, Winograd};

use super::layers::{ConvWeights, Window};

/// Floats that a product's left side may take: a megabyte, so that large weights are read for
/// many rows at once.
const PATCH_FLOATS: usize = 256 << 10;

/// A convolution, packed for one instruction set.
pub(super) struct Convolution {
    kernels: Kernels,
    channels: usize,
    window: Window,
}

enum Kernels {
    /// `[kernel · kernel · channels]` (row, column, channel) to `[width]`.
    Patches(PackedMatrix),
    /// 3×3 at stride 1.
    Winograd(Winograd),
}

impl Convolution {
    pub(super) fn new(weights: &ConvWeights, isa: Isa) -> Self {
        let (channels, window) = (weights.channels, weights.window);
        if (window.kernel, window.stride) == (3, 1) && Winograd::fits(channels, weights.width()) {
            let kernels = Winograd::new(isa, &weights.weight, &weights.bias, window.padding);
            return Self { kernels: Kernels::Winograd(kernels), channels, window };
        }
        let taps = window.kernel * window.kernel;
        let mut reordered = Vec::with_capacity(weights.weight.len());
        for kernel in weights.weight.chunks_exact(channels * taps) {
            for tap in 0..taps {
                reordered.extend((0..channels).map(|channel| kernel[channel * taps + tap]));
            }
        }
        let matrix = PackedMatrix::from_rows(isa, &reordered, &weights.bias);
        Self { kernels: Kernels::Patches(matrix), channels, window }
    }

    /// Channels of the output.
    pub(super) fn width(&self) -> usize {
        match &self.kernels {
            Kernels::Patches(matrix) => matrix.width(),
            Kernels::Winograd(kernels) => kernels.width(),
        }
    }

    /// Side of the output for an input of `side`.
    pub(super) fn side_out(&self, side: usize) -> usize {
        self.window.side_out(side)
    }

    /// Floats of the output for an input of `side`.
    pub(super) fn len_out(&self, side: usize) -> usize {
        self.side_out(side).pow(2) * self.width()
    }

    /// `out = clamp(convolution(input) + bias + add)`; `patches` is scratch.
    ///
    /// # Panics
    /// Where a slice is too short.
    pub(super) fn apply(
        &self,
        (input, side): (&[f32], usize),
        add: Option<&[f32]>,
        clamp: Clamp,
        patches: &mut Aligned,
        out: &mut [f32],
    ) {
        let matrix = match &self.kernels {
            Kernels::Patches(matrix) => matrix,
            Kernels::Winograd(kernels) => {
                return kernels.apply((input, side), add, clamp, patches, out);
            }
        };
        let (depth, width, side_out) = (matrix.depth(), self.width(), self.side_out(side));
        let is_direct = self.window == Window::patches(1);
        let rows_per_strip = (PATCH_FLOATS / (side_out * depth)).clamp(1, side_out);
        for from in (0..side_out).step_by(rows_per_strip) {
            let rows = from..side_out.min(from + rows_per_strip);
            let num_pixels = rows.len() * side_out;
            let left = if is_direct {
                &input[from * side * depth..rows.end * side * depth]
            } else {
                let patches = patches.at_least(num_pixels * depth);
                self.gather(input, side, rows.clone(), patches);
                patches
            };
            let results = from * side_out * width..rows.end * side_out * width;
            matrix.multiply(
                num_pixels,
                left,
                depth,
                add.map(|add| &add[results.clone()]),
                clamp,
                &mut out[results],
                width,
                Rows::DENSE,
            );
        }
    }

    /// The patches under the kernel for some rows of the output, `[pixels, depth]`; zeros beyond
    /// the input's edges.
    fn gather(&self, input: &[f32], side: usize, rows: Range<usize>, patches: &mut [f32]) {
        let Window { kernel, stride, padding } = self.window;
        let (line, reach) = (side * self.channels, kernel * self.channels);
        let columns = 0..self.side_out(side);
        let places = rows.flat_map(|row| columns.clone().map(move |column| (row, column)));
        for ((row, column), patch) in places.zip(patches.chunks_exact_mut(kernel * reach)) {
            // Columns of the kernel that lie inside the input, and where they begin there.
            let left = column * stride;
            let before = padding.saturating_sub(left).min(kernel);
            let after = (left + kernel).saturating_sub(side + padding).min(kernel - before);
            let inside = before * self.channels..(kernel - after) * self.channels;
            let first = (left + before - padding) * self.channels;
            for (y, to) in patch.chunks_exact_mut(reach).enumerate() {
                match (row * stride + y).checked_sub(padding).filter(|at| *at < side) {
                    Some(at) => {
                        to[..inside.start].fill(0.0);
                        to[inside.end..].fill(0.0);
                        let from = &input[at * line + first..][..inside.len()];
                        to[inside.clone()].copy_from_slice(from);
                    }
                    None => to.fill(0.0),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_device::Place;
    use candle_core::{Device, Tensor};
    use candle_nn::Module as _;
    use proptest::prelude::*;

    fn assert_equals_candles(window: Window, channels: usize, width: usize, side: usize) {
        let Window { kernel, .. } = window;
        let randn = |shape: &[usize]| Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap();
        let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let input = randn(&[1, channels, side, side]);
        // Results of about 1 whatever the depth: what the tiles of AMX round off grows with it.
        let scale = 1.0 / ((channels * kernel * kernel) as f64).sqrt();
        let weights = ConvWeights {
            weight: flat(&(randn(&[width, channels, kernel, kernel]) * scale).unwrap()),
            bias: flat(&randn(&[width])),
            channels,
            window,
        };
        let expected = weights.plain(&Place::f32(&Device::Cpu)).unwrap().forward(&input).unwrap();
        let channels_last = |x: &Tensor| flat(&x.permute((0, 2, 3, 1)).unwrap());
        assert_eq!(expected.dims()[2], window.side_out(side));
        let add = vec![0.5; expected.elem_count()];
        for isa in Isa::available() {
            let conv = Convolution::new(&weights, isa);
            let mut out = vec![f32::NAN; conv.len_out(side)];
            // Scratch that somebody else left.
            let mut patches = Aligned::default();
            patches.at_least(1 << 16).fill(f32::NAN);
            let low = Clamp { low: -1.0, high: f32::INFINITY };
            let input = channels_last(&input);
            conv.apply((&input, side), Some(&add), low, &mut patches, &mut out);
            for (found, expected) in out.iter().zip(channels_last(&expected)) {
                let expected = (expected + 0.5).max(-1.0);
                let tolerance = 2e-4 * expected.abs().max(1.0);
                assert!((found - expected).abs() <= tolerance, "{isa:?}: {found} for {expected}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn equals_candles_convolution(
            kernel in 1_usize..8, stride in 1_usize..4, padding in 0_usize..4,
            channels in 1_usize..9, width in 1_usize..40, side in 1_usize..40,
        ) {
            prop_assume!(padding < kernel && kernel <= side + 2 * padding);
            assert_equals_candles(Window { kernel, stride, padding }, channels, width, side);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// Of a size that takes several strips of patches, too.
        #[test]
        fn equals_candles_convolution_by_winograd(
            padding in 0_usize..3, channels in 1_usize..5, width in 1_usize..5, side in 1_usize..60,
        ) {
            prop_assume!(3 <= side + 2 * padding);
            let window = Window { kernel: 3, stride: 1, padding };
            let (channels, width) = (16 * channels, 16 * width);
            assert!(Winograd::fits(channels, width));
            assert_equals_candles(window, channels, width, side);
        }
    }
}
