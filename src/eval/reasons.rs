//! Whether tags name the modality that knows the genre.
//!
//! in: decisions, labels, the modalities' contributions and what each modality says by itself, on
//! the same titles
//! out: for each genre that is tagged often enough, the modality that ranks it best alone and the
//! share of the tags in which its contribution is the largest

use ndarray::{ArrayView2, ArrayView3};
use serde::{Deserialize, Serialize};

use super::{counts::ratio, ranking::average_precision};

/// Of fewer tags the share is not said.
pub const MIN_TAGS: usize = 50;

/// A modality whose average precision is so many times the next one's ought to be the reason.
const CLEARLY: f64 = 2.0;

/// What the tags of titles rest on; all arrays over the same titles.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a> {
    /// `[titles, genres]`
    pub labels: ArrayView2<'a, bool>,
    /// `[titles, genres]`
    pub decisions: ArrayView2<'a, bool>,
    /// `[titles, genres, modalities]`, in log-odds.
    pub contributions: ArrayView3<'a, f64>,
    /// `[modalities]` of `[titles, genres]`: scores of each modality alone.
    pub alone: &'a [ArrayView2<'a, f64>],
    /// The modalities that may know a genre best: those that all titles have.
    pub own: &'a [usize],
    /// The titles that are looked at.
    pub titles: &'a [usize],
}

/// The reason that tags of one genre name first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MainReason {
    /// Which genre.
    pub genre: usize,
    /// Titles that were given it.
    pub num_tags: usize,
    /// The modality with the highest average precision alone.
    pub best: usize,
    /// Its average precision.
    pub best_ap: f64,
    /// The modality that comes next.
    pub next: usize,
    /// Its average precision.
    pub next_ap: f64,
    /// Share of the tags in which no other modality's contribution is larger than that of `best`.
    pub best_is_largest: f64,
    /// Whether tags name another modality in half of the cases or more, though `best` knows twice
    /// as much as the next one.
    pub is_misnamed: bool,
}

/// One entry for each genre that [`MIN_TAGS`] titles or more were given; none where there are not
/// two modalities to choose between.
///
/// # Panics
/// The shapes differ.
#[must_use]
pub fn main_reasons(tagged: &Tagged<'_>) -> Vec<MainReason> {
    let (_, genres) = tagged.labels.dim();
    (0..genres).filter_map(|genre| tagged.of(genre)).collect()
}

impl Tagged<'_> {
    fn of(&self, genre: usize) -> Option<MainReason> {
        let tags: Vec<usize> =
            self.titles.iter().copied().filter(|&t| self.decisions[[t, genre]]).collect();
        if tags.len() < MIN_TAGS {
            return None;
        }
        let labels: Vec<bool> = self.titles.iter().map(|&t| self.labels[[t, genre]]).collect();
        let mut ranked: Vec<(usize, f64)> = Vec::new();
        for &m in self.own {
            let scores: Vec<f64> = self.titles.iter().map(|&t| self.alone[m][[t, genre]]).collect();
            ranked.push((m, average_precision(&scores, &labels)?));
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let [(best, best_ap), (next, next_ap), ..] = ranked[..] else { return None };
        let is_largest = |&&t: &&usize| {
            let parts = self.contributions.slice(ndarray::s![t, genre, ..]);
            parts.iter().all(|&part| part <= parts[best])
        };
        let largest = tags.iter().filter(is_largest).count();
        let best_is_largest = ratio(largest as f64, tags.len() as f64);
        Some(MainReason {
            genre,
            num_tags: tags.len(),
            best,
            best_ap,
            next,
            next_ap,
            best_is_largest,
            is_misnamed: best_is_largest <= 0.5 && best_ap >= CLEARLY * next_ap,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    /// 80 titles, the first 40 labelled; the second modality ranks them rightly, the first one
    /// wrongly, the third not at all.
    fn sample() -> (Array2<bool>, Array2<bool>, Array3<f64>, [Array2<f64>; 3]) {
        let labels = Array2::from_shape_fn((80, 1), |(t, _)| t < 40);
        let decisions = Array2::from_shape_fn((80, 1), |(t, _)| t < 60);
        // The largest part: the second modality's in 15 of 60 tags, else the first one's.
        let contributions = Array3::from_shape_fn((80, 1, 3), |(t, _, m)| match m {
            0 => 1.0,
            1 if t % 4 == 0 => 2.0,
            1 => 0.5,
            _ => -1.0,
        });
        let score = |m: usize| {
            Array2::from_shape_fn((80, 1), |(t, _)| match m {
                0 => t as f64,
                1 => -(t as f64),
                _ => 0.0,
            })
        };
        (labels, decisions, contributions, [score(0), score(1), score(2)])
    }

    #[test]
    fn the_modality_that_ranks_best_is_held_to_be_the_reason() {
        let (labels, decisions, contributions, alone) = sample();
        let views: Vec<_> = alone.iter().map(|scores| scores.view()).collect();
        let titles: Vec<usize> = (0..80).collect();
        let tagged = Tagged {
            labels: labels.view(),
            decisions: decisions.view(),
            contributions: contributions.view(),
            alone: &views,
            own: &[0, 1, 2],
            titles: &titles,
        };
        let [reason] = main_reasons(&tagged)[..] else { panic!("one genre") };
        assert_eq!((reason.num_tags, reason.best, reason.next), (60, 1, 2));
        assert!((reason.best_ap - 1.0).abs() < 1e-12 && (reason.next_ap - 0.5).abs() < 1e-12);
        assert!((reason.best_is_largest - 0.25).abs() < 1e-12, "{reason:?}");
        assert!(reason.is_misnamed);
        // 49 tags say nothing, nor does one modality.
        let few: Vec<usize> = (0..49).collect();
        assert_eq!(main_reasons(&Tagged { titles: &few, ..tagged }), []);
        assert_eq!(main_reasons(&Tagged { own: &[1], ..tagged }), []);
        // A modality that is not the head's own may be the largest part and is none that knows.
        let own = main_reasons(&Tagged { own: &[0, 2], ..tagged });
        assert_eq!((own[0].best, own[0].next), (2, 0));
        assert!(own[0].best_is_largest < 1e-12);
        assert!(!own[0].is_misnamed, "0.5 is not twice 0.31");
    }
}
