//! Networks over a text's words in order, learned from scratch: recurrent (LSTM, GRU),
//! convolutional, both, and a transformer layer.
//!
//! in: word ids of each title, at least 1 of each; out: `[titles, units]`
//! source: Hochreiter and Schmidhuber 1997; Cho et al. 2014; Kim 2014, "Convolutional neural
//! networks for sentence classification"; Vaswani et al. 2017
//! reference: PyTorch 2 `LSTM`, `GRU`, `conv1d`, `TransformerEncoderLayer`, values and gradients
//! (`scripts/golden/torch_text.py`); parameters are named as there

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::sigmoid;
use nn::attention_pool::{mask_bias, mean_pool, mean_weights};
use serde::{Deserialize, Serialize};

pub use crate::config::SequenceKind;

/// Words that a convolution sees at once.
const KERNELS: [usize; 3] = [3, 4, 5];
/// Of `cnn-rnn`: words that a convolution sees, and steps of it that become one.
const REDUCING_KERNEL: usize = 3;
const REDUCTION: usize = 4;
/// Heads of the transformer's attention.
const HEADS: usize = 2;

/// The shape of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceShape {
    /// Its kind.
    pub kind: SequenceKind,
    /// Number of word ids.
    pub words: usize,
    /// Numbers of a word.
    pub embedding: usize,
    /// Words of a text, at most.
    pub max_words: usize,
    /// Filters of each width, or units of the recurrent state.
    pub hidden: usize,
}

impl SequenceShape {
    /// Whether it is the shape of a network.
    #[must_use]
    pub fn fits(&self) -> bool {
        let sizes = [self.embedding, self.max_words, self.hidden];
        let is_divided =
            self.kind != SequenceKind::Transformer || self.embedding.is_multiple_of(HEADS);
        is_divided && sizes.iter().all(|size| (1..=1 << 20).contains(size))
    }

    /// Numbers that come out for each title.
    #[must_use]
    pub fn units(&self) -> usize {
        match self.kind {
            SequenceKind::Cnn => KERNELS.len() * self.hidden,
            SequenceKind::Transformer => self.embedding,
            SequenceKind::Lstm | SequenceKind::Gru | SequenceKind::CnnRnn => self.hidden,
        }
    }

    /// Names and shapes of the parameters.
    #[must_use]
    pub fn params(&self) -> Vec<(String, Vec<usize>)> {
        let (e, h) = (self.embedding, self.hidden);
        let mut params = vec![("embedding.weight".to_owned(), vec![self.words, e])];
        let mut add = |name: &str, shape: &[usize]| params.push((name.to_owned(), shape.to_vec()));
        let gates = if self.kind == SequenceKind::Lstm { 4 } else { 3 };
        let mut recurrent = |inputs: usize| {
            add("rnn.weight_ih_l0", &[gates * h, inputs]);
            add("rnn.weight_hh_l0", &[gates * h, h]);
            add("rnn.bias_ih_l0", &[gates * h]);
            add("rnn.bias_hh_l0", &[gates * h]);
        };
        match self.kind {
            SequenceKind::Lstm | SequenceKind::Gru => recurrent(e),
            SequenceKind::CnnRnn => {
                recurrent(h);
                add("conv.weight", &[h, REDUCING_KERNEL * e]);
                add("conv.bias", &[h]);
            }
            SequenceKind::Cnn => {
                for width in KERNELS {
                    add(&format!("conv{width}.weight"), &[h, width * e]);
                    add(&format!("conv{width}.bias"), &[h]);
                }
            }
            SequenceKind::Transformer => {
                add("position.weight", &[self.max_words, e]);
                add("self_attn.in_proj_weight", &[3 * e, e]);
                add("self_attn.in_proj_bias", &[3 * e]);
                add("self_attn.out_proj.weight", &[e, e]);
                add("self_attn.out_proj.bias", &[e]);
                add("linear1.weight", &[2 * e, e]);
                add("linear1.bias", &[2 * e]);
                add("linear2.weight", &[e, 2 * e]);
                add("linear2.bias", &[e]);
                for norm in ["norm1", "norm2"] {
                    add(&format!("{norm}.weight"), &[e]);
                    add(&format!("{norm}.bias"), &[e]);
                }
            }
        }
        params
    }
}

/// Texts of a batch, one after the other.
struct Texts<'a> {
    ids: &'a [u32],
    counts: &'a [usize],
    device: &'a Device,
}

impl Texts<'_> {
    fn longest(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// Ids at places `0..width` of each text, `[titles, width]` flat; 0 behind its end.
    fn padded(&self, width: usize) -> Result<Tensor> {
        let mut padded = Vec::with_capacity(self.counts.len() * width);
        let mut rest = self.ids;
        for &count in self.counts {
            let (own, others) = rest.split_at(count);
            padded.extend_from_slice(own);
            padded.resize(padded.len() + width - count, 0);
            rest = others;
        }
        Tensor::from_vec(padded, self.counts.len() * width, self.device)
    }

    /// 1 for texts with more than `place` words, `[titles, 1]`; `None` where all have.
    fn longer_than(&self, counts: &[usize], place: usize) -> Result<Option<Tensor>> {
        if counts.iter().all(|&count| count > place) {
            return Ok(None);
        }
        let mask = counts.iter().map(|&count| f32::from(u8::from(count > place))).collect();
        Tensor::from_vec(mask, (counts.len(), 1), self.device).map(Some)
    }
}

/// Encodes texts: `ids` of all, one after the other; `counts` `[titles]` of each, from 1 to
/// `max_words`; `param` gives parameters by name.
///
/// # Errors
/// The device's error.
pub fn encode(
    shape: &SequenceShape,
    ids: &[u32],
    counts: &[usize],
    device: &Device,
    param: &dyn Fn(&str) -> Result<Tensor>,
) -> Result<Tensor> {
    let texts = Texts { ids, counts, device };
    let table = param("embedding.weight")?;
    let embed = |width: usize| {
        let rows = table.index_select(&texts.padded(width)?, 0)?;
        rows.reshape((counts.len(), width, shape.embedding))
    };
    match shape.kind {
        SequenceKind::Lstm | SequenceKind::Gru => {
            let width = texts.longest();
            let ids = texts.padded(width)?.reshape((counts.len(), width))?.t()?.contiguous()?;
            let steps: Vec<Tensor> = (0..width)
                .map(|place| table.index_select(&ids.get(place)?, 0))
                .collect::<Result<_>>()?;
            recurrent(shape, &texts, &steps, counts, param)
        }
        SequenceKind::Cnn => {
            let width = texts.longest().max(KERNELS[KERNELS.len() - 1]);
            let x = embed(width)?;
            let highest = KERNELS.map(|kernel| {
                let answers = convolve(&x, kernel, &format!("conv{kernel}"), param)?;
                // Nothing of a window that begins behind the last whole one.
                let whole: Vec<usize> =
                    counts.iter().map(|&count| (count + 1).saturating_sub(kernel).max(1)).collect();
                keep_first(&answers, &whole, device)?.max(1)
            });
            Tensor::cat(&highest.into_iter().collect::<Result<Vec<_>>>()?, 1)
        }
        SequenceKind::CnnRnn => {
            let longest = texts.longest().max(REDUCING_KERNEL);
            let x = embed(longest.div_ceil(REDUCTION) * REDUCTION + REDUCING_KERNEL - 1)?;
            let answers = convolve(&x, REDUCING_KERNEL, "conv", param)?;
            let answers = keep_first(&answers, counts, device)?;
            let steps: Vec<Tensor> = (0..answers.dim(1)? / REDUCTION)
                .map(|step| answers.narrow(1, step * REDUCTION, REDUCTION)?.max(1))
                .collect::<Result<_>>()?;
            let reduced: Vec<usize> = counts.iter().map(|n| n.div_ceil(REDUCTION)).collect();
            recurrent(shape, &texts, &steps, &reduced, param)
        }
        SequenceKind::Transformer => {
            let width = texts.longest();
            let x = embed(width)?
                .broadcast_add(&param("position.weight")?.narrow(0, 0, width)?.unsqueeze(0)?)?;
            mean_pool(
                &transformer_layer(&x, counts, device, param)?,
                &mean_weights(counts, device)?,
            )
        }
    }
}

/// The last state of each text, `[titles, hidden]`.
fn recurrent(
    shape: &SequenceShape,
    texts: &Texts<'_>,
    steps: &[Tensor],
    counts: &[usize],
    param: &dyn Fn(&str) -> Result<Tensor>,
) -> Result<Tensor> {
    let input = param("rnn.weight_ih_l0")?.t()?.contiguous()?;
    let back = param("rnn.weight_hh_l0")?.t()?.contiguous()?;
    let (input_bias, back_bias) = (param("rnn.bias_ih_l0")?, param("rnn.bias_hh_l0")?);
    let zeros = Tensor::zeros((counts.len(), shape.hidden), DType::F32, texts.device)?;
    let (mut state, mut cell) = (zeros.clone(), zeros);
    for (place, x) in steps.iter().enumerate() {
        let from_input = x.matmul(&input)?.broadcast_add(&input_bias)?;
        let from_state = state.matmul(&back)?.broadcast_add(&back_bias)?;
        let there = texts.longer_than(counts, place)?;
        let renew = |old: &Tensor, new: Tensor| match &there {
            None => Ok(new),
            Some(there) => old + (new - old)?.broadcast_mul(there)?,
        };
        if shape.kind == SequenceKind::Lstm {
            let gates = (from_input + from_state)?.chunk(4, 1)?;
            let (let_in, keep) = (sigmoid(&gates[0])?, sigmoid(&gates[1])?);
            let (fresh, show) = (gates[2].tanh()?, sigmoid(&gates[3])?);
            let new = ((keep * &cell)? + (let_in * fresh)?)?;
            state = renew(&state, (show * new.tanh()?)?)?;
            cell = renew(&cell, new)?;
        } else {
            let (x, h) = (from_input.chunk(3, 1)?, from_state.chunk(3, 1)?);
            let reset = sigmoid(&(&x[0] + &h[0])?)?;
            let update = sigmoid(&(&x[1] + &h[1])?)?;
            let fresh = (&x[2] + (reset * &h[2])?)?.tanh()?;
            let new = (&fresh + (update * (&state - &fresh)?)?)?;
            state = renew(&state, new)?;
        }
    }
    Ok(state)
}

/// `[titles, places, embedding]` as rectified answers `[titles, places - kernel + 1, filters]`.
fn convolve(
    x: &Tensor,
    kernel: usize,
    name: &str,
    param: &dyn Fn(&str) -> Result<Tensor>,
) -> Result<Tensor> {
    let (titles, places, _) = x.dims3()?;
    let windows = places - kernel + 1;
    let shifted: Vec<Tensor> =
        (0..kernel).map(|shift| x.narrow(1, shift, windows)).collect::<Result<_>>()?;
    let seen = Tensor::cat(&shifted, 2)?; // [titles, windows, kernel * embedding]
    let weight = param(&format!("{name}.weight"))?;
    let answers = seen
        .reshape((titles * windows, seen.dim(2)?))?
        .matmul(&weight.t()?)?
        .broadcast_add(&param(&format!("{name}.bias"))?)?
        .relu()?;
    answers.reshape((titles, windows, weight.dim(0)?))
}

/// Sets rectified answers `[titles, places, filters]` behind each title's first `counts` to 0,
/// which no answer is below.
fn keep_first(answers: &Tensor, counts: &[usize], device: &Device) -> Result<Tensor> {
    let (titles, places, _) = answers.dims3()?;
    let mask: Vec<f32> = counts
        .iter()
        .flat_map(|&count| (0..places).map(move |place| f32::from(u8::from(place < count))))
        .collect();
    answers.broadcast_mul(&Tensor::from_vec(mask, (titles, places, 1), device)?)
}

/// Self-attention and a feed-forward layer, each with its residual and norm behind it.
fn transformer_layer(
    x: &Tensor,
    counts: &[usize],
    device: &Device,
    param: &dyn Fn(&str) -> Result<Tensor>,
) -> Result<Tensor> {
    let (titles, places, width) = x.dims3()?;
    let linear = |x: &Tensor, weight: &str, bias: &str| -> Result<Tensor> {
        let weight = param(weight)?;
        x.reshape((titles * places, x.dim(2)?))?
            .matmul(&weight.t()?)?
            .broadcast_add(&param(bias)?)?
            .reshape((titles, places, weight.dim(0)?))
    };
    let projected = linear(x, "self_attn.in_proj_weight", "self_attn.in_proj_bias")?;
    let of_heads = |part: usize| {
        projected
            .narrow(2, part * width, width)?
            .reshape((titles, places, HEADS, width / HEADS))?
            .transpose(1, 2)?
            .contiguous() // [titles, heads, places, width / heads]
    };
    let (queries, keys, values) = (of_heads(0)?, of_heads(1)?, of_heads(2)?);
    let scale = 1.0 / ((width / HEADS) as f64).sqrt();
    let bias = mask_bias(counts, device)?.unsqueeze(1)?.unsqueeze(1)?; // [titles, 1, 1, places]
    let scores = queries
        .matmul(&keys.transpose(2, 3)?.contiguous()?)?
        .affine(scale, 0.0)?
        .broadcast_add(&bias)?;
    let highest = scores.detach().max_keepdim(D::Minus1)?;
    let exponentials = scores.broadcast_sub(&highest)?.exp()?;
    let attention = exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)?;
    let attended = attention
        .matmul(&values)?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((titles, places, width))?;
    let attended = linear(&attended, "self_attn.out_proj.weight", "self_attn.out_proj.bias")?;
    let x = norm(&(x + attended)?, "norm1", param)?;
    let inner = linear(&x, "linear1.weight", "linear1.bias")?.relu()?;
    let outer = linear(&inner, "linear2.weight", "linear2.bias")?;
    norm(&(x + outer)?, "norm2", param)
}

/// To mean 0 and deviation 1 over the last axis, then scaled and shifted.
fn norm(x: &Tensor, name: &str, param: &dyn Fn(&str) -> Result<Tensor>) -> Result<Tensor> {
    /// PyTorch's default.
    const EPSILON: f64 = 1e-5;
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = centred.sqr()?.mean_keepdim(D::Minus1)?.affine(1.0, EPSILON)?.sqrt()?;
    centred
        .broadcast_div(&deviation)?
        .broadcast_mul(&param(&format!("{name}.weight"))?)?
        .broadcast_add(&param(&format!("{name}.bias"))?)
}
