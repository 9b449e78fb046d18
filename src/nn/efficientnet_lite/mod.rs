//! EfficientNet-Lite as an image encoder: the classifier's last feature map, averaged.
//!
//! in: `[batch, side, side, 3]` bytes, RGB; out: `[batch, 1280]`, each at least 0 and at most 6.
//! source: Tan and Le 2019, "EfficientNet"; the authors' `efficientnet_lite_builder.py`.
//! reference: `efficientnet_lite_pytorch` 0.1.0, `extract_features` averaged over both axes.

mod architecture;
mod fused;
mod plain;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

pub use architecture::{DIM, UnknownVariant, Variant};

use self::{
    architecture::{Architecture, PIXEL_MEAN, PIXEL_SCALE},
    fused::{FusedNet, Scratch},
    plain::PlainNet,
};
use super::{
    NnError, Precision,
    on_device::{OnDevice, Place},
};

/// A loaded network; `embed` may be called from many threads.
pub struct EfficientNetLite {
    architecture: Architecture,
    network: Network,
}

enum Network {
    /// Our kernels, on the processor.
    Fused {
        network: Box<FusedNet>,
        /// Taken and given back by each call, so that memory is mapped once per thread.
        scratches: Mutex<Vec<Scratch>>,
    },
    /// candle's operators, on any other device and in any other precision.
    Plain(Box<OnDevice<PlainNet>>),
}

impl EfficientNetLite {
    /// Loads a safetensors file with the names of the PyTorch state dict, to compute in f32.
    ///
    /// # Errors
    /// [`NnError::Load`] where the file is missing or holds other tensors than the variant's.
    pub fn load(variant: Variant, weights: &Path, device: &Device) -> Result<Self, NnError> {
        Self::load_in(variant, weights, device, Precision::F32)
    }

    /// As [`load`](Self::load), to compute in `precision`; f16 is slow on the processor.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_in(
        variant: Variant,
        weights: &Path,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, NnError> {
        let place = Place::new(device, precision.of_floats()?);
        Self::load_architecture(variant.architecture(), variant.name(), weights, place)
    }

    fn load_architecture(
        architecture: Architecture,
        name: &str,
        weights: &Path,
        place: Place,
    ) -> Result<Self, NnError> {
        let refuse = |e: candle_core::Error| NnError::Load {
            path: weights.to_owned(),
            network: name.to_owned(),
            message: e.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let tensors = crate::tensor_file::load(weights, &place.device).map_err(refuse)?;
        let network = if let Some(isa) = place.kernels() {
            let network = FusedNet::load(&architecture, &tensors, isa).map_err(refuse)?;
            Network::Fused { network: Box::new(network), scratches: Mutex::default() }
        } else {
            let network = PlainNet::load(&architecture, tensors, &place).map_err(refuse)?;
            Network::Plain(Box::new(OnDevice::new(network, place).map_err(refuse)?))
        };
        Ok(Self { architecture, network })
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

    /// Whether it runs in candle's operators.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.network, Network::Plain(_))
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
        if !rgb.len().is_multiple_of(picture) {
            return Err(NnError::Input(format!(
                "expected pictures of {side}×{side}×3 = {picture} bytes, got {} bytes",
                rgb.len()
            )));
        }
        if rgb.is_empty() {
            return Ok(Vec::new());
        }
        match &self.network {
            Network::Fused { network, scratches } => {
                let embed = |rgb: &[u8]| {
                    let lock = || scratches.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut scratch = lock().pop().unwrap_or_default();
                    let embedding = network.forward(rgb, &mut scratch);
                    lock().push(scratch);
                    embedding
                };
                if rgb.len() == picture {
                    return Ok(embed(rgb)); // on the caller's thread
                }
                Ok(rgb.par_chunks_exact(picture).flat_map_iter(embed).collect())
            }
            Network::Plain(network) => Ok(network.run(
                |device| Tensor::from_slice(rgb, (rgb.len() / picture, side, side, 3), device),
                |network, rgb, place| network.forward(&pixels(&rgb, place.precision)?),
            )?),
        }
    }
}

/// Bytes `[batch, side, side, 3]` as the network's input `[batch, 3, side, side]`.
fn pixels(rgb: &Tensor, precision: Precision) -> candle_core::Result<Tensor> {
    rgb.permute((0, 3, 1, 2))?
        .to_dtype(DType::F32)?
        .affine(1.0 / f64::from(PIXEL_SCALE), -f64::from(PIXEL_MEAN / PIXEL_SCALE))?
        .to_dtype(precision.into())?
        .contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::Isa;
    use std::collections::HashMap;

    /// A network with the family's stages, small enough for a test.
    fn tiny(side_px: usize) -> Architecture {
        Architecture::new(side_px, 8, [1, 2, 2, 1, 2, 1, 1], [4, 6, 8, 8, 12, 20, 24], 40)
    }

    fn random_weights(architecture: &Architecture) -> HashMap<String, Tensor> {
        let mut tensors = HashMap::new();
        let mut add = |conv: String, norm: String, shape: &[usize]| {
            let fan_in: usize = shape[1..].iter().product();
            let normal = |mean: f32, std: f32, shape: &[usize]| {
                Tensor::randn(mean, std, shape, &Device::Cpu).unwrap()
            };
            // A gain above 1 would double the rounding errors with each layer, while the
            // activations are clamped.
            tensors
                .insert(format!("{conv}.weight"), normal(0.0, 1.0 / (fan_in as f32).sqrt(), shape));
            for (part, mean) in [("weight", 1.0), ("bias", 0.5), ("running_mean", 0.0)] {
                tensors.insert(format!("{norm}.{part}"), normal(mean, 0.2, &shape[..1]));
            }
            let var = normal(1.0, 0.2, &shape[..1]).sqr().unwrap();
            tensors.insert(format!("{norm}.running_var"), var);
        };
        add("_conv_stem".into(), "_bn0".into(), &[architecture.stem_width, 3, 3, 3]);
        for (idx, block) in architecture.blocks.iter().enumerate() {
            let name = |part: &str| format!("_blocks.{idx}.{part}");
            let inside = block.width_inside();
            if block.expansion > 1 {
                add(name("_expand_conv"), name("_bn0"), &[inside, block.width_in, 1, 1]);
            }
            add(name("_depthwise_conv"), name("_bn1"), &[inside, 1, block.kernel, block.kernel]);
            add(name("_project_conv"), name("_bn2"), &[block.width_out, inside, 1, 1]);
        }
        let widths = [architecture.head_width, architecture.last_width(), 1, 1];
        add("_conv_head".into(), "_bn1".into(), &widths);
        tensors
    }

    fn picture(side: usize, seed: usize) -> Vec<u8> {
        (0..side * side * 3).map(|idx| ((idx * (seed + 7) * 31) >> 3) as u8).collect()
    }

    fn on_cpu(precision: Precision) -> Place {
        Place::new(&Device::Cpu, precision)
    }

    fn plain(
        architecture: &Architecture,
        tensors: &HashMap<String, Tensor>,
        rgb: &[u8],
        precision: Precision,
    ) -> Vec<f32> {
        let plain = PlainNet::load(architecture, tensors.clone(), &on_cpu(precision)).unwrap();
        let side = architecture.side_px;
        let rgb = Tensor::from_slice(rgb, (1, side, side, 3), &Device::Cpu).unwrap();
        let found = plain.forward(&pixels(&rgb, precision).unwrap()).unwrap();
        found.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn the_fused_network_equals_the_plain_one() {
        for side in [33, 40, 64, 97] {
            let architecture = tiny(side);
            let tensors = random_weights(&architecture);
            let rgb = picture(side, 0);
            let expected = plain(&architecture, &tensors, &rgb, Precision::F32);
            let largest = expected.iter().fold(0_f32, |max, x| max.max(x.abs()));
            assert!(largest > 0.1, "the comparison says something");
            for isa in Isa::available() {
                // Twice: what the first picture leaves in the scratch must not matter.
                let fused = FusedNet::load(&architecture, &tensors, isa).unwrap();
                let mut scratch = Scratch::default();
                fused.forward(&picture(side, 9), &mut scratch);
                let found = fused.forward(&rgb, &mut scratch);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (found - expected).abs() <= 1e-5 * largest,
                        "{isa:?} at {side}: {found} for {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_batch_equals_one_by_one_bit_for_bit_and_wrong_files_are_refused() {
        let architecture = tiny(32);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.safetensors");
        let mut tensors = random_weights(&architecture);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let load = || {
            EfficientNetLite::load_architecture(
                architecture.clone(),
                "tiny",
                &path,
                on_cpu(Precision::F32),
            )
        };
        let network = load().unwrap();
        let rgb: Vec<u8> = (0..5).flat_map(|seed| picture(32, seed)).collect();
        let one_by_one: Vec<f32> =
            rgb.chunks_exact(32 * 32 * 3).flat_map(|rgb| network.embed(rgb).unwrap()).collect();
        assert_eq!(network.embed(&rgb).unwrap(), one_by_one);
        assert!(network.embed(&[]).unwrap().is_empty());
        assert!(matches!(network.embed(&rgb[1..]), Err(NnError::Input(_))));

        tensors.remove("_blocks.3._bn1.bias");
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let error = load().err().unwrap().to_string();
        assert!(
            error.contains("tiny.safetensors") && error.contains("_blocks.3._bn1.bias"),
            "{error}"
        );
    }
}
