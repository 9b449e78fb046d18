//! What genres a record's people, countries and other values had among the training titles.
//!
//! A value's score for a genre is the log-odds of the genre among the titles that have the value,
//! less those among all, as if it had some titles more of the usual genres; a title's score is the
//! sum over its values, on the log-odds among all. So a name that three films share says something
//! where a regression has too few rows to learn a weight for it.
//!
//! source: Micci-Barreca 2001, "A preprocessing scheme for high-cardinality categorical attributes"
//! (smoothed target statistics); values are taken as independent, as in naive Bayes

use dataset::{Content, Dataset};
use serde::{Deserialize, Serialize};

use crate::{LearnError, transform::TabularTransform};

/// Fitted on the records of the one modality of some data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Associations {
    /// Every value that any training title has.
    values: TabularTransform,
    /// `[genres]`: log-odds among all.
    prior: Vec<f32>,
    /// `[features, genres]`; 0 of what is no value.
    weights: Vec<f32>,
}

impl Associations {
    /// Fits on titles that have the modality; `None` where it holds no values.
    pub(super) fn fit(data: &Dataset, train: &[usize], pseudo_titles: f64) -> Option<Self> {
        let Content::Records { schema, rows } = &data.modalities.first()?.content else {
            return None;
        };
        if schema.categories.is_empty() {
            return None;
        }
        let values = TabularTransform::fit(schema, rows, train, 1);
        let genres = data.num_genres();
        // Of each genre, what the titles weigh of which it is known, and those of them that have it.
        let (mut known, mut with_genre) = (vec![0.0_f64; genres], vec![0.0_f64; genres]);
        let (mut counts, mut both) =
            (vec![0.0_f64; values.dim() * genres], vec![0.0_f64; values.dim() * genres]);
        for &title in train {
            let Some(record) = &rows[title] else { continue };
            let weights: Vec<f64> =
                (0..genres).map(|genre| f64::from(data.label_weight(title, genre))).collect();
            let labels = data.labels_of(title).iter().zip(&weights);
            let has: Vec<f64> =
                labels.map(|(&label, &weight)| if label { weight } else { 0.0 }).collect();
            add(&mut known, &weights);
            add(&mut with_genre, &has);
            for (feature, _) in values.values_of(record) {
                let own = feature as usize * genres..(feature as usize + 1) * genres;
                add(&mut counts[own.clone()], &weights);
                add(&mut both[own], &has);
            }
        }
        let share = |genre: usize| (with_genre[genre] + 0.5) / (known[genre] + 1.0);
        let odds = |p: f64| (p / (1.0 - p)).ln();
        let weights = (0..values.dim() * genres).map(|at| {
            let (count, share) = (counts[at], share(at % genres));
            let own = pseudo_titles.mul_add(share, both[at]) / (count + pseudo_titles);
            (odds(own) - odds(share)) as f32
        });
        Some(Self {
            prior: (0..genres).map(|genre| odds(share(genre)) as f32).collect(),
            weights: weights.collect(),
            values,
        })
    }

    /// Whether its parts belong together.
    pub(super) fn fits(&self, genres: usize) -> bool {
        self.prior.len() == genres
            && self.values.dim().checked_mul(genres) == Some(self.weights.len())
    }

    /// `[titles, genres]` of titles that have the modality.
    pub(super) fn score(&self, data: &Dataset, titles: &[usize]) -> Result<Vec<f32>, LearnError> {
        let genres = self.prior.len();
        let Content::Records { schema, rows } = &data.modalities[0].content else {
            return Ok(self.prior.repeat(titles.len()));
        };
        self.values.check_schema(schema)?;
        let mut scores = Vec::with_capacity(titles.len() * genres);
        for &title in titles {
            let mut own = self.prior.clone();
            for (feature, _) in rows[title].iter().flat_map(|record| self.values.values_of(record))
            {
                let weights = &self.weights[feature as usize * genres..];
                own.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
            }
            scores.extend(own);
        }
        Ok(scores)
    }
}

fn add(sums: &mut [f64], values: &[f64]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::TitleId;
    use catalog::{Record, RecordSchema};
    use dataset::ModalityTable;

    use super::*;

    fn data(rows: &[(&[&str], bool)]) -> Dataset {
        let record = |values: &[&str]| Record {
            numbers: vec![Some(1990.0)],
            categories: vec![values.iter().map(|&value| value.to_owned()).collect()],
        };
        let schema =
            RecordSchema { numbers: vec!["year".into()], categories: vec!["actors".into()] };
        let records = rows.iter().map(|(values, _)| Some(record(values))).collect();
        Dataset {
            titles: (0..rows.len()).map(|t| TitleId::new(&t.to_string())).collect(),
            genres: vec!["War".into()],
            labels: rows.iter().map(|(_, label)| *label).collect(),
            label_weights: None,
            modalities: vec![
                ModalityTable::new("metadata", Content::Records { schema, rows: records }).into(),
            ],
        }
    }

    #[test]
    fn values_speak_by_the_genres_that_they_had() {
        // Five training titles, two with the genre: a share of (2 + 0.5) / (5 + 1) = 5/12.
        let data = data(&[
            (&["ann", "bob"], true),
            (&["ann"], true),
            (&["bob"], false),
            (&["cid"], false),
            (&[], false),
            // Held out: whose genre is not looked at.
            (&["ann", "ann"], false),
            (&["eve"], true),
            (&["bob", "cid"], true),
        ]);
        let fitted = Associations::fit(&data, &[0, 1, 2, 3, 4], 1.5).unwrap();
        let scores = fitted.score(&data, &[5, 6, 7]).unwrap();
        let odds = |p: f64| (p / (1.0 - p)).ln();
        let prior = odds(5.0 / 12.0);
        // (with + 1.5 * 5/12) / (titles + 1.5)
        let (ann, bob, cid) = (2.625 / 3.5, 1.625 / 3.5, 0.625 / 2.5);
        let expected = [odds(ann), prior, odds(bob) + odds(cid) - prior];
        for (score, expected) in scores.iter().zip(expected) {
            assert!((f64::from(*score) - expected).abs() < 1e-5, "{score} {expected}");
        }
        assert!(fitted.fits(1) && !fitted.fits(2));
    }

    #[test]
    fn what_holds_no_values_has_none() {
        let mut data = data(&[(&["ann"], true)]);
        assert!(Associations::fit(&data, &[], 1.5).is_some());
        let table = Arc::make_mut(&mut data.modalities[0]);
        let Content::Records { schema, rows } = &mut table.content else { panic!() };
        schema.categories.clear();
        rows[0].as_mut().unwrap().categories.clear();
        assert!(Associations::fit(&data, &[0], 1.5).is_none());
    }
}
