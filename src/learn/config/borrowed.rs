//! Settings of modalities that a head is not fitted on ([`crate::borrowed`]).

use std::borrow::Cow;

use dataset::Dataset;
use serde::{Deserialize, Serialize};

use super::LearnConfig;
use crate::LearnError;

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

    pub(super) fn validate(&self, name: &str, config: &LearnConfig) -> Result<(), LearnError> {
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

impl LearnConfig {
    /// The borrowed modalities of a dataset: their places, and the place of the one that each is
    /// put for. A modality whose counterpart is not there is an ordinary one.
    pub(crate) fn borrowed_in(&self, data: &Dataset) -> Vec<(usize, usize)> {
        let place = |name: &str| data.modalities.iter().position(|table| table.name == name);
        let both = |(name, own): (&String, &Borrowing)| Some((place(name)?, place(&own.from)?));
        let mut found: Vec<(usize, usize)> = self.borrowed.iter().filter_map(both).collect();
        found.sort_unstable();
        found
    }

    /// The data with the modalities alone that a head is fitted on.
    pub(crate) fn own_part<'a>(&self, data: &'a Dataset) -> Cow<'a, Dataset> {
        let borrowed = self.borrowed_in(data);
        if borrowed.is_empty() {
            return Cow::Borrowed(data);
        }
        let is_own = |m: &usize| borrowed.iter().all(|(place, _)| place != m);
        let own: Vec<usize> = (0..data.modalities.len()).filter(is_own).collect();
        Cow::Owned(data.with_modalities(&own))
    }

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
