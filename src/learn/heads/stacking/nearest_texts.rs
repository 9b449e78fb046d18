//! The genres of the training texts whose features are most alike.
//!
//! Each of the nearest weighs as much as the third power of its cosine; the share of these weights
//! that has a genre, smoothed by the genre's share among all, is taken as log-odds. So a film that
//! retells another's story is found where a regression over all films has smoothed it away.
//!
//! source: Cover and Hart 1967; Zhang and Zhou 2007, "ML-KNN" (smoothed shares of several labels)

use serde::{Deserialize, Serialize};

use super::remembered::{Remembered, some_of};
use crate::learn::{LearnConfig, LearnError, dataset::Dataset};

/// A cosine's power is what a neighbour weighs.
const POWER: i32 = 3;
/// The share is taken as if there were so many neighbours more, with the usual genres.
const PSEUDO_NEIGHBOURS: f32 = 1.0;

/// Fitted on the texts of one modality.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NearestTexts {
    texts: Remembered,
    neighbours: usize,
    /// `[texts, genres]`
    labels: Vec<bool>,
    /// `[genres]`: share among all texts.
    prior: Vec<f32>,
}

impl NearestTexts {
    /// Fits on the training titles that have the modality.
    pub(super) fn fit(
        config: &LearnConfig,
        data: &Dataset,
        modality: usize,
        train: &[usize],
    ) -> Result<Self, LearnError> {
        let table = &data.modalities[modality];
        let there: Vec<usize> =
            train.iter().copied().filter(|&title| table.present(title)).collect();
        let there = some_of(&there);
        let labels: Vec<bool> =
            there.iter().flat_map(|&title| data.labels_of(title)).copied().collect();
        let genres = data.num_genres();
        let with = |genre: usize| labels.iter().skip(genre).step_by(genres).filter(|l| **l).count();
        let share = |genre: usize| (with(genre) as f32 + 0.5) / (there.len() as f32 + 1.0);
        Ok(Self {
            texts: Remembered::fit(data, modality, &there, config.min_support)?,
            neighbours: config.stack.neighbours,
            prior: (0..genres).map(share).collect(),
            labels,
        })
    }

    /// Index of the modality that it looks at.
    pub(super) fn modality(&self) -> usize {
        self.texts.modality()
    }

    /// Whether its parts belong together.
    pub(super) fn fits(&self, genres: usize, modalities: usize) -> bool {
        self.texts.fits(modalities)
            && self.prior.len() == genres
            && self.texts.num_titles().checked_mul(genres) == Some(self.labels.len())
    }

    /// `[titles, genres]` of titles that have the modality.
    pub(super) fn score(&self, data: &Dataset, titles: &[usize]) -> Result<Vec<f32>, LearnError> {
        let (genres, num) = (self.prior.len(), self.texts.num_titles());
        let cosines = self.texts.cosines(data, titles)?;
        let k = self.neighbours.min(num);
        let mut scores = Vec::with_capacity(titles.len() * genres);
        let mut order: Vec<u32> = (0..num as u32).collect();
        for at in 0..titles.len() {
            let cosines = &cosines[at * num..(at + 1) * num];
            let nearer = |a: &u32, b: &u32| {
                cosines[*b as usize].total_cmp(&cosines[*a as usize]).then(a.cmp(b))
            };
            if k > 0 && k < num {
                order.select_nth_unstable_by(k - 1, nearer);
            }
            // Sums do not depend on the order in which the nearest were found.
            order[..k].sort_unstable();
            let mut all = PSEUDO_NEIGHBOURS;
            let mut with: Vec<f32> = self.prior.iter().map(|p| PSEUDO_NEIGHBOURS * p).collect();
            let weight = |text: &u32| cosines[*text as usize].max(0.0).powi(POWER);
            let most = order[..k].iter().map(weight).fold(0.0, f32::max);
            for text in &order[..k] {
                let weight = if most > 0.0 { weight(text) / most } else { 1.0 };
                all += weight;
                let labels = &self.labels[*text as usize * genres..];
                for (sum, _) in with.iter_mut().zip(labels).filter(|(_, label)| **label) {
                    *sum += weight;
                }
            }
            scores.extend(with.into_iter().map(|with| (with / (all - with)).ln()));
        }
        Ok(scores)
    }
}
