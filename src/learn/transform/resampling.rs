//! Resampling of training titles against imbalance, for many labels at once.
//!
//! How rare a genre is says `IRLbl`: the count of the most common genre over its own. A genre is in
//! the minority if that is above the mean over genres, `MeanIR`.
//!
//! source: Charte et al. 2015, "Addressing imbalance in multilabel classification" (ML-ROS,
//! ML-RUS) and "MLSMOTE: Approaching imbalanced multilabel learning through synthetic instance
//! generation"

use rand::{
    RngExt,
    seq::{IndexedRandom, SliceRandom},
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Neighbours that MLSMOTE looks at.
const NEIGHBOURS: usize = 5;

/// What is done to training titles so that rare genres are seen more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resampling {
    /// Nothing.
    #[default]
    None,
    /// ML-ROS: titles of rare genres count several times.
    Oversampling,
    /// ML-RUS: titles of common genres alone are left out.
    Undersampling,
    /// MLSMOTE: titles are made up between neighbours of one rare genre (classical heads and
    /// stacking alone).
    Mlsmote,
}

/// `[genres]`: `IRLbl`, infinite for a genre without titles. `labels` is `[genres][titles]`.
#[must_use]
pub fn imbalance(labels: &[Vec<bool>]) -> Vec<f64> {
    let counts: Vec<usize> =
        labels.iter().map(|genre| genre.iter().filter(|&&has| has).count()).collect();
    let most = counts.iter().copied().max().unwrap_or(0) as f64;
    counts.iter().map(|&count| most / count as f64).collect()
}

/// Genres in the minority, ascending; `MeanIR` is over genres that have titles.
fn minority(labels: &[Vec<bool>]) -> (Vec<usize>, f64) {
    let rates = imbalance(labels);
    let there: Vec<f64> = rates.iter().copied().filter(|rate| rate.is_finite()).collect();
    let mean = there.iter().sum::<f64>() / there.len().max(1) as f64;
    let rare = (0..labels.len()).filter(|&g| rates[g].is_finite() && rates[g] > mean).collect();
    (rare, mean)
}

fn titles_with(genre: &[bool]) -> Vec<usize> {
    (0..genre.len()).filter(|&title| genre[title]).collect()
}

/// The titles to fit on where the settings ask for copies or omissions; `None` for all as they
/// are.
#[must_use]
pub fn rows(
    labels: &[Vec<bool>],
    resampling: Resampling,
    frac: f64,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<usize>> {
    match resampling {
        Resampling::Oversampling => Some(oversampled(labels, frac, rng)),
        Resampling::Undersampling => Some(undersampled(labels, frac, rng)),
        Resampling::None | Resampling::Mlsmote => None,
    }
}

/// ML-ROS: all titles, and after them copies of titles of minority genres, `frac` of the titles
/// at most; a genre that is no longer in the minority is copied no more.
#[must_use]
pub fn oversampled(labels: &[Vec<bool>], frac: f64, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let num_titles = labels.first().map_or(0, Vec::len);
    let (mut rare, mean) = minority(labels);
    let mut counts: Vec<usize> = labels.iter().map(|genre| titles_with(genre).len()).collect();
    let bags: Vec<Vec<usize>> = labels.iter().map(|genre| titles_with(genre)).collect();
    let mut rows: Vec<usize> = (0..num_titles).collect();
    let total = num_titles + (num_titles as f64 * frac).round() as usize;
    while rows.len() < total && !rare.is_empty() {
        for &genre in &rare {
            if let Some(&title) = bags[genre].choose(rng).filter(|_| rows.len() < total) {
                rows.push(title);
                for (count, labels) in counts.iter_mut().zip(labels) {
                    *count += usize::from(labels[title]);
                }
            }
        }
        let most = counts.iter().copied().max().unwrap_or(0) as f64;
        rare.retain(|&genre| most / counts[genre] as f64 > mean);
    }
    rows
}

/// ML-RUS: the titles without those that were left out, `frac` of them at most; a title of a
/// minority genre always stays.
#[must_use]
pub fn undersampled(labels: &[Vec<bool>], frac: f64, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let num_titles = labels.first().map_or(0, Vec::len);
    let (rare, _) = minority(labels);
    let mut common: Vec<usize> =
        (0..num_titles).filter(|&title| rare.iter().all(|&genre| !labels[genre][title])).collect();
    common.shuffle(rng);
    common.truncate((num_titles as f64 * frac).round() as usize);
    let mut stays = vec![true; num_titles];
    for title in common {
        stays[title] = false;
    }
    (0..num_titles).filter(|&title| stays[title]).collect()
}

/// A title made up by [`mlsmote`]: it lies at `at` of the way from `title` to `neighbour`.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    /// Where it starts.
    pub title: usize,
    /// Where it leads.
    pub neighbour: usize,
    /// In 0..1.
    pub at: f32,
    /// `[genres]`: those that more than half of the title and its neighbours have.
    pub labels: Vec<bool>,
}

/// MLSMOTE: one made-up title for each title of each minority genre, toward one of its nearest
/// neighbours of that genre. `distance` is between two titles. A genre with a single title gives
/// none.
#[must_use]
pub fn mlsmote(
    labels: &[Vec<bool>],
    distance: impl Fn(usize, usize) -> f32,
    rng: &mut ChaCha8Rng,
) -> Vec<Synthetic> {
    let mut made_up = Vec::new();
    for genre in minority(labels).0 {
        let bag = titles_with(&labels[genre]);
        for &title in &bag {
            let mut near: Vec<(f32, usize)> = bag
                .iter()
                .filter(|&&other| other != title)
                .map(|&other| (distance(title, other), other))
                .collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            near.truncate(NEIGHBOURS);
            let Some(&(_, neighbour)) = near.choose(rng) else { continue };
            let considered: Vec<usize> =
                near.iter().map(|&(_, other)| other).chain([title]).collect();
            let own = labels.iter().map(|genre| {
                2 * considered.iter().filter(|&&t| genre[t]).count() > considered.len()
            });
            made_up.push(Synthetic {
                title,
                neighbour,
                at: rng.random_range(0.0..1.0),
                labels: own.collect(),
            });
        }
    }
    made_up
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;

    /// Genres of 8, 4 and 2 of 10 titles: `IRLbl` 1, 2 and 4, `MeanIR` 7/3: the third is rare.
    fn labels() -> Vec<Vec<bool>> {
        [8, 4, 2].map(|count| (0..10).map(|title| title >= 10 - count).collect()).to_vec()
    }

    #[test]
    fn imbalance_is_hand_worked() {
        assert_eq!(imbalance(&labels()), [1.0, 2.0, 4.0]);
        let (rare, mean) = minority(&labels());
        assert_eq!((rare, (mean * 3.0).round()), (vec![2], 7.0));
    }

    #[test]
    fn copies_are_of_rare_genres_until_they_are_rare_no_more() {
        let mut rng = Seed(1).rng("ros");
        // Titles 8 and 9 have all genres. After k copies: IRLbl (8 + k) / (2 + k), which is 2.25
        // and so at most 7/3 when k = 2... (10 / 4 = 2.5), k = 3 (11 / 5 = 2.2).
        let rows = oversampled(&labels(), 1.0, &mut rng);
        assert_eq!(rows.len(), 13);
        assert_eq!(rows[..10], (0..10).collect::<Vec<_>>());
        assert!(rows[10..].iter().all(|&title| title >= 8));
        assert_eq!(oversampled(&labels(), 0.1, &mut rng).len(), 11);
    }

    #[test]
    fn titles_of_rare_genres_are_never_left_out() {
        let mut rng = Seed(1).rng("rus");
        let rows = undersampled(&labels(), 0.5, &mut rng);
        assert_eq!(rows.len(), 5);
        assert!(rows.ends_with(&[8, 9]));
        assert_eq!(undersampled(&labels(), 1.0, &mut rng), [8, 9]);
    }

    #[test]
    fn made_up_titles_lie_between_neighbours_of_one_rare_genre() {
        // Rare genre: titles 0, 1 and 2 at 0, 1 and 5 on a line; title 0 alone has genre B.
        let labels = vec![
            vec![true, true, true, false, false, false, false, false, false, false],
            vec![true, false, false, true, true, true, true, true, true, true],
            vec![false; 10].into_iter().map(|_| true).collect(),
        ];
        let place = [0.0_f32, 1.0, 5.0];
        let distance = |a: usize, b: usize| (place[a] - place[b]).abs();
        let made_up = mlsmote(&labels, distance, &mut Seed(1).rng("smote"));
        assert_eq!(made_up.iter().map(|s| s.title).collect::<Vec<_>>(), [0, 1, 2]);
        for synthetic in &made_up {
            assert!(synthetic.neighbour < 3 && synthetic.neighbour != synthetic.title);
            assert!((0.0..1.0).contains(&synthetic.at));
            // All three are considered: all have the rare genre, one has B.
            assert_eq!(synthetic.labels, [true, false, true]);
        }
    }
}
