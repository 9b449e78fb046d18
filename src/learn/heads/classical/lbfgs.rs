//! Limited-memory BFGS for smooth convex functions.
//!
//! source: Nocedal and Wright 2006, algorithms 7.4 and 7.5; step by backtracking (Armijo)

/// Pairs of steps and gradient changes that are kept.
const MEMORY: usize = 10;
/// Share of the promised decrease that a step must bring.
const ARMIJO: f64 = 1e-4;
/// Halvings of a step before the search gives up.
const MAX_HALVINGS: usize = 30;

/// Moves `x` to the minimum of `value_and_gradient` (the gradient is written into its second
/// argument): until no component of the gradient is above `tolerance`, `max_steps` are done, or
/// no step brings anything in the numbers' precision.
pub fn minimise(
    x: &mut [f64],
    mut value_and_gradient: impl FnMut(&[f64], &mut [f64]) -> f64,
    tolerance: f64,
    max_steps: usize,
) {
    let mut gradient = vec![0.0; x.len()];
    let mut value = value_and_gradient(x, &mut gradient);
    let mut pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    for _ in 0..max_steps {
        let steepest = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        if steepest <= tolerance {
            return;
        }
        let mut direction = two_loops(&gradient, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = dot(&direction, &gradient);
        }
        // Nothing is known of the scale yet: a first step of length 1 at most.
        let mut step = if pairs.is_empty() { 1.0 / (-slope).sqrt().max(1.0) } else { 1.0 };
        let mut there = x.to_vec();
        let mut gradient_there = vec![0.0; x.len()];
        let mut halvings = 0;
        let value_there = loop {
            for ((there, x), d) in there.iter_mut().zip(&*x).zip(&direction) {
                *there = x + step * d;
            }
            let value_there = value_and_gradient(&there, &mut gradient_there);
            if value_there <= value + ARMIJO * step * slope {
                break value_there;
            }
            halvings += 1;
            if halvings > MAX_HALVINGS {
                return;
            }
            step *= 0.5;
        };
        let moved: Vec<f64> = there.iter().zip(&*x).map(|(a, b)| a - b).collect();
        let changed: Vec<f64> = gradient_there.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &changed);
        if curvature > 1e-12 * dot(&changed, &changed) {
            if pairs.len() == MEMORY {
                pairs.remove(0);
            }
            pairs.push((moved, changed, 1.0 / curvature));
        }
        x.copy_from_slice(&there);
        value = value_there;
        gradient = gradient_there;
    }
}

/// Minus the inverse Hessian as the pairs show it, times the gradient.
fn two_loops(gradient: &[f64], pairs: &[(Vec<f64>, Vec<f64>, f64)]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(pairs.len());
    for (moved, changed, rho) in pairs.iter().rev() {
        let alpha = rho * dot(moved, &q);
        add(&mut q, -alpha, changed);
        alphas.push(alpha);
    }
    if let Some((_, changed, rho)) = pairs.last() {
        let scale = 1.0 / (rho * dot(changed, changed));
        for q in &mut q {
            *q *= scale;
        }
    }
    for ((moved, changed, rho), alpha) in pairs.iter().zip(alphas.into_iter().rev()) {
        let beta = rho * dot(changed, &q);
        add(&mut q, alpha - beta, moved);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(sum: &mut [f64], factor: f64, part: &[f64]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += factor * part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_an_ill_conditioned_bowl() {
        let scales = [1.0, 100.0, 1e4];
        let mut x = [5.0, -3.0, 2.0];
        let bowl = |x: &[f64], gradient: &mut [f64]| {
            let mut value = 0.0;
            for (i, (gradient, scale)) in gradient.iter_mut().zip(scales).enumerate() {
                let away = x[i] - i as f64;
                *gradient = 2.0 * scale * away;
                value += scale * away * away;
            }
            value
        };
        minimise(&mut x, bowl, 1e-9, 200);
        for (i, x) in x.iter().enumerate() {
            assert!((x - i as f64).abs() < 1e-9, "{x}");
        }
    }
}
