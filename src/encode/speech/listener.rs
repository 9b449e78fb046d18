//! The encoder of speech: reads what is written down, listens to the rest.

use std::sync::Arc;

use base::{DeviceChoice, Fingerprint};
use media::{AudioSpec, Cue, Failure, ReasonCode, Samples, Subtitles, Want};
use nn::{
    NnError, OnDemand, Precision, WeightCache, Whisper, audio_events, device, weights::ModelSource,
    whisper::WhisperSettings,
};
use serde_json::json;
use store::{EncoderIdentity, TextSegment, TimedText};

use super::{NAME, Settings, gate, subtitles};
use crate::{
    audio::SpeechDetector,
    modality::{EncodeError, Encoder, EncoderContext, Features, Input, SourceKind},
    network::finite,
    pretrained::{load, loaded},
};

/// Raised whenever the same settings and weights give another text.
const ALGORITHM_VERSION: u32 = 1;
/// What the networks hear at.
const RATE_HZ: u32 = 16_000;
/// Mean log-probability of the words, and how likely nobody speaks.
const DIM: usize = 2;
/// A segment that is more likely none than this and that the network is not sure of is not said.
/// reference: `openai/whisper`, `no_speech_threshold` and `logprob_threshold`
const MAX_NO_SPEECH: f32 = 0.6;
const MIN_LOGPROB: f32 = -1.0;
/// So many words of a subtitle track are taken for what is said; fewer are signs and lyrics.
const MIN_TRACK_WORDS: usize = 10;

/// Hears and reads.
pub(super) struct Listener {
    identity: EncoderIdentity,
    settings: Settings,
    is_on_device: bool,
    /// Titles whose speech is written down need none.
    networks: Arc<OnDemand<Networks>>,
}

struct Networks {
    detector: SpeechDetector,
    whisper: Whisper,
}

impl Listener {
    /// Makes one with these settings; loads no weights.
    ///
    /// # Errors
    /// A model that nobody knows, a path without weights, a device that is not there.
    pub(super) fn open(settings: Settings, context: &EncoderContext) -> Result<Self, EncodeError> {
        let cache = WeightCache::open(context.weights_dir.clone()).map_err(|e| load(NAME, e))?;
        let Ok(source) = settings.model.parse::<ModelSource>();
        let weights = match &source {
            ModelSource::Known(id) => {
                cache.manifest().model(id).map_err(|e| load(NAME, e))?.weights_digest()
            }
            ModelSource::Path(_) => Some(cache.resolve(&source).map_err(|e| load(NAME, e))?.digest),
        };
        let detector = cache.manifest().model(audio_events::MODEL).map_err(|e| load(NAME, e))?;
        let is_on_device = match context.device {
            DeviceChoice::Cpu => false,
            choice => !device::resolve(choice).map_err(|e| load(NAME, e))?.0.is_cpu(),
        };
        let precision = match settings.precision {
            Precision::Int8 if is_on_device => Precision::F16,
            precision => precision,
        };
        let words = json!({
            "language": settings.language,
            "translate": settings.translate,
            "max_secs": settings.max_secs,
            "max_speech_secs": settings.max_speech_secs,
            "precision": precision,
        });
        let description = json!({
            "algorithm": ALGORITHM_VERSION,
            "weights_sha256": weights,
            "detector_sha256": detector.weights_digest(),
            "settings": words,
        });
        let identity = EncoderIdentity {
            name: NAME.to_owned(),
            fingerprint: Fingerprint::of(&description),
            dim: DIM,
            row_unit: "segment of speech".to_owned(),
            description,
        };
        let choice = context.device;
        let key = format!("speech {} {choice}", identity.fingerprint);
        let networks = OnDemand::new(move || {
            let (device, _) = device::resolve(choice)?;
            let whisper = Whisper::load(&cache.resolve(&source)?, &device, precision)?;
            let files = cache.require(audio_events::MODEL)?;
            Ok(Networks { detector: SpeechDetector::load(&files.weights)?, whisper })
        });
        let networks = context.networks.get(key, || Ok::<_, EncodeError>(networks))?;
        Ok(Self { identity, settings, is_on_device, networks })
    }

    fn hear(&self, sound: &Samples) -> Result<Features, Failure> {
        let failed = |message: String| Failure::new(ReasonCode::EncoderFailed, message);
        let networks = self.networks.get().map_err(|e| failed(e.to_string()))?;
        let Networks { detector, whisper } = &*networks;
        let failed = |e: NnError| failed(e.to_string());
        let probabilities = detector.speech(&sound.mono).map_err(failed)?;
        let stretches = gate::stretches(&probabilities, sound.mono.len(), RATE_HZ);
        let packed =
            gate::Packed::new(&sound.mono, &stretches, RATE_HZ, self.settings.max_speech_secs);
        if packed.samples.is_empty() {
            return Err(Failure::new(ReasonCode::NoSpeech, "nobody speaks"));
        }
        let wanted = WhisperSettings {
            language: self.settings.language.clone(),
            translate: self.settings.translate,
        };
        let heard = whisper.transcribe(&packed.samples, &wanted).map_err(failed)?;
        let language = heard.language;
        if let Some(other) = language.as_deref().filter(|code| *code != "en")
            && !self.settings.translate
        {
            let detail = format!("{other} is spoken, and English is understood");
            return Err(Failure::new(ReasonCode::UnsupportedLanguage, detail));
        }
        let mut text = TimedText { segments: Vec::new(), language };
        let mut data = Vec::new();
        for segment in heard.segments {
            let is_silence = segment.no_speech > MAX_NO_SPEECH && segment.avg_logprob < MIN_LOGPROB;
            if is_silence || segment.text.trim().is_empty() {
                continue;
            }
            let at = |secs: f32| packed.time_in_sound(f64::from(secs)) as f32;
            let (start_secs, end_secs) = (at(segment.start_secs), at(segment.end_secs));
            data.extend([segment.avg_logprob, segment.no_speech]);
            text.segments.push(TextSegment {
                start_secs,
                end_secs,
                text: segment.text.trim().to_owned(),
            });
        }
        if text.segments.is_empty() {
            return Err(Failure::new(ReasonCode::NoSpeech, "no word was understood"));
        }
        finite(features(data, text))
    }
}

/// A text with the numbers of its segments, `[segments, 2]`.
fn features(data: Vec<f32>, text: TimedText) -> Features {
    let time_secs = text.segments.iter().map(|segment| segment.start_secs).collect();
    Features { data, time_secs, text: Some(text) }
}

/// A text that was read, not heard.
fn as_written(text: TimedText) -> Result<Features, Failure> {
    if text.segments.is_empty() {
        return Err(Failure::new(ReasonCode::NoContent, "the text has no word"));
    }
    Ok(features(vec![0.0; text.segments.len() * DIM], text))
}

/// A subtitle track as text, if it says enough.
fn of_track(cues: &[Cue]) -> Option<TimedText> {
    let cues =
        cues.iter().map(|cue| (cue.start_secs as f32, cue.end_secs as f32, cue.text.clone()));
    let text = subtitles::of_cues(cues);
    (text.words().split_whitespace().count() >= MIN_TRACK_WORDS).then_some(text)
}

impl Encoder for Listener {
    fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    fn wants(&self) -> Vec<Want> {
        let audio = AudioSpec { rate_hz: RATE_HZ, max_secs: self.settings.max_secs };
        vec![Want::Audio(audio), Want::Subtitles]
    }

    fn prepare(&self, source: &SourceKind) -> Result<(), EncodeError> {
        if matches!(source, SourceKind::Text(_)) {
            return Ok(()); // it is read, not heard
        }
        let both = [self.settings.model.clone(), audio_events::MODEL.to_owned()];
        loaded(NAME, &self.networks).map(|_| ()).map_err(|error| error.naming_all(&both))
    }

    fn is_on_device(&self) -> bool {
        self.is_on_device
    }

    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        if let Input::Text(text) = input {
            return as_written(subtitles::parse(text));
        }
        match input.part::<Subtitles>(1).map(|track| of_track(&track.cues)) {
            Ok(Some(text)) => as_written(text),
            _ => self.hear(input.part::<Samples>(0)?),
        }
    }
}
