//! Shots found by a network that looks at every frame of the film, made very small.
//!
//! in: a [`Preview`]; out: seconds at which shots begin.

use serde_json::{Value, json};

use crate::{
    base::Digest,
    encode::{
        modality::{EncodeError, EncoderContext},
        network::load,
    },
    media::{Failure, PREVIEW_HEIGHT_PX, PREVIEW_WIDTH_PX, Preview, ReasonCode},
    nn::{
        TransNetV2, WeightCache, device,
        transnet_v2::{self, shot_begins},
    },
};

const _: () = assert!(PREVIEW_WIDTH_PX == transnet_v2::WIDTH_PX);
const _: () = assert!(PREVIEW_HEIGHT_PX == transnet_v2::HEIGHT_PX);

/// The loaded network with what its fingerprint needs.
pub(super) struct ShotNetwork {
    network: TransNetV2,
    weights: Digest,
}

impl ShotNetwork {
    /// Loads the network for `modality`.
    ///
    /// # Errors
    /// Its weights are not in the cache; no such device.
    pub(super) fn open(modality: &str, context: &EncoderContext) -> Result<Self, EncodeError> {
        let cache =
            WeightCache::open(context.weights_dir.clone()).map_err(|e| load(modality, e))?;
        let files = cache.require(transnet_v2::MODEL).map_err(|e| load(modality, e))?;
        let (device, _) = device::resolve(context.device).map_err(|e| load(modality, e))?;
        let network = TransNetV2::load(&files.weights, &device).map_err(|e| load(modality, e))?;
        Ok(Self { network, weights: files.digest })
    }

    /// What the fingerprint must cover.
    pub(super) fn description(&self) -> Value {
        json!({
            "model": transnet_v2::MODEL,
            "weights_sha256": self.weights,
            "threshold": transnet_v2::THRESHOLD,
        })
    }

    /// When shots begin, seconds, ascending; the first with the first frame.
    ///
    /// # Errors
    /// The device failed.
    pub(super) fn begins_secs(&self, preview: &Preview) -> Result<Vec<f64>, Failure> {
        let probabilities = self
            .network
            .predict(&preview.rgb)
            .map_err(|e| Failure::new(ReasonCode::EncoderFailed, e.to_string()))?;
        let begins = shot_begins(&probabilities);
        Ok(begins.into_iter().filter_map(|frame| preview.times_secs.get(frame).copied()).collect())
    }
}
