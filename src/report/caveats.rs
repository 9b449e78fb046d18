//! What a reader must know of a figure's certainty, said the same way wherever it is shown.
//!
//! in: names of genres with the titles that have them
//! out: sentences

/// Below so many titles with a genre its figures lean on few of them. By simulation intervals of
/// figures that are means over genres cover what they say where the rarest has 30 titles, and fall
/// short where it has 6 (docs/evaluation.md).
pub const FEW_POSITIVES: usize = 50;

/// What p-values over titles are about.
pub const OF_PREDICTIONS: &str = "bootstrap and randomisation compare these predictions: the fitted models are held fixed, \
     thresholds and calibration included, and another seed may turn such a difference around";

/// What p-values over folds are about.
pub const OF_METHODS: &str = "methods (corrected resampled t-test over folds) compares the ways in which the models were made: \
     it counts training and thresholds, too";

/// Over what Holm's p is corrected.
pub const OF_HOLM: &str =
    "Holm corrects randomisation over runs, figure by figure, and not over the figures";

/// Names the genres that fewer than [`FEW_POSITIVES`] titles have, and what leans on them; `None`
/// where there are none.
#[must_use]
pub fn few_positives<'a>(genres: impl IntoIterator<Item = (&'a str, usize)>) -> Option<String> {
    let few: Vec<String> = genres
        .into_iter()
        .filter(|&(_, positives)| positives < FEW_POSITIVES)
        .map(|(name, positives)| format!("{name} ({positives})"))
        .collect();
    (!few.is_empty()).then(|| {
        format!(
            "Fewer than {FEW_POSITIVES} titles: {}. Figures of these genres lean on few titles, and \
             so do macro F1, mAP and their intervals.",
            few.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_genres_are_named_and_common_ones_are_not() {
        let note =
            few_positives([("Drama", 500), ("War", 49), ("Noir", 0), ("Music", 50)]).unwrap();
        assert!(note.starts_with("Fewer than 50 titles: War (49), Noir (0)."), "{note}");
        assert_eq!(few_positives([("Drama", 50)]), None);
        assert_eq!(few_positives([]), None);
    }
}
