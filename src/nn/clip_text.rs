//! CLIP's text tower: a sentence as a direction in the space of the image embeddings.
//!
//! in: a text; out: `[dim]`, of unit length.
//! source: Radford et al. 2021, "Learning transferable visual models from natural language
//! supervision" (arXiv:2103.00020).
//! reference: transformers `CLIPModel`, `get_text_features`.
//!
//! Some dozens of short texts are embedded when an encoder is opened, so candle-transformers' own
//! network on the processor is fast enough.

use std::path::Path;

use base::file;
use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear_no_bias};
use candle_transformers::models::clip::text_model::{
    Activation, ClipTextConfig, ClipTextTransformer,
};
use serde::Deserialize;
use tokenizers::Tokenizer;

use super::{ModelFiles, NnError, unit_length::to_unit_length};

/// The loaded tower.
pub struct ClipText {
    tokenizer: Tokenizer,
    network: ClipTextTransformer,
    projection: Linear,
    max_tokens: usize,
    scale: f32,
}

#[derive(Deserialize)]
struct Config {
    projection_dim: usize,
    text_config: TextConfig,
}

/// With the defaults of transformers' `CLIPTextConfig`, which many a `config.json` leaves out.
#[derive(Deserialize)]
#[serde(default)]
struct TextConfig {
    vocab_size: usize,
    hidden_size: usize,
    hidden_act: String,
    intermediate_size: usize,
    max_position_embeddings: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    layer_norm_eps: f64,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49_408,
            hidden_size: 512,
            hidden_act: "quick_gelu".to_owned(),
            intermediate_size: 2048,
            max_position_embeddings: 77,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            layer_norm_eps: 1e-5,
        }
    }
}

impl ClipText {
    /// Loads the text tower of a folder with both towers.
    ///
    /// # Errors
    /// [`NnError::Load`] where a file is missing, or is not that of a CLIP with both towers.
    pub fn load(files: &ModelFiles) -> Result<Self, NnError> {
        let (Some(config), Some(tokenizer)) = (&files.config, &files.tokenizer) else {
            let message = "there is no config.json or no tokenizer.json beside it";
            return Err(refuse(&files.weights, message));
        };
        let text = file::read(config).map_err(|e| refuse(config, e))?;
        let parsed: Config = serde_json::from_slice(&text).map_err(|e| refuse(config, e))?;
        // What candle-transformers has built in.
        let TextConfig { hidden_act, layer_norm_eps, .. } = &parsed.text_config;
        if hidden_act != "quick_gelu" || (layer_norm_eps - 1e-5).abs() > 1e-12 {
            let message = format!(
                "its text tower has {hidden_act} and eps {layer_norm_eps}, expected quick_gelu \
                 and 1e-5"
            );
            return Err(refuse(config, message));
        }
        let tokenizer = crate::tokenizer_file::read(tokenizer).map_err(|e| refuse(tokenizer, e))?;
        Self::build(&parsed, tokenizer, &files.weights)
            .map_err(|e| refuse(&files.weights, e.to_string().lines().next().unwrap_or_default()))
    }

    fn build(config: &Config, tokenizer: Tokenizer, weights: &Path) -> candle_core::Result<Self> {
        let tensors = crate::tensor_file::load(weights, &Device::Cpu)?;
        let vars = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let text = &config.text_config;
        let shape = ClipTextConfig {
            vocab_size: text.vocab_size,
            embed_dim: text.hidden_size,
            activation: Activation::QuickGelu,
            intermediate_size: text.intermediate_size,
            max_position_embeddings: text.max_position_embeddings,
            pad_with: None,
            num_hidden_layers: text.num_hidden_layers,
            num_attention_heads: text.num_attention_heads,
            projection_dim: config.projection_dim,
        };
        let scale = vars.get((), "logit_scale")?.to_scalar::<f32>()?.exp();
        Ok(Self {
            tokenizer,
            network: ClipTextTransformer::new(vars.pp("text_model"), &shape)?,
            projection: linear_no_bias(
                text.hidden_size,
                config.projection_dim,
                vars.pp("text_projection"),
            )?,
            max_tokens: text.max_position_embeddings,
            scale,
        })
    }

    /// What cosines are multiplied by, to be logits.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// A text's embedding, `[dim]`, of unit length.
    ///
    /// # Errors
    /// [`NnError::Input`] where the text has more tokens than the tower takes;
    /// [`NnError::Compute`] where the network fails.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, NnError> {
        let encoded =
            self.tokenizer.encode(text, true).map_err(|e| NnError::Input(e.to_string()))?;
        let ids = encoded.get_ids();
        if ids.is_empty() || ids.len() > self.max_tokens {
            return Err(NnError::Input(format!(
                "{text:?} has {} tokens, expected between 1 and {}",
                ids.len(),
                self.max_tokens
            )));
        }
        let tokens = Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)?;
        let states = self.network.forward_with_mask(&tokens, ids.len())?;
        // The last token, which is the one that ends a text, has seen all of it.
        let last = states.i((0, ids.len() - 1))?.unsqueeze(0)?;
        let mut embedding = self.projection.forward(&last)?.flatten_all()?.to_vec1::<f32>()?;
        to_unit_length(&mut embedding);
        Ok(embedding)
    }
}

fn refuse(path: &Path, message: impl ToString) -> NnError {
    NnError::Load {
        path: path.to_owned(),
        network: "CLIP's text tower".to_owned(),
        message: message.to_string(),
    }
}
