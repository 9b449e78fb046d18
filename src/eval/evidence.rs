//! What a score of another origin is worth as evidence: a slope and an offset for each genre,
//! held to those of all genres together, and whether the score beats the prior at all.
//!
//! in: raw evidence (log-odds by which a score departs from its own prior) `[titles, genres]`,
//! labels, how much of it each title may claim (0..1)
//! out: `evidence = weight * (a * raw + b)`, to be added to the log-odds of any prior; a p-value
//! source: Platt 1999 (the curve); Gelman et al. 2013, "Bayesian Data Analysis", chapter 5
//! (partial pooling: a genre with few positives keeps what all genres have in common); Good 2005,
//! "Permutation, Parametric and Bootstrap Tests of Hypotheses"

use ndarray::{ArrayView1, ArrayView2};
use rand::{Rng, seq::SliceRandom};

use super::{Platt, calibration::sigmoid, labels::Labels, ranking::average_precision};

/// How strongly a genre's slope and offset are held to the common ones: the inverse variances of
/// what genres differ by, chosen on 258 trailers' transcripts.
const SLOPE_HOLD: f64 = 100.0;
const OFFSET_HOLD: f64 = 10.0;
/// The common slope is held to 1 a little and the common offset to 0, so that separable data stay
/// finite.
const COMMON_HOLD: f64 = 1.0;

/// Log-odds of the prevalence, with one title added to each side.
#[must_use]
pub fn prior_logit(labels: &[bool]) -> f64 {
    let positives = labels.iter().filter(|&&label| label).count() as f64;
    ((positives + 1.0) / (labels.len() as f64 - positives + 1.0)).ln()
}

/// Fits `a` and `b` of each genre so that `prior + weight * (a * raw + b)` is the log-odds of the
/// genre, `prior` being that of these titles. What prevalence they happen to have is thus no part
/// of the evidence. `weights` `[titles]`. Slopes are 0 or more.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn fit_evidence<'a>(
    raw: ArrayView2<'_, f64>,
    labels: impl Into<Labels<'a>>,
    weights: ArrayView1<'_, f64>,
) -> Vec<Platt> {
    assert_eq!(raw.nrows(), weights.len(), "one weight for each title");
    let labels = labels.into();
    let genre = |genre: usize| -> Vec<Seen> {
        let known = (0..raw.nrows()).filter(|&title| labels.weight(title, genre) > 0.0);
        let titles: Vec<usize> = known.collect();
        let has: Vec<bool> = titles.iter().map(|&title| labels.has(title, genre)).collect();
        let prior = prior_logit(&has);
        let seen = titles.iter().zip(has);
        seen.map(|(&title, label)| Seen {
            raw: raw[[title, genre]],
            label,
            weight: weights[title],
            prior,
        })
        .collect()
    };
    let genres: Vec<Vec<Seen>> = (0..raw.ncols()).map(genre).collect();
    let all: Vec<Seen> = genres.iter().flatten().copied().collect();
    let common = maximise(&all, Platt::IDENTITY, [COMMON_HOLD, COMMON_HOLD]);
    genres.iter().map(|seen| maximise(seen, common, [SLOPE_HOLD, OFFSET_HOLD])).collect()
}

/// A title as a genre's curve sees it.
#[derive(Clone, Copy)]
struct Seen {
    raw: f64,
    label: bool,
    weight: f64,
    prior: f64,
}

/// Maximum a posteriori by Newton's method with halved steps; the posterior is concave.
fn maximise(titles: &[Seen], center: Platt, hold: [f64; 2]) -> Platt {
    const MAX_STEPS: usize = 50;
    let loss = |at: Platt| -> f64 {
        let held = hold[0] * (at.a - center.a).powi(2) + hold[1] * (at.b - center.b).powi(2);
        let of = |seen: &Seen| {
            let z = seen.prior + seen.weight * at.a.mul_add(seen.raw, at.b);
            z.max(0.0) - if seen.label { z } else { 0.0 } + (-z.abs()).exp().ln_1p()
        };
        titles.iter().map(of).sum::<f64>() + held / 2.0
    };
    let mut at = center;
    let mut value = loss(at);
    for _ in 0..MAX_STEPS {
        let (mut ga, mut gb) = (hold[0] * (at.a - center.a), hold[1] * (at.b - center.b));
        let (mut haa, mut hab, mut hbb) = (hold[0], 0.0, hold[1]);
        for seen in titles {
            let p = sigmoid(seen.prior + seen.weight * at.a.mul_add(seen.raw, at.b));
            let error = seen.weight * (p - f64::from(u8::from(seen.label)));
            let curvature = seen.weight * seen.weight * p * (1.0 - p);
            ga += error * seen.raw;
            gb += error;
            haa += curvature * seen.raw * seen.raw;
            hab += curvature * seen.raw;
            hbb += curvature;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = ((hab * gb - hbb * ga) / determinant, (hab * ga - haa * gb) / determinant);
        let mut step = 1.0_f64;
        loop {
            let next = Platt { a: step.mul_add(da, at.a), b: step.mul_add(db, at.b) };
            let next_value = loss(next);
            if next_value < value {
                (at, value) = (next, next_value);
                break;
            }
            step /= 2.0;
            if step < 1e-8 {
                return Platt { a: at.a.max(0.0), b: at.b }; // As low as rounding lets it go.
            }
        }
    }
    Platt { a: at.a.max(0.0), b: at.b }
}

/// How often labels dealt out at random have an average precision as high as these: one-sided, at
/// least 1 / (draws + 1); 1 without positives.
///
/// # Panics
/// The lengths differ.
#[must_use]
pub fn chance_of_precision(
    scores: &[f64],
    labels: &[bool],
    num_draws: usize,
    rng: &mut impl Rng,
) -> f64 {
    let Some(own) = average_precision(scores, labels) else { return 1.0 };
    let mut dealt = labels.to_vec();
    let mut as_high = 1;
    for _ in 0..num_draws {
        dealt.shuffle(rng);
        as_high += usize::from(average_precision(scores, &dealt) >= Some(own));
    }
    as_high as f64 / (num_draws + 1) as f64
}

#[cfg(test)]
mod tests {
    use base::Seed;
    use ndarray::{Array1, Array2};
    use rand::RngExt;

    use super::*;

    /// Titles whose log-odds of a genre are `prior + weight * (a * raw + b)`, drawn.
    fn drawn(num: usize, curves: &[Platt], weights: &[f64]) -> (Array2<f64>, Array2<bool>) {
        let mut rng = Seed(3).rng("drawn");
        let raw = Array2::from_shape_fn((num, curves.len()), |_| rng.random_range(-3.0..3.0));
        let labels = Array2::from_shape_fn((num, curves.len()), |(t, g)| {
            let z = weights[t] * curves[g].a.mul_add(raw[[t, g]], curves[g].b);
            rng.random_bool(sigmoid(z))
        });
        (raw, labels)
    }

    #[test]
    fn curves_are_found_where_titles_are_many_and_shared_where_they_are_few() {
        let curves = [Platt { a: 1.5, b: 0.0 }, Platt { a: 0.5, b: 0.0 }];
        let weights = Array1::ones(20_000);
        let (raw, labels) = drawn(20_000, &curves, weights.as_slice().unwrap());
        let many = fit_evidence(raw.view(), labels.view(), weights.view());
        for (found, planted) in many.iter().zip(curves) {
            assert!((found.a - planted.a).abs() < 0.05, "{found:?}");
        }
        let few = ndarray::s![..60, ..];
        let few = fit_evidence(raw.slice(few), labels.slice(few), weights.slice(ndarray::s![..60]));
        let apart = few[0].a - few[1].a;
        assert!(apart > 0.0 && apart < 0.3, "sixty titles may not tell them apart: {few:?}");
    }

    #[test]
    fn what_is_weighed_less_is_fitted_as_weighed() {
        let curves = [Platt { a: 1.0, b: 0.0 }];
        let weights = Array1::from_shape_fn(20_000, |t| if t % 2 == 0 { 0.25 } else { 1.0 });
        let (raw, labels) = drawn(20_000, &curves, weights.as_slice().unwrap());
        let found = fit_evidence(raw.view(), labels.view(), weights.view());
        assert!((found[0].a - 1.0).abs() < 0.05, "{found:?}");
        let unweighed = fit_evidence(raw.view(), labels.view(), Array1::ones(20_000).view());
        assert!(unweighed[0].a < 0.8, "{unweighed:?}");
    }

    #[test]
    fn the_prevalence_of_the_titles_is_no_evidence() {
        // Nothing to be seen in the scores, and four in five titles have the genre.
        let mut rng = Seed(4).rng("drawn");
        let raw = Array2::from_shape_fn((500, 1), |_| rng.random_range(-1.0..1.0));
        let labels = Array2::from_shape_fn((500, 1), |(t, _)| t % 5 != 0);
        let found = fit_evidence(raw.view(), labels.view(), Array1::ones(500).view());
        assert!(found[0].b.abs() < 0.1 && found[0].a < 0.3, "{found:?}");
        // Ranked the wrong way round: no slope.
        let wrong = Array2::from_shape_fn((500, 1), |(t, _)| if t % 5 == 0 { 2.0 } else { -2.0 });
        let found = fit_evidence(wrong.view(), labels.view(), Array1::ones(500).view());
        assert_eq!(found[0].a, 0.0);
    }

    #[test]
    fn chance_is_told_from_knowledge() {
        let labels: Vec<bool> = (0..100).map(|t| t % 10 == 0).collect();
        let mut rng = Seed(5).rng("dealt");
        let mut p = |scores: &[f64]| chance_of_precision(scores, &labels, 999, &mut rng);
        let knows: Vec<f64> = labels.iter().map(|&l| if l { 1.0 } else { 0.0 }).collect();
        assert_eq!(p(&knows), 1.0 / 1000.0);
        assert_eq!(p(&[0.5; 100]), 1.0, "ties know nothing");
        let mut noise = Seed(6).rng("noise");
        let ps: Vec<f64> = (0..40)
            .map(|_| p(&(0..100).map(|_| noise.random_range(0.0..1.0)).collect::<Vec<_>>()))
            .collect();
        let low = ps.iter().filter(|&&p| p <= 0.25).count();
        assert!((3..=19).contains(&low), "{low} of 40 are in the lowest quarter");
        assert_eq!(chance_of_precision(&[0.1], &[false], 9, &mut noise), 1.0);
    }
}
