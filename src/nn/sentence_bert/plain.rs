//! The network in candle's own operators: for CUDA and Metal, for activations that we have no
//! kernel for, and what the processor's kernels are tested against.
//!
//! in: token ids of windows of one length; out: `[windows, tokens, dim]`, the last layer or one
//! below it.
//! source: Devlin et al. 2019; Vaswani et al. 2017.

use std::collections::HashMap;

use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear, ops::softmax_last_dim};

use super::{
    super::on_device::Place,
    architecture::{Activation, Architecture},
    checkpoint::POSITIONS,
    position_bias::PositionBias,
};

/// The network at a place.
pub(super) struct PlainBert {
    heads: usize,
    activation: Activation,
    /// `[vocabulary, dim]`
    words: Tensor,
    /// `[positions, dim]`
    positions: Tensor,
    norm: LayerNorm,
    bias: Option<PositionBias>,
    layers: Vec<Layer>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    mix: Linear,
    mix_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    narrow_norm: LayerNorm,
}

impl PlainBert {
    /// Tensors as `checkpoint::unified` gives them.
    pub(super) fn load(
        architecture: &Architecture,
        tensors: HashMap<String, Tensor>,
        place: &Place,
    ) -> Result<Self> {
        let dim = architecture.hidden_size;
        let bias = PositionBias::load(architecture, &tensors)?;
        let vars = VarBuilder::from_tensors(tensors, place.precision.into(), &place.device);
        Ok(Self {
            heads: architecture.num_attention_heads,
            activation: architecture.hidden_act,
            words: vars.get((architecture.vocab_size, dim), "embeddings.word_embeddings.weight")?,
            positions: vars.get((architecture.max_tokens(), dim), POSITIONS)?,
            norm: layer_norm(dim, architecture.layer_norm_eps, vars.pp("embeddings.LayerNorm"))?,
            bias,
            layers: (0..architecture.num_hidden_layers)
                .map(|idx| Layer::load(architecture, &vars.pp(format!("encoder.layer.{idx}"))))
                .collect::<Result<_>>()?,
        })
    }

    /// What the first `layers` layers make of `ids` `[windows, tokens]`: `[windows, tokens, dim]`.
    ///
    /// # Errors
    /// The device fails; tokens are none, too many, or not in the vocabulary.
    pub(super) fn forward(&self, ids: &Tensor, layers: usize, place: &Place) -> Result<Tensor> {
        let (windows, tokens) = ids.dims2()?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?;
        let words = words.reshape((windows, tokens, ()))?;
        let mut states = words.broadcast_add(&self.positions.narrow(0, 0, tokens)?)?;
        states = self.norm.forward(&states)?;
        let bias = self.bias.as_ref().map(|bias| self.whole(bias, tokens, place)).transpose()?;
        for layer in self.layers.iter().take(layers) {
            let mixed = layer.attend(&states, self.heads, bias.as_ref())?;
            states = layer.mix_norm.forward(&(layer.mix.forward(&mixed)? + states)?)?;
            let wide = activated(self.activation, &layer.widen.forward(&states)?)?;
            states = layer.narrow_norm.forward(&(layer.narrow.forward(&wide)? + states)?)?;
        }
        Ok(states)
    }

    /// `[1, heads, tokens, tokens]`
    fn whole(&self, bias: &PositionBias, tokens: usize, place: &Place) -> Result<Tensor> {
        let mut numbers = vec![0.0; self.heads * tokens * tokens];
        for (head, out) in numbers.chunks_exact_mut(tokens * tokens).enumerate() {
            bias.fill(head, tokens, out);
        }
        place.tensor(&numbers, (1, self.heads, tokens, tokens))
    }
}

impl Layer {
    fn load(architecture: &Architecture, vars: &VarBuilder) -> Result<Self> {
        let (dim, width) = (architecture.hidden_size, architecture.intermediate_size);
        let norm = |name| layer_norm(dim, architecture.layer_norm_eps, vars.pp(name));
        Ok(Self {
            query: linear(dim, dim, vars.pp("attention.self.query"))?,
            key: linear(dim, dim, vars.pp("attention.self.key"))?,
            value: linear(dim, dim, vars.pp("attention.self.value"))?,
            mix: linear(dim, dim, vars.pp("attention.output.dense"))?,
            mix_norm: norm("attention.output.LayerNorm")?,
            widen: linear(dim, width, vars.pp("intermediate.dense"))?,
            narrow: linear(width, dim, vars.pp("output.dense"))?,
            narrow_norm: norm("output.LayerNorm")?,
        })
    }

    /// What each token takes from the others of its window, `[windows, tokens, dim]`.
    fn attend(&self, states: &Tensor, heads: usize, bias: Option<&Tensor>) -> Result<Tensor> {
        let (windows, tokens, dim) = states.dims3()?;
        let by_head = |part: &Linear| {
            part.forward(states)?
                .reshape((windows, tokens, heads, dim / heads))?
                .transpose(1, 2)?
                .contiguous()
        }; // [windows, heads, tokens, head_dim]
        let query = (by_head(&self.query)? / ((dim / heads) as f64).sqrt())?;
        let mut scores = query.matmul(&by_head(&self.key)?.t()?)?; // [.., tokens, tokens]
        if let Some(bias) = bias {
            scores = scores.broadcast_add(bias)?;
        }
        let mixed = softmax_last_dim(&scores)?.matmul(&by_head(&self.value)?)?;
        mixed.transpose(1, 2)?.flatten_from(2)
    }
}

pub(super) fn activated(activation: Activation, x: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
    }
}
