//! Whisper's encoder on the processor: one window of sound at a time.
//!
//! in: `[2 · positions, mels]`; out: `[positions, dim]`. Both convolutions are products of matrices
//! over the mels as they lie: a patch of three frames is one row.
//! source: Radford et al. 2022, 2.2; Vaswani et al. 2017.
//! reference: `plain`; `ctranslate2` 4.8.5, `Whisper.encode`.

use candle_core::Result;
use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows, gelu, softmax};

use super::{
    config::Dimensions,
    layers::{Linear, Norm, Transform, Weights},
};

/// Frames that a convolution looks at.
const TAPS: usize = 3;
/// Queries that are compared with all keys together: their scores stay in cache.
const QUERIES: usize = 96;

/// The encoder, its weights packed.
pub(super) struct Encoder {
    isa: Isa,
    dimensions: Dimensions,
    first: PackedMatrix,
    second: PackedMatrix,
    /// `[positions, dim]`
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

struct Layer {
    norm: Norm,
    /// Query (scaled by `1/√head_dim`), key, value.
    project: Linear,
    mix: Linear,
    transform: Transform,
}

/// Memory that is used again for every window.
pub(super) struct Scratch {
    padded: Aligned,
    hidden: Aligned,
    states: Aligned,
    normed: Aligned,
    projected: Aligned,
    mixed: Aligned,
    scores: Aligned,
    wide: Aligned,
    next: Aligned,
    keys: PackedMatrix,
    values: PackedMatrix,
}

impl Encoder {
    /// Linear layers as `weights` says, all else by `isa`.
    pub(super) fn load(dimensions: Dimensions, weights: Weights<'_>, isa: Isa) -> Result<Self> {
        let Dimensions { mels, dim, encoder_layers, sound_positions, .. } = dimensions;
        let scale = 1.0 / ((dim / dimensions.encoder_heads) as f32).sqrt();
        let layer = |idx: usize| {
            let name = format!("model.encoder.layers.{idx}");
            let part = |part: &str| format!("{name}.self_attn.{part}_proj");
            let project = ["q", "k", "v"].map(part);
            Ok(Layer {
                norm: weights.norm(&format!("{name}.self_attn_layer_norm"), dim)?,
                project: weights.linear(&project, dim, dim, scale)?,
                mix: weights.square(part("out"), dim)?,
                transform: weights.transform(&name, dim)?,
            })
        };
        let convolution = |name: &str, channels: usize| {
            let weight =
                weights.get(&format!("model.encoder.{name}.weight"), &[dim, channels, TAPS])?;
            let bias = weights.get(&format!("model.encoder.{name}.bias"), &[dim])?;
            // From [dim, channels, taps] to [dim, taps, channels], as patches lie.
            let depth = channels * TAPS;
            let at = |idx: usize| {
                let (out, tap, channel) = (idx / depth, idx % depth / channels, idx % channels);
                weight[(out * channels + channel) * TAPS + tap]
            };
            let weight: Vec<f32> = (0..weight.len()).map(at).collect();
            Ok::<_, candle_core::Error>(PackedMatrix::from_rows(isa, &weight, &bias))
        };
        Ok(Self {
            isa,
            dimensions,
            first: convolution("conv1", mels)?,
            second: convolution("conv2", dim)?,
            positions: weights
                .get("model.encoder.embed_positions.weight", &[sound_positions, dim])?,
            layers: (0..encoder_layers).map(layer).collect::<Result<_>>()?,
            norm: weights.norm("model.encoder.layer_norm", dim)?,
        })
    }

    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            padded: Aligned::default(),
            hidden: Aligned::default(),
            states: Aligned::default(),
            normed: Aligned::default(),
            projected: Aligned::default(),
            mixed: Aligned::default(),
            scores: Aligned::default(),
            wide: Aligned::default(),
            next: Aligned::default(),
            keys: PackedMatrix::empty(self.isa, 1, 1),
            values: PackedMatrix::empty(self.isa, 1, 1),
        }
    }

    /// `mels` is a window, `[2 · positions, mels]`; gives `[positions, dim]`.
    ///
    /// # Panics
    /// Where the window has another length.
    pub(super) fn forward<'s>(&self, mels: &[f32], scratch: &'s mut Scratch) -> &'s [f32] {
        let len = self.dimensions.sound_positions * self.dimensions.dim;
        self.convolve(mels, scratch);
        for layer in &self.layers {
            self.attend(layer, scratch);
            let Scratch { states, normed, wide, next, .. } = scratch;
            layer.transform.apply(self.isa, states.at_least(len), (normed, wide, next));
        }
        let states = scratch.states.at_least(len);
        let out = scratch.next.at_least(len);
        self.norm.apply(self.isa, states, out);
        out
    }

    /// Mels to `states`, positions added.
    fn convolve(&self, window: &[f32], scratch: &mut Scratch) {
        let Dimensions { mels, dim, sound_positions, .. } = self.dimensions;
        let frames = 2 * sound_positions;
        assert_eq!(window.len(), frames * mels, "a window");
        // A frame of zeros before and behind.
        let padded = scratch.padded.at_least((frames + 2) * mels);
        padded[mels..][..window.len()].copy_from_slice(window);
        let hidden = scratch.hidden.at_least((frames + 2) * dim);
        let out = &mut hidden[dim..][..frames * dim];
        let dense = Rows::DENSE;
        self.first.multiply(frames, padded, mels, None, Clamp::NONE, out, dim, dense);
        gelu(self.isa, out);
        let states = scratch.states.at_least(sound_positions * dim);
        // Every other frame.
        let stride = 2 * dim;
        self.second.multiply(
            sound_positions,
            hidden,
            stride,
            None,
            Clamp::NONE,
            states,
            dim,
            dense,
        );
        gelu(self.isa, states);
        states.iter_mut().zip(&self.positions).for_each(|(x, position)| *x += position);
    }

    /// Self-attention: `states` to `states`.
    fn attend(&self, layer: &Layer, scratch: &mut Scratch) {
        let Dimensions { dim, encoder_heads, sound_positions: len, .. } = self.dimensions;
        let head_dim = dim / encoder_heads;
        let Scratch { states, normed, projected, mixed, scores, next, keys, values, .. } = scratch;
        let states = states.at_least(len * dim);
        let normed = normed.at_least(len * dim);
        layer.norm.apply(self.isa, states, normed);
        let projected = projected.at_least(len * 3 * dim); // [len, 3, heads, head_dim]
        layer.project.apply(normed, None, projected);
        let mixed = mixed.at_least(len * dim); // [len, heads, head_dim]
        let scores = scores.at_least(QUERIES * len);
        for head in 0..encoder_heads {
            let query = head * head_dim;
            let (key, value) = (dim + query, 2 * dim + query);
            keys.reshape(head_dim, len);
            keys.pack(|k, position| projected[position * 3 * dim + key + k]);
            values.reshape(len, head_dim);
            values.pack(|position, k| projected[position * 3 * dim + value + k]);
            for from in (0..len).step_by(QUERIES) {
                let queries = QUERIES.min(len - from);
                let left = &projected[from * 3 * dim + query..];
                let scores = &mut scores[..queries * len];
                let (none, dense) = (Clamp::NONE, Rows::DENSE);
                keys.multiply(queries, left, 3 * dim, None, none, scores, len, dense);
                softmax(self.isa, scores, len);
                let out = &mut mixed[from * dim + query..];
                values.multiply(queries, scores, len, None, none, out, dim, dense);
            }
        }
        let out = next.at_least(len * dim);
        layer.mix.apply(mixed, Some(states), out);
        std::mem::swap(&mut scratch.states, &mut scratch.next);
    }
}
