//! Frames of the trailer through an image network: one row a frame.
//!
//! in: a film; out: `[frames, dim]` with times in seconds.

mod shots;

use base::Fingerprint;
use catalog::Title;
use media::{Failure, Fit, FrameSpec, Keyframes, ReasonCode, Want};
use nn::transnet_v2;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::EncoderIdentity;

use self::shots::ShotNetwork;
use super::{
    modality::{
        EncodeError, Encoder, EncoderContext, Features, Input, Modality, Opened, SourceKind,
    },
    network::{ImageNetwork, ImageSettings},
    settings,
};

/// Raised whenever the same settings and weights give other numbers.
const ALGORITHM_VERSION: u32 = 3;
const NAME: &str = "frames";

/// The trailer's keyframes.
pub struct Frames;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sampling {
    Keyframes,
    Uniform,
    Shots,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Detector {
    Content,
    TransNetV2,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    /// What computes the rows.
    #[serde(flatten)]
    image: ImageSettings,
    /// `keyframes` (of the encoder's choice; by far the cheapest), `uniform` (one every
    /// `every_secs`) or `shots` (one of each shot).
    sampling: Sampling,
    /// With `shots`: `content` (compares neighbouring frames while they are decoded) or
    /// `transnetv2` (a network; finds fades and dissolves too, decodes twice and takes some 30 ms
    /// of a processor a frame). Films of more than 20,000 frames are left to `content` and marked.
    detector: Detector,
    /// With `uniform`: seconds from one frame to the next.
    every_secs: f64,
    /// At most so many frames, spread over the film.
    max_frames: usize,
    /// Black bars above and below or at the sides of the film's picture are cropped.
    crop_bars: bool,
    /// How a wide frame is brought to the square input.
    fit: Fit,
    /// Mean luma (0..255) below which a frame is black.
    black_luma: f32,
    /// Mean luma difference (0..255) to the frame kept before, below which it is a duplicate.
    duplicate_luma: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image: ImageSettings::new("a scene of a {} film"),
            sampling: Sampling::Keyframes,
            detector: Detector::Content,
            every_secs: 2.0,
            max_frames: 32,
            crop_bars: true,
            fit: Fit::Stretch,
            black_luma: 12.0,
            duplicate_luma: 3.0,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), EncodeError> {
        settings::expect(NAME, (1..=4096).contains(&self.max_frames), || {
            format!("`max_frames` must be between 1 and 4096, got {}", self.max_frames)
        })?;
        settings::expect(NAME, (0.04..=3600.0).contains(&self.every_secs), || {
            format!("`every_secs` must be between 0.04 and 3600 s, got {}", self.every_secs)
        })?;
        self.image.check(NAME)
    }

    fn has_shot_network(&self) -> bool {
        (self.sampling, self.detector) == (Sampling::Shots, Detector::TransNetV2)
    }
}

impl Modality for Frames {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "frames of the trailer (keyframes, evenly spaced, or one a shot), embedded by an image network"
    }

    fn defaults(&self) -> Value {
        settings::defaults::<Settings>()
    }

    fn weights(&self, given: &Value) -> Vec<String> {
        let mut ids = settings::models(&self.defaults(), given);
        let settings: Settings = settings::read(NAME, given).unwrap_or_default();
        ids.extend(settings.has_shot_network().then(|| transnet_v2::MODEL.to_owned()));
        ids
    }

    fn sources(&self, title: &Title, _settings: &Value) -> Vec<SourceKind> {
        title.trailers.iter().cloned().map(SourceKind::File).collect()
    }

    fn check(&self, given: &Value) -> Result<(), EncodeError> {
        settings::read::<Settings>(NAME, given)?.check()
    }

    fn open(&self, given: &Value, context: &EncoderContext) -> Result<Opened, EncodeError> {
        let settings: Settings = settings::read(NAME, given)?;
        settings.check()?;
        let network = ImageNetwork::open(NAME, &settings.image, context)?;
        let shots = settings.has_shot_network().then(|| ShotNetwork::open(NAME, context));
        let shots = shots.transpose()?;
        let description = json!({
            "algorithm": ALGORITHM_VERSION,
            "network": network.description(),
            "shots": shots.as_ref().map(ShotNetwork::description),
            "settings": network.named(&settings),
        });
        let identity = EncoderIdentity {
            name: NAME.to_owned(),
            fingerprint: Fingerprint::of(&description),
            dim: network.dim(),
            row_unit: "frame".to_owned(),
            description,
        };
        Ok(Opened::Encoder(Box::new(FrameEncoder { identity, settings, network, shots })))
    }
}

struct FrameEncoder {
    identity: EncoderIdentity,
    settings: Settings,
    network: ImageNetwork,
    /// Where the network says which shots there are.
    shots: Option<ShotNetwork>,
}

impl FrameEncoder {
    fn spec(&self, sampling: media::Sampling) -> FrameSpec {
        FrameSpec {
            sampling,
            side_px: self.network.side_px(),
            fit: self.settings.fit,
            every_secs: self.settings.every_secs,
            crop_bars: self.settings.crop_bars,
            max_frames: self.settings.max_frames,
            black_luma: self.settings.black_luma,
            duplicate_luma: self.settings.duplicate_luma,
        }
    }
}

impl Encoder for FrameEncoder {
    fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::Frames(self.spec(match self.settings.sampling {
            Sampling::Keyframes => media::Sampling::Keyframes,
            Sampling::Uniform => media::Sampling::Uniform,
            Sampling::Shots if self.shots.is_some() => media::Sampling::Preview,
            Sampling::Shots => media::Sampling::Shots,
        }))]
    }

    fn want_again(
        &self,
        frames: Result<&Keyframes, &Failure>,
    ) -> Result<Option<FrameSpec>, Failure> {
        let Some(shots) = &self.shots else { return Ok(None) };
        let sampling = match frames {
            Ok(Keyframes { preview: Some(preview), .. }) => {
                media::Sampling::ShotsAt(shots.begins_secs(preview)?)
            }
            Err(failure) if failure.code == ReasonCode::TooLarge => media::Sampling::Shots,
            _ => return Ok(None),
        };
        Ok(Some(self.spec(sampling)))
    }

    fn prepare(&self, _source: &SourceKind) -> Result<(), EncodeError> {
        self.network.loaded()?;
        self.shots.as_ref().map_or(Ok(()), |shots| shots.loaded().map(|_| ()))
    }

    fn is_on_device(&self) -> bool {
        self.network.is_on_device()
    }

    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        let frames: &Keyframes = input.part(0)?;
        let time_secs = frames.kept.iter().map(|frame| frame.time_secs as f32).collect();
        self.network.embed(frames.kept.iter().map(|frame| &frame.picture), time_secs)
    }
}
