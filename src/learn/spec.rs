//! What a trained model is, but for its members' weights: what its scores mean and what is decided
//! by them.

use std::borrow::Cow;

use dataset::Dataset;
use eval::{AtPrecision, Isotonic, Platt};
use serde::{Deserialize, Serialize};

use crate::LearnConfig;

/// How one kind of score becomes decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decisions {
    /// `[genres]`
    pub platt: Vec<Platt>,
    /// `[genres]`: on the log-odds that Platt scaling gives; empty for Platt scaling alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub isotonic: Vec<Isotonic>,
    /// `[genres]`: on probabilities.
    pub thresholds: Vec<f64>,
    /// Thresholds on probabilities for precisions that a user may ask for, rising; fitted on the
    /// same out-of-fold scores. A probability between a genre's threshold and that of the
    /// precision is for a person to decide.
    #[serde(default)]
    pub at_precision: Vec<AtPrecision>,
}

/// How scores of titles that have some of the modalities and lack all others become decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartialDecisions {
    /// `[modalities]`: those that they have.
    pub present: Vec<bool>,
    /// Fitted out of fold with all other modalities masked.
    pub decisions: Decisions,
}

impl Decisions {
    /// The thresholds for the lowest precision known that is not below `precision`.
    #[must_use]
    pub fn at(&self, precision: f64) -> Option<&AtPrecision> {
        self.at_precision.iter().find(|at| at.precision >= precision - 1e-9)
    }

    /// Log-odds of the calibrated probability of genre `genre`, from a head's own.
    pub(crate) fn calibrated_logit(&self, genre: usize, logit: f64) -> f64 {
        self.after_platt(genre, self.platt[genre].calibrated_logit(logit))
    }

    /// Log-odds of the calibrated probability of genre `genre`, from log-odds after Platt scaling.
    pub(crate) fn after_platt(&self, genre: usize, platt_logit: f64) -> f64 {
        match self.isotonic.get(genre) {
            None => platt_logit,
            Some(curve) => {
                let p = curve.apply(platt_logit);
                if p.is_nan() { platt_logit } else { (p / (1.0 - p)).ln() }
            }
        }
    }
}

/// Everything about a model but its members' weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// The head's name.
    pub head: String,
    /// `[genres]`
    pub genres: Vec<String>,
    /// `[modalities]`, in the order of fitting.
    pub modalities: Vec<String>,
    /// Members of the ensemble.
    pub num_members: usize,
    /// Titles that it was trained on.
    pub num_titles: usize,
    /// For the fusion.
    pub fused: Decisions,
    /// `[modalities]`: for each modality alone, from its own out-of-fold scores.
    pub unimodal: Vec<Decisions>,
    /// For titles that lack modalities, where the training asked for it
    /// ([`crate::config::DecisionSettings::abstain`]); what is not listed is judged as `fused`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartialDecisions>,
    /// Those of `modalities` that the head was not fitted on; what they are worth. A title that
    /// has nothing else is decided on by the entry of `partial` for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borrowed: Vec<BorrowedModality>,
    /// How it was trained.
    pub config: LearnConfig,
}

impl ModelSpec {
    /// How a title with these modalities is decided on; `present` `[modalities]`.
    #[must_use]
    pub fn decisions_for(&self, present: &[bool]) -> &Decisions {
        self.partial_for(present).unwrap_or(&self.fused)
    }

    /// Decisions for titles that lack modalities, if they have some of their own. Beside the
    /// head's own modalities borrowed ones change the score and not the thresholds.
    pub(crate) fn partial_for(&self, present: &[bool]) -> Option<&Decisions> {
        let of = |present: &[bool]| {
            let partial = self.partial.iter().find(|partial| partial.present == present);
            partial.map(|partial| &partial.decisions)
        };
        if self.borrowed.is_empty() {
            return of(present);
        }
        let own: Vec<bool> =
            present.iter().enumerate().map(|(m, &has)| has && !self.is_borrowed(m)).collect();
        if own.contains(&true) {
            return of(&own);
        }
        of(present)
    }

    /// Whether a modality is one that the head was not fitted on.
    #[must_use]
    pub fn is_borrowed(&self, modality_idx: usize) -> bool {
        let name = &self.modalities[modality_idx];
        self.borrowed.iter().any(|borrowed| borrowed.name == *name)
    }

    /// Places of the modalities that the head was fitted on.
    #[must_use]
    pub fn own_modalities(&self) -> Vec<usize> {
        (0..self.modalities.len()).filter(|&m| !self.is_borrowed(m)).collect()
    }

    /// The part of the data that the head knows.
    pub(crate) fn own_part<'a>(&self, data: &'a Dataset) -> Cow<'a, Dataset> {
        if self.borrowed.is_empty() {
            return Cow::Borrowed(data);
        }
        let is_own = |m: &usize| self.borrowed.iter().all(|b| b.name != data.modalities[*m].name);
        let own: Vec<usize> = (0..data.modalities.len()).filter(is_own).collect();
        Cow::Owned(data.with_modalities(&own))
    }

    /// Makes a spec of a head's own modalities one of all the data's.
    pub(crate) fn lend(&mut self, whole: &Dataset, worth: Worth) {
        let names: Vec<String> = whole.modalities.iter().map(|table| table.name.clone()).collect();
        let place_of = |name: &String| self.modalities.iter().position(|own| own == name);
        for partial in &mut self.partial {
            let shown = |name| place_of(name).is_some_and(|own| partial.present[own]);
            partial.present = names.iter().map(shown).collect();
        }
        let unimodal = names.iter().enumerate().filter_map(|(m, name)| {
            if let Some(own) = place_of(name) {
                return Some(self.unimodal[own].clone());
            }
            let alone = worth.alone.iter().find(|alone| alone.present[m]);
            alone.map(|alone| alone.decisions.clone())
        });
        self.unimodal = unimodal.collect();
        self.partial.extend(worth.alone);
        self.borrowed = worth.modalities;
        self.modalities = names;
    }
}

/// What a borrowed modality was found to be worth; saved with the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BorrowedModality {
    /// Its name.
    pub name: String,
    /// The modality in whose place it is put.
    pub from: String,
    /// Titles that it was judged on.
    pub num_titles: usize,
    /// `[genres]`: from raw evidence to log-odds.
    pub calibration: Vec<Platt>,
    /// `[genres]`
    pub votes: Vec<Vote>,
    /// Share of the evidence that counts beside the modality in whose place it is put.
    pub beside_from: f64,
    /// Share of the evidence that counts beside other modalities of the head.
    pub beside_others: f64,
}

/// Whether a genre may be voted for, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Titles with the genre, of those judged on.
    pub positives: usize,
    /// Of the raw evidence, out of fold; `None` without positives.
    pub average_precision: Option<f64>,
    /// How often labels dealt out at random do as well.
    pub p: f64,
    /// Whether it has a vote: positives enough, and better than chance.
    pub has_vote: bool,
}

impl BorrowedModality {
    /// Log-odds that speak for a genre; 0 without a vote.
    #[must_use]
    pub fn evidence(&self, genre: usize, claim: f64, raw: f64) -> f64 {
        if claim > 0.0 && self.votes[genre].has_vote {
            claim * self.calibration[genre].calibrated_logit(raw)
        } else {
            0.0
        }
    }
}

/// What borrowed modalities were found to be worth.
#[derive(Default)]
pub(crate) struct Worth {
    pub(crate) modalities: Vec<BorrowedModality>,
    /// Decisions of titles that have one borrowed modality and nothing else; `present`
    /// `[data's modalities]`.
    pub(crate) alone: Vec<PartialDecisions>,
}
