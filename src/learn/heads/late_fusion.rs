//! Late fusion: each modality votes for itself, the votes are weighed per genre.
//!
//! A missing modality costs nothing but its share: the weights are normalised over what is
//! present, in training (where modalities are dropped at random) and in prediction. So each
//! modality's own scores come free, and contributions sum to the logit.
//!
//! A title without any modality has nothing to be judged by: its logits are the log-odds of
//! the genres' prevalences in training, its contributions are 0, and
//! [`Prediction::scored`] is false.
//!
//! source: architecture.md, "Late fusion"

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use candle_core::{DType, Device, Tensor};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use ndarray::Array2;
use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    FitContext, FittedHead, Head, Prediction, TrainingLog,
    fusion_net::{Batch, BranchBatch, BranchShape, FusionNet, Init, NetShape},
    inputs::{BranchInput, InputDropout, PreparedInput, check_modalities},
};
use crate::{
    base::{DeviceChoice, publish_bytes, publish_file},
    eval::ranking::mean_average_precision,
    learn::{
        LearnError,
        config::{LearnConfig, Pooling},
        dataset::{Content, Dataset},
        train::loss::{LabelStatistics, Loss},
    },
};

/// The head's name.
pub const NAME: &str = "late-fusion";

/// Queries are learned only where so many training titles have several rows; else rows are
/// averaged.
const ENOUGH_RAGGED_TITLES: usize = 30;

/// Titles per step in prediction.
const PREDICT_TITLES: usize = 512;

/// Share of the steps in which the learning rate rises to its highest.
const WARM_UP_FRAC: f64 = 0.05;

const WEIGHTS_FILE: &str = "weights.safetensors";
const HEAD_FILE: &str = "head.json";

/// Late fusion, not yet fitted.
#[derive(Clone, Debug)]
pub struct LateFusion {
    config: LearnConfig,
}

impl LateFusion {
    /// With these settings.
    #[must_use]
    pub fn new(config: &LearnConfig) -> Self {
        Self { config: config.clone() }
    }
}

/// Everything about a fitted head but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fitted {
    modalities: Vec<String>,
    inputs: Vec<BranchInput>,
    shape: NetShape,
    /// `[genres]`: log-odds of the prevalence.
    prior: Vec<f32>,
    log: TrainingLog,
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
        NAME
    }

    fn fit(
        &self,
        data: &Dataset,
        train: &[usize],
        valid: &[usize],
        context: &FitContext<'_>,
    ) -> Result<Box<dyn FittedHead>, LearnError> {
        let started = Instant::now();
        let any = |title: &usize| data.modalities.iter().any(|table| table.present(*title));
        let train: Vec<usize> = train.iter().copied().filter(any).collect();
        let valid: Vec<usize> = valid.iter().copied().filter(any).collect();
        check_data(data, &train)?;
        let device = super::open_device(context.device)?;
        let inputs: Vec<BranchInput> = data
            .modalities
            .iter()
            .map(|table| BranchInput::fit(table, &train, self.config.min_support))
            .collect::<Result<_, _>>()?;
        let both: Vec<usize> = train.iter().chain(&valid).copied().collect();
        let prepared = prepare(&inputs, data, &both)?;
        let labels = LabelStatistics::of(data, &train, &self.config);
        let shape = self.shape(data, &inputs, &train);
        let square_norms: Vec<f64> =
            prepared.iter().map(|input| input.mean_square_norm(&train)).collect();
        let init = Init { square_norms: &square_norms, prior: &labels.prior() };
        let net = FusionNet::fresh(shape, &init, &mut context.seed.rng("weights"), &device)?;
        let fit = Fit {
            config: &self.config,
            data,
            prepared: &prepared,
            net: &net,
            loss: Loss::new(self.config.loss, &labels.pos_weight, &device)?,
            labels: &labels,
        };
        let mut log = fit.run(&train, &valid, context)?;
        log.seconds = started.elapsed().as_secs_f64();
        let fitted = Fitted {
            modalities: data.modalities.iter().map(|table| table.name.clone()).collect(),
            shape: net.shape().clone(),
            prior: labels.prior(),
            inputs,
            log,
        };
        Ok(Box::new(FittedLateFusion { fitted, net }))
    }
}

impl LateFusion {
    fn shape(&self, data: &Dataset, inputs: &[BranchInput], train: &[usize]) -> NetShape {
        let branches = data
            .modalities
            .iter()
            .zip(inputs)
            .map(|(table, input)| {
                let num_ragged = match &table.content {
                    Content::Rows(ragged) => {
                        train.iter().filter(|&&title| ragged.num_rows(title) > 1).count()
                    }
                    Content::Records { .. } => 0,
                };
                let attends =
                    self.config.pooling == Pooling::Attention && num_ragged >= ENOUGH_RAGGED_TITLES;
                let queries = if attends { self.config.queries } else { 0 };
                BranchShape { dim: input.dim(), queries }
            })
            .collect();
        NetShape { branches, hidden: self.config.hidden, genres: data.num_genres() }
    }
}

fn check_data(data: &Dataset, train: &[usize]) -> Result<(), LearnError> {
    let missing = if data.num_genres() == 0 {
        "no genre to learn"
    } else if data.modalities.is_empty() {
        "no modality to learn from"
    } else if train.is_empty() {
        "no training title has any modality"
    } else {
        return Ok(());
    };
    Err(LearnError::Data {
        message: format!("cannot fit the head {NAME}: {missing}"),
        hint: Some("`cinetag catalog check` and `cinetag store ls` show what there is".to_owned()),
    })
}

fn prepare<'a>(
    inputs: &'a [BranchInput],
    data: &'a Dataset,
    titles: &[usize],
) -> Result<Vec<PreparedInput<'a>>, LearnError> {
    inputs.iter().zip(&data.modalities).map(|(input, table)| input.prepare(table, titles)).collect()
}

/// Puts the titles that `present` keeps of each modality on the device.
fn batch_of(
    prepared: &[PreparedInput<'_>],
    net: &FusionNet,
    titles: &[usize],
    present: impl Fn(usize, usize) -> bool,
    mut dropout: Option<(f64, &mut ChaCha8Rng)>,
) -> Result<Batch, LearnError> {
    let mut branches = Vec::with_capacity(prepared.len());
    for (m, input) in prepared.iter().enumerate() {
        let positions: Vec<usize> = (0..titles.len()).filter(|&at| present(at, m)).collect();
        if positions.is_empty() {
            branches.push(None);
            continue;
        }
        let there: Vec<usize> = positions.iter().map(|&at| titles[at]).collect();
        let dropout = dropout.as_mut().map(|(frac, rng)| InputDropout::new(*frac, rng));
        let gathered = input.gather(&there, dropout);
        let dim = net.shape().branches[m].dim;
        branches.push(Some(BranchBatch::new(gathered, dim, positions, net.device())?));
    }
    Ok(Batch { num_titles: titles.len(), branches })
}

/// One fit under way.
struct Fit<'a> {
    config: &'a LearnConfig,
    data: &'a Dataset,
    prepared: &'a [PreparedInput<'a>],
    net: &'a FusionNet,
    loss: Loss,
    labels: &'a LabelStatistics,
}

impl Fit<'_> {
    /// Trains `net` in place; at the end it has the weights of the best epoch.
    fn run(
        &self,
        train: &[usize],
        valid: &[usize],
        context: &FitContext<'_>,
    ) -> Result<TrainingLog, LearnError> {
        let config = self.config;
        let params: Vec<_> = self.net.params().values().cloned().collect();
        let mut adam = AdamW::new(
            params.clone(),
            ParamsAdamW {
                lr: config.learning_rate,
                weight_decay: config.weight_decay,
                ..ParamsAdamW::default()
            },
        )?;
        let mut order = train.to_vec();
        let mut rngs = Rngs {
            order: context.seed.rng("order"),
            inputs: context.seed.rng("input dropout"),
            hidden: context.seed.rng("hidden dropout"),
            modalities: context.seed.rng("modality dropout"),
        };
        let steps_per_epoch = train.len().div_ceil(config.batch_titles);
        let schedule = Schedule::new(config.learning_rate, config.epochs * steps_per_epoch);
        let valid_batches = self.whole_batches(valid)?;
        let mut average: Vec<Tensor> =
            params.iter().map(candle_core::Var::as_detached_tensor).collect();
        let mut kept: Vec<Tensor> = Vec::new();
        let mut log = TrainingLog::default();
        let mut step = 0;
        for epoch in 0..config.epochs {
            context.interrupt.check()?;
            order.shuffle(&mut rngs.order);
            let mut loss_sum = 0.0;
            for titles in order.chunks(config.batch_titles) {
                adam.set_learning_rate(schedule.rate(step));
                step += 1;
                loss_sum += self.step(titles, &mut rngs, &mut adam)? * titles.len() as f64;
                if config.ema > 0.0 {
                    // Early on the mean is over fewer steps.
                    let decay = config.ema.min((step as f64) / (step as f64 + 9.0));
                    for (average, param) in average.iter_mut().zip(&params) {
                        *average =
                            ((&*average * decay)? + (param.as_tensor() * (1.0 - decay))?)?.detach();
                    }
                }
            }
            log.train_loss.push(loss_sum / train.len() as f64);
            let current: Vec<Tensor> =
                params.iter().map(|p| p.as_detached_tensor().copy()).collect::<Result<_, _>>()?;
            if config.ema > 0.0 {
                set_all(&params, &average)?;
            }
            let score = self.valid_map(valid, &valid_batches)?;
            let better = log.valid_map.iter().all(|&earlier| score > earlier);
            log.valid_map.push(score);
            // Without validation titles the last weights are kept.
            if better || valid.is_empty() {
                log.best_epoch = epoch;
                kept = params
                    .iter()
                    .map(|p| p.as_detached_tensor().copy())
                    .collect::<Result<_, _>>()?;
            }
            set_all(&params, &current)?;
            context.progress.advance(1);
            if !valid.is_empty() && epoch - log.best_epoch >= config.patience {
                context.progress.advance((config.epochs - epoch - 1) as u64);
                break;
            }
        }
        set_all(&params, &kept)?;
        Ok(log)
    }

    fn step(&self, titles: &[usize], rngs: &mut Rngs, adam: &mut AdamW) -> Result<f64, LearnError> {
        let config = self.config;
        let present = self.drop_modalities(titles, &mut rngs.modalities);
        let modalities = self.prepared.len();
        let batch = batch_of(
            self.prepared,
            self.net,
            titles,
            |at, m| present[at * modalities + m],
            Some((config.dropout, &mut rngs.inputs)),
        )?;
        let outputs = self.net.branches(&batch, Some((config.dropout, &mut rngs.hidden)))?;
        let device = self.net.device();
        let targets = self.labels.targets(self.data, titles, device)?;
        let mut loss = self.loss.of(&self.net.fuse(&batch, &outputs)?, &targets)?;
        if config.unimodal_loss > 0.0 {
            for (branch, output) in batch.branches.iter().zip(&outputs) {
                let (Some(branch), Some(output)) = (branch, output) else { continue };
                let titles: Vec<usize> = branch.titles.iter().map(|&at| titles[at]).collect();
                let targets = self.labels.targets(self.data, &titles, device)?;
                // A branch that few titles have must not be learned as if all had it.
                let share = titles.len() as f64 / batch.num_titles as f64;
                let own = self.loss.of(&output.logits, &targets)?;
                loss = (loss + (own * (config.unimodal_loss * share))?)?;
            }
        }
        let grads = self.net.gradients(&loss, &batch, &outputs)?;
        adam.step(&grads)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    /// `[titles, modalities]`: which of the present modalities stay in this step; at least one
    /// per title.
    fn drop_modalities(&self, titles: &[usize], rng: &mut ChaCha8Rng) -> Vec<bool> {
        let mut kept = Vec::with_capacity(titles.len() * self.prepared.len());
        for &title in titles {
            let present: Vec<bool> =
                self.data.modalities.iter().map(|table| table.present(title)).collect();
            let mut stays: Vec<bool> = present
                .iter()
                .map(|&there| !rng.random_bool(self.config.modality_dropout) && there)
                .collect();
            if !stays.contains(&true) {
                let there: Vec<usize> = (0..present.len()).filter(|&m| present[m]).collect();
                stays[there[rng.random_range(0..there.len())]] = true;
            }
            kept.extend(stays);
        }
        kept
    }

    fn whole_batches(&self, titles: &[usize]) -> Result<Vec<Batch>, LearnError> {
        titles
            .chunks(PREDICT_TITLES)
            .map(|titles| {
                let present = |at: usize, m: usize| self.data.modalities[m].present(titles[at]);
                batch_of(self.prepared, self.net, titles, present, None)
            })
            .collect()
    }

    fn valid_map(&self, valid: &[usize], batches: &[Batch]) -> Result<f64, LearnError> {
        let genres = self.data.num_genres();
        let mut scores = Vec::with_capacity(valid.len() * genres);
        for batch in batches {
            let outputs = self.net.branches(batch, None)?;
            let fused = self.net.fuse(batch, &outputs)?;
            scores.extend(fused.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from));
        }
        let labels: Vec<bool> =
            valid.iter().flat_map(|&title| self.data.labels_of(title)).copied().collect();
        let table = |_| LearnError::Data {
            message: "the validation scores do not fit the labels".to_owned(),
            hint: None,
        };
        let scores = Array2::from_shape_vec((valid.len(), genres), scores).map_err(table)?;
        let labels = Array2::from_shape_vec((valid.len(), genres), labels).map_err(table)?;
        Ok(mean_average_precision(scores.view(), labels.view()))
    }
}

struct Rngs {
    order: ChaCha8Rng,
    inputs: ChaCha8Rng,
    hidden: ChaCha8Rng,
    modalities: ChaCha8Rng,
}

/// Linear warm-up, then half a cosine down to nothing.
struct Schedule {
    highest: f64,
    warm_up: usize,
    total: usize,
}

impl Schedule {
    fn new(highest: f64, total: usize) -> Self {
        Self { highest, warm_up: (total as f64 * WARM_UP_FRAC).ceil() as usize, total }
    }

    fn rate(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return self.highest * (step + 1) as f64 / self.warm_up as f64;
        }
        let done = (step - self.warm_up) as f64 / (self.total - self.warm_up).max(1) as f64;
        self.highest * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
    }
}

fn set_all(params: &[candle_core::Var], values: &[Tensor]) -> Result<(), LearnError> {
    for (param, value) in params.iter().zip(values) {
        param.set(value)?;
    }
    Ok(())
}

impl FittedHead for FittedLateFusion {
    fn predict(&self, data: &Dataset, rows: &[usize]) -> Result<Prediction, LearnError> {
        check_modalities(data, &self.fitted.modalities)?;
        let prepared = prepare(&self.fitted.inputs, data, rows)?;
        let (genres, modalities) = (self.fitted.prior.len(), self.fitted.modalities.len());
        let fusion = self.net.fusion()?;
        let mut prediction = Prediction {
            num_genres: genres,
            num_modalities: modalities,
            unimodal: vec![f32::NAN; rows.len() * genres * modalities],
            contributions: vec![0.0; rows.len() * genres * modalities],
            logits: vec![0.0; rows.len() * genres],
            attention: vec![vec![Vec::new(); modalities]; rows.len()],
            scored: vec![false; rows.len()],
        };
        for (chunk_idx, titles) in rows.chunks(PREDICT_TITLES).enumerate() {
            let first = chunk_idx * PREDICT_TITLES;
            let present = |at: usize, m: usize| data.modalities[m].present(titles[at]);
            let batch = batch_of(&prepared, &self.net, titles, present, None)?;
            let outputs = self.net.branches(&batch, None)?;
            for (m, (branch, output)) in batch.branches.iter().zip(&outputs).enumerate() {
                let (Some(branch), Some(output)) = (branch, output) else { continue };
                let logits = output.logits.to_vec2::<f32>()?;
                let weights = attention_of(output.attention.as_ref(), &branch.counts)?;
                for ((&at, logits), weights) in branch.titles.iter().zip(logits).zip(weights) {
                    let title = first + at;
                    for (genre, logit) in logits.into_iter().enumerate() {
                        prediction.unimodal[(title * genres + genre) * modalities + m] = logit;
                    }
                    prediction.attention[title][m] = weights;
                    prediction.scored[title] = true;
                }
            }
        }
        for title in 0..rows.len() {
            let logits = &mut prediction.logits[title * genres..(title + 1) * genres];
            if !prediction.scored[title] {
                logits.copy_from_slice(&self.fitted.prior);
                continue;
            }
            let range = title * genres * modalities..(title + 1) * genres * modalities;
            fusion.apply(
                &prediction.unimodal[range.clone()],
                &mut prediction.contributions[range],
                logits,
            );
        }
        Ok(prediction)
    }

    fn training(&self) -> &TrainingLog {
        &self.fitted.log
    }

    fn fusion_weights(&self) -> Option<Vec<f32>> {
        let fusion = self.net.fusion().ok()?;
        let modalities = fusion.gain.len();
        let normalised = fusion.weights.chunks_exact(modalities).flat_map(|weights| {
            let total = weights.iter().sum::<f32>();
            weights.iter().map(move |weight| weight / total)
        });
        Some(normalised.collect())
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
fn attention_of(attention: Option<&Tensor>, counts: &[usize]) -> Result<Vec<Vec<f32>>, LearnError> {
    let Some(attention) = attention else {
        return Ok(counts.iter().map(|&n| vec![1.0 / n as f32; n]).collect());
    };
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
    let json = std::fs::read(&path).map_err(|e| read(&path, e))?;
    let fitted: Fitted = serde_json::from_slice(&json).map_err(|e| read(&path, e))?;
    let (genres, modalities) = (fitted.shape.genres, fitted.shape.branches.len());
    let dims_fit = fitted.inputs.iter().zip(&fitted.shape.branches).all(|(i, b)| i.dim() == b.dim);
    if fitted.inputs.len() != modalities
        || fitted.modalities.len() != modalities
        || fitted.prior.len() != genres
        || !dims_fit
    {
        return Err(read(&path, std::io::Error::other("its parts do not fit together")));
    }
    let device = super::open_device(device)?;
    let path = folder.join(WEIGHTS_FILE);
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu)
        .map_err(|e| read(&path, e))?
        .into_iter()
        .collect();
    let net = FusionNet::from_params(fitted.shape.clone(), tensors, &device)
        .map_err(|e| read(&path, e))?;
    Ok(Box::new(FittedLateFusion { fitted, net }))
}

fn written(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LearnError {
    LearnError::File { path: PathBuf::from(path), action: "written", source: source.into() }
}

fn read(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LearnError {
    LearnError::File { path: PathBuf::from(path), action: "read", source: source.into() }
}
