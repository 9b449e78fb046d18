//! Late fusion: each view of each modality votes for itself, the votes are weighed per genre. A
//! modality's contribution is that of its views.
//!
//! A missing modality costs nothing but its share: the weights are normalised over what is
//! present, in training (where modalities are dropped at random) and in prediction. So each
//! modality's own scores come free, and contributions sum to the logit.
//!
//! A title without any modality has nothing to be judged by: its logits are the log-odds of
//! the genres' prevalences in training, its contributions are 0, and
//! [`Prediction::scored`] is false.
//!
//! source: docs/heads.md, "Networks"

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use base::{DeviceChoice, file, publish_bytes, publish_file};
use candle_core::{DType, Device, Tensor};
use dataset::Dataset;
use serde::{Deserialize, Serialize};

use super::{
    FitContext, FittedHead, Head, Prediction, TrainingLog,
    fusion_net::{BranchShape, Fusion, FusionNet, FusionScheme, Init, NetShape},
    fusion_train::{Fit, batch_of},
    inputs::{PreparedInput, check_modalities},
    saved,
    sequence::SequenceShape,
    subsets::{self, SubsetScorer},
    views::{self, View},
};
use crate::{
    LearnError,
    config::{LearnConfig, Pooling},
    finite,
    loss::{LabelStatistics, Loss},
    transform::resampling,
};

/// The head's name.
pub const NAME: &str = "late-fusion";
/// The name of the gated multimodal unit.
pub const GATED: &str = "gated-fusion";
/// The name of the concatenating head.
pub const EARLY: &str = "early-fusion";

/// Queries are learned only where so many training titles have several rows; else rows are
/// averaged.
const ENOUGH_RAGGED_TITLES: usize = 30;

/// Terms of a text that its branch takes: its input is dense.
const MAX_TERMS: usize = 4000;

/// Titles per step in prediction.
pub(super) const PREDICT_TITLES: usize = 512;

const WEIGHTS_FILE: &str = "weights.safetensors";
const HEAD_FILE: &str = "head.json";

/// Late fusion, not yet fitted.
#[derive(Clone, Debug)]
pub struct LateFusion {
    config: LearnConfig,
    scheme: FusionScheme,
}

impl LateFusion {
    /// With these settings.
    #[must_use]
    pub fn new(config: &LearnConfig, scheme: FusionScheme) -> Self {
        Self { config: config.clone(), scheme }
    }
}

/// Everything about a fitted head but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fitted {
    modalities: Vec<String>,
    views: Vec<View>,
    shape: NetShape,
    /// `[genres]`: log-odds of the prevalence.
    prior: Vec<f32>,
    log: TrainingLog,
}

impl Fitted {
    /// Whether its parts belong together, as those of one that was fitted do.
    fn fits(&self) -> bool {
        let (views, branches) = (&self.views, &self.shape.branches);
        let both = |(view, branch): (&View, &BranchShape)| {
            let words = branch.sequence.as_ref().map(|sequence| sequence.words);
            let max_words = branch.sequence.as_ref().map_or(usize::MAX, |s| s.max_words);
            view.fits(self.modalities.len())
                && view.input.dim() == branch.dim
                && view.input.last_layers() == branch.last_layers.as_ref()
                && view.input.num_word_ids() == words
                && view.input.gives_at_most(max_words)
        };
        views.len() == branches.len()
            && self.prior.len() == self.shape.genres
            && views.iter().zip(branches).all(both)
            && self.shape.fits()
    }
}

/// A fitted late-fusion head.
pub struct FittedLateFusion {
    fitted: Fitted,
    net: FusionNet,
}

impl From<candle_core::Error> for LearnError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(Box::new(error))
    }
}

impl Head for LateFusion {
    fn name(&self) -> &'static str {
        match self.scheme {
            FusionScheme::Votes => NAME,
            FusionScheme::Gated => GATED,
            FusionScheme::Concatenated => EARLY,
        }
    }

    fn fit(
        &self,
        data: &Dataset,
        train: &[usize],
        valid: &[usize],
        context: &FitContext<'_>,
    ) -> Result<Box<dyn FittedHead>, LearnError> {
        let started = Instant::now();
        let (train, valid) = (data.with_any(train), data.with_any(valid));
        views::check_data(self.name(), data, &train)?;
        let device = super::open_device(context.device)?;
        let mut tfidf = self.config.tfidf.clone();
        tfidf.max_terms = if tfidf.max_terms == 0 { MAX_TERMS } else { tfidf.max_terms };
        let views = views::fit(data, &train, &self.config, &tfidf, context.seed)?;
        let both: Vec<usize> = train.iter().chain(&valid).copied().collect();
        let prepared = views::prepare(&views, data, &both)?;
        let labels = LabelStatistics::of(data, &train, self.config.class_weighing());
        let shape = self.shape(&views, &prepared, data.num_genres(), &train);
        let pretrained = views::pretrained(&views, data)?;
        let square_norms: Vec<f64> =
            prepared.iter().map(|input| input.mean_square_norm(&train)).collect();
        let init =
            Init { square_norms: &square_norms, prior: &labels.prior(), pretrained: &pretrained };
        let net = FusionNet::fresh(shape, &init, &mut context.seed.rng("weights"), &device)?;
        let fit = Fit {
            config: &self.config,
            data,
            prepared: &prepared,
            views: &views,
            net: &net,
            pretrained: &pretrained,
            loss: Loss::new(self.config.fusion.loss, &labels.pos_weight, &device)?,
            labels: &labels,
        };
        let by_genre = (0..data.num_genres())
            .map(|g| train.iter().map(|&title| data.labels_of(title)[g]).collect())
            .collect::<Vec<Vec<bool>>>();
        let mut rng = context.seed.rng("resampling");
        let train = match resampling::rows(
            &by_genre,
            self.config.imbalance.resampling,
            self.config.imbalance.resampled_frac,
            &mut rng,
        ) {
            Some(rows) => rows.into_iter().map(|row| train[row]).collect(),
            None => train,
        };
        let mut log = fit.run(&train, &valid, context)?;
        log.seconds = started.elapsed().as_secs_f64();
        let fitted = Fitted {
            modalities: data.modalities.iter().map(|table| table.name.clone()).collect(),
            shape: net.shape().clone(),
            prior: labels.prior(),
            views,
            log,
        };
        Ok(Box::new(FittedLateFusion { fitted, net }))
    }
}

impl LateFusion {
    fn shape(
        &self,
        views: &[View],
        prepared: &[PreparedInput<'_>],
        genres: usize,
        train: &[usize],
    ) -> NetShape {
        let branches = views
            .iter()
            .zip(prepared)
            .map(|(fitted, view)| {
                if let Some(words) = fitted.input.num_word_ids() {
                    let settings = &self.config.sequence;
                    let sequence = SequenceShape {
                        kind: settings.kind,
                        words,
                        embedding: settings.embedding,
                        max_words: settings.max_words,
                        hidden: self.config.fusion.hidden,
                    };
                    let sequence = Some(sequence);
                    return BranchShape { dim: 1, queries: 0, sequence, last_layers: None };
                }
                let num_ragged = train.iter().filter(|&&title| view.num_rows(title) > 1).count();
                let attends = self.config.fusion.pooling == Pooling::Attention
                    && num_ragged >= ENOUGH_RAGGED_TITLES;
                let queries = if attends { self.config.fusion.queries } else { 0 };
                let last_layers = fitted.input.last_layers().cloned();
                BranchShape { dim: view.dim(), queries, sequence: None, last_layers }
            })
            .collect();
        NetShape { branches, hidden: self.config.fusion.hidden, genres, scheme: self.scheme }
    }
}

impl FittedLateFusion {
    /// `[titles, genres, views]`: each view's own logits, NaN where it is missing. Writes the
    /// attention of those that have learned any.
    fn votes(
        &self,
        data: &Dataset,
        rows: &[usize],
        attention: &mut [Vec<Vec<f32>>],
    ) -> Result<Vec<f32>, LearnError> {
        let views = views::prepare(&self.fitted.views, data, rows)?;
        let (genres, num_views) = (self.fitted.prior.len(), views.len());
        let mut votes = vec![f32::NAN; rows.len() * genres * num_views];
        for (chunk_idx, titles) in rows.chunks(PREDICT_TITLES).enumerate() {
            let first = chunk_idx * PREDICT_TITLES;
            let present = |at: usize, view: usize| views[view].present(titles[at]);
            let batch = batch_of(&views, &self.net, titles, present, None)?;
            let outputs = self.net.branches(&batch, None)?;
            for (view, (branch, output)) in batch.branches.iter().zip(&outputs).enumerate() {
                let (Some(branch), Some(output)) = (branch, output) else { continue };
                let logits = output.logits.to_vec2::<f32>()?;
                for (&at, logits) in branch.titles.iter().zip(logits) {
                    for (genre, logit) in logits.into_iter().enumerate() {
                        votes[((first + at) * genres + genre) * num_views + view] = logit;
                    }
                }
                let Some(learned) = &output.attention else { continue };
                let modality = self.fitted.views[view].modality;
                let weights = attention_of(learned, &branch.counts)?;
                for (&at, weights) in branch.titles.iter().zip(weights) {
                    attention[first + at][modality] = weights;
                }
            }
        }
        Ok(votes)
    }

    /// One title: `votes` `[genres, views]`, NaN where a view is missing.
    fn fuse(&self, title: usize, votes: &[f32], fusion: &Fusion, prediction: &mut Prediction) {
        let (genres, modalities) = (prediction.num_genres, prediction.num_modalities);
        let views = &self.fitted.views;
        let mut parts = vec![0.0; votes.len()]; // [genres, views]
        let mut logits = vec![0.0; genres];
        fusion.apply(votes, &mut parts, &mut logits);
        let first = title * genres * modalities;
        for (at, part) in parts.iter().enumerate() {
            let place = first + at / views.len() * modalities + views[at % views.len()].modality;
            prediction.contributions[place] += part;
        }
        for genre in 0..genres {
            let parts = &prediction.contributions[first + genre * modalities..][..modalities];
            prediction.logits[title * genres + genre] = parts.iter().sum();
        }
        for m in 0..modalities {
            let own = |at: usize| views[at % views.len()].modality == m && !votes[at].is_nan();
            if !(0..votes.len()).any(own) {
                continue;
            }
            let alone: Vec<f32> =
                (0..votes.len()).map(|at| if own(at) { votes[at] } else { f32::NAN }).collect();
            fusion.apply(&alone, &mut parts, &mut logits);
            for (genre, logit) in logits.iter().enumerate() {
                prediction.unimodal[first + genre * modalities + m] = *logit;
            }
        }
    }
}

impl SubsetScorer for FittedLateFusion {
    fn prior(&self) -> &[f32] {
        &self.fitted.prior
    }

    fn score(
        &self,
        data: &Dataset,
        titles: &[usize],
        using: &[bool],
    ) -> Result<Vec<f32>, LearnError> {
        let views = views::prepare(&self.fitted.views, data, titles)?;
        let mut scores = Vec::with_capacity(titles.len() * self.fitted.prior.len());
        for titles in titles.chunks(PREDICT_TITLES) {
            let present = |_: usize, view: usize| using[self.fitted.views[view].modality];
            let batch = batch_of(&views, &self.net, titles, present, None)?;
            let outputs = self.net.branches(&batch, None)?;
            scores.extend(self.net.fuse(&batch, &outputs)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(scores)
    }
}

impl FittedHead for FittedLateFusion {
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, LearnError> {
        check_modalities(data, &self.fitted.modalities)?;
        if self.net.shape().scheme != FusionScheme::Votes {
            let mut prediction = subsets::explain(self, data, rows)?;
            self.votes(data, rows, &mut prediction.attention)?;
            return Ok(prediction);
        }
        let mut prediction = subsets::blank(data, rows, &self.fitted.prior);
        let votes = self.votes(data, rows, &mut prediction.attention)?;
        let fusion = self.net.fusion()?;
        let len = self.fitted.prior.len() * self.fitted.views.len();
        for title in 0..rows.len() {
            if prediction.scored[title] {
                let votes = &votes[title * len..(title + 1) * len];
                self.fuse(title, votes, &fusion, &mut prediction);
            }
        }
        Ok(prediction)
    }

    fn num_genres(&self) -> usize {
        self.fitted.prior.len()
    }

    fn modalities(&self) -> &[String] {
        &self.fitted.modalities
    }

    fn training(&self) -> &TrainingLog {
        &self.fitted.log
    }

    fn fusion_weights(&self) -> Option<Vec<f32>> {
        if self.net.shape().scheme != FusionScheme::Votes {
            return None;
        }
        let fusion = self.net.fusion().ok()?;
        let views = &self.fitted.views;
        let mut shares = vec![0.0; self.fitted.prior.len() * self.fitted.modalities.len()];
        let genres = shares.chunks_exact_mut(self.fitted.modalities.len());
        for (shares, weights) in genres.zip(fusion.weights.chunks_exact(views.len())) {
            let total = weights.iter().sum::<f32>();
            for (view, weight) in views.iter().zip(weights) {
                shares[view.modality] += weight / total;
            }
        }
        Some(shares)
    }

    fn save(&self, folder: &Path) -> Result<(), LearnError> {
        // The same fit must give the same bytes, and time is not part of what was learned.
        let mut fitted = self.fitted.clone();
        fitted.log.seconds = 0.0;
        let path = folder.join(HEAD_FILE);
        let json = serde_json::to_vec_pretty(&fitted).map_err(|e| written(&path, e))?;
        publish_bytes(&path, &json).map_err(|e| written(&path, e))?;
        let path = folder.join(WEIGHTS_FILE);
        let cpu: BTreeMap<&String, Tensor> = self
            .net
            .params()
            .iter()
            .map(|(name, var)| Ok((name, var.as_tensor().to_device(&Device::Cpu)?)))
            .collect::<Result<_, candle_core::Error>>()?;
        publish_file(&path, |temporary| {
            safetensors::serialize_to_file(cpu.iter(), None, temporary)
                .map_err(std::io::Error::other)
        })
        .map_err(|e: std::io::Error| written(&path, e))
    }
}

/// Attention of each title's rows: the mean over queries, without padding.
fn attention_of(attention: &Tensor, counts: &[usize]) -> Result<Vec<Vec<f32>>, LearnError> {
    let mean = attention.to_dtype(DType::F32)?.mean(1)?.to_vec2::<f32>()?;
    Ok(mean
        .into_iter()
        .zip(counts)
        .map(|(mut weights, &count)| {
            weights.truncate(count);
            weights
        })
        .collect())
}

/// Opens what [`FittedHead::save`] wrote.
///
/// # Errors
/// The files cannot be read or do not fit together.
pub fn load(folder: &Path, device: DeviceChoice) -> Result<Box<dyn FittedHead>, LearnError> {
    let path = folder.join(HEAD_FILE);
    let json = file::read(&path).map_err(|e| broken(&path, e))?;
    let fitted: Fitted = serde_json::from_slice(&json).map_err(|e| broken(&path, e))?;
    finite::check(&fitted).map_err(|e| broken(&path, e))?;
    if !fitted.fits() {
        return Err(broken(&path, saved::DO_NOT_FIT));
    }
    let device = super::open_device(device)?;
    let path = folder.join(WEIGHTS_FILE);
    let bytes = file::read(&path).map_err(|e| broken(&path, e))?;
    let tensors = nn::tensor_file::of_bytes(&bytes, &Device::Cpu)
        .map_err(|e| broken(&path, e))?
        .into_iter()
        .collect();
    let net = FusionNet::from_params(fitted.shape.clone(), tensors, &device)
        .map_err(|e| broken(&path, e))?;
    Ok(Box::new(FittedLateFusion { fitted, net }))
}

fn broken(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LearnError {
    LearnError::Broken { path: PathBuf::from(path), source: source.into() }
}

fn written(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LearnError {
    LearnError::File { path: PathBuf::from(path), action: "written", source: source.into() }
}
