//! Made-up titles with scores whose figures are known.
//!
//! A genre's label is a normal deviate above the genre's bound, its score another normal deviate
//! that lies higher where the label is set. Titles of a group share half of both deviates'
//! variance: sequels have the genres of the first part, and a model errs on them alike.

use cinetag::eval::{Groups, Headline, distributions::normal_quantile};
use ndarray::Array2;
use rand::{Rng, RngExt};

/// Shares of the titles that have each genre.
pub(super) const PREVALENCE: [f64; 7] = [0.40, 0.25, 0.15, 0.10, 0.06, 0.04, 0.02];
/// How much higher scores lie where the label is set, in standard deviations: of a system and of one
/// that is worse.
const SEPARATIONS: [f64; 2] = [1.6, 1.4];
/// The share of a score's deviate that both systems have in common.
const IN_COMMON: f64 = 0.7;
/// The share of the deviates' variance that is the group's.
const SHARED: f64 = 0.5;

/// Titles with what two systems say of them.
pub(super) struct Sample {
    pub(super) scores: [Array2<f64>; 2],
    pub(super) decisions: [Array2<bool>; 2],
    pub(super) labels: Array2<bool>,
    pub(super) groups: Groups,
}

/// `num_titles` titles, `group_size` of them in a group.
pub(super) fn draw(num_titles: usize, group_size: usize, rng: &mut impl Rng) -> Sample {
    let genres = PREVALENCE.len();
    let num_groups = num_titles.div_ceil(group_size);
    let mut deviates = |rows: usize| Array2::from_shape_fn((rows, genres), |_| normal(rng));
    let deviates: Vec<[Array2<f64>; 2]> =
        (0..4).map(|_| [deviates(num_groups), deviates(num_titles)]).collect();
    let shared: f64 = if group_size > 1 { SHARED } else { 0.0 };
    // Of labels, of both systems' scores, of each system's.
    let deviate = |which: usize, t: usize, g: usize| {
        let [of_groups, of_titles] = &deviates[which];
        shared.sqrt() * of_groups[[t / group_size, g]] + (1.0 - shared).sqrt() * of_titles[[t, g]]
    };
    let bounds = PREVALENCE.map(|share| normal_quantile(1.0 - share));
    let shape = (num_titles, genres);
    let labels = Array2::from_shape_fn(shape, |(t, g)| deviate(0, t, g) > bounds[g]);
    let scores = [0, 1].map(|system| {
        Array2::from_shape_fn(shape, |(t, g)| {
            let own = (1.0 - IN_COMMON).sqrt() * deviate(2 + system, t, g);
            let raised = if labels[[t, g]] { SEPARATIONS[system] } else { 0.0 };
            IN_COMMON.sqrt() * deviate(1, t, g) + own + raised
        })
    });
    let decisions = [0, 1].map(|system| {
        let thresholds = PREVALENCE.map(|share| threshold(share, SEPARATIONS[system]));
        Array2::from_shape_fn(shape, |(t, g)| scores[system][[t, g]] >= thresholds[g])
    });
    let groups = Groups::new((0..num_titles).map(|t| t / group_size));
    Sample { scores, decisions, labels, groups }
}

/// Somewhat below where a label is as likely as not: near the threshold of the best F1.
fn threshold(share: f64, separation: f64) -> f64 {
    separation / 2.0 + ((1.0 - share) / share).ln() / separation - 0.4
}

/// A standard normal deviate (Box & Muller 1958).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The headline figures' names as cells.
pub(super) fn header() -> String {
    let names = Headline::from_fn(|_| ());
    names.entries().iter().map(|(name, ())| format!(" {name} ")).collect::<Vec<_>>().join("|")
}
