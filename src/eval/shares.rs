//! What a share of right ones says of the share that was promised.
//!
//! in: how many were decided, how many of them were right, what was asked for
//! out: Wilson's interval; how likely so few right ones are if the promise is kept
//! source: Wilson 1927, "Probable inference, the law of succession, and statistical inference";
//! Clopper & Pearson 1934 (the binomial tail); Holm 1979
//! reference: statsmodels `proportion_confint(method="wilson")`, scipy `binom.cdf`

use serde::{Deserialize, Serialize};

use super::{bootstrap::Interval, significance::holm};

/// The normal deviate that 2.5 % lie above.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Fewer decisions than this say too little of a share to hold it against a promise.
pub const MIN_JUDGED: usize = 10;

/// A promise that is kept is held to be broken so often.
const LEVEL: f64 = 0.05;

/// Both ends of Wilson's interval of a share, `z` deviates wide: 0 and 1 of nothing.
///
/// `z = 0` is the share itself.
#[must_use]
pub fn wilson(right: f64, decided: f64, z: f64) -> (f64, f64) {
    if decided <= 0.0 {
        return (0.0, 1.0);
    }
    let (share, z2) = (right / decided, z * z / decided);
    let spread = z * (share.mul_add(1.0 - share, z2 / 4.0) / decided).sqrt();
    let at = |end: f64| (share + z2 / 2.0 + end) / (1.0 + z2);
    (at(-spread), at(spread))
}

/// How likely at most so many of so many are right, each with this probability.
#[must_use]
pub fn binomial_at_most(right: usize, decided: usize, probability: f64) -> f64 {
    if right >= decided || probability <= 0.0 {
        return 1.0;
    }
    if probability >= 1.0 {
        return 0.0;
    }
    // In logarithms: 0.5 to the power of some thousands is no number.
    let odds = (probability / (1.0 - probability)).ln();
    let mut term = decided as f64 * (-probability).ln_1p();
    let mut terms = vec![term];
    for k in 1..=right {
        term += ((decided - k + 1) as f64 / k as f64).ln() + odds;
        terms.push(term);
    }
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|term| (term - largest).exp()).sum();
    (largest + sum.ln()).exp().min(1.0)
}

/// What a promise comes to in one genre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Titles that were given the genre.
    pub decided: usize,
    /// Those that have it.
    pub right: usize,
    /// Their share with Wilson's 95 % interval; 0 (0–1) where nothing was decided.
    pub precision: Interval,
    /// How likely so few right ones or fewer are where each is right as often as asked
    /// (one-sided, binomial); `None` for fewer than [`MIN_JUDGED`] decisions.
    pub p_value: Option<f64>,
    /// The same after Holm, over the genres that are judged at this precision.
    pub holm_p: Option<f64>,
    /// Whether the promise is broken: `p_value` at most 0.05.
    pub is_short: bool,
    /// Whether it still is after Holm.
    pub is_surely_short: bool,
}

/// `[genres]`: whether decisions, `(right, decided)` of each genre, are right as often as asked.
#[must_use]
pub fn kept(genres: &[(usize, usize)], asked: f64) -> Vec<Kept> {
    let p_of = |&(right, decided): &(usize, usize)| {
        (decided >= MIN_JUDGED).then(|| binomial_at_most(right, decided, asked))
    };
    let p_values: Vec<Option<f64>> = genres.iter().map(p_of).collect();
    let judged: Vec<f64> = p_values.iter().copied().flatten().collect();
    let mut corrected = holm(&judged).into_iter();
    let of = |(&(right, decided), &p_value): (&(usize, usize), &Option<f64>)| {
        let (low, high) = wilson(right as f64, decided as f64, Z_95);
        let value = right as f64 / decided.max(1) as f64;
        let holm_p = p_value.and_then(|_| corrected.next());
        let at_level = |p: Option<f64>| p.is_some_and(|p| p <= LEVEL);
        Kept {
            decided,
            right,
            precision: Interval { value, low, high },
            p_value,
            holm_p,
            is_short: at_level(p_value),
            is_surely_short: at_level(holm_p),
        }
    };
    genres.iter().zip(&p_values).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // statsmodels 0.14, proportion_confint(9, 10, method="wilson") and (45, 50).
        let (low, high) = wilson(9.0, 10.0, Z_95);
        assert!((low - 0.595_850).abs() < 1e-6 && (high - 0.982_124).abs() < 1e-6, "{low} {high}");
        let (low, high) = wilson(45.0, 50.0, Z_95);
        assert!((low - 0.786_398).abs() < 1e-6 && (high - 0.956_524).abs() < 1e-6, "{low} {high}");
        assert_eq!(wilson(3.0, 4.0, 0.0), (0.75, 0.75));
        assert_eq!(wilson(0.0, 0.0, Z_95), (0.0, 1.0));
    }

    #[test]
    fn the_tail_is_the_binomials() {
        // (1 + 3) / 8: none or one of three.
        assert!((binomial_at_most(1, 3, 0.5) - 0.5).abs() < 1e-14);
        // scipy 1.17, binom.cdf.
        for (right, decided, p, by_scipy) in
            [(4, 20, 0.5, 0.005_908_966_064_453_125), (8_200, 16_692, 0.5, 0.012_148_157)]
        {
            let ours = binomial_at_most(right, decided, p);
            assert!((ours / by_scipy - 1.0).abs() < 1e-6, "{right} of {decided}: {ours}");
        }
        assert_eq!(binomial_at_most(5, 5, 0.9), 1.0);
        assert_eq!(binomial_at_most(0, 0, 0.9), 1.0);
        assert_eq!(binomial_at_most(4, 5, 1.0), 0.0);
        assert_eq!(binomial_at_most(4, 5, 0.0), 1.0);
        assert_eq!(binomial_at_most(0, 100_000, 0.9), 0.0);
    }

    #[test]
    fn a_genre_is_held_to_what_was_asked_where_ten_were_decided() {
        // 4 of 20 is what the posters' rare genres had; 9 of 9 and 1 of 9 are too few to say.
        let kept = kept(&[(4, 20), (9, 9), (1, 9), (19, 20), (0, 0)], 0.5);
        let p: Vec<bool> = kept.iter().map(|genre| genre.p_value.is_some()).collect();
        assert_eq!(p, [true, false, false, true, false]);
        assert!((kept[0].p_value.unwrap() - 0.005_909).abs() < 1e-6);
        assert!((kept[0].holm_p.unwrap() - 2.0 * 0.005_909).abs() < 1e-5, "two were judged");
        assert!(kept[3].p_value.unwrap() > 0.99);
        assert!(kept[0].is_short && kept[0].is_surely_short && !kept[2].is_short);
        // 5 of 16 comes in 10.5 of 100 where half is right, 4 of 16 in 3.8: short, but not of three.
        let columns = super::kept(&[(4, 16), (5, 16), (9, 16)], 0.5);
        let short: Vec<_> = columns.iter().map(|k| (k.is_short, k.is_surely_short)).collect();
        assert_eq!(short, [(true, false), (false, false), (false, false)]);
        assert_eq!(kept[4].precision, Interval { value: 0.0, low: 0.0, high: 1.0 });
        assert!((kept[0].precision.value - 0.2).abs() < 1e-15);
    }
}
