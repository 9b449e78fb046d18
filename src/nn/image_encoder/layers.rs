//! Layers as a state dict holds them, to be packed for our kernels or moved to a device.

use candle_core::Result;
use kernels::{Isa, PackedMatrix, layer_norm};

use crate::{on_device::Place, state_dict::StateDict};

/// A convolution of square kernel with its bias; a batch norm behind it is folded in.
pub(super) struct ConvWeights {
    /// `[width, channels, kernel, kernel]`
    pub weight: Vec<f32>,
    /// `[width]`
    pub bias: Vec<f32>,
    pub channels: usize,
    pub window: Window,
}

/// How a convolution looks at its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step of rows and columns.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: usize,
}

/// A linear layer.
pub(super) struct LinearWeights {
    /// `[width, depth]`
    pub weight: Vec<f32>,
    /// `[width]`
    pub bias: Vec<f32>,
}

/// A layer norm.
pub(super) struct NormWeights {
    /// `[width]`
    pub gamma: Vec<f32>,
    /// `[width]`
    pub beta: Vec<f32>,
    pub eps: f64,
}

impl Window {
    /// Patches side by side, none sharing a pixel with another.
    pub(super) fn patches(side: usize) -> Self {
        Self { kernel: side, stride: side, padding: 0 }
    }

    /// Side of the output for an input of `side`; 0 where the kernel does not fit.
    pub(super) fn side_out(self, side: usize) -> usize {
        (side + 2 * self.padding).checked_sub(self.kernel).map_or(0, |room| room / self.stride + 1)
    }
}

impl ConvWeights {
    /// A convolution `name`, with a bias where the file has one.
    ///
    /// # Errors
    /// The weight is missing or has another shape.
    pub(super) fn read(
        dict: StateDict,
        name: &str,
        (channels, width): (usize, usize),
        window: Window,
    ) -> Result<Self> {
        let shape = [width, channels, window.kernel, window.kernel];
        let weight = dict.get(&format!("{name}.weight"), &shape)?;
        let bias = format!("{name}.bias");
        let bias = if dict.has(&bias) { dict.get(&bias, &[width])? } else { vec![0.0; width] };
        Ok(Self { weight, bias, channels, window })
    }

    /// As [`read`](Self::read), with the batch norm `norm` behind it folded in.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn read_with_norm(
        dict: StateDict,
        (name, norm): (&str, &str),
        widths: (usize, usize),
        window: Window,
        eps: f64,
    ) -> Result<Self> {
        let mut conv = Self::read(dict, name, widths, window)?;
        let (scale, shift) = dict.batch_norm(norm, widths.1, eps)?;
        scale_rows(&mut conv.weight, &scale);
        for ((bias, scale), shift) in conv.bias.iter_mut().zip(&scale).zip(shift) {
            *bias = (f64::from(*bias) * scale) as f32 + shift;
        }
        Ok(conv)
    }

    /// Channels of the output.
    pub(super) fn width(&self) -> usize {
        self.bias.len()
    }

    /// Weight `[width, channels, kernel, kernel]` and bias `[width]` at a place.
    pub(super) fn plain(&self, place: &Place) -> Result<candle_nn::Conv2d> {
        let Window { kernel, stride, padding } = self.window;
        let shape = (self.width(), self.channels, kernel, kernel);
        let weight = place.tensor(&self.weight, shape)?;
        let bias = place.tensor(&self.bias, self.width())?;
        let config = candle_nn::Conv2dConfig { stride, padding, ..Default::default() };
        Ok(candle_nn::Conv2d::new(weight, Some(bias), config))
    }
}

impl LinearWeights {
    /// A linear layer `name`, with a bias where the file has one.
    ///
    /// # Errors
    /// The weight is missing or has another shape.
    pub(super) fn read(dict: StateDict, name: &str, depth: usize, width: usize) -> Result<Self> {
        let weight = dict.get(&format!("{name}.weight"), &[width, depth])?;
        let bias = format!("{name}.bias");
        let bias = if dict.has(&bias) { dict.get(&bias, &[width])? } else { vec![0.0; width] };
        Ok(Self { weight, bias })
    }

    /// Multiplies each output by a number of its own.
    pub(super) fn scale(&mut self, scale: &[f32]) {
        let scale: Vec<f64> = scale.iter().copied().map(f64::from).collect();
        scale_rows(&mut self.weight, &scale);
        scale_rows(&mut self.bias, &scale);
    }

    /// This layer's outputs, then the other's.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.weight.extend(other.weight);
        self.bias.extend(other.bias);
        self
    }

    pub(super) fn fused(&self, isa: Isa) -> PackedMatrix {
        PackedMatrix::from_rows(isa, &self.weight, &self.bias)
    }

    pub(super) fn plain(&self, place: &Place) -> Result<candle_nn::Linear> {
        let width = self.bias.len();
        let shape = (width, self.weight.len() / width);
        let weight = place.tensor(&self.weight, shape)?;
        let bias = place.tensor(&self.bias, width)?;
        Ok(candle_nn::Linear::new(weight, Some(bias)))
    }
}

impl NormWeights {
    /// A layer norm `name`.
    ///
    /// # Errors
    /// It is missing or has another width.
    pub(super) fn read(dict: StateDict, name: &str, width: usize, eps: f64) -> Result<Self> {
        let part = |part: &str| dict.get(&format!("{name}.{part}"), &[width]);
        Ok(Self { gamma: part("weight")?, beta: part("bias")?, eps })
    }

    /// Normalises each row of `[rows, width]` in place.
    pub(super) fn apply(&self, isa: Isa, rows: &mut [f32]) {
        layer_norm(isa, rows, &self.gamma, &self.beta, self.eps as f32);
    }

    pub(super) fn plain(&self, place: &Place) -> Result<candle_nn::LayerNorm> {
        let tensor = |x: &[f32]| place.tensor(x, x.len());
        Ok(candle_nn::LayerNorm::new(tensor(&self.gamma)?, tensor(&self.beta)?, self.eps))
    }
}

/// Multiplies each of `scale.len()` equal rows by its number.
fn scale_rows(rows: &mut [f32], scale: &[f64]) {
    let len = rows.len() / scale.len();
    for (row, scale) in rows.chunks_exact_mut(len).zip(scale) {
        for x in row {
            *x = (f64::from(*x) * scale) as f32;
        }
    }
}

/// `[rows, width]` to `[width]`.
pub(super) fn mean_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        for (mean, x) in mean.iter_mut().zip(row) {
            *mean += x;
        }
    }
    let num_rows = (rows.len() / width) as f32;
    for x in &mut mean {
        *x /= num_rows;
    }
    mean
}
