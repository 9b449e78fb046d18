//! What settings mean for the head that they name: what it takes where nothing is said, and what it
//! cannot do.

use super::{HeadKind, Unfitted, find};
use crate::{
    LearnConfig, LearnError,
    config::{Decide, Resampling, TextView},
    loss::ClassWeighing,
};

impl LearnConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first that is out of range, with what was expected; an unknown head.
    pub fn validate(&self) -> Result<(), LearnError> {
        self.check_values()?;
        if find(&self.head)?.is_network {
            return self.check_network();
        }
        for (view, name) in [(TextView::Sequence, "sequence"), (TextView::FineTuned, "fine-tuned")]
        {
            if self.text_views.contains(&view) {
                return Err(LearnError::Data {
                    message: format!("`learn.text_views` has {name}, but {} cannot", self.head),
                    hint: Some("take late-fusion, gated-fusion or early-fusion".to_owned()),
                });
            }
        }
        Ok(())
    }

    fn check_network(&self) -> Result<(), LearnError> {
        if self.imbalance.resampling == Resampling::Mlsmote {
            return Err(LearnError::Data {
                message: format!("`learn.resampling` is mlsmote, but {} is a network", self.head),
                hint: Some("take oversampling, or a classical head or stacking".to_owned()),
            });
        }
        Ok(())
    }

    fn kind(&self) -> Option<&'static HeadKind> {
        find(&self.head).ok()
    }

    fn is_of_network(&self) -> bool {
        self.kind().is_some_and(|kind| kind.is_network)
    }

    /// How texts are seen: as is said, or else by the features alone in networks, which words cost
    /// twice the time, and by features and words in all other heads.
    #[must_use]
    pub fn views_of_texts(&self) -> &[TextView] {
        match self.text_views.as_slice() {
            [] if self.is_of_network() => &[TextView::Embedding],
            [] => &[TextView::Embedding, TextView::TfIdf],
            said => said,
        }
    }

    /// By how much a fit advances [`super::FitContext::progress`]: epochs, where the head has any.
    #[must_use]
    pub fn steps_of_fit(&self) -> u64 {
        if self.is_of_network() { self.fusion.epochs as u64 } else { 1 }
    }

    /// Whether the head is fitted once on all training titles.
    pub(crate) fn is_fitted_once(&self) -> bool {
        self.kind().is_some_and(|kind| matches!((kind.build)(self), Unfitted::Once(_)))
    }

    /// Where a genre's threshold lies.
    #[must_use]
    pub fn decide(&self) -> Decide {
        let usual = || if self.is_fitted_once() { Decide::ExpectedF1 } else { Decide::Threshold };
        self.decisions.decide.unwrap_or_else(usual)
    }

    /// Exponent of (negatives / positives) in a genre's weight on positives.
    #[must_use]
    pub fn class_weight_power(&self) -> f64 {
        let usual = if self.is_of_network() { 0.5 } else { 0.0 };
        self.imbalance.class_weight_power.unwrap_or(usual)
    }

    /// How genres are weighed.
    pub(crate) fn class_weighing(&self) -> ClassWeighing {
        ClassWeighing {
            weights: self.imbalance.class_weights,
            power: self.class_weight_power(),
            cap: self.imbalance.class_weight_cap,
            effective_beta: self.imbalance.effective_beta,
            label_smoothing: self.imbalance.label_smoothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{DEFAULT_HEAD, Pooling},
        heads::late_fusion,
    };

    #[test]
    fn settings_are_read_strictly_and_checked() {
        let config: LearnConfig = toml::from_str("hidden = 32\npooling = \"mean\"").unwrap();
        assert_eq!((config.fusion.hidden, config.fusion.pooling), (32, Pooling::Mean));
        config.validate().unwrap();
        assert_eq!(DEFAULT_HEAD, late_fusion::NAME);
        assert!(toml::from_str::<LearnConfig>("hiden = 32").is_err());
        for (text, word) in [
            ("dropout = 1.0", "`learn.dropout` must be between 0 and 0.95, got 1"),
            ("dropout = nan", "got NaN"),
            ("text_views = [\"glove\"]", "`learn.glove` names no file"),
            ("head = \"stacking\"\ntext_views = [\"sequence\"]", "stacking cannot"),
            ("head = \"stacking\"\ntext_views = [\"fine-tuned\"]", "has fine-tuned, but stacking"),
            (
                "fine_tuned.layers = 0",
                "`learn.fine_tuned.layers` must be between 1 and 1000, got 0",
            ),
            ("fine_tuned.max_tokens = 2", "`learn.fine_tuned.max_tokens` must be between 3"),
            ("fine_tuned.learning_rate = 0", "`learn.fine_tuned.learning_rate` must be between"),
            ("fine_tuned.weight_decay = -1", "`learn.fine_tuned.weight_decay` must be between 0"),
            ("resampling = \"mlsmote\"", "late-fusion is a network"),
            ("borrowed.speech.from = \"speech\"", "is \"speech\", which the head is not fitted on"),
            (
                "borrowed.speech = { from = \"plot\", min_words = 200 }",
                "`learn.borrowed.speech.full_words` must be 1 or more and at least `min_words` (200)",
            ),
            (
                "borrowed.frames = { from = \"poster\", least_precision = 1.0 }",
                "`learn.borrowed.frames.least_precision` must be between 0.01 and 0.999, got 1",
            ),
            ("members = 1", "`learn.members` must be between 2 and 100, got 1"),
            ("head = \"late-fussion\"", "late-fussion"),
        ] {
            let config: LearnConfig = toml::from_str(text).unwrap();
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
