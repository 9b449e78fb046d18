//! Sizes, by the names of `config.json`; what a file leaves out is transformers' default.

use kernels::{Isa, gelu, gelu_quick, gelu_tanh};
use serde::{Deserialize, Serialize};

use super::Shape;

/// One of the families.
#[derive(Clone, Debug)]
pub(in super::super) enum Config {
    Clip(Clip),
    SigLip(SigLip),
    DinoV2(DinoV2),
}

/// CLIP's image tower.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(in super::super) struct Clip {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    pub(in super::super) image_size: usize,
    patch_size: usize,
    hidden_act: Activation,
    layer_norm_eps: f64,
    pub(super) projection_dim: usize,
}

/// `SigLIP`'s image tower.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(in super::super) struct SigLip {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    pub(in super::super) image_size: usize,
    patch_size: usize,
    hidden_act: Activation,
    layer_norm_eps: f64,
    pub(super) vision_use_head: bool,
}

/// `DINOv2`, without registers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(in super::super) struct DinoV2 {
    hidden_size: usize,
    mlp_ratio: f64,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    pub(in super::super) image_size: usize,
    patch_size: usize,
    hidden_act: Activation,
    layer_norm_eps: f64,
    /// Refused: its tensors have other names.
    use_swiglu_ffn: bool,
}

/// What stands between a transformer's two linear layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Activation {
    #[serde(rename = "gelu")]
    Gelu,
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new")]
    GeluTanh,
    #[serde(rename = "quick_gelu")]
    QuickGelu,
}

impl Default for Clip {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 32,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            projection_dim: 512,
        }
    }
}

impl Default for SigLip {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 16,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            vision_use_head: true,
        }
    }
}

impl Default for DinoV2 {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            mlp_ratio: 4.0,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 14,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-6,
            use_swiglu_ffn: false,
        }
    }
}

impl Config {
    /// The least picture that it can look at, a patch.
    ///
    /// # Errors
    /// Sizes that cannot be, in words.
    pub(in super::super) fn least_side(&self) -> Result<usize, String> {
        let Shape { dim, heads, num_layers, inside, image_size, patch_size, .. } = self.shape();
        if heads == 0 || !dim.is_multiple_of(heads) {
            return Err(format!("{dim} numbers cannot be divided among {heads} heads"));
        }
        let sizes = [dim, num_layers, inside, image_size, patch_size];
        if sizes.iter().any(|size| !(1..=1 << 20).contains(size)) || image_size < patch_size {
            return Err("its sizes are none of a network".to_owned());
        }
        Ok(patch_size)
    }

    pub(super) fn shape(&self) -> Shape {
        macro_rules! shape {
            ($config:ident, $inside:expr) => {
                Shape {
                    dim: $config.hidden_size,
                    heads: $config.num_attention_heads,
                    num_layers: $config.num_hidden_layers,
                    inside: $inside,
                    image_size: $config.image_size,
                    patch_size: $config.patch_size,
                    activation: $config.hidden_act,
                    eps: $config.layer_norm_eps,
                }
            };
        }
        match self {
            Self::Clip(config) => shape!(config, config.intermediate_size),
            Self::SigLip(config) => shape!(config, config.intermediate_size),
            Self::DinoV2(config) => {
                shape!(config, (config.hidden_size as f64 * config.mlp_ratio) as usize)
            }
        }
    }
}

impl DinoV2 {
    /// Whether its linear layers are gated, as those of the giant network are.
    pub(in super::super) fn is_gated(&self) -> bool {
        self.use_swiglu_ffn
    }
}

impl Activation {
    pub(super) fn apply(self, isa: Isa, numbers: &mut [f32]) {
        match self {
            Self::Gelu => gelu(isa, numbers),
            Self::GeluTanh => gelu_tanh(isa, numbers),
            Self::QuickGelu => gelu_quick(isa, numbers),
        }
    }
}
