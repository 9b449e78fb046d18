//! The last layers of a network, to be trained further: candle's operators, each with its
//! gradient.
//!
//! in: `[texts, tokens, dim]`, what the layers below make of texts, and the tokens of each; out:
//! `[texts, dim]`, pooled over tokens, each of length 1
//! source: Devlin et al. 2019, "BERT", section 4 and appendix A.2 (dropout)
//! reference: transformers' layers and sentence-transformers' pooling, values and gradients
//! (`scripts/golden/torch_fine_tuning.py`); parameters are named as in BERT

use candle_core::{D, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        NnError,
        attention_pool::{mask_bias, mean_pool, mean_weights},
    },
    Pooling,
    architecture::{Architecture, Family},
    plain::activated,
};

/// Gives a parameter by its name.
pub type Param<'a> = &'a dyn Fn(&str) -> Result<Tensor>;
/// Drops some of a tensor's numbers in training, none else.
pub type Drop<'a> = &'a mut dyn FnMut(Tensor) -> Result<Tensor>;

/// Which layers, and what is done behind them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastLayers {
    architecture: Architecture,
    pooling: Pooling,
    num: usize,
}

impl LastLayers {
    /// What is dropped in training of attention and of what each half of a layer adds: as BERT
    /// was trained.
    pub const DROPOUT: f64 = 0.1;

    /// The last `num` layers of a network.
    ///
    /// # Errors
    /// [`NnError::Untrainable`] where there are not as many, or the layers lean on a table that
    /// they share.
    pub(super) fn of(
        architecture: &Architecture,
        pooling: Pooling,
        num: usize,
    ) -> std::result::Result<Self, NnError> {
        if architecture.model_type == Family::MpNet {
            return Err(NnError::Untrainable {
                message: "the last layers of an MPNet cannot be trained: all its layers share one \
                          table of distances"
                    .to_owned(),
                hint: "take a network of BERT's, DistilBERT's or RoBERTa's kind, such as \
                       all-minilm-l6-v2"
                    .to_owned(),
            });
        }
        let there = architecture.num_hidden_layers;
        if num == 0 || num > there {
            return Err(NnError::Untrainable {
                message: format!("{num} layers cannot be trained of a network that has {there}"),
                hint: format!("take between 1 and {there}"),
            });
        }
        Ok(Self { architecture: architecture.clone(), pooling, num })
    }

    /// Whether these are layers that a network can have, whoever wrote them down.
    #[must_use]
    pub fn fits(&self) -> bool {
        let (heads, dim) = (self.architecture.num_attention_heads, self.dim());
        let is_divided = heads > 0 && dim > 0 && dim.is_multiple_of(heads);
        is_divided && (1..=self.architecture.num_hidden_layers).contains(&self.num)
    }

    /// Length of a token's vector and of a text's.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.architecture.hidden_size
    }

    /// Layers below, which stay as they are.
    #[must_use]
    pub fn num_below(&self) -> usize {
        self.architecture.num_hidden_layers - self.num
    }

    /// Names and shapes of the parameters.
    #[must_use]
    pub fn params(&self) -> Vec<(String, Vec<usize>)> {
        let (dim, width) = (self.dim(), self.architecture.intermediate_size);
        let mut params = Vec::new();
        for layer in self.layers() {
            let mut linear = |name: &str, inputs: usize, outputs: usize| {
                params.push((format!("{layer}.{name}.weight"), vec![outputs, inputs]));
                params.push((format!("{layer}.{name}.bias"), vec![outputs]));
            };
            for part in ["self.query", "self.key", "self.value", "output.dense"] {
                linear(&format!("attention.{part}"), dim, dim);
            }
            linear("intermediate.dense", dim, width);
            linear("output.dense", width, dim);
            for norm in ["attention.output.LayerNorm", "output.LayerNorm"] {
                params.push((format!("{layer}.{norm}.weight"), vec![dim]));
                params.push((format!("{layer}.{norm}.bias"), vec![dim]));
            }
        }
        params
    }

    fn layers(&self) -> impl Iterator<Item = String> {
        (self.num_below()..self.architecture.num_hidden_layers)
            .map(|idx| format!("encoder.layer.{idx}"))
    }

    /// Vectors of texts; `counts` `[texts]` of their tokens, at least 1 each; what stands behind a
    /// text's last token does not matter as long as it is finite.
    ///
    /// # Errors
    /// The device's error.
    pub fn forward(
        &self,
        states: &Tensor,
        counts: &[usize],
        param: Param<'_>,
        drop: Drop<'_>,
    ) -> Result<Tensor> {
        let padding = mask_bias(counts, states.device())?; // [texts, tokens]
        let mut x = states.clone();
        for layer in self.layers() {
            let layer = Layer { name: &layer, of: self, param };
            let mixed = layer.attend(&x, &padding, drop)?;
            let mixed = drop(layer.linear(&mixed, "attention.output.dense")?)?;
            x = layer.norm(&(mixed + x)?, "attention.output.LayerNorm")?;
            let wide = layer.linear(&x, "intermediate.dense")?;
            let wide = activated(self.architecture.hidden_act, &wide)?;
            let narrow = drop(layer.linear(&wide, "output.dense")?)?;
            x = layer.norm(&(narrow + x)?, "output.LayerNorm")?;
        }
        let pooled = match self.pooling {
            Pooling::Cls => x.narrow(1, 0, 1)?.squeeze(1)?,
            Pooling::Max => x.broadcast_add(&padding.unsqueeze(2)?)?.max(1)?,
            Pooling::Mean => mean_pool(&x, &mean_weights(counts, x.device())?)?,
        }; // [texts, dim]
        let length = pooled.sqr()?.sum_keepdim(1)?.affine(1.0, 1e-24)?.sqrt()?;
        pooled.broadcast_div(&length)
    }
}

struct Layer<'a> {
    name: &'a str,
    of: &'a LastLayers,
    param: Param<'a>,
}

impl Layer<'_> {
    fn param(&self, name: &str) -> Result<Tensor> {
        (self.param)(&format!("{}.{name}", self.name))
    }

    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let (texts, tokens, inputs) = x.dims3()?;
        let weight = self.param(&format!("{name}.weight"))?;
        x.reshape((texts * tokens, inputs))?
            .matmul(&weight.t()?)?
            .broadcast_add(&self.param(&format!("{name}.bias"))?)?
            .reshape((texts, tokens, weight.dim(0)?))
    }

    /// What each token takes from the others of its text, `[texts, tokens, dim]`.
    fn attend(&self, x: &Tensor, padding: &Tensor, drop: Drop<'_>) -> Result<Tensor> {
        let (texts, tokens, dim) = x.dims3()?;
        let (heads, head_dim) =
            (self.of.architecture.num_attention_heads, self.of.architecture.head_dim());
        let by_head = |part: &str| {
            self.linear(x, &format!("attention.self.{part}"))?
                .reshape((texts, tokens, heads, head_dim))?
                .transpose(1, 2)?
                .contiguous()
        }; // [texts, heads, tokens, head_dim]
        let query = by_head("query")?.affine(1.0 / (head_dim as f64).sqrt(), 0.0)?;
        let scores = query
            .matmul(&by_head("key")?.transpose(2, 3)?.contiguous()?)?
            .broadcast_add(&padding.unsqueeze(1)?.unsqueeze(1)?)?; // [texts, heads, tokens, tokens]
        // Written out, here as in the norm below: candle's own have no gradient.
        let highest = scores.detach().max_keepdim(D::Minus1)?;
        let exponentials = scores.broadcast_sub(&highest)?.exp()?;
        let attention = exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)?;
        drop(attention)?
            .matmul(&by_head("value")?)?
            .transpose(1, 2)?
            .contiguous()?
            .reshape((texts, tokens, dim))
    }

    /// To mean 0 and deviation 1 over the last axis, then scaled and shifted.
    fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let deviation = variance.affine(1.0, self.of.architecture.layer_norm_eps)?.sqrt()?;
        centred
            .broadcast_div(&deviation)?
            .broadcast_mul(&self.param(&format!("{name}.weight"))?)?
            .broadcast_add(&self.param(&format!("{name}.bias"))?)
    }
}
