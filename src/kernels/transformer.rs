//! The passes of a transformer between its matrix products: layer norm, softmax, GELU and its
//! approximations.
//!
//! source: exp as in Cephes' `expf` (relative error 2e-7); erf by Abramowitz and Stegun
//! 7.1.26 (absolute error 1.5e-7).
#![allow(unsafe_code)] // raw pointers into slices whose lengths are checked at the entry

use super::{Isa, on_isa, simd::Simd};

/// Normalises each row of `[rows, width]` in place: mean 0, variance 1, then `gamma` and `beta`.
///
/// # Panics
/// Where lengths do not fit each other.
pub fn layer_norm(isa: Isa, rows: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let width = gamma.len();
    assert!(width > 0 && beta.len() == width && rows.len().is_multiple_of(width));
    let num_rows = rows.len() / width;
    // SAFETY: the lengths were checked just now.
    unsafe {
        run_layer_norm(isa, rows.as_mut_ptr(), num_rows, width, gamma.as_ptr(), beta.as_ptr(), eps);
    }
}

/// Softmax of each row of `[rows, width]`, in place.
///
/// # Panics
/// Where the length is no multiple of `width`.
pub fn softmax(isa: Isa, rows: &mut [f32], width: usize) {
    assert!(width > 0 && rows.len().is_multiple_of(width));
    // SAFETY: the lengths were checked just now.
    unsafe { run_softmax(isa, rows.as_mut_ptr(), rows.len() / width, width) }
}

/// `x · Φ(x)` of each number, in place: the exact GELU, not its approximation by tanh.
pub fn gelu(isa: Isa, numbers: &mut [f32]) {
    // SAFETY: pointer and length are those of a slice.
    unsafe { run_gelu(isa, numbers.as_mut_ptr(), numbers.len()) }
}

/// `GELU` by way of tanh, `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`, in place: PyTorch's
/// `approximate="tanh"`.
pub fn gelu_tanh(isa: Isa, numbers: &mut [f32]) {
    const SLOPE: f32 = 1.595_769; // 2·√(2/π), since (1 + tanh(u))/2 = σ(2u)
    // SAFETY: pointer and length are those of a slice.
    unsafe { run_gated(isa, numbers.as_mut_ptr(), numbers.len(), SLOPE, 0.044_715 * SLOPE) }
}

/// `x · σ(1.702 x)` of each number, in place: CLIP's "quick" GELU.
pub fn gelu_quick(isa: Isa, numbers: &mut [f32]) {
    // SAFETY: pointer and length are those of a slice.
    unsafe { run_gated(isa, numbers.as_mut_ptr(), numbers.len(), 1.702, 0.0) }
}

on_isa!(run_layer_norm = layer_norm_rows(
    rows: *mut f32, num_rows: usize, width: usize, gamma: *const f32, beta: *const f32, eps: f32,
));
on_isa!(run_softmax = softmax_rows(rows: *mut f32, num_rows: usize, width: usize));
on_isa!(run_gelu = gelu_all(numbers: *mut f32, count: usize));
on_isa!(run_gated = gated_all(numbers: *mut f32, count: usize, linear: f32, cubic: f32));

#[inline(always)]
unsafe fn layer_norm_rows<S: Simd>(
    rows: *mut f32,
    num_rows: usize,
    width: usize,
    gamma: *const f32,
    beta: *const f32,
    eps: f32,
) {
    let whole = width - width % S::LANES;
    let scale = 1.0 / width as f32;
    for row in 0..num_rows {
        // SAFETY: the row's `width` floats and those of gamma and beta are the caller's.
        unsafe {
            let row = rows.add(row * width);
            let mut sums = S::splat(0.0);
            let mut idx = 0;
            while idx < whole {
                sums = S::add(sums, S::load(row.add(idx)));
                idx += S::LANES;
            }
            let mut sum = S::sum(sums);
            for idx in whole..width {
                sum += *row.add(idx);
            }
            let mean = sum * scale;

            let mut squares = S::splat(0.0);
            let mut idx = 0;
            while idx < whole {
                let centred = S::sub(S::load(row.add(idx)), S::splat(mean));
                squares = S::fma(centred, centred, squares);
                idx += S::LANES;
            }
            let mut square = S::sum(squares);
            for idx in whole..width {
                square += (*row.add(idx) - mean).powi(2);
            }
            let factor = 1.0 / (square * scale + eps).sqrt();

            let mut idx = 0;
            while idx < whole {
                let centred = S::sub(S::load(row.add(idx)), S::splat(mean));
                let scaled = S::mul(centred, S::splat(factor));
                S::store(
                    row.add(idx),
                    S::fma(scaled, S::load(gamma.add(idx)), S::load(beta.add(idx))),
                );
                idx += S::LANES;
            }
            for idx in whole..width {
                *row.add(idx) = (*row.add(idx) - mean) * factor * *gamma.add(idx) + *beta.add(idx);
            }
        }
    }
}

#[inline(always)]
unsafe fn softmax_rows<S: Simd>(rows: *mut f32, num_rows: usize, width: usize) {
    let whole = width - width % S::LANES;
    for row in 0..num_rows {
        // SAFETY: the row's `width` floats are the caller's.
        unsafe {
            let row = rows.add(row * width);
            let mut greatest = S::splat(f32::NEG_INFINITY);
            let mut idx = 0;
            while idx < whole {
                greatest = S::max(greatest, S::load(row.add(idx)));
                idx += S::LANES;
            }
            let mut max = S::max_lane(greatest);
            for idx in whole..width {
                max = max.max(*row.add(idx));
            }

            let mut sums = S::splat(0.0);
            let mut idx = 0;
            while idx < whole {
                let power = exp::<S>(S::sub(S::load(row.add(idx)), S::splat(max)));
                S::store(row.add(idx), power);
                sums = S::add(sums, power);
                idx += S::LANES;
            }
            let mut sum = S::sum(sums);
            if whole < width {
                let rest = S::load_partial(row.add(whole), width - whole);
                S::store_partial(
                    row.add(whole),
                    exp::<S>(S::sub(rest, S::splat(max))),
                    width - whole,
                );
            }
            for idx in whole..width {
                sum += *row.add(idx);
            }

            let factor = 1.0 / sum;
            let mut idx = 0;
            while idx < whole {
                S::store(row.add(idx), S::mul(S::load(row.add(idx)), S::splat(factor)));
                idx += S::LANES;
            }
            for idx in whole..width {
                *row.add(idx) *= factor;
            }
        }
    }
}

#[inline(always)]
unsafe fn gelu_all<S: Simd>(numbers: *mut f32, count: usize) {
    let whole = count - count % S::LANES;
    // SAFETY: `count` floats are the caller's.
    unsafe {
        let mut idx = 0;
        while idx < whole {
            S::store(numbers.add(idx), gelu_of::<S>(S::load(numbers.add(idx))));
            idx += S::LANES;
        }
        if whole < count {
            let rest = S::load_partial(numbers.add(whole), count - whole);
            S::store_partial(numbers.add(whole), gelu_of::<S>(rest), count - whole);
        }
    }
}

#[inline(always)]
unsafe fn gated_all<S: Simd>(numbers: *mut f32, count: usize, linear: f32, cubic: f32) {
    let whole = count - count % S::LANES;
    // SAFETY: `count` floats are the caller's.
    unsafe {
        let (linear, cubic) = (S::splat(linear), S::splat(cubic));
        let mut idx = 0;
        while idx < whole {
            S::store(numbers.add(idx), gated::<S>(S::load(numbers.add(idx)), linear, cubic));
            idx += S::LANES;
        }
        if whole < count {
            let rest = S::load_partial(numbers.add(whole), count - whole);
            S::store_partial(numbers.add(whole), gated::<S>(rest, linear, cubic), count - whole);
        }
    }
}

/// `x · σ(linear · x + cubic · x³)`.
#[inline(always)]
unsafe fn gated<S: Simd>(x: S::V, linear: S::V, cubic: S::V) -> S::V {
    // SAFETY: the processor has the instructions.
    unsafe {
        let gate = S::mul(x, S::fma(S::mul(x, x), cubic, linear));
        let one = S::splat(1.0);
        S::div(x, S::add(one, exp::<S>(S::sub(S::splat(0.0), gate))))
    }
}

/// `x/2 · (1 + erf(x/√2))`.
#[inline(always)]
unsafe fn gelu_of<S: Simd>(x: S::V) -> S::V {
    const TERMS: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    // SAFETY: the processor has the instructions.
    unsafe {
        let one = S::splat(1.0);
        let negative = S::sub(S::splat(0.0), x);
        let z = S::mul(S::max(x, negative), S::splat(std::f32::consts::FRAC_1_SQRT_2)); // |x|/√2
        let t = S::div(one, S::fma(z, S::splat(0.327_591_1), one));
        let mut polynomial = S::splat(TERMS[0]);
        for term in &TERMS[1..] {
            polynomial = S::fma(polynomial, t, S::splat(*term));
        }
        // 1 − erf(z), which is also 1 + erf(−z).
        let tail = S::mul(S::mul(polynomial, t), exp::<S>(S::mul(S::sub(S::splat(0.0), z), z)));
        // For x ≥ 0: x/2·(2 − tail) = x − x/2·tail; for x < 0: x/2·tail. Both are
        // max(x, 0) − |x|/2·tail.
        let half = S::mul(S::max(x, negative), S::splat(0.5));
        S::sub(S::max(S::splat(0.0), x), S::mul(half, tail))
    }
}

/// eˣ; below −87 it is what it is there.
#[inline(always)]
pub(super) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    const TERMS: [f32; 6] =
        [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    // SAFETY: the processor has the instructions.
    unsafe {
        let x = S::min(S::splat(88.0), S::max(S::splat(-87.0), x));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        // ln 2 in two parts, so that the remainder is exact.
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut polynomial = S::splat(TERMS[0]);
        for term in &TERMS[1..] {
            polynomial = S::fma(polynomial, r, S::splat(*term));
        }
        let power = S::fma(S::mul(r, r), polynomial, S::add(r, S::splat(1.0)));
        S::mul(power, S::pow2(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{D, Device, Tensor};
    use proptest::prelude::*;

    const EPS: f32 = 1e-5;

    fn flat(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Layer norm of one row in double precision, and how far single precision may be off: a
    /// rounding of the greatest number, made as much larger as the row's spread is small.
    fn normal(row: &[f32], gamma: &[f32], beta: &[f32]) -> (Vec<f64>, f64) {
        let wide: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
        let mean = wide.iter().sum::<f64>() / wide.len() as f64;
        let square = wide.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / wide.len() as f64;
        let factor = 1.0 / (square + f64::from(EPS)).sqrt();
        let scaled =
            wide.iter().zip(gamma).zip(beta).map(|((x, gamma), beta)| {
                (x - mean) * factor * f64::from(*gamma) + f64::from(*beta)
            });
        let greatest = wide.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        (scaled.collect(), 1e-6 * (1.0 + 2.0 * greatest * factor))
    }

    /// A matrix of up to four rows, with gamma and beta.
    fn input() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, Vec<f32>)> {
        (1_usize..5, 1_usize..70).prop_flat_map(|(rows, width)| {
            let numbers = |len| prop::collection::vec(-8_f32..8.0, len);
            (numbers(rows * width), numbers(width), numbers(width))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_instruction_set_gives_what_the_formulas_say((x, gamma, beta) in input()) {
            let width = gamma.len();
            let matrix = Tensor::new(x.as_slice(), &Device::Cpu).unwrap().reshape(((), width)).unwrap();
            let soft = flat(&candle_nn::ops::softmax(&matrix, D::Minus1).unwrap());
            let gelus = flat(&matrix.gelu_erf().unwrap());
            let by_tanh = flat(&matrix.gelu().unwrap());
            let quick = x.iter().map(|x| f64::from(*x)).map(|x| (x / (1.0 + (-1.702 * x).exp())) as f32);
            let quick: Vec<f32> = quick.collect();
            for isa in Isa::available() {
                let mut found = [0; 5].map(|_| x.clone());
                layer_norm(isa, &mut found[0], &gamma, &beta, EPS);
                for (found, row) in found[0].chunks(width).zip(x.chunks(width)) {
                    let (expected, rounding) = normal(row, &gamma, &beta);
                    for ((found, expected), gamma) in found.iter().zip(expected).zip(&gamma) {
                        let tolerance = rounding * f64::from(gamma.abs().max(1.0)) + 1e-6 * expected.abs();
                        let distance = (f64::from(*found) - expected).abs();
                        prop_assert!(distance <= tolerance, "{isa:?}: {found} for {expected}");
                    }
                }
                softmax(isa, &mut found[1], width);
                gelu(isa, &mut found[2]);
                gelu_tanh(isa, &mut found[3]);
                gelu_quick(isa, &mut found[4]);
                for (found, expected) in found[1..].iter().zip([&soft, &gelus, &by_tanh, &quick]) {
                    for (found, expected) in found.iter().zip(expected) {
                        let tolerance = 2e-6 * expected.abs().max(1.0);
                        prop_assert!((found - expected).abs() <= tolerance, "{isa:?}: {found} for {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn far_from_zero_they_are_what_they_should_be() {
        for isa in Isa::available() {
            for (function, smallest) in
                [(gelu as fn(Isa, &mut [f32]), 1e-30), (gelu_tanh, 1e-30), (gelu_quick, 1e-13)]
            {
                let mut x = [-1e4, -20.0, -0.0, 0.0, 20.0, 1e4];
                function(isa, &mut x);
                for (found, expected) in x.into_iter().zip([0.0_f32, 0.0, 0.0, 0.0, 20.0, 1e4]) {
                    assert!((found - expected).abs() < smallest, "{isa:?}: {x:?}");
                }
            }
            let mut x = [-1e30, 1e3, f32::NEG_INFINITY, 1e3];
            softmax(isa, &mut x, 4);
            for (found, expected) in x.into_iter().zip([0.0, 0.5, 0.0, 0.5]) {
                assert!((found - expected).abs() < 1e-6, "{isa:?}: {x:?}");
            }
        }
    }
}
