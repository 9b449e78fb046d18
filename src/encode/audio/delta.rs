//! Slopes and curvatures of a series over time.
//!
//! in: one value a frame; out: its local derivative, one value a frame, from the polynomial
//! that fits a window of frames best (Savitzky–Golay); at the ends the polynomial of the
//! first and last whole window is read on.
//! source: Savitzky and Golay 1964; Furui 1986 for their use in speech.
//! reference: librosa 0.11 `feature.delta(order=1|2, mode="interp")`.

/// Frames of a window: librosa's default.
pub(super) const WIDTH: usize = 9;

/// Which derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Slope of the best line, per frame.
    First,
    /// Second derivative of the best parabola, per frame².
    Second,
}

/// The derivative of `series`, as long as it. Where it is shorter than [`WIDTH`], the
/// window is the longest odd one that fits; fewer than three frames have no derivative: 0.
pub(super) fn delta(series: &[f32], order: Order) -> Vec<f32> {
    let len = series.len();
    let width = WIDTH.min(len - usize::from(len.is_multiple_of(2) && len > 0));
    if width < 3 {
        return vec![0.0; len];
    }
    let weights = weights(width, order);
    let half = width / 2;
    let fitted: Vec<f32> = series
        .windows(width)
        .map(|window| window.iter().zip(&weights).map(|(x, w)| f64::from(*x) * w).sum::<f64>())
        .map(|sum| sum as f32)
        .collect();
    // Both derivatives are constant over their window, so reading on is repeating.
    (0..len).map(|i| fitted[i.saturating_sub(half).min(fitted.len() - 1)]).collect()
}

/// Least-squares weights over −h..=h. With u = k the slope of the line is Σux/Σu²; with
/// v = k² − mean(k²) the parabola's second derivative is 2·Σvx/Σv².
fn weights(width: usize, order: Order) -> Vec<f64> {
    let half = (width / 2) as f64;
    let positions: Vec<f64> = (0..width).map(|i| i as f64 - half).collect();
    let mean_square = positions.iter().map(|k| k * k).sum::<f64>() / width as f64;
    let (basis, factor): (Vec<f64>, f64) = match order {
        Order::First => (positions, 1.0),
        Order::Second => (positions.iter().map(|k| k * k - mean_square).collect(), 2.0),
    };
    let norm: f64 = basis.iter().map(|b| b * b).sum();
    basis.iter().map(|b| factor * b / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_parabolas_have_the_derivatives_of_school() {
        let line: Vec<f32> = (0..20).map(|t| 3.0 * t as f32 - 7.0).collect();
        assert!(delta(&line, Order::First).iter().all(|d| (d - 3.0).abs() < 1e-5));
        assert!(delta(&line, Order::Second).iter().all(|d| d.abs() < 1e-5));
        let parabola: Vec<f32> = (0..20).map(|t| 0.5 * (t * t) as f32).collect();
        assert!(delta(&parabola, Order::Second).iter().all(|d| (d - 1.0).abs() < 1e-4));
    }

    #[test]
    fn short_series_use_the_window_that_fits() {
        let line: Vec<f32> = (0..8).map(|t| 2.0 * t as f32).collect();
        for len in 3..=8 {
            let slopes = delta(&line[..len], Order::First);
            assert_eq!(slopes.len(), len);
            assert!(slopes.iter().all(|d| (d - 2.0).abs() < 1e-5), "{len}");
        }
        for len in 0..3 {
            assert_eq!(delta(&line[..len], Order::First), vec![0.0; len]);
        }
    }
}
