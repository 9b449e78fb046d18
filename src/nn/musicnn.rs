//! `musicnn` says what kind of music plays: fifty tags of listeners.
//!
//! in: `[187, 96]` mels of three seconds; out: fifty probabilities and the 200 numbers of the
//! layer before them.
//! source: Pons and Serra 2019, "musicnn: Pre-trained convolutional neural networks for music
//! audio tagging" (arXiv:1909.06654).
//! reference: `musicnn` 0.1.0 in `TensorFlow`, models `MTT_musicnn` and `MSD_musicnn`, `taggram` and
//! `penultimate`.
//!
//! On the processor only. It is a tagger of music: speech it calls by the music that resembles it,
//! so it is read together with [`audio_events`](super::audio_events).
//!
//! One file, though long: the layers of one network and the names of its weights.

use std::path::Path;

use candle_core::{Device, Result};
use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows};

use super::{NnError, state_dict::StateDict};

/// Frames of a patch; one every 16 ms.
pub const NUM_FRAMES: usize = 187;
/// Mels of a frame.
pub const NUM_MELS: usize = 96;
/// Tags of each model.
pub const NUM_TAGS: usize = 50;
/// Width of the layer before the tags.
pub const EMBEDDING_DIM: usize = 200;

/// The eps of `TensorFlow`'s batch norm.
const EPS: f32 = 1e-3;
/// Frames that a timbral or middle layer looks at, and those of them before the centre.
const SPAN: usize = 7;
const BEFORE: usize = SPAN / 2;
/// Filters and mels of the two timbral layers.
const TIMBRAL: [(usize, usize); 2] = [(204, 38), (204, 67)];
/// Filters and frames of the three temporal layers.
const TEMPORAL: [(usize, usize); 3] = [(51, 128), (51, 64), (51, 32)];
/// What the front ends give a frame.
const FRONT_WIDTH: usize = 204 + 204 + 3 * 51;
const MIDDLE_WIDTH: usize = 64;
/// A frame's features before they are pooled: the front ends' and those of three middle layers.
const POOLED_WIDTH: usize = FRONT_WIDTH + 3 * MIDDLE_WIDTH;

/// What the network was trained on, and so which tags it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagger {
    /// `MagnaTagATune`: instruments, voices, styles.
    Mtt,
    /// The Million Song Dataset: genres, eras, moods.
    Msd,
}

impl Tagger {
    /// The name in the weights manifest.
    #[must_use]
    pub fn model(self) -> &'static str {
        match self {
            Self::Mtt => "musicnn-mtt",
            Self::Msd => "musicnn-msd",
        }
    }

    /// Its tags, in the order of its results.
    #[must_use]
    pub fn tags(self) -> [&'static str; NUM_TAGS] {
        match self {
            Self::Mtt => [
                "guitar",
                "classical",
                "slow",
                "techno",
                "strings",
                "drums",
                "electronic",
                "rock",
                "fast",
                "piano",
                "ambient",
                "beat",
                "violin",
                "vocal",
                "synth",
                "female",
                "indian",
                "opera",
                "male",
                "singing",
                "vocals",
                "no vocals",
                "harpsichord",
                "loud",
                "quiet",
                "flute",
                "woman",
                "male vocal",
                "no vocal",
                "pop",
                "soft",
                "sitar",
                "solo",
                "man",
                "classic",
                "choir",
                "voice",
                "new age",
                "dance",
                "male voice",
                "female vocal",
                "beats",
                "harp",
                "cello",
                "no voice",
                "weird",
                "country",
                "metal",
                "female voice",
                "choral",
            ],
            Self::Msd => [
                "rock",
                "pop",
                "alternative",
                "indie",
                "electronic",
                "female vocalists",
                "dance",
                "00s",
                "alternative rock",
                "jazz",
                "beautiful",
                "metal",
                "chillout",
                "male vocalists",
                "classic rock",
                "soul",
                "indie rock",
                "mellow",
                "electronica",
                "80s",
                "folk",
                "90s",
                "chill",
                "instrumental",
                "punk",
                "oldies",
                "blues",
                "hard rock",
                "ambient",
                "acoustic",
                "experimental",
                "female vocalist",
                "guitar",
                "hip-hop",
                "70s",
                "party",
                "country",
                "easy listening",
                "sexy",
                "catchy",
                "funk",
                "electro",
                "heavy metal",
                "progressive rock",
                "60s",
                "rnb",
                "indie pop",
                "sad",
                "house",
                "happy",
            ],
        }
    }
}

/// What a patch sounds like.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagged {
    /// `[50]` probabilities.
    pub tags: Vec<f32>,
    /// `[200]`, the layer before them.
    pub embedding: Vec<f32>,
}

/// The loaded network; may be used from many threads.
pub struct Musicnn {
    input: Norm,
    timbral: Vec<Layer>,
    temporal: Vec<Layer>,
    middle: Vec<Layer>,
    pooled: Norm,
    dense: Layer,
    tags: PackedMatrix,
}

/// A product, a `ReLU`, and the batch norm behind it.
struct Layer {
    matrix: PackedMatrix,
    norm: Norm,
}

/// A batch norm: what each number is multiplied by, and what is added.
struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Musicnn {
    /// Loads what `checkpoint::tensor_bundle` made of one of the models.
    ///
    /// # Errors
    /// [`NnError::Load`] where the file is missing or holds another network's tensors.
    pub fn load(weights: &Path) -> std::result::Result<Self, NnError> {
        Self::read(weights, Isa::detect()).map_err(|e| NnError::Load {
            path: weights.to_owned(),
            network: "musicnn".to_owned(),
            message: e.to_string().lines().next().unwrap_or_default().to_owned(),
        })
    }

    fn read(weights: &Path, isa: Isa) -> Result<Self> {
        let tensors = crate::tensor_file::load(weights, &Device::Cpu)?;
        let weights = Weights { tensors: StateDict(&tensors), isa };
        let (num_timbral, num_front) = (TIMBRAL.len(), TIMBRAL.len() + TEMPORAL.len());
        let numbered = |idx: usize, shape: [usize; 4]| {
            weights.layer(&format!("conv2d{}", suffix(idx)), idx + 1, &shape)
        };
        let middle = |idx: usize| {
            let width = if idx == 0 { FRONT_WIDTH } else { MIDDLE_WIDTH };
            numbered(num_front + idx, [SPAN, width, 1, MIDDLE_WIDTH])
        };
        Ok(Self {
            input: weights.norm(0, 1)?,
            timbral: (TIMBRAL.iter().enumerate())
                .map(|(idx, (filters, mels))| numbered(idx, [SPAN, *mels, 1, *filters]))
                .collect::<Result<_>>()?,
            temporal: (TEMPORAL.iter().zip(num_timbral..))
                .map(|((filters, frames), idx)| numbered(idx, [*frames, 1, 1, *filters]))
                .collect::<Result<_>>()?,
            middle: (0..3).map(middle).collect::<Result<_>>()?,
            pooled: weights.norm(9, 2 * POOLED_WIDTH)?,
            dense: weights.layer("dense", 10, &[2 * POOLED_WIDTH, EMBEDDING_DIM])?,
            tags: weights.matrix("dense_1", &[EMBEDDING_DIM, NUM_TAGS])?,
        })
    }

    /// The tags of one patch; `mels` is `[187, 96]`: log10(10000 · power + 1).
    ///
    /// # Errors
    /// [`NnError::Input`] where the length is another.
    pub fn tag(&self, mels: &[f32], scratch: &mut Scratch) -> std::result::Result<Tagged, NnError> {
        if mels.len() != NUM_FRAMES * NUM_MELS {
            return Err(NnError::Input(format!(
                "expected {NUM_FRAMES} frames of {NUM_MELS} mels, got {} numbers",
                mels.len()
            )));
        }
        let Scratch { lines, patches, products, features } = scratch;
        let features = features.at_least(NUM_FRAMES * POOLED_WIDTH);
        features.fill(f32::NEG_INFINITY);

        // The norm of the input comes before the zeros beyond its edges.
        let normed = |x: &f32| x * self.input.scale[0] + self.input.shift[0];
        let padded = lines.at_least((NUM_FRAMES + SPAN - 1) * NUM_MELS);
        padded.fill(0.0);
        let inside = &mut padded[BEFORE * NUM_MELS..][..NUM_FRAMES * NUM_MELS];
        inside.iter_mut().zip(mels).for_each(|(out, x)| *out = normed(x));
        let mut column = 0;
        for (layer, (filters, num_mels)) in self.timbral.iter().zip(TIMBRAL) {
            timbre(layer, padded, num_mels, (patches, products), |frame, values| {
                layer.norm.raise(values, &mut features[frame * POOLED_WIDTH + column..]);
            });
            column += filters;
        }
        for (layer, (filters, num_taps)) in self.temporal.iter().zip(TEMPORAL) {
            let before = (num_taps - 1) / 2;
            let line = lines.at_least(NUM_FRAMES + num_taps - 1);
            for mel in 0..NUM_MELS {
                line.fill(0.0);
                let of_mel = mels.iter().skip(mel).step_by(NUM_MELS);
                line[before..].iter_mut().zip(of_mel).for_each(|(out, x)| *out = normed(x));
                // Each row begins a frame after the one before.
                let values = layer.product(NUM_FRAMES, line, 1, products);
                for (frame, values) in values.chunks_exact(filters).enumerate() {
                    layer.norm.raise(values, &mut features[frame * POOLED_WIDTH + column..]);
                }
            }
            column += filters;
        }
        self.middle_layers(features, lines, products);

        let mut pooled = pool(features);
        let norm = self.pooled.scale.iter().zip(&self.pooled.shift);
        pooled.iter_mut().zip(norm).for_each(|(x, (scale, shift))| *x = *x * scale + shift);
        let mut embedding = self.dense.product(1, &pooled, 0, products).to_vec();
        self.dense.norm.apply(&mut embedding);
        let mut tags = vec![0.0; NUM_TAGS];
        self.tags.multiply(1, &embedding, 0, None, Clamp::NONE, &mut tags, NUM_TAGS, Rows::DENSE);
        for logit in &mut tags {
            *logit = 1.0 / (1.0 + (-*logit).exp());
        }
        Ok(Tagged { tags, embedding })
    }

    /// Three layers over time, each added to the one before; each reads what stands to the left
    /// of its own columns.
    fn middle_layers(&self, features: &mut [f32], lines: &mut Aligned, products: &mut Aligned) {
        let (mut from, mut column) = (0, FRONT_WIDTH);
        for (idx, layer) in self.middle.iter().enumerate() {
            let width = column - from;
            let line = lines.at_least((NUM_FRAMES + SPAN - 1) * width);
            line.fill(0.0);
            let frames = features.chunks_exact(POOLED_WIDTH);
            for (out, frame) in line[BEFORE * width..].chunks_exact_mut(width).zip(frames) {
                out.copy_from_slice(&frame[from..column]);
            }
            let values = layer.product(NUM_FRAMES, line, width, products);
            for (frame, values) in
                features.chunks_exact_mut(POOLED_WIDTH).zip(values.chunks_exact_mut(MIDDLE_WIDTH))
            {
                layer.norm.apply(values);
                if idx > 0 {
                    values.iter_mut().zip(&frame[from..column]).for_each(|(x, add)| *x += add);
                }
                frame[column..column + MIDDLE_WIDTH].copy_from_slice(values);
            }
            (from, column) = (column, column + MIDDLE_WIDTH);
        }
    }
}

/// A timbral layer: for each frame and each place along the mels a row of values.
fn timbre(
    layer: &Layer,
    padded: &[f32],
    num_mels: usize,
    (patches, products): (&mut Aligned, &mut Aligned),
    mut take: impl FnMut(usize, &[f32]),
) {
    let num_places = NUM_MELS + 1 - num_mels;
    let width = layer.matrix.width();
    for frame in 0..NUM_FRAMES {
        let patch_len = SPAN * num_mels;
        let patches = patches.at_least(num_places * patch_len);
        for (place, patch) in patches.chunks_exact_mut(patch_len).enumerate() {
            let lines = padded[frame * NUM_MELS..].chunks_exact(NUM_MELS);
            for (part, line) in patch.chunks_exact_mut(num_mels).zip(lines) {
                part.copy_from_slice(&line[place..place + num_mels]);
            }
        }
        let values = layer.product(num_places, patches, patch_len, products);
        for values in values.chunks_exact(width) {
            take(frame, values);
        }
    }
}

/// Of each feature the greatest over all frames and the mean, side by side.
fn pool(features: &[f32]) -> Vec<f32> {
    let mut greatest = vec![f32::NEG_INFINITY; POOLED_WIDTH];
    let mut sums = vec![0.0; POOLED_WIDTH];
    for frame in features.chunks_exact(POOLED_WIDTH) {
        for ((greatest, sum), x) in greatest.iter_mut().zip(&mut sums).zip(frame) {
            *greatest = greatest.max(*x);
            *sum += x;
        }
    }
    greatest.iter().zip(&sums).flat_map(|(max, sum)| [*max, sum / NUM_FRAMES as f32]).collect()
}

impl Layer {
    /// `[rows, width]` before the norm.
    fn product<'o>(
        &self,
        num_rows: usize,
        left: &[f32],
        left_stride: usize,
        out: &'o mut Aligned,
    ) -> &'o mut [f32] {
        let width = self.matrix.width();
        let out = out.at_least(num_rows * width);
        self.matrix.multiply(
            num_rows,
            left,
            left_stride,
            None,
            Clamp::RELU,
            out,
            width,
            Rows::DENSE,
        );
        out
    }
}

impl Norm {
    fn apply(&self, values: &mut [f32]) {
        for ((x, scale), shift) in values.iter_mut().zip(&self.scale).zip(&self.shift) {
            *x = *x * scale + shift;
        }
    }

    /// Raises `best` to what the values are behind the norm, where they are greater.
    fn raise(&self, values: &[f32], best: &mut [f32]) {
        for (((best, x), scale), shift) in
            best.iter_mut().zip(values).zip(&self.scale).zip(&self.shift)
        {
            *best = best.max(x * scale + shift);
        }
    }
}

/// Memory that is used again for every patch.
#[derive(Default)]
pub struct Scratch {
    lines: Aligned,
    patches: Aligned,
    products: Aligned,
    features: Aligned,
}

struct Weights<'a> {
    tensors: StateDict<'a>,
    isa: Isa,
}

impl Weights<'_> {
    fn layer(&self, name: &str, norm_idx: usize, shape: &[usize]) -> Result<Layer> {
        let matrix = self.matrix(name, shape)?;
        Ok(Layer { norm: self.norm(norm_idx, matrix.width())?, matrix })
    }

    /// A kernel `[…, width]` as a matrix of as many columns.
    fn matrix(&self, name: &str, shape: &[usize]) -> Result<PackedMatrix> {
        let (width, depths) = shape.split_last().map_or((0, &[][..]), |(w, d)| (*w, d));
        let depth = depths.iter().product::<usize>();
        let kernel = self.tensors.get(&format!("{name}/kernel"), shape)?;
        let bias = self.tensors.get(&format!("{name}/bias"), &[width])?;
        let rows: Vec<f32> =
            (0..width * depth).map(|at| kernel[at % depth * width + at / depth]).collect();
        Ok(PackedMatrix::from_rows(self.isa, &rows, &bias))
    }

    fn norm(&self, idx: usize, width: usize) -> Result<Norm> {
        let name = format!("batch_normalization{}", suffix(idx));
        let part = |part: &str| self.tensors.get(&format!("{name}/{part}"), &[width]);
        let (gamma, beta) = (part("gamma")?, part("beta")?);
        let (mean, variance) = (part("moving_mean")?, part("moving_variance")?);
        let scale: Vec<f32> =
            gamma.iter().zip(&variance).map(|(gamma, var)| gamma / (var + EPS).sqrt()).collect();
        let shift =
            beta.iter().zip(&mean).zip(&scale).map(|((beta, mean), s)| beta - mean * s).collect();
        Ok(Norm { scale, shift })
    }
}

/// `TensorFlow` numbers its layers from the second on.
fn suffix(idx: usize) -> String {
    if idx == 0 { String::new() } else { format!("_{idx}") }
}
