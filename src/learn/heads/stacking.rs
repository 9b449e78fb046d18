//! Stacking: a learner for each view, and for each set of modalities that a title may have a
//! logistic regression that brings their scores together.
//!
//! The regressions are fitted on scores of views that were fitted on the other inner folds. There
//! is one for each subset of the modalities, fitted on all titles that have them: a title that
//! lacks one is judged by the regression of those that it has, and a modality by itself by a
//! regression of its own.
//!
//! source: Wolpert 1992, "Stacked generalization"; Ting and Witten 1999 (scores, not decisions)

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use super::{
    FitContext, FittedHead, Head, LoadHead, Prediction, TrainingLog,
    classical::{Base, Design, Linear, MultiLabel, UnitView, resampled, targets},
    inputs::check_modalities,
    saved, subsets, views,
};
use crate::{
    base::{Digest, DigestBuilder},
    catalog::split::iterative_stratification,
    learn::{
        LearnError,
        config::{LabelScheme, LearnConfig, Resampling, TextView},
        dataset::Dataset,
        train::loss::LabelStatistics,
    },
};

/// The head's name.
pub const NAME: &str = "stacking";

/// Inner folds where none are given.
const INNER_FOLDS: usize = 3;
/// Inverse strength of the regressions' penalty, as scikit-learn's default.
const C: f64 = 1.0;
/// A set of modalities that fewer training titles have has no regression: each modality's own
/// opinion counts the same.
const MIN_TITLES: usize = 20;

/// Stacking, not yet fitted.
pub struct Stacking {
    config: LearnConfig,
    /// What was fitted on which titles of which data. Members meet each other's titles again: one
    /// that leaves out a fold and holds out another fits the same experts as one that does it the
    /// other way round.
    fitted: Mutex<HashMap<Digest, Slot>>,
}

/// Experts of one set of titles, once somebody has fitted them. It is locked meanwhile, so that
/// who needs them too waits instead of fitting them as well.
type Slot = Arc<Mutex<Option<Arc<[Expert]>>>>;

impl Stacking {
    /// With these settings.
    #[must_use]
    pub fn new(config: &LearnConfig) -> Self {
        Self { config: config.clone(), fitted: Mutex::default() }
    }
}

/// A view and what scores it.
#[derive(Clone, Serialize, Deserialize)]
struct Expert {
    view: UnitView,
    model: MultiLabel,
}

#[derive(Serialize, Deserialize)]
struct Fitted {
    modalities: Vec<String>,
    /// `[genres]`: log-odds of the prevalence.
    prior: Vec<f32>,
    experts: Vec<Expert>,
    /// `[subsets][genres]`: of the scores of the subset's views, in their order; a subset of
    /// modalities is a number whose bits they are. `None` where too few titles have it.
    fusions: Vec<Option<Vec<Linear>>>,
    #[serde(skip)]
    log: TrainingLog,
}

impl Head for Stacking {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fit(
        &self,
        data: &Dataset,
        train: &[usize],
        _valid: &[usize],
        context: &FitContext<'_>,
    ) -> Result<Box<dyn FittedHead>, LearnError> {
        let started = Instant::now();
        context.interrupt.check()?;
        let folds = inner_folds(data, train, context);
        let (train, folds): (Vec<usize>, Vec<u32>) = train
            .iter()
            .zip(folds)
            .filter(|&(&title, _)| data.modalities.iter().any(|table| table.present(title)))
            .unzip();
        views::check_data(NAME, data, &train)?;
        self.config.base.check_titles(train.len())?;
        let data_digest = data.digest();
        let experts = |train: &[usize]| self.experts(data, &data_digest, train, context);
        let held_out = held_out(data, &train, &folds, experts)?;
        let experts = experts(&train)?;
        let of_modality: Vec<usize> = experts.iter().map(|e| e.view.modality()).collect();
        let fusions = fuse(data, &train, &held_out, &of_modality);
        context.progress.advance(self.config.epochs as u64);
        let log = TrainingLog { seconds: started.elapsed().as_secs_f64(), ..Default::default() };
        Ok(Box::new(Fitted {
            modalities: data.modalities.iter().map(|table| table.name.clone()).collect(),
            prior: LabelStatistics::of(data, &train, &self.config).prior(),
            experts: experts.to_vec(),
            fusions,
            log,
        }))
    }
}

/// `[train]`
fn inner_folds(data: &Dataset, train: &[usize], context: &FitContext<'_>) -> Vec<u32> {
    if context.inner_folds.iter().collect::<BTreeSet<_>>().len() >= 2 {
        return context.inner_folds.to_vec();
    }
    let labels: Vec<bool> =
        train.iter().flat_map(|&title| data.labels_of(title)).copied().collect();
    let groups: Vec<usize> = (0..train.len()).collect();
    let seed = context.seed.derive("inner folds");
    iterative_stratification(&labels, data.num_genres(), &groups, INNER_FOLDS, seed)
}

impl Stacking {
    /// Whether two fits on the same titles give the same experts, whatever their seeds: logistic
    /// and ridge regressions draw nothing.
    fn draws_nothing(&self) -> bool {
        let config = &self.config;
        matches!(config.base, Base::LogisticRegression | Base::KernelRidge)
            && config.resampling == Resampling::None
            && config.labels != LabelScheme::ChainEnsemble
            && !config.text_views.contains(&TextView::Word2vec)
    }

    /// Fits a learner for each view, unless that was done before.
    fn experts(
        &self,
        data: &Dataset,
        data_digest: &Digest,
        train: &[usize],
        context: &FitContext<'_>,
    ) -> Result<Arc<[Expert]>, LearnError> {
        if !self.draws_nothing() {
            return self.fit_experts(data, train, context);
        }
        let titles: Vec<u8> =
            train.iter().flat_map(|&title| (title as u64).to_le_bytes()).collect();
        let key = DigestBuilder::new().part(data_digest.as_bytes()).part(titles).finish();
        let mut fitted = self.fitted.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Slot::clone(fitted.entry(key).or_default());
        drop(fitted);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(experts) = &*slot {
            return Ok(Arc::clone(experts));
        }
        let experts = self.fit_experts(data, train, context)?;
        *slot = Some(Arc::clone(&experts));
        Ok(experts)
    }

    fn fit_experts(
        &self,
        data: &Dataset,
        train: &[usize],
        context: &FitContext<'_>,
    ) -> Result<Arc<[Expert]>, LearnError> {
        let config = &self.config;
        let views = UnitView::fit_all(data, train, config.base, config, context.seed)?;
        let mut experts = Vec::with_capacity(views.len());
        for (idx, view) in views.into_iter().enumerate() {
            let table = &data.modalities[view.modality()];
            let there: Vec<usize> =
                train.iter().copied().filter(|&title| table.present(title)).collect();
            let x = view.design(&view.prepare(data, &there)?, &there);
            let seed = context.seed.derive(&format!("view {idx}"));
            let targets = targets(data, &there, config);
            let (x, targets) = resampled(x, targets, config, seed);
            let model =
                MultiLabel::fit(config.base, &x, &targets, config, seed, context.interrupt)?;
            experts.push(Expert { view, model });
        }
        Ok(experts.into())
    }
}

/// `[views][train, genres]`: each title's scores by experts that were fitted on the other inner
/// folds; NaN where the modality is missing.
fn held_out(
    data: &Dataset,
    train: &[usize],
    folds: &[u32],
    experts: impl Fn(&[usize]) -> Result<Arc<[Expert]>, LearnError>,
) -> Result<Vec<Vec<f32>>, LearnError> {
    let genres = data.num_genres();
    let mut scores: Vec<Vec<f32>> = Vec::new();
    for fold in folds.iter().collect::<BTreeSet<_>>() {
        let side = |inside: bool| -> Vec<usize> {
            (0..train.len()).filter(|&at| (folds[at] == *fold) == inside).collect()
        };
        let rest: Vec<usize> = side(false).into_iter().map(|at| train[at]).collect();
        let held_out = side(true);
        let titles: Vec<usize> = held_out.iter().map(|&at| train[at]).collect();
        let experts = experts(&rest)?;
        scores.resize(experts.len(), vec![f32::NAN; train.len() * genres]);
        for (expert, scores) in experts.iter().zip(&mut scores) {
            let own = expert.score(data, &titles)?;
            for (&at, own) in held_out.iter().zip(own.chunks_exact(genres)) {
                scores[at * genres..(at + 1) * genres].copy_from_slice(own);
            }
        }
    }
    Ok(scores)
}

/// A regression for each subset of the modalities that enough titles have.
fn fuse(
    data: &Dataset,
    train: &[usize],
    scores: &[Vec<f32>],
    of_modality: &[usize],
) -> Vec<Option<Vec<Linear>>> {
    let genres = data.num_genres();
    let of_subset = |subset: usize| {
        let modalities = || (0..data.modalities.len()).filter(move |m| subset >> m & 1 == 1);
        let rows: Vec<usize> = (0..train.len())
            .filter(|&at| modalities().all(|m| data.modalities[m].present(train[at])))
            .collect();
        if subset == 0 || rows.len() < MIN_TITLES {
            return None;
        }
        let views: Vec<usize> =
            (0..scores.len()).filter(|&v| subset >> of_modality[v] & 1 == 1).collect();
        let fit = |genre: usize| {
            let place = |at: usize| at * genres + genre;
            let dense =
                rows.iter().flat_map(|&at| views.iter().map(move |&v| scores[v][place(at)]));
            let x = Design::dense(rows.len(), dense.collect());
            let labels: Vec<bool> =
                rows.iter().map(|&at| data.labels_of(train[at])[genre]).collect();
            Linear::logistic(&x, &labels, 1.0, C)
        };
        Some((0..genres).map(fit).collect())
    };
    (0..1_usize << data.modalities.len()).map(of_subset).collect()
}

impl Expert {
    /// `[titles, genres]`; NaN where the modality is missing.
    fn score(&self, data: &Dataset, titles: &[usize]) -> Result<Vec<f32>, LearnError> {
        let table = &data.modalities[self.view.modality()];
        let there: Vec<usize> = (0..titles.len()).filter(|&at| table.present(titles[at])).collect();
        let those: Vec<usize> = there.iter().map(|&at| titles[at]).collect();
        let own = self.model.score(&self.view.design(&self.view.prepare(data, &those)?, &those));
        let genres = data.num_genres();
        let mut scores = vec![f32::NAN; titles.len() * genres];
        for (&at, own) in there.iter().zip(own.chunks_exact(genres.max(1))) {
            scores[at * genres..(at + 1) * genres].copy_from_slice(own);
        }
        Ok(scores)
    }
}

impl Fitted {
    /// Each modality's part in a genre's logit, seen through a subset of the modalities:
    /// `parts` `[modalities]` is added to; the bias is shared out evenly.
    fn add_parts(
        &self,
        subset: usize,
        genre: usize,
        score: &dyn Fn(usize) -> f32,
        parts: &mut [f32],
    ) {
        let members: Vec<usize> = (0..parts.len()).filter(|m| subset >> m & 1 == 1).collect();
        let num_members = subset.count_ones() as f32;
        match &self.fusions[subset] {
            Some(fusion) => {
                let fusion = &fusion[genre];
                for m in members {
                    parts[m] += fusion.bias() / num_members;
                }
                let seen = (0..self.experts.len())
                    .filter(|&v| subset >> self.experts[v].view.modality() & 1 == 1);
                for (weight, view) in fusion.weights().iter().zip(seen) {
                    parts[self.experts[view].view.modality()] += weight * score(view);
                }
            }
            None if num_members == 1.0 => {
                let m = subset.trailing_zeros() as usize;
                parts[m] += self.prior[genre];
            }
            None => {
                for m in members {
                    let mut alone = vec![0.0; parts.len()];
                    self.add_parts(1 << m, genre, score, &mut alone);
                    parts[m] += alone[m] / num_members;
                }
            }
        }
    }
}

impl FittedHead for Fitted {
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, LearnError> {
        check_modalities(data, &self.modalities)?;
        let scores: Vec<Vec<f32>> =
            self.experts.iter().map(|expert| expert.score(data, rows)).collect::<Result<_, _>>()?;
        let mut prediction = subsets::blank(data, rows, &self.prior);
        let (genres, modalities) = (self.prior.len(), self.modalities.len());
        for (at, &title) in rows.iter().enumerate() {
            let present: Vec<usize> =
                (0..modalities).filter(|&m| data.modalities[m].present(title)).collect();
            let all: usize = present.iter().map(|m| 1 << m).sum();
            if all == 0 {
                continue;
            }
            for genre in 0..genres {
                let place = at * genres + genre;
                let score = |view: usize| scores[view][place];
                let parts = &mut prediction.contributions[place * modalities..][..modalities];
                self.add_parts(all, genre, &score, parts);
                prediction.logits[place] = parts.iter().sum();
                for &m in &present {
                    let mut alone = vec![0.0; modalities];
                    self.add_parts(1 << m, genre, &score, &mut alone);
                    prediction.unimodal[place * modalities + m] = alone[m];
                }
            }
        }
        Ok(prediction)
    }

    fn training(&self) -> &TrainingLog {
        &self.log
    }

    fn fusion_weights(&self) -> Option<Vec<f32>> {
        None
    }

    fn save(&self, folder: &Path) -> Result<(), LearnError> {
        saved::write(folder, self)
    }
}

/// Opens what [`FittedHead::save`] wrote.
pub const LOAD: LoadHead = |folder, _device| {
    let fitted: Fitted = saved::read(folder)?;
    Ok(Box::new(fitted))
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::Interrupt,
        learn::laws::{all, config, context, library},
    };

    /// Logits by members of four folds, each fitted without one of them.
    fn fit_members(head: &Stacking, data: &Dataset) -> Vec<Vec<f32>> {
        let interrupt = Interrupt::default();
        let member = |left_out: usize| {
            let train: Vec<usize> = all().into_iter().filter(|t| t % 4 != left_out).collect();
            let inner_folds: Vec<u32> = train.iter().map(|&title| (title % 4) as u32).collect();
            let context =
                FitContext { inner_folds: &inner_folds, ..context(&interrupt, left_out as u64) };
            let fitted = head.fit(data, &train, &[], &context).unwrap();
            fitted.predict(data, &all()).unwrap().logits
        };
        (0..4).map(member).collect()
    }

    #[test]
    fn members_share_their_experts_and_are_what_they_would_be_alone() {
        let config = config(NAME);
        let (data, other) = (library(true), library(false));
        let shared = Stacking::new(&config);
        let together = fit_members(&shared, &data);
        // Four leave one fold out; of the twelve that hold out another, two and two are alike.
        assert_eq!(shared.fitted.lock().unwrap().len(), 4 + 6);
        assert_eq!(together, fit_members(&Stacking::new(&config), &data));
        let of_other = fit_members(&shared, &other);
        assert_ne!(together, of_other);
        assert_eq!(of_other, fit_members(&Stacking::new(&config), &other));
    }

    #[test]
    fn what_draws_from_a_seed_is_not_shared() {
        let random = LearnConfig { resampling: Resampling::Mlsmote, ..config(NAME) };
        let chains = LearnConfig { labels: LabelScheme::ChainEnsemble, ..config(NAME) };
        let words = LearnConfig { text_views: vec![TextView::Word2vec], ..config(NAME) };
        let forest = LearnConfig { base: Base::RandomForest, ..config(NAME) };
        for config in [random, chains, words, forest] {
            assert!(!Stacking::new(&config).draws_nothing(), "{config:?}");
        }
    }
}
