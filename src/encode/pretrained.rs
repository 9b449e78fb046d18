//! A pretrained model that settings name, before its network is loaded.

use std::sync::Arc;

use base::{Digest, Hinted};
use nn::{Device, ModelFiles, ModelSource, NnError, OnDemand, WeightCache, device, weights::Model};

use super::modality::{EncodeError, EncoderContext};

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

#[cfg(test)]
mod tests {
    use base::DeviceChoice;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Encoder, Input, Opened, SourceKind, registry};

    /// Opened where no weights are.
    fn open(
        modality: &str,
        settings: &Value,
        device: DeviceChoice,
    ) -> Result<Box<dyn Encoder>, EncodeError> {
        let weights_dir = Some("/nowhere/weights".into());
        let context = EncoderContext { device, weights_dir, ..EncoderContext::default() };
        open_in(&context, modality, settings)
    }

    fn open_in(
        context: &EncoderContext,
        modality: &str,
        settings: &Value,
    ) -> Result<Box<dyn Encoder>, EncodeError> {
        match registry::find(modality).unwrap().open(settings, context)? {
            Opened::Encoder(encoder) | Opened::Text { listener: encoder, .. } => Ok(encoder),
            Opened::Records(_) => panic!("{modality} has no encoder"),
        }
    }

    #[test]
    fn who_opens_again_does_not_load_again() {
        let here = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
        let nowhere =
            EncoderContext { weights_dir: Some("/nowhere/weights".into()), ..here.clone() };
        let file = SourceKind::File("film.mp4".into());
        let shots = json!({"sampling": "shots", "detector": "transnetv2"});
        for (modality, settings) in [
            ("poster", json!({})),
            ("frames", shots),
            ("audio", json!({"extra": ["musicnn-mtt", "audio-events"]})),
            ("plot", json!({})),
            ("speech", json!({})),
        ] {
            let first = open_in(&here, modality, &settings).unwrap();
            if let Err(error) = first.prepare(&file) {
                assert!(std::env::var_os("CI").is_none(), "{modality}: {error}");
                continue; // no weights here
            }
            let again = open_in(&nowhere, modality, &settings).unwrap();
            assert!(again.prepare(&file).is_ok(), "{modality} is in use");
            drop((first, again));
            let later = open_in(&nowhere, modality, &settings).unwrap();
            assert!(later.prepare(&file).is_err(), "{modality}: nobody has it any more");
        }
    }

    #[test]
    fn networks_of_the_manifest_are_asked_for_when_something_must_be_looked_at() {
        let file = SourceKind::File("film.mp4".into());
        let shots = json!({"sampling": "shots", "detector": "transnetv2"});
        for (modality, settings, models) in [
            ("poster", json!({"precision": "bf16"}), "efficientnet-lite2"),
            ("frames", shots, "efficientnet-lite2 transnetv2"),
            ("audio", json!({"extra": ["musicnn-mtt"]}), "musicnn-mtt"),
            ("plot", json!({"model": "all-mpnet-base-v2"}), "all-mpnet-base-v2"),
            ("speech", json!({}), "whisper-tiny.en all-minilm-l6-v2 fireredvad-aed"),
        ] {
            let encoder = open(modality, &settings, DeviceChoice::Cpu).unwrap();
            let ids = registry::find(modality).unwrap().weights(&settings);
            let error = encoder.prepare(&file).unwrap_err().naming_all(&ids);
            assert_eq!(error.hint().unwrap(), format!("run `cinetag models pull {models}`"));
            assert!(encoder.prepare(&file).is_err(), "{modality}: the next title asks again");
        }
        let silent = open("audio", &json!({}), DeviceChoice::Cpu).unwrap();
        assert!(silent.prepare(&file).is_ok(), "it has no network");
    }

    #[test]
    fn what_is_written_down_needs_no_network_that_hears() {
        let encoder = open("speech", &json!({}), DeviceChoice::Cpu).unwrap();
        let said = "1\n00:00:01,000 --> 00:00:02,000\nIn a world\n";
        encoder.prepare(&SourceKind::Text(said.to_owned())).unwrap();
        let text = encoder.encode(Input::Text(said)).unwrap().text.unwrap();
        assert_eq!(text.words(), "In a world");
    }

    #[test]
    fn a_device_or_precision_that_cannot_be_is_refused_before_anything_is_looked_at() {
        for modality in ["poster", "frames", "plot", "speech"] {
            let error = open(modality, &json!({}), DeviceChoice::Cuda(99)).err().unwrap();
            assert!(error.hint().unwrap().contains("--device"), "{modality}: {error}");
        }
        for modality in ["poster", "frames", "plot"] {
            let in_8_bits = json!({"precision": "int8"});
            let error = open(modality, &in_8_bits, DeviceChoice::Cpu).err().unwrap();
            assert!(error.hint().unwrap().contains("`f32`"), "{modality}: {error}");
        }
        let windows = json!({"window_tokens": 513});
        let error = open("plot", &windows, DeviceChoice::Cpu).err().unwrap().to_string();
        assert!(error.contains("at most 512 for all-minilm-l6-v2, got 513"), "{error}");
    }
}
