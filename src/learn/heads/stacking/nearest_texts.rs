//! The genres of the training texts whose features are most alike.
//!
//! Each of the nearest weighs as much as the third power of its cosine; the share of these weights
//! that has a genre, smoothed by the genre's share among all, is taken as log-odds. So a film that
//! retells another's story is found where a regression over all films has smoothed it away.
//!
//! source: Cover and Hart 1967; Zhang and Zhou 2007, "ML-KNN" (smoothed shares of several labels)

use dataset::Dataset;
use serde::{Deserialize, Serialize};

use super::remembered::Remembered;

/// A cosine's power is what a neighbour weighs.
const POWER: i32 = 3;
/// The share is taken as if there were so many neighbours more, with the usual genres.
const PSEUDO_NEIGHBOURS: f32 = 1.0;

/// Fitted on the texts of one modality.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NearestTexts {
    modality: usize,
    neighbours: usize,
    /// `[remembered titles, genres]`
    labels: Vec<bool>,
    /// `[genres]`: share among all who have a text.
    prior: Vec<f32>,
}

impl NearestTexts {
    /// Fits on the remembered titles `train` that have the modality.
    pub(super) fn fit(
        data: &Dataset,
        modality: usize,
        texts: &Remembered,
        train: &[usize],
        neighbours: usize,
    ) -> Self {
        let genres = data.num_genres();
        let labels: Vec<bool> =
            train.iter().flat_map(|&title| data.labels_of(title)).copied().collect();
        let who: Vec<usize> = (0..train.len()).filter(|&text| texts.has(text)).collect();
        let with = |genre: usize| who.iter().filter(|&&text| labels[text * genres + genre]).count();
        let share = |genre: usize| (with(genre) as f32 + 0.5) / (who.len() as f32 + 1.0);
        Self { modality, neighbours, prior: (0..genres).map(share).collect(), labels }
    }

    /// Index of the modality that it looks at.
    pub(super) fn modality(&self) -> usize {
        self.modality
    }

    /// Whether its parts belong together and to so many remembered titles.
    pub(super) fn fits(&self, genres: usize, num_titles: usize) -> bool {
        self.prior.len() == genres && num_titles.checked_mul(genres) == Some(self.labels.len())
    }

    /// `[titles, genres]`; `cosines` `[titles, remembered titles]`, `has` `[titles]`: NaN for who
    /// lacks the modality.
    pub(super) fn scores(&self, texts: &Remembered, cosines: &[f32], has: &[bool]) -> Vec<f32> {
        let (genres, num) = (self.prior.len(), texts.num_titles());
        let mut order: Vec<u32> = (0..num as u32).filter(|&t| texts.has(t as usize)).collect();
        let k = self.neighbours.min(order.len());
        let mut scores = Vec::with_capacity(has.len() * genres);
        for (at, &has) in has.iter().enumerate() {
            if !has {
                scores.extend(std::iter::repeat_n(f32::NAN, genres));
                continue;
            }
            let cosines = &cosines[at * num..(at + 1) * num];
            let nearer = |a: &u32, b: &u32| {
                cosines[*b as usize].total_cmp(&cosines[*a as usize]).then(a.cmp(b))
            };
            if k > 0 && k < order.len() {
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
        scores
    }
}
