//! The plot through a sentence transformer: one row a window of tokens.
//!
//! in: text; out: `[windows, 384]`, each of unit length.
//! source: Reimers and Gurevych 2019, Sentence-BERT; Wang et al. 2020, MiniLM.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    modality::{
        EncodeError, Encoder, EncoderContext, Features, Input, Modality, Opened, SourceKind, Want,
    },
    network::{finite, load},
    settings,
};
use crate::{
    base::Fingerprint,
    catalog::Title,
    media::{Failure, ReasonCode},
    nn::{device, sentence_bert::SentenceBert, weights::WeightCache},
    store::EncoderIdentity,
};

/// Raised whenever the same settings and weights give other numbers.
const ALGORITHM_VERSION: u32 = 1;
const NAME: &str = "plot";

/// The plot text.
pub struct Plot;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    /// Sentence transformer of the weights manifest.
    model: String,
    /// Tokens of a window, the two special ones counted.
    window_tokens: usize,
    /// Tokens that a window shares with the one before.
    overlap_tokens: usize,
    /// At most so many windows of a text.
    max_windows: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: "all-minilm-l6-v2".to_owned(),
            window_tokens: 256,
            overlap_tokens: 32,
            max_windows: 32,
        }
    }
}

impl Modality for Plot {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "the plot text, embedded by a sentence transformer in windows"
    }

    fn defaults(&self) -> Value {
        settings::defaults::<Settings>()
    }

    fn source(&self, title: &Title) -> Option<SourceKind> {
        title.plot.clone().filter(|text| !text.trim().is_empty()).map(SourceKind::Text)
    }

    fn open(&self, given: &Value, context: &EncoderContext) -> Result<Opened, EncodeError> {
        let settings: Settings = settings::read(NAME, given)?;
        settings::expect(NAME, (16..=512).contains(&settings.window_tokens), || {
            format!("`window_tokens` must be between 16 and 512, got {}", settings.window_tokens)
        })?;
        settings::expect(NAME, settings.overlap_tokens * 2 < settings.window_tokens, || {
            format!(
                "`overlap_tokens` must be less than half of `window_tokens`, got {}",
                settings.overlap_tokens
            )
        })?;
        settings::expect(NAME, settings.max_windows >= 1, || {
            "`max_windows` must be at least 1, got 0".to_owned()
        })?;
        let cache = WeightCache::open(context.weights_dir.clone()).map_err(|e| load(NAME, e))?;
        let files = cache.require(&settings.model).map_err(|e| load(NAME, e))?;
        let (device, _) = device::resolve(context.device).map_err(|e| load(NAME, e))?;
        let network = SentenceBert::load(&files, &device).map_err(|e| load(NAME, e))?;
        let description = json!({
            "algorithm": ALGORITHM_VERSION,
            "weights_sha256": files.digest,
            "settings": settings,
        });
        let identity = EncoderIdentity {
            name: NAME.to_owned(),
            fingerprint: Fingerprint::of(&description),
            dim: network.dim(),
            row_unit: "window of text".to_owned(),
            description,
        };
        Ok(Opened::Encoder(Box::new(PlotEncoder { identity, settings, network })))
    }
}

struct PlotEncoder {
    identity: EncoderIdentity,
    settings: Settings,
    network: SentenceBert,
}

impl Encoder for PlotEncoder {
    fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    fn want(&self) -> Want {
        Want::Text
    }

    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        let Input::Text(text) = input else {
            return Err(Failure::new(ReasonCode::EncoderFailed, "expected text"));
        };
        let failed = |e: crate::nn::NnError| Failure::new(ReasonCode::EncoderFailed, e.to_string());
        let mut windows = self
            .network
            .windows(text, self.settings.window_tokens, self.settings.overlap_tokens)
            .map_err(failed)?;
        windows.truncate(self.settings.max_windows);
        if windows.is_empty() {
            return Err(Failure::new(ReasonCode::NoContent, "the text has no token"));
        }
        let data = self.network.embed(&windows).map_err(failed)?;
        finite(Features { data, time_secs: Vec::new() })
    }
}
