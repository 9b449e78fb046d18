//! Losses on logits, averaged over titles and genres whose labels are known.
//!
//! in: logits `[titles, genres]`, targets `[titles, genres]` in 0..=1, weight of positives
//! `[genres]`, where some labels are not known or weigh differently what each weighs `[titles,
//! genres]`; out: a scalar
//! source: King & Zeng 2001 (weighted cross-entropy); Lin et al. 2017, "Focal loss for dense
//! object detection"; Ridnik et al. 2021, "Asymmetric loss for multi-label classification"; Cui
//! et al. 2019, "Class-balanced loss based on effective number of samples"; Durand, Mehrasa and Mori
//! 2019, "Learning a deep `ConvNet` for multi-label classification with partial labels" (labels that
//! are not known)
//! reference: PyTorch `binary_cross_entropy_with_logits(pos_weight=…)` and the others written out
//! (`scripts/golden/torch_head.py`), values and gradients

use candle_core::{Device, Result, Tensor};
use dataset::Dataset;
use serde::{Deserialize, Serialize};

use crate::math::softplus;

/// Focusing of negatives and margin of the asymmetric loss: the paper's defaults, positives
/// unfocused.
const ASYMMETRIC_GAMMA: f64 = 4.0;
const ASYMMETRIC_MARGIN: f64 = 0.05;

/// Focusing of the focal loss: the paper's.
const FOCAL_GAMMA: f64 = 2.0;

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Binary cross-entropy with class weights.
    #[default]
    Bce,
    /// Asymmetric loss: easy negatives weigh less.
    Asymmetric,
    /// Focal loss: what is easy weighs less.
    Focal,
}

/// What a genre's positives weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// A power of negatives / positives.
    #[default]
    Power,
    /// The inverse of the effective number of positives.
    EffectiveNumber,
}

/// How genres are weighed, and how far targets are moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassWeighing {
    /// What positives weigh.
    pub weights: ClassWeights,
    /// With `power`: the exponent of (negatives / positives).
    pub power: f64,
    /// With `power`: no genre's positives weigh more than this.
    pub cap: f64,
    /// With `effective-number`: how much a title repeats those before it.
    pub effective_beta: f64,
    /// Targets are moved this far from 0 and 1 toward the genre's prevalence.
    pub label_smoothing: f64,
}

/// A loss with its class weights.
#[derive(Clone, Debug)]
pub struct Loss {
    kind: LossKind,
    /// `[genres]`: what positives weigh.
    pos_weight: Tensor,
}

impl Loss {
    /// A loss whose genres' positives weigh `pos_weight`.
    ///
    /// # Errors
    /// The device's error.
    pub fn new(kind: LossKind, pos_weight: &[f32], device: &Device) -> Result<Self> {
        Ok(Self { kind, pos_weight: Tensor::new(pos_weight, device)? })
    }

    /// The mean over titles and genres; with `weights` `[titles, genres]` each label counts as much
    /// as it weighs, and one that weighs 0 has no gradient. Without any that weighs something it is 0.
    ///
    /// # Errors
    /// The device's error.
    pub fn of(
        &self,
        logits: &Tensor,
        targets: &Tensor,
        weights: Option<&Tensor>,
    ) -> Result<Tensor> {
        let positive = targets.broadcast_mul(&self.pos_weight)?;
        let negative = targets.affine(-1.0, 1.0)?;
        let softplus = softplus(logits)?;
        // -ln p = softplus - logit; -ln (1 - p) = softplus
        let mut on_positives = (positive * (&softplus - logits)?)?;
        if self.kind == LossKind::Focal {
            on_positives = (on_positives * softplus.affine(-FOCAL_GAMMA, 0.0)?.exp()?)?;
        }
        let on_negatives = match self.kind {
            LossKind::Focal => {
                let focus = (logits - &softplus)?.affine(FOCAL_GAMMA, 0.0)?.exp()?;
                (negative * (softplus * focus)?)?
            }
            LossKind::Bce => (negative * softplus)?,
            LossKind::Asymmetric => {
                let probability = (logits - &softplus)?.exp()?;
                let shifted = probability.affine(1.0, -ASYMMETRIC_MARGIN)?.relu()?;
                let log_rest = shifted.affine(-1.0, 1.0)?.log()?;
                (negative * (shifted.powf(ASYMMETRIC_GAMMA)? * log_rest)?)?.neg()?
            }
        };
        let losses = (on_positives + on_negatives)?;
        let Some(weights) = weights else { return losses.mean_all() };
        let all = weights.sum_all()?.maximum(f64::from(f32::MIN_POSITIVE))?;
        (losses * weights)?.sum_all()? / all
    }
}

/// What the labels of the training titles say: prevalences and what follows from them.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelStatistics {
    /// `[genres]`: share of the titles, smoothed so that it is never 0 or 1.
    pub prevalence: Vec<f64>,
    /// `[genres]`: what positives weigh in the loss.
    pub pos_weight: Vec<f32>,
    smoothing: f64,
}

/// What positives weigh by the effective number of titles, `(1 - beta^n) / (1 - beta)`: its
/// inverse, brought to a mean of 1 over the genres. A genre without titles counts as one with 1.
#[must_use]
pub fn effective_number_weights(positives: impl Iterator<Item = f64>, beta: f64) -> Vec<f32> {
    let weights: Vec<f64> =
        positives.map(|n| (1.0 - beta) / (1.0 - beta.powf(n.max(1.0)))).collect();
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    weights.into_iter().map(|weight| (weight / mean) as f32).collect()
}

impl LabelStatistics {
    /// Counts the labels of these titles.
    #[must_use]
    pub fn of(data: &Dataset, train: &[usize], weighing: ClassWeighing) -> Self {
        // What the titles weigh of which a genre is known, and those of them that have it.
        let known = |genre: usize| -> f64 {
            train.iter().map(|&title| f64::from(data.label_weight(title, genre))).sum()
        };
        let with = |genre: usize| -> f64 {
            let those = train.iter().filter(|&&title| data.labels_of(title)[genre]);
            those.map(|&title| f64::from(data.label_weight(title, genre))).sum()
        };
        let prevalence: Vec<f64> = (0..data.num_genres())
            .map(|genre| (with(genre) + 0.5) / (known(genre) + 1.0))
            .collect();
        let pos_weight = match weighing.weights {
            ClassWeights::Power => prevalence
                .iter()
                .map(|p| {
                    let balanced = ((1.0 - p) / p).powf(weighing.power);
                    balanced.clamp(1.0, weighing.cap) as f32
                })
                .collect(),
            ClassWeights::EffectiveNumber => {
                let positives = (0..data.num_genres()).map(with);
                effective_number_weights(positives, weighing.effective_beta)
            }
        };
        Self { prevalence, pos_weight, smoothing: weighing.label_smoothing }
    }

    /// `[genres]`: log-odds of the prevalence.
    #[must_use]
    pub fn prior(&self) -> Vec<f32> {
        self.prevalence.iter().map(|p| (p / (1.0 - p)).ln() as f32).collect()
    }

    /// What the labels of these titles weigh, `[titles, genres]`; `None`: all are known and weigh 1.
    ///
    /// # Errors
    /// The device's error.
    pub fn weights(data: &Dataset, titles: &[usize], device: &Device) -> Result<Option<Tensor>> {
        let genres = data.num_genres();
        let of_title = |&title: &usize| (0..genres).map(move |g| data.label_weight(title, g));
        let weights = || titles.iter().flat_map(of_title).collect();
        data.is_weighed()
            .then(|| Tensor::from_vec(weights(), (titles.len(), genres), device))
            .transpose()
    }

    /// Smoothed targets of these titles, `[titles, genres]`.
    ///
    /// # Errors
    /// The device's error.
    pub fn targets(&self, data: &Dataset, titles: &[usize], device: &Device) -> Result<Tensor> {
        let values: Vec<f32> = titles
            .iter()
            .flat_map(|&title| data.labels_of(title).iter().zip(&self.prevalence))
            .map(|(&label, prevalence)| {
                let hard = f64::from(u8::from(label));
                (hard + self.smoothing * (prevalence - hard)) as f32
            })
            .collect();
        Tensor::from_vec(values, (titles.len(), data.num_genres()), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effective_numbers_are_hand_worked() {
        // Of 1: 1. Of 2 at beta 0.5: 1.5. Of 3: 1.75. Weights 1, 2/3, 4/7: mean 47/63.
        let weights = effective_number_weights([1.0, 2.0, 3.0, 0.0].into_iter(), 0.5);
        let mean = (1.0 + 2.0 / 3.0 + 4.0 / 7.0 + 1.0) / 4.0;
        for (ours, by_hand) in weights.iter().zip([1.0, 2.0 / 3.0, 4.0 / 7.0, 1.0]) {
            assert!((f64::from(*ours) - by_hand / mean).abs() < 1e-6, "{weights:?}");
        }
    }
}
