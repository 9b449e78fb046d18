//! Positions for pictures of another side than they were learnt for.
//!
//! reference: `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)`.

/// Steepness of the cubic's outer part; PyTorch's choice.
const A: f64 = -0.75;

/// `[grid, grid, dim]` to `[wanted, wanted, dim]`, bicubic; the same where the grids are equal.
pub(super) fn interpolated(positions: &[f32], grid: usize, wanted: usize) -> Vec<f32> {
    if grid == wanted {
        return positions.to_vec();
    }
    let dim = positions.len() / (grid * grid);
    let taps: Vec<[(usize, f64); 4]> = (0..wanted).map(|at| taps(at, grid, wanted)).collect();
    let mut out = Vec::with_capacity(wanted * wanted * dim);
    for rows in &taps {
        for columns in &taps {
            let mut sum = vec![0.0; dim];
            for (row, weight) in rows {
                for (column, other) in columns {
                    let from = &positions[(row * grid + column) * dim..][..dim];
                    for (sum, x) in sum.iter_mut().zip(from) {
                        *sum += weight * other * f64::from(*x);
                    }
                }
            }
            out.extend(sum.into_iter().map(|x| x as f32));
        }
    }
    out
}

/// The four places that one is made of, and how much of each; the edge's is repeated beyond it.
fn taps(at: usize, grid: usize, wanted: usize) -> [(usize, f64); 4] {
    let place = (at as f64 + 0.5) * grid as f64 / wanted as f64 - 0.5;
    let fraction = place - place.floor();
    let near = |t: f64| ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0;
    let far = |t: f64| ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A;
    let weights = [far(fraction + 1.0), near(fraction), near(1.0 - fraction), far(2.0 - fraction)];
    std::array::from_fn(|tap| {
        let idx = (place.floor() + tap as f64 - 1.0).clamp(0.0, (grid - 1) as f64);
        (idx as usize, weights[tap])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_and_corners_hold() {
        let out = interpolated(&[2.5; 9 * 2], 3, 7);
        assert_eq!(out.len(), 7 * 7 * 2);
        assert!(out.iter().all(|x| (x - 2.5).abs() < 1e-6));
        let ramp: Vec<f32> = (0..16).map(|x| x as f32).collect();
        assert_eq!(interpolated(&ramp, 4, 4), ramp);
        // Halved, each place lies between two: (−3, 19, 19, −3)/32 of its neighbours.
        let halved = interpolated(&ramp, 4, 2);
        let at = |x: [f64; 4]| (-3.0 * x[0] + 19.0 * x[1] + 19.0 * x[2] - 3.0 * x[3]) / 32.0;
        let expected = at([0.0, 0.0, 1.0, 2.0]) * 5.0;
        assert!((f64::from(halved[0]) - expected).abs() < 1e-6, "{halved:?} {expected}");
    }
}
