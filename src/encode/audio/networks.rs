//! Descriptors by pretrained networks, which listen at a rate of their own.
//!
//! in: mono samples at the modality's rate; out: for each window the numbers of each network that
//! is asked for.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use base::Digest;
use kernels::{Isa, Resampler};
use media::{Failure, ReasonCode, Samples};
use nn::{
    AudioEvents, ModelSource, Musicnn, NnError, OnDemand, WeightCache, audio_events,
    musicnn::Tagger,
};

use super::{
    Descriptor, NAME, RATE_HZ, Settings,
    events::{self, Events},
    music_tags::{self, MusicTags},
};
use crate::{
    modality::{EncodeError, EncoderContext},
    pretrained::{load, loaded},
    settings::expect,
};

/// The networks of a pipeline, loaded with the first sound.
pub(super) struct Networks {
    listeners: Arc<OnDemand<Vec<Listener>>>,
    /// By the names of the models.
    weights: BTreeMap<&'static str, Digest>,
}

enum Listener {
    Events(Box<Events>),
    MusicTags(Box<MusicTags>),
}

/// Which weights a descriptor needs.
pub(super) fn model(extra: Descriptor) -> Option<&'static str> {
    match extra {
        Descriptor::AudioEvents => Some(audio_events::MODEL),
        _ => tagger(extra).map(Tagger::model),
    }
}

fn tagger(extra: Descriptor) -> Option<Tagger> {
    match extra {
        Descriptor::MusicnnMtt => Some(Tagger::Mtt),
        Descriptor::MusicnnMsd => Some(Tagger::Msd),
        _ => None,
    }
}

/// The numbers of a descriptor, in order; none where it needs no network.
pub(super) fn feature_names(extra: Descriptor) -> Vec<String> {
    match (extra, tagger(extra)) {
        (Descriptor::AudioEvents, _) => events::feature_names().collect(),
        (_, Some(tagger)) => music_tags::feature_names(tagger).collect(),
        _ => Vec::new(),
    }
}

impl Networks {
    /// What these settings ask for; not loaded yet.
    ///
    /// # Errors
    /// A rate that is too low or cannot be brought to the networks'; nowhere to look for weights.
    pub(super) fn open(settings: &Settings, context: &EncoderContext) -> Result<Self, EncodeError> {
        let cache = WeightCache::open(context.weights_dir.clone()).map_err(|e| load(NAME, e))?;
        let mut wanted = Vec::new();
        let mut weights = BTreeMap::new();
        for extra in settings.extra.iter().copied() {
            let Some(model) = model(extra) else { continue };
            let rate_hz = settings.rate_hz;
            let is_heard = rate_hz >= RATE_HZ && resampler(rate_hz).is_some();
            expect(NAME, is_heard, || {
                format!(
                    "`rate_hz` must be 16000, 22050, 32000, 44100, 48000 or another in a simple \
                     ratio to {RATE_HZ} Hz and not below it, for the network {model}; got {rate_hz}"
                )
            })?;
            let source = ModelSource::Known(model.to_owned());
            weights.insert(model, cache.digest(&source).map_err(|e| load(NAME, e))?);
            wanted.push((extra, model));
        }
        let listener = move |(extra, model): &(Descriptor, &str)| {
            let weights = cache.require(model)?.weights;
            Ok(if tagger(*extra).is_some() {
                Listener::MusicTags(Box::new(MusicTags::new(Musicnn::load(&weights)?)))
            } else {
                Listener::Events(Box::new(Events::new(AudioEvents::load(&weights)?)))
            })
        };
        let names: Vec<String> =
            weights.iter().map(|(model, digest)| format!("{model} {digest}")).collect();
        let listeners = context.networks.get(format!("sounds {}", names.join(" ")), || {
            Ok::<_, EncodeError>(OnDemand::new(move || wanted.iter().map(&listener).collect()))
        })?;
        Ok(Self { listeners, weights })
    }

    /// Loads them.
    ///
    /// # Errors
    /// Weights that are not there, or are another network's.
    pub(super) fn prepare(&self) -> Result<(), EncodeError> {
        loaded(NAME, &self.listeners).map(|_| ())
    }

    /// Digests of the weights by model, for the fingerprint.
    pub(super) fn weights(&self) -> &BTreeMap<&'static str, Digest> {
        &self.weights
    }

    /// For each network, for each window its numbers; `windows` in seconds.
    ///
    /// # Errors
    /// No weights; the rate is another than that of the settings.
    pub(super) fn rows(
        &self,
        samples: &Samples,
        windows: &[Range<f64>],
    ) -> Result<Vec<Vec<Vec<f32>>>, Failure> {
        let failed = |what: String| Failure::new(ReasonCode::EncoderFailed, what);
        if self.weights.is_empty() {
            return Ok(Vec::new());
        }
        let listeners = self.listeners.get().map_err(|e| failed(e.to_string()))?;
        let mut resampled = Vec::new();
        let mono = if samples.rate_hz == RATE_HZ {
            &samples.mono
        } else {
            let mut resampler = resampler(samples.rate_hz).ok_or_else(|| {
                failed(format!("{} Hz cannot be brought to {RATE_HZ} Hz", samples.rate_hz))
            })?;
            resampler.push(&samples.mono, &mut resampled);
            resampler.finish(&mut resampled);
            &resampled
        };
        let rows = |listener: &Listener| match listener {
            Listener::Events(events) => events.rows(mono, windows),
            Listener::MusicTags(tags) => tags.rows(mono, windows),
        };
        let computed = listeners.iter().map(rows).collect::<Result<_, NnError>>();
        computed.map_err(|e| failed(e.to_string()))
    }
}

fn resampler(rate_hz: u32) -> Option<Resampler> {
    Resampler::new(Isa::detect(), rate_hz, RATE_HZ)
}
