//! The image network that the picture modalities share.
//!
//! in: `[rows, side, side, 3]` bytes; out: `[rows, 1280]`.
//! source: Tan and Le 2019, EfficientNet; the Lite variants without squeeze-excite.

use serde_json::{Value, json};

use super::modality::{EncodeError, EncoderContext, Features};
use crate::{
    base::{Digest, Hinted},
    media::{Failure, Picture, ReasonCode},
    nn::{
        device,
        efficientnet_lite::{EfficientNetLite, Variant},
        weights::WeightCache,
    },
};

/// A loaded image network with what its fingerprint needs.
pub(super) struct ImageNetwork {
    network: EfficientNetLite,
    variant: Variant,
    weights: Digest,
    model: String,
}

impl ImageNetwork {
    /// Loads the model called `model` for `modality`.
    ///
    /// # Errors
    /// No such model; its weights are not in the cache; no such device.
    pub(super) fn open(
        modality: &str,
        model: &str,
        context: &EncoderContext,
    ) -> Result<Self, EncodeError> {
        let variant: Variant = model.parse().map_err(|_| EncodeError::Settings {
            modality: modality.to_owned(),
            message: format!(
                "`model` must be efficientnet-lite0, efficientnet-lite1 or efficientnet-lite2, got {model:?}"
            ),
        })?;
        let cache =
            WeightCache::open(context.weights_dir.clone()).map_err(|e| load(modality, e))?;
        let files = cache.require(model).map_err(|e| load(modality, e))?;
        let (device, _) = device::resolve(context.device).map_err(|e| load(modality, e))?;
        let network = EfficientNetLite::load(variant, &files.weights, &device)
            .map_err(|e| load(modality, e))?;
        Ok(Self { network, variant, weights: files.digest, model: model.to_owned() })
    }

    /// Side of the input, pixels.
    pub(super) fn side_px(&self) -> u32 {
        self.variant.side_px() as u32
    }

    /// What the fingerprint must cover.
    pub(super) fn description(&self) -> Value {
        json!({ "model": self.model, "weights_sha256": self.weights, "side_px": self.side_px() })
    }

    /// Embeds pictures of `side_px`.
    ///
    /// # Errors
    /// A picture of another size; the device failed; a number that is not finite.
    pub(super) fn embed<'a>(
        &self,
        pictures: impl IntoIterator<Item = &'a Picture>,
        time_secs: Vec<f32>,
    ) -> Result<Features, Failure> {
        let mut data = Vec::new();
        for picture in pictures {
            let side = self.side_px();
            if (picture.width, picture.height) != (side, side) {
                return Err(Failure::new(
                    ReasonCode::EncoderFailed,
                    format!(
                        "picture is {}×{}, the network wants {side}×{side}",
                        picture.width, picture.height
                    ),
                ));
            }
            let row = self
                .network
                .embed(&picture.rgb)
                .map_err(|e| Failure::new(ReasonCode::EncoderFailed, e.to_string()))?;
            data.extend(row);
        }
        finite(Features { data, time_secs })
    }
}

/// The features, if all are finite.
///
/// # Errors
/// One is not.
pub(super) fn finite(features: Features) -> Result<Features, Failure> {
    match features.data.iter().position(|x| !x.is_finite()) {
        None => Ok(features),
        Some(idx) => Err(Failure::new(
            ReasonCode::NotFinite,
            format!("value {idx} is {}", features.data[idx]),
        )),
    }
}

/// Wraps an error of loading with its hint.
pub(super) fn load<E>(modality: &str, error: E) -> EncodeError
where
    E: Hinted + Send + Sync + 'static,
{
    EncodeError::Load { modality: modality.to_owned(), hint: error.hint(), source: Box::new(error) }
}
