//! Convolution of 3×3 at stride 1 with 16 multiplications for 4 results a channel, instead of 36:
//! patches of 4×4 and kernels are brought into a form in which they are multiplied number by
//! number, all channels at once by a matrix product, and the products are brought back.
//!
//! in: `[side, side, channels]`; out: `[side_out, side_out, width]`, with bias, addition of a second
//! operand and clamping. Rounding errors are about twice those of the plain sum.
//! reference: F(2×2, 3×3) of Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural
//! Networks"; candle's `Conv2d` (property tests of the convolution that uses it).
#![allow(unsafe_code)] // raw pointers into slices whose lengths are checked at the entry

use super::{Aligned, Clamp, Isa, PackedMatrix, Rows, on_isa, simd::Simd};

/// Rows and columns of a patch.
const PATCH: usize = 4;
/// Numbers of a patch, each with a matrix of its own.
const POINTS: usize = PATCH * PATCH;
/// Rows and columns of results that a patch gives.
const RESULTS: usize = 2;
/// Channels come in whole vectors of each instruction set.
const CHANNEL_STEP: usize = 16;
/// Floats that the patches of a strip and their products may take: what a core has as its own.
const STRIP_FLOATS: usize = 400 << 10;

/// Kernels in the form in which they are multiplied.
#[derive(Clone)]
pub struct Winograd {
    isa: Isa,
    channels: usize,
    padding: usize,
    /// `[channels]` to `[width]` for each point of a patch.
    matrices: Vec<PackedMatrix>,
    /// `[width]`
    bias: Aligned,
}

/// Rows of patches that are computed together.
struct Strip {
    channels: usize,
    width: usize,
    side: usize,
    padding: usize,
    side_out: usize,
    /// Row of patches that comes first.
    first: usize,
    rows: usize,
    /// Patches side by side.
    columns: usize,
}

/// Where results are brought to.
struct Target {
    bias: *const f32,
    /// Null where nothing is added.
    add: *const f32,
    clamp: Clamp,
    out: *mut f32,
}

impl Winograd {
    /// Whether a convolution of 3×3 at stride 1 with so many channels can be computed so.
    pub fn fits(channels: usize, width: usize) -> bool {
        channels.is_multiple_of(CHANNEL_STEP) && width.is_multiple_of(CHANNEL_STEP)
    }

    /// From `[width, channels, 3, 3]`, PyTorch's layout, and `[width]`; `padding` zeros lie around
    /// the input.
    ///
    /// # Panics
    /// Where lengths do not fit each other, or the numbers of channels do not [fit](Self::fits).
    pub fn new(isa: Isa, weight: &[f32], bias: &[f32], padding: usize) -> Self {
        let width = bias.len();
        let channels = weight.len() / (width * 9);
        assert_eq!(weight.len(), width * channels * 9, "[width, channels, 3, 3]");
        assert!(Self::fits(channels, width), "channels in whole vectors");
        let transformed: Vec<[f32; POINTS]> =
            weight.chunks_exact(9).map(transform_kernel).collect();
        let no_bias = vec![0.0; width];
        let matrices = (0..POINTS).map(|point| {
            let rows: Vec<f32> = transformed.iter().map(|kernel| kernel[point]).collect();
            PackedMatrix::from_rows(isa, &rows, &no_bias)
        });
        let matrices = matrices.collect();
        let mut aligned = Aligned::zeros(width);
        aligned.as_mut_slice()[..width].copy_from_slice(bias);
        Self { isa, channels, padding, matrices, bias: aligned }
    }

    /// Channels of the output.
    pub fn width(&self) -> usize {
        self.matrices[0].width()
    }

    /// `out = clamp(convolution(input) + bias + add)`; `scratch` grows to what a strip needs.
    ///
    /// # Panics
    /// Where a slice is too short.
    pub fn apply(
        &self,
        (input, side): (&[f32], usize),
        add: Option<&[f32]>,
        clamp: Clamp,
        scratch: &mut Aligned,
        out: &mut [f32],
    ) {
        let (channels, width, padding) = (self.channels, self.width(), self.padding);
        let side_out = (side + 2 * padding).saturating_sub(2);
        let needed = side_out * side_out * width;
        assert!(input.len() >= side * side * channels, "input too short");
        assert!(out.len() >= needed, "result too short");
        assert!(add.is_none_or(|add| add.len() >= needed), "second operand too short");
        let columns = side_out.div_ceil(RESULTS);
        let row_floats = columns * POINTS * (channels + width);
        let at_most = (STRIP_FLOATS / row_floats.max(1)).max(1);
        let num_strips = columns.div_ceil(at_most);
        let target = Target {
            bias: self.bias.as_slice().as_ptr(),
            add: add.map_or(std::ptr::null(), <[f32]>::as_ptr),
            clamp,
            out: out.as_mut_ptr(),
        };
        for idx in 0..num_strips {
            let (first, end) = (idx * columns / num_strips, (idx + 1) * columns / num_strips);
            let rows = end - first;
            let strip = Strip { channels, width, side, padding, side_out, first, rows, columns };
            let num_patches = rows * columns;
            let (patches, products) = scratch
                .at_least(num_patches * POINTS * (channels + width))
                .split_at_mut(num_patches * POINTS * channels);
            // SAFETY: the lengths were checked just now; patches have POINTS · channels floats.
            unsafe { patches_of(self.isa, &strip, input.as_ptr(), patches.as_mut_ptr()) }
            let patches = patches.chunks_exact(num_patches * channels);
            let lines = products.chunks_exact_mut(num_patches * width);
            for ((matrix, patches), products) in self.matrices.iter().zip(patches).zip(lines) {
                let (none, dense) = (Clamp::NONE, Rows::DENSE);
                matrix.multiply(num_patches, patches, channels, None, none, products, width, dense);
            }
            // SAFETY: as above; products have POINTS · width floats a patch, the bias `width`.
            unsafe { results_of(self.isa, &strip, products.as_ptr(), &target) }
        }
    }
}

/// `G · kernel · Gᵀ`.
fn transform_kernel(kernel: &[f32]) -> [f32; POINTS] {
    let half = |a: [f64; 3]| [a[0], 0.5 * (a[0] + a[1] + a[2]), 0.5 * (a[0] - a[1] + a[2]), a[2]];
    let column = |x: usize| half([0, 1, 2].map(|y| f64::from(kernel[3 * y + x])));
    let columns = [column(0), column(1), column(2)];
    let rows: [[f64; 4]; 4] = std::array::from_fn(|y| half(columns.map(|column| column[y])));
    std::array::from_fn(|point| rows[point / PATCH][point % PATCH] as f32)
}

on_isa!(patches_of = all_patches(strip: &Strip, input: *const f32, out: *mut f32));

/// `[points, patches, channels]` from the input: `Bᵀ · patch · B`.
#[inline(always)]
unsafe fn all_patches<S: Simd>(strip: &Strip, input: *const f32, out: *mut f32) {
    let Strip { channels, side, padding, columns, .. } = *strip;
    let line = strip.rows * columns * channels;
    for row in 0..strip.rows {
        for column in 0..columns {
            let (top, left) = ((strip.first + row) * RESULTS, column * RESULTS);
            let is_inside = |at: usize| at >= padding && at + PATCH <= side + padding;
            let is_within = is_inside(top) && is_inside(left);
            // SAFETY: points outside the input are not read, and `out` has room for all patches.
            unsafe {
                let out = out.add((row * columns + column) * channels);
                let at = |y: usize, x: usize| {
                    input.wrapping_add(
                        (top + y)
                            .wrapping_sub(padding)
                            .wrapping_mul(side)
                            .wrapping_add((left + x).wrapping_sub(padding))
                            .wrapping_mul(channels),
                    )
                };
                if is_within {
                    let load = |y, x, channel| S::load(at(y, x).add(channel));
                    one_patch::<S>(channels, load, out, line);
                } else {
                    let is_there = |at: usize| at >= padding && at < side + padding;
                    let load = |y, x, channel| {
                        if is_there(top + y) && is_there(left + x) {
                            S::load(at(y, x).add(channel))
                        } else {
                            S::splat(0.0)
                        }
                    };
                    one_patch::<S>(channels, load, out, line);
                }
            }
        }
    }
}

/// One patch, whose vector of channels from `channel` on at row and column `load` gives; its points
/// lie `line` floats apart.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // columns of an array of rows
unsafe fn one_patch<S: Simd>(
    channels: usize,
    load: impl Fn(usize, usize, usize) -> S::V,
    out: *mut f32,
    line: usize,
) {
    let mut channel = 0;
    while channel < channels {
        // SAFETY: the caller's; channels come in whole vectors.
        unsafe {
            let mut halfway = [[S::splat(0.0); PATCH]; PATCH];
            for x in 0..PATCH {
                let column = [0, 1, 2, 3].map(|y| load(y, x, channel));
                let column = differences::<S>(column);
                for y in 0..PATCH {
                    halfway[y][x] = column[y];
                }
            }
            for (y, row) in halfway.into_iter().enumerate() {
                for (x, point) in differences::<S>(row).into_iter().enumerate() {
                    S::store(out.add((y * PATCH + x) * line + channel), point);
                }
            }
        }
        channel += S::LANES;
    }
}

/// `Bᵀ · a`.
#[inline(always)]
unsafe fn differences<S: Simd>(a: [S::V; PATCH]) -> [S::V; PATCH] {
    // SAFETY: the caller's.
    unsafe { [S::sub(a[0], a[2]), S::add(a[1], a[2]), S::sub(a[2], a[1]), S::sub(a[1], a[3])] }
}

/// `Aᵀ · a`.
#[inline(always)]
unsafe fn sums<S: Simd>(a: [S::V; PATCH]) -> [S::V; RESULTS] {
    // SAFETY: the caller's.
    unsafe { [S::add(S::add(a[0], a[1]), a[2]), S::sub(S::sub(a[1], a[2]), a[3])] }
}

on_isa!(results_of = all_results(strip: &Strip, products: *const f32, target: &Target));

/// Results from products `[points, patches, width]`: `Aᵀ · products · A`.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // columns of an array of rows
unsafe fn all_results<S: Simd>(strip: &Strip, products: *const f32, target: &Target) {
    let Strip { width, side_out, columns, .. } = *strip;
    let line = strip.rows * columns * width;
    for row in 0..strip.rows {
        for column in 0..columns {
            let (top, left) = ((strip.first + row) * RESULTS, column * RESULTS);
            let (height, breadth) = (side_out - top, side_out - left); // at least 1
            let mut channel = 0;
            while channel < width {
                // SAFETY: products of all points are there; only results inside the output are
                // written, and its channels come in whole vectors.
                unsafe {
                    let (low, high) = (S::splat(target.clamp.low), S::splat(target.clamp.high));
                    let bias = S::load(target.bias.add(channel));
                    let from = products.add((row * columns + column) * width + channel);
                    let mut halfway = [[S::splat(0.0); PATCH]; RESULTS];
                    for x in 0..PATCH {
                        let products =
                            [0, 1, 2, 3].map(|y| S::load(from.add((y * PATCH + x) * line)));
                        let column = sums::<S>(products);
                        for y in 0..RESULTS {
                            halfway[y][x] = column[y];
                        }
                    }
                    for (y, row) in halfway.into_iter().enumerate().take(height) {
                        for (x, sum) in sums::<S>(row).into_iter().enumerate().take(breadth) {
                            let at = ((top + y) * side_out + left + x) * width + channel;
                            let mut sum = S::add(sum, bias);
                            if !target.add.is_null() {
                                sum = S::add(sum, S::load(target.add.add(at)));
                            }
                            // In this order a NaN stays one.
                            S::store(target.out.add(at), S::min(high, S::max(low, sum)));
                        }
                    }
                }
                channel += S::LANES;
            }
        }
    }
}
