//! Updates whose worth is known.

use cinetag::{base::Seed, dataset::Dataset};
use rand::{RngExt, seq::SliceRandom};

/// Share of the positives that a careless labelling leaves out.
const LOST: f64 = 0.7;

/// What an update brings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Nothing: the same films, other inner folds.
    Null,
    /// Further films, rightly labelled.
    Right,
    /// Further films, of which half have each other's labels.
    Shuffled,
    /// Further films that lack most of their genres.
    Lost,
}

/// All of them.
pub(super) const KINDS: [Kind; 4] = [Kind::Null, Kind::Right, Kind::Shuffled, Kind::Lost];

impl Kind {
    /// What it is, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Null => "the same films, trained anew",
            Self::Right => "1,000 more, rightly labelled",
            Self::Shuffled => "1,000 more, half with each other's labels",
            Self::Lost => "1,000 more, 70 % of their genres lost",
        }
    }

    /// The films with the labels that the update is trained on, and which of them it is trained on.
    pub(super) fn update(
        self,
        data: &Dataset,
        base: &[usize],
        new: &[usize],
        seed: Seed,
    ) -> (Dataset, Vec<usize>) {
        let mut data = data.clone();
        let mut rng = seed.rng("update");
        let both = [base, new].concat();
        let films = match self {
            Self::Null => base.to_vec(),
            Self::Right | Self::Shuffled | Self::Lost => both,
        };
        match self {
            Self::Null | Self::Right => {}
            Self::Shuffled => {
                let half = &new[..new.len() / 2];
                let mut dealt = half.to_vec();
                dealt.shuffle(&mut rng);
                let rows: Vec<Vec<bool>> =
                    dealt.iter().map(|&film| data.labels_of(film).to_vec()).collect();
                for (&film, row) in half.iter().zip(rows) {
                    labels_of(&mut data, film).copy_from_slice(&row);
                }
            }
            Self::Lost => {
                for &film in new {
                    for label in labels_of(&mut data, film) {
                        *label = *label && !rng.random_bool(LOST);
                    }
                }
            }
        }
        (data, films)
    }
}

fn labels_of(data: &mut Dataset, film: usize) -> &mut [bool] {
    let num_genres = data.num_genres();
    &mut data.labels[film * num_genres..(film + 1) * num_genres]
}
