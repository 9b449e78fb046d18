//! Shots found by a network that looks at every frame of the film, made very small.
//!
//! in: a [`Preview`]; out: seconds at which shots begin.

use std::sync::Arc;

use base::Digest;
use media::{Failure, PREVIEW_HEIGHT_PX, PREVIEW_WIDTH_PX, Preview, ReasonCode};
use nn::{
    Device, ModelFiles, OnDemand, TransNetV2,
    transnet_v2::{self, shot_begins},
};
use serde_json::{Value, json};

use crate::{
    modality::{EncodeError, EncoderContext},
    pretrained::{Pretrained, loaded},
};

const _: () = assert!(PREVIEW_WIDTH_PX == transnet_v2::WIDTH_PX);
const _: () = assert!(PREVIEW_HEIGHT_PX == transnet_v2::HEIGHT_PX);

/// The network, loaded with the first film, and what its fingerprint needs.
pub(super) struct ShotNetwork {
    modality: &'static str,
    network: Arc<OnDemand<TransNetV2>>,
    weights: Digest,
}

impl ShotNetwork {
    /// The network for `modality`; not loaded yet.
    ///
    /// # Errors
    /// No such device.
    pub(super) fn open(
        modality: &'static str,
        context: &EncoderContext,
    ) -> Result<Self, EncodeError> {
        let model = Pretrained::named(modality, transnet_v2::MODEL, context)?;
        let weights = model.digest()?;
        let key = format!("shots {weights} {}", context.device);
        let network = context.networks.get(key, || {
            let network =
                |files: &ModelFiles, device: &Device| TransNetV2::load(&files.weights, device);
            Ok::<_, EncodeError>(model.on_demand(network))
        })?;
        Ok(Self { modality, network, weights })
    }

    /// The network, loaded.
    ///
    /// # Errors
    /// Its weights are not there, or are another network's.
    pub(super) fn loaded(&self) -> Result<Arc<TransNetV2>, EncodeError> {
        loaded(self.modality, &self.network)
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
    /// No weights; the device failed.
    pub(super) fn begins_secs(&self, preview: &Preview) -> Result<Vec<f64>, Failure> {
        let network = self.network.get();
        let probabilities = network
            .and_then(|network| network.predict(&preview.rgb))
            .map_err(|e| Failure::new(ReasonCode::EncoderFailed, e.to_string()))?;
        let begins = shot_begins(&probabilities);
        Ok(begins.into_iter().filter_map(|frame| preview.times_secs.get(frame).copied()).collect())
    }
}
