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
    /// `[remembered titles, genres]`; where not all are known as many more, which say whether each is.
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
        let weight = |text: usize, genre: usize| data.label_weight(train[text], genre);
        let share = |genre: usize| {
            let all: f32 = who.iter().map(|&text| weight(text, genre)).sum();
            let those = who.iter().filter(|&&text| labels[text * genres + genre]);
            let with: f32 = those.map(|&text| weight(text, genre)).sum();
            (with + 0.5) / (all + 1.0)
        };
        let prior = (0..genres).map(share).collect();
        let all = 0..train.len() * genres;
        let is_known = |at: usize| weight(at / genres, at % genres) > 0.0;
        let known = data.is_weighed().then(|| all.map(is_known));
        let labels = labels.iter().copied().chain(known.into_iter().flatten()).collect();
        Self { modality, neighbours, labels, prior }
    }

    /// Index of the modality that it looks at.
    pub(super) fn modality(&self) -> usize {
        self.modality
    }

    /// Whether its parts belong together and to so many remembered titles.
    pub(super) fn fits(&self, genres: usize, num_titles: usize) -> bool {
        let num = num_titles.checked_mul(genres);
        let is_whole =
            |times: usize| num.and_then(|n| n.checked_mul(times)) == Some(self.labels.len());
        self.prior.len() == genres && (is_whole(1) || is_whole(2))
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
            let mut with: Vec<f32> = self.prior.iter().map(|p| PSEUDO_NEIGHBOURS * p).collect();
            let weight = |text: &u32| cosines[*text as usize].max(0.0).powi(POWER);
            let most = order[..k].iter().map(weight).fold(0.0, f32::max);
            let mut all = vec![PSEUDO_NEIGHBOURS; genres];
            for text in &order[..k] {
                let weight = if most > 0.0 { weight(text) / most } else { 1.0 };
                for genre in 0..genres {
                    let at = *text as usize * genres + genre;
                    // A label that is not known is false.
                    if self.labels.get(num * genres + at).is_none_or(|known| *known) {
                        all[genre] += weight;
                        with[genre] += if self.labels[at] { weight } else { 0.0 };
                    }
                }
            }
            let odds = with.into_iter().zip(all).map(|(with, all)| (with / (all - with)).ln());
            scores.extend(odds);
        }
        scores
    }
}
