//! Which network it is: by `config.json`, or by the names of the tensors.

use std::{collections::HashMap, path::Path};

use base::file;
use candle_core::Tensor;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{convnext, pixels::Pixels, resnet, vision_transformer as vit};
use crate::{ModelFiles, NnError, Variant};

/// Side where no file says one, in pixels.
const SIDE_PX: usize = 224;

/// A network's family with its sizes.
pub(super) enum Family {
    EfficientNetLite(Variant),
    ResNet(resnet::Config),
    ConvNext(convnext::Config),
    VisionTransformer(vit::Config),
}

impl Family {
    /// The family of a model and what its pixels become.
    ///
    /// # Errors
    /// A file that cannot be read or says something unknown; tensors of no known network.
    pub(super) fn recognise(
        files: &ModelFiles,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<(Self, Pixels), NnError> {
        let (family, pixels) = match &files.config {
            Some(path) => {
                let config = json(path)?;
                Self::configured(&config, tensors).map_err(|message| refuse(path, message))?
            }
            None => Self::by_names(tensors).ok_or_else(|| {
                let message = "there is no config.json beside it, and its tensors have neither \
                               the names of EfficientNet-Lite nor of torchvision's ResNet";
                refuse(&files.weights, message.to_owned())
            })?,
        };
        let pixels = match &files.preprocessor {
            Some(path) => {
                pixels.configured(&json(path)?).map_err(|message| refuse(path, message))?
            }
            None => pixels,
        };
        let config = files.config.as_ref().unwrap_or(&files.weights);
        family.check(&pixels).map_err(|message| refuse(config, message))?;
        Ok((family, pixels))
    }

    /// Whether a network of these sizes can look at such a picture, whoever wrote them down.
    fn check(&self, pixels: &Pixels) -> Result<(), String> {
        let least = match self {
            Self::EfficientNetLite(_) => 32,
            Self::ResNet(config) => {
                check_stages(config.stages())?;
                32
            }
            Self::ConvNext(config) => {
                check_stages(config.stages())?;
                config.least_side()?
            }
            Self::VisionTransformer(config) => config.least_side()?,
        };
        if pixels.side_px < least {
            let side = pixels.side_px;
            return Err(format!("pictures of {side} pixels are too small: {least} is the least"));
        }
        Ok(())
    }

    fn configured(
        config: &Value,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<(Self, Pixels), String> {
        let text = |name: &str| config.get(name).and_then(Value::as_str);
        if let (None, Some(architecture)) = (text("model_type"), text("architecture")) {
            let (family, pixels) = Self::by_names(tensors)
                .ok_or_else(|| format!("architecture {architecture} of timm is not known"))?;
            let config = config.get("pretrained_cfg").unwrap_or(config);
            return Ok((family, pixels.configured_by_timm(config)?));
        }
        match text("model_type").unwrap_or_default() {
            "resnet" => Ok((Self::ResNet(typed(config)?), Pixels::image_net(SIDE_PX))),
            "convnext" => Ok((Self::ConvNext(typed(config)?), Pixels::image_net(SIDE_PX))),
            "clip" | "clip_vision_model" => {
                let config: vit::Clip = typed(&image_tower(config))?;
                let pixels = Pixels::clip(config.image_size);
                Ok((Self::VisionTransformer(vit::Config::Clip(config)), pixels))
            }
            "siglip" | "siglip_vision_model" => {
                let config: vit::SigLip = typed(&image_tower(config))?;
                let pixels = Pixels::symmetric(config.image_size);
                Ok((Self::VisionTransformer(vit::Config::SigLip(config)), pixels))
            }
            "dinov2" => {
                let config: vit::DinoV2 = typed(config)?;
                if config.is_gated() {
                    return Err("`use_swiglu_ffn` (DINOv2 giant) is not supported".to_owned());
                }
                let pixels = Pixels::image_net(SIDE_PX);
                Ok((Self::VisionTransformer(vit::Config::DinoV2(config)), pixels))
            }
            other => Err(format!(
                "model_type {other:?} is no image network that is known: resnet, convnext, clip, \
                 siglip, dinov2"
            )),
        }
    }

    fn by_names(tensors: &HashMap<String, Tensor>) -> Option<(Self, Pixels)> {
        let pixels = Pixels::image_net(SIDE_PX);
        if let Some(variant) = Variant::of_tensors(tensors) {
            return Some((Self::EfficientNetLite(variant), pixels));
        }
        resnet::Config::of_torchvision(tensors).map(|config| (Self::ResNet(config), pixels))
    }

    /// As `config.json` calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::EfficientNetLite(_) => "efficientnet-lite",
            Self::ResNet(_) => "resnet",
            Self::ConvNext(_) => "convnext",
            Self::VisionTransformer(vit::Config::Clip(_)) => "clip",
            Self::VisionTransformer(vit::Config::SigLip(_)) => "siglip",
            Self::VisionTransformer(vit::Config::DinoV2(_)) => "dinov2",
        }
    }

    /// The sizes and settings that make the numbers.
    pub(super) fn description(&self) -> Value {
        let described = match self {
            Self::EfficientNetLite(variant) => Ok(Value::from(variant.name())),
            Self::ResNet(config) => serde_json::to_value(config),
            Self::ConvNext(config) => serde_json::to_value(config),
            Self::VisionTransformer(vit::Config::Clip(config)) => serde_json::to_value(config),
            Self::VisionTransformer(vit::Config::SigLip(config)) => serde_json::to_value(config),
            Self::VisionTransformer(vit::Config::DinoV2(config)) => serde_json::to_value(config),
        };
        described.unwrap_or_default()
    }

    /// Tensors by the names that they have in the network alone, without a classifier or a second
    /// tower beside it.
    pub(super) fn without_prefix(
        &self,
        tensors: HashMap<String, Tensor>,
    ) -> HashMap<String, Tensor> {
        let prefix = match self {
            Self::EfficientNetLite(_) => return tensors,
            Self::ResNet(_) => "resnet.",
            Self::ConvNext(_) => "convnext.",
            Self::VisionTransformer(vit::Config::DinoV2(_)) => "dinov2.",
            Self::VisionTransformer(_) => "vision_model.",
        };
        let bare = |name: String| name.strip_prefix(prefix).map(str::to_owned).unwrap_or(name);
        tensors.into_iter().map(|(name, tensor)| (bare(name), tensor)).collect()
    }
}

/// Whether each stage has a width and a number of blocks, `(widths, blocks)`.
fn check_stages((widths, blocks): (&[usize], &[usize])) -> Result<(), String> {
    let is_size = |size: &usize| (1..=1 << 16).contains(size);
    if !widths.is_empty()
        && widths.len() == blocks.len()
        && widths.iter().chain(blocks).all(is_size)
    {
        return Ok(());
    }
    Err(format!("`hidden_sizes` {widths:?} and `depths` {blocks:?} are none of a network"))
}

/// The settings of the image tower of two, or of the one that there is.
fn image_tower(config: &Value) -> Value {
    let Some(tower) = config.get("vision_config").filter(|tower| tower.is_object()) else {
        return config.clone();
    };
    let mut tower = tower.clone();
    if let Some(dim) = config.get("projection_dim") {
        tower["projection_dim"] = dim.clone();
    }
    tower
}

fn typed<T: DeserializeOwned>(config: &Value) -> Result<T, String> {
    serde_json::from_value(config.clone()).map_err(|e| e.to_string())
}

fn json(path: &Path) -> Result<Value, NnError> {
    let text = file::read(path).map_err(|e| refuse(path, e.to_string()))?;
    serde_json::from_slice(&text).map_err(|e| refuse(path, e.to_string()))
}

fn refuse(path: &Path, message: String) -> NnError {
    NnError::Load { path: path.to_owned(), network: "an image network".to_owned(), message }
}
