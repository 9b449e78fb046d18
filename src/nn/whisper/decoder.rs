//! Whisper's decoder on the processor: one token at a time, with what it made of former ones kept.
//!
//! in: the encoder's `[positions, dim]` once, then tokens; out: `[vocabulary]` logits of the next
//! token. Keys and values of the sound are computed once a window, those of tokens once a token.
//! source: Radford et al. 2022, 2.2; Vaswani et al. 2017.
//! reference: `plain`; `ctranslate2` 4.8.5, `Whisper.generate`.

use candle_core::{DType, Result, Tensor};
use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows, softmax};

use super::{
    config::Dimensions,
    layers::{Linear, Norm, Transform, Weights},
};

/// The decoder, its weights packed.
pub(super) struct Decoder {
    isa: Isa,
    dimensions: Dimensions,
    /// `[vocabulary, dim]`, as the file has it.
    words: Tensor,
    /// `[positions, dim]`
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
    project: Linear,
}

struct Layer {
    norm: Norm,
    /// Query (scaled by `1/√head_dim`), key, value.
    project: Linear,
    mix: Linear,
    sound_norm: Norm,
    /// Scaled, too.
    sound_query: Linear,
    /// Key, value.
    sound_project: Linear,
    sound_mix: Linear,
    transform: Transform,
}

/// What the decoder remembers of a window, and memory that is used again.
pub(super) struct Memory {
    /// Tokens so far.
    len: usize,
    layers: Vec<LayerMemory>,
    states: Aligned,
    normed: Aligned,
    projected: Aligned,
    mixed: Aligned,
    scores: Aligned,
    wide: Aligned,
    next: Aligned,
    sound: Aligned,
}

struct LayerMemory {
    /// `[dim, positions]`
    keys: Vec<f32>,
    /// `[positions, dim]`
    values: Vec<f32>,
    /// A head's keys `[head_dim, sound positions]` and values `[sound positions, head_dim]`.
    sound: Vec<(PackedMatrix, PackedMatrix)>,
}

impl Decoder {
    /// What computes the sound's keys and values is packed as `sound` says.
    pub(super) fn load(
        dimensions: Dimensions,
        weights: Weights<'_>,
        sound: Weights<'_>,
        isa: Isa,
    ) -> Result<Self> {
        let Dimensions { dim, decoder_heads, vocabulary, text_positions, .. } = dimensions;
        let scale = 1.0 / ((dim / decoder_heads) as f32).sqrt();
        let layer = |idx: usize| {
            let name = format!("model.decoder.layers.{idx}");
            let own = |part: &str| format!("{name}.self_attn.{part}_proj");
            let of_sound = |part: &str| format!("{name}.encoder_attn.{part}_proj");
            Ok(Layer {
                norm: weights.norm(&format!("{name}.self_attn_layer_norm"), dim)?,
                project: weights.linear(&["q", "k", "v"].map(own), dim, dim, scale)?,
                mix: weights.square(own("out"), dim)?,
                sound_norm: weights.norm(&format!("{name}.encoder_attn_layer_norm"), dim)?,
                sound_query: weights.linear(&[of_sound("q")], dim, dim, scale)?,
                sound_project: sound.linear(&["k", "v"].map(of_sound), dim, dim, 1.0)?,
                sound_mix: weights.square(of_sound("out"), dim)?,
                transform: weights.transform(&name, dim)?,
            })
        };
        let name = "model.decoder.embed_tokens.weight";
        let project = Linear::new(
            weights.numbers,
            &weights.get(name, &[vocabulary, dim])?,
            &vec![0.0; vocabulary],
        );
        Ok(Self {
            isa,
            dimensions,
            words: weights.tensors.tensor(name)?,
            positions: weights
                .get("model.decoder.embed_positions.weight", &[text_positions, dim])?,
            layers: (0..dimensions.decoder_layers).map(layer).collect::<Result<_>>()?,
            norm: weights.norm("model.decoder.layer_norm", dim)?,
            project,
        })
    }

    pub(super) fn memory(&self) -> Memory {
        let Dimensions { dim, decoder_heads, text_positions, sound_positions, .. } =
            self.dimensions;
        let head_dim = dim / decoder_heads;
        let head = |_| {
            (
                PackedMatrix::empty(self.isa, head_dim, sound_positions),
                PackedMatrix::empty(self.isa, sound_positions, head_dim),
            )
        };
        let layer = |_: &Layer| LayerMemory {
            keys: vec![0.0; dim * text_positions],
            values: vec![0.0; dim * text_positions],
            sound: (0..decoder_heads).map(head).collect(),
        };
        Memory {
            len: 0,
            layers: self.layers.iter().map(layer).collect(),
            states: Aligned::default(),
            normed: Aligned::default(),
            projected: Aligned::default(),
            mixed: Aligned::default(),
            scores: Aligned::default(),
            wide: Aligned::default(),
            next: Aligned::default(),
            sound: Aligned::default(),
        }
    }

    /// Forgets all tokens and hears another window, `[sound positions, dim]`.
    pub(super) fn hear(&self, sound: &[f32], memory: &mut Memory) {
        let Dimensions { dim, decoder_heads, sound_positions: len, .. } = self.dimensions;
        let head_dim = dim / decoder_heads;
        memory.len = 0;
        for (layer, memory_of) in self.layers.iter().zip(&mut memory.layers) {
            let projected = memory.sound.at_least(len * 2 * dim); // [len, 2, heads, head_dim]
            layer.sound_project.apply(sound, None, projected);
            for (head, (keys, values)) in memory_of.sound.iter_mut().enumerate() {
                let (key, value) = (head * head_dim, dim + head * head_dim);
                keys.pack(|k, position| projected[position * 2 * dim + key + k]);
                values.pack(|position, k| projected[position * 2 * dim + value + k]);
            }
        }
    }

    /// Takes a token; gives logits of the next one where they are wanted.
    ///
    /// # Panics
    /// Where the token is not in the vocabulary, or more of them came than there are positions.
    pub(super) fn step(
        &self,
        token: u32,
        memory: &mut Memory,
        logits: Option<&mut Vec<f32>>,
    ) -> Result<()> {
        let dim = self.dimensions.dim;
        let word = self.words.get(token as usize)?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let position = &self.positions[memory.len * dim..][..dim];
        let states = memory.states.at_least(dim);
        for ((x, word), position) in states.iter_mut().zip(&word).zip(position) {
            *x = word + position;
        }
        for (idx, layer) in self.layers.iter().enumerate() {
            self.remember(layer, idx, memory);
            self.listen(layer, idx, memory);
            let Memory { states, normed, wide, next, .. } = memory;
            layer.transform.apply(self.isa, states.at_least(dim), (normed, wide, next));
        }
        memory.len += 1;
        if let Some(logits) = logits {
            let normed = memory.normed.at_least(dim);
            self.norm.apply(self.isa, memory.states.at_least(dim), normed);
            logits.resize(self.dimensions.vocabulary, 0.0);
            self.project.apply(normed, None, logits);
        }
        Ok(())
    }

    /// Attention to this token and former ones.
    fn remember(&self, layer: &Layer, idx: usize, memory: &mut Memory) {
        let Dimensions { dim, decoder_heads, text_positions, .. } = self.dimensions;
        let head_dim = dim / decoder_heads;
        let (len, now) = (memory.len + 1, memory.len);
        let Memory { layers, states, normed, projected, mixed, scores, next, .. } = memory;
        let LayerMemory { keys, values, .. } = &mut layers[idx];
        let states = states.at_least(dim);
        let normed = normed.at_least(dim);
        layer.norm.apply(self.isa, states, normed);
        let projected = projected.at_least(3 * dim);
        layer.project.apply(normed, None, projected);
        let (query, key_value) = projected.split_at(dim);
        let (key, value) = key_value.split_at(dim);
        for (row, key) in keys.chunks_exact_mut(text_positions).zip(key) {
            row[now] = *key;
        }
        values[now * dim..][..dim].copy_from_slice(value);
        let mixed = mixed.at_least(dim);
        for (head, out) in mixed.chunks_exact_mut(head_dim).enumerate() {
            let scores = scores.at_least(len);
            scores.fill(0.0);
            let of_head = head * head_dim..(head + 1) * head_dim;
            for k in of_head.clone() {
                let keys = &keys[k * text_positions..][..len];
                scores.iter_mut().zip(keys).for_each(|(score, key)| *score += query[k] * key);
            }
            softmax(self.isa, scores, len);
            out.fill(0.0);
            for (weight, values) in scores.iter().zip(values.chunks_exact(dim)) {
                let values = &values[of_head.clone()];
                out.iter_mut().zip(values).for_each(|(out, value)| *out += weight * value);
            }
        }
        let out = next.at_least(dim);
        layer.mix.apply(mixed, Some(states), out);
        states.copy_from_slice(out);
    }

    /// Attention to the sound.
    fn listen(&self, layer: &Layer, idx: usize, memory: &mut Memory) {
        let Dimensions { dim, decoder_heads, sound_positions: len, .. } = self.dimensions;
        let head_dim = dim / decoder_heads;
        let Memory { layers, states, normed, projected, mixed, scores, next, .. } = memory;
        let states = states.at_least(dim);
        let normed = normed.at_least(dim);
        layer.sound_norm.apply(self.isa, states, normed);
        let query = projected.at_least(dim);
        layer.sound_query.apply(normed, None, query);
        let mixed = mixed.at_least(dim);
        let scores = scores.at_least(len);
        let heads = query.chunks_exact(head_dim).zip(mixed.chunks_exact_mut(head_dim));
        for ((query, out), (keys, values)) in heads.zip(&layers[idx].sound) {
            let (none, dense) = (Clamp::NONE, Rows::DENSE);
            keys.multiply(1, query, head_dim, None, none, scores, len, dense);
            softmax(self.isa, scores, len);
            values.multiply(1, scores, len, None, none, out, head_dim, dense);
        }
        let out = next.at_least(dim);
        layer.sound_mix.apply(mixed, Some(states), out);
        states.copy_from_slice(out);
    }
}
