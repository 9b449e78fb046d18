//! Vectors of floats, one type per instruction set, so that each kernel is written once.
//!
//! Kernels are generic over [`Simd`], marked `#[inline(always)]` and called from one function
//! per instruction set that carries the `#[target_feature]`; see [`super::on_isa`].

#![allow(dead_code)] // the operations are a set; not every kernel uses each
#![allow(unsafe_code)] // vector intrinsics and raw pointers into checked slices

/// Vector operations of one instruction set.
///
/// # Safety
/// Every function needs a processor with the set's instructions. Pointers must be valid for
/// `LANES` floats (for `count` floats in the `_partial` ones); no alignment is needed.
pub(crate) trait Simd: Copy {
    /// A vector.
    type V: Copy;
    /// Floats in a vector.
    const LANES: usize;
    /// Rows of a matrix product's tile. Each needs a general register for its place on the left
    /// side besides two vectors for its sums: more than eight, and the places live in memory (14
    /// rows, which the vector registers would hold, took twice as long).
    const TILE_ROWS: usize;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    /// The first `count < LANES` floats, zeros behind.
    unsafe fn load_partial(from: *const f32, count: usize) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    /// The first `count < LANES` floats.
    unsafe fn store_partial(to: *mut f32, v: Self::V, count: usize);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The smaller; `b` where one of them is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// The greater; `b` where one of them is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// To the nearest whole number.
    unsafe fn round(a: Self::V) -> Self::V;
    /// 2 to the power of whole numbers in −126..=127.
    unsafe fn pow2(a: Self::V) -> Self::V;
    /// The lanes' sum.
    unsafe fn sum(a: Self::V) -> f32;
    /// The lanes' maximum.
    unsafe fn max_lane(a: Self::V) -> f32;
}

/// Plain arrays; the compiler makes of them what the target's least processor has.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

const PORTABLE_LANES: usize = 4;

#[inline(always)]
fn zip(
    a: [f32; PORTABLE_LANES],
    b: [f32; PORTABLE_LANES],
    f: impl Fn(f32, f32) -> f32,
) -> [f32; PORTABLE_LANES] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

impl Simd for Portable {
    type V = [f32; PORTABLE_LANES];
    const LANES: usize = PORTABLE_LANES;
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; PORTABLE_LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller's pointer is valid for LANES floats.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_partial(from: *const f32, count: usize) -> Self::V {
        // SAFETY: the caller's pointer is valid for `count` floats.
        std::array::from_fn(|lane| if lane < count { unsafe { *from.add(lane) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: the caller's pointer is valid for LANES floats.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn store_partial(to: *mut f32, v: Self::V, count: usize) {
        for (lane, x) in v.into_iter().enumerate().take(count) {
            // SAFETY: the caller's pointer is valid for `count` floats.
            unsafe { *to.add(lane) = x }
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // `mul_add` is a call into libm where the target has no such instruction.
        let fused = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
        std::array::from_fn(|lane| {
            if fused { a[lane].mul_add(b[lane], c[lane]) } else { a[lane] * b[lane] + c[lane] }
        })
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        // Adding 1.5 · 2²³ leaves no bits for fractions; exact for |a| < 2²².
        const MAGIC: f32 = 12_582_912.0;
        a.map(|a| (a + MAGIC) - MAGIC)
    }
    #[inline(always)]
    unsafe fn pow2(a: Self::V) -> Self::V {
        a.map(|a| f32::from_bits(((a as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    unsafe fn sum(a: Self::V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline(always)]
    unsafe fn max_lane(a: Self::V) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Bf16};

#[cfg(target_arch = "x86_64")]
mod x86 {
    #[allow(clippy::wildcard_imports)]
    use std::arch::x86_64::*;

    use super::Simd;

    /// 16 lanes.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    /// 16 lanes; where they are multiplied each holds two numbers of bf16, and `fma` adds both
    /// products to a float.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512Bf16;

    /// 8 lanes.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    // SAFETY, for all functions of these: the trait's contract gives the instructions and the
    // pointers' validity; the intrinsics used ask for nothing else.
    macro_rules! op {
        ($name:ident($($arg:ident: $kind:ty),*) -> $out:ty = $body:expr) => {
            #[inline(always)]
            unsafe fn $name($($arg: $kind),*) -> $out {
                // SAFETY: see above.
                unsafe { $body }
            }
        };
    }

    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

    macro_rules! of_512_bits {
        ($set:ident, |$a:ident, $b:ident, $c:ident| $fma:expr) => {
            impl Simd for $set {
            type V = __m512;
            const LANES: usize = 16;
            const TILE_ROWS: usize = 8;

            op!(splat(x: f32) -> __m512 = _mm512_set1_ps(x));
            op!(load(from: *const f32) -> __m512 = _mm512_loadu_ps(from));
            op!(load_partial(from: *const f32, count: usize) -> __m512 =
                _mm512_maskz_loadu_ps((1 << count) - 1, from));
            op!(store(to: *mut f32, v: __m512) -> () = _mm512_storeu_ps(to, v));
            op!(store_partial(to: *mut f32, v: __m512, count: usize) -> () =
                _mm512_mask_storeu_ps(to, (1 << count) - 1, v));
            op!(add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b));
            op!(sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b));
            op!(mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b));
            op!(div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b));
            op!(fma($a: __m512, $b: __m512, $c: __m512) -> __m512 = $fma);
            op!(min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b));
            op!(max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b));
            op!(round(a: __m512) -> __m512 = _mm512_roundscale_ps::<NEAREST>(a));
            op!(pow2(a: __m512) -> __m512 = _mm512_scalef_ps(_mm512_set1_ps(1.0), a));
            op!(sum(a: __m512) -> f32 = _mm512_reduce_add_ps(a));
            op!(max_lane(a: __m512) -> f32 = _mm512_reduce_max_ps(a));
            }
        };
    }

    of_512_bits!(Avx512, |a, b, c| _mm512_fmadd_ps(a, b, c));
    of_512_bits!(Avx512Bf16, |a, b, c| _mm512_dpbf16_ps(
        c,
        std::mem::transmute::<__m512, __m512bh>(a),
        std::mem::transmute::<__m512, __m512bh>(b),
    ));

    /// `-1` in the first `count` lanes.
    #[inline(always)]
    unsafe fn mask(count: usize) -> __m256i {
        const EDGE: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: count < 8, so eight numbers from `8 - count` on lie inside EDGE.
        unsafe { _mm256_loadu_si256(EDGE.as_ptr().add(8 - count).cast()) }
    }

    impl Simd for Avx2 {
        type V = __m256;
        const LANES: usize = 8;
        const TILE_ROWS: usize = 6;

        op!(splat(x: f32) -> __m256 = _mm256_set1_ps(x));
        op!(load(from: *const f32) -> __m256 = _mm256_loadu_ps(from));
        op!(load_partial(from: *const f32, count: usize) -> __m256 = _mm256_maskload_ps(from, mask(count)));
        op!(store(to: *mut f32, v: __m256) -> () = _mm256_storeu_ps(to, v));
        op!(store_partial(to: *mut f32, v: __m256, count: usize) -> () =
            _mm256_maskstore_ps(to, mask(count), v));
        op!(add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b));
        op!(sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b));
        op!(mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b));
        op!(div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b));
        op!(fma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c));
        op!(min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b));
        op!(max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b));
        op!(round(a: __m256) -> __m256 = _mm256_round_ps::<NEAREST>(a));
        op!(pow2(a: __m256) -> __m256 = {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        });
        op!(sum(a: __m256) -> f32 = {
            let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        });
        op!(max_lane(a: __m256) -> f32 = {
            let half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        });
    }
}
