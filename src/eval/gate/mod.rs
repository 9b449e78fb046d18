//! The gate: whether a new bundle may take the place of the current one.
//!
//! in: what both say of the same pinned titles, scores as probabilities `[titles, genres]`, and the labels
//! out: [`Verdict`]: promote, refuse or undecided, with reasons in words and all figures
//! source: Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 13 (percentile bounds) and 16;
//! Holm 1979 (many genres); Guo et al. 2017 (expected calibration error)
//!
//! Two figures are asked, since each is blind to what the other sees: thresholds that lost positives
//! leave the ranking, and with it mAP, as it was; scores that rank worse may still be decided as well.
//! A genre is worse where its F1 or its average precision is: `difference / standard error` against the
//! normal distribution, for shares of resamples end at one in a thousand, which Holm over forty tests
//! spends whole. Standard errors come from the widths of the paired bootstrap's intervals.
//!
//! The models are held fixed: what is judged are these two bundles, not the ways they were made.

mod verdict;
mod words;

#[cfg(test)]
mod tests;

use base::{Digest, Seed};
use ndarray::{ArrayView2, s};

use super::{
    BootstrapConfig, Groups, Metrics, PairedDifference,
    bootstrap::headline_differences,
    calibration::{expected_calibration_error, reliability_bins},
    counts::ratio,
    distributions::{normal_cdf, normal_quantile},
    headline::HeadlineTable,
    significance::{Said, holm},
};

pub use verdict::{BeforeAfter, Change, GenreChange, Limits, Outcome, Verdict, Wanted};

/// Bins of the expected calibration error.
const NUM_BINS: usize = 10;

/// The pinned titles.
pub struct PinnedTest<'a> {
    /// `[titles, genres]`
    pub labels: ArrayView2<'a, bool>,
    /// Titles that are drawn together.
    pub groups: Groups,
    /// `[genres]`: their names.
    pub genres: &'a [String],
    /// Digest of the titles' ids ([`digest_of`](super::pinned::digest_of)).
    pub digest: Digest,
}

/// How to judge.
#[derive(Clone, Debug, PartialEq)]
pub struct GateConfig {
    /// What the new bundle is held to.
    pub limits: Limits,
    /// Resamples behind bounds and standard errors.
    pub num_resamples: usize,
    /// All randomness of it.
    pub seed: Seed,
}

impl GateConfig {
    /// The limits that were simulated, 1,000 resamples.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { limits: Limits::default(), num_resamples: 1000, seed }
    }
}

/// Judges the `new` bundle against the `old` one, which is current. Scores are calibrated probabilities;
/// those that are NaN rank last and count in no calibration. Without titles it is undecided.
///
/// # Panics
/// The shapes differ, or the groups are those of another number of titles.
#[must_use]
pub fn judge(old: Said<'_>, new: Said<'_>, test: &PinnedTest<'_>, config: &GateConfig) -> Verdict {
    let limits = &config.limits;
    let measured = |said: &Said<'_>| Metrics::compute(said.scores, said.decisions, test.labels);
    let (before, after) = (measured(&old), measured(&new));
    let bootstrap = BootstrapConfig {
        num_resamples: config.num_resamples,
        level: 2.0 * limits.level - 1.0,
        seed: config.seed,
        groups: test.groups.clone(),
    };
    let all = 0..test.labels.ncols();
    let differences =
        headline_differences(&table(&new, test, all.clone()), &table(&old, test, all), &bootstrap);
    let change = |old: f64, new: f64, found: &PairedDifference| Change {
        old,
        new,
        difference: found.difference.value,
        at_least: found.difference.low,
        at_most: found.difference.high,
    };
    let both =
        |figure: &dyn Fn(&Said<'_>) -> f64| BeforeAfter { old: figure(&old), new: figure(&new) };
    let num_titles = test.labels.nrows();
    let mut verdict = Verdict {
        outcome: Outcome::Undecided,
        reasons: Vec::new(),
        wanted: None,
        num_titles,
        num_groups: test.groups.num_groups(num_titles),
        test: test.digest,
        micro_f1: change(before.micro.f1, after.micro.f1, &differences.micro_f1),
        map: change(before.map, after.map, &differences.map),
        calibration_error: both(&|said| calibration_error(said.scores, test.labels)),
        tags_per_title: both(&|said| {
            let num_tags = said.decisions.iter().filter(|&&decided| decided).count();
            ratio(num_tags as f64, num_titles as f64)
        }),
        genres: genres((&old, &new), [&before, &after], test, (&bootstrap, limits)),
        limits: limits.clone(),
    };
    decide(&mut verdict);
    verdict
}

fn table<'a>(
    said: &'a Said<'_>,
    test: &'a PinnedTest<'_>,
    genres: std::ops::Range<usize>,
) -> HeadlineTable<'a> {
    let part = s![.., genres];
    HeadlineTable::new(said.scores.slice(part), said.decisions.slice(part), test.labels.slice(part))
}

fn calibration_error(probabilities: ArrayView2<'_, f64>, labels: ArrayView2<'_, bool>) -> f64 {
    let probabilities: Vec<f64> = probabilities.iter().copied().collect();
    let labels: Vec<bool> = labels.iter().copied().collect();
    expected_calibration_error(&reliability_bins(&probabilities, &labels, NUM_BINS))
}

/// The genres with enough positives, each tested by itself; `[old, new]`.
fn genres(
    (old, new): (&Said<'_>, &Said<'_>),
    metrics: [&Metrics; 2],
    test: &PinnedTest<'_>,
    (bootstrap, limits): (&BootstrapConfig, &Limits),
) -> Vec<GenreChange> {
    let [before, after] = metrics.map(|metrics| &metrics.genres);
    let is_tested = |&g: &usize| before[g].support >= limits.genre_positives.max(1);
    let mut found: Vec<GenreChange> = (0..before.len())
        .filter(is_tested)
        .map(|g| {
            let part = g..g + 1;
            let (new, old) = (table(new, test, part.clone()), table(old, test, part));
            let differences = headline_differences(&new, &old, bootstrap);
            let ap = |metrics: &super::GenreMetrics| metrics.ap.unwrap_or_default();
            GenreChange {
                genre: test.genres[g].clone(),
                num_positives: before[g].support,
                f1: BeforeAfter { old: before[g].f1, new: after[g].f1 },
                ap: BeforeAfter { old: ap(&before[g]), new: ap(&after[g]) },
                // Of one genre alone these are its F1 and its average precision.
                f1_p: chance_of_worse(&differences.micro_f1, bootstrap.level),
                ap_p: chance_of_worse(&differences.map, bootstrap.level),
            }
        })
        .collect();
    let alone: Vec<f64> = found.iter().flat_map(|genre| [genre.f1_p, genre.ap_p]).collect();
    for (genre, adjusted) in found.iter_mut().zip(holm(&alone).chunks_exact(2)) {
        (genre.f1_p, genre.ap_p) = (adjusted[0], adjusted[1]);
    }
    found
}

/// One-sided: the chance of a difference as far below 0 where there is none; 1 where no resample differs.
fn chance_of_worse(found: &PairedDifference, level: f64) -> f64 {
    let found = &found.difference;
    let error = (found.high - found.low) / (2.0 * normal_quantile(f64::midpoint(1.0, level)));
    match found.value {
        0.0 => 1.0,
        value => normal_cdf(value / error),
    }
}

/// Fills in outcome, reasons and what is wanted.
fn decide(verdict: &mut Verdict) {
    let worse = words::worse(verdict);
    if !worse.is_empty() {
        (verdict.outcome, verdict.reasons) = (Outcome::Refuse, worse);
        return;
    }
    let unsure = words::unsure(verdict);
    if unsure.is_empty() {
        (verdict.outcome, verdict.reasons) = (Outcome::Promote, words::no_worse(verdict));
        return;
    }
    verdict.reasons = unsure;
    let wanted = wanted(verdict);
    verdict.reasons.push(words::wanted(wanted));
    verdict.wanted = Some(wanted);
}

/// How many more titles would decide it, should the differences stay: standard errors go with `1/√n`.
fn wanted(verdict: &Verdict) -> Wanted {
    let limits = &verdict.limits;
    let figures = [(&verdict.micro_f1, limits.micro_f1_drop), (&verdict.map, limits.map_drop)];
    let num = verdict.num_titles as f64;
    // Times as many titles until the bound that is `reach` away has come to within `room`.
    let titles = |reach: f64, room: f64| match room {
        room if room > 0.0 => num * (reach / room).powi(2),
        _ => f64::INFINITY,
    };
    let promote = figures
        .map(|(found, drop)| titles(found.difference - found.at_least, found.difference + drop));
    let refuse =
        figures.map(|(found, _)| titles(found.at_most - found.difference, -found.difference));
    let promote = promote.into_iter().fold(num, f64::max);
    let refuse = refuse.into_iter().fold(f64::INFINITY, f64::min).max(num);
    let missing_groups = limits.min_groups.saturating_sub(verdict.num_groups) as f64;
    let titles_per_group =
        if verdict.num_groups == 0 { 1.0 } else { num / verdict.num_groups as f64 };
    let promote = promote.max(num + missing_groups * titles_per_group);
    let (total, towards) =
        if promote <= refuse { (promote, Outcome::Promote) } else { (refuse, Outcome::Refuse) };
    Wanted { more_titles: rounded_up((total - num).max(1.0)), towards }
}

/// Up to two digits: more would be made up.
fn rounded_up(number: f64) -> usize {
    let unit = 10_f64.powi(number.log10().floor() as i32 - 1).max(1.0);
    ((number / unit).ceil() * unit) as usize
}
