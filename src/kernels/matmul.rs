//! Matrix product with a matrix that is known beforehand: 1×1 convolutions, linear layers.
//!
//! in: `[rows, depth]` and a packed `[depth, width]`; out: `[rows, width]`, with bias, addition
//! of a second operand and clamping done while the results are still in registers.
//!
//! The packed matrix lies in panels of two vectors' width; a tile of rows times one panel is
//! held in registers over the whole depth. The left side is read where it lies.
//!
//! One file, though long: packing and the loops of each width share the panels' layout.
#![allow(unsafe_code)] // raw pointers into slices whose lengths are checked at the entry

use std::ops::Range;

use super::{Aligned, Isa, on_isa, simd::Simd};
#[cfg(target_arch = "x86_64")]
use super::{amx, bf16};

/// Vectors side by side in a panel.
const PANEL_VECTORS: usize = 2;
/// Steps of depth per round of the innermost loop.
const UNROLL: usize = 2;
/// Below this depth, splitting or rounding the left side costs more than it saves.
const MIN_DEPTH: usize = 64;

/// Floats in a panel's row of AVX-512.
#[cfg(target_arch = "x86_64")]
pub(super) const PANEL_WIDTH_512: usize = 16 * PANEL_VECTORS;

/// A matrix `[depth, width]` with a bias, packed for one instruction set.
#[derive(Clone)]
pub struct PackedMatrix {
    isa: Isa,
    depth: usize,
    width: usize,
    /// `[panels, depth, panel width]`, zeros where the last panel is wider than what is left; with
    /// AMX its tiles.
    panels: Aligned,
    /// `[panels · panel width]`
    bias: Aligned,
}

/// Results are held between the two; infinities leave them as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// The least that is kept.
    pub low: f32,
    /// The most that is kept.
    pub high: f32,
}

impl Clamp {
    /// Everything stays.
    pub const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };
    /// `ReLU`.
    pub const RELU: Self = Self { low: 0.0, high: f32::INFINITY };
    /// `ReLU6`.
    pub const RELU6: Self = Self { low: 0.0, high: 6.0 };
}

/// Where the rows of the result go: after each `run` rows, `gap` rows are left out. So an
/// image can be written into the middle of a padded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Rows that follow each other.
    pub run: usize,
    /// Rows left out after them.
    pub gap: usize,
}

impl Rows {
    /// One after the other.
    pub const DENSE: Self = Self { run: usize::MAX, gap: 0 };

    pub(super) fn position(self, row: usize) -> usize {
        row + row / self.run * self.gap
    }
}

/// Floats in a panel's row.
fn panel_width(isa: Isa) -> usize {
    let lanes = match isa {
        Isa::Amx | Isa::AmxBf16 | Isa::Avx512 | Isa::Avx512Bf16 => 16,
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    };
    lanes * PANEL_VECTORS
}

/// Floats that the packed matrix takes, and those that its bias takes.
fn packed_lens(isa: Isa, depth: usize, width: usize) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Amx => return (amx::packed_len::<2>(depth, width), amx::padded_width(width)),
        Isa::AmxBf16 => return (amx::packed_len::<1>(depth, width), amx::padded_width(width)),
        _ => (),
    }
    let bias = width.next_multiple_of(panel_width(isa));
    // Two numbers of bf16 take the room of a float.
    let depth = if isa == Isa::Avx512Bf16 { depth.div_ceil(2) } else { depth };
    (bias * depth, bias)
}

impl PackedMatrix {
    /// From `[width, depth]`, the layout of PyTorch's linear and 1×1 convolution weights.
    ///
    /// # Panics
    /// Where lengths do not fit each other.
    pub fn from_rows(isa: Isa, weight: &[f32], bias: &[f32]) -> Self {
        let width = bias.len();
        let depth = weight.len() / width;
        assert_eq!(weight.len(), width * depth, "[width, depth]");
        let mut packed = Self::empty(isa, depth, width);
        packed.pack(|k, n| weight[n * depth + k]);
        packed.bias.as_mut_slice()[..width].copy_from_slice(bias);
        packed
    }

    /// Room for a matrix without bias. One that begins shallower than the tiles like is for
    /// vectors, whatever shape it takes later: packing it again and again is quicker so.
    pub fn empty(isa: Isa, depth: usize, width: usize) -> Self {
        let isa = match isa {
            Isa::Amx | Isa::AmxBf16 | Isa::Avx512Bf16 if depth < MIN_DEPTH => Isa::Avx512,
            isa => isa,
        };
        let (panels, bias) = packed_lens(isa, depth, width);
        Self { isa, depth, width, panels: Aligned::zeros(panels), bias: Aligned::zeros(bias) }
    }

    /// Takes another shape, for scratch that is packed anew again and again; no bias.
    pub fn reshape(&mut self, depth: usize, width: usize) {
        let (panels, bias) = packed_lens(self.isa, depth, width);
        (self.depth, self.width) = (depth, width);
        self.panels.at_least(panels);
        self.bias.at_least(bias);
    }

    /// Fills the matrix with `element(k, n)`.
    pub fn pack(&mut self, element: impl Fn(usize, usize) -> f32) {
        let (depth, width) = (self.depth, self.width);
        let panels = self.panels.as_mut_slice();
        #[cfg(target_arch = "x86_64")]
        match self.isa {
            Isa::Amx => return amx::pack::<2>(depth, width, panels, element),
            Isa::AmxBf16 => return amx::pack::<1>(depth, width, panels, element),
            Isa::Avx512Bf16 => return bf16::pack(depth, width, panels, element),
            _ => (),
        }
        let panel = panel_width(self.isa);
        for (idx, panel_rows) in
            panels.chunks_exact_mut(depth * panel).enumerate().take(width.div_ceil(panel))
        {
            for (k, row) in panel_rows.chunks_exact_mut(panel).enumerate() {
                for (lane, x) in row.iter_mut().enumerate() {
                    let n = idx * panel + lane;
                    *x = if n < width { element(k, n) } else { 0.0 };
                }
            }
        }
    }

    /// Columns of the result.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Numbers in a row of the left side.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// `out = clamp(left · self + bias + add)`.
    ///
    /// `left` is `[num_rows]` rows of `depth` floats, each `left_stride` after the one before;
    /// `out` and `add` have rows of `out_stride` floats, and `rows` says which are used.
    ///
    /// # Panics
    /// Where a slice is too short.
    #[allow(clippy::too_many_arguments)]
    pub fn multiply(
        &self,
        num_rows: usize,
        left: &[f32],
        left_stride: usize,
        add: Option<&[f32]>,
        clamp: Clamp,
        out: &mut [f32],
        out_stride: usize,
        rows: Rows,
    ) {
        if num_rows == 0 {
            return;
        }
        assert!(left.len() >= (num_rows - 1) * left_stride + self.depth, "left side too short");
        let needed = rows.position(num_rows - 1) * out_stride + self.width;
        assert!(out.len() >= needed, "result too short");
        assert!(add.is_none_or(|add| add.len() >= needed), "second operand too short");
        let job = Job {
            num_rows,
            depth: self.depth,
            width: self.width,
            left: left.as_ptr(),
            left_stride,
            panels: self.panels.as_slice().as_ptr(),
            bias: self.bias.as_slice().as_ptr(),
            add: add.map_or(std::ptr::null(), <[f32]>::as_ptr),
            clamp,
            out: out.as_mut_ptr(),
            out_stride,
            rows,
        };
        // SAFETY: the lengths were checked just now; the panels were made for this set.
        unsafe {
            match self.isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Amx => amx::multiply::<2>(&job),
                #[cfg(target_arch = "x86_64")]
                Isa::AmxBf16 => amx::multiply::<1>(&job),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Bf16 => bf16::multiply(&job),
                isa => run(isa, &job, 0..job.num_rows),
            }
        }
    }
}

/// A product whose lengths were checked.
#[derive(Clone)]
pub(super) struct Job {
    pub num_rows: usize,
    pub depth: usize,
    pub width: usize,
    pub left: *const f32,
    pub left_stride: usize,
    pub panels: *const f32,
    pub bias: *const f32,
    /// Null where nothing is added.
    pub add: *const f32,
    pub clamp: Clamp,
    pub out: *mut f32,
    pub out_stride: usize,
    pub rows: Rows,
}

on_isa!(run = all_panels(job: &Job, rows: Range<usize>));

/// Computes some rows of the result.
///
/// # Safety
/// `left` has them at `left_stride`, counted from row 0 that need not be there.
#[inline(always)]
pub(super) unsafe fn all_panels<S: Tiles>(job: &Job, rows: Range<usize>) {
    let panel = S::LANES * PANEL_VECTORS;
    // Tiles of nearly equal height, so that none of them is left with one row.
    let num_tiles = rows.len().div_ceil(S::TILE_ROWS);
    for first in (0..job.width).step_by(panel) {
        // SAFETY: `panels` holds `depth · panel` floats per panel and `bias` `panel`.
        unsafe {
            let weights = job.panels.add(first * job.depth);
            let columns = first..job.width.min(first + panel);
            for tile in 0..num_tiles {
                let mut from = rows.start + tile * rows.len() / num_tiles;
                let to = rows.start + (tile + 1) * rows.len() / num_tiles;
                while from < to {
                    from += S::one_tile(job, weights, columns.clone(), from..to);
                }
            }
        }
    }
}

/// Tiles whose height is known to the compiler. Each height costs compile time, so there are
/// the greatest ones, into which nearly every number of rows can be split, and a few small ones.
///
/// # Safety
/// As [`tile`]; `rows` are not empty.
pub(super) trait Tiles: Simd {
    /// Computes the highest tile that fits; gives its height.
    unsafe fn one_tile(
        job: &Job,
        weights: *const f32,
        columns: Range<usize>,
        rows: Range<usize>,
    ) -> usize;
}

macro_rules! tiles {
    ($set:ty: $($height:literal)*) => {
        impl Tiles for $set {
            #[inline(always)]
            unsafe fn one_tile(
                job: &Job,
                weights: *const f32,
                columns: Range<usize>,
                rows: Range<usize>,
            ) -> usize {
                $(if rows.len() >= $height {
                    // SAFETY: the caller's, and there are so many rows.
                    unsafe {
                        if columns.len() > Self::LANES {
                            tile::<Self, $height, 2>(job, weights, columns, rows.start);
                        } else {
                            tile::<Self, $height, 1>(job, weights, columns, rows.start);
                        }
                    }
                    return $height;
                })*
                unreachable!("no rows")
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
tiles!(super::simd::Avx512: 8 7 6 5 4 2 1);
#[cfg(target_arch = "x86_64")]
tiles!(super::simd::Avx512Bf16: 8 7 6 5 4 2 1);
#[cfg(target_arch = "x86_64")]
tiles!(super::simd::Avx2: 6 5 4 2 1);
tiles!(super::simd::Portable: 6 3 1);

#[inline(always)]
unsafe fn tile<S: Simd, const HEIGHT: usize, const VECTORS: usize>(
    job: &Job,
    weights: *const f32,
    columns: Range<usize>,
    first_row: usize,
) {
    // SAFETY: rows `first_row..first_row + HEIGHT` and `columns` lie inside what `multiply`
    // checked; a panel has `depth` rows of `PANEL_VECTORS ≥ VECTORS` vectors.
    unsafe {
        let mut sums = [[S::splat(0.0); VECTORS]; HEIGHT];
        for sums in &mut sums {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = S::load(job.bias.add(columns.start).add(v * S::LANES));
            }
        }
        let mut left = job.left.wrapping_add(first_row.wrapping_mul(job.left_stride));
        let stride = job.left_stride;
        // Loops without overflow checks and closures: the compiler must see straight code.
        let mut weights = weights;
        let mut k = 0;
        let whole = job.depth - job.depth % UNROLL;
        while k < whole {
            step::<S, HEIGHT, VECTORS>(&mut sums, left, stride, weights);
            step::<S, HEIGHT, VECTORS>(
                &mut sums,
                left.add(1),
                stride,
                weights.add(PANEL_VECTORS * S::LANES),
            );
            k = k.wrapping_add(UNROLL);
            left = left.add(UNROLL);
            weights = weights.add(UNROLL * PANEL_VECTORS * S::LANES);
        }
        while k < job.depth {
            step::<S, HEIGHT, VECTORS>(&mut sums, left, stride, weights);
            k = k.wrapping_add(1);
            left = left.wrapping_add(1);
            weights = weights.add(PANEL_VECTORS * S::LANES);
        }

        // Where each row goes; without a division for each.
        let mut places = [0; HEIGHT];
        let (mut place, mut column) =
            (job.rows.position(first_row) * job.out_stride, first_row % job.rows.run);
        for at in &mut places {
            *at = place;
            place = place.wrapping_add(job.out_stride);
            column = column.wrapping_add(1);
            if column == job.rows.run {
                place = place.wrapping_add(job.rows.gap.wrapping_mul(job.out_stride));
                column = 0;
            }
        }
        // A copy for each way out: if any of them indexed `sums` itself by a number that is not
        // known, the sums would live in memory and not in registers.
        let out = job.out.add(columns.start);
        let is_whole = columns.len() >= VECTORS * S::LANES;
        if job.add.is_null() && is_whole {
            finish::<S, HEIGHT, VECTORS>(sums, &places, out, job.clamp);
        } else if is_whole {
            let add = job.add.add(columns.start);
            finish_add::<S, HEIGHT, VECTORS>(sums, &places, add, out, job.clamp);
        } else {
            let add = if job.add.is_null() { job.add } else { job.add.add(columns.start) };
            finish_partial::<S, HEIGHT, VECTORS>(sums, &places, add, out, job.clamp, columns.len());
        }
    }
}

#[inline(always)]
unsafe fn finish<S: Simd, const HEIGHT: usize, const VECTORS: usize>(
    sums: [[S::V; VECTORS]; HEIGHT],
    places: &[usize; HEIGHT],
    out: *mut f32,
    clamp: Clamp,
) {
    // SAFETY: the caller's: whole vectors fit at every place.
    unsafe {
        let (low, high) = (S::splat(clamp.low), S::splat(clamp.high));
        for (sums, place) in sums.into_iter().zip(places) {
            let to = out.add(*place);
            for (v, sum) in sums.into_iter().enumerate() {
                // In this order a NaN stays one.
                S::store(to.add(v * S::LANES), S::min(high, S::max(low, sum)));
            }
        }
    }
}

#[inline(always)]
unsafe fn finish_add<S: Simd, const HEIGHT: usize, const VECTORS: usize>(
    sums: [[S::V; VECTORS]; HEIGHT],
    places: &[usize; HEIGHT],
    add: *const f32,
    out: *mut f32,
    clamp: Clamp,
) {
    // SAFETY: the caller's: whole vectors fit at every place.
    unsafe {
        let (low, high) = (S::splat(clamp.low), S::splat(clamp.high));
        for (sums, place) in sums.into_iter().zip(places) {
            for (v, sum) in sums.into_iter().enumerate() {
                let at = place.wrapping_add(v * S::LANES);
                let sum = S::add(sum, S::load(add.add(at)));
                S::store(out.add(at), S::min(high, S::max(low, sum)));
            }
        }
    }
}

/// For the last columns, where `width` floats are left; `add` may be null.
#[inline(always)]
unsafe fn finish_partial<S: Simd, const HEIGHT: usize, const VECTORS: usize>(
    sums: [[S::V; VECTORS]; HEIGHT],
    places: &[usize; HEIGHT],
    add: *const f32,
    out: *mut f32,
    clamp: Clamp,
    width: usize,
) {
    let rest = width - (VECTORS - 1) * S::LANES; // in the last vector
    // SAFETY: the caller's: `width` floats fit at every place.
    unsafe {
        let (low, high) = (S::splat(clamp.low), S::splat(clamp.high));
        for (sums, place) in sums.into_iter().zip(places) {
            for (v, mut sum) in sums.into_iter().enumerate() {
                let at = place + v * S::LANES;
                let is_last = v == VECTORS - 1;
                if !add.is_null() {
                    let add = add.add(at);
                    sum = S::add(
                        sum,
                        if is_last { S::load_partial(add, rest) } else { S::load(add) },
                    );
                }
                sum = S::min(high, S::max(low, sum));
                if is_last {
                    S::store_partial(out.add(at), sum, rest);
                } else {
                    S::store(out.add(at), sum);
                }
            }
        }
    }
}

/// One step of depth: a column of the left side times a row of the panel.
#[inline(always)]
unsafe fn step<S: Simd, const HEIGHT: usize, const VECTORS: usize>(
    sums: &mut [[S::V; VECTORS]; HEIGHT],
    left: *const f32,
    left_stride: usize,
    weights: *const f32,
) {
    // SAFETY: the caller's: `left` is at this column of the first row, `weights` at that row of
    // the panel.
    unsafe {
        let mut row = [S::splat(0.0); VECTORS];
        for (v, row) in row.iter_mut().enumerate() {
            *row = S::load(weights.add(v * S::LANES));
        }
        for (row_idx, sums) in sums.iter_mut().enumerate() {
            let x = S::splat(*left.add(row_idx.wrapping_mul(left_stride)));
            for (sum, weight) in sums.iter_mut().zip(&row) {
                *sum = S::fma(x, *weight, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Tensor};
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn numbers(count: usize, name: &str) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(
            name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte)),
        );
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn equals_candle(
            rows in 1_usize..40, depth in 1_usize..140, width in 1_usize..70,
            run in 1_usize..12, gap in 0_usize..3, adds in any::<bool>(), relu in any::<bool>(),
        ) {
            let (left, weight, bias) = (numbers(rows * depth, "left"), numbers(width * depth, "weight"), numbers(width, "bias"));
            let clamp = if relu { Clamp { low: 0.0, high: 0.5 } } else { Clamp::NONE };
            let layout = Rows { run, gap };
            let positions = layout.position(rows - 1) + 1;
            let add = numbers(positions * width, "add");
            let tensor = |data: &[f32], shape: (usize, usize)| Tensor::from_slice(data, shape, &Device::Cpu).unwrap();
            let product = tensor(&left, (rows, depth)).matmul(&tensor(&weight, (width, depth)).t().unwrap()).unwrap()
                .broadcast_add(&Tensor::new(bias.as_slice(), &Device::Cpu).unwrap()).unwrap().to_vec2::<f32>().unwrap();
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; positions * width];
                PackedMatrix::from_rows(isa, &weight, &bias)
                    .multiply(rows, &left, depth, adds.then_some(&add), clamp, &mut out, width, layout);
                let mut used = vec![false; positions];
                for (row, product) in product.iter().enumerate() {
                    let at = layout.position(row);
                    used[at] = true;
                    for (n, x) in product.iter().enumerate() {
                        let expected = (x + if adds { add[at * width + n] } else { 0.0 }).max(clamp.low).min(clamp.high);
                        let found = out[at * width + n];
                        prop_assert!((found - expected).abs() <= 1e-4, "{isa:?}: {found} for {expected} at {row}, {n}");
                    }
                }
                for (at, used) in used.into_iter().enumerate() {
                    prop_assert!(used || out[at * width..(at + 1) * width].iter().all(|x| x.is_nan()), "a gap was written");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn in_bf16_both_sides_of_deep_products_are_rounded_and_nothing_else(
            rows in 1_usize..70, depth in 1_usize..200, width in 1_usize..70,
        ) {
            let isa = Isa::detect().in_bf16();
            let (left, weight, bias) = (numbers(rows * depth, "left"), numbers(width * depth, "weight"), numbers(width, "bias"));
            let tensor = |data: &[f32], height: usize| {
                let x = Tensor::from_slice(data, (height, data.len() / height), &Device::Cpu).unwrap();
                let is_rounded = matches!(isa, Isa::AmxBf16 | Isa::Avx512Bf16) && depth >= MIN_DEPTH;
                let x = if is_rounded { x.to_dtype(DType::BF16).unwrap() } else { x };
                x.to_dtype(DType::F64).unwrap()
            };
            let expected = tensor(&left, rows).matmul(&tensor(&weight, width).t().unwrap()).unwrap();
            let expected = expected.broadcast_add(&Tensor::new(bias.as_slice(), &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap());
            let expected = expected.unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let mut out = vec![f32::NAN; rows * width];
            PackedMatrix::from_rows(isa, &weight, &bias)
                .multiply(rows, &left, depth, None, Clamp::NONE, &mut out, width, Rows::DENSE);
            for (found, expected) in out.into_iter().zip(expected) {
                prop_assert!((f64::from(found) - expected).abs() <= 2e-5, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn a_nan_is_not_clamped_away() {
        for isa in Isa::available() {
            let matrix = PackedMatrix::from_rows(isa, &[1.0; 20], &[0.0; 20]);
            let mut out = [0.0; 20];
            matrix.multiply(1, &[f32::NAN], 1, None, Clamp::RELU6, &mut out, 20, Rows::DENSE);
            assert!(out.iter().all(|x| x.is_nan()), "{isa:?}");
        }
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_short_slice_is_refused() {
        let matrix = PackedMatrix::from_rows(Isa::Portable, &[1.0; 4], &[0.0; 2]);
        matrix.multiply(2, &[1.0; 3], 2, None, Clamp::NONE, &mut [0.0; 4], 2, Rows::DENSE);
    }
}
