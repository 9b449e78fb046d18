//! Which scores become tags.

use serde::Serialize;

use super::GenreScore;

/// What a person asks for beyond the bundle's own thresholds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Choice {
    /// No tag is less probable than this, 0..1.
    pub min_probability: Option<f32>,
    /// No title has more tags than this: the most probable ones.
    pub top: Option<usize>,
}

impl Choice {
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
    use super::Choice;
    use crate::tag::testing::tags_of;

    #[test]
    fn wishes_take_tags_away_and_add_none() {
        let chosen = |choice: Choice| {
            let mut scores = tags_of(&["Drama", "War", "Crime"]).scores;
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
