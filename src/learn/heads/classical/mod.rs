//! Classical learners over all views side by side (early fusion): each modality's features, zeros
//! where it is missing, and a column that says so.
//!
//! Every view is brought to rows of mean squared length 1, so that one strength of the penalty
//! serves them all and none outweighs the others by its number of columns.

mod design;
mod ensembles;
mod kernel;
mod lbfgs;
mod linear;
mod multi_label;
mod newton;
mod passes;
mod problem;
mod tree;

use std::time::Instant;

use base::Seed;
use dataset::Dataset;
use serde::{Deserialize, Serialize};

pub use self::{
    design::Design,
    ensembles::{Trees, each_row},
    kernel::{KernelMachine, Likeness, Neighbours},
    linear::Linear,
    multi_label::{MultiLabel, Targets},
    newton::{correction, standardised_logistic},
    problem::Problem,
    tree::Binned,
};
use super::{
    FitContext, FittedHead, Head, LoadHead, Prediction, TrainingLog,
    inputs::{PreparedInput, check_modalities},
    saved,
    subsets::{SubsetScorer, explain},
    views::{self, View},
};
pub use crate::config::{Base, TreeSettings};
use crate::{
    LearnError,
    config::{Compares, LearnConfig, Resampling},
    loss::LabelStatistics,
    transform::{TfIdfSettings, resampling},
};

/// Terms of a text that trees look at: a split tries few columns, and rare words waste them.
const TREE_TERMS: usize = 1000;
/// A kernel learner compares every training title with every other one: beyond so many, each fit
/// would take more than 5 GB.
const MAX_COMPARED_TITLES: usize = 20_000;

impl Base {
    /// # Errors
    /// There are more training titles than it can compare with each other.
    pub fn check_titles(self, num_titles: usize) -> Result<(), LearnError> {
        if self.facts().compares != Compares::EachWithEach || num_titles <= MAX_COMPARED_TITLES {
            return Ok(());
        }
        Err(LearnError::Data {
            message: format!(
                "{} compares training titles with each other, and {num_titles} are too many: it \
                 takes {MAX_COMPARED_TITLES} at most",
                self.name()
            ),
            hint: Some(
                "take a learner whose work grows with the titles alone, such as \
                 logistic-regression, in `learn.head` or `learn.base`"
                    .to_owned(),
            ),
        })
    }

    fn likeness(self, x: &Design, config: &LearnConfig) -> Option<Likeness> {
        match self.facts().compares {
            Compares::EachWithEach => {
                let square: f32 = (0..x.num_rows()).map(|row| x.square_norm(row)).sum();
                let mean = (square / x.num_rows().max(1) as f32).max(f32::MIN_POSITIVE);
                Some(Likeness::Rbf { gamma: config.classical.gamma as f32 / mean })
            }
            Compares::WithScored => Some(Likeness::Cosine),
            Compares::Nothing => None,
        }
    }

    /// What of a text's words it takes.
    #[must_use]
    pub fn tfidf(self, config: &LearnConfig) -> TfIdfSettings {
        let mut settings = config.tfidf.clone();
        if self.facts().is_tree && settings.max_terms == 0 {
            settings.max_terms = TREE_TERMS;
        }
        settings
    }
}

/// A view's rows at mean squared length 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitView {
    view: View,
    factor: f32,
}

impl UnitView {
    /// Fits the views of all modalities for a learner.
    ///
    /// # Errors
    /// None for data whose tables belong together.
    pub fn fit_all(
        data: &Dataset,
        train: &[usize],
        base: Base,
        config: &LearnConfig,
        seed: Seed,
    ) -> Result<Vec<Self>, LearnError> {
        let views = views::fit(data, train, config, &base.tfidf(config), seed)?;
        let factors: Vec<f32> = views::prepare(&views, data, train)?
            .iter()
            .map(|prepared| {
                let square = match prepared.design(train) {
                    x if x.num_rows() == 0 => 0.0,
                    x => {
                        let there =
                            train.iter().filter(|&&title| prepared.present(title)).count().max(1);
                        let sum: f32 = (0..x.num_rows()).map(|row| x.square_norm(row)).sum();
                        sum / there as f32
                    }
                };
                if square > 0.0 { 1.0 / square.sqrt() } else { 1.0 }
            })
            .collect();
        Ok(views.into_iter().zip(factors).map(|(view, factor)| Self { view, factor }).collect())
    }

    /// Whether it is of one of so many modalities and its parts belong together.
    #[must_use]
    pub fn fits(&self, num_modalities: usize) -> bool {
        self.view.fits(num_modalities)
    }

    /// Length of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.view.input.dim()
    }

    /// Index of the modality that it looks at.
    #[must_use]
    pub fn modality(&self) -> usize {
        self.view.modality
    }

    /// Makes the titles of a data set ready.
    ///
    /// # Errors
    /// The data is not what the view was fitted on.
    pub fn prepare<'a>(
        &'a self,
        data: &'a Dataset,
        titles: &[usize],
    ) -> Result<PreparedInput<'a>, LearnError> {
        self.view.input.prepare(&data.modalities[self.view.modality], titles)
    }

    /// The rows of these titles.
    #[must_use]
    pub fn design(&self, prepared: &PreparedInput<'_>, titles: &[usize]) -> Design {
        let mut design = prepared.design(titles);
        design.scale(self.factor);
        design
    }
}

/// Labels of titles as learners want them.
#[must_use]
pub fn targets(data: &Dataset, titles: &[usize], config: &LearnConfig) -> Targets {
    let genre = |g: usize| titles.iter().map(|&title| data.labels_of(title)[g]).collect();
    let weights = |g: usize| titles.iter().map(|&title| data.label_weight(title, g)).collect();
    Targets {
        labels: (0..data.num_genres()).map(genre).collect(),
        weights: data.is_weighed().then(|| (0..data.num_genres()).map(weights).collect()),
        pos_weight: LabelStatistics::of(data, titles, config.class_weighing()).pos_weight,
    }
}

/// Rows and labels to fit on, resampled as the settings say.
#[must_use]
pub fn resampled(
    mut x: Design,
    mut targets: Targets,
    config: &LearnConfig,
    seed: Seed,
) -> (Design, Targets) {
    let mut rng = seed.rng("resampling");
    if config.imbalance.resampling == Resampling::Mlsmote {
        let distance = |a: usize, b: usize| x.square_distance(a, b);
        let made_up = resampling::mlsmote(&targets.labels, distance, &mut rng);
        for synthetic in made_up {
            x.push_between(synthetic.title, synthetic.neighbour, synthetic.at);
            for (genre, has) in targets.labels.iter_mut().zip(synthetic.labels) {
                genre.push(has);
            }
            // What is not known of a title is not known of one that was made of it.
            for genre in targets.weights.iter_mut().flatten() {
                genre.push(genre[synthetic.title]);
            }
        }
        return (x, targets);
    }
    match resampling::rows(
        &targets.labels,
        config.imbalance.resampling,
        config.imbalance.resampled_frac,
        &mut rng,
    ) {
        None => (x, targets),
        Some(rows) => {
            for genre in &mut targets.labels {
                *genre = rows.iter().map(|&row| genre[row]).collect();
            }
            for genre in targets.weights.iter_mut().flatten() {
                *genre = rows.iter().map(|&row| genre[row]).collect();
            }
            (x.select(&rows), targets)
        }
    }
}

/// A classical head, not yet fitted.
pub struct Classical {
    base: Base,
    config: LearnConfig,
}

impl Classical {
    /// With these settings.
    #[must_use]
    pub fn new(base: Base, config: &LearnConfig) -> Self {
        Self { base, config: config.clone() }
    }
}

#[derive(Serialize, Deserialize)]
struct Fitted {
    modalities: Vec<String>,
    /// `[genres]`: log-odds of the prevalence.
    prior: Vec<f32>,
    views: Vec<UnitView>,
    model: MultiLabel,
    #[serde(skip)]
    log: TrainingLog,
}

impl Head for Classical {
    fn name(&self) -> &'static str {
        self.base.name()
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
        let train = data.with_any(train);
        views::check_data(self.name(), data, &train)?;
        self.base.check_titles(train.len())?;
        let views = UnitView::fit_all(data, &train, self.base, &self.config, context.seed)?;
        let all = vec![true; data.modalities.len()];
        let x = beside(&views, data, &train, &all)?;
        let targets = targets(data, &train, &self.config);
        let (x, targets) = resampled(x, targets, &self.config, context.seed);
        let (seed, interrupt) = (context.seed, context.interrupt);
        let model = MultiLabel::fit(self.base, &x, &targets, &self.config, seed, interrupt)?;
        context.progress.advance(1);
        let log = TrainingLog { seconds: started.elapsed().as_secs_f64(), ..Default::default() };
        Ok(Box::new(Fitted {
            modalities: data.modalities.iter().map(|table| table.name.clone()).collect(),
            prior: LabelStatistics::of(data, &train, self.config.class_weighing()).prior(),
            views,
            model,
            log,
        }))
    }
}

/// All views of these titles side by side, and a column for each modality that is missing or not
/// to be used.
fn beside(
    views: &[UnitView],
    data: &Dataset,
    titles: &[usize],
    using: &[bool],
) -> Result<Design, LearnError> {
    let seen =
        |modality: usize, title: usize| using[modality] && data.modalities[modality].present(title);
    let mut parts = Vec::with_capacity(views.len() + 1);
    for view in views {
        let mut x = view.design(&view.prepare(data, titles)?, titles);
        x.clear_rows(|row| !seen(view.modality(), titles[row]));
        parts.push(x);
    }
    let modalities = data.modalities.len();
    let missing = titles
        .iter()
        .flat_map(|&title| (0..modalities).map(move |m| f32::from(u8::from(!seen(m, title)))))
        .collect();
    parts.push(Design::dense(titles.len(), missing));
    Ok(Design::beside(titles.len(), &parts.iter().collect::<Vec<_>>()))
}

impl SubsetScorer for Fitted {
    fn prior(&self) -> &[f32] {
        &self.prior
    }

    fn score(
        &self,
        data: &Dataset,
        titles: &[usize],
        using: &[bool],
    ) -> Result<Vec<f32>, LearnError> {
        Ok(self.model.score(&beside(&self.views, data, titles, using)?))
    }
}

impl FittedHead for Fitted {
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, LearnError> {
        check_modalities(data, &self.modalities)?;
        explain(self, data, rows)
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

    fn save(&self, folder: &std::path::Path) -> Result<(), LearnError> {
        saved::write(folder, self)
    }
}

/// Opens what [`FittedHead::save`] wrote.
pub const LOAD: LoadHead = |folder, _device| {
    let fitted = saved::read(folder, |fitted: &Fitted| {
        let modalities = fitted.modalities.len();
        // Behind the views a column for each modality that says whether it is missing.
        let dim = fitted.views.iter().map(UnitView::dim).sum::<usize>() + modalities;
        fitted.views.iter().all(|view| view.fits(modalities))
            && fitted.model.fits(fitted.prior.len(), dim)
    })?;
    Ok(Box::new(fitted))
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_compares_titles_with_each_other_takes_a_limited_number() {
        for base in Base::ALL {
            base.check_titles(MAX_COMPARED_TITLES).unwrap();
            let more = base.check_titles(MAX_COMPARED_TITLES + 1);
            let limited = base == Base::KernelSvm || base == Base::KernelRidge;
            assert_eq!(more.is_err(), limited, "{base:?}");
        }
        let message = Base::KernelRidge.check_titles(100_000).unwrap_err().to_string();
        assert!(message.contains("kernel-ridge") && message.contains("100000"), "{message}");
    }
}
