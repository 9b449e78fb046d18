//! Whom a stack asks: a learner for each view, and those that see what no single view shows.

use serde::{Deserialize, Serialize};

use super::{Associations, ExpertKind, JointKernel, NearestTexts};
use crate::{
    base::{Interrupt, Seed},
    learn::{
        LearnConfig, LearnError,
        dataset::Dataset,
        heads::classical::{Base, MultiLabel, UnitView, resampled, targets},
    },
};

/// One that scores genres, fitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Expert {
    /// A learner of one view.
    View { view: UnitView, model: MultiLabel },
    /// A record's values by the genres that they had.
    Associations(Associations),
    /// The most alike texts.
    NearestTexts(NearestTexts),
    /// All modalities at once.
    JointKernel(JointKernel),
}

/// Fits all that the settings ask for.
pub(super) fn fit(
    config: &LearnConfig,
    data: &Dataset,
    train: &[usize],
    seed: Seed,
    interrupt: &Interrupt,
) -> Result<Vec<Expert>, LearnError> {
    let mut experts = of_views(config, config.base, data, train, (seed, interrupt))?;
    let modalities = || 0..data.modalities.len();
    if config.stack.asks(ExpertKind::NearestTexts) {
        for m in modalities().filter(|&m| data.modalities[m].texts.is_some()) {
            experts.push(Expert::NearestTexts(NearestTexts::fit(config, data, m, train)?));
        }
    }
    if config.stack.asks(ExpertKind::Associations) {
        let fit = |m| Associations::fit(data, m, train, config.stack.pseudo_titles);
        experts.extend(modalities().filter_map(fit).map(Expert::Associations));
    }
    interrupt.check()?;
    if config.stack.asks(ExpertKind::JointKernel) {
        experts.push(Expert::JointKernel(JointKernel::fit(config, data, train)?));
    }
    Ok(experts)
}

/// A learner of each view, on the titles that have its modality.
fn of_views(
    config: &LearnConfig,
    base: Base,
    data: &Dataset,
    train: &[usize],
    (seed, interrupt): (Seed, &Interrupt),
) -> Result<Vec<Expert>, LearnError> {
    let views = UnitView::fit_all(data, train, base, config, seed)?;
    let mut experts = Vec::with_capacity(views.len());
    for (idx, view) in views.into_iter().enumerate() {
        let table = &data.modalities[view.modality()];
        let there: Vec<usize> =
            train.iter().copied().filter(|&title| table.present(title)).collect();
        let x = view.design(&view.prepare(data, &there)?, &there);
        let seed = seed.derive(&format!("view {idx}"));
        let targets = targets(data, &there, config);
        let (x, targets) = resampled(x, targets, config, seed);
        let model = MultiLabel::fit(base, &x, &targets, config, seed, interrupt)?;
        experts.push(Expert::View { view, model });
    }
    Ok(experts)
}

impl Expert {
    /// The one modality that it looks at; `None`: all that it is shown.
    pub(super) fn modality(&self) -> Option<usize> {
        match self {
            Self::View { view, .. } => Some(view.modality()),
            Self::Associations(own) => Some(own.modality()),
            Self::NearestTexts(own) => Some(own.modality()),
            Self::JointKernel(_) => None,
        }
    }

    /// Whether it has anything to say of a subset of the modalities, a number whose bits they are.
    pub(super) fn sees(&self, subset: usize) -> bool {
        self.modality().is_none_or(|m| subset >> m & 1 == 1)
    }

    /// Whether its parts belong together, as those of one that was fitted do.
    pub(super) fn fits(&self, genres: usize, modalities: usize) -> bool {
        match self {
            Self::View { view, model } => view.fits(modalities) && model.fits(genres, view.dim()),
            Self::Associations(own) => own.fits(genres, modalities),
            Self::NearestTexts(own) => own.fits(genres, modalities),
            Self::JointKernel(own) => own.fits(genres, modalities),
        }
    }

    /// `[subsets][titles, genres]` through each subset of the modalities but the empty one, or one
    /// table where it looks at one modality; NaN for a title that lacks any that is looked at.
    fn scores(&self, data: &Dataset, titles: &[usize]) -> Result<Vec<Vec<f32>>, LearnError> {
        let m = match self {
            Self::JointKernel(own) => return own.scores(data, titles),
            Self::View { view, .. } => view.modality(),
            Self::Associations(own) => own.modality(),
            Self::NearestTexts(own) => own.modality(),
        };
        let table = &data.modalities[m];
        let there: Vec<usize> = (0..titles.len()).filter(|&at| table.present(titles[at])).collect();
        let those: Vec<usize> = there.iter().map(|&at| titles[at]).collect();
        let own = match self {
            Self::View { view, model } => {
                model.score(&view.design(&view.prepare(data, &those)?, &those))
            }
            Self::Associations(own) => own.score(data, &those)?,
            Self::NearestTexts(own) => own.score(data, &those)?,
            Self::JointKernel(_) => Vec::new(),
        };
        let genres = data.num_genres();
        let mut scores = vec![f32::NAN; titles.len() * genres];
        for (&at, own) in there.iter().zip(own.chunks_exact(genres.max(1))) {
            scores[at * genres..(at + 1) * genres].copy_from_slice(own);
        }
        Ok(vec![scores])
    }
}

/// What all experts say of some titles.
#[derive(Clone, Debug, Default)]
pub(super) struct Opinions {
    genres: usize,
    /// `[experts][subsets][titles, genres]`; of one that looks at one modality there is but one.
    scores: Vec<Vec<Vec<f32>>>,
}

impl Opinions {
    /// Asks each expert about these titles, through every subset of the modalities.
    pub(super) fn ask(
        experts: &[Expert],
        data: &Dataset,
        titles: &[usize],
    ) -> Result<Self, LearnError> {
        let scores = experts.iter().map(|expert| expert.scores(data, titles));
        Ok(Self { genres: data.num_genres(), scores: scores.collect::<Result<_, _>>()? })
    }

    /// What an expert says of a title's genre through a subset that it sees.
    pub(super) fn of(&self, expert: usize, subset: usize, title: usize, genre: usize) -> f32 {
        let own = &self.scores[expert];
        let scores = if own.len() == 1 { &own[0] } else { &own[subset - 1] };
        scores[title * self.genres + genre]
    }

    /// Puts what was said of some titles into its places, those of `at`, among `num_titles`.
    pub(super) fn place(&mut self, part: &Self, at: &[usize], num_titles: usize) {
        self.genres = part.genres;
        self.scores.resize(part.scores.len(), Vec::new());
        for (own, part) in self.scores.iter_mut().zip(&part.scores) {
            own.resize(part.len(), vec![f32::NAN; num_titles * self.genres]);
            for (own, part) in own.iter_mut().zip(part) {
                for (&at, said) in at.iter().zip(part.chunks_exact(self.genres.max(1))) {
                    own[at * self.genres..(at + 1) * self.genres].copy_from_slice(said);
                }
            }
        }
    }
}
