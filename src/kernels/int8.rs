//! Matrix product with a matrix of whole numbers of 8 bits: for networks that hold their weights so.
//!
//! in: `[rows, depth]` floats and a packed `[depth, width]`; out: `[rows, width]`, with bias and
//! addition of a second operand. Each column of the matrix has a scale of its own, known
//! beforehand; each row of the left side is rounded to 8 bits by its greatest number when it comes.
//! A product of two numbers is off by 2⁻⁷ of the greatest ones at most; sums are exact, so every
//! processor gives the same result. It is quick where there are instructions for it (VNNI).
//! One file, though long: the loops for each processor stand beside the one that checks them.
//! source: Intel, "Instruction Set Extensions Reference", `VPDPBUSD`; the scales as in
//! `CTranslate2`, "Quantization".
#![allow(unsafe_code)] // vector intrinsics, raw pointers into slices whose lengths are checked

use std::cell::RefCell;

use super::Aligned;

/// Columns in a panel: two vectors.
const PANEL: usize = 32;
/// Steps of depth that one instruction adds up.
const STEPS: usize = 4;
/// What is added to a row's numbers, since one side of the instruction knows no sign.
const SHIFT: i32 = 128;
const GREATEST: f32 = 127.0;

/// A matrix `[depth, width]` with a bias, rounded to 8 bits and packed.
#[derive(Clone)]
pub struct Int8Matrix {
    depth: usize,
    width: usize,
    /// `[panels, ⌈depth / 4⌉, 32, 4]` bytes.
    panels: Aligned,
    /// `[panels · 32]`, what a column's whole numbers stand for.
    scales: Vec<f32>,
    /// `[panels · 32]`, what `SHIFT` adds to a column's sum.
    shifts: Vec<i32>,
    /// `[panels · 32]`
    bias: Vec<f32>,
}

thread_local! {
    /// The left side's rounded rows and their scales, used again for every product.
    static LEFT: RefCell<(Aligned, Vec<f32>)> = const { RefCell::new((Aligned::new(), Vec::new())) };
}

impl Int8Matrix {
    /// Whether the processor has instructions for it.
    #[must_use]
    pub fn is_quick() -> bool {
        #[cfg(target_arch = "x86_64")]
        return is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni");
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// From `[width, depth]`, the layout of PyTorch's linear weights.
    ///
    /// # Panics
    /// Where lengths do not fit each other.
    pub fn from_rows(weight: &[f32], bias: &[f32]) -> Self {
        let width = bias.len();
        let depth = weight.len() / width;
        assert_eq!(weight.len(), width * depth, "[width, depth]");
        let quads = depth.div_ceil(STEPS);
        let padded = width.next_multiple_of(PANEL);
        let mut panels = Aligned::zeros(padded * quads);
        let (mut scales, mut shifts) = (vec![0.0; padded], vec![0; padded]);
        let words = panels.as_mut_slice();
        for (n, row) in weight.chunks_exact(depth).enumerate() {
            let (scale, factor) = scales_of(row);
            scales[n] = scale;
            let mut sum = 0;
            for (quad, steps) in row.chunks(STEPS).enumerate() {
                let mut bytes = [0; STEPS];
                for (byte, x) in bytes.iter_mut().zip(steps) {
                    let number = rounded(*x, factor);
                    sum += number;
                    *byte = number as i8 as u8;
                }
                words[(n / PANEL * quads + quad) * PANEL + n % PANEL] =
                    f32::from_bits(u32::from_le_bytes(bytes));
            }
            shifts[n] = SHIFT * sum;
        }
        let mut padded_bias = bias.to_vec();
        padded_bias.resize(padded, 0.0);
        Self { depth, width, panels, scales, shifts, bias: padded_bias }
    }

    /// Columns of the result.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Numbers in a row of the left side.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// `out = left · self + bias + add`, as [`PackedMatrix::multiply`](super::PackedMatrix).
    ///
    /// # Panics
    /// Where a slice is too short.
    pub fn multiply(
        &self,
        num_rows: usize,
        left: &[f32],
        left_stride: usize,
        add: Option<&[f32]>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if num_rows == 0 {
            return;
        }
        assert!(left.len() >= (num_rows - 1) * left_stride + self.depth, "left side too short");
        let needed = (num_rows - 1) * out_stride + self.width;
        assert!(out.len() >= needed, "result too short");
        assert!(add.is_none_or(|add| add.len() >= needed), "second operand too short");
        let quads = self.depth.div_ceil(STEPS);
        LEFT.with_borrow_mut(|(rows, row_scales)| {
            let rows = rows.at_least(num_rows * quads);
            row_scales.clear();
            for (idx, out) in rows.chunks_exact_mut(quads).enumerate() {
                let row = &left[idx * left_stride..][..self.depth];
                row_scales.push(round_row(row, out));
            }
            let job = Job {
                num_rows,
                quads,
                width: self.width,
                left: rows.as_ptr(),
                row_scales: row_scales.as_ptr(),
                panels: self.panels.as_slice().as_ptr(),
                scales: self.scales.as_ptr(),
                shifts: self.shifts.as_ptr(),
                bias: self.bias.as_ptr(),
                add: add.map_or(std::ptr::null(), <[f32]>::as_ptr),
                out: out.as_mut_ptr(),
                out_stride,
            };
            // SAFETY: the lengths were checked just now, and so is the processor.
            unsafe {
                #[cfg(target_arch = "x86_64")]
                if Self::is_quick() {
                    return vnni::multiply(&job);
                }
                plain(&job);
            }
        });
    }
}

/// A product whose lengths were checked.
struct Job {
    num_rows: usize,
    /// Fours of depth.
    quads: usize,
    width: usize,
    /// `[rows, quads]`, four numbers of 8 bits, shifted, in the place of a float.
    left: *const f32,
    row_scales: *const f32,
    panels: *const f32,
    scales: *const f32,
    shifts: *const i32,
    bias: *const f32,
    /// Null where nothing is added.
    add: *const f32,
    out: *mut f32,
    out_stride: usize,
}

/// What a whole number stands for, and by what numbers are multiplied to become whole.
fn scales_of(numbers: &[f32]) -> (f32, f32) {
    let greatest = numbers.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    if greatest > 0.0 { (greatest / GREATEST, GREATEST / greatest) } else { (0.0, 0.0) }
}

/// To the nearest whole number, the even one of two.
#[inline(always)]
fn rounded(x: f32, factor: f32) -> i32 {
    // 1.5 · 2²³ leaves no bits for fractions.
    const MAGIC: f32 = 12_582_912.0;
    (x * factor + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
}

/// Rounds a row into fours of shifted bytes; gives what a whole number stands for.
fn round_row(row: &[f32], out: &mut [f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if Int8Matrix::is_quick() {
        // SAFETY: the processor was asked; `out` holds a four for each begun four of `row`.
        return unsafe { vnni::round_row(row, out) };
    }
    let (scale, factor) = scales_of(row);
    for (out, steps) in out.iter_mut().zip(row.chunks(STEPS)) {
        let mut bytes = [SHIFT as u8; STEPS];
        for (byte, x) in bytes.iter_mut().zip(steps) {
            *byte = (rounded(*x, factor) + SHIFT) as u8;
        }
        *out = f32::from_bits(u32::from_le_bytes(bytes));
    }
    scale
}

/// Any processor's way.
///
/// # Safety
/// The job's lengths fit each other.
unsafe fn plain(job: &Job) {
    for row in 0..job.num_rows {
        for n in 0..job.width {
            // SAFETY: the caller's.
            unsafe {
                let left = job.left.add(row * job.quads);
                let column = job.panels.add(n / PANEL * job.quads * PANEL + n % PANEL);
                let mut sum = 0;
                for quad in 0..job.quads {
                    let left = (*left.add(quad)).to_bits().to_le_bytes();
                    let right = (*column.add(quad * PANEL)).to_bits().to_le_bytes();
                    for (x, weight) in left.into_iter().zip(right) {
                        sum += i32::from(x) * i32::from(weight as i8);
                    }
                }
                let scale = *job.row_scales.add(row) * *job.scales.add(n);
                let at = row * job.out_stride + n;
                let mut x = ((sum - *job.shifts.add(n)) as f32).mul_add(scale, *job.bias.add(n));
                if !job.add.is_null() {
                    x += *job.add.add(at);
                }
                *job.out.add(at) = x;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    #[allow(clippy::wildcard_imports)]
    use std::arch::x86_64::*;

    use super::{GREATEST, Job, PANEL, SHIFT, STEPS};

    /// Floats in a vector.
    const LANES: usize = 16;

    fn mask(count: usize) -> __mmask16 {
        if count < LANES { (1 << count) - 1 } else { !0 }
    }

    /// As [`super::round_row`].
    ///
    /// # Safety
    /// The processor has the instructions; `out` holds `⌈row / 4⌉` floats.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) unsafe fn round_row(row: &[f32], out: &mut [f32]) -> f32 {
        // SAFETY: masks keep reads inside the row and writes inside the fours.
        unsafe {
            let load =
                |from: usize| _mm512_maskz_loadu_ps(mask(row.len() - from), row.as_ptr().add(from));
            let mut greatest = _mm512_setzero_ps();
            for from in (0..row.len()).step_by(LANES) {
                greatest = _mm512_max_ps(greatest, _mm512_abs_ps(load(from)));
            }
            let greatest = _mm512_reduce_max_ps(greatest);
            let (scale, factor) = if greatest > 0.0 {
                (greatest / GREATEST, GREATEST / greatest)
            } else {
                (0.0, 0.0)
            };
            let (factor, shift) = (_mm512_set1_ps(factor), _mm512_set1_epi32(SHIFT));
            let to = out.as_mut_ptr().cast::<u8>();
            let end = row.len().next_multiple_of(STEPS);
            for from in (0..row.len()).step_by(LANES) {
                let whole = _mm512_cvtps_epi32(_mm512_mul_ps(load(from), factor));
                let bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(whole, shift));
                let mut four = [0_u8; LANES];
                _mm_storeu_si128(four.as_mut_ptr().cast(), bytes);
                let count = (end - from).min(LANES);
                std::ptr::copy_nonoverlapping(four.as_ptr(), to.add(from), count);
            }
            scale
        }
    }

    /// As [`super::plain`].
    ///
    /// # Safety
    /// As there; the processor has the instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) unsafe fn multiply(job: &Job) {
        // Tiles of nearly equal height, so that none of them is left with one row.
        let num_tiles = job.num_rows.div_ceil(8);
        for first in (0..job.width).step_by(PANEL) {
            for tile in 0..num_tiles {
                let mut row = tile * job.num_rows / num_tiles;
                let end = (tile + 1) * job.num_rows / num_tiles;
                while row < end {
                    // SAFETY: the caller's, and there are so many rows.
                    row += unsafe {
                        match end - row {
                            8.. => one_tile::<8>(job, first, row),
                            7 => one_tile::<7>(job, first, row),
                            6 => one_tile::<6>(job, first, row),
                            4..6 => one_tile::<4>(job, first, row),
                            2..4 => one_tile::<2>(job, first, row),
                            _ => one_tile::<1>(job, first, row),
                        }
                    };
                }
            }
        }
    }

    /// `HEIGHT` rows of a panel.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn one_tile<const HEIGHT: usize>(job: &Job, first: usize, row: usize) -> usize {
        // SAFETY: rows and columns lie inside what the caller checked; panels are whole.
        unsafe {
            let mut sums = [[_mm512_setzero_si512(); 2]; HEIGHT];
            let mut left = job.left.add(row * job.quads).cast::<i32>();
            let mut weights = job.panels.add(first * job.quads).cast::<i32>();
            let mut quad = 0;
            while quad < job.quads {
                let one = _mm512_loadu_si512(weights.cast());
                let two = _mm512_loadu_si512(weights.add(LANES).cast());
                for (idx, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(*left.add(idx.wrapping_mul(job.quads)));
                    sums[0] = _mm512_dpbusd_epi32(sums[0], x, one);
                    sums[1] = _mm512_dpbusd_epi32(sums[1], x, two);
                }
                quad = quad.wrapping_add(1);
                left = left.wrapping_add(1);
                weights = weights.wrapping_add(PANEL);
            }
            for half in 0..2 {
                let column = first + half * LANES;
                if column >= job.width {
                    break;
                }
                let used = mask(job.width - column);
                let shift = _mm512_loadu_si512(job.shifts.add(column).cast());
                let scale = _mm512_loadu_ps(job.scales.add(column));
                let bias = _mm512_loadu_ps(job.bias.add(column));
                for (idx, sums) in sums.iter().enumerate() {
                    let scale =
                        _mm512_mul_ps(scale, _mm512_set1_ps(*job.row_scales.add(row + idx)));
                    let whole = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[half], shift));
                    let mut x = _mm512_fmadd_ps(whole, scale, bias);
                    let at = (row + idx) * job.out_stride + column;
                    if !job.add.is_null() {
                        x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(used, job.add.add(at)));
                    }
                    _mm512_mask_storeu_ps(job.out.add(at), used, x);
                }
            }
        }
        HEIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// As the head says, in double precision.
    fn expected(row: &[f32], weight: &[f32], bias: f32) -> f64 {
        let (row_scale, row_factor) = scales_of(row);
        let (scale, factor) = scales_of(weight);
        let products = row.iter().zip(weight).map(|(x, w)| {
            f64::from((x * row_factor).round_ties_even())
                * f64::from((w * factor).round_ties_even())
        });
        products.sum::<f64>() * f64::from(row_scale) * f64::from(scale) + f64::from(bias)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn both_sides_are_rounded_to_8_bits_and_nothing_else(
            rows in 1_usize..20, depth in 1_usize..150, width in 1_usize..70, adds in any::<bool>(),
        ) {
            let (left, weight, bias) = (numbers(rows * depth, 1), numbers(width * depth, 2), numbers(width, 3));
            let add = numbers(rows * width, 4);
            let matrix = Int8Matrix::from_rows(&weight, &bias);
            let mut out = vec![f32::NAN; rows * width];
            matrix.multiply(rows, &left, depth, adds.then_some(&add), &mut out, width);
            for (at, found) in out.iter().enumerate() {
                let (row, n) = (at / width, at % width);
                let mut expected = expected(&left[row * depth..][..depth], &weight[n * depth..][..depth], bias[n]);
                if adds {
                    expected += f64::from(add[at]);
                }
                prop_assert!((f64::from(*found) - expected).abs() < 2e-5, "{found} for {expected} at {row}, {n}");
            }
        }
    }

    #[test]
    fn a_row_of_zeros_gives_the_bias() {
        let matrix = Int8Matrix::from_rows(&[1.0, -2.0, 0.0, 0.0], &[0.5, 0.25]);
        let mut out = [0.0; 2];
        matrix.multiply(1, &[0.0, 0.0], 2, None, &mut out, 2);
        assert_eq!(out, [0.5, 0.25]);
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_short_slice_is_refused() {
        let matrix = Int8Matrix::from_rows(&[1.0; 4], &[0.0; 2]);
        matrix.multiply(2, &[1.0; 3], 2, None, &mut [0.0; 4], 2);
    }

    #[test]
    fn every_processor_gives_the_same() {
        let (rows, depth, width) = (5, 70, 37);
        let (left, weight) = (numbers(rows * depth, 5), numbers(width * depth, 6));
        let matrix = Int8Matrix::from_rows(&weight, &numbers(width, 7));
        let mut quick = vec![0.0; rows * width];
        matrix.multiply(rows, &left, depth, None, &mut quick, width);
        let quads = depth.div_ceil(STEPS);
        let mut rounded_rows = vec![0.0; rows * quads];
        let mut row_scales = Vec::new();
        for (row, out) in left.chunks_exact(depth).zip(rounded_rows.chunks_exact_mut(quads)) {
            row_scales.push(round_row(row, out));
        }
        let mut slow = vec![0.0; rows * width];
        let job = Job {
            num_rows: rows,
            quads,
            width,
            left: rounded_rows.as_ptr(),
            row_scales: row_scales.as_ptr(),
            panels: matrix.panels.as_slice().as_ptr(),
            scales: matrix.scales.as_ptr(),
            shifts: matrix.shifts.as_ptr(),
            bias: matrix.bias.as_ptr(),
            add: std::ptr::null(),
            out: slow.as_mut_ptr(),
            out_stride: width,
        };
        // SAFETY: all lengths are those of `multiply`.
        unsafe { plain(&job) };
        assert_eq!(slow, quick);
    }
}
