//! Stacking: a learner for each view, and for each set of modalities that a title may have a
//! logistic regression that brings their scores together.
//!
//! The regressions are fitted on scores of views that were fitted on the other inner folds. There
//! is one for each subset of the modalities, fitted on all titles that have them: a title that
//! lacks one is judged by the regression of those that it has, and a modality by itself by a
//! regression of its own. So a modality's part of a logit is its Shapley value over these
//! regressions: a view's score is the log-odds of a genre, far below 0 where it is rare, and what
//! the regression's bias puts right again must not be booked on the other modalities.
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
    saved,
    subsets::{self, SubsetScorer},
    views,
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
    /// Whether its parts belong together, as those of one that was fitted do.
    fn fits(&self) -> bool {
        let (genres, modalities) = (self.prior.len(), self.modalities.len());
        let expert = |expert: &Expert| {
            expert.view.fits(modalities) && expert.model.fits(genres, expert.view.dim())
        };
        let fusion = |(subset, fusion): (usize, &Option<Vec<Linear>>)| {
            let seen = |expert: &&Expert| subset >> expert.view.modality() & 1 == 1;
            let num_seen = self.experts.iter().filter(seen).count();
            fusion.as_ref().is_none_or(|genre| {
                genre.len() == genres && genre.iter().all(|linear| linear.fits(num_seen))
            })
        };
        let subsets = 1_usize.checked_shl(modalities as u32);
        self.experts.iter().all(expert)
            && subsets == Some(self.fusions.len())
            && self.fusions.iter().enumerate().all(fusion)
    }

    /// A genre's logit, seen through a subset of the modalities that is not empty.
    fn fused(&self, subset: usize, genre: usize, score: &dyn Fn(usize) -> f32) -> f32 {
        match &self.fusions[subset] {
            Some(fusion) => {
                let fusion = &fusion[genre];
                let seen = (0..self.experts.len())
                    .filter(|&v| subset >> self.experts[v].view.modality() & 1 == 1);
                let terms = fusion.weights().iter().zip(seen).map(|(w, view)| w * score(view));
                terms.fold(fusion.bias(), |sum, term| sum + term)
            }
            None if subset.is_power_of_two() => self.prior[genre],
            None => {
                let members = (0..self.modalities.len()).filter(|m| subset >> m & 1 == 1);
                let alone: f32 = members.map(|m| self.fused(1 << m, genre, score)).sum();
                alone / subset.count_ones() as f32
            }
        }
    }
}

/// What the experts say of some titles, each asked once for all subsets of the modalities.
struct Asked<'a> {
    fitted: &'a Fitted,
    /// Where a title stands in `scores`.
    place_of: HashMap<usize, usize>,
    /// `[views][titles, genres]`
    scores: Vec<Vec<f32>>,
}

impl SubsetScorer for Asked<'_> {
    fn prior(&self) -> &[f32] {
        &self.fitted.prior
    }

    fn score(
        &self,
        _data: &Dataset,
        titles: &[usize],
        using: &[bool],
    ) -> Result<Vec<f32>, LearnError> {
        let genres = self.fitted.prior.len();
        let subset: usize =
            using.iter().enumerate().filter(|&(_, &used)| used).map(|(m, _)| 1 << m).sum();
        let mut logits = Vec::with_capacity(titles.len() * genres);
        for title in titles {
            let first = self.place_of[title] * genres;
            logits.extend((0..genres).map(|genre| {
                self.fitted.fused(subset, genre, &|view| self.scores[view][first + genre])
            }));
        }
        Ok(logits)
    }
}

impl FittedHead for Fitted {
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, LearnError> {
        check_modalities(data, &self.modalities)?;
        let scores: Vec<Vec<f32>> =
            self.experts.iter().map(|expert| expert.score(data, rows)).collect::<Result<_, _>>()?;
        let place_of = rows.iter().enumerate().map(|(at, &title)| (title, at)).collect();
        subsets::explain(&Asked { fitted: self, place_of, scores }, data, rows)
    }

    fn num_genres(&self) -> usize {
        self.prior.len()
    }

    fn modalities(&self) -> &[String] {
        &self.modalities
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
    let fitted = saved::read(folder, Fitted::fits)?;
    Ok(Box::new(fitted))
};

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::{
        base::{Interrupt, TitleId},
        learn::{
            dataset::{Content, ModalityTable},
            laws::{all, config, context, library},
        },
        store::Ragged,
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

    #[test]
    fn a_rare_genre_is_explained_by_the_view_that_knows_it() {
        // Two genres that one view each knows, and a third view that knows nothing; prevalence
        // 2 %, so that raw scores lie around -4 and the bias of the stack around as much.
        let mut rng = crate::base::Seed(5).rng("rare");
        let num_titles = 2000;
        let mut tables = [Ragged::new(2), Ragged::new(2), Ragged::new(2)];
        let mut labels = Vec::new();
        for title in 0..num_titles {
            let own = [title % 50 == 0, title % 50 == 25];
            labels.extend(own);
            for (m, table) in tables.iter_mut().enumerate() {
                let signal = if own.get(m) == Some(&true) { 3.0 } else { 0.0 };
                let mut noise = || rng.random_range(-1.0..1.0_f32);
                table.push(&[signal + noise(), noise()], &[]);
            }
        }
        let data = Dataset {
            titles: (0..num_titles).map(|t| TitleId::new(&t.to_string())).collect(),
            genres: vec!["first".into(), "second".into()],
            labels,
            modalities: ["a", "b", "c"]
                .into_iter()
                .zip(tables)
                .map(|(name, table)| ModalityTable::new(name, Content::Rows(table)))
                .collect(),
        };
        let interrupt = Interrupt::default();
        let titles: Vec<usize> = (0..num_titles).collect();
        let fitted =
            Stacking::new(&config(NAME)).fit(&data, &titles, &[], &context(&interrupt, 1)).unwrap();
        let p = fitted.predict(&data, &titles).unwrap();
        for genre in 0..2 {
            let tagged: Vec<usize> =
                titles.iter().copied().filter(|t| p.logits[t * 2 + genre] > 0.0).collect();
            let by_its_view = tagged.iter().filter(|&&t| {
                let parts = &p.contributions[(t * 2 + genre) * 3..][..3];
                (0..3).all(|m| m == genre || parts[m] < parts[genre]) && parts[genre] > 0.0
            });
            assert!(tagged.len() > 20, "{}", tagged.len());
            let share = by_its_view.count() as f64 / tagged.len() as f64;
            assert!(share > 0.9, "of the tags {share} are explained by the view that knows");
        }
    }
}
