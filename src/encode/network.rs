//! The image network that the picture modalities share.
//!
//! in: `[rows, side, side, 3]` bytes; out: `[rows, dim]`.

use std::sync::Arc;

use base::Digest;
use media::{Failure, Picture, ReasonCode};
use nn::{ImageEncoder, ModelSource, OnDemand, Precision, image_encoder::Traits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    modality::{EncodeError, EncoderContext, Features},
    pretrained::{Pretrained, load, loaded},
    zero_shot::{self, ZeroShot},
};

/// An image network, loaded with the first picture, and what its fingerprint needs.
pub(super) struct ImageNetwork {
    modality: &'static str,
    network: Arc<OnDemand<ImageEncoder>>,
    traits: Traits,
    weights: Digest,
    /// What the fingerprint calls the model: its id; of one named by a path the digest of its
    /// weights, since it does not matter where they lie.
    model: String,
    precision: Precision,
    is_on_device: bool,
    zero_shot: Option<ZeroShot>,
}

/// Which network an image encoder shares.
fn key(model: &Pretrained, weights: &Digest, precision: Precision) -> String {
    let (source, device) = (model.source(), model.device());
    format!("pictures {source} {weights} {precision:?} {:?}", device.location())
}

/// What a pipeline says of an image network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ImageSettings {
    /// Image network: of the weights manifest, or a path to weights of your own.
    model: String,
    /// `f32`, `f16` or `bf16`: what it computes in. Only a device gains by the last two.
    precision: Precision,
    /// With a CLIP: genres in words; a row gains how well the picture fits each.
    zero_shot: Vec<String>,
    /// With `zero_shot`: sentences in which {} is the genre; several are averaged.
    prompts: Vec<String>,
}

impl ImageSettings {
    /// The usual network, for genres in such a sentence.
    pub(super) fn new(prompt: &str) -> Self {
        Self {
            model: "efficientnet-lite2".to_owned(),
            precision: Precision::default(),
            zero_shot: Vec::new(),
            prompts: vec![prompt.to_owned()],
        }
    }

    /// Checks what can be checked without weights.
    ///
    /// # Errors
    /// Genres in words or prompts that are none.
    pub(super) fn check(&self, modality: &str) -> Result<(), EncodeError> {
        zero_shot::check(modality, &self.zero_shot, &self.prompts)
    }
}

impl ImageNetwork {
    /// The model that the settings of `modality` name. One that the manifest describes is not loaded
    /// yet; another is, and so is one that compares pictures with words.
    ///
    /// # Errors
    /// No such model; no such device or precision; genres in words, but no CLIP; files that are not
    /// there, of a model that is loaded.
    pub(super) fn open(
        modality: &'static str,
        settings: &ImageSettings,
        context: &EncoderContext,
    ) -> Result<Self, EncodeError> {
        let ImageSettings { model, precision, zero_shot, prompts } = settings;
        let model = Pretrained::named(modality, model, context)?;
        let precision = (*precision).of_floats().map_err(|e| load(modality, e))?;
        let known = model.model().and_then(|model| Traits::of_network(&model.network, precision));
        let (weights, traits, network, zero_shot) = match known {
            Some(traits) if zero_shot.is_empty() => {
                let weights = model.digest()?;
                let network = context.networks.get(key(&model, &weights, precision), || {
                    Ok::<_, EncodeError>(model.on_demand(move |files, device| {
                        ImageEncoder::load_in(files, device, precision)
                    }))
                })?;
                (weights, traits, network, None)
            }
            _ => {
                let files = model.files()?;
                let network =
                    context.networks.get(key(&model, &files.digest, precision), || {
                        let network = ImageEncoder::load_in(&files, model.device(), precision)
                            .map_err(|e| load(modality, e))?;
                        Ok::<_, EncodeError>(OnDemand::from(Arc::new(network)))
                    })?;
                let zero_shot = ZeroShot::open(modality, zero_shot, prompts, &files)?;
                let traits = loaded(modality, &network)?.traits().clone();
                (files.digest, traits, network, zero_shot)
            }
        };
        let is_on_device = !model.device().is_cpu();
        let model = match model.source() {
            ModelSource::Known(id) => id.clone(),
            ModelSource::Path(_) => weights.to_string(),
        };
        Ok(Self { modality, network, traits, weights, model, precision, is_on_device, zero_shot })
    }

    /// The network, loaded.
    ///
    /// # Errors
    /// Its weights are not there, or are another network's.
    pub(super) fn loaded(&self) -> Result<Arc<ImageEncoder>, EncodeError> {
        loaded(self.modality, &self.network)
    }

    /// Side of the input, pixels.
    pub(super) fn side_px(&self) -> u32 {
        self.traits.side_px as u32
    }

    /// Numbers of a row: the embedding, and a logit for each genre in words.
    pub(super) fn dim(&self) -> usize {
        self.traits.dim + self.zero_shot.as_ref().map_or(0, ZeroShot::num_labels)
    }

    /// Whether a device computes.
    pub(super) fn is_on_device(&self) -> bool {
        self.is_on_device
    }

    /// What the fingerprint must cover.
    pub(super) fn description(&self) -> Value {
        let mut description = json!({
            "model": self.model,
            "weights_sha256": self.weights,
            "side_px": self.side_px(),
        });
        if !self.traits.description.is_null() {
            description["network"] = self.traits.description.clone();
        }
        if self.precision != Precision::default() {
            description["precision"] = json!(self.precision);
        }
        description
    }

    /// A modality's settings as its fingerprint has them: the model by its name; no precision,
    /// which stands in the [`description`](Self::description) where it changes numbers; and no
    /// prompts where no genres stand in them.
    pub(super) fn named(&self, settings: &impl Serialize) -> Value {
        let mut settings = json!(settings);
        if let Some(table) = settings.as_object_mut() {
            table["model"] = json!(self.model);
            table.shift_remove("precision");
            if self.zero_shot.is_none() {
                table.shift_remove("zero_shot");
                table.shift_remove("prompts");
            }
        }
        settings
    }

    /// Embeds pictures of `side_px`.
    ///
    /// # Errors
    /// No weights; a picture of another size; the device failed; a number that is not finite.
    pub(super) fn embed<'a>(
        &self,
        pictures: impl IntoIterator<Item = &'a Picture>,
        time_secs: Vec<f32>,
    ) -> Result<Features, Failure> {
        let failed = |what: String| Failure::new(ReasonCode::EncoderFailed, what);
        let network = self.network.get().map_err(|e| failed(e.to_string()))?;
        let mut data = Vec::new();
        let mut batch = Vec::new();
        let side = self.side_px();
        let mut pictures = pictures.into_iter().peekable();
        while let Some(picture) = pictures.next() {
            if (picture.width, picture.height) != (side, side) {
                return Err(failed(format!(
                    "picture is {}×{}, the network wants {side}×{side}",
                    picture.width, picture.height
                )));
            }
            batch.extend_from_slice(&picture.rgb);
            if batch.len() == network.batch() * picture.rgb.len() || pictures.peek().is_none() {
                let rows = network.embed(&batch).map_err(|e| failed(e.to_string()))?;
                match &self.zero_shot {
                    Some(zero_shot) => data.extend(zero_shot.extend(&rows, self.traits.dim)),
                    None => data.extend(rows),
                }
                batch.clear();
            }
        }
        finite(Features::rows(data, time_secs))
    }
}

/// The features, if all are finite.
///
/// # Errors
/// One is not.
pub(super) fn finite(features: Features) -> Result<Features, Failure> {
    match features.data.iter().position(|x| !x.is_finite()) {
        None => Ok(features),
        Some(idx) => Err(Failure::new(
            ReasonCode::NotFinite,
            format!("value {idx} is {}", features.data[idx]),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use base::DeviceChoice;

    use super::*;
    use crate::{Modality, Opened, poster::Poster};

    const FILES: [&str; 3] = ["model.safetensors", "config.json", "preprocessor_config.json"];

    fn fingerprint(model: &Path) -> (String, usize) {
        fingerprint_in(model, &json!({}))
    }

    fn fingerprint_in(model: &Path, given: &Value) -> (String, usize) {
        let context = EncoderContext { device: DeviceChoice::Cpu, ..EncoderContext::default() };
        let mut settings = json!({ "model": model.display().to_string() });
        settings.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        let Opened::Encoder(encoder) = Poster.open(&settings, &context).unwrap() else {
            panic!("a poster is encoded");
        };
        let identity = encoder.identity();
        (identity.fingerprint.to_string(), identity.dim)
    }

    #[test]
    fn modalities_that_look_through_one_network_load_it_once() {
        let nowhere = || EncoderContext {
            device: DeviceChoice::Cpu,
            weights_dir: Some("/nowhere".into()),
            ..EncoderContext::default()
        };
        let open = |modality, precision, context: &EncoderContext| {
            let model = "efficientnet-lite0";
            let settings =
                ImageSettings { model: model.to_owned(), precision, ..ImageSettings::new("{}") };
            ImageNetwork::open(modality, &settings, context).unwrap().network
        };
        let (context, other) = (nowhere(), nowhere());
        let poster = open("poster", Precision::F32, &context);
        assert!(Arc::ptr_eq(&poster, &open("frames", Precision::F32, &context.clone())));
        assert!(!Arc::ptr_eq(&poster, &open("frames", Precision::Bf16, &context)));
        assert!(!Arc::ptr_eq(&poster, &open("frames", Precision::F32, &other)));
    }

    #[test]
    fn the_fingerprint_of_a_path_covers_what_changes_numbers_and_nothing_else() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/golden/data/image_encoders/dinov2");
        let (expected, dim) = fingerprint(&golden);
        assert_eq!(dim, 24, "the network's own, not EfficientNet's");

        let in_precision = |name| fingerprint_in(&golden, &json!({ "precision": name })).0;
        assert_eq!(in_precision("f32"), expected);
        assert_ne!(in_precision("f16"), expected);

        let copy = tempfile::tempdir().unwrap();
        let restore = || {
            for name in FILES {
                fs::copy(golden.join(name), copy.path().join(name)).unwrap();
            }
        };
        let changed = |name: &str, from: &str, to: &str| {
            restore();
            let path = copy.path().join(name);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{name}: {text}");
            fs::write(&path, text.replace(from, to)).unwrap();
            fingerprint(copy.path()).0
        };
        restore();
        assert_eq!(fingerprint(copy.path()).0, expected, "wherever it lies");
        assert_eq!(changed("config.json", "\"transformers_version\"", "\"version\""), expected);

        let [_, config, pixels] = FILES;
        assert_ne!(changed(config, "\"gelu\"", "\"quick_gelu\""), expected);
        assert_ne!(changed(config, "1e-06", "1e-05"), expected);
        assert_ne!(changed(pixels, ": 98", ": 84"), expected);
        assert_ne!(
            changed(pixels, "\"do_center_crop\"", "\"image_mean\": [0, 0, 0], \"do_center_crop\""),
            expected
        );
        restore();
        let weights = copy.path().join(FILES[0]);
        let mut bytes = fs::read(&weights).unwrap();
        let last = bytes.len() - 4;
        bytes[last] ^= 1;
        fs::write(&weights, bytes).unwrap();
        assert_ne!(fingerprint(copy.path()).0, expected);
    }
}
