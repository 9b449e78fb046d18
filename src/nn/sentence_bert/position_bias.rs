//! MPNet's lean of attention on the distance between two tokens.
//!
//! in: how far the token that is looked at stands behind the one that looks; out: one of 32
//! buckets, each with a learnt number a head that is added to the scores.
//! source: Raffel et al. 2020, "T5", section 2.1; Song et al. 2020, "MPNet".
//! reference: transformers' `MPNetEncoder.relative_position_bucket`.

use std::collections::HashMap;

use candle_core::{Result, Tensor};

use super::architecture::{Architecture, Family};

/// Half of them for tokens in front, half for those behind.
const NUM_BUCKETS: usize = 32;
/// From here on all distances share a bucket.
const MAX_DISTANCE: f32 = 128.0;
const NAME: &str = "encoder.relative_attention_bias.weight";

/// The bias of every distance that a window can hold.
pub(super) struct PositionBias {
    max_tokens: usize,
    /// `[heads, 2 · max_tokens − 1]`, from the farthest in front to the farthest behind.
    by_distance: Vec<f32>,
}

impl PositionBias {
    /// Of MPNet; no other family has one.
    ///
    /// # Errors
    /// The tensor is missing or has another shape.
    pub(super) fn load(
        architecture: &Architecture,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<Option<Self>> {
        if architecture.model_type != Family::MpNet {
            return Ok(None);
        }
        let Some(table) = tensors.get(NAME) else {
            candle_core::bail!("cannot find tensor {NAME}");
        };
        let shape = [NUM_BUCKETS, architecture.num_attention_heads];
        if table.dims() != shape {
            candle_core::bail!("tensor {NAME}: expected shape {shape:?}, got {:?}", table.dims());
        }
        let by_bucket: Vec<Vec<f32>> = table.t()?.to_vec2()?; // [heads, buckets]
        let max_tokens = architecture.max_tokens();
        let farthest = max_tokens as i64 - 1;
        let by_distance = by_bucket
            .iter()
            .flat_map(|head| (-farthest..=farthest).map(|distance| head[bucket(distance)]))
            .collect();
        Ok(Some(Self { max_tokens, by_distance }))
    }

    /// Writes one head's `[tokens, tokens]`: rows look, columns are looked at.
    pub(super) fn fill(&self, head: usize, tokens: usize, out: &mut [f32]) {
        let distances = 2 * self.max_tokens - 1;
        let of_head = &self.by_distance[head * distances..][..distances];
        for (row, out) in out.chunks_exact_mut(tokens).enumerate() {
            out.copy_from_slice(&of_head[self.max_tokens - 1 - row..][..tokens]);
        }
    }
}

/// Near distances have a bucket each, far ones share them in logarithmic steps.
fn bucket(distance: i64) -> usize {
    let half = NUM_BUCKETS / 2;
    let exact = half / 2;
    let side = if distance > 0 { half } else { 0 };
    let length = distance.unsigned_abs() as usize;
    if length < exact {
        return side + length;
    }
    let steps = (length as f32 / exact as f32).ln() / (MAX_DISTANCE / exact as f32).ln();
    side + (exact + (steps * (half - exact) as f32) as usize).min(half - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_reference() {
        // MPNetEncoder.relative_position_bucket(torch.tensor(distances))
        for (distance, expected) in [
            (0, 0),
            (1, 17),
            (-1, 1),
            (-7, 7),
            (-8, 8),
            (11, 24),
            (12, 25),
            (-16, 10),
            (-31, 11),
            (32, 28),
            (-63, 13),
            (64, 30),
            (-90, 14),
            (-91, 15),
            (127, 31),
            (-500, 15),
        ] {
            assert_eq!(bucket(distance), expected, "{distance}");
        }
    }
}
