//! Statistics of a series over a window's frames.
//!
//! in: one value a frame, at least one; out: single numbers.
//! reference: numpy `mean`, `std` (population), `quantile` (linear interpolation).

/// A statistic over frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Population standard deviation.
    Std,
    /// The value below which a tenth of the frames lies.
    P10,
    /// The value below which nine tenths of the frames lie.
    P90,
}

impl Statistic {
    /// The name, as it stands in `encoder.json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Std => "std",
            Self::P10 => "p10",
            Self::P90 => "p90",
        }
    }

    /// The statistic of a series; 0 for an empty one.
    pub(super) fn of(self, series: &[f32]) -> f32 {
        match self {
            Self::Mean => mean(series) as f32,
            Self::Std => {
                let mean = mean(series);
                let squares = series.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
                (squares / series.len().max(1) as f64).sqrt() as f32
            }
            Self::P10 => quantile(series, 0.1),
            Self::P90 => quantile(series, 0.9),
        }
    }
}

fn mean(series: &[f32]) -> f64 {
    series.iter().map(|&x| f64::from(x)).sum::<f64>() / series.len().max(1) as f64
}

fn quantile(series: &[f32], share: f64) -> f32 {
    let mut sorted = series.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    let part = (at - below as f64) as f32;
    sorted[below] + part * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_numpys() {
        let series = [4.0, 1.0, 3.0, 2.0, 10.0];
        assert_eq!(Statistic::Mean.of(&series), 4.0);
        assert!((Statistic::Std.of(&series) - 10f32.sqrt()).abs() < 1e-6);
        assert!((Statistic::P10.of(&series) - 1.4).abs() < 1e-6);
        assert!((Statistic::P90.of(&series) - 7.6).abs() < 1e-6);
    }

    #[test]
    fn one_value_and_none_are_finite() {
        use Statistic::{Mean, P10, P90, Std};
        assert_eq!([Mean, Std, P10, P90].map(|s| s.of(&[2.5])), [2.5, 0.0, 2.5, 2.5]);
        assert_eq!([Mean, Std, P10, P90].map(|s| s.of(&[])), [0.0; 4]);
    }
}
