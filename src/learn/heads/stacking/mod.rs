//! Stacking: experts who look at a title in different ways, and for each set of modalities that a
//! title may have a logistic regression that brings their scores together.
//!
//! An expert is a learner of one view, or one of those that `learn.stack.experts` names. The
//! regressions are fitted on scores of experts that were fitted on the other inner folds; the
//! experts that score new titles are fitted on all. For calibration and thresholds each inner fold
//! has a head that never saw it: its experts, and regressions of the other folds' scores. So a
//! model costs one set of experts for each inner fold and one for all, and models share what they
//! have in common ([`FittedParts`]): where the inner folds of five outer ones are the other four,
//! fifteen sets are fitted in all, and models of fewer modalities take their learners from these.
//!
//! There is a regression for each subset of the modalities, fitted on all titles that have them: a
//! title that lacks one is judged by the regression of those that it has, and a modality by itself
//! by a regression of its own. So a modality's part of a logit is its Shapley value over these
//! regressions: a view's score is the log-odds of a genre, far below 0 where it is rare, and what
//! the regression's bias puts right again must not be booked on the other modalities.
//!
//! source: Wolpert 1992, "Stacked generalization"; Ting and Witten 1999 (scores, not decisions)

mod associations;
mod experts;
mod fusions;
mod joint_kernel;
mod nearest_texts;
mod parts;
mod remembered;

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::Instant,
};

use dataset::Dataset;
use serde::{Deserialize, Serialize};

use self::{
    associations::Associations,
    experts::{Experts, Looks, Opinions},
    fusions::Fusions,
    joint_kernel::JointKernel,
    nearest_texts::NearestTexts,
    parts::Material,
};
use super::{
    CrossFit, CrossFitted, FitContext, FittedHead, LeftOut, LoadHead, Prediction, TrainingLog,
    inputs::check_modalities,
    saved,
    subsets::{self, SubsetScorer},
    views,
};
use crate::{LearnError, config::LearnConfig, loss::LabelStatistics};

pub use crate::config::{ExpertKind, StackSettings};
pub use parts::FittedParts;

/// The head's name.
pub const NAME: &str = "stacking";

/// Stacking, not yet fitted.
pub struct Stacking {
    config: LearnConfig,
}

impl Stacking {
    /// With these settings.
    #[must_use]
    pub fn new(config: &LearnConfig) -> Self {
        Self { config: config.clone() }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Fitted {
    modalities: Vec<String>,
    /// `[genres]`: log-odds of the prevalence.
    prior: Vec<f32>,
    experts: Experts,
    fusions: Fusions,
    #[serde(skip)]
    log: TrainingLog,
}

impl CrossFit for Stacking {
    fn cross_fit(
        &self,
        data: &Dataset,
        train: &[usize],
        context: &FitContext<'_>,
    ) -> Result<CrossFitted, LearnError> {
        let started = Instant::now();
        context.interrupt.check()?;
        let any = |title: usize| data.modalities.iter().any(|table| table.present(title));
        let (train, folds): (Vec<usize>, Vec<u32>) = train
            .iter()
            .zip(context.inner_folds)
            .filter(|&(&title, _)| any(title))
            .map(|(&title, &fold)| (title, fold))
            .unzip();
        views::check_data(NAME, data, &train)?;
        self.config.base.check_titles(train.len())?;
        let material = Material::new(&self.config, data);
        let nobodys = FittedParts::default();
        let parts = context.parts.unwrap_or(&nobodys);
        let names: BTreeSet<u32> = context.inner_folds.iter().copied().collect();
        if names.len() < 2 {
            return Err(LearnError::Data {
                message: format!("{NAME} wants two inner folds or more, got {}", names.len()),
                hint: None,
            });
        }
        let mut held_out = Opinions::default();
        let mut without = Vec::with_capacity(names.len());
        for fold in in_turn(&names) {
            let places = |inside: bool| -> Vec<usize> {
                (0..train.len()).filter(|&at| (folds[at] == fold) == inside).collect()
            };
            let titles =
                |places: &[usize]| -> Vec<usize> { places.iter().map(|&at| train[at]).collect() };
            let (here, rest) = (places(true), titles(&places(false)));
            views::check_data(NAME, data, &rest)?;
            let experts = Experts::fit(&material, &rest, context, parts)?;
            let said = experts.ask(data, &titles(&here))?;
            held_out.place(&said, &here, train.len());
            without.push(Without { fold, rest, here: titles(&here), said, experts });
            context.progress.advance(1);
        }
        let experts = Experts::fit(&material, &train, context, parts)?;
        let looks = experts.looks();
        let fitted = |train: &[usize], experts: Experts, fusions: Fusions| Fitted {
            modalities: data.modalities.iter().map(|table| table.name.clone()).collect(),
            prior: LabelStatistics::of(data, train, self.config.class_weighing()).prior(),
            experts,
            fusions,
            log: TrainingLog { seconds: started.elapsed().as_secs_f64(), ..Default::default() },
        };
        let mut left_out = Vec::with_capacity(without.len());
        for Without { fold, rest, here, said, experts } in without {
            context.interrupt.check()?;
            let fusions =
                Fusions::fit(data, &train, &held_out, &looks, &self.config, |at| folds[at] != fold);
            let head = fitted(&rest, experts, fusions);
            let held_out = Asked::new(&head, &here, said).explained(data, &here)?;
            left_out.push(LeftOut { fold, head: Box::new(head), titles: here, held_out });
        }
        let fusions = Fusions::fit(data, &train, &held_out, &looks, &self.config, |_| true);
        Ok(CrossFitted { whole: Box::new(fitted(&train, experts, fusions)), left_out })
    }
}

/// What was fitted without one inner fold.
struct Without {
    fold: u32,
    /// The titles fitted on.
    rest: Vec<usize>,
    /// The titles of the fold, and what the experts say of them.
    here: Vec<usize>,
    said: Opinions,
    experts: Experts,
}

/// Folds in the order of their names, from the first one after a gap: fits that hold out different
/// folds then begin with different sets of titles and do not wait for each other.
fn in_turn(names: &BTreeSet<u32>) -> Vec<u32> {
    let mut folds: Vec<u32> = names.iter().copied().collect();
    let gap = (1..folds.len()).find(|&at| folds[at] != folds[at - 1] + 1);
    folds.rotate_left(gap.unwrap_or(0));
    folds
}

impl Fitted {
    /// Whether its parts belong together, as those of one that was fitted do.
    fn fits(&self) -> bool {
        let (genres, modalities) = (self.prior.len(), self.modalities.len());
        self.experts.fits(genres, modalities)
            && self.fusions.fits(&self.experts.looks(), genres, modalities)
    }
}

/// What the experts say of some titles, each asked once.
struct Asked<'a> {
    fitted: &'a Fitted,
    looks: Looks,
    /// Where a title stands among those asked about.
    place_of: HashMap<usize, usize>,
    said: Opinions,
}

impl<'a> Asked<'a> {
    fn new(fitted: &'a Fitted, titles: &[usize], said: Opinions) -> Self {
        let place_of = titles.iter().enumerate().map(|(at, &title)| (title, at)).collect();
        Self { fitted, looks: fitted.experts.looks(), place_of, said }
    }

    fn explained(&self, data: &Dataset, titles: &[usize]) -> Result<Prediction, LearnError> {
        subsets::explain(self, data, titles)
    }
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
        let Fitted { prior, fusions, .. } = self.fitted;
        let subset: usize =
            using.iter().enumerate().filter(|&(_, &used)| used).map(|(m, _)| 1 << m).sum();
        let mut logits = Vec::with_capacity(titles.len() * prior.len());
        for title in titles {
            let place = self.place_of[title];
            logits.extend(prior.iter().enumerate().map(|(genre, &prior)| {
                let said = |expert, subset| self.said.of(expert, subset, place, genre);
                fusions.logit(&self.looks, subset, genre, prior, &said)
            }));
        }
        Ok(logits)
    }
}

impl FittedHead for Fitted {
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, LearnError> {
        check_modalities(data, &self.modalities)?;
        let said = self.experts.ask(data, rows)?;
        Asked::new(self, rows, said).explained(data, rows)
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
    use base::{Interrupt, TitleId};
    use dataset::{Content, ModalityTable};
    use rand::RngExt;
    use store::Ragged;

    use super::*;
    use crate::laws::{all, config, context, library};

    /// Logits of all titles by the models of four outer folds, whose inner folds are the others,
    /// and by the heads that left out an inner fold.
    fn cross_validated(
        config: &LearnConfig,
        data: &Dataset,
        parts: Option<&FittedParts>,
    ) -> Vec<Vec<f32>> {
        let (head, interrupt) = (Stacking::new(config), Interrupt::default());
        let logits = |fitted: &dyn FittedHead| fitted.predict(data, &all()).unwrap().logits;
        let model = |outer: usize| {
            let train: Vec<usize> = all().into_iter().filter(|t| t % 4 != outer).collect();
            let inner_folds: Vec<u32> = train.iter().map(|&title| (title % 4) as u32).collect();
            let context = FitContext {
                inner_folds: &inner_folds,
                parts,
                ..context(&interrupt, outer as u64)
            };
            let fitted = head.cross_fit(data, &train, &context).unwrap();
            let mut names: Vec<u32> = fitted.left_out.iter().map(|out| out.fold).collect();
            names.sort_unstable();
            assert!(names.into_iter().eq((0..4).filter(|&fold| fold != outer as u32)));
            for LeftOut { fold, head, titles, held_out } in &fitted.left_out {
                assert!(titles.iter().all(|title| title % 4 == *fold as usize));
                let now = head.predict(data, titles).unwrap();
                assert_eq!(held_out.logits, now.logits, "as if asked now");
                assert_eq!(held_out.contributions, now.contributions);
            }
            let left_out = fitted.left_out.iter().map(|out| logits(&*out.head));
            std::iter::once(logits(&*fitted.whole)).chain(left_out).collect::<Vec<_>>()
        };
        (0..4).flat_map(model).collect()
    }

    /// Four sets of titles without one fold each; of the twelve without two, two and two are alike.
    const SETS: usize = 4 + 6;

    #[test]
    fn folds_share_their_experts_and_are_what_they_would_be_alone() {
        let config = config(NAME);
        let (data, other) = (library(true), library(false));
        let shared = FittedParts::default();
        let together = cross_validated(&config, &data, Some(&shared));
        let num = |parts: &FittedParts| (parts.experts.len(), parts.joint.len());
        assert_eq!(num(&shared), (3 * SETS, SETS));
        assert_eq!(together, cross_validated(&config, &data, None));
        let of_other = cross_validated(&config, &other, Some(&shared));
        assert_ne!(together, of_other);
        assert_eq!(of_other, cross_validated(&config, &other, None));
    }

    #[test]
    fn models_of_fewer_modalities_share_what_looks_at_one() {
        let config = config(NAME);
        let data = library(true);
        let shared = FittedParts::default();
        cross_validated(&config, &data, Some(&shared));
        let mut num_joint = SETS;
        for modalities in [&[2, 0][..], &[1]] {
            let part = data.with_modalities(modalities);
            let together = cross_validated(&config, &part, Some(&shared));
            assert_eq!(together, cross_validated(&config, &part, None), "{modalities:?}");
            num_joint += SETS;
            assert_eq!((shared.experts.len(), shared.joint.len()), (3 * SETS, num_joint));
        }
        let other = config.with(|c| c.classical.c *= 2.0);
        cross_validated(&other, &data.with_modalities(&[1]), Some(&shared));
        assert_eq!(shared.experts.len(), 4 * SETS, "other settings, other experts");
    }

    #[test]
    fn a_left_out_head_knows_nothing_of_its_fold() {
        // A genre that one fold alone has: the head without this fold has never seen it, nor have
        // its regressions.
        const OWN: u32 = 2;
        let mut data = library(true);
        let genres = data.num_genres();
        let fold_of = |title: usize| (title % 4) as u32;
        for title in all() {
            data.labels[title * genres] = fold_of(title) == OWN && title % 3 == 0;
        }
        let inner_folds: Vec<u32> = all().into_iter().map(fold_of).collect();
        let interrupt = Interrupt::default();
        let context = FitContext { inner_folds: &inner_folds, ..context(&interrupt, 1) };
        let fitted = Stacking::new(&config(NAME)).cross_fit(&data, &all(), &context).unwrap();
        let whole = |&title: &usize| data.modalities.iter().all(|table| table.present(title));
        let rest = all().into_iter().filter(|&title| fold_of(title) != OWN);
        let num = rest.filter(whole).count();
        assert!(num >= 20, "too few to have a regression: {num}");
        let never = (0.5 / (num as f32 + 0.5)).ln();
        let out = fitted.left_out.iter().find(|out| out.fold == OWN).unwrap();
        let asked = out.titles.iter().zip(out.held_out.logits.chunks(genres));
        let asked: Vec<_> = asked.filter(|(title, _)| whole(title)).collect();
        assert!(!asked.is_empty());
        for (title, logits) in asked {
            assert!((logits[0] - never).abs() < 1e-4, "title {title}: {} {never}", logits[0]);
        }
    }

    #[test]
    fn fits_of_different_folds_begin_with_different_ones() {
        let turn = |names: &[u32]| in_turn(&names.iter().copied().collect());
        assert_eq!(turn(&[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(turn(&[0, 2, 3, 4]), [2, 3, 4, 0]);
        assert_eq!(turn(&[0, 1, 2, 4]), [4, 0, 1, 2]);
        assert!(turn(&[]).is_empty());
    }

    #[test]
    fn a_rare_genre_is_explained_by_the_view_that_knows_it() {
        // Two genres that one view each knows, and a third view that knows nothing; prevalence
        // 2 %, so that raw scores lie around -4 and the bias of the stack around as much.
        let mut rng = base::Seed(5).rng("rare");
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
            label_weights: None,
            modalities: ["a", "b", "c"]
                .into_iter()
                .zip(tables)
                .map(|(name, table)| ModalityTable::new(name, Content::Rows(table)).into())
                .collect(),
        };
        let interrupt = Interrupt::default();
        let titles: Vec<usize> = (0..num_titles).collect();
        let inner_folds: Vec<u32> = titles.iter().map(|&title| (title / 50 % 3) as u32).collect();
        let context = FitContext { inner_folds: &inner_folds, ..context(&interrupt, 1) };
        let fitted = Stacking::new(&config(NAME)).cross_fit(&data, &titles, &context).unwrap();
        let p = fitted.whole.predict(&data, &titles).unwrap();
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
