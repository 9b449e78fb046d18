//! Whether what a model says of itself can be trusted: its probabilities and its reasons.
//!
//! in: [`Evidence`]
//! out: calibration with what chance gives; the modality that tags name first

use base::Seed;
use eval::{
    ByChance, MainReason,
    calibration::{brier_score, expected_calibration_error, reliability_bins},
    chance::{ErrorsByChance, errors_by_chance},
    reasons::{Tagged, main_reasons},
};

use super::{Evidence, Reliability, evidence::positions};

const NUM_BINS: usize = 10;

/// What calibration errors come to for probabilities that are true.
pub(super) fn chance(evidence: &Evidence) -> Option<ErrorsByChance> {
    let seed = evidence.seed.unwrap_or(Seed(0));
    errors_by_chance(evidence.probabilities.view(), NUM_BINS, evidence.num_resamples, seed)
}

/// Calibration of some pairs.
pub(super) fn reliability<'a>(
    probabilities: impl Iterator<Item = &'a f64>,
    labels: impl Iterator<Item = &'a bool>,
    by_chance: Option<ByChance>,
) -> Reliability {
    let probabilities: Vec<f64> = probabilities.copied().collect();
    let labels: Vec<bool> = labels.copied().collect();
    let bins = reliability_bins(&probabilities, &labels, NUM_BINS);
    let error = expected_calibration_error(&bins);
    Reliability {
        expected_calibration_error: error,
        by_chance,
        is_above_chance: by_chance.is_some_and(|chance| error > chance.high),
        brier: brier_score(&probabilities, &labels),
        bins,
    }
}

/// Of the titles that have all modalities but borrowed ones.
pub(super) fn reasons(evidence: &Evidence) -> Vec<MainReason> {
    let Some(contributions) = &evidence.contributions else { return Vec::new() };
    let is_borrowed = |m: usize| {
        let name = &evidence.modalities[m];
        evidence.borrowed.iter().any(|borrowed| borrowed.modality == *name)
    };
    let own = positions(evidence.modalities.len(), |m| !is_borrowed(m));
    let has_all = |t: usize| own.iter().all(|&m| evidence.present[[t, m]]);
    let alone: Vec<_> = evidence.alone.iter().map(|alone| alone.probabilities.view()).collect();
    main_reasons(&Tagged {
        labels: evidence.labels.view(),
        decisions: evidence.decisions.view(),
        contributions: contributions.view(),
        alone: &alone,
        own: &own,
        titles: &positions(evidence.labels.nrows(), has_all),
    })
}
