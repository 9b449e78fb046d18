//! Adds what borrowed modalities say to what a model says by its own.
//!
//! logit = what is known without them (the prior where nothing is) + share * evidence, for each
//! borrowed modality. So a contribution is exact, whatever the head.

use dataset::{Content, Dataset};

use super::{Answers, BESIDE_BORROWED, ask};
use crate::{
    LearnError,
    heads::{FittedHead, Prediction, inputs::check_modalities},
    spec::{BorrowedModality, ModelSpec},
};

/// What a borrowed modality says of some titles.
pub(crate) struct Lent<'a> {
    /// Its place among the data's modalities.
    pub(crate) place: usize,
    of: &'a BorrowedModality,
    /// The place of the modality in whose place it is put.
    from: usize,
    is_borrowed: Vec<bool>,
    /// Means over members.
    answers: Answers,
}

/// Asks a model's members about the borrowed modalities of these titles.
///
/// # Errors
/// Other modalities than the model's; a device error.
pub(crate) fn lent<'a>(
    spec: &'a ModelSpec,
    members: &[Box<dyn FittedHead>],
    own: &Dataset,
    data: &Dataset,
    rows: &[usize],
) -> Result<Vec<Lent<'a>>, LearnError> {
    if spec.borrowed.is_empty() {
        return Ok(Vec::new());
    }
    check_modalities(data, &spec.modalities)?;
    let is_borrowed: Vec<bool> = (0..spec.modalities.len()).map(|m| spec.is_borrowed(m)).collect();
    let place_in =
        |names: &Dataset, name: &str| names.modalities.iter().position(|table| table.name == name);
    let mut all = Vec::new();
    for of in &spec.borrowed {
        let settings = spec.config.borrowed.get(&of.name);
        let places = (place_in(data, &of.name), place_in(data, &of.from), place_in(own, &of.from));
        let (Some(settings), (Some(place), Some(from), Some(asked))) = (settings, places) else {
            return Err(LearnError::Data {
                message: format!("the model borrows {} and does not say how", of.name),
                hint: Some("train it again".to_owned()),
            });
        };
        let table = &data.modalities[place];
        let mut answers = Answers::default();
        for member in members {
            let said = ask(&**member, own, asked, table, settings, rows)?;
            answers.add(said, members.len() as f64);
        }
        all.push(Lent { place, of, from, is_borrowed: is_borrowed.clone(), answers });
    }
    all.sort_by_key(|lent| lent.place);
    Ok(all)
}

impl Answers {
    /// Adds one of `num` answers to their mean.
    fn add(&mut self, other: Self, num: f64) {
        self.raw.resize(other.raw.len(), 0.0);
        self.prior.resize(other.prior.len(), 0.0);
        self.raw.iter_mut().zip(other.raw).for_each(|(sum, x)| *sum += x / num);
        self.prior.iter_mut().zip(other.prior).for_each(|(sum, x)| *sum += x / num);
        self.claims = other.claims;
    }
}

impl Lent<'_> {
    /// Whether it has anything to say of a title.
    pub(crate) fn speaks(&self, title: usize) -> bool {
        self.answers.claims[title] > 0.0 && self.of.votes.iter().any(|vote| vote.has_vote)
    }

    fn evidence(&self, title: usize, genre: usize) -> f64 {
        let raw = self.answers.raw[title * self.of.votes.len() + genre];
        self.of.evidence(genre, self.answers.claims[title], raw)
    }

    /// What it adds to a genre's log-odds beside what else is `seen` `[modalities]`.
    pub(crate) fn part(&self, title: usize, genre: usize, seen: &[bool]) -> f32 {
        let any = |borrowed: bool| {
            let mut others = (0..seen.len()).filter(|&m| m != self.place && seen[m]);
            others.any(|m| self.is_borrowed[m] == borrowed)
        };
        let share = if seen[self.from] {
            self.of.beside_from
        } else if any(false) {
            self.of.beside_others
        } else if any(true) {
            BESIDE_BORROWED
        } else {
            1.0
        };
        (share * self.evidence(title, genre)) as f32
    }

    /// A genre's log-odds by it alone.
    pub(crate) fn unimodal(&self, title: usize, genre: usize) -> f32 {
        (self.answers.prior[genre] + self.evidence(title, genre)) as f32
    }
}

/// The prediction of a head that knows its own modalities alone, with places for all of the data's:
/// nothing comes from the borrowed ones yet, and their rows weigh the same.
pub(crate) fn spread(
    own: Prediction,
    spec: &ModelSpec,
    data: &Dataset,
    rows: &[usize],
) -> Prediction {
    if spec.borrowed.is_empty() {
        return own;
    }
    let (places, modalities) = (spec.own_modalities(), data.modalities.len());
    let num_own = own.num_modalities;
    let wide = |narrow: &[f32], nothing: f32| -> Vec<f32> {
        let mut wide = vec![nothing; narrow.len() / num_own.max(1) * modalities];
        for (at, &value) in narrow.iter().enumerate() {
            wide[at / num_own * modalities + places[at % num_own]] = value;
        }
        wide
    };
    let weights = |m: usize, title: usize| match &data.modalities[m].content {
        Content::Rows(ragged) => {
            let num_rows = ragged.num_rows(title);
            vec![1.0 / num_rows.max(1) as f32; num_rows]
        }
        Content::Records { .. } => Vec::new(),
    };
    let (contributions, unimodal) = (wide(&own.contributions, 0.0), wide(&own.unimodal, f32::NAN));
    let attention = own.attention.into_iter().zip(rows).map(|(own, &title)| {
        let mut all: Vec<Vec<f32>> = (0..modalities).map(|m| weights(m, title)).collect();
        for (&place, own) in places.iter().zip(own) {
            all[place] = own;
        }
        all
    });
    Prediction {
        num_modalities: modalities,
        contributions,
        unimodal,
        attention: attention.collect(),
        ..own
    }
}
