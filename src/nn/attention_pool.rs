//! Pooling of a title's rows (keyframes, windows) into one vector by several learned queries.
//!
//! in: rows `[titles, rows, hidden]`, which of them are there `[titles, rows]`
//! out: pooled `[titles, queries * hidden]`, attention `[titles, queries, rows]`
//! source: Lin et al. 2017, "A structured self-attentive sentence embedding" (several weighted
//! means of one sequence); Vaswani et al. 2017, section 3.2.1 (scaled dot product)
//! reference: PyTorch 2 (`torch.softmax`, `masked_fill(-inf)`), values and gradients

use candle_core::{D, DType, Device, Result, Tensor};

/// Learned queries, each of which weighs a title's rows in its own way.
#[derive(Clone, Debug)]
pub struct AttentionPool {
    queries: Tensor,
}

/// What [`AttentionPool::forward`] gives.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// `[titles, queries * hidden]`
    pub vectors: Tensor,
    /// `[titles, queries, rows]`: sums to 1 over the rows; exactly 0 on padding.
    pub attention: Tensor,
}

impl AttentionPool {
    /// A pool with these `queries` `[queries, hidden]`.
    #[must_use]
    pub fn new(queries: Tensor) -> Self {
        Self { queries }
    }

    /// Pools `rows` `[titles, rows, hidden]`; `mask_bias` as made by [`mask_bias`]. What stands
    /// in padding rows does not matter as long as it is finite.
    ///
    /// # Errors
    /// Shapes that do not fit together, or the device's error.
    pub fn forward(&self, rows: &Tensor, mask_bias: &Tensor) -> Result<Pooled> {
        let (num_titles, num_rows, hidden) = rows.dims3()?;
        let (num_queries, _) = self.queries.dims2()?;
        let scale = 1.0 / (hidden as f64).sqrt();
        let scores = rows
            .reshape((num_titles * num_rows, hidden))?
            .matmul(&self.queries.t()?)?
            .affine(scale, 0.0)?
            .reshape((num_titles, num_rows, num_queries))?
            .transpose(1, 2)?
            .contiguous()? // [titles, queries, rows]
            .broadcast_add(&mask_bias.unsqueeze(1)?)?;
        let attention = softmax_over_rows(&scores)?;
        let vectors = attention.matmul(rows)?; // [titles, queries, hidden]
        Ok(Pooled { vectors: vectors.reshape((num_titles, num_queries * hidden))?, attention })
    }
}

/// The mean of each title's rows `[titles, rows, hidden]` as `[titles, hidden]`; `weights`
/// `[titles, rows]` as made by [`mean_weights`].
///
/// # Errors
/// Shapes that do not fit together, or the device's error.
pub fn mean_pool(rows: &Tensor, weights: &Tensor) -> Result<Tensor> {
    weights.unsqueeze(1)?.matmul(rows)?.squeeze(1)
}

/// 0 for a row that is there, minus infinity for padding: `[titles, max(counts)]`. Every count
/// is at least 1.
///
/// # Errors
/// The device's error.
pub fn mask_bias(counts: &[usize], device: &Device) -> Result<Tensor> {
    per_row(counts, device, |row, count| if row < count { 0.0 } else { f32::NEG_INFINITY })
}

/// `1 / count` for a row that is there, 0 for padding: `[titles, max(counts)]`.
///
/// # Errors
/// The device's error.
pub fn mean_weights(counts: &[usize], device: &Device) -> Result<Tensor> {
    per_row(counts, device, |row, count| if row < count { 1.0 / count as f32 } else { 0.0 })
}

fn per_row(
    counts: &[usize],
    device: &Device,
    value: impl Fn(usize, usize) -> f32,
) -> Result<Tensor> {
    let width = counts.iter().copied().max().unwrap_or(0);
    let values: Vec<f32> = counts
        .iter()
        .flat_map(|&count| (0..width).map(move |row| (row, count)))
        .map(|(row, count)| value(row, count))
        .collect();
    Tensor::from_vec(values, (counts.len(), width), device)?.to_dtype(DType::F32)
}

/// Softmax over the last axis; written out because the fused one has no gradient.
fn softmax_over_rows(scores: &Tensor) -> Result<Tensor> {
    let highest = scores.detach().max_keepdim(D::Minus1)?;
    let exponentials = scores.broadcast_sub(&highest)?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> AttentionPool {
        let queries = Tensor::new(&[[1.0_f32, -2.0], [0.5, 0.0]], &Device::Cpu).unwrap();
        AttentionPool::new(queries)
    }

    #[test]
    fn a_single_row_is_pooled_to_itself_exactly() {
        let rows = Tensor::new(&[[[0.3_f32, 0.7]]], &Device::Cpu).unwrap();
        let pooled = pool().forward(&rows, &mask_bias(&[1], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(pooled.vectors.to_vec2::<f32>().unwrap(), [[0.3, 0.7, 0.3, 0.7]]);
    }

    #[test]
    fn padding_weighs_nothing_whatever_stands_there() {
        let pooled_with = |padding: f32| {
            let rows = Tensor::new(
                &[[[0.3_f32, 0.7], [padding, -padding]], [[1.0, 2.0], [3.0, 4.0]]],
                &Device::Cpu,
            )
            .unwrap();
            let bias = mask_bias(&[1, 2], &Device::Cpu).unwrap();
            let pooled = pool().forward(&rows, &bias).unwrap();
            let mean = mean_pool(&rows, &mean_weights(&[1, 2], &Device::Cpu).unwrap()).unwrap();
            (
                pooled.vectors.to_vec2::<f32>().unwrap(),
                pooled.attention.to_vec3::<f32>().unwrap(),
                mean.to_vec2::<f32>().unwrap(),
            )
        };
        let (vectors, attention, mean) = pooled_with(1e6);
        assert_eq!((vectors, attention.clone(), mean.clone()), pooled_with(-3.0));
        assert_eq!(attention[0], [[1.0, 0.0], [1.0, 0.0]]);
        assert_eq!(mean, [[0.3, 0.7], [2.0, 3.0]]);
        for weights in &attention[1] {
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
