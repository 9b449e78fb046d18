//! Which titles to label next.

use learn::ModelPrediction;

/// The titles with the most wrong genres to be expected, first: of each genre the smaller of its probability
/// and what is left to 1, summed. `[titles]` of the prediction that are `open`, and that many at most.
#[must_use]
pub fn doubtful(
    prediction: &ModelPrediction,
    open: impl Fn(usize) -> bool,
    num: usize,
) -> Vec<(usize, f64)> {
    let errors = |title: usize| -> f64 {
        let own = &prediction.probability[prediction.genres_of(title)];
        own.iter().map(|&p| f64::from(p.min(1.0 - p))).sum()
    };
    let titles =
        (0..prediction.num_titles()).filter(|&title| prediction.scored[title] && open(title));
    let mut found: Vec<(usize, f64)> = titles.map(|title| (title, errors(title))).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found.truncate(num);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_least_sure_comes_first() {
        let prediction = ModelPrediction {
            num_genres: 2,
            probability: vec![0.9, 0.1, 0.5, 0.5, 0.2, 0.5, 0.5, 0.5],
            scored: vec![true, true, true, false],
            ..ModelPrediction::default()
        };
        let found = doubtful(&prediction, |_| true, 2);
        assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), [1, 2]);
        assert!((found[0].1 - 1.0).abs() < 1e-6 && (found[1].1 - 0.7).abs() < 1e-6, "{found:?}");
        assert_eq!(
            doubtful(&prediction, |title| title != 1, 9).len(),
            2,
            "nothing is known of the last"
        );
    }
}
