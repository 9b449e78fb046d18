//! Image encoders of several families behind one type: a picture to an embedding.
//!
//! in: `[batch, side, side, 3]` bytes, RGB; out: `[batch, dim]`.
//! The family and its sizes come from the `config.json` beside the weights, as Hugging Face
//! publishes it, or where there is none from the names of the tensors; `docs/encoders.md` lists
//! what is known. On the processor a network runs on our kernels, elsewhere in candle's operators.

mod config;
mod convnext;
mod convolution;
mod layers;
mod pixels;
mod resnet;
mod scratches;
mod vision_transformer;

use std::{collections::HashMap, path::Path};

use candle_core::{Device, Tensor};
use kernels::Isa;
use rayon::prelude::*;
use serde_json::{Value, json};

use self::{config::Family, pixels::Pixels, vision_transformer as vit};
use super::{
    EfficientNetLite, ModelFiles, NnError, Precision, Variant,
    efficientnet_lite::DIM,
    on_device::{OnDevice, Place},
    state_dict::StateDict,
};

/// Raised whenever the same weights and settings give other numbers.
const ALGORITHM_VERSION: u32 = 1;

/// Pictures that a device computes at once.
const BATCH: usize = 32;

/// What a network takes and gives, and what makes its numbers beside the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Traits {
    /// Side of its pictures, in pixels.
    pub side_px: usize,
    /// Length of an embedding.
    pub dim: usize,
    /// Family, sizes and normalisation. Null for EfficientNet-Lite in f32, where the weights say
    /// all of it.
    pub description: Value,
}

impl Traits {
    /// Of a network by its name in the manifest of weights; `None` where only its files tell.
    #[must_use]
    pub fn of_network(name: &str, precision: Precision) -> Option<Self> {
        name.parse().ok().map(|variant| Self::of_variant(variant, precision))
    }

    fn of_variant(variant: Variant, precision: Precision) -> Self {
        // Sums of its depthwise convolutions were not always in f32.
        let description = match precision {
            Precision::F32 => Value::Null,
            Precision::F16 | Precision::Bf16 | Precision::Int8 => json!({ "algorithm": 2 }),
        };
        Self { side_px: variant.side_px(), dim: DIM, description }
    }
}

/// A loaded network; `embed` may be called from many threads.
pub struct ImageEncoder {
    network: Box<dyn Network>,
    traits: Traits,
}

/// A network of whatever family, from bytes to embeddings; [`ImageEncoder`] says what its methods do.
trait Network: Send + Sync {
    fn batch(&self) -> usize;
    fn embed(&self, rgb: &[u8]) -> Result<Vec<f32>, NnError>;
}

/// A network whose pixels its files describe.
struct Configured {
    pixels: Pixels,
    network: Loaded,
}

enum Loaded {
    /// Our kernels, on the processor.
    Fused(Box<dyn FusedNetwork>),
    /// candle's operators, on any other device and in any other precision.
    Plain(OnDevice<Box<dyn PlainNetwork>>),
}

/// A network on our kernels.
trait FusedNetwork: Send + Sync {
    /// Embeds one picture, `[side, side, 3]` normalised, on the caller's thread.
    fn embed(&self, pixels: &[f32]) -> Vec<f32>;
}

/// A network in candle's operators.
trait PlainNetwork: Send + Sync {
    /// `[batch, 3, side, side]`, normalised, to `[batch, dim]`.
    ///
    /// # Errors
    /// The device fails.
    fn forward(&self, pixels: &Tensor) -> candle_core::Result<Tensor>;
}

impl ImageEncoder {
    /// Loads a network with what lies beside its weights, to compute in f32.
    ///
    /// # Errors
    /// [`NnError::Load`] where a file is missing, names a network that is none of those known, or
    /// holds other tensors than it says.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, NnError> {
        Self::load_in(files, device, Precision::F32)
    }

    /// As [`load`](Self::load), to compute in `precision`; f16 is slow on the processor.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_in(
        files: &ModelFiles,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, NnError> {
        let place = Place::new(device, precision.of_floats()?);
        let kernels = place.kernels();
        Self::load_by(files, place, kernels)
    }

    /// As [`load`](Self::load), in candle's operators on the processor too: what our kernels are
    /// tested against. EfficientNet-Lite runs on our kernels all the same.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_plain(files: &ModelFiles, device: &Device) -> Result<Self, NnError> {
        Self::load_by(files, Place::f32(device), None)
    }

    fn load_by(files: &ModelFiles, place: Place, kernels: Option<Isa>) -> Result<Self, NnError> {
        let tensors = crate::tensor_file::load(&files.weights, &Device::Cpu)
            .map_err(|e| refuse(&files.weights, &e))?;
        let (family, pixels) = match Family::recognise(files, &tensors)? {
            (Family::EfficientNetLite(variant), _) => {
                let weights = &files.weights;
                let network =
                    EfficientNetLite::load_in(variant, weights, &place.device, place.precision)?;
                let traits = Traits::of_variant(variant, place.precision);
                return Ok(Self { network: Box::new(network), traits });
            }
            other => other,
        };
        let (dim, network) = load(&family, &pixels, tensors, place, kernels)
            .map_err(|e| refuse(&files.weights, &e))?;
        let description = json!({
            "algorithm": ALGORITHM_VERSION,
            "family": family.name(),
            "config": family.description(),
            "pixels": pixels,
        });
        let traits = Traits { side_px: pixels.side_px, dim, description };
        Ok(Self { network: Box::new(Configured { pixels, network }), traits })
    }

    /// What it takes and gives.
    #[must_use]
    pub fn traits(&self) -> &Traits {
        &self.traits
    }

    /// What besides weights and side makes the numbers, see [`Traits::description`].
    #[must_use]
    pub fn description(&self) -> &Value {
        &self.traits.description
    }

    /// Side of the pictures that [`embed`](Self::embed) takes, in pixels.
    #[must_use]
    pub fn side_px(&self) -> usize {
        self.traits.side_px
    }

    /// Length of an embedding.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.traits.dim
    }

    /// Pictures that are best embedded at once: one on the processor, where that is the caller's
    /// thread, many on a device.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.network.batch()
    }

    /// Embeds pictures, `[batch, side, side, 3]` bytes in RGB order, as `[batch, dim]`. A
    /// picture's result does not depend on the others; no picture gives an empty result. On the
    /// processor one picture is computed on the caller's thread, several on rayon's.
    ///
    /// # Errors
    /// [`NnError::Input`] where the length is no multiple of a picture's;
    /// [`NnError::Compute`] where the device fails.
    pub fn embed(&self, rgb: &[u8]) -> Result<Vec<f32>, NnError> {
        self.network.embed(rgb)
    }
}

impl Network for EfficientNetLite {
    fn batch(&self) -> usize {
        if self.is_plain() { BATCH } else { 1 }
    }

    fn embed(&self, rgb: &[u8]) -> Result<Vec<f32>, NnError> {
        Self::embed(self, rgb)
    }
}

impl Network for Configured {
    fn batch(&self) -> usize {
        if matches!(self.network, Loaded::Plain(_)) { BATCH } else { 1 }
    }

    fn embed(&self, rgb: &[u8]) -> Result<Vec<f32>, NnError> {
        let Self { pixels, network } = self;
        let side = pixels.side_px;
        let picture = side * side * 3;
        if !rgb.len().is_multiple_of(picture) {
            return Err(NnError::Input(format!(
                "expected pictures of {side}×{side}×3 = {picture} bytes, got {} bytes",
                rgb.len()
            )));
        }
        if rgb.is_empty() {
            return Ok(Vec::new());
        }
        match network {
            Loaded::Fused(network) => {
                let embed = |rgb: &[u8]| {
                    let mut numbers = vec![0.0; picture];
                    pixels.normalize(rgb, &mut numbers);
                    network.embed(&numbers)
                };
                if rgb.len() == picture {
                    return Ok(embed(rgb)); // on the caller's thread
                }
                Ok(rgb.par_chunks_exact(picture).flat_map_iter(embed).collect())
            }
            Loaded::Plain(network) => Ok(network.run(
                |device| Tensor::from_slice(rgb, (rgb.len() / picture, side, side, 3), device),
                |network, rgb, place| network.forward(&pixels.tensor(&rgb, place.precision)?),
            )?),
        }
    }
}

/// The length of the embeddings, and the network: on our kernels, or at its place in candle's
/// operators.
fn load(
    family: &Family,
    pixels: &Pixels,
    tensors: HashMap<String, Tensor>,
    place: Place,
    kernels: Option<Isa>,
) -> candle_core::Result<(usize, Loaded)> {
    let tensors = family.without_prefix(tensors);
    let dict = StateDict(&tensors);
    let side = pixels.side_px;
    macro_rules! of {
        ($family:ident, $weights:expr) => {{
            let weights = $weights;
            let dim = weights.dim();
            let network = match kernels {
                Some(isa) => Loaded::Fused(Box::new($family::FusedNet::new(weights, side, isa))),
                None => {
                    let network: Box<dyn PlainNetwork> =
                        Box::new($family::PlainNet::new(&weights, &place)?);
                    Loaded::Plain(OnDevice::new(network, place)?)
                }
            };
            Ok((dim, network))
        }};
    }
    match family {
        Family::ResNet(config) => of!(resnet, resnet::Weights::read(config, dict)?),
        Family::ConvNext(config) => of!(convnext, convnext::Weights::read(config, dict)?),
        Family::VisionTransformer(config) => of!(vit, vit::Weights::read(config, side, dict)?),
        Family::EfficientNetLite(_) => candle_core::bail!("is loaded elsewhere"),
    }
}

fn refuse(path: &Path, error: &candle_core::Error) -> NnError {
    let message = error.to_string().lines().next().unwrap_or_default().to_owned();
    NnError::Load { path: path.to_owned(), network: "an image network".to_owned(), message }
}
