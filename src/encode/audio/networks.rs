//! Descriptors by pretrained networks, which listen at a rate of their own.
//!
//! in: mono samples at the modality's rate; out: for each window the numbers of each network that
//! is asked for.

use std::{collections::BTreeMap, ops::Range};

use kernels::{Isa, Resampler};

use super::{
    Extra, NAME, RATE_HZ, Settings,
    events::{self, Events},
    music_tags::{self, MusicTags},
};
use crate::{
    base::Digest,
    encode::{
        modality::{EncodeError, EncoderContext},
        network::load,
        settings::expect,
    },
    media::{Failure, ReasonCode, Samples},
    nn::{AudioEvents, Musicnn, NnError, WeightCache, audio_events, musicnn::Tagger},
};

/// The networks of a pipeline.
pub(super) struct Networks {
    listeners: Vec<Listener>,
    /// By the names of the models.
    weights: BTreeMap<&'static str, Digest>,
}

enum Listener {
    Events(Box<Events>),
    MusicTags(Box<MusicTags>),
}

/// Which weights a descriptor needs.
fn model(extra: Extra) -> Option<&'static str> {
    match extra {
        Extra::AudioEvents => Some(audio_events::MODEL),
        _ => tagger(extra).map(Tagger::model),
    }
}

fn tagger(extra: Extra) -> Option<Tagger> {
    match extra {
        Extra::MusicnnMtt => Some(Tagger::Mtt),
        Extra::MusicnnMsd => Some(Tagger::Msd),
        _ => None,
    }
}

/// The numbers of a descriptor, in order; none where it needs no network.
pub(super) fn feature_names(extra: Extra) -> Vec<String> {
    match (extra, tagger(extra)) {
        (Extra::AudioEvents, _) => events::feature_names().collect(),
        (_, Some(tagger)) => music_tags::feature_names(tagger).collect(),
        _ => Vec::new(),
    }
}

impl Networks {
    /// Loads what these settings ask for.
    ///
    /// # Errors
    /// A rate that is too low or cannot be brought to the networks'; weights that are not there.
    pub(super) fn open(settings: &Settings, context: &EncoderContext) -> Result<Self, EncodeError> {
        let mut networks = Self { listeners: Vec::new(), weights: BTreeMap::new() };
        let cache = WeightCache::open(context.weights_dir.clone()).map_err(|e| load(NAME, e))?;
        for extra in &settings.extra {
            let Some(model) = model(*extra) else { continue };
            let rate_hz = settings.rate_hz;
            let is_heard = rate_hz >= RATE_HZ && resampler(rate_hz).is_some();
            expect(NAME, is_heard, || {
                format!(
                    "`rate_hz` must be 16000, 22050, 32000, 44100, 48000 or another in a simple \
                     ratio to {RATE_HZ} Hz and not below it, for the network {model}; got {rate_hz}"
                )
            })?;
            let files = cache.require(model).map_err(|e| load(NAME, e))?;
            let listener = if tagger(*extra).is_some() {
                let network = Musicnn::load(&files.weights).map_err(|e| load(NAME, e))?;
                Listener::MusicTags(Box::new(MusicTags::new(network)))
            } else {
                let network = AudioEvents::load(&files.weights).map_err(|e| load(NAME, e))?;
                Listener::Events(Box::new(Events::new(network)))
            };
            networks.listeners.push(listener);
            networks.weights.insert(model, files.digest);
        }
        Ok(networks)
    }

    /// Digests of the weights by model, for the fingerprint.
    pub(super) fn weights(&self) -> &BTreeMap<&'static str, Digest> {
        &self.weights
    }

    /// For each network, for each window its numbers; `windows` in seconds.
    ///
    /// # Errors
    /// The rate is another than that of the settings.
    pub(super) fn rows(
        &self,
        samples: &Samples,
        windows: &[Range<f64>],
    ) -> Result<Vec<Vec<Vec<f32>>>, Failure> {
        let failed = |what: String| Failure::new(ReasonCode::EncoderFailed, what);
        if self.listeners.is_empty() {
            return Ok(Vec::new());
        }
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
        let computed = self.listeners.iter().map(rows).collect::<Result<_, NnError>>();
        computed.map_err(|e| failed(e.to_string()))
    }
}

fn resampler(rate_hz: u32) -> Option<Resampler> {
    Resampler::new(Isa::detect(), rate_hz, RATE_HZ)
}
