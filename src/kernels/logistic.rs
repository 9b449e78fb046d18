//! Logistic losses with their slopes, as many at once as a vector holds.
//!
//! source: exp as in [`super::transformer`]; ln(1 + x) by the series of the inverse hyperbolic
//! tangent, relative error 2e-7.
#![allow(unsafe_code)] // raw pointers into slices whose lengths are checked at the entry

use super::{Isa, on_isa, simd::Simd, transformer::exp};

/// Replaces each score by the slope of its loss, `−sign · weight / (1 + exp(sign · score))`, and
/// writes the loss itself, `weight · ln(1 + exp(−sign · score))`. Signs are 1 or −1.
///
/// # Panics
/// Where lengths differ.
pub fn logistic_losses(
    isa: Isa,
    signs: &[f32],
    weights: &[f32],
    scores: &mut [f32],
    losses: &mut [f32],
) {
    let count = scores.len();
    assert!(signs.len() == count && weights.len() == count && losses.len() == count);
    // SAFETY: the lengths were checked just now.
    unsafe {
        run(isa, signs.as_ptr(), weights.as_ptr(), scores.as_mut_ptr(), losses.as_mut_ptr(), count);
    }
}

on_isa!(run = all(
    signs: *const f32, weights: *const f32, scores: *mut f32, losses: *mut f32, count: usize,
));

/// # Safety
/// All pointers are valid for `count` floats; the processor has the set.
#[inline(always)]
unsafe fn all<S: Simd>(
    signs: *const f32,
    weights: *const f32,
    scores: *mut f32,
    losses: *mut f32,
    count: usize,
) {
    let whole = count / S::LANES * S::LANES;
    // SAFETY: the caller's.
    unsafe {
        let mut at = 0;
        while at < whole {
            let (loss, slope) = loss_of::<S>(
                S::load(signs.add(at)),
                S::load(weights.add(at)),
                S::load(scores.add(at)),
            );
            S::store(losses.add(at), loss);
            S::store(scores.add(at), slope);
            at += S::LANES;
        }
        let rest = count - whole;
        if rest > 0 {
            let (loss, slope) = loss_of::<S>(
                S::load_partial(signs.add(at), rest),
                S::load_partial(weights.add(at), rest),
                S::load_partial(scores.add(at), rest),
            );
            S::store_partial(losses.add(at), loss, rest);
            S::store_partial(scores.add(at), slope, rest);
        }
    }
}

#[inline(always)]
unsafe fn loss_of<S: Simd>(sign: S::V, weight: S::V, score: S::V) -> (S::V, S::V) {
    /// 2/15, 2/13 … 2/1: of the tangent's odd powers.
    const TERMS: [f32; 8] =
        [2.0 / 15.0, 2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0];
    // SAFETY: the processor has the instructions.
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        let against = S::sub(zero, S::mul(sign, score)); // minus the margin
        let odds = exp::<S>(against);
        let wrong = S::div(odds, S::add(one, odds));
        // ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(−|x|))
        let small = S::min(odds, S::div(one, odds));
        let z = S::div(small, S::add(S::splat(2.0), small));
        let square = S::mul(z, z);
        let mut series = S::splat(TERMS[0]);
        for term in &TERMS[1..] {
            series = S::fma(series, square, S::splat(*term));
        }
        let loss = S::fma(z, series, S::max(against, zero));
        (S::mul(weight, loss), S::sub(zero, S::mul(S::mul(sign, weight), wrong)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_instruction_set_gives_what_the_formulas_say(
            rows in prop::collection::vec((any::<bool>(), 0.1_f32..9.0, -30_f32..30.0), 1..70),
        ) {
            let signs: Vec<f32> = rows.iter().map(|r| if r.0 { 1.0 } else { -1.0 }).collect();
            let weights: Vec<f32> = rows.iter().map(|r| r.1).collect();
            for isa in Isa::available() {
                let mut slopes: Vec<f32> = rows.iter().map(|r| r.2).collect();
                let mut losses = vec![0.0; rows.len()];
                logistic_losses(isa, &signs, &weights, &mut slopes, &mut losses);
                for (at, row) in rows.iter().enumerate() {
                    let (sign, weight) = (f64::from(signs[at]), f64::from(row.1));
                    let odds = (-sign * f64::from(row.2)).exp();
                    let expected = [weight * odds.ln_1p(), -sign * weight * odds / (1.0 + odds)];
                    for (found, expected) in [losses[at], slopes[at]].into_iter().zip(expected) {
                        let off = (f64::from(found) - expected).abs();
                        prop_assert!(off <= 1e-6 * expected.abs(), "{isa:?}: {found} for {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn far_from_zero_nothing_overflows() {
        for isa in Isa::available() {
            let mut slopes = [1e4, -1e4, 1e30];
            let mut losses = [0.0; 3];
            logistic_losses(isa, &[1.0; 3], &[2.0; 3], &mut slopes, &mut losses);
            assert!(losses[0] < 1e-30 && losses[2] < 1e-30, "{isa:?}: {losses:?}");
            assert_eq!((losses[1], slopes[1]), (2e4, -2.0), "{isa:?}");
            assert!(slopes[0].abs() < 1e-30 && slopes[2].abs() < 1e-30, "{isa:?}: {slopes:?}");
        }
    }
}
