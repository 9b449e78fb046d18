//! The image network that the picture modalities share.
//!
//! in: `[rows, side, side, 3]` bytes; out: `[rows, dim]`.

use serde_json::{Value, json};

use super::modality::{EncodeError, EncoderContext, Features};
use crate::{
    base::{Digest, Hinted},
    media::{Failure, Picture, ReasonCode},
    nn::{
        ImageEncoder, device,
        weights::{ModelSource, WeightCache},
    },
};

/// A loaded image network with what its fingerprint needs.
pub(super) struct ImageNetwork {
    network: ImageEncoder,
    weights: Digest,
    model: String,
}

impl ImageNetwork {
    /// Loads the model called `model`, by its id or by a path, for `modality`.
    ///
    /// # Errors
    /// No such model; its weights are not in the cache; no such device.
    pub(super) fn open(
        modality: &str,
        model: &str,
        context: &EncoderContext,
    ) -> Result<Self, EncodeError> {
        let cache =
            WeightCache::open(context.weights_dir.clone()).map_err(|e| load(modality, e))?;
        let Ok(source) = model.parse::<ModelSource>();
        let files = cache.resolve(&source).map_err(|e| load(modality, e))?;
        let (device, _) = device::resolve(context.device).map_err(|e| load(modality, e))?;
        let network = ImageEncoder::load(&files, &device).map_err(|e| load(modality, e))?;
        let model = match source {
            ModelSource::Known(id) => id,
            ModelSource::Path(_) => files.digest.to_string(),
        };
        Ok(Self { network, weights: files.digest, model })
    }

    /// What the fingerprint calls the model: its id; of one named by a path the digest of its
    /// weights, since it does not matter where they lie.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// Side of the input, pixels.
    pub(super) fn side_px(&self) -> u32 {
        self.network.side_px() as u32
    }

    /// Length of an embedding.
    pub(super) fn dim(&self) -> usize {
        self.network.dim()
    }

    /// What the fingerprint must cover.
    pub(super) fn description(&self) -> Value {
        let mut description = json!({
            "model": self.model,
            "weights_sha256": self.weights,
            "side_px": self.side_px(),
        });
        if !self.network.description().is_null() {
            description["network"] = self.network.description().clone();
        }
        description
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
