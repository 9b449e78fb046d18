//! Depthwise convolution: every channel has a kernel of its own.
//!
//! in: `[rows, columns, channels]`, padded already; out: `[rows, columns, channels]` with bias
//! and clamping. A few neighbouring results are held in registers per vector of channels.
#![allow(unsafe_code)] // raw pointers into slices whose lengths are checked at the entry

use super::{Aligned, Clamp, Isa, on_isa, simd::Simd};

/// Kernels of all channels with their biases.
#[derive(Clone)]
pub struct Depthwise {
    isa: Isa,
    kernel: usize,
    stride: usize,
    channels: usize,
    clamp: Clamp,
    /// `[kernel, kernel, channels]`
    weight: Aligned,
    /// `[channels]`
    bias: Aligned,
}

/// How much is computed.
#[derive(Clone, Copy, Debug)]
pub struct DepthwiseShape {
    /// Columns of the padded input.
    pub columns_in: usize,
    /// Columns of the output.
    pub columns_out: usize,
    /// Rows of the output.
    pub rows_out: usize,
}

impl Depthwise {
    /// From `[channels, 1, kernel, kernel]`, PyTorch's layout.
    ///
    /// # Panics
    /// Where lengths do not fit, or for another kernel than 3 or 5 at stride 1 or 2, or 7 at 1.
    pub fn new(
        isa: Isa,
        kernel: usize,
        stride: usize,
        weight: &[f32],
        bias: &[f32],
        clamp: Clamp,
    ) -> Self {
        assert!(matches!((kernel, stride), (3 | 5, 1 | 2) | (7, 1)));
        let (channels, taps) = (bias.len(), kernel * kernel);
        assert_eq!(weight.len(), channels * taps);
        let mut packed = Aligned::zeros(channels * taps);
        for (tap, row) in packed.as_mut_slice().chunks_exact_mut(channels).enumerate().take(taps) {
            for (channel, x) in row.iter_mut().enumerate() {
                *x = weight[channel * taps + tap];
            }
        }
        let mut aligned = Aligned::zeros(channels);
        aligned.as_mut_slice()[..channels].copy_from_slice(bias);
        Self { isa, kernel, stride, channels, clamp, weight: packed, bias: aligned }
    }

    /// Channels of input and output.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows and columns of the kernel.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Step of rows and columns.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Convolves, adds the bias and clamps. The first result's kernel lies on the
    /// input's first rows and columns.
    ///
    /// # Panics
    /// Where a slice is too short.
    pub fn apply(&self, shape: DepthwiseShape, input: &[f32], out: &mut [f32]) {
        let reach = |count: usize| (count - 1) * self.stride + self.kernel;
        if shape.rows_out == 0 || shape.columns_out == 0 {
            return;
        }
        assert!(shape.columns_in >= reach(shape.columns_out), "input too narrow");
        let rows_in = reach(shape.rows_out);
        assert!(input.len() >= rows_in * shape.columns_in * self.channels, "input too short");
        assert!(
            out.len() >= shape.rows_out * shape.columns_out * self.channels,
            "result too short"
        );
        // SAFETY: the lengths were checked just now; weights have kernel² · channels floats.
        unsafe {
            run(self.isa, self, shape, input.as_ptr(), out.as_mut_ptr());
        }
    }
}

on_isa!(run = all_rows(layer: &Depthwise, shape: DepthwiseShape, input: *const f32, out: *mut f32));

#[inline(always)]
unsafe fn all_rows<S: Simd>(
    layer: &Depthwise,
    shape: DepthwiseShape,
    input: *const f32,
    out: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe {
        match (layer.kernel, layer.stride) {
            (3, 1) => rows_of::<S, 3, 1>(layer, shape, input, out),
            (3, 2) => rows_of::<S, 3, 2>(layer, shape, input, out),
            (5, 1) => rows_of::<S, 5, 1>(layer, shape, input, out),
            (5, _) => rows_of::<S, 5, 2>(layer, shape, input, out),
            _ => rows_of::<S, 7, 1>(layer, shape, input, out),
        }
    }
}

#[inline(always)]
unsafe fn rows_of<S: Simd, const KERNEL: usize, const STRIDE: usize>(
    layer: &Depthwise,
    shape: DepthwiseShape,
    input: *const f32,
    out: *mut f32,
) {
    let channels = layer.channels;
    let row_in = shape.columns_in * channels;
    for row in 0..shape.rows_out {
        let mut column = 0;
        while column < shape.columns_out {
            // SAFETY: row and columns lie inside what `apply` checked.
            unsafe {
                let input = input.add((row * row_in + column * channels) * STRIDE);
                let out = out.add((row * shape.columns_out + column) * channels);
                // Sides of feature maps are often multiples of 7. Each width costs compile time.
                macro_rules! widest {
                    ($($width:literal)*) => {
                        $(if shape.columns_out - column >= $width {
                            tile_of::<S, KERNEL, STRIDE, $width>(layer, row_in, input, out);
                            $width
                        } else)* {
                            unreachable!("a column is left")
                        }
                    };
                }
                column += widest!(7 4 2 1);
            }
        }
    }
}

#[inline(always)]
unsafe fn tile_of<S: Simd, const KERNEL: usize, const STRIDE: usize, const WIDTH: usize>(
    layer: &Depthwise,
    row_in: usize,
    input: *const f32,
    out: *mut f32,
) {
    let channels = layer.channels;
    let whole = channels - channels % S::LANES;
    // SAFETY: the caller's; the last vector is cut to the channels that are left.
    unsafe {
        let mut channel = 0;
        while channel < whole {
            vector_of::<S, KERNEL, STRIDE, WIDTH, false>(layer, row_in, input, out, channel);
            channel += S::LANES;
        }
        // No network of the family has such channels: one result at a time will do.
        if channel < channels {
            for column in 0..WIDTH {
                let input = input.add(column * STRIDE * channels);
                let out = out.add(column * channels);
                vector_of::<S, KERNEL, STRIDE, 1, true>(layer, row_in, input, out, channel);
            }
        }
    }
}

#[inline(always)]
unsafe fn vector_of<
    S: Simd,
    const KERNEL: usize,
    const STRIDE: usize,
    const WIDTH: usize,
    const PARTIAL: bool,
>(
    layer: &Depthwise,
    row_in: usize,
    input: *const f32,
    out: *mut f32,
    channel: usize,
) {
    let channels = layer.channels;
    let rest = channels - channel;
    // SAFETY: the caller's; `rest` keeps a partial vector inside the channels. The index
    // arithmetic stays below the lengths that `apply` checked, so it cannot wrap.
    unsafe {
        let bias = layer.bias.as_slice().as_ptr().add(channel);
        let mut weight = layer.weight.as_slice().as_ptr().add(channel);
        let mut line = input.add(channel);
        let mut sums = [load::<S, PARTIAL>(bias, rest); WIDTH];
        for _ in 0..KERNEL {
            let mut taps = [S::splat(0.0); KERNEL];
            for tap in &mut taps {
                *tap = load::<S, PARTIAL>(weight, rest);
                weight = weight.wrapping_add(channels);
            }
            // Each input is loaded once and goes into all results that it touches.
            let mut from = line;
            for column_in in 0..(WIDTH - 1) * STRIDE + KERNEL {
                let x = load::<S, PARTIAL>(from, rest);
                from = from.wrapping_add(channels);
                for (column, sum) in sums.iter_mut().enumerate() {
                    if column * STRIDE <= column_in && column_in - column * STRIDE < KERNEL {
                        *sum = S::fma(x, taps[column_in - column * STRIDE], *sum);
                    }
                }
            }
            line = line.wrapping_add(row_in);
        }
        let (low, high) = (S::splat(layer.clamp.low), S::splat(layer.clamp.high));
        let mut to = out.add(channel);
        for sum in sums {
            let sum = S::min(high, S::max(low, sum)); // in this order a NaN stays one
            if PARTIAL {
                S::store_partial(to, sum, rest);
            } else {
                S::store(to, sum);
            }
            to = to.wrapping_add(channels);
        }
    }
}

#[inline(always)]
unsafe fn load<S: Simd, const PARTIAL: bool>(from: *const f32, rest: usize) -> S::V {
    // SAFETY: the caller's.
    unsafe { if PARTIAL { S::load_partial(from, rest) } else { S::load(from) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};
    use candle_nn::{Conv2d, Conv2dConfig, Module as _};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn equals_candles_grouped_convolution(
            (kernel, stride) in prop_oneof![Just((3_usize, 1_usize)), Just((3, 2)), Just((5, 1)), Just((5, 2)), Just((7, 1))],
            is_clamped in any::<bool>(),
            channels in 1_usize..40, rows_out in 1_usize..5, columns_out in 1_usize..20, spare in 0_usize..2,
        ) {
            let reach = |count: usize| (count - 1) * stride + kernel;
            let (rows, columns) = (reach(rows_out), reach(columns_out) + spare);
            let input = Tensor::randn(0_f32, 1.0, (1, channels, rows, columns), &Device::Cpu).unwrap();
            let weight = Tensor::randn(0_f32, 1.0, (channels, 1, kernel, kernel), &Device::Cpu).unwrap();
            let bias = Tensor::randn(0_f32, 1.0, channels, &Device::Cpu).unwrap();
            let config = Conv2dConfig { stride, groups: channels, ..Conv2dConfig::default() };
            let expected = Conv2d::new(weight.clone(), Some(bias.clone()), config).forward(&input).unwrap()
                .narrow(3, 0, columns_out).unwrap();
            let clamp = if is_clamped { Clamp::RELU6 } else { Clamp::NONE };
            let expected = expected.clamp(clamp.low, clamp.high).unwrap();
            let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let channels_last = |x: &Tensor| flat(&x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap());
            let expected = channels_last(&expected);
            for isa in Isa::available() {
                let layer =
                    Depthwise::new(isa, kernel, stride, &flat(&weight), &flat(&bias), clamp);
                let mut out = vec![f32::NAN; rows_out * columns_out * channels];
                let shape = DepthwiseShape { columns_in: columns, columns_out, rows_out };
                layer.apply(shape, &channels_last(&input), &mut out);
                for (found, expected) in out.iter().zip(&expected) {
                    prop_assert!((found - expected).abs() <= 1e-4, "{isa:?}: {found} for {expected}");
                }
            }
        }
    }
}
