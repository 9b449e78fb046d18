//! Borrowed modalities: a trailer's speech is read as if it were a plot, its pictures are looked
//! at as if they were posters.
//!
//! No view of the head is fitted on them. The head that was fitted on a catalog's own modalities
//! is asked what it would say if the transcript stood in the plot's place and nothing else were
//! there; what that departs from the head's prior is raw evidence. What the evidence is worth is
//! judged on titles that have the borrowed modality, each seen by members that saw neither it nor
//! its group: a slope and an offset for each genre, thresholds, and whether the genre has a vote
//! at all. Never on plots or posters.
//!
//! The evidence is added to the log-odds of what else is known (the prior where nothing is), so
//! the prior counts once and a borrowed modality's contribution is exact.

mod ask;
mod fit;
mod join;
#[cfg(test)]
mod tests;

use dataset::Dataset;
use eval::Platt;
use serde::{Deserialize, Serialize};

use super::{LearnError, config::LearnConfig};

pub(super) use ask::{Answers, ask};
pub(super) use fit::{BESIDE_BORROWED, Ensemble, Worth, fit};
pub(super) use join::{lent, spread};

/// `[learn.borrowed.NAME]`: how a modality is judged that the head is not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Borrowing {
    /// The modality in whose place it is put.
    pub from: String,
    /// A text of fewer words says nothing.
    #[serde(default = "min_words")]
    pub min_words: usize,
    /// A text of so many words counts in full; one of half as many, half.
    #[serde(default = "full_words")]
    pub full_words: usize,
    /// What by this modality alone would be a tag must be right so often, out of fold. Absent: a
    /// tag halves the error of naming the genre blindly, by the lower end of its 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_precision: Option<f64>,
}

/// Under 30 words a transcript says nothing.
fn min_words() -> usize {
    30
}

/// Chosen on 258 trailers' transcripts: mAP and F1 hardly depend on it between 60 and 200.
fn full_words() -> usize {
    120
}

impl Borrowing {
    /// With the usual settings.
    #[must_use]
    pub fn from(modality: &str) -> Self {
        let (min_words, full_words) = (min_words(), full_words());
        Self { from: modality.to_owned(), min_words, full_words, least_precision: None }
    }

    /// How much a text of so many words may claim, 0..1.
    #[must_use]
    pub fn claim(&self, num_words: usize) -> f64 {
        if num_words < self.min_words {
            0.0
        } else {
            (num_words as f64 / self.full_words.max(1) as f64).min(1.0)
        }
    }

    fn validate(&self, name: &str, config: &LearnConfig) -> Result<(), LearnError> {
        let refuse = |message: String, hint: &str| {
            Err(LearnError::Data { message, hint: Some(hint.to_owned()) })
        };
        let place = format!("`learn.borrowed.{name}");
        if self.from == name || config.borrowed.contains_key(&self.from) {
            return refuse(
                format!("{place}.from` is {:?}, which the head is not fitted on", self.from),
                "name a modality of the head, such as plot for speech and poster for frames",
            );
        }
        if self.full_words == 0 || self.min_words > self.full_words {
            return refuse(
                format!(
                    "{place}.full_words` must be 1 or more and at least `min_words` ({}), got {}",
                    self.min_words, self.full_words
                ),
                "30 and 120 are the defaults",
            );
        }
        let least = self.least_precision.unwrap_or(0.5);
        if !(0.01..=0.999).contains(&least) {
            return refuse(
                format!("{place}.least_precision` must be between 0.01 and 0.999, got {least}"),
                "0.5: a tag is as likely right as wrong",
            );
        }
        Ok(())
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

/// The borrowed modalities of a dataset: their places, and the place of the one that each is put
/// for. A modality whose counterpart is not there is an ordinary one.
pub(super) fn active(data: &Dataset, config: &LearnConfig) -> Vec<(usize, usize)> {
    let place = |name: &str| data.modalities.iter().position(|table| table.name == name);
    let both = |(name, own): (&String, &Borrowing)| Some((place(name)?, place(&own.from)?));
    let mut active: Vec<(usize, usize)> = config.borrowed.iter().filter_map(both).collect();
    active.sort_unstable();
    active
}

/// Places of the modalities that the head is fitted on.
pub(super) fn own_of(data: &Dataset, config: &LearnConfig) -> Vec<usize> {
    let active = active(data, config);
    let is_own = |m: &usize| active.iter().all(|(borrowed, _)| borrowed != m);
    (0..data.modalities.len()).filter(is_own).collect()
}

/// Checks the settings of all borrowed modalities.
pub(super) fn validate(config: &LearnConfig) -> Result<(), LearnError> {
    config.borrowed.iter().try_for_each(|(name, own)| own.validate(name, config))
}

impl LearnConfig {
    /// Checks that borrowed modalities and those that they are put for are among these.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_borrowed(&self, modalities: &[&str]) -> Result<(), LearnError> {
        for (name, own) in &self.borrowed {
            for wanted in [name, &own.from] {
                if !modalities.contains(&wanted.as_str()) {
                    return Err(LearnError::Data {
                        message: format!(
                            "`learn.borrowed.{name}` wants {wanted:?}, but the modalities are {}",
                            modalities.join(", ")
                        ),
                        hint: Some(format!("add [modality.{wanted}], or take the table out")),
                    });
                }
            }
        }
        Ok(())
    }
}
