//! What encoder and decoder are made of on the processor: linear layers in floats or in 8 bits,
//! norms, the two linear layers of each position.
//!
//! reference: `plain`.

use candle_core::Result;
use kernels::{Aligned, Clamp, Int8Matrix, Isa, PackedMatrix, Rows, gelu, layer_norm};

use super::super::state_dict::StateDict;

/// As PyTorch has it.
pub(super) const EPS: f32 = 1e-5;
/// Positions whose widest activations are held in cache together.
const CHUNK: usize = 128;

/// How a linear layer's weights are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As the instruction set has them.
    Floats(Isa),
    /// In 8 bits.
    Int8,
}

/// A linear layer.
pub(super) enum Linear {
    Floats(PackedMatrix),
    Int8(Int8Matrix),
}

impl Linear {
    /// From `[width, depth]`.
    pub(super) fn new(numbers: Numbers, weight: &[f32], bias: &[f32]) -> Self {
        match numbers {
            Numbers::Floats(isa) => Self::Floats(PackedMatrix::from_rows(isa, weight, bias)),
            Numbers::Int8 => Self::Int8(Int8Matrix::from_rows(weight, bias)),
        }
    }

    pub(super) fn width(&self) -> usize {
        match self {
            Self::Floats(matrix) => matrix.width(),
            Self::Int8(matrix) => matrix.width(),
        }
    }

    /// `out = rows · weights + bias + add`, all of them dense.
    pub(super) fn apply(&self, rows: &[f32], add: Option<&[f32]>, out: &mut [f32]) {
        match self {
            Self::Floats(matrix) => {
                let (depth, width) = (matrix.depth(), matrix.width());
                let num_rows = rows.len() / depth;
                let dense = Rows::DENSE;
                matrix.multiply(num_rows, rows, depth, add, Clamp::NONE, out, width, dense);
            }
            Self::Int8(matrix) => {
                let (depth, width) = (matrix.depth(), matrix.width());
                matrix.multiply(rows.len() / depth, rows, depth, add, out, width);
            }
        }
    }
}

/// A layer norm.
pub(super) struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl Norm {
    /// `out` becomes `states`, each row of which is normalised.
    pub(super) fn apply(&self, isa: Isa, states: &[f32], out: &mut [f32]) {
        out.copy_from_slice(states);
        layer_norm(isa, out, &self.gamma, &self.beta, EPS);
    }
}

/// The two linear layers of each position, and the norm before them.
pub(super) struct Transform {
    norm: Norm,
    widen: Linear,
    narrow: Linear,
}

impl Transform {
    /// `[positions, dim]` in place.
    pub(super) fn apply(
        &self,
        isa: Isa,
        states: &mut [f32],
        (normed, wide, next): (&mut Aligned, &mut Aligned, &mut Aligned),
    ) {
        let (dim, width) = (self.narrow.width(), self.widen.width());
        for states in states.chunks_mut(CHUNK * dim) {
            let normed = normed.at_least(states.len());
            self.norm.apply(isa, states, normed);
            let wide = wide.at_least(states.len() / dim * width);
            self.widen.apply(normed, None, wide);
            gelu(isa, wide);
            let next = next.at_least(states.len());
            self.narrow.apply(wide, Some(states), next);
            states.copy_from_slice(next);
        }
    }
}

/// Tensors by name, packed as `numbers` says.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) tensors: StateDict<'a>,
    pub(super) numbers: Numbers,
}

impl Weights<'_> {
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.tensors.get(name, shape)
    }

    pub(super) fn norm(&self, name: &str, dim: usize) -> Result<Norm> {
        let part = |part: &str| self.get(&format!("{name}.{part}"), &[dim]);
        Ok(Norm { gamma: part("weight")?, beta: part("bias")? })
    }

    /// Layers of the same input side by side; one that has no bias has zeros. The first one's
    /// results are multiplied by `scale`.
    pub(super) fn linear(
        &self,
        names: &[String],
        depth: usize,
        width: usize,
        scale: f32,
    ) -> Result<Linear> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (idx, name) in names.iter().enumerate() {
            let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
            let mut weight = self.get(&weight_name, &[width, depth])?;
            let mut bias = if self.tensors.has(&bias_name) {
                self.get(&bias_name, &[width])?
            } else {
                vec![0.0; width]
            };
            if idx == 0 {
                weight.iter_mut().chain(&mut bias).for_each(|x| *x *= scale);
            }
            weights.extend(weight);
            biases.extend(bias);
        }
        Ok(Linear::new(self.numbers, &weights, &biases))
    }

    /// A layer as wide as its input.
    pub(super) fn square(&self, name: String, dim: usize) -> Result<Linear> {
        self.linear(&[name], dim, dim, 1.0)
    }

    pub(super) fn transform(&self, layer: &str, dim: usize) -> Result<Transform> {
        let wide = 4 * dim;
        Ok(Transform {
            norm: self.norm(&format!("{layer}.final_layer_norm"), dim)?,
            widen: self.linear(&[format!("{layer}.fc1")], dim, wide, 1.0)?,
            narrow: self.linear(&[format!("{layer}.fc2")], wide, dim, 1.0)?,
        })
    }
}
