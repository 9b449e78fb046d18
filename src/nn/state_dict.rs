//! Weights by the names of a PyTorch state dict, for networks that repack them.

use std::collections::HashMap;

use candle_core::{DType, Result, Tensor};

/// Named tensors, on the processor.
#[derive(Clone, Copy)]
pub(super) struct StateDict<'a>(pub(super) &'a HashMap<String, Tensor>);

impl StateDict<'_> {
    /// Whether there is a tensor of this name.
    pub(super) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn tensor(self, name: &str) -> Result<Tensor> {
        let missing = || candle_core::Error::Msg(format!("cannot find tensor {name}"));
        self.0.get(name).cloned().ok_or_else(missing)
    }

    /// A tensor's elements, row-major.
    ///
    /// # Errors
    /// There is none of this name, or it has another shape.
    pub(super) fn get(self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let Some(tensor) = self.0.get(name) else {
            candle_core::bail!("cannot find tensor {name}");
        };
        if tensor.dims() != shape {
            candle_core::bail!("tensor {name}: expected shape {shape:?}, got {:?}", tensor.dims());
        }
        tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
    }

    /// A batch norm as what it does to each channel at inference: `x · scale + shift`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn batch_norm(
        self,
        name: &str,
        width: usize,
        eps: f64,
    ) -> Result<(Vec<f64>, Vec<f32>)> {
        let part = |part: &str| self.get(&format!("{name}.{part}"), &[width]);
        let (gamma, beta) = (part("weight")?, part("bias")?);
        let (mean, var) = (part("running_mean")?, part("running_var")?);
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&var)
            .map(|(gamma, var)| f64::from(*gamma) / (f64::from(*var) + eps).sqrt())
            .collect();
        let shift = beta
            .iter()
            .zip(&mean)
            .zip(&scale)
            .map(|((beta, mean), scale)| (f64::from(*beta) - f64::from(*mean) * scale) as f32)
            .collect();
        Ok((scale, shift))
    }
}
