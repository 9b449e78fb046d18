//! What becomes of a picture's bytes before a network: `(byte · rescale − mean) / std` for each
//! colour.
//!
//! source: `preprocessor_config.json`, which lies beside the weights; where it does not, what the
//! family's networks were trained with.

use candle_core::{DType, Result, Tensor};
use serde::Serialize;
use serde_json::Value;

use crate::Precision;

/// The square that a network takes, and how bytes become its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Pixels {
    pub side_px: usize,
    pub rescale: f32,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// The reciprocal of a byte's greatest value.
const RESCALE: f32 = 1.0 / 255.0;

impl Pixels {
    /// Means and deviations of `ImageNet`, as torchvision, `ConvNeXt` and `DINOv2` have them.
    pub(super) fn image_net(side_px: usize) -> Self {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        Self { side_px, rescale: RESCALE, mean, std }
    }

    /// As CLIP was trained.
    pub(super) fn clip(side_px: usize) -> Self {
        let mean = [0.481_454_66, 0.457_827_5, 0.408_210_73];
        let std = [0.268_629_54, 0.261_302_6, 0.275_777_1];
        Self { side_px, rescale: RESCALE, mean, std }
    }

    /// From −1 to 1, as `SigLIP` was trained.
    pub(super) fn symmetric(side_px: usize) -> Self {
        Self { side_px, rescale: RESCALE, mean: [0.5; 3], std: [0.5; 3] }
    }

    /// With what a `preprocessor_config.json` says. How a picture is brought to the square
    /// (`resample`, `crop_pct`) is the program's own affair.
    ///
    /// # Errors
    /// A value of another form than expected, in words.
    pub(super) fn configured(mut self, config: &Value) -> std::result::Result<Self, String> {
        let is_on = |name: &str| config.get(name).and_then(Value::as_bool).unwrap_or(true);
        let size = match config.get("crop_size") {
            Some(size) if is_on("do_center_crop") && !size.is_null() => Some(("crop_size", size)),
            _ => config.get("size").map(|size| ("size", size)),
        };
        if let Some((name, size)) = size {
            self.side_px = side_of(size).ok_or_else(|| {
                format!("`{name}` must be the side of a square, 1 to 4096 pixels, got {size}")
            })?;
        }
        let number = |value: &Value| value.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
        if !is_on("do_rescale") {
            self.rescale = 1.0;
        } else if let Some(value) = config.get("rescale_factor") {
            self.rescale = number(value)
                .ok_or_else(|| format!("`rescale_factor` must be a number, got {value}"))?;
        }
        if !is_on("do_normalize") {
            (self.mean, self.std) = ([0.0; 3], [1.0; 3]);
            return Ok(self);
        }
        for (name, numbers) in [("image_mean", &mut self.mean), ("image_std", &mut self.std)] {
            let Some(value) = config.get(name) else { continue };
            *numbers = three(value, number)
                .filter(|three| name == "image_mean" || three.iter().all(|std| *std > 0.0))
                .ok_or_else(|| format!("`{name}` must be three numbers, got {value}"))?;
        }
        Ok(self)
    }

    /// With what timm's `config.json` says of its weights.
    ///
    /// # Errors
    /// As [`configured`](Self::configured).
    pub(super) fn configured_by_timm(self, config: &Value) -> std::result::Result<Self, String> {
        let mut renamed = serde_json::Map::new();
        let mut say = |name: &str, value: Option<&Value>| {
            renamed.extend(value.map(|value| (name.to_owned(), value.clone())));
        };
        say("image_mean", config.get("mean"));
        say("image_std", config.get("std"));
        say("size", config.pointer("/input_size/2"));
        self.configured(&Value::Object(renamed))
    }

    /// `[pixels, 3]` bytes as the network's numbers, in the same order.
    pub(super) fn normalize(&self, rgb: &[u8], out: &mut [f32]) {
        let table: Vec<[f32; 3]> =
            (0..=u8::MAX).map(|byte| std::array::from_fn(|c| self.number(byte, c))).collect();
        for (to, bytes) in out.chunks_exact_mut(3).zip(rgb.chunks_exact(3)) {
            for (colour, (x, byte)) in to.iter_mut().zip(bytes).enumerate() {
                *x = table[usize::from(*byte)][colour];
            }
        }
    }

    fn number(&self, byte: u8, colour: usize) -> f32 {
        (f32::from(byte) * self.rescale - self.mean[colour]) / self.std[colour]
    }

    /// `[batch, side, side, 3]` bytes, where they are to be used, as `[batch, 3, side, side]`
    /// numbers.
    pub(super) fn tensor(&self, rgb: &Tensor, precision: Precision) -> Result<Tensor> {
        let colours = |x: &[f32; 3]| Tensor::from_slice(x, (1, 3, 1, 1), rgb.device());
        rgb.permute((0, 3, 1, 2))?
            .to_dtype(DType::F32)?
            .affine(f64::from(self.rescale), 0.0)?
            .broadcast_sub(&colours(&self.mean)?)?
            .broadcast_div(&colours(&self.std)?)?
            .to_dtype(precision.into())?
            .contiguous()
    }
}

/// `224`, `{"shortest_edge": 224}` or `{"height": 224, "width": 224}`.
fn side_of(size: &Value) -> Option<usize> {
    let edge = |name: &str| size.get(name).and_then(Value::as_u64);
    let side = match (size.as_u64(), edge("shortest_edge"), edge("height"), edge("width")) {
        (Some(side), ..) | (None, Some(side), ..) => side,
        (None, None, Some(height), Some(width)) if height == width => height,
        _ => return None,
    };
    usize::try_from(side).ok().filter(|side| (1..=4096).contains(side))
}

fn three(value: &Value, number: impl Fn(&Value) -> Option<f32>) -> Option<[f32; 3]> {
    let numbers: Vec<f32> = value.as_array()?.iter().map(number).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use serde_json::json;

    #[test]
    fn published_files_are_understood() {
        let read = |config: Value| Pixels::image_net(1).configured(&config);
        let dino = json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224},
                          "do_center_crop": true, "image_mean": [0.1, 0.2, 0.3]});
        let pixels = read(dino).unwrap();
        assert_eq!((pixels.side_px, pixels.mean), (224, [0.1, 0.2, 0.3]));
        let siglip = json!({"size": {"height": 384, "width": 384}, "rescale_factor": 0.5});
        let pixels = read(siglip).unwrap();
        assert_eq!((pixels.side_px, pixels.rescale), (384, 0.5));
        let old = json!({"size": 288, "crop_pct": 0.875, "crop_size": 224, "do_center_crop": false,
                         "do_normalize": false});
        let pixels = read(old).unwrap();
        assert_eq!((pixels.side_px, pixels.mean, pixels.std), (288, [0.0; 3], [1.0; 3]));
        let timm = json!({"mean": [0.5, 0.5, 0.5], "input_size": [3, 256, 256]});
        let pixels = Pixels::image_net(1).configured_by_timm(&timm).unwrap();
        assert_eq!((pixels.side_px, pixels.mean[0], pixels.std[0]), (256, 0.5, 0.229));
        assert_eq!(read(json!({})).unwrap(), Pixels::image_net(1));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for config in [
            json!({"size": {"height": 224, "width": 336}}),
            json!({"size": 0}),
            json!({"image_mean": [0.5, 0.5]}),
            json!({"image_std": [0.0, 1.0, 1.0]}),
            json!({"rescale_factor": "1/255"}),
        ] {
            let message = Pixels::image_net(1).configured(&config).unwrap_err();
            assert!(message.starts_with('`') && message.contains("got"), "{message}");
        }
    }

    #[test]
    fn both_ways_give_the_same_numbers() {
        let pixels = Pixels::clip(4);
        let rgb: Vec<u8> = (0..2 * 4 * 4 * 3).map(|idx| (idx * 5 % 256) as u8).collect();
        let mut numbers = vec![0.0; rgb.len()];
        pixels.normalize(&rgb, &mut numbers);
        let rgb = Tensor::from_slice(&rgb, (2, 4, 4, 3), &Device::Cpu).unwrap();
        let tensor = pixels.tensor(&rgb, Precision::F32).unwrap().permute((0, 2, 3, 1)).unwrap();
        let tensor: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        for (a, b) in numbers.iter().zip(tensor) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        assert!((numbers[0] - (0.0 - 0.481_454_66) / 0.268_629_54).abs() < 1e-6);
    }
}
