//! What a calibration error comes to where there is none: it is a mean of distances, so it is above
//! 0 for scores that mean exactly what they say, and the more so the fewer titles there are.
//!
//! in: probabilities `[titles, genres]`, taken for true
//! out: mean and 95 % point of the expected calibration error of labels drawn from them, of each
//! genre and of all pairs together
//! source: Bröcker & Smith 2007, "Increasing the reliability of reliability diagrams" (consistency
//! resampling)
//!
//! Labels are drawn one by one. Genres of one title hang together, so that the pooled error of a
//! perfect forecast lies a little more widely than is said here; that of a genre does not.

use base::Seed;
use ndarray::ArrayView2;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{calibration::bin_of, counts::ratio};

/// The share of draws that lie at or below [`ByChance::high`].
const LEVEL: f64 = 0.95;

/// An error as chance alone gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ByChance {
    /// Mean over the draws.
    pub mean: f64,
    /// 95 in 100 draws lie at or below it.
    pub high: f64,
}

/// Expected calibration errors of probabilities that are true, over bins of equal width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorsByChance {
    /// Of all pairs together.
    pub pooled: ByChance,
    /// `[genres]`
    pub genres: Vec<ByChance>,
}

/// Draws labels from the probabilities `num_draws` times; `None` for no draws. Probabilities
/// outside of 0..1 or NaN are left out, as [`super::calibration::reliability_bins`] does.
///
/// # Panics
/// `num_bins` is 0.
#[must_use]
pub fn errors_by_chance(
    probabilities: ArrayView2<'_, f64>,
    num_bins: usize,
    num_draws: usize,
    seed: Seed,
) -> Option<ErrorsByChance> {
    let genres: Vec<Genre> = probabilities
        .columns()
        .into_iter()
        .map(|column| Genre::of(column.iter().copied(), num_bins))
        .collect();
    let seed = seed.derive("calibration by chance");
    let draw = |k: usize| -> Vec<f64> {
        let mut rng = seed.rng(&k.to_string());
        let mut pooled = vec![0.0; num_bins];
        let mut errors: Vec<f64> = genres
            .iter()
            .map(|genre| {
                let mut gaps = genre.sums.clone();
                for &(p, bin) in &genre.pairs {
                    gaps[bin] -= f64::from(u8::from(rng.random::<f64>() < p));
                }
                pooled.iter_mut().zip(&gaps).for_each(|(all, gap)| *all += gap);
                error_of(&gaps, genre.pairs.len())
            })
            .collect();
        errors.push(error_of(&pooled, genres.iter().map(|genre| genre.pairs.len()).sum()));
        errors
    };
    let draws: Vec<Vec<f64>> = (0..num_draws).into_par_iter().map(draw).collect();
    if draws.is_empty() {
        return None;
    }
    let summary = |k: usize| {
        let mut errors: Vec<f64> = draws.iter().map(|draw| draw[k]).collect();
        errors.sort_unstable_by(f64::total_cmp);
        let rank = ((LEVEL * num_draws as f64).ceil() as usize).clamp(1, num_draws);
        ByChance { mean: errors.iter().sum::<f64>() / num_draws as f64, high: errors[rank - 1] }
    };
    Some(ErrorsByChance {
        pooled: summary(genres.len()),
        genres: (0..genres.len()).map(summary).collect(),
    })
}

/// The mean distance over bins, weighted by their counts.
fn error_of(gaps: &[f64], num_pairs: usize) -> f64 {
    ratio(gaps.iter().map(|gap| gap.abs()).sum(), num_pairs as f64)
}

/// A genre's probabilities with their bins.
struct Genre {
    pairs: Vec<(f64, usize)>,
    /// `[bins]`: sums of probabilities, the positives that are expected.
    sums: Vec<f64>,
}

impl Genre {
    fn of(probabilities: impl Iterator<Item = f64>, num_bins: usize) -> Self {
        let mut sums = vec![0.0; num_bins];
        let pairs: Vec<(f64, usize)> =
            probabilities.filter_map(|p| Some((p, bin_of(p, num_bins)?))).collect();
        for &(p, bin) in &pairs {
            sums[bin] += p;
        }
        Self { pairs, sums }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::{expected_calibration_error, reliability_bins};
    use ndarray::Array2;

    #[test]
    fn chance_is_what_the_binomial_says() {
        // 100 titles at 0.5 in one bin: the mean of |X - 50| / 100 is 0.0398, 95 % are within 0.1.
        let half = Array2::from_elem((100, 1), 0.5);
        let chance = errors_by_chance(half.view(), 1, 4000, Seed(1)).unwrap();
        let [own] = chance.genres[..] else { panic!("one genre") };
        assert!((own.mean - 0.0398).abs() < 0.001, "{own:?}");
        assert!((own.high - 0.1).abs() < 0.011, "{own:?}");
        assert_eq!(own, chance.pooled);
        // Four times the titles: half of it.
        let more = Array2::from_elem((400, 1), 0.5);
        let more = errors_by_chance(more.view(), 1, 4000, Seed(1)).unwrap().pooled;
        assert!((more.mean / own.mean - 0.5).abs() < 0.03, "{more:?}");
    }

    #[test]
    fn labels_drawn_from_the_probabilities_exceed_it_in_one_of_twenty() {
        let mut rng = Seed(3).rng("labels");
        let probabilities = Array2::from_shape_fn((500, 3), |(t, g)| {
            let x = (t * (g + 2) % 97) as f64 / 97.0;
            x * x
        });
        let chance = errors_by_chance(probabilities.view(), 10, 500, Seed(2)).unwrap();
        let mut above = [0_u32; 4];
        for _ in 0..400 {
            let labels = probabilities.mapv(|p| rng.random::<f64>() < p);
            let error =
                |p: &[f64], l: &[bool]| expected_calibration_error(&reliability_bins(p, l, 10));
            for (g, own) in chance.genres.iter().enumerate() {
                let (p, l) = (probabilities.column(g).to_vec(), labels.column(g).to_vec());
                above[g] += u32::from(error(&p, &l) > own.high);
            }
            let (p, l): (Vec<f64>, Vec<bool>) = probabilities.iter().zip(&labels).unzip();
            above[3] += u32::from(error(&p, &l) > chance.pooled.high);
        }
        // 20 of 400 are expected; 8 to 36 hold 99.8 % of what comes.
        assert!(above.iter().all(|n| (8..=36).contains(n)), "{above:?}");
        assert!(chance.pooled.high < chance.genres[0].high, "more pairs, less by chance");
    }

    #[test]
    fn nothing_drawn_is_nothing_said() {
        let none = Array2::zeros((0, 2));
        assert_eq!(errors_by_chance(none.view(), 10, 0, Seed(1)), None);
        let chance = errors_by_chance(none.view(), 10, 5, Seed(1)).unwrap();
        assert_eq!(chance.genres, [ByChance::default(); 2]);
        let strange = Array2::from_elem((3, 1), f64::NAN);
        let chance = errors_by_chance(strange.view(), 10, 5, Seed(1)).unwrap();
        assert_eq!(chance.pooled, ByChance::default());
    }
}
