//! The poster through an image network: one row.
//!
//! in: a still picture; out: `[1, dim]`.

use base::Fingerprint;
use catalog::Title;
use media::{Failure, Fit, Picture, PictureSpec, Want};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::EncoderIdentity;

use super::{
    modality::{
        EncodeError, Encoder, EncoderContext, Features, Input, Modality, Opened, SourceKind,
    },
    network::{ImageNetwork, ImageSettings},
    settings,
};

/// Raised whenever the same settings and weights give other numbers.
const ALGORITHM_VERSION: u32 = 1;
const NAME: &str = "poster";

/// The poster.
pub struct Poster;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    /// What computes the row.
    #[serde(flatten)]
    image: ImageSettings,
    /// How a tall picture is brought to the square input. Stretching loses none of it.
    fit: Fit,
}

impl Default for Settings {
    fn default() -> Self {
        Self { image: ImageSettings::new("a poster of a {} film"), fit: Fit::Stretch }
    }
}

impl Modality for Poster {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "the poster, embedded by an image network"
    }

    fn defaults(&self) -> Value {
        settings::defaults::<Settings>()
    }

    fn sources(&self, title: &Title, _settings: &Value) -> Vec<SourceKind> {
        title.poster.iter().cloned().map(SourceKind::File).collect()
    }

    fn check(&self, given: &Value) -> Result<(), EncodeError> {
        settings::read::<Settings>(NAME, given)?.image.check(NAME)
    }

    fn open(&self, given: &Value, context: &EncoderContext) -> Result<Opened, EncodeError> {
        let settings: Settings = settings::read(NAME, given)?;
        let network = ImageNetwork::open(NAME, &settings.image, context)?;
        let description = json!({
            "algorithm": ALGORITHM_VERSION,
            "network": network.description(),
            "settings": network.named(&settings),
        });
        let identity = EncoderIdentity {
            name: NAME.to_owned(),
            fingerprint: Fingerprint::of(&description),
            dim: network.dim(),
            row_unit: "picture".to_owned(),
            description,
        };
        Ok(Opened::Encoder(Box::new(PosterEncoder { identity, settings, network })))
    }
}

struct PosterEncoder {
    identity: EncoderIdentity,
    settings: Settings,
    network: ImageNetwork,
}

impl Encoder for PosterEncoder {
    fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    fn wants(&self) -> Vec<Want> {
        let (side_px, fit) = (self.network.side_px(), self.settings.fit);
        vec![Want::Picture(PictureSpec { side_px, fit })]
    }

    fn prepare(&self, _source: &SourceKind) -> Result<(), EncodeError> {
        self.network.loaded().map(|_| ())
    }

    fn is_on_device(&self) -> bool {
        self.network.is_on_device()
    }

    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        self.network.embed([input.part::<Picture>(0)?], Vec::new())
    }
}
