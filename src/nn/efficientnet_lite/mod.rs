//! EfficientNet-Lite as an image encoder: the classifier's last feature map, averaged.
//!
//! in: `[batch, side, side, 3]` bytes, RGB; out: `[batch, 1280]`, each at least 0 and at most 6.
//! source: Tan and Le 2019, "EfficientNet"; the authors' `efficientnet_lite_builder.py`.
//! reference: `efficientnet_lite_pytorch` 0.1.0, `extract_features` averaged over both axes.

mod architecture;
mod plain;

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

pub(crate) use architecture::{Architecture, PIXEL_MEAN, PIXEL_SCALE};
pub use architecture::{DIM, UnknownVariant, Variant};

use self::plain::PlainNet;
use super::NnError;

/// A loaded network; `embed` may be called from many threads.
pub struct EfficientNetLite {
    architecture: Architecture,
    network: PlainNet,
    device: Device,
}

impl EfficientNetLite {
    /// Loads a safetensors file with the names of the PyTorch state dict.
    ///
    /// # Errors
    /// [`NnError::Load`] where the file is missing or holds other tensors than the variant's.
    pub fn load(variant: Variant, weights: &Path, device: &Device) -> Result<Self, NnError> {
        Self::load_architecture(variant.architecture(), variant.name(), weights, device)
    }

    fn load_architecture(
        architecture: Architecture,
        name: &str,
        weights: &Path,
        device: &Device,
    ) -> Result<Self, NnError> {
        let refuse = |e: candle_core::Error| NnError::Load {
            path: weights.to_owned(),
            network: name.to_owned(),
            message: e.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let tensors = candle_core::safetensors::load(weights, device).map_err(refuse)?;
        let vars = VarBuilder::from_tensors(tensors, DType::F32, device);
        let network = PlainNet::load(&architecture, &vars).map_err(refuse)?;
        Ok(Self { architecture, network, device: device.clone() })
    }

    /// Side of the pictures that [`embed`](Self::embed) takes, in pixels.
    #[must_use]
    pub fn side_px(&self) -> usize {
        self.architecture.side_px
    }

    /// Length of an embedding.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.architecture.head_width
    }

    /// Embeds pictures, `[batch, side, side, 3]` bytes in RGB order, as `[batch, 1280]`.
    /// A picture's result does not depend on the others; no picture gives an empty result.
    ///
    /// # Errors
    /// [`NnError::Input`] where the length is no multiple of a picture's;
    /// [`NnError::Compute`] where the device fails.
    pub fn embed(&self, rgb: &[u8]) -> Result<Vec<f32>, NnError> {
        let side = self.side_px();
        let picture = side * side * 3;
        if rgb.len() % picture != 0 {
            return Err(NnError::Input(format!(
                "expected pictures of {side}×{side}×3 = {picture} bytes, got {} bytes",
                rgb.len()
            )));
        }
        if rgb.is_empty() {
            return Ok(Vec::new());
        }
        let shape = (rgb.len() / picture, side, side, 3);
        let pixels = Tensor::from_slice(rgb, shape, &self.device)?
            .permute((0, 3, 1, 2))?
            .to_dtype(DType::F32)?
            .affine(1.0 / f64::from(PIXEL_SCALE), -f64::from(PIXEL_MEAN / PIXEL_SCALE))?
            .contiguous()?; // [batch, 3, side, side]
        Ok(self.network.forward(&pixels)?.flatten_all()?.to_vec1()?)
    }
}
