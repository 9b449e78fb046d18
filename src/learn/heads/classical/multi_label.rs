//! Several genres from learners of one: binary relevance, classifier chains, ensembles of chains.
//!
//! source: Tsoumakas and Katakis 2007; Read et al. 2011, "Classifier chains for multi-label
//! classification"
//! reference: scikit-learn 1.9 `OneVsRestClassifier`, `ClassifierChain(chain_method=
//! "predict_proba")`

use base::{Interrupt, Interrupted, Seed};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{
    Base, Design,
    ensembles::{Trees, each_row},
    kernel::{KernelMachine, Likeness, Neighbours},
    linear::Linear,
    problem::Problem,
    tree::Binned,
};
use crate::config::{Compares, LabelScheme, LearnConfig};

/// A fitted learner of one genre.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Binary {
    /// All training rows were of one kind: the log-odds of that, smoothed.
    Constant(f32),
    Linear(Linear),
    Kernel(KernelMachine),
    Neighbours(Neighbours),
    Trees(Trees),
}

/// Labels of training rows and what rows weigh.
pub struct Targets {
    /// `[genres][rows]`
    pub labels: Vec<Vec<bool>>,
    /// `[genres]`: what a row with the label weighs; one without weighs 1.
    pub pos_weight: Vec<f32>,
    /// `[genres][rows]`: by how much more; 0 where the label is not known. `None`: all are known and
    /// weigh the same.
    pub weights: Option<Vec<Vec<f32>>>,
}

impl Targets {
    /// Of one genre.
    #[must_use]
    pub fn problem(&self, genre: usize) -> Problem<'_> {
        Problem {
            labels: &self.labels[genre],
            pos_weight: self.pos_weight[genre],
            weights: self.weights.as_ref().map(|weights| weights[genre].as_slice()),
        }
    }

    /// The model of a genre that all known rows have, or none.
    fn constant(&self, genre: usize) -> Option<Binary> {
        let problem = self.problem(genre);
        let known = problem.known();
        let num_with = known.iter().filter(|&&row| problem.labels[row]).count();
        let odds = (num_with as f32 + 0.5) / ((known.len() - num_with) as f32 + 0.5);
        (num_with == 0 || num_with == known.len()).then(|| Binary::Constant(odds.ln()))
    }
}

/// Models of all genres.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiLabel {
    likeness: Option<Likeness>,
    /// For learners that look at them again.
    training: Option<Design>,
    models: Models,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Models {
    /// `[genres]`
    Relevance(Vec<Binary>),
    /// Scores are the mean over chains.
    Chains(Vec<Chain>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Chain {
    /// Genres in the order in which they are decided.
    order: Vec<usize>,
    /// `[genres]` in that order: each sees the features and the genres before it.
    links: Vec<Binary>,
    /// `[genres][rows]` of the training rows, for learners that look at them again.
    labels: Vec<Vec<bool>>,
}

impl MultiLabel {
    /// Fits every genre.
    ///
    /// # Errors
    /// An interrupt; it is looked at once a genre, or once where genres are fitted together.
    pub fn fit(
        base: Base,
        x: &Design,
        targets: &Targets,
        config: &LearnConfig,
        seed: Seed,
        interrupt: &Interrupt,
    ) -> Result<Self, Interrupted> {
        let likeness = base.likeness(x, config);
        let learner = Learner { base, likeness, config };
        let genres = targets.labels.len();
        let num_chains = match config.classical.labels {
            LabelScheme::BinaryRelevance => 0,
            LabelScheme::ClassifierChain => 1,
            LabelScheme::ChainEnsemble => config.classical.chains,
        };
        let models = if num_chains == 0 {
            Models::Relevance(learner.fit_all(x, targets, seed, interrupt)?)
        } else {
            let mut chains = Vec::with_capacity(num_chains);
            for chain in 0..num_chains {
                let seed = seed.derive(&format!("chain {chain}"));
                let mut order: Vec<usize> = (0..genres).collect();
                if config.classical.labels == LabelScheme::ChainEnsemble {
                    order.shuffle(&mut seed.rng("order"));
                }
                chains.push(Chain::fit(&learner, x, targets, order, seed, interrupt)?);
            }
            Models::Chains(chains)
        };
        Ok(Self { likeness, training: likeness.map(|_| x.clone()), models })
    }

    /// Scores of all genres on the scale of log-odds, `[rows, genres]`.
    #[must_use]
    pub fn score(&self, x: &Design) -> Vec<f32> {
        match &self.models {
            Models::Relevance(models) => {
                let alike = self.alike(x, Design::clone);
                let machines = models.iter().map(|model| match model {
                    Binary::Kernel(machine) => Some(machine),
                    _ => None,
                });
                if let Some(machines) = machines.collect::<Option<Vec<_>>>() {
                    return KernelMachine::scores(&machines, &alike, x.num_rows());
                }
                by_row(models.iter().map(|model| model.score(x, &alike)).collect())
            }
            Models::Chains(chains) => {
                let mut sum = vec![0.0; x.num_rows() * chains[0].order.len()];
                for chain in chains {
                    let scores = self.chain_scores(chain, x);
                    sum.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
                }
                for sum in &mut sum {
                    *sum /= chains.len() as f32;
                }
                sum
            }
        }
    }

    /// Whether it scores so many genres of rows of this length, as one that was fitted does.
    #[must_use]
    pub fn fits(&self, genres: usize, dim: usize) -> bool {
        let training = self.training.as_ref();
        if training.is_some() != self.likeness.is_some() || training.is_some_and(|x| !x.fits(dim)) {
            return false;
        }
        match &self.models {
            Models::Relevance(models) => {
                let rows = training.map(Design::num_rows);
                models.len() == genres && models.iter().all(|model| model.fits(dim, rows))
            }
            Models::Chains(chains) => {
                !chains.is_empty() && chains.iter().all(|chain| chain.fits(genres, dim, training))
            }
        }
    }

    fn chain_scores(&self, chain: &Chain, x: &Design) -> Vec<f32> {
        let mut scores = vec![Vec::new(); chain.order.len()];
        let mut before: Vec<Vec<f32>> = Vec::new();
        for (place, (&genre, link)) in chain.order.iter().zip(&chain.links).enumerate() {
            let seen = with_columns(x, &before);
            let alike = self.alike(&seen, |training| {
                with_columns(training, &as_columns(&chain.labels[..place]))
            });
            let own = link.score(&seen, &alike);
            before.push(own.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect());
            scores[genre] = own;
        }
        by_row(scores)
    }

    fn alike(&self, x: &Design, training: impl Fn(&Design) -> Design) -> Vec<f32> {
        match (self.likeness, &self.training) {
            (Some(likeness), Some(own)) => likeness.between(x, &training(own)),
            _ => Vec::new(),
        }
    }
}

impl Chain {
    /// Whether each genre has one link, which sees the decisions before it.
    fn fits(&self, genres: usize, dim: usize, training: Option<&Design>) -> bool {
        let mut order = self.order.clone();
        order.sort_unstable();
        let rows = training.map(Design::num_rows);
        // Labels of training rows are needed by who compares rows with them.
        let knows = |rows: usize| {
            self.labels.len() == genres && self.labels.iter().all(|column| column.len() == rows)
        };
        let link = |(place, link): (usize, &Binary)| link.fits(dim + place, rows);
        order.into_iter().eq(0..genres)
            && self.links.len() == genres
            && rows.is_none_or(knows)
            && self.links.iter().enumerate().all(link)
    }

    fn fit(
        learner: &Learner<'_>,
        x: &Design,
        targets: &Targets,
        order: Vec<usize>,
        seed: Seed,
        interrupt: &Interrupt,
    ) -> Result<Self, Interrupted> {
        // What later links see of a label that is not known is a no.
        let labels: Vec<Vec<bool>> = order.iter().map(|&g| targets.labels[g].clone()).collect();
        let mut links = Vec::with_capacity(order.len());
        for (place, &genre) in order.iter().enumerate() {
            interrupt.check()?;
            let seen = with_columns(x, &as_columns(&labels[..place]));
            let seed = seed.derive(&format!("genre {genre}"));
            links.push(learner.fit(&seen, &learner.prepare(&seen), targets, genre, seed));
        }
        let labels = if learner.likeness.is_some() { labels } else { Vec::new() };
        Ok(Self { order, links, labels })
    }
}

struct Learner<'a> {
    base: Base,
    likeness: Option<Likeness>,
    config: &'a LearnConfig,
}

/// What the genres of one set of rows share.
enum Prepared {
    Rows,
    Kernel(Vec<f32>),
    Bins(Binned),
}

impl Learner<'_> {
    fn prepare(&self, x: &Design) -> Prepared {
        let facts = self.base.facts();
        match self.likeness {
            Some(likeness) if facts.compares == Compares::EachWithEach => {
                Prepared::Kernel(likeness.between(x, x))
            }
            _ if facts.is_tree => Prepared::Bins(Binned::new(x)),
            _ => Prepared::Rows,
        }
    }

    /// Every genre by itself.
    fn fit_all(
        &self,
        x: &Design,
        targets: &Targets,
        seed: Seed,
        interrupt: &Interrupt,
    ) -> Result<Vec<Binary>, Interrupted> {
        let genres = 0..targets.labels.len();
        let prepared = self.prepare(x);
        if matches!(self.base, Base::LogisticRegression | Base::KernelRidge) {
            interrupt.check()?;
            let mut models: Vec<Option<Binary>> = genres.map(|g| targets.constant(g)).collect();
            let open = models.iter_mut().enumerate().filter(|(_, model)| model.is_none());
            let (genres, models_left): (Vec<usize>, Vec<_>) = open.unzip();
            let problems: Vec<_> = genres.iter().map(|&g| targets.problem(g)).collect();
            let c = self.config.classical.c;
            let fitted: Vec<Binary> = match &prepared {
                Prepared::Kernel(kernel) => KernelMachine::ridge(kernel, &problems, c)
                    .into_iter()
                    .map(Binary::Kernel)
                    .collect(),
                _ => Linear::logistics(x, &problems, c).into_iter().map(Binary::Linear).collect(),
            };
            for (model, fitted) in models_left.into_iter().zip(fitted) {
                *model = Some(fitted);
            }
            return Ok(models.into_iter().flatten().collect());
        }
        genres
            .map(|genre| {
                interrupt.check()?;
                let seed = seed.derive(&format!("genre {genre}"));
                Ok(self.fit(x, &prepared, targets, genre, seed))
            })
            .collect()
    }

    fn fit(
        &self,
        x: &Design,
        prepared: &Prepared,
        targets: &Targets,
        genre: usize,
        seed: Seed,
    ) -> Binary {
        if let Some(constant) = targets.constant(genre) {
            return constant;
        }
        let problem = targets.problem(genre);
        let (labels, weights) = (problem.labels, problem.row_weights());
        let (c, trees) = (self.config.classical.c, &self.config.trees);
        match (self.base, prepared) {
            (Base::LogisticRegression, _) => {
                Binary::Linear(Linear::logistics(x, &[problem], c).swap_remove(0))
            }
            (Base::LinearSvm, _) => {
                Binary::Linear(Linear::support_vectors(x, labels, &weights, c, seed))
            }
            (Base::RandomForest, Prepared::Bins(binned)) => {
                Binary::Trees(Trees::forest(binned, labels, &weights, trees, seed))
            }
            (Base::GradientBoosting, Prepared::Bins(binned)) => {
                Binary::Trees(Trees::boosted(binned, x, labels, &weights, trees, seed))
            }
            (Base::KernelSvm, Prepared::Kernel(kernel)) => {
                Binary::Kernel(KernelMachine::fit(kernel, labels, &weights, c))
            }
            (Base::KernelRidge, Prepared::Kernel(kernel)) => {
                Binary::Kernel(KernelMachine::ridge(kernel, &[problem], c).swap_remove(0))
            }
            _ => Binary::Neighbours(Neighbours::new(
                labels,
                &weights,
                self.config.classical.neighbours,
            )),
        }
    }
}

impl Binary {
    /// Whether it scores rows of this length; `num_rows`: of those that it may compare them with.
    fn fits(&self, dim: usize, num_rows: Option<usize>) -> bool {
        match self {
            Self::Constant(_) => true,
            Self::Linear(linear) => linear.fits(dim),
            Self::Kernel(machine) => num_rows.is_some_and(|rows| machine.fits(rows)),
            Self::Neighbours(neighbours) => num_rows.is_some_and(|rows| neighbours.fits(rows)),
            Self::Trees(trees) => trees.fits(dim),
        }
    }

    /// `[rows]`
    fn score(&self, x: &Design, alike: &[f32]) -> Vec<f32> {
        let rows = 0..x.num_rows();
        let alike = |row: usize| {
            let width = alike.len() / x.num_rows();
            &alike[row * width..(row + 1) * width]
        };
        match self {
            Self::Constant(score) => vec![*score; x.num_rows()],
            Self::Linear(linear) => rows.map(|row| linear.score(x, row)).collect(),
            Self::Kernel(machine) => rows.map(|row| machine.score(alike(row))).collect(),
            Self::Neighbours(neighbours) => rows.map(|row| neighbours.score(alike(row))).collect(),
            Self::Trees(trees) => {
                let mut scores = Vec::with_capacity(x.num_rows());
                each_row(x, |_, values| scores.push(trees.score(values)));
                scores
            }
        }
    }
}

fn with_columns(x: &Design, columns: &[Vec<f32>]) -> Design {
    let rows = x.num_rows();
    let dense = (0..rows).flat_map(|row| columns.iter().map(move |c| c[row])).collect();
    Design::beside(rows, &[x, &Design::dense(rows, dense)])
}

fn as_columns(labels: &[Vec<bool>]) -> Vec<Vec<f32>> {
    let column = |labels: &Vec<bool>| labels.iter().map(|&l| f32::from(u8::from(l))).collect();
    labels.iter().map(column).collect()
}

/// `[genres][rows]` as `[rows, genres]`
fn by_row(scores: Vec<Vec<f32>>) -> Vec<f32> {
    let rows = scores.first().map_or(0, Vec::len);
    (0..rows).flat_map(|row| scores.iter().map(move |genre| genre[row])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    /// The second label is the first one's twin, but its own feature is hidden: only a chain
    /// can know it.
    #[test]
    fn a_chain_passes_on_what_it_has_decided() {
        let mut rng = Seed(5).rng("rows");
        let rows: Vec<f32> = (0..300).map(|_| rng.random_range(-1.0..1.0)).collect();
        let first: Vec<bool> = rows.iter().map(|&x| x > 0.0).collect();
        let x = Design::dense(300, rows);
        let labels = vec![first.clone(), first];
        let targets = Targets { labels, pos_weight: vec![1.0; 2], weights: None };
        for base in Base::ALL {
            for labels in [LabelScheme::ClassifierChain, LabelScheme::ChainEnsemble] {
                let config = LearnConfig::default()
                    .with(|c| (c.classical.labels, c.classical.chains) = (labels, 3));
                let interrupt = Interrupt::default();
                let model =
                    MultiLabel::fit(base, &x, &targets, &config, Seed(1), &interrupt).unwrap();
                let probe = Design::dense(2, vec![-0.8, 0.8]);
                let scores = model.score(&probe);
                assert!(scores[0] < 0.0 && scores[1] < 0.0, "{base:?} {scores:?}");
                assert!(scores[2] > 0.0 && scores[3] > 0.0, "{base:?} {scores:?}");
                let Models::Chains(chains) = &model.models else { panic!("no chains") };
                let Binary::Linear(last) = &chains[0].links[1] else { continue };
                let column =
                    |x: f32, before: f32| last.score(&Design::dense(1, vec![x, before]), 0);
                assert!(column(0.0, 1.0) > column(0.0, 0.0) + 0.5, "the label before says nothing");
            }
        }
    }

    #[test]
    fn a_genre_that_no_title_has_is_improbable() {
        let x = Design::dense(3, vec![0.0, 1.0, 2.0]);
        let labels = vec![vec![false; 3]];
        let targets = Targets { labels, pos_weight: vec![1.0], weights: None };
        let config = LearnConfig::default();
        for base in Base::ALL {
            let interrupt = Interrupt::default();
            let model = MultiLabel::fit(base, &x, &targets, &config, Seed(1), &interrupt).unwrap();
            assert!((model.score(&x)[0] - (0.5_f32 / 3.5).ln()).abs() < 1e-6);
        }
    }
}
