//! The two distributions that intervals and tests read their bounds from.
//!
//! in: a number on the distribution's scale, or a probability in `(0, 1)`
//! out: a probability, or the quantile
//! source: Marsaglia 2004, "Evaluating the normal distribution", Journal of Statistical Software
//! 11(4) (the series); Abramowitz & Stegun 1964, 26.7.3 and 26.7.4 (Student's t with a whole number
//! of degrees of freedom is a finite sum)
//! reference: scipy 1.17 `scipy.stats.norm`, `scipy.stats.t`

use std::f64::consts::{FRAC_2_PI, TAU};

/// Below minus this and above it the normal distribution is 0 and 1 in double precision.
const NORMAL_END: f64 = 8.3;

/// Halvings of an interval until its ends are neighbours in double precision.
const HALVINGS: usize = 200;

/// The share of a standard normal distribution below `x`; off by less than 1e-15.
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    if x.abs() >= NORMAL_END {
        return f64::from(u8::from(x > 0.0));
    }
    let (mut sum, mut term, mut k) = (x, x, 1.0);
    loop {
        k += 2.0;
        term *= x * x / k;
        let next = sum + term;
        if next == sum {
            return 0.5 + sum * (-0.5 * x * x).exp() / TAU.sqrt();
        }
        sum = next;
    }
}

/// The `x` below which the share `p` of a standard normal distribution lies; infinite for 0 and 1.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    halve(-NORMAL_END, NORMAL_END, |x| normal_cdf(x) < p)
}

/// The chance that Student's t lies farther from 0 than `t`, on either side.
///
/// # Panics
/// No degree of freedom.
#[must_use]
pub fn student_two_sided(t: f64, degrees: u32) -> f64 {
    assert!(degrees > 0, "at least one degree of freedom");
    if t.is_infinite() {
        return 0.0;
    }
    let angle = (t.abs() / f64::from(degrees).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    // cosine^first times 1 + a/b cosine² + (a (a + 2)) / (b (b + 2)) cosine⁴ + …
    let series = |first: u32| {
        let mut term = if first == 1 { cosine } else { 1.0 };
        let mut sum = 0.0;
        let mut power = first;
        while power + 2 <= degrees {
            sum += term;
            term *= cosine * cosine * f64::from(power + 1) / f64::from(power + 2);
            power += 2;
        }
        sum
    };
    let within =
        if degrees % 2 == 1 { FRAC_2_PI * (angle + sine * series(1)) } else { sine * series(0) };
    (1.0 - within).clamp(0.0, 1.0)
}

/// The `t` within which, on both sides of 0, the share `level` of Student's t lies.
///
/// # Panics
/// No degree of freedom.
#[must_use]
pub fn student_within(level: f64, degrees: u32) -> f64 {
    let reaches = |t: f64| 1.0 - student_two_sided(t, degrees) >= level;
    let mut high = 1.0;
    while !reaches(high) && f64::is_finite(high) {
        high *= 2.0;
    }
    halve(0.0, high, |t| !reaches(t))
}

/// Where `is_below` stops being true.
fn halve(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_scipys() {
        // scipy.stats.norm.cdf and .ppf
        for (x, p) in [
            (-3.0, 0.001_349_898_031_630_094_5),
            (-1.0, 0.158_655_253_931_457_07),
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013_1),
            (6.0, 0.999_999_999_013_412_3),
        ] {
            assert!((normal_cdf(x) - p).abs() < 1e-15, "{x}: {}", normal_cdf(x));
        }
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-13);
        assert!((normal_quantile(0.001) + 3.090_232_306_167_813).abs() < 1e-12);
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!((normal_cdf(-9.0), normal_cdf(9.0)), (0.0, 1.0));
    }

    #[test]
    fn students_t_is_scipys() {
        // 2 * scipy.stats.t.sf(t, degrees)
        for (t, degrees, p) in [
            (1.0, 1, 0.5),
            (2.0, 2, 0.183_503_419_072_273_97),
            (2.0, 3, 0.139_325_968_558_842_96),
            (-0.5, 5, 0.638_298_871_640_929),
            (3.5, 14, 0.003_535_208_105_858_957_6),
        ] {
            let found = student_two_sided(t, degrees);
            assert!((found - p).abs() < 1e-14, "t {t}, {degrees} degrees: {found}");
        }
        assert_eq!(student_two_sided(0.0, 4), 1.0);
        assert_eq!(student_two_sided(f64::INFINITY, 4), 0.0);
        // scipy.stats.t.ppf(0.975, degrees)
        for (degrees, t) in [
            (1, 12.706_204_736_174_694),
            (4, 2.776_445_105_197_793_4),
            (9, 2.262_157_162_798_205),
            (99, 1.984_216_951_586_417_4),
        ] {
            assert!((student_within(0.95, degrees) - t).abs() < 1e-10, "{degrees}");
        }
    }
}
