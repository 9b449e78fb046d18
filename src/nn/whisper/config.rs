//! How large a Whisper network is, and what its settings file says about tokens.
//!
//! in: `config.json` as the hub or `CTranslate2` has it, and the tensors' shapes; out: sizes.
//! Shapes are taken from the tensors, so that both kinds of settings will do.
//! source: `transformers`, `WhisperConfig`; `CTranslate2` 4.8, `converters/transformers.py`.

use std::collections::HashMap;

use candle_core::{DType, Tensor};
use serde::Deserialize;

/// More than any network has.
const MAX_LAYERS: usize = 256;

/// Sizes of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dimensions {
    pub(super) mels: usize,
    pub(super) dim: usize,
    pub(super) encoder_heads: usize,
    pub(super) decoder_heads: usize,
    pub(super) encoder_layers: usize,
    pub(super) decoder_layers: usize,
    /// Positions of sound; each is two frames of mels.
    pub(super) sound_positions: usize,
    /// Positions of text.
    pub(super) text_positions: usize,
    pub(super) vocabulary: usize,
}

/// What we read of `config.json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Config {
    encoder_attention_heads: Option<usize>,
    decoder_attention_heads: Option<usize>,
    /// Tokens that are never said.
    #[serde(alias = "suppress_ids")]
    pub(super) suppress_tokens: Option<Vec<u32>>,
    /// Tokens that are not said first.
    #[serde(alias = "suppress_ids_begin")]
    pub(super) begin_suppress_tokens: Option<Vec<u32>>,
    /// Whether languages are told apart; else the size of the vocabulary tells.
    pub(super) is_multilingual: Option<bool>,
}

impl Dimensions {
    /// # Errors
    /// Tensors are missing, their shapes do not fit, or the heads do not divide the width.
    pub(super) fn of(
        config: &Config,
        tensors: &HashMap<String, Tensor>,
    ) -> candle_core::Result<Self> {
        let shape = |name: &str, rank: usize| match tensors.get(name) {
            Some(tensor) if tensor.dims().len() == rank => Ok(tensor.dims()),
            Some(tensor) => candle_core::bail!(
                "tensor {name}: expected {rank} dimensions, got {:?}",
                tensor.dims()
            ),
            None => candle_core::bail!("cannot find tensor {name}"),
        };
        let layers = |part: &str| {
            let has = |idx: &usize| {
                tensors.contains_key(&format!("model.{part}.layers.{idx}.fc1.weight"))
            };
            (0..MAX_LAYERS).take_while(has).count()
        };
        let conv = shape("model.encoder.conv1.weight", 3)?;
        let (dim, mels) = (conv[0], conv[1]);
        let heads = |part: &str, told: Option<usize>| {
            // Every network that was published has heads 64 wide.
            let heads = match (told, tensors.get(&format!("model.{part}.num_heads"))) {
                (Some(heads), _) => heads,
                (None, Some(heads)) => heads
                    .to_dtype(DType::U32)?
                    .flatten_all()?
                    .to_vec1::<u32>()?
                    .first()
                    .map_or(0, |heads| *heads as usize),
                (None, None) => dim / 64,
            };
            if heads == 0 || !dim.is_multiple_of(heads) {
                candle_core::bail!("{heads} heads in a width of {dim}");
            }
            Ok(heads)
        };
        let dimensions = Self {
            mels,
            dim,
            encoder_heads: heads("encoder", config.encoder_attention_heads)?,
            decoder_heads: heads("decoder", config.decoder_attention_heads)?,
            encoder_layers: layers("encoder"),
            decoder_layers: layers("decoder"),
            sound_positions: shape("model.encoder.embed_positions.weight", 2)?[0],
            text_positions: shape("model.decoder.embed_positions.weight", 2)?[0],
            vocabulary: shape("model.decoder.embed_tokens.weight", 2)?[0],
        };
        let Self { encoder_layers, decoder_layers, sound_positions, .. } = dimensions;
        if encoder_layers == 0 || decoder_layers == 0 || sound_positions == 0 || mels == 0 {
            candle_core::bail!("it has no layers, mels or positions");
        }
        Ok(dimensions)
    }

    /// Frames of mels that the encoder takes: half a minute's in every published network.
    pub(super) fn window_frames(&self) -> usize {
        2 * self.sound_positions
    }
}
