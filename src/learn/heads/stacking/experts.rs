//! Whom a stack asks: learners of single modalities, and those that compare a title with titles
//! that they were fitted on.

use std::{iter::repeat_n, sync::Arc};

use base::{Interrupt, Seed};
use dataset::{Content, Dataset};
use serde::{Deserialize, Serialize};

use super::{
    Associations, ExpertKind, JointKernel, NearestTexts,
    parts::{FittedParts, Material},
    remembered::{Remembered, some_of},
};
use crate::{
    LearnConfig, LearnError,
    config::{LabelScheme, Resampling, TextView},
    heads::{
        FitContext,
        classical::{MultiLabel, UnitView, resampled, targets},
    },
};

/// One that looks at a single modality, fitted. It is fitted and asked on data of this modality
/// alone: it does not matter beside which others it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Expert {
    /// A learner of one view.
    View { view: UnitView, model: Box<MultiLabel> },
    /// A record's values by the genres that they had.
    Associations(Associations),
    /// One that was there before: the modality's row is what it says.
    Given,
}

/// All of them, fitted on the same titles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Experts {
    /// `[modalities]`: those that look at it alone.
    #[serde(rename = "alone")]
    unimodal: Vec<Arc<[Expert]>>,
    /// `[modalities]`: what titles are compared with; `None` where nobody compares.
    remembered: Vec<Option<Arc<Remembered>>>,
    /// One for each text.
    nearest: Vec<NearestTexts>,
    joint: Option<Arc<JointKernel>>,
}

impl Experts {
    /// Fits all that the settings ask for on `train`, titles that have any modality. What `parts`
    /// has already is taken from there.
    pub(super) fn fit(
        material: &Material<'_>,
        train: &[usize],
        context: &FitContext<'_>,
        parts: &FittedParts,
    ) -> Result<Self, LearnError> {
        let Material { config, data, .. } = material;
        let num = data.modalities.len();
        let mut unimodal = Vec::with_capacity(num);
        for (m, table) in data.modalities.iter().enumerate() {
            let there: Vec<usize> =
                train.iter().copied().filter(|&title| table.present(title)).collect();
            let fit = || -> Result<Arc<[Expert]>, LearnError> {
                let data = data.with_modalities(&[m]);
                let (seed, interrupt) = (context.seed.derive(&table.name), context.interrupt);
                Ok(fit_alone(config, &data, &there, seed, interrupt)?.into())
            };
            unimodal.push(if draws_nothing(config) {
                parts.experts.get(material.key(&[m], &there), fit)?
            } else {
                fit()?
            });
        }
        context.interrupt.check()?;
        let (asks_nearest, asks_joint) = (
            config.stack.asks(ExpertKind::NearestTexts),
            config.stack.asks(ExpertKind::JointKernel),
        );
        let train = some_of(train);
        let (mut remembered, mut nearest) = (Vec::with_capacity(num), Vec::new());
        for (m, table) in data.modalities.iter().enumerate() {
            let looks_for_texts = asks_nearest && table.texts.is_some();
            if !looks_for_texts && !asks_joint {
                remembered.push(None);
                continue;
            }
            let own = parts.remembered.get(material.key(&[m], &train), || {
                Ok(Remembered::fit(table, &train, config.min_support)?.into())
            })?;
            if looks_for_texts {
                nearest.push(NearestTexts::fit(data, m, &own, &train, config.stack.neighbours));
            }
            remembered.push(Some(own));
        }
        let joint = if asks_joint {
            let all: Vec<usize> = (0..num).collect();
            let views: Vec<&Remembered> = remembered.iter().flatten().map(AsRef::as_ref).collect();
            let fit = || Ok(JointKernel::fit(config, data, &train, &views).into());
            Some(parts.joint.get(material.key(&all, &train), fit)?)
        } else {
            None
        };
        Ok(Self { unimodal, remembered, nearest, joint })
    }

    /// At what each looks, in the order of [`Opinions`].
    pub(super) fn looks(&self) -> Looks {
        let unimodal = self.unimodal.iter().enumerate();
        let modalities = unimodal
            .flat_map(|(m, experts)| repeat_n(Some(m), experts.len()))
            .chain(self.nearest.iter().map(|nearest| Some(nearest.modality())))
            .chain(self.joint.iter().map(|_| None))
            .collect();
        let mut alone = self.unimodal.iter().flat_map(|experts| experts.iter());
        Looks { modalities, given: alone.position(|expert| matches!(expert, Expert::Given)) }
    }

    /// Whether their parts belong together, as those of what was fitted do.
    pub(super) fn fits(&self, genres: usize, modalities: usize) -> bool {
        let is_whole = |expert: &Expert| match expert {
            Expert::View { view, model } => view.fits(1) && model.fits(genres, view.dim()),
            Expert::Associations(own) => own.fits(genres),
            Expert::Given => true,
        };
        let remembered = || self.remembered.iter().flatten();
        let num = remembered().next().map_or(0, |own| own.num_titles());
        self.unimodal.len() == modalities
            && self.unimodal.iter().flat_map(|experts| experts.iter()).all(is_whole)
            && self.remembered.len() == modalities
            && remembered().all(|own| own.fits() && own.num_titles() == num)
            && self.nearest.iter().all(|nearest| {
                let texts = self.remembered.get(nearest.modality());
                texts.is_some_and(Option::is_some) && nearest.fits(genres, num)
            })
            && self
                .joint
                .as_ref()
                .is_none_or(|joint| remembered().count() == modalities && joint.fits(genres, num))
    }

    /// Asks each about these titles, through every subset of the modalities.
    pub(super) fn ask(&self, data: &Dataset, titles: &[usize]) -> Result<Opinions, LearnError> {
        let genres = data.num_genres();
        let mut scores = Vec::new();
        let mut has: Vec<Vec<bool>> = Vec::with_capacity(data.modalities.len());
        for (m, (table, experts)) in data.modalities.iter().zip(&self.unimodal).enumerate() {
            has.push(titles.iter().map(|&title| table.present(title)).collect());
            let there: Vec<usize> = (0..titles.len()).filter(|&at| has[m][at]).collect();
            let those: Vec<usize> = there.iter().map(|&at| titles[at]).collect();
            let data = data.with_modalities(&[m]);
            for expert in experts.iter() {
                let own = expert.scores(&data, &those)?;
                scores.push(vec![among(titles.len(), genres, &there, &own)]);
            }
        }
        // `[modalities][titles, remembered titles]`
        let mut cosines = Vec::with_capacity(data.modalities.len());
        for (table, own) in data.modalities.iter().zip(&self.remembered) {
            let cosines_to = |own: &Arc<Remembered>| own.cosines(table, titles);
            cosines.push(own.as_ref().map_or(Ok(Vec::new()), cosines_to)?);
        }
        for nearest in &self.nearest {
            let m = nearest.modality();
            if let Some(texts) = &self.remembered[m] {
                scores.push(vec![nearest.scores(texts, &cosines[m], &has[m])]);
            }
        }
        if let Some(joint) = &self.joint {
            let views: Vec<&Remembered> =
                self.remembered.iter().flatten().map(AsRef::as_ref).collect();
            scores.push(joint.scores(&views, cosines, &has));
        }
        Ok(Opinions { genres, scores })
    }
}

/// At what the experts look.
pub(super) struct Looks {
    /// `[experts]`: the modality that each looks at; `None`: all that it is shown.
    pub(super) modalities: Vec<Option<usize>>,
    /// The expert that was there before.
    pub(super) given: Option<usize>,
}

impl Looks {
    /// The experts that have anything to say of a subset of the modalities, a number whose bits they
    /// are.
    pub(super) fn seeing(&self, subset: usize) -> impl Iterator<Item = usize> + '_ {
        let sees = move |look: &Option<usize>| look.is_none_or(|m| subset >> m & 1 == 1);
        self.modalities.iter().enumerate().filter(move |(_, look)| sees(look)).map(|(at, _)| at)
    }
}

/// Whether two fits on the same titles give the same learners, whatever their seeds: logistic and
/// ridge regressions draw nothing.
pub(super) fn draws_nothing(config: &LearnConfig) -> bool {
    !config.base.facts().draws
        && config.imbalance.resampling == Resampling::None
        && config.classical.labels != LabelScheme::ChainEnsemble
        && !config.views_of_texts().contains(&TextView::Word2vec)
}

/// Fits those that look at the one modality of `data`, on titles that have it.
fn fit_alone(
    config: &LearnConfig,
    data: &Dataset,
    there: &[usize],
    seed: Seed,
    interrupt: &Interrupt,
) -> Result<Vec<Expert>, LearnError> {
    if config.prior.as_ref().is_some_and(|prior| prior.modality == data.modalities[0].name) {
        return Ok(vec![Expert::Given]);
    }
    let views = UnitView::fit_all(data, there, config.base, config, seed)?;
    let mut experts = Vec::with_capacity(views.len());
    for (idx, view) in views.into_iter().enumerate() {
        let x = view.design(&view.prepare(data, there)?, there);
        let seed = seed.derive(&format!("view {idx}"));
        let (x, targets) = resampled(x, targets(data, there, config), config, seed);
        let model = MultiLabel::fit(config.base, &x, &targets, config, seed, interrupt)?.into();
        experts.push(Expert::View { view, model });
    }
    if config.stack.asks(ExpertKind::Associations) {
        let own = Associations::fit(data, there, config.stack.pseudo_titles);
        experts.extend(own.map(Expert::Associations));
    }
    Ok(experts)
}

impl Expert {
    /// `[titles, genres]` of titles that have the one modality of `data`.
    fn scores(&self, data: &Dataset, titles: &[usize]) -> Result<Vec<f32>, LearnError> {
        match self {
            Self::View { view, model } => {
                Ok(model.score(&view.design(&view.prepare(data, titles)?, titles)))
            }
            Self::Associations(own) => own.score(data, titles),
            Self::Given => said_of_genres(data, titles),
        }
    }
}

/// `[titles, genres]` of titles whose one modality holds them.
fn said_of_genres(data: &Dataset, titles: &[usize]) -> Result<Vec<f32>, LearnError> {
    let (table, genres) = (&data.modalities[0], data.num_genres());
    let mut said = Vec::with_capacity(titles.len() * genres);
    for &title in titles {
        match &table.content {
            Content::Rows(rows) if rows.rows(title).len() == genres => {
                said.extend_from_slice(rows.rows(title));
            }
            _ => {
                return Err(LearnError::Data {
                    message: format!(
                        "`learn.prior`: {} is not a row of {genres} genres",
                        table.name
                    ),
                    hint: Some("name the modality that holds what another model says".to_owned()),
                });
            }
        }
    }
    Ok(said)
}

/// `[titles, genres]` with the rows of `own` at the places `there`, NaN elsewhere.
pub(super) fn among(num_titles: usize, genres: usize, there: &[usize], own: &[f32]) -> Vec<f32> {
    let mut scores = vec![f32::NAN; num_titles * genres];
    for (&at, own) in there.iter().zip(own.chunks_exact(genres.max(1))) {
        scores[at * genres..(at + 1) * genres].copy_from_slice(own);
    }
    scores
}

/// What all experts say of some titles.
#[derive(Clone, Debug, Default)]
pub(super) struct Opinions {
    genres: usize,
    /// `[experts][subsets][titles, genres]`, through each subset of the modalities but the empty one;
    /// of one that looks at one modality there is but one table. NaN for a title that lacks any that
    /// is looked at.
    scores: Vec<Vec<Vec<f32>>>,
}

impl Opinions {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Base, laws::config};

    #[test]
    fn what_draws_from_a_seed_is_not_shared() {
        let config = config(super::super::NAME);
        assert!(draws_nothing(&config));
        for drawing in [
            config.clone().with(|c| c.imbalance.resampling = Resampling::Mlsmote),
            config.clone().with(|c| c.classical.labels = LabelScheme::ChainEnsemble),
            LearnConfig { text_views: vec![TextView::Word2vec], ..config.clone() },
            LearnConfig { base: Base::RandomForest, ..config },
        ] {
            assert!(!draws_nothing(&drawing), "{drawing:?}");
        }
    }
}
