//! A trained model: what turns features into genres.
//!
//! The mean of its members' logits, calibrated per genre, decided by per-genre thresholds.
//! Contributions are in units of the calibrated logit: with the bias they sum to it.

mod assemble;

use std::path::{Path, PathBuf};

use base::{DeviceChoice, file, publish_bytes};
use dataset::Dataset;
use eval::{
    Isotonic,
    calibration::sigmoid,
    thresholds::{decide, decide_at_least_one},
};

use crate::{
    LearnConfig, LearnError, borrowed, finite,
    heads::{self, FitContext, FittedHead, Prediction, TrainingLog},
    train,
};
use ndarray::{Array2, ArrayView2};

pub use self::assemble::assemble;
pub use crate::spec::{Decisions, ModelSpec, PartialDecisions};

const MODEL_FILE: &str = "model.json";

/// A model that can score.
pub struct TrainedModel {
    spec: ModelSpec,
    members: Vec<Box<dyn FittedHead>>,
}

/// Genres of some titles and what speaks for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelPrediction {
    /// Number of genres.
    pub num_genres: usize,
    /// Number of modalities.
    pub num_modalities: usize,
    /// `[titles, genres]`: calibrated.
    pub probability: Vec<f32>,
    /// `[titles, genres]`: probability at or above the genre's threshold, or the nearest one.
    /// All false for a title that is not scored.
    pub decision: Vec<bool>,
    /// `[titles, genres]`: log-odds of `probability`: bias plus contributions, summed in that
    /// order, to the last bit.
    pub logit: Vec<f32>,
    /// `[titles, genres]`: what the calibration adds; for a title that is not scored the log-odds
    /// of the genre's prevalence. The same for all titles but with isotonic calibration, which
    /// bends the scale.
    pub bias: Vec<f32>,
    /// `[titles, genres]`: probability without calibration, the logistic function of the
    /// members' mean logit.
    pub uncalibrated: Vec<f32>,
    /// `[titles, genres, modalities]`, in units of `logit`; 0 for a missing modality.
    pub contributions: Vec<f32>,
    /// `[titles, genres, modalities]`: each modality's own calibrated probability; NaN where it
    /// is missing.
    pub unimodal: Vec<f32>,
    /// `[titles, genres, modalities]`: decisions of each modality alone, by its own thresholds;
    /// false where it is missing.
    pub unimodal_decision: Vec<bool>,
    /// `[titles][modalities][rows]`: attention on each row, summing to 1; empty where missing.
    pub attention: Vec<Vec<Vec<f32>>>,
    /// `[titles, modalities]`: what the decisions of a title rest on, for
    /// [`ModelSpec::decisions_for`]. What it has, but for borrowed modalities that say too little.
    pub seen: Vec<bool>,
    /// `[titles]`: whether the title has any modality at all that says something.
    pub scored: Vec<bool>,
}

impl ModelPrediction {
    /// Number of titles.
    #[must_use]
    pub fn num_titles(&self) -> usize {
        self.scored.len()
    }

    /// A title's part of `[titles, genres]` arrays.
    #[must_use]
    pub fn genres_of(&self, title_idx: usize) -> std::ops::Range<usize> {
        title_idx * self.num_genres..(title_idx + 1) * self.num_genres
    }

    /// What the decisions of a title rest on, `[modalities]`.
    #[must_use]
    pub fn seen_of(&self, title_idx: usize) -> &[bool] {
        &self.seen[title_idx * self.num_modalities..(title_idx + 1) * self.num_modalities]
    }

    /// A title's part of `[titles, genres, modalities]` arrays.
    #[must_use]
    pub fn parts_of(&self, title_idx: usize) -> std::ops::Range<usize> {
        let len = self.num_genres * self.num_modalities;
        title_idx * len..(title_idx + 1) * len
    }

    /// Adds the titles of `other`, which is of the same genres and modalities.
    pub fn append(&mut self, mut other: Self) {
        self.num_genres = other.num_genres;
        self.num_modalities = other.num_modalities;
        self.probability.append(&mut other.probability);
        self.decision.append(&mut other.decision);
        self.logit.append(&mut other.logit);
        self.bias.append(&mut other.bias);
        self.uncalibrated.append(&mut other.uncalibrated);
        self.contributions.append(&mut other.contributions);
        self.unimodal.append(&mut other.unimodal);
        self.unimodal_decision.append(&mut other.unimodal_decision);
        self.attention.append(&mut other.attention);
        self.seen.append(&mut other.seen);
        self.scored.append(&mut other.scored);
    }

    /// The titles at these places, in this order.
    #[must_use]
    pub fn select(&self, titles: &[usize]) -> Self {
        fn pick<T: Copy>(from: &[T], titles: &[usize], len: usize) -> Vec<T> {
            titles.iter().flat_map(|&t| &from[t * len..(t + 1) * len]).copied().collect()
        }
        let genres = self.num_genres;
        let parts = genres * self.num_modalities;
        Self {
            num_genres: genres,
            num_modalities: self.num_modalities,
            probability: pick(&self.probability, titles, genres),
            decision: pick(&self.decision, titles, genres),
            logit: pick(&self.logit, titles, genres),
            bias: pick(&self.bias, titles, genres),
            uncalibrated: pick(&self.uncalibrated, titles, genres),
            contributions: pick(&self.contributions, titles, parts),
            unimodal: pick(&self.unimodal, titles, parts),
            unimodal_decision: pick(&self.unimodal_decision, titles, parts),
            attention: titles.iter().map(|&t| self.attention[t].clone()).collect(),
            seen: pick(&self.seen, titles, self.num_modalities),
            scored: pick(&self.scored, titles, 1),
        }
    }
}

impl TrainedModel {
    /// A model of fitted parts.
    #[must_use]
    pub fn new(spec: ModelSpec, members: Vec<Box<dyn FittedHead>>) -> Self {
        Self { spec, members }
    }

    /// Trains on these titles (indices into `data.titles`). `groups` `[titles]`: titles of
    /// one number stay together in the inner folds. A head that is fitted once takes
    /// `context.inner_folds`, where there are three or more.
    ///
    /// # Errors
    /// Settings out of range, data that cannot be fitted, a device error, an interrupt.
    pub fn fit(
        data: &Dataset,
        titles: &[usize],
        groups: &[usize],
        config: &LearnConfig,
        context: &FitContext<'_>,
    ) -> Result<Self, LearnError> {
        config.validate()?;
        let plans = train::plan(data, titles, groups, context.inner_folds, config, context.seed)?;
        let mut heads = train::fit_heads(data, std::slice::from_ref(&plans), config, context)?;
        let Some(heads) = heads.pop() else { return Err(no_members()) };
        assemble(data, &plans, heads, config)
    }

    /// What it is.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// How its members were trained.
    #[must_use]
    pub fn training(&self) -> Vec<&TrainingLog> {
        self.members.iter().map(|member| member.training()).collect()
    }

    /// `[genres, modalities]`: each modality's share in a genre's logit when all are present,
    /// mean over members; `None` where the head has no such shares.
    #[must_use]
    pub fn fusion_weights(&self) -> Option<Vec<f32>> {
        let weights: Option<Vec<Vec<f32>>> =
            self.members.iter().map(|member| member.fusion_weights()).collect();
        weights.map(|weights| mean_of(weights.iter().map(Vec::as_slice)))
    }

    /// Scores the titles `rows` of `data`, whose modalities must be the model's, in the same
    /// order; each may be missing for any title.
    ///
    /// # Errors
    /// Another set of modalities or another dim; a device error.
    pub fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<ModelPrediction, LearnError> {
        let own = self.spec.own_part(data);
        let members: Vec<Prediction> = self
            .members
            .iter()
            .map(|member| member.predict(&own, rows))
            .collect::<Result<_, _>>()?;
        let Some(mean) = mean_prediction(&members) else { return Err(no_members()) };
        let lent = borrowed::lent(&self.spec, &self.members, &own, data, rows)?;
        let Prediction { logits: raw_logits, mut contributions, mut unimodal, attention, .. } =
            borrowed::spread(mean, &self.spec, data, rows);
        let (genres, modalities) = (self.spec.genres.len(), data.modalities.len());
        let seen: Vec<Vec<bool>> = rows
            .iter()
            .enumerate()
            .map(|(at, &row)| {
                let see = |m: usize| match lent.iter().find(|lent| lent.place == m) {
                    Some(lent) => lent.speaks(at),
                    None => data.modalities[m].present(row),
                };
                (0..modalities).map(see).collect()
            })
            .collect();
        let has_own = |at: usize| {
            seen[at].iter().enumerate().any(|(m, &is)| is && lent.iter().all(|l| l.place != m))
        };

        let mut logit = vec![0.0_f32; raw_logits.len()];
        let mut bias = vec![0.0_f32; raw_logits.len()];
        let mut uncalibrated: Vec<f32> =
            raw_logits.iter().map(|&z| sigmoid(f64::from(z)) as f32).collect();
        for at in 0..raw_logits.len() {
            let (title, genre) = (at / genres, at % genres);
            let parts = &mut contributions[at * modalities..(at + 1) * modalities];
            let sum = |bias: f32, parts: &[f32]| parts.iter().fold(bias, |sum, part| sum + part);
            if has_own(title) {
                let decisions = self.spec.decisions_for(&seen[title]);
                let platt = decisions.platt[genre];
                for part in parts.iter_mut() {
                    *part *= platt.a as f32;
                }
                bias[at] = platt.b as f32;
                if !decisions.isotonic.is_empty() {
                    let straight = f64::from(sum(bias[at], parts));
                    bias[at] += (decisions.after_platt(genre, straight) - straight) as f32;
                }
            } else {
                bias[at] = raw_logits[at];
            }
            for lent in lent.iter().filter(|lent| lent.speaks(title)) {
                parts[lent.place] = lent.part(title, genre, &seen[title]);
                unimodal[at * modalities + lent.place] = lent.unimodal(title, genre);
            }
            logit[at] = sum(bias[at], parts);
            if !has_own(title) {
                uncalibrated[at] = sigmoid(f64::from(logit[at])) as f32;
            }
        }
        let scored: Vec<bool> = seen.iter().map(|seen| seen.contains(&true)).collect();
        let probability: Vec<f32> = logit.iter().map(|&z| sigmoid(f64::from(z)) as f32).collect();
        let mut decision = self.decide(&self.spec.fused, |at| probability[at], rows.len())?;
        for (title, scored) in scored.iter().enumerate() {
            let own = title * genres..(title + 1) * genres;
            if !scored {
                decision[own].fill(false);
            } else if let Some(partial) = self.spec.partial_for(&seen[title]) {
                // No nearest genre here: what is not likely enough is no tag.
                for (g, at) in own.enumerate() {
                    decision[at] = f64::from(probability[at]) >= partial.thresholds[g];
                }
            }
        }

        let mut unimodal_decision = vec![false; unimodal.len()];
        for (m, decisions) in self.spec.unimodal.iter().enumerate() {
            for at in 0..raw_logits.len() {
                let score = &mut unimodal[at * modalities + m];
                *score = decisions.platt[at % genres].apply(f64::from(*score)) as f32;
            }
            let score = |at: usize| unimodal[at * modalities + m];
            let own: Vec<bool> = if lent.iter().any(|lent| lent.place == m) {
                let threshold = |at: usize| decisions.thresholds[at % genres];
                (0..raw_logits.len()).map(|at| f64::from(score(at)) >= threshold(at)).collect()
            } else {
                self.decide(decisions, score, rows.len())?
            };
            for (at, own) in own.into_iter().enumerate() {
                unimodal_decision[at * modalities + m] = own;
            }
        }
        Ok(ModelPrediction {
            num_genres: genres,
            num_modalities: modalities,
            probability,
            decision,
            logit,
            bias,
            uncalibrated,
            contributions,
            unimodal,
            unimodal_decision,
            attention,
            seen: seen.concat(),
            scored,
        })
    }

    fn decide(
        &self,
        decisions: &Decisions,
        probability: impl Fn(usize) -> f32,
        num_titles: usize,
    ) -> Result<Vec<bool>, LearnError> {
        let genres = self.spec.genres.len();
        let scores = Array2::from_shape_fn((num_titles, genres), |(t, g)| {
            f64::from(probability(t * genres + g))
        });
        let rule: fn(ArrayView2<'_, f64>, &[f64]) -> Array2<bool> =
            if self.spec.config.decisions.at_least_one
                && self.spec.config.decisions.precision.is_none()
            {
                decide_at_least_one
            } else {
                decide
            };
        if decisions.thresholds.len() != genres {
            return Err(LearnError::Data {
                message: format!(
                    "the model has {} thresholds for {genres} genres",
                    decisions.thresholds.len()
                ),
                hint: None,
            });
        }
        Ok(rule(scores.view(), &decisions.thresholds).into_iter().collect())
    }

    /// Writes the model into a folder: `model.json` and one folder per member. The same model
    /// gives the same bytes.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), LearnError> {
        let failed = |path: &Path, source: Box<dyn std::error::Error + Send + Sync>| {
            LearnError::File { path: path.to_owned(), action: "written", source }
        };
        for (idx, member) in self.members.iter().enumerate() {
            let member_folder = member_folder(folder, idx);
            std::fs::create_dir_all(&member_folder)
                .map_err(|e| failed(&member_folder, e.into()))?;
            member.save(&member_folder)?;
        }
        let path = folder.join(MODEL_FILE);
        let json = serde_json::to_vec_pretty(&self.spec).map_err(|e| failed(&path, e.into()))?;
        publish_bytes(&path, &json).map_err(|e| failed(&path, e.into()))
    }

    /// Opens what [`TrainedModel::save`] wrote.
    ///
    /// # Errors
    /// The files cannot be read or do not fit together; an unknown head; a device error.
    pub fn load(folder: &Path, device: DeviceChoice) -> Result<Self, LearnError> {
        let path = folder.join(MODEL_FILE);
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| LearnError::Broken {
            path: path.clone(),
            source,
        };
        let json = file::read(&path).map_err(|e| broken(e.into()))?;
        let spec: ModelSpec = serde_json::from_slice(&json).map_err(|e| broken(e.into()))?;
        finite::check(&spec).map_err(|e| broken(e.into()))?;
        let genres = spec.genres.len();
        let fits = |d: &Decisions| {
            d.platt.len() == genres
                && d.thresholds.len() == genres
                && (d.isotonic.is_empty() || d.isotonic.len() == genres)
                && d.isotonic.iter().all(Isotonic::fits)
                && d.at_precision.iter().all(|at| at.thresholds.len() == genres)
        };
        if spec.unimodal.len() != spec.modalities.len()
            || spec.num_members == 0
            || spec.partial.iter().any(|partial| partial.present.len() != spec.modalities.len())
            || !spec.unimodal.iter().chain([&spec.fused]).all(fits)
            || !spec.partial.iter().all(|partial| fits(&partial.decisions))
            || spec.borrowed.iter().any(|borrowed| {
                borrowed.calibration.len() != genres || borrowed.votes.len() != genres
            })
        {
            return Err(broken(heads::DO_NOT_FIT.into()));
        }
        let kind = heads::find(&spec.head)?;
        let own: Vec<&String> =
            spec.own_modalities().into_iter().map(|m| &spec.modalities[m]).collect();
        let mut members = Vec::new();
        for idx in 0..spec.num_members {
            let member_folder = member_folder(folder, idx);
            let member = (kind.load)(&member_folder, device)?;
            if member.num_genres() != genres || !member.modalities().iter().eq(own.iter().copied())
            {
                let source = "it is of other genres or modalities than the model".into();
                return Err(LearnError::Broken { path: member_folder, source });
            }
            members.push(member);
        }
        Ok(Self { spec, members })
    }
}

fn no_members() -> LearnError {
    LearnError::Data { message: "the model has no members".into(), hint: None }
}

fn member_folder(folder: &Path, idx: usize) -> PathBuf {
    folder.join(format!("member-{idx}"))
}

/// The members' mean; `None` without a member.
fn mean_prediction(members: &[Prediction]) -> Option<Prediction> {
    let first = members.first()?;
    let mut attention = first.attention.clone();
    for (title, parts) in attention.iter_mut().enumerate() {
        for (m, weights) in parts.iter_mut().enumerate() {
            *weights = mean_of(members.iter().map(|p| p.attention[title][m].as_slice()));
        }
    }
    Some(Prediction {
        num_genres: first.num_genres,
        num_modalities: first.num_modalities,
        logits: mean_of(members.iter().map(|p| p.logits.as_slice())),
        contributions: mean_of(members.iter().map(|p| p.contributions.as_slice())),
        unimodal: mean_of(members.iter().map(|p| p.unimodal.as_slice())),
        attention,
        scored: first.scored.clone(),
    })
}

/// Element by element, in the order of the parts; NaN stays NaN.
fn mean_of<'a>(parts: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum: Vec<f64> = Vec::new();
    let mut count = 0.0;
    for part in parts {
        sum.resize(part.len(), 0.0);
        sum.iter_mut().zip(part).for_each(|(sum, &x)| *sum += f64::from(x));
        count += 1.0;
    }
    sum.into_iter().map(|sum| (sum / count) as f32).collect()
}
