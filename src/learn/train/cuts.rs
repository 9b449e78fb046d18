//! From out-of-fold scores to calibration and thresholds.

use eval::{
    AtPrecision, Isotonic, Labels, Platt,
    calibration::{apply_platt, fit_platt},
    expected_f1::expected_f1_thresholds,
    labels::Column,
    thresholds::{
        NEVER, USUAL_PRECISIONS, fit_thresholds, for_precision, half_the_error_of_the_prior,
        surely_half_the_error_of_the_prior,
    },
};
use ndarray::{Array2, ArrayView2};

use crate::{
    LearnConfig,
    config::{Calibration, Decide, PriorSettings},
    heads::classical::correction,
    spec::Decisions,
};

/// With `abstain` a genre's threshold is at least that at which a tag is wrong half as often as
/// the genre named blindly would be.
pub(crate) fn fit_decisions(
    scores: ArrayView2<'_, f64>,
    labels: Labels<'_>,
    config: &LearnConfig,
    abstain: bool,
) -> Decisions {
    let platt = match &config.prior {
        None => fit_platt(scores, labels),
        Some(prior) => labels.columns(scores).map(|known| near_identity(&known, prior)).collect(),
    };
    let mut probabilities = apply_platt(scores, &platt);
    let mut isotonic = Vec::new();
    if config.decisions.calibration == Calibration::Isotonic {
        let logits =
            Array2::from_shape_fn(scores.dim(), |(t, g)| platt[g].calibrated_logit(scores[[t, g]]));
        for (g, known) in labels.columns(logits.view()).enumerate() {
            let curve = Isotonic::fit_to(&known);
            let probabilities = probabilities.column_mut(g).into_iter();
            probabilities.zip(logits.column(g)).for_each(|(p, &z)| *p = curve.apply(z));
            isotonic.push(curve);
        }
    }
    let probabilities = probabilities.view();
    let least = abstain.then_some(Least::HalfTheError);
    let (thresholds, at_precision) = fit_cuts(probabilities, labels, config, least);
    Decisions { platt, isotonic, thresholds, at_precision }
}

/// What is learned beside a prior is added to probabilities: few titles do not bend them.
fn near_identity(known: &Column, prior: &PriorSettings) -> Platt {
    let c = prior.c_of(known.labels.len());
    let scores: Vec<f32> = known.scores.iter().map(|&score| score as f32).collect();
    let weights = known.weights.as_deref();
    let own = correction(&scores, 1, &known.labels, weights, c, &scores).trusting(0);
    // A slope below 0 would turn the genre round.
    Platt { a: f64::from(own.weights()[0]).max(0.0), b: f64::from(own.bias()) }
}

/// How often a tag must be right at least.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Least {
    /// Wrong half as often as the genre named blindly would be.
    HalfTheError,
    /// So by the lower end of the interval: where titles are few.
    SurelyHalfTheError,
    /// This often.
    Precision(f64),
}

/// Thresholds for calibrated probabilities, the usual ones and those for precisions.
pub(crate) fn fit_cuts(
    probabilities: ArrayView2<'_, f64>,
    labels: Labels<'_>,
    config: &LearnConfig,
    least: Option<Least>,
) -> (Vec<f64>, Vec<AtPrecision>) {
    let mut thresholds = match (config.decisions.precision, config.decide()) {
        (None, Decide::Threshold) => {
            fit_thresholds(probabilities, labels, config.decisions.threshold_shrinkage)
        }
        (None, Decide::ExpectedF1) => expected_f1_thresholds(probabilities),
        (Some(precision), _) => AtPrecision::fit(probabilities, labels, precision).or_never(),
    };
    if let (Some(prior), None) = (&config.prior, config.decisions.precision) {
        let num_titles: Vec<f64> = labels.columns(probabilities).map(|own| own.total()).collect();
        prior.pull(&mut thresholds, &num_titles);
    }
    let mut at_precision: Vec<AtPrecision> =
        USUAL_PRECISIONS.iter().map(|&p| AtPrecision::fit(probabilities, labels, p)).collect();
    if let Some(least) = least {
        for (g, known) in labels.columns(probabilities).enumerate() {
            let threshold = &mut thresholds[g];
            let least = match least {
                Least::HalfTheError => half_the_error_of_the_prior(&known),
                Least::SurelyHalfTheError => surely_half_the_error_of_the_prior(&known),
                Least::Precision(least) => for_precision(&known, least),
            };
            *threshold = threshold.max(least.unwrap_or(NEVER));
            for at in &mut at_precision {
                let own = at.thresholds[g].zip(least);
                at.thresholds[g] = own.map(|(own, least)| own.max(least));
            }
        }
    }
    (thresholds, at_precision)
}
