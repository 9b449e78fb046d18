//! The matrix product in bf16 by vectors: both sides are rounded, two numbers lie in the place of a
//! float, and one instruction multiplies and adds both.
//!
//! in and out: as [`super::matmul`], whose tiles compute it at half the depth. A product of two
//! numbers is off by 2⁻⁸ at most; sums are in single precision.
//! source: Intel, "Instruction Set Extensions Reference", `VDPBF16PS`.
#![allow(unsafe_code)] // vector intrinsics, raw pointers into slices that the caller checked

#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;
use std::{cell::RefCell, ops::Range};

use super::{
    Aligned,
    matmul::{Job, PANEL_WIDTH_512, all_panels},
    simd::Avx512Bf16,
};

/// Floats' room for the rounded left side: half of the smallest second-level cache.
const LEFT_FLOATS: usize = 128 << 10;

/// Packs `element(k, n)` into panels of pairs `[panels, ⌈depth / 2⌉, panel width]`.
pub(super) fn pack(
    depth: usize,
    width: usize,
    packed: &mut [f32],
    element: impl Fn(usize, usize) -> f32,
) {
    let pairs = depth.div_ceil(2);
    let panels =
        packed.chunks_exact_mut(pairs * PANEL_WIDTH_512).take(width.div_ceil(PANEL_WIDTH_512));
    for (idx, panel) in panels.enumerate() {
        for (pair, row) in panel.chunks_exact_mut(PANEL_WIDTH_512).enumerate() {
            for (lane, x) in row.iter_mut().enumerate() {
                let (k, n) = (2 * pair, idx * PANEL_WIDTH_512 + lane);
                let bits =
                    |k: usize| if k < depth && n < width { rounded(element(k, n)) } else { 0 };
                *x = f32::from_bits(bits(k) | bits(k + 1) << 16);
            }
        }
    }
}

/// The bits of the nearest number of bf16, the even one of two.
fn rounded(x: f32) -> u32 {
    if x.is_nan() {
        return 0x7fc0;
    }
    let bits = x.to_bits();
    (bits + 0x7fff + (bits >> 16 & 1)) >> 16
}

thread_local! {
    /// The rounded left side, used again for every product.
    static LEFT: RefCell<Aligned> = const { RefCell::new(Aligned::new()) };
}

/// `out = clamp(left · matrix + bias + add)`.
///
/// # Safety
/// The processor has AVX-512 with bf16; pointers and lengths of the job fit each other; `panels`
/// were packed by [`pack`].
#[target_feature(enable = "avx512f,avx512bf16,fma")]
pub(super) unsafe fn multiply(job: &Job) {
    let pairs = job.depth.div_ceil(2);
    let num_chunks = job.num_rows.div_ceil((LEFT_FLOATS / pairs).max(1));
    LEFT.with_borrow_mut(|left| {
        for chunk in 0..num_chunks {
            let share = |chunk: usize| chunk * job.num_rows / num_chunks;
            let rows = share(chunk)..share(chunk + 1);
            let left = left.at_least(rows.len() * pairs).as_mut_ptr();
            // SAFETY: the caller's; `left` has room for the rows, whose first lies at its start.
            unsafe {
                round_left(job, pairs, rows.clone(), left);
                let left = left.cast_const().wrapping_sub(rows.start * pairs);
                let job = Job { depth: pairs, left, left_stride: pairs, ..job.clone() };
                all_panels::<Avx512Bf16>(&job, rows);
            }
        }
    });
}

/// Rounds rows of the left side into `[rows, pairs]`, a zero behind an odd depth.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn round_left(job: &Job, pairs: usize, rows: Range<usize>, left: *mut f32) {
    let mask = |count: usize| -> __mmask16 { if count < 16 { (1 << count) - 1 } else { !0 } };
    for (idx, row) in rows.enumerate() {
        // SAFETY: the row is one of the job's; masks keep reads inside its depth and writes inside
        // its pairs.
        unsafe {
            let from = job.left.add(row * job.left_stride);
            let to = left.add(idx * pairs);
            for first in (0..pairs).step_by(16) {
                let rest = job.depth - 2 * first;
                let from = from.add(2 * first);
                let one = _mm512_maskz_loadu_ps(mask(rest), from);
                let two =
                    _mm512_maskz_loadu_ps(mask(rest.saturating_sub(16)), from.wrapping_add(16));
                let both: __m512 = std::mem::transmute(_mm512_cvtne2ps_pbh(two, one));
                _mm512_mask_storeu_ps(to.add(first), mask(pairs - first), both);
            }
        }
    }
}
