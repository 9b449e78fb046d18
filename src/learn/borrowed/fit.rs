//! What borrowed modalities are worth, from the out-of-fold answers of an ensemble's members.

use base::Seed;
use dataset::Dataset;
use eval::{
    Platt,
    calibration::sigmoid,
    evidence::{chance_of_precision, fit_evidence},
    labels::Column,
    ranking::average_precision,
    thresholds::NEVER,
};
use ndarray::{Array1, Array2};

use super::{Answers, ask};
use crate::{
    LearnConfig, LearnError,
    config::Borrowing,
    heads::FittedHead,
    labels::KnownLabels,
    spec::{BorrowedModality, Decisions, ModelSpec, PartialDecisions, Vote, Worth},
    train::{Least, MemberPlan, fit_cuts},
};

/// Fewer titles than this say nothing: the modality has no vote at all.
const MIN_TITLES: usize = 50;
/// A genre that fewer of them have has no vote: the test of chance wants a few, and folds of fourteen
/// genres with ten and more must not lose the rarest.
const MIN_POSITIVES: usize = 5;
/// A genre has a vote where labels dealt out at random do as well at most so often.
const LEVEL: f64 = 0.05;
const NUM_DRAWS: usize = 999;
/// Fewer titles than this do not say what counts beside the head's own modalities: nothing does.
const MIN_BESIDE: usize = 100;
/// Where borrowed modalities are alone with each other so much of each counts: their errors are
/// not independent, and no titles are there to tell by how much.
pub(crate) const BESIDE_BORROWED: f64 = 0.8;

/// An ensemble whose members were fitted on a dataset's own modalities.
pub(crate) struct Ensemble<'a> {
    pub(crate) plans: &'a [MemberPlan],
    pub(crate) heads: &'a [Box<dyn FittedHead>],
    /// The modalities that the heads were fitted on.
    pub(crate) own: &'a Dataset,
    /// Of these modalities.
    pub(crate) spec: &'a ModelSpec,
}

/// Judges each borrowed modality of `data` on the titles that have it, each by the member that
/// left it out.
///
/// # Errors
/// A table that cannot stand for its counterpart; a device error.
pub(crate) fn fit(
    data: &Dataset,
    ensemble: &Ensemble<'_>,
    config: &LearnConfig,
) -> Result<Worth, LearnError> {
    let mut worth = Worth::default();
    for (place, _) in config.borrowed_in(data) {
        let name = &data.modalities[place].name;
        let settings = &config.borrowed[name];
        let judged = Judged::of(data, place, ensemble, settings)?;
        let seed = ensemble.plans.first().map_or(Seed(0), |plan| plan.seed.derive(name));
        let mut found = judged.calibrated(name, settings, seed);
        let evidence = judged.evidence(&found);
        let beside = |hide_from: bool| judged.beside(ensemble, settings, &evidence, hide_from);
        (found.beside_from, found.beside_others) = (beside(false)?, beside(true)?);
        let present = (0..data.modalities.len()).map(|m| m == place).collect();
        let decisions = judged.decisions(&found, &evidence, settings, config);
        worth.alone.push(PartialDecisions { present, decisions });
        worth.modalities.push(found);
    }
    worth.alone.extend(together(&worth.alone));
    Ok(worth)
}

/// Decisions of titles that have several borrowed modalities and nothing else, for each set of them.
/// No titles are there to judge them on, so a genre wants as much as the strictest of those asks
/// that vote for it.
fn together(alone: &[PartialDecisions]) -> Vec<PartialDecisions> {
    let of_set = |set: usize| {
        let members: Vec<&PartialDecisions> =
            (0..alone.len()).filter(|m| set >> m & 1 == 1).map(|m| &alone[m]).collect();
        let mut decisions = members[0].decisions.clone();
        let mut present = members[0].present.clone();
        for member in &members[1..] {
            let other = &member.decisions;
            present.iter_mut().zip(&member.present).for_each(|(a, b)| *a |= b);
            let pairs = decisions.thresholds.iter_mut().zip(&other.thresholds);
            pairs.for_each(|(own, other)| *own = stricter(*own, *other));
            for (own, other) in decisions.at_precision.iter_mut().zip(&other.at_precision) {
                let pairs = own.thresholds.iter_mut().zip(&other.thresholds);
                pairs.for_each(|(own, other)| {
                    *own =
                        own.map_or(*other, |own| Some(other.map_or(own, |other| own.max(other))));
                });
            }
        }
        PartialDecisions { present, decisions }
    };
    let sets = 1..1_usize << alone.len();
    sets.filter(|set| set.count_ones() > 1).map(of_set).collect()
}

/// The higher of two thresholds of which one may stand for no vote.
fn stricter(a: f64, b: f64) -> f64 {
    match (a >= NEVER, b >= NEVER) {
        (true, _) => b,
        (_, true) => a,
        _ => a.max(b),
    }
}

/// Titles that have a borrowed modality, with what the members that left them out say of them.
struct Judged {
    titles: Vec<usize>,
    claims: Vec<f64>,
    /// `[titles, genres]`
    raw: Array2<f64>,
    /// `[titles, genres]`: the priors of those members.
    prior: Array2<f64>,
    labels: KnownLabels,
}

impl Judged {
    fn of(
        data: &Dataset,
        place: usize,
        ensemble: &Ensemble<'_>,
        settings: &Borrowing,
    ) -> Result<Self, LearnError> {
        let table = &data.modalities[place];
        let own = ensemble.own;
        let genres = own.num_genres();
        let from = own.modalities.iter().position(|own| own.name == settings.from);
        let (mut titles, mut all) = (Vec::new(), Answers::default());
        for (plan, head) in ensemble.plans.iter().zip(ensemble.heads) {
            let there: Vec<usize> =
                plan.valid.iter().copied().filter(|&title| table.present(title)).collect();
            let Some(from) = from.filter(|_| !there.is_empty()) else { continue };
            let answers = ask(&**head, own, from, table, settings, &there)?;
            for (at, &title) in there.iter().enumerate().filter(|&(at, _)| answers.claims[at] > 0.0)
            {
                titles.push(title);
                all.claims.push(answers.claims[at]);
                all.raw.extend(&answers.raw[at * genres..(at + 1) * genres]);
                all.prior.extend(&answers.prior);
            }
        }
        let table = |values: &[f64]| {
            Array2::from_shape_fn((titles.len(), genres), |(t, g)| values[t * genres + g])
        };
        let labels = KnownLabels::of(data, &titles);
        let (raw, prior) = (table(&all.raw), table(&all.prior));
        Ok(Self { claims: all.claims, raw, prior, labels, titles })
    }

    fn calibrated(&self, name: &str, settings: &Borrowing, seed: Seed) -> BorrowedModality {
        let claims = Array1::from(self.claims.clone());
        let enough = self.titles.len() >= MIN_TITLES;
        let vote = |(genre, known): (usize, Column)| {
            let Column { scores: raw, labels, .. } = known;
            let positives = labels.iter().filter(|&&label| label).count();
            let mut rng = seed.rng(&format!("vote {genre}"));
            let p = chance_of_precision(&raw, &labels, NUM_DRAWS, &mut rng);
            Vote {
                positives,
                average_precision: average_precision(&raw, &labels),
                p,
                has_vote: enough && positives >= MIN_POSITIVES && p <= LEVEL,
            }
        };
        BorrowedModality {
            name: name.to_owned(),
            from: settings.from.clone(),
            num_titles: self.titles.len(),
            calibration: fit_evidence(self.raw.view(), self.labels.view(), claims.view()),
            votes: self.labels.view().columns(self.raw.view()).enumerate().map(vote).collect(),
            beside_from: 0.0,
            beside_others: 0.0,
        }
    }

    /// `[titles, genres]`
    fn evidence(&self, found: &BorrowedModality) -> Array2<f64> {
        Array2::from_shape_fn(self.raw.dim(), |(t, g)| {
            found.evidence(g, self.claims[t], self.raw[[t, g]])
        })
    }

    /// The share of the evidence that makes the labels most likely beside what the head's own
    /// modalities say, where enough titles have both.
    fn beside(
        &self,
        ensemble: &Ensemble<'_>,
        settings: &Borrowing,
        evidence: &Array2<f64>,
        hide_from: bool,
    ) -> Result<f64, LearnError> {
        const STEPS: u32 = 20;
        let own = ensemble.own;
        let is_from: Vec<bool> =
            own.modalities.iter().map(|table| table.name == settings.from).collect();
        let seen = |title: usize| -> Vec<bool> {
            let tables = own.modalities.iter().zip(&is_from);
            tables.map(|(table, &from)| table.present(title) && !(hide_from && from)).collect()
        };
        let wanted = |title: usize| {
            let seen = seen(title);
            let has_from = seen.iter().zip(&is_from).any(|(&seen, &from)| seen && from);
            seen.contains(&true) && (hide_from || has_from)
        };
        let shown = if hide_from { own.masked(|_, m| !is_from[m]) } else { own.clone() };
        // What the head's own modalities say, what is added, what is true.
        let mut sums: Vec<(f64, f64, bool)> = Vec::new();
        let labels = self.labels.view();
        let mut num_titles = 0;
        for (plan, head) in ensemble.plans.iter().zip(ensemble.heads) {
            let here: Vec<usize> = (0..self.titles.len())
                .filter(|&at| plan.valid.contains(&self.titles[at]) && wanted(self.titles[at]))
                .collect();
            let titles: Vec<usize> = here.iter().map(|&at| self.titles[at]).collect();
            let logits = head.predict(&shown, &titles)?.logits;
            for (&at, logits) in here.iter().zip(logits.chunks_exact(own.num_genres().max(1))) {
                let decisions = ensemble.spec.decisions_for(&seen(self.titles[at]));
                num_titles += 1;
                let known = logits.iter().enumerate().filter(|(g, _)| labels.weight(at, *g) > 0.0);
                sums.extend(known.map(|(g, &logit)| {
                    let logit = decisions.calibrated_logit(g, f64::from(logit));
                    (logit, evidence[[at, g]], labels.has(at, g))
                }));
            }
        }
        if num_titles < MIN_BESIDE {
            return Ok(0.0);
        }
        let loss = |share: f64| -> f64 {
            let of = |&(own, added, label): &(f64, f64, bool)| {
                let z = share.mul_add(added, own);
                z.max(0.0) - if label { z } else { 0.0 } + (-z.abs()).exp().ln_1p()
            };
            sums.iter().map(of).sum()
        };
        let shares = (0..=STEPS).map(|k| f64::from(k) / f64::from(STEPS));
        let best = shares
            .map(|share| (loss(share), share))
            .reduce(|best, next| if next.0 < best.0 { next } else { best });
        Ok(best.map_or(0.0, |(_, share)| share))
    }

    /// Thresholds for titles that have nothing else. A genre without a vote is never a tag.
    fn decisions(
        &self,
        found: &BorrowedModality,
        evidence: &Array2<f64>,
        settings: &Borrowing,
        config: &LearnConfig,
    ) -> Decisions {
        let genres = self.raw.ncols();
        let voters: Vec<usize> = (0..genres).filter(|&g| found.votes[g].has_vote).collect();
        let shape = (self.titles.len(), voters.len());
        let probabilities = Array2::from_shape_fn(shape, |(t, v)| {
            let g = voters[v];
            sigmoid(self.prior[[t, g]] + evidence[[t, g]])
        });
        let labels = self.labels.of_genres(&voters);
        let least = settings.least_precision.map_or(Least::SurelyHalfTheError, Least::Precision);
        let (own, mut at_precision) =
            fit_cuts(probabilities.view(), labels.view(), config, Some(least));
        let mut thresholds = vec![NEVER; genres];
        for (&genre, threshold) in voters.iter().zip(own) {
            thresholds[genre] = threshold;
        }
        for at in &mut at_precision {
            let own = std::mem::replace(&mut at.thresholds, vec![None; genres]);
            for (&genre, threshold) in voters.iter().zip(own) {
                at.thresholds[genre] = threshold;
            }
        }
        let platt = vec![Platt::IDENTITY; genres];
        Decisions { platt, isotonic: Vec::new(), thresholds, at_precision }
    }
}
