//! Which scores become tags.

use eval::AtPrecision;
use learn::model::Decisions;
use serde::Serialize;

use super::GenreScore;

/// What a person asks for beyond the bundle's own thresholds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Choice {
    /// No tag is less probable than this, 0..1.
    pub min_probability: Option<f32>,
    /// No title has more tags than this: the most probable ones.
    pub top: Option<usize>,
    /// Tags are to be right this often, 0..1: the bundle's thresholds for it instead of its usual
    /// ones. A genre that cannot be told so surely is never a tag.
    pub precision: Option<f64>,
}

impl Choice {
    /// `[genres]`: thresholds by which a title is decided on, in the place of the usual ones.
    pub(super) fn thresholds(&self, decisions: &Decisions) -> Vec<f64> {
        let asked = self.precision.and_then(|precision| decisions.at(precision));
        asked.map_or_else(|| decisions.thresholds.clone(), AtPrecision::or_never)
    }

    /// Whether a model has thresholds for the precision; `fused` are those for whole titles.
    ///
    /// # Errors
    /// It has none that is as high; the message says which it has.
    pub fn check(&self, fused: &Decisions) -> Result<(), String> {
        let Some(precision) = self.precision else { return Ok(()) };
        if fused.at(precision).is_some() {
            return Ok(());
        }
        let known = fused.at_precision.iter().map(|at| at.precision.to_string());
        let known: Vec<String> = known.collect();
        Err(match known.last() {
            None => "this bundle has no thresholds for precisions; train it again".to_owned(),
            Some(_) => format!("this bundle has thresholds for {}", known.join(", ")),
        })
    }

    /// Takes decisions back that are not asked for. `scores` are sorted, most probable first.
    pub(super) fn apply(&self, scores: &mut [GenreScore]) {
        let mut num_left = self.top.unwrap_or(usize::MAX);
        for score in scores.iter_mut().filter(|score| score.decision) {
            score.decision =
                num_left > 0 && score.probability >= self.min_probability.unwrap_or(0.0);
            num_left -= usize::from(score.decision);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use eval::thresholds::NEVER;

    use super::*;

    /// Scores of these genres, all given, from 0.7 downwards.
    fn scores_of(genres: &[&str]) -> Vec<GenreScore> {
        let score = |(idx, genre): (usize, &&str)| GenreScore {
            genre: (*genre).to_owned(),
            probability: 0.7 - 0.1 * idx as f32,
            threshold: 0.38,
            decision: true,
            base: 0.0,
            contributions: BTreeMap::new(),
        };
        genres.iter().enumerate().map(score).collect()
    }

    #[test]
    fn a_precision_takes_the_lowest_thresholds_that_promise_it() {
        let at = |precision: f64, thresholds: [Option<f64>; 2]| AtPrecision {
            precision,
            thresholds: thresholds.to_vec(),
        };
        let decisions = Decisions {
            platt: Vec::new(),
            isotonic: Vec::new(),
            thresholds: vec![0.3, 0.4],
            at_precision: vec![at(0.5, [Some(0.2), Some(0.5)]), at(0.8, [Some(0.6), None])],
        };
        let asking = |precision: Option<f64>| Choice { precision, ..Choice::default() };
        assert_eq!(asking(None).thresholds(&decisions), [0.3, 0.4]);
        assert_eq!(asking(Some(0.5)).thresholds(&decisions), [0.2, 0.5]);
        assert_eq!(asking(Some(0.51)).thresholds(&decisions), [0.6, NEVER]);
        assert!(asking(Some(0.8)).check(&decisions).is_ok());
        let known = asking(Some(0.9)).check(&decisions).unwrap_err();
        assert!(known.ends_with("0.5, 0.8"), "{known}");
        let old = Decisions { at_precision: Vec::new(), ..decisions };
        assert!(asking(Some(0.5)).check(&old).unwrap_err().contains("train it again"));
        assert!(asking(None).check(&old).is_ok());
    }

    #[test]
    fn wishes_take_tags_away_and_add_none() {
        let chosen = |choice: Choice| {
            let mut scores = scores_of(&["Drama", "War", "Crime"]);
            choice.apply(&mut scores);
            let tags = scores.iter().filter(|score| score.decision);
            tags.map(|score| score.genre.clone()).collect::<Vec<_>>()
        };
        assert_eq!(chosen(Choice::default()), ["Drama", "War", "Crime"]);
        assert_eq!(chosen(Choice { top: Some(1), ..Choice::default() }), ["Drama"]);
        assert_eq!(chosen(Choice { top: Some(0), ..Choice::default() }), [""; 0]);
        let probable = Choice { min_probability: Some(0.55), ..Choice::default() };
        assert_eq!(chosen(probable), ["Drama", "War"]);
        let nothing = Choice { min_probability: Some(0.0), ..Choice::default() };
        assert_eq!(chosen(nothing).len(), 3, "a score that is no tag never becomes one");
    }
}
