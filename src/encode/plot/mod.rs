//! The plot through a sentence transformer: one row a window of tokens.
//!
//! in: text; out: `[windows, dim]`, each of unit length.
//! source: Reimers and Gurevych 2019, Sentence-BERT; Wang et al. 2020, MiniLM.

use std::sync::Arc;

use base::{Digest, Fingerprint};
use catalog::Title;
use media::{Failure, ReasonCode, Want};
use nn::{
    ModelSource, OnDemand, Precision, SentenceBert,
    sentence_bert::{Architecture, Pooling},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::EncoderIdentity;

use super::{
    modality::{
        EncodeError, Encoder, EncoderContext, Features, Input, Modality, Opened, SourceKind,
    },
    network::finite,
    pretrained::{Pretrained, load, loaded},
    settings,
};

/// Raised whenever the same settings and weights give other numbers.
const ALGORITHM_VERSION: u32 = 1;
/// The modality's name; others have it read texts of theirs.
pub(super) const NAME: &str = "plot";

/// The plot text.
pub struct Plot;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    /// Sentence transformer: its id in the weights manifest, or the path of its folder.
    model: String,
    /// `f32`, `f16` or `bf16`: what the network computes in. Only a device gains by the last two.
    precision: Precision,
    /// Tokens of a window, the special ones and the prefix counted.
    window_tokens: usize,
    /// Tokens that a window shares with the one before.
    overlap_tokens: usize,
    /// At most so many windows of a text.
    max_windows: usize,
    /// How tokens become one vector; absent: as the model says, else their mean.
    pooling: Option<Pooling>,
    /// In front of every window, with the space at its end: what E5 and its like were trained with.
    prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: "all-minilm-l6-v2".to_owned(),
            precision: Precision::default(),
            window_tokens: 256,
            overlap_tokens: 32,
            max_windows: 32,
            pooling: None,
            prefix: String::new(),
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

    fn sources(&self, title: &Title, _settings: &Value) -> Vec<SourceKind> {
        let plot = title.plot.iter().filter(|text| !text.trim().is_empty());
        plot.cloned().map(SourceKind::Text).collect()
    }

    fn check(&self, given: &Value) -> Result<(), EncodeError> {
        settings::read::<Settings>(NAME, given)?.check()
    }

    fn open(&self, given: &Value, context: &EncoderContext) -> Result<Opened, EncodeError> {
        let settings: Settings = settings::read(NAME, given)?;
        settings.check()?;
        let model = Pretrained::named(NAME, &settings.model, context)?;
        let precision = settings.precision.of_floats().map_err(|e| load(NAME, e))?;
        let is_on_device = !model.device().is_cpu();
        let identity = |numbers: Numbers<'_>, weights: Digest, dim: usize| {
            let description = numbers.description(weights);
            let fingerprint = Fingerprint::of(&description);
            let (name, row_unit) = (NAME.to_owned(), "window of text".to_owned());
            EncoderIdentity { name, fingerprint, dim, row_unit, description }
        };
        let known = model.model().and_then(|known| Some((known.dim?, known.max_tokens?)));
        let (identity, network) = if let Some((dim, max_tokens)) = known {
            settings.check_window(max_tokens, model.source())?;
            // What the cache keeps under an id says nothing of pooling.
            let pooling = settings.pooling.unwrap_or_default();
            let numbers = Numbers::of(&settings, pooling, Named::Known { model: &settings.model });
            let prefix = settings.prefix.clone();
            let network = model.on_demand(move |files, device| {
                let network = SentenceBert::load_in(files, device, precision)?;
                Ok(network.with_prefix(&prefix).with_pooling(pooling))
            });
            (identity(numbers, model.digest()?, dim), network)
        } else {
            let files = model.files()?;
            let network = SentenceBert::load_in(&files, model.device(), precision)
                .map_err(|e| load(NAME, e))?
                .with_prefix(&settings.prefix);
            let pooling = settings.pooling.unwrap_or(network.pooling());
            let network = network.with_pooling(pooling);
            settings.check_window(network.max_tokens(), model.source())?;
            let named = match model.source() {
                ModelSource::Known(model) => Named::Known { model },
                ModelSource::Path(_) => Named::Path {
                    architecture: network.architecture(),
                    tokenizer_sha256: files.tokenizer_digest().map_err(|e| load(NAME, e))?,
                },
            };
            let numbers = Numbers::of(&settings, pooling, named);
            let identity = identity(numbers, files.digest, network.dim());
            (identity, OnDemand::from(Arc::new(network)))
        };
        let key = format!("texts {} {}", identity.fingerprint, context.device);
        let network = context.networks.get(key, || Ok::<_, EncodeError>(network))?;
        Ok(Opened::Encoder(Box::new(PlotEncoder { identity, settings, network, is_on_device })))
    }
}

impl Settings {
    fn check(&self) -> Result<(), EncodeError> {
        settings::expect(NAME, self.window_tokens >= 16, || {
            format!("`window_tokens` must be at least 16, got {}", self.window_tokens)
        })?;
        settings::expect(NAME, self.overlap_tokens * 2 < self.window_tokens, || {
            format!(
                "`overlap_tokens` must be less than half of `window_tokens`, got {}",
                self.overlap_tokens
            )
        })?;
        settings::expect(NAME, self.max_windows >= 1, || {
            "`max_windows` must be at least 1, got 0".to_owned()
        })
    }

    fn check_window(&self, max_tokens: usize, model: &ModelSource) -> Result<(), EncodeError> {
        settings::expect(NAME, self.window_tokens <= max_tokens, || {
            format!(
                "`window_tokens` must be at most {max_tokens} for {model}, got {}",
                self.window_tokens
            )
        })
    }
}

/// What the numbers depend on beside the weights. A key that came later is left out where it
/// says what was always so: stores and bundles from before stay good.
#[derive(Serialize)]
struct Numbers<'a> {
    window_tokens: usize,
    overlap_tokens: usize,
    max_windows: usize,
    #[serde(skip_serializing_if = "is_default")]
    pooling: Pooling,
    #[serde(skip_serializing_if = "is_default")]
    prefix: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    precision: Precision,
    #[serde(flatten)]
    model: Named<'a>,
}

/// An id pins all files of a model; a path pins none, and where they lie makes no number.
#[derive(Serialize)]
#[serde(untagged)]
enum Named<'a> {
    Known { model: &'a str },
    Path { architecture: &'a Architecture, tokenizer_sha256: Option<Digest> },
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<'a> Numbers<'a> {
    fn of(settings: &'a Settings, pooling: Pooling, model: Named<'a>) -> Self {
        Self {
            window_tokens: settings.window_tokens,
            overlap_tokens: settings.overlap_tokens,
            max_windows: settings.max_windows,
            pooling,
            prefix: &settings.prefix,
            precision: settings.precision,
            model,
        }
    }

    fn description(&self, weights: Digest) -> Value {
        json!({
            "algorithm": ALGORITHM_VERSION,
            "weights_sha256": weights,
            "settings": self,
        })
    }
}

struct PlotEncoder {
    identity: EncoderIdentity,
    settings: Settings,
    network: Arc<OnDemand<SentenceBert>>,
    is_on_device: bool,
}

impl Encoder for PlotEncoder {
    fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    fn wants(&self) -> Vec<Want> {
        Vec::new()
    }

    fn is_on_device(&self) -> bool {
        self.is_on_device
    }

    fn prepare(&self, _source: &SourceKind) -> Result<(), EncodeError> {
        loaded(NAME, &self.network).map(|_| ())
    }

    fn sentence_network(&self) -> Option<Arc<OnDemand<SentenceBert>>> {
        Some(Arc::clone(&self.network))
    }

    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        let text = input.text()?;
        let failed = |e: nn::NnError| Failure::new(ReasonCode::EncoderFailed, e.to_string());
        let network = self.network.get().map_err(failed)?;
        let mut windows = network
            .windows(text, self.settings.window_tokens, self.settings.overlap_tokens)
            .map_err(failed)?;
        windows.truncate(self.settings.max_windows);
        if windows.is_empty() {
            return Err(Failure::new(ReasonCode::NoContent, "the text has no token"));
        }
        let data = network.embed(&windows).map_err(failed)?;
        finite(Features::rows(data, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use base::DeviceChoice;
    use nn::weights::Manifest;

    use super::*;

    /// A tiny network, pooled by its first token; see `scripts/golden/text_networks.py`.
    const BERT: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/data/text_networks/bert");

    fn open(given: &Value) -> Result<Box<dyn Encoder>, EncodeError> {
        let mut settings = json!({ "model": BERT, "window_tokens": 80 });
        for (key, value) in given.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
        match Plot.open(&settings, &context)? {
            Opened::Encoder(encoder) => Ok(encoder),
            _ => panic!("text is no record"),
        }
    }

    fn fingerprint(given: &Value) -> String {
        open(given).unwrap().identity().fingerprint.as_str().to_owned()
    }

    fn copy_of_bert(folder: &Path) -> Value {
        fs::create_dir(folder.join("1_Pooling")).unwrap();
        for name in ["model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"]
        {
            fs::copy(Path::new(BERT).join(name), folder.join(name)).unwrap();
        }
        json!({ "model": folder })
    }

    /// Stores and the bundles that are shipped hold features under this fingerprint.
    #[test]
    fn the_default_encoder_is_the_one_that_it_always_was() {
        let settings = Settings::default();
        let manifest = Manifest::built_in();
        let named = Named::Known { model: &settings.model };
        let numbers = Numbers::of(&settings, settings.pooling.unwrap_or_default(), named);
        let weights = manifest.model(&settings.model).unwrap().files[0].sha256;
        let fingerprint = Fingerprint::of(&numbers.description(weights));
        assert_eq!(fingerprint.as_str(), "ecbaa0b2b59cf0df");
    }

    #[test]
    fn whatever_changes_the_numbers_changes_the_fingerprint() {
        let given = fingerprint(&json!({}));
        for change in [
            json!({"window_tokens": 79}),
            json!({"overlap_tokens": 31}),
            json!({"max_windows": 31}),
            json!({"pooling": "mean"}),
            json!({"pooling": "max"}),
            json!({"prefix": "query: "}),
            json!({"prefix": "query:"}),
            json!({"precision": "f16"}),
        ] {
            assert_ne!(fingerprint(&change), given, "{change}");
        }
        for file in ["tokenizer.json", "config.json", "1_Pooling/config.json"] {
            let folder = tempfile::tempdir().unwrap();
            let model = copy_of_bert(folder.path());
            let path = folder.path().join(file);
            let text = fs::read_to_string(&path).unwrap();
            let changed = text
                .replace("\"lowercase\":true", "\"lowercase\":false")
                .replace("\"lowercase\": true", "\"lowercase\": false")
                .replace("\"num_attention_heads\": 3", "\"num_attention_heads\": 2")
                .replace("\"cls\"", "\"mean\"");
            assert_ne!(changed, text, "{file}");
            fs::write(path, changed).unwrap();
            assert_ne!(fingerprint(&model), given, "{file}");
        }
    }

    #[test]
    fn nothing_else_changes_it() {
        let given = fingerprint(&json!({}));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(fingerprint(&copy_of_bert(folder.path())), given, "where it lies");
        assert_eq!(fingerprint(&json!({"pooling": "cls"})), given, "what the folder says anyway");
        assert_eq!(fingerprint(&json!({"prefix": ""})), given);
        assert_eq!(fingerprint(&json!({"precision": "f32"})), given);
    }

    #[test]
    fn rows_are_those_of_the_windows() {
        let encoder = open(&json!({"max_windows": 2, "prefix": "query: "})).unwrap();
        assert_eq!(encoder.identity().dim, 24);
        let features = |text: &str| encoder.encode(Input::Text(text)).unwrap().data;
        assert_eq!(features("a ghost").len(), 24);
        assert_eq!(features(&"a ghost ".repeat(100)).len(), 2 * 24);
        let nothing = encoder.encode(Input::Text(" ")).unwrap_err();
        assert_eq!(nothing.code, ReasonCode::NoContent);
    }

    #[test]
    fn settings_that_cannot_be_are_refused_with_what_can() {
        for (settings, words) in [
            (json!({"window_tokens": 8}), "`window_tokens` must be at least 16, got 8"),
            (json!({"window_tokens": 161}), "`window_tokens` must be at most 160"),
            (json!({"overlap_tokens": 40}), "less than half of `window_tokens`, got 40"),
            (json!({"max_windows": 0}), "`max_windows`"),
            (json!({"precision": "f8"}), "unknown variant `f8`, expected one of `f32`"),
            (json!({"pooling": "median"}), "unknown variant `median`, expected one of `mean`"),
        ] {
            let message = open(&settings).err().unwrap().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
