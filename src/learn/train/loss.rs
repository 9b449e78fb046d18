//! Losses on logits, averaged over titles and genres.
//!
//! in: logits `[titles, genres]`, targets `[titles, genres]` in 0..=1, weight of positives
//! `[genres]`; out: a scalar
//! source: King & Zeng 2001 (weighted cross-entropy); Ridnik et al. 2021, "Asymmetric loss for
//! multi-label classification"
//! reference: PyTorch `binary_cross_entropy_with_logits(pos_weight=…)`, values and gradients

use candle_core::{Device, Result, Tensor};

use crate::learn::{
    config::{LearnConfig, LossKind},
    dataset::Dataset,
    heads::fusion_net::softplus,
};

/// Focusing of negatives and margin of the asymmetric loss: the paper's defaults, positives
/// unfocused.
const ASYMMETRIC_GAMMA: f64 = 4.0;
const ASYMMETRIC_MARGIN: f64 = 0.05;

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

    /// The mean over titles and genres.
    ///
    /// # Errors
    /// The device's error.
    pub fn of(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let positive = targets.broadcast_mul(&self.pos_weight)?;
        let negative = targets.affine(-1.0, 1.0)?;
        let softplus = softplus(logits)?;
        // -ln p = softplus - logit; -ln (1 - p) = softplus
        let on_positives = (positive * (&softplus - logits)?)?;
        let on_negatives = match self.kind {
            LossKind::Bce => (negative * softplus)?,
            LossKind::Asymmetric => {
                let probability = (logits - &softplus)?.exp()?;
                let shifted = probability.affine(1.0, -ASYMMETRIC_MARGIN)?.relu()?;
                let log_rest = shifted.affine(-1.0, 1.0)?.log()?;
                (negative * (shifted.powf(ASYMMETRIC_GAMMA)? * log_rest)?)?.neg()?
            }
        };
        (on_positives + on_negatives)?.mean_all()
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

impl LabelStatistics {
    /// Counts the labels of these titles.
    #[must_use]
    pub fn of(data: &Dataset, train: &[usize], config: &LearnConfig) -> Self {
        let prevalence: Vec<f64> = (0..data.num_genres())
            .map(|genre| {
                let positives = train.iter().filter(|&&t| data.labels_of(t)[genre]).count();
                (positives as f64 + 0.5) / (train.len() as f64 + 1.0)
            })
            .collect();
        let pos_weight = prevalence
            .iter()
            .map(|p| {
                let balanced = ((1.0 - p) / p).powf(config.class_weight_power);
                balanced.clamp(1.0, config.class_weight_cap) as f32
            })
            .collect();
        Self { prevalence, pos_weight, smoothing: config.label_smoothing }
    }

    /// `[genres]`: log-odds of the prevalence.
    #[must_use]
    pub fn prior(&self) -> Vec<f32> {
        self.prevalence.iter().map(|p| (p / (1.0 - p)).ln() as f32).collect()
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
