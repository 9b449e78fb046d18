//! Sums over slices, several at a time.
//!
//! A plain loop waits for each addition before it begins the next one, since the order of
//! floating-point additions is part of the result; here as many run as fill the processor.
#![allow(unsafe_code)] // raw pointers into slices whose lengths are checked at the entry

use super::{Isa, on_isa, simd::Simd};

/// Sums that grow side by side.
const CHAINS: usize = 4;

/// `Σ a[i] · b[i]` over the shorter of the two; 0 for none.
#[must_use]
pub fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = 0.0;
    // SAFETY: both slices have so many floats.
    unsafe { run_dot(isa, a.as_ptr(), b.as_ptr(), a.len().min(b.len()), &raw mut sum) }
    sum
}

/// `Σ a[i]`; 0 for none.
#[must_use]
pub fn sum(isa: Isa, a: &[f32]) -> f32 {
    let mut sum = 0.0;
    // SAFETY: the slice has so many floats.
    unsafe { run_sum(isa, a.as_ptr(), a.len(), &raw mut sum) }
    sum
}

on_isa!(run_dot = dot_of(a: *const f32, b: *const f32, len: usize, result: *mut f32));
on_isa!(run_sum = sum_of(a: *const f32, len: usize, result: *mut f32));

/// # Safety
/// Both pointers are valid for `len` floats; the processor has the set.
#[inline(always)]
unsafe fn dot_of<S: Simd>(a: *const f32, b: *const f32, len: usize, result: *mut f32) {
    // SAFETY: the caller's.
    unsafe {
        *result = fold::<S>(
            len,
            #[inline(always)]
            |at, sum| S::fma(S::load(a.add(at)), S::load(b.add(at)), sum),
            #[inline(always)]
            |at, count, sum| {
                S::fma(S::load_partial(a.add(at), count), S::load_partial(b.add(at), count), sum)
            },
        );
    }
}

/// # Safety
/// As [`dot_of`]'s.
#[inline(always)]
unsafe fn sum_of<S: Simd>(a: *const f32, len: usize, result: *mut f32) {
    // SAFETY: the caller's.
    unsafe {
        *result = fold::<S>(
            len,
            #[inline(always)]
            |at, sum| S::add(S::load(a.add(at)), sum),
            #[inline(always)]
            |at, count, sum| S::add(S::load_partial(a.add(at), count), sum),
        );
    }
}

/// Adds up `len` lanes: whole vectors by `whole`, the rest by `rest`.
#[inline(always)]
unsafe fn fold<S: Simd>(
    len: usize,
    whole: impl Fn(usize, S::V) -> S::V,
    rest: impl Fn(usize, usize, S::V) -> S::V,
) -> f32 {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [S::splat(0.0); CHAINS];
        let mut at = 0;
        while at + CHAINS * S::LANES <= len {
            for (chain, sum) in sums.iter_mut().enumerate() {
                *sum = whole(at + chain * S::LANES, *sum);
            }
            at += CHAINS * S::LANES;
        }
        while at + S::LANES <= len {
            sums[0] = whole(at, sums[0]);
            at += S::LANES;
        }
        if at < len {
            sums[1] = rest(at, len - at, sums[1]);
        }
        S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equal_sums_in_double_precision(
            (a, b) in (0_usize..300).prop_flat_map(|len| {
                let numbers = || prop::collection::vec(-8_f32..8.0, len);
                (numbers(), numbers())
            })
        ) {
            let products = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b));
            let (exact, size) = products.clone().fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
            let plain: f64 = a.iter().map(|x| f64::from(*x)).sum();
            let plain_size: f64 = a.iter().map(|x| f64::from(x.abs())).sum();
            for isa in Isa::available() {
                let found = f64::from(dot(isa, &a, &b));
                prop_assert!((found - exact).abs() <= 1e-6 * size, "{isa:?}: {found} for {exact}");
                let found = f64::from(sum(isa, &a));
                prop_assert!((found - plain).abs() <= 1e-6 * plain_size, "{isa:?}: {found} for {plain}");
            }
        }
    }
}
