//! How the networks of a view each are trained: `AdamW` over shuffled titles, modalities dropped at
//! random, the weights of the best epoch kept.

use std::collections::BTreeMap;

use candle_core::Tensor;
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use dataset::Dataset;
use eval::ranking::mean_average_precision;
use ndarray::Array2;
use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    FitContext, TrainingLog,
    fusion_net::{Batch, BranchBatch, FusionNet},
    inputs::{InputDropout, PreparedInput},
    late_fusion::PREDICT_TITLES,
    views::View,
};
use crate::{
    LearnError,
    config::LearnConfig,
    labels::KnownLabels,
    loss::{LabelStatistics, Loss},
};

/// Share of the steps in which the learning rate rises to its highest.
const WARM_UP_FRAC: f64 = 0.05;

/// Puts the titles that `present` keeps of each view on the device.
pub(super) fn batch_of(
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
pub(super) struct Fit<'a> {
    pub(super) config: &'a LearnConfig,
    pub(super) data: &'a Dataset,
    pub(super) prepared: &'a [PreparedInput<'a>],
    pub(super) views: &'a [View],
    pub(super) net: &'a FusionNet,
    /// Parameters that were not fresh, by name.
    pub(super) pretrained: &'a BTreeMap<String, Tensor>,
    pub(super) loss: Loss,
    pub(super) labels: &'a LabelStatistics,
}

impl Fit<'_> {
    /// Trains `net` in place; at the end it has the weights of the best epoch.
    pub(super) fn run(
        &self,
        train: &[usize],
        valid: &[usize],
        context: &FitContext<'_>,
    ) -> Result<TrainingLog, LearnError> {
        let config = self.config;
        let params: Vec<_> = self.net.params().values().cloned().collect();
        let mut order = train.to_vec();
        let mut rngs = Rngs {
            order: context.seed.rng("order"),
            inputs: context.seed.rng("input dropout"),
            hidden: context.seed.rng("hidden dropout"),
            modalities: context.seed.rng("modality dropout"),
        };
        let steps_per_epoch = train.len().div_ceil(config.fusion.batch_titles);
        let mut adam = self.optimisers(config.fusion.epochs * steps_per_epoch)?;
        let valid_batches = self.whole_batches(valid)?;
        let mut average: Vec<Tensor> =
            params.iter().map(candle_core::Var::as_detached_tensor).collect();
        let mut kept: Vec<Tensor> = Vec::new();
        let mut log = TrainingLog::default();
        let mut step = 0;
        for epoch in 0..config.fusion.epochs {
            context.interrupt.check()?;
            order.shuffle(&mut rngs.order);
            let mut loss_sum = 0.0;
            for titles in order.chunks(config.fusion.batch_titles) {
                for (adam, schedule) in &mut adam {
                    adam.set_learning_rate(schedule.rate(step));
                }
                step += 1;
                loss_sum += self.step(titles, &mut rngs, &mut adam)? * titles.len() as f64;
                if config.fusion.ema > 0.0 {
                    // Early on the mean is over fewer steps.
                    let decay = config.fusion.ema.min((step as f64) / (step as f64 + 9.0));
                    for (average, param) in average.iter_mut().zip(&params) {
                        *average =
                            ((&*average * decay)? + (param.as_tensor() * (1.0 - decay))?)?.detach();
                    }
                }
            }
            log.train_loss.push(loss_sum / train.len() as f64);
            let current: Vec<Tensor> =
                params.iter().map(|p| p.as_detached_tensor().copy()).collect::<Result<_, _>>()?;
            if config.fusion.ema > 0.0 {
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
            if !valid.is_empty() && epoch - log.best_epoch >= config.fusion.patience {
                context.progress.advance((config.fusion.epochs - epoch - 1) as u64);
                break;
            }
        }
        set_all(&params, &kept)?;
        Ok(log)
    }

    /// One for the layers of sentence networks, which have learned much already: smaller steps,
    /// and no decay of biases and norms (Devlin et al. 2019's code); one for all else.
    fn optimisers(&self, num_steps: usize) -> Result<Vec<(AdamW, Schedule)>, LearnError> {
        let config = self.config;
        let fine = &config.fine_tuned;
        let mut groups = [
            (config.fusion.learning_rate, config.fusion.weight_decay, Vec::new()),
            (fine.learning_rate, fine.weight_decay, Vec::new()),
            (fine.learning_rate, 0.0, Vec::new()),
        ];
        for (name, param) in self.net.params() {
            let group = match self.pretrained.contains_key(name) {
                false => 0,
                true if param.dims().len() > 1 => 1,
                true => 2,
            };
            groups[group].2.push(param.clone());
        }
        let optimiser = |(lr, weight_decay, params)| {
            let settings = ParamsAdamW { lr, weight_decay, ..ParamsAdamW::default() };
            Ok((AdamW::new(params, settings)?, Schedule::new(lr, num_steps)))
        };
        groups.into_iter().filter(|group| !group.2.is_empty()).map(optimiser).collect()
    }

    fn step(
        &self,
        titles: &[usize],
        rngs: &mut Rngs,
        adam: &mut [(AdamW, Schedule)],
    ) -> Result<f64, LearnError> {
        let config = self.config;
        let present = self.drop_modalities(titles, &mut rngs.modalities);
        let modalities = self.data.modalities.len();
        let batch = batch_of(
            self.prepared,
            self.net,
            titles,
            |at, view| present[at * modalities + self.views[view].modality],
            Some((config.fusion.dropout, &mut rngs.inputs)),
        )?;
        let outputs = self.net.branches(&batch, Some((config.fusion.dropout, &mut rngs.hidden)))?;
        let device = self.net.device();
        let loss_on = |logits: &Tensor, titles: &[usize]| {
            let targets = self.labels.targets(self.data, titles, device)?;
            let weights = LabelStatistics::weights(self.data, titles, device)?;
            self.loss.of(logits, &targets, weights.as_ref())
        };
        let mut loss = loss_on(&self.net.fuse(&batch, &outputs)?, titles)?;
        if config.fusion.unimodal_loss > 0.0 {
            for (branch, output) in batch.branches.iter().zip(&outputs) {
                let (Some(branch), Some(output)) = (branch, output) else { continue };
                let titles: Vec<usize> = branch.titles.iter().map(|&at| titles[at]).collect();
                // A branch that few titles have must not be learned as if all had it.
                let share = titles.len() as f64 / batch.num_titles as f64;
                let own = loss_on(&output.logits, &titles)?;
                loss = (loss + (own * (config.fusion.unimodal_loss * share))?)?;
            }
        }
        let grads = self.net.gradients(&loss, &batch, &outputs)?;
        for (adam, _) in adam {
            adam.step(&grads)?;
        }
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    /// `[titles, modalities]`: which of the present modalities stay in this step; at least one
    /// per title.
    fn drop_modalities(&self, titles: &[usize], rng: &mut ChaCha8Rng) -> Vec<bool> {
        let mut kept = Vec::with_capacity(titles.len() * self.data.modalities.len());
        for &title in titles {
            let present: Vec<bool> =
                self.data.modalities.iter().map(|table| table.present(title)).collect();
            let mut stays: Vec<bool> = present
                .iter()
                .map(|&there| !rng.random_bool(self.config.fusion.modality_dropout) && there)
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
                let present = |at: usize, view: usize| self.prepared[view].present(titles[at]);
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
        let table = |_| LearnError::Data {
            message: "the validation scores do not fit the labels".to_owned(),
            hint: None,
        };
        let scores = Array2::from_shape_vec((valid.len(), genres), scores).map_err(table)?;
        let labels = KnownLabels::of(self.data, valid);
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
