//! Whisper: what is said in a sound, and when.
//!
//! in: 16 kHz mono samples of any length; out: texts with their times. Windows of half a minute are
//! decoded greedily by the reference's rules, each from where the last text of the one before
//! ended; the text before a window is not given to it. Nothing is random.
//! source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision".
//! reference: `openai-whisper` 20250625; `faster-whisper` 1.2.1 on `ctranslate2` 4.8.5, with
//! `beam_size=1, temperature=0, condition_on_previous_text=False`.

mod config;
mod decoder;
mod encoder;
mod layers;
mod log_mel;
mod network;
mod plain;
mod rules;
mod segments;
#[cfg(test)]
mod tests;
mod tokens;
mod window;

use std::path::Path;

use candle_core::Device;

use base::file;

pub use log_mel::RATE_HZ;
pub use window::Window;

use self::{
    config::{Config, Dimensions},
    log_mel::LogMel,
    network::Network,
    segments::{secs, split},
    tokens::Tokens,
    window::{Prompt, decode},
};
use super::{ModelFiles, NnError, Precision, on_device::Place};

/// The default model in the weights manifest: English, the quickest.
pub const MODEL: &str = "whisper-tiny.en";
/// The model in the weights manifest that knows 99 languages.
pub const MULTILINGUAL_MODEL: &str = "whisper-base";

/// A loaded network; `transcribe` may be called from many threads, each call computes on its own.
pub struct Whisper {
    network: Network,
    dimensions: Dimensions,
    tokens: Tokens,
    log_mel: LogMel,
}

/// How to listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhisperSettings {
    /// What is spoken, as ISO 639-1 has it (`en`); none: the first window tells.
    pub language: Option<String>,
    /// Write English whatever is spoken.
    pub translate: bool,
}

/// A text.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Where it begins.
    pub start_secs: f32,
    /// Where it ends, after `start_secs`.
    pub end_secs: f32,
    /// Never empty, no space around it.
    pub text: String,
    /// Probability that nobody speaks, of the whole window.
    pub no_speech: f32,
    /// Mean log-probability of the window's tokens: below −1 the text is mostly guessed.
    pub avg_logprob: f32,
}

/// All that was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// What is spoken, as ISO 639-1 has it (three letters where that has none); `en` of networks
    /// that know English only; none of a sound too short for a window.
    pub language: Option<String>,
    /// In order.
    pub segments: Vec<Segment>,
}

impl Whisper {
    /// Loads weights, `tokenizer.json` and `config.json`. Where a processor has no instructions for
    /// 8 bits, [`Precision::Int8`] computes in f32; f16 is slow on the processor.
    ///
    /// # Errors
    /// [`NnError::Load`] where a file is missing or belongs to another network; [`NnError::NoInt8`]
    /// on other devices.
    pub fn load(
        files: &ModelFiles,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, NnError> {
        Self::read(files, device, precision, false)
    }

    /// As [`load`](Self::load) in f32, but in candle's operators on the processor, too: what our
    /// kernels are tested against.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_plain(files: &ModelFiles, device: &Device) -> Result<Self, NnError> {
        Self::read(files, device, Precision::F32, true)
    }

    fn read(
        files: &ModelFiles,
        device: &Device,
        precision: Precision,
        plain: bool,
    ) -> Result<Self, NnError> {
        if precision == Precision::Int8 && !device.is_cpu() {
            return Err(NnError::NoInt8);
        }
        let missing = |name: &str| refuse(&files.weights, format!("there is no {name} beside it"));
        let path = files.config.as_ref().ok_or_else(|| missing("config.json"))?;
        let config: Config = file::read(path)
            .map_err(|e| e.to_string())
            .and_then(|text| serde_json::from_slice(&text).map_err(|e| e.to_string()))
            .map_err(|message| refuse(path, message))?;
        let place = Place::new(device, precision);
        let (network, dimensions) =
            Network::load(&files.weights, place, plain, |tensors| Dimensions::of(&config, tensors))
                .map_err(|e| {
                    let message = e.to_string().lines().next().unwrap_or_default().to_owned();
                    refuse(&files.weights, message)
                })?;
        let path = files.tokenizer.as_ref().ok_or_else(|| missing("tokenizer.json"))?;
        let tokens = Tokens::read(path, &config, dimensions.vocabulary)
            .map_err(|message| refuse(path, message))?;
        let log_mel = LogMel::new(Network::isa(), dimensions.mels);
        Ok(Self { network, dimensions, tokens, log_mel })
    }

    /// Whether it knows other languages than English.
    #[must_use]
    pub fn is_multilingual(&self) -> bool {
        self.tokens.is_multilingual
    }

    /// What is said in 16 kHz mono samples of any length. Times are counted from the first sample.
    /// Silence and sounds shorter than 10 ms give no segments.
    ///
    /// # Errors
    /// [`NnError::Input`] where the language is not known; [`NnError::Compute`] where the device
    /// fails.
    pub fn transcribe(
        &self,
        samples: &[f32],
        settings: &WhisperSettings,
    ) -> Result<Transcript, NnError> {
        let (language, windows) = self.listen(samples, settings)?;
        let mut segments = Vec::new();
        for window in &windows {
            for piece in split(&self.tokens, window).0 {
                let text = self.tokens.text(&piece.tokens).map_err(NnError::Input)?;
                if !text.is_empty() && piece.begin < piece.end {
                    segments.push(Segment {
                        start_secs: secs(piece.begin),
                        end_secs: secs(piece.end),
                        text,
                        no_speech: window.no_speech,
                        avg_logprob: window.avg_logprob,
                    });
                }
            }
        }
        Ok(Transcript { language, segments })
    }

    /// As [`transcribe`](Self::transcribe), the language and the tokens of each window.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    pub fn listen(
        &self,
        samples: &[f32],
        settings: &WhisperSettings,
    ) -> Result<(Option<String>, Vec<Window>), NnError> {
        let mut prompt =
            Prompt { language: self.language(settings)?, translate: settings.translate };
        let mels = self.log_mels(samples);
        let Dimensions { mels: num_mels, text_positions, .. } = self.dimensions;
        let window_frames = self.dimensions.window_frames();
        let num_frames = mels.len() / num_mels;
        let mut windows = Vec::new();
        let mut first = 0;
        while first < num_frames {
            let frames = window_frames.min(num_frames - first);
            let mut sound = mels[first * num_mels..][..frames * num_mels].to_vec();
            sound.resize(window_frames * num_mels, 0.0);
            let isa = Network::isa();
            let window = self.network.listen(&sound, num_mels, |decoder| {
                let place = (first, frames);
                decode(&self.tokens, isa, &mut prompt, place, text_positions / 2, decoder)
            })?;
            first = split(&self.tokens, &window).1;
            windows.push(window);
        }
        let known = |id| self.tokens.languages.iter().find(|(known, _)| *known == id);
        let language = match prompt.language {
            Some(id) => known(id).map(|(_, code)| code.clone()),
            None => (!self.tokens.is_multilingual).then(|| "en".to_owned()),
        };
        Ok((language, windows))
    }

    /// What the encoder is given: `[frames, mels]`, a frame for each 10 ms.
    #[must_use]
    pub fn log_mels(&self, samples: &[f32]) -> Vec<f32> {
        self.log_mel.frames(samples)
    }

    /// The encoder's `[positions, dim]` of a window's mels; fewer than fill it are followed by
    /// zeros, as the reference has it.
    ///
    /// # Errors
    /// [`NnError::Input`] where they are too many or no whole frames.
    pub fn encode(&self, log_mels: &[f32]) -> Result<Vec<f32>, NnError> {
        let len = self.dimensions.window_frames() * self.dimensions.mels;
        if log_mels.len() > len || !log_mels.len().is_multiple_of(self.dimensions.mels) {
            return Err(NnError::Input(format!(
                "a window has at most {} frames of {} mels, got {} numbers",
                self.dimensions.window_frames(),
                self.dimensions.mels,
                log_mels.len()
            )));
        }
        let mut window = log_mels.to_vec();
        window.resize(len, 0.0);
        Ok(self.network.encode(&window, self.dimensions.mels)?)
    }

    fn language(&self, settings: &WhisperSettings) -> Result<Option<u32>, NnError> {
        let Some(code) = &settings.language else { return Ok(None) };
        if !self.tokens.is_multilingual {
            let message = format!("this network knows English only, not {code:?}");
            return if code == "en" { Ok(None) } else { Err(NnError::Input(message)) };
        }
        let known = || {
            let codes: Vec<&str> =
                self.tokens.languages.iter().map(|(_, code)| code.as_str()).collect();
            NnError::Input(format!("unknown language {code:?}: known are {}", codes.join(", ")))
        };
        self.tokens.language(code).map(Some).ok_or_else(known)
    }
}

fn refuse(path: &Path, message: String) -> NnError {
    NnError::Load { path: path.to_owned(), network: "Whisper".to_owned(), message }
}
