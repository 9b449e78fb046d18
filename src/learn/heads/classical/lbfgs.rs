//! Limited-memory BFGS for smooth convex functions.
//!
//! source: Nocedal and Wright 2006, algorithms 7.4 and 7.5; step by backtracking (Armijo)

/// Pairs of steps and gradient changes that are kept.
const MEMORY: usize = 10;
/// Share of the promised decrease that a step must bring.
const ARMIJO: f64 = 1e-4;
/// Halvings of a step before the search gives up.
const MAX_HALVINGS: usize = 30;

/// One search for a minimum. It asks for values and gradients instead of calling a function, so that
/// several searches can be answered together.
pub struct Search {
    tolerance: f64,
    steps_left: usize,
    /// The best point so far, with its value and gradient.
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    /// Steps, changes of the gradient, 1 / their product.
    pairs: Vec<(Vec<f64>, Vec<f64>, f64)>,
    /// Where it goes from `x`; empty before the first answer.
    direction: Vec<f64>,
    slope: f64,
    step: f64,
    halvings: usize,
    /// The point that is asked for; `None` at the end.
    asked: Option<Vec<f64>>,
}

impl Search {
    /// From `x`, until no component of the gradient is above `tolerance`, `max_steps` are done, or no
    /// step brings anything in the numbers' precision.
    pub fn new(x: Vec<f64>, tolerance: f64, max_steps: usize) -> Self {
        Self {
            tolerance,
            steps_left: max_steps,
            asked: Some(x.clone()),
            gradient: Vec::new(),
            value: f64::INFINITY,
            x,
            pairs: Vec::new(),
            direction: Vec::new(),
            slope: 0.0,
            step: 0.0,
            halvings: 0,
        }
    }

    /// The point whose value and gradient it waits for; `None` once it has ended.
    pub fn asks(&self) -> Option<&[f64]> {
        self.asked.as_deref()
    }

    /// Goes on with the value and the gradient of the point that it asked for.
    pub fn answer(&mut self, value: f64, gradient: Vec<f64>) {
        let Some(there) = self.asked.take() else { return };
        if !self.direction.is_empty() {
            if value > self.value + ARMIJO * self.step * self.slope {
                self.halvings += 1;
                self.step *= 0.5;
                if self.halvings <= MAX_HALVINGS {
                    self.ask();
                }
                return;
            }
            let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
            let moved: Vec<f64> = minus(&there, &self.x);
            let changed: Vec<f64> = minus(&gradient, &self.gradient);
            let curvature = dot(&moved, &changed);
            if curvature > 1e-12 * dot(&changed, &changed) {
                if self.pairs.len() == MEMORY {
                    self.pairs.remove(0);
                }
                self.pairs.push((moved, changed, 1.0 / curvature));
            }
        }
        (self.x, self.value, self.gradient) = (there, value, gradient);
        self.set_out();
    }

    /// The best point that it found.
    pub fn into_best(self) -> Vec<f64> {
        self.x
    }

    /// Chooses a direction from `x`, if there is still a way to go.
    fn set_out(&mut self) {
        let steepest = self.gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        if self.steps_left == 0 || steepest <= self.tolerance {
            return;
        }
        self.steps_left -= 1;
        self.direction = two_loops(&self.gradient, &self.pairs);
        self.slope = dot(&self.direction, &self.gradient);
        if self.slope >= 0.0 {
            self.pairs.clear();
            self.direction = self.gradient.iter().map(|g| -g).collect();
            self.slope = dot(&self.direction, &self.gradient);
        }
        // Nothing is known of the scale yet: a first step of length 1 at most.
        let first = self.pairs.is_empty();
        self.step = if first { 1.0 / (-self.slope).sqrt().max(1.0) } else { 1.0 };
        self.halvings = 0;
        self.ask();
    }

    fn ask(&mut self) {
        let along = self.x.iter().zip(&self.direction);
        self.asked = Some(along.map(|(x, d)| x + self.step * d).collect());
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

/// Sums in eight lanes, so that the compiler may use vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
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
        let mut search = Search::new(vec![5.0, -3.0, 2.0], 1e-9, 200);
        while let Some(x) = search.asks() {
            let away: Vec<f64> = x.iter().enumerate().map(|(i, x)| x - i as f64).collect();
            let value = away.iter().zip(scales).map(|(away, scale)| scale * away * away).sum();
            let gradient = away.iter().zip(scales).map(|(away, scale)| 2.0 * scale * away);
            search.answer(value, gradient.collect());
        }
        for (i, x) in search.into_best().iter().enumerate() {
            assert!((x - i as f64).abs() < 1e-9, "{x}");
        }
    }
}
