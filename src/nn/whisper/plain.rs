//! The network in candle's own operators: for CUDA and Metal, and what the processor's kernels are
//! tested against.
//!
//! in: a window `[2 · positions, mels]`, then tokens; out: logits `[vocabulary]`.
//! source: Radford et al. 2022; Vaswani et al. 2017.

use std::collections::HashMap;

use candle_core::{D, Result, Tensor};
use candle_nn::{
    Conv1d, Conv1dConfig, LayerNorm, Linear, Module, VarBuilder, conv1d, layer_norm, linear,
    linear_no_bias, ops::softmax_last_dim,
};

use super::{super::on_device::Place, config::Dimensions, layers::EPS};

/// The network at a place.
pub(super) struct PlainWhisper {
    first: Conv1d,
    second: Conv1d,
    sound_positions: Tensor,
    encoder: Vec<Layer>,
    encoder_norm: LayerNorm,
    /// `[vocabulary, dim]`
    words: Tensor,
    positions: Tensor,
    decoder: Vec<Layer>,
    decoder_norm: LayerNorm,
}

struct Layer {
    norm: LayerNorm,
    own: Attention,
    /// To the sound, of the decoder.
    sound: Option<(LayerNorm, Attention)>,
    norm_wide: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

struct Attention {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    mix: Linear,
}

/// Keys and values, each `[heads, positions, head_dim]`.
type KeysValues = (Tensor, Tensor);

/// What the decoder remembers of a window.
#[derive(Default)]
pub(super) struct PlainMemory {
    /// Of each layer.
    sound: Vec<KeysValues>,
    own: Vec<Option<KeysValues>>,
    len: usize,
}

impl PlainWhisper {
    pub(super) fn load(
        dimensions: Dimensions,
        tensors: HashMap<String, Tensor>,
        place: &Place,
    ) -> Result<Self> {
        let Dimensions { mels, dim, encoder_heads, decoder_heads, .. } = dimensions;
        let vars = VarBuilder::from_tensors(tensors, place.precision.into(), &place.device);
        let (encoder, decoder) = (vars.pp("model.encoder"), vars.pp("model.decoder"));
        let convolution = |stride: usize| Conv1dConfig { padding: 1, stride, ..Default::default() };
        let layers = |vars: &VarBuilder, num: usize, heads: usize, listens: bool| {
            let layer =
                |idx: usize| Layer::load(&vars.pp(format!("layers.{idx}")), dim, heads, listens);
            (0..num).map(layer).collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            first: conv1d(mels, dim, 3, convolution(1), encoder.pp("conv1"))?,
            second: conv1d(dim, dim, 3, convolution(2), encoder.pp("conv2"))?,
            sound_positions: encoder
                .get((dimensions.sound_positions, dim), "embed_positions.weight")?,
            encoder: layers(&encoder, dimensions.encoder_layers, encoder_heads, false)?,
            encoder_norm: layer_norm(dim, f64::from(EPS), encoder.pp("layer_norm"))?,
            words: decoder.get((dimensions.vocabulary, dim), "embed_tokens.weight")?,
            positions: decoder.get((dimensions.text_positions, dim), "embed_positions.weight")?,
            decoder: layers(&decoder, dimensions.decoder_layers, decoder_heads, true)?,
            decoder_norm: layer_norm(dim, f64::from(EPS), decoder.pp("layer_norm"))?,
        })
    }

    /// `[positions, dim]` of a window `[2 · positions, mels]`.
    pub(super) fn encode(&self, window: &Tensor) -> Result<Tensor> {
        let window = window.t()?.contiguous()?.unsqueeze(0)?; // [1, mels, frames]
        let hidden = self.first.forward(&window)?.gelu_erf()?;
        let hidden = self.second.forward(&hidden)?.gelu_erf()?.squeeze(0)?;
        let mut states = (hidden.t()?.contiguous()? + &self.sound_positions)?;
        for layer in &self.encoder {
            let normed = layer.norm.forward(&states)?;
            let keys_values = layer.own.keys_values(&normed)?;
            states = (states + layer.own.attend(&normed, &keys_values)?)?;
            states = layer.transform(&states)?;
        }
        self.encoder_norm.forward(&states)
    }

    /// A memory that has heard what [`encode`](Self::encode) made of a window.
    pub(super) fn hear(&self, sound: &Tensor) -> Result<PlainMemory> {
        let of_layer = |layer: &Layer| {
            let (_, attention) =
                layer.sound.as_ref().ok_or_else(|| candle_core::Error::Msg("deaf".to_owned()))?;
            attention.keys_values(sound)
        };
        let sound = self.decoder.iter().map(of_layer).collect::<Result<_>>()?;
        let own = self.decoder.iter().map(|_| None).collect();
        Ok(PlainMemory { sound, own, len: 0 })
    }

    /// Takes a token; gives `[vocabulary]` logits of the next.
    pub(super) fn step(&self, token: u32, memory: &mut PlainMemory) -> Result<Tensor> {
        let word = self.words.narrow(0, token as usize, 1)?;
        let mut states = (word + self.positions.narrow(0, memory.len, 1)?)?; // [1, dim]
        let memories = memory.own.iter_mut().zip(&memory.sound);
        for (layer, (own, sound)) in self.decoder.iter().zip(memories) {
            let normed = layer.norm.forward(&states)?;
            let (key, value) = layer.own.keys_values(&normed)?;
            let all = match own.take() {
                Some((keys, values)) => {
                    (Tensor::cat(&[keys, key], 1)?, Tensor::cat(&[values, value], 1)?)
                }
                None => (key, value),
            };
            states = (states + layer.own.attend(&normed, &all)?)?;
            *own = Some(all);
            if let Some((norm, attention)) = &layer.sound {
                let normed = norm.forward(&states)?;
                states = (states + attention.attend(&normed, sound)?)?;
            }
            states = layer.transform(&states)?;
        }
        memory.len += 1;
        self.decoder_norm.forward(&states)?.matmul(&self.words.t()?)?.squeeze(0)
    }
}

impl Layer {
    fn load(vars: &VarBuilder, dim: usize, heads: usize, listens: bool) -> Result<Self> {
        let norm = |name| layer_norm(dim, f64::from(EPS), vars.pp(name));
        let sound = listens
            .then(|| {
                let attention = Attention::load(&vars.pp("encoder_attn"), dim, heads)?;
                Ok::<_, candle_core::Error>((norm("encoder_attn_layer_norm")?, attention))
            })
            .transpose()?;
        Ok(Self {
            norm: norm("self_attn_layer_norm")?,
            own: Attention::load(&vars.pp("self_attn"), dim, heads)?,
            sound,
            norm_wide: norm("final_layer_norm")?,
            widen: linear(dim, 4 * dim, vars.pp("fc1"))?,
            narrow: linear(4 * dim, dim, vars.pp("fc2"))?,
        })
    }

    fn transform(&self, states: &Tensor) -> Result<Tensor> {
        let wide = self.widen.forward(&self.norm_wide.forward(states)?)?.gelu_erf()?;
        states + self.narrow.forward(&wide)?
    }
}

impl Attention {
    fn load(vars: &VarBuilder, dim: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            heads,
            query: linear(dim, dim, vars.pp("q_proj"))?,
            key: linear_no_bias(dim, dim, vars.pp("k_proj"))?,
            value: linear(dim, dim, vars.pp("v_proj"))?,
            mix: linear(dim, dim, vars.pp("out_proj"))?,
        })
    }

    /// `[heads, positions, head_dim]`
    fn by_head(&self, states: &Tensor) -> Result<Tensor> {
        let (positions, dim) = states.dims2()?;
        states.reshape((positions, self.heads, dim / self.heads))?.transpose(0, 1)?.contiguous()
    }

    fn keys_values(&self, states: &Tensor) -> Result<KeysValues> {
        Ok((self.by_head(&self.key.forward(states)?)?, self.by_head(&self.value.forward(states)?)?))
    }

    fn attend(&self, states: &Tensor, (keys, values): &KeysValues) -> Result<Tensor> {
        let query = self.by_head(&self.query.forward(states)?)?;
        let scale = (query.dim(D::Minus1)? as f64).sqrt();
        let scores = (query.matmul(&keys.t()?)? / scale)?;
        let mixed = softmax_last_dim(&scores)?.matmul(values)?; // [heads, positions, head_dim]
        self.mix.forward(&mixed.transpose(0, 1)?.contiguous()?.flatten_from(1)?)
    }
}
