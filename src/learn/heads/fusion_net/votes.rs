//! Late fusion: a weighted sum of the branches' own logits, on the device in training and on the host
//! in scoring.

use candle_core::{Result, Tensor};

use super::{Batch, BranchOutput, FusionNet};
use crate::math::softplus;

impl FusionNet {
    pub(super) fn vote(&self, batch: &Batch, outputs: &[Option<BranchOutput>]) -> Result<Tensor> {
        let weights = softplus(self.param("fusion.weight")?.as_tensor())?; // [genres, modalities]
        let mut num_present = vec![0_u32; batch.num_titles];
        let mut weighted: Option<Tensor> = None;
        let mut total: Option<Tensor> = None;
        for (m, (branch, output)) in batch.branches.iter().zip(outputs).enumerate() {
            let (Some(branch), Some(output)) = (branch, output) else { continue };
            branch.titles.iter().for_each(|&title| num_present[title] += 1);
            let logits = branch.spread(&output.logits, batch.num_titles)?;
            let weight = branch
                .present(batch.num_titles, &self.device)?
                .matmul(&weights.narrow(1, m, 1)?.t()?)?; // [titles, genres]
            let product = (&weight * logits)?;
            weighted = Some(match weighted {
                Some(sum) => (sum + product)?,
                None => product,
            });
            total = Some(match total {
                Some(sum) => (sum + weight)?,
                None => weight,
            });
        }
        let (Some(weighted), Some(total)) = (weighted, total) else {
            candle_core::bail!("a batch without any modality cannot be fused");
        };
        let gain_idx: Vec<u32> = num_present.iter().map(|&n| n.saturating_sub(1)).collect();
        let gain_idx = Tensor::from_vec(gain_idx, batch.num_titles, &self.device)?;
        let gain = self.gain()?.index_select(&gain_idx, 0)?.unsqueeze(1)?;
        (weighted / total)?.broadcast_mul(&gain)
    }

    /// `[modalities]`: what the weighted mean is multiplied by when 1, 2, … modalities are
    /// present: independent evidence adds up. 1 for a single one.
    fn gain(&self) -> Result<Tensor> {
        let raw = self.param("fusion.gain")?.as_tensor();
        let mut learned = vec![1.0_f32; raw.elem_count()];
        learned[0] = 0.0;
        let learned = Tensor::from_vec(learned, raw.elem_count(), &self.device)?;
        (raw * learned)?.exp()
    }

    /// The fusion's numbers on the host.
    ///
    /// # Errors
    /// The device's error.
    pub fn fusion(&self) -> Result<Fusion> {
        Ok(Fusion {
            weights: softplus(self.param("fusion.weight")?.as_tensor())?
                .flatten_all()?
                .to_vec1()?,
            gain: self.gain()?.to_vec1()?,
            genres: self.shape.genres,
        })
    }
}

/// How branches' logits become one: on the host, so that contributions sum to the logit exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Fusion {
    /// `[genres, modalities]`, positive.
    pub weights: Vec<f32>,
    /// `[modalities]`: by the number of modalities present, minus 1.
    pub gain: Vec<f32>,
    /// Number of genres.
    pub genres: usize,
}

impl Fusion {
    /// One title: `unimodal` `[genres, modalities]` with NaN where a modality is missing.
    /// Writes `contributions` `[genres, modalities]` and `logits` `[genres]`, each of which is
    /// the sum of its contributions in their order, to the last bit. Nothing present: all 0.
    pub fn apply(&self, unimodal: &[f32], contributions: &mut [f32], logits: &mut [f32]) {
        let modalities = self.gain.len();
        for (genre, fused) in logits.iter_mut().enumerate().take(self.genres) {
            let range = genre * modalities..(genre + 1) * modalities;
            let unimodal = &unimodal[range.clone()];
            let weights = &self.weights[range.clone()];
            let contributions = &mut contributions[range];
            let mut total = 0.0;
            let mut num_present = 0;
            for (logit, weight) in unimodal.iter().zip(weights) {
                if !logit.is_nan() {
                    total += weight;
                    num_present += 1;
                }
            }
            let gain = if num_present == 0 { 0.0 } else { self.gain[num_present - 1] };
            *fused = 0.0;
            for m in 0..modalities {
                contributions[m] = if unimodal[m].is_nan() {
                    0.0
                } else {
                    gain * (weights[m] / total) * unimodal[m]
                };
                *fused += contributions[m];
            }
        }
    }
}
