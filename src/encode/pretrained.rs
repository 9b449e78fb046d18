//! A pretrained model that settings name, before its network is loaded.

use std::sync::Arc;

use super::modality::{EncodeError, EncoderContext};
use crate::{
    base::{Digest, Hinted},
    nn::{Device, ModelFiles, ModelSource, NnError, OnDemand, WeightCache, device, weights::Model},
};

/// A model with the device that it shall compute on.
pub(super) struct Pretrained {
    modality: &'static str,
    cache: WeightCache,
    source: ModelSource,
    device: Device,
}

impl Pretrained {
    /// The model that the settings of `modality` name by an id or a path.
    ///
    /// # Errors
    /// No such model in the manifest; no such device; nowhere to look for weights.
    pub(super) fn named(
        modality: &'static str,
        model: &str,
        context: &EncoderContext,
    ) -> Result<Self, EncodeError> {
        let cache =
            WeightCache::open(context.weights_dir.clone()).map_err(|e| load(modality, e))?;
        let Ok(source) = model.parse::<ModelSource>();
        if let ModelSource::Known(id) = &source {
            cache.manifest().model(id).map_err(|e| load(modality, e))?;
        }
        let (device, _) = device::resolve(context.device).map_err(|e| load(modality, e))?;
        Ok(Self { modality, cache, source, device })
    }

    /// Its id or its path.
    pub(super) fn source(&self) -> &ModelSource {
        &self.source
    }

    /// What the manifest says of it; nothing of one that is named by a path.
    pub(super) fn model(&self) -> Option<&Model> {
        match &self.source {
            ModelSource::Known(id) => self.cache.manifest().model(id).ok(),
            ModelSource::Path(_) => None,
        }
    }

    /// Where it computes.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Digest of its weights.
    ///
    /// # Errors
    /// Files that are not there, of a model that the manifest does not pin.
    pub(super) fn digest(&self) -> Result<Digest, EncodeError> {
        self.cache.digest(&self.source).map_err(|e| load(self.modality, e))
    }

    /// Its files.
    ///
    /// # Errors
    /// They are not there.
    pub(super) fn files(&self) -> Result<ModelFiles, EncodeError> {
        self.cache.resolve(&self.source).map_err(|e| load(self.modality, e))
    }

    /// Its network, which `network` loads from its files once it is needed.
    pub(super) fn on_demand<T>(
        &self,
        network: impl Fn(&ModelFiles, &Device) -> Result<T, NnError> + Send + Sync + 'static,
    ) -> OnDemand<T> {
        let (cache, source) = (self.cache.clone(), self.source.clone());
        let device = self.device.clone();
        OnDemand::new(move || network(&cache.resolve(&source)?, &device))
    }
}

/// The network, loaded for `modality`.
///
/// # Errors
/// Its weights are not there, or are another network's.
pub(super) fn loaded<T>(modality: &str, network: &OnDemand<T>) -> Result<Arc<T>, EncodeError> {
    network.get().map_err(|error| match error {
        NnError::Weights(error) => load(modality, error),
        error => load(modality, error),
    })
}

/// Wraps an error of loading with its hint.
pub(super) fn load<E>(modality: &str, error: E) -> EncodeError
where
    E: Hinted + Send + Sync + 'static,
{
    EncodeError::Load { modality: modality.to_owned(), hint: error.hint(), source: Box::new(error) }
}
