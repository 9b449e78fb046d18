//! Sentence-BERT: text to vectors of unit length.
//!
//! in: text, cut into windows of tokens; out: `[windows, dim]`, L2-normalised means over tokens.
//! source: Reimers and Gurevych 2019, "Sentence-BERT"; Devlin et al. 2019, "BERT".
//! reference: `sentence-transformers` 6, `SentenceTransformer.encode(normalize_embeddings=True)`.

mod fused;
mod windows;

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config, HiddenAct};
use kernels::Isa;
use tokenizers::Tokenizer;

pub use windows::TextWindow;

use self::{
    fused::{FusedBert, Scratch},
    windows::cut,
};
use super::{ModelFiles, NnError};

/// A loaded encoder; `embed` may be called from many threads.
pub struct SentenceBert {
    tokenizer: Tokenizer,
    network: Network,
    config: Config,
    /// `[CLS]` and `[SEP]`, which begin and end every window.
    special: (u32, u32),
}

enum Network {
    /// Our kernels, on the processor.
    Fused {
        network: Box<FusedBert>,
        /// Taken and given back by each call, so that memory is mapped once per thread.
        scratches: Mutex<Vec<Scratch>>,
    },
    /// candle's operators, on any other device and for activations that we have no kernel for.
    Plain { network: Box<BertModel>, device: Device },
}

impl SentenceBert {
    /// Loads weights, `tokenizer.json` and `config.json`.
    ///
    /// The tokenizer's own truncation and padding are switched off: the published file cuts at
    /// 128 tokens and fills every text up to that.
    ///
    /// # Errors
    /// [`NnError::Load`] where a file is missing or belongs to another network.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, NnError> {
        let refuse = |path: &std::path::Path, message: String| NnError::Load {
            path: path.to_owned(),
            network: "a sentence transformer".to_owned(),
            message,
        };
        let beside = |path: &Option<std::path::PathBuf>, name: &str| {
            path.clone()
                .ok_or_else(|| refuse(&files.weights, format!("there is no {name} beside it")))
        };
        let path = beside(&files.config, "config.json")?;
        let text = fs::read(&path).map_err(|e| refuse(&path, e.to_string()))?;
        let config: Config =
            serde_json::from_slice(&text).map_err(|e| refuse(&path, e.to_string()))?;

        let path = beside(&files.tokenizer, "tokenizer.json")?;
        let mut tokenizer =
            Tokenizer::from_file(&path).map_err(|e| refuse(&path, e.to_string()))?;
        tokenizer.with_truncation(None).map_err(|e| refuse(&path, e.to_string()))?;
        tokenizer.with_padding(None);
        let special = |token: &str| {
            tokenizer
                .token_to_id(token)
                .ok_or_else(|| refuse(&path, format!("it has no token {token}")))
        };
        let special = (special("[CLS]")?, special("[SEP]")?);

        let refuse_weights = |e: candle_core::Error| {
            refuse(&files.weights, e.to_string().lines().next().unwrap_or_default().to_owned())
        };
        let tensors =
            candle_core::safetensors::load(&files.weights, device).map_err(refuse_weights)?;
        let network = if device.is_cpu() && config.hidden_act == HiddenAct::Gelu {
            let network =
                FusedBert::load(&config, &tensors, Isa::detect()).map_err(refuse_weights)?;
            Network::Fused { network: Box::new(network), scratches: Mutex::default() }
        } else {
            let vars = VarBuilder::from_tensors(tensors, DType::F32, device);
            let network = BertModel::load(vars, &config).map_err(refuse_weights)?;
            Network::Plain { network: Box::new(network), device: device.clone() }
        };
        Ok(Self { tokenizer, network, config, special })
    }

    /// Length of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.config.hidden_size
    }

    /// Most tokens that a window may have, the two special ones counted.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.config.max_position_embeddings
    }

    /// Cuts a text into windows of at most `max_tokens` tokens (`[CLS]` and `[SEP]` counted),
    /// each sharing `overlap` tokens with the one before; the last one is moved back so that it
    /// is full. A text that fits is one window, one without tokens gives none.
    ///
    /// # Errors
    /// [`NnError::Input`] where `max_tokens` is not in `3..=`[`max_tokens`](Self::max_tokens),
    /// or `overlap` leaves no room to go on.
    pub fn windows(
        &self,
        text: &str,
        max_tokens: usize,
        overlap: usize,
    ) -> Result<Vec<TextWindow>, NnError> {
        if max_tokens < 3 || max_tokens > self.max_tokens() {
            return Err(NnError::Input(format!(
                "a window must have between 3 and {} tokens, got {max_tokens}",
                self.max_tokens()
            )));
        }
        if overlap + 2 >= max_tokens {
            return Err(NnError::Input(format!(
                "windows of {max_tokens} tokens cannot overlap by {overlap}"
            )));
        }
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|e| NnError::Input(format!("the text cannot be cut into tokens: {e}")))?;
        Ok(cut(encoding.get_ids(), encoding.get_offsets(), max_tokens, overlap, self.special))
    }

    /// Vectors of windows, `[windows, dim]`, each of length 1. A window's result does not
    /// depend on the others: windows of different length are never padded to each other. On the
    /// processor all work is done on the caller's thread; call from several to use more.
    ///
    /// # Errors
    /// [`NnError::Input`] where a window is empty, too long or has an unknown token;
    /// [`NnError::Compute`] where the device fails.
    pub fn embed(&self, windows: &[TextWindow]) -> Result<Vec<f32>, NnError> {
        windows.iter().try_for_each(|window| self.check(window))?;
        let means: Vec<Vec<f32>> = match &self.network {
            Network::Fused { network, scratches } => {
                windows.iter().map(|window| fused_mean(network, scratches, window)).collect()
            }
            Network::Plain { network, device } => windows
                .iter()
                .map(|window| plain_mean(network, device, &window.ids))
                .collect::<candle_core::Result<_>>()?,
        };
        Ok(means.into_iter().flat_map(normalized).collect())
    }

    fn check(&self, window: &TextWindow) -> Result<(), NnError> {
        if window.ids.is_empty() || window.ids.len() > self.max_tokens() {
            return Err(NnError::Input(format!(
                "a window must have between 1 and {} tokens, got {}",
                self.max_tokens(),
                window.ids.len()
            )));
        }
        match window.ids.iter().find(|id| **id as usize >= self.config.vocab_size) {
            None => Ok(()),
            Some(id) => Err(NnError::Input(format!(
                "token {id} is not in the vocabulary of {}",
                self.config.vocab_size
            ))),
        }
    }
}

fn fused_mean(
    network: &FusedBert,
    scratches: &Mutex<Vec<Scratch>>,
    window: &TextWindow,
) -> Vec<f32> {
    let lock = || scratches.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scratch = lock().pop().unwrap_or_else(|| network.scratch());
    let mean = network.forward(&window.ids, &mut scratch);
    lock().push(scratch);
    mean
}

fn plain_mean(network: &BertModel, device: &Device, ids: &[u32]) -> candle_core::Result<Vec<f32>> {
    let ids = Tensor::new(ids, device)?.unsqueeze(0)?; // [1, tokens]
    let states = network.forward(&ids, &ids.zeros_like()?, None)?; // [1, tokens, dim]
    states.mean(1)?.flatten_all()?.to_vec1()
}

/// Unit length, as `torch.nn.functional.normalize`: norms below 1e-12 count as that.
fn normalized(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-12) as f32;
    for x in &mut vector {
        *x /= norm;
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_fused_network_equals_candles() {
        let config = Config {
            vocab_size: 50,
            hidden_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 3,
            intermediate_size: 40,
            max_position_embeddings: 160,
            ..Config::default()
        };
        // candle makes the tensors that it misses, with random numbers.
        let vars = candle_nn::VarMap::new();
        let builder = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let plain = BertModel::load(builder, &config).unwrap();
        let tensors: HashMap<String, Tensor> = vars
            .data()
            .lock()
            .unwrap()
            .iter()
            .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
            .collect();
        // Longer than a chunk, so that the cut shows.
        for tokens in [1, 2, 17, 131, 160] {
            let ids: Vec<u32> = (0..tokens).map(|idx| (idx * 7 + 3) % 50).collect();
            let expected = plain_mean(&plain, &Device::Cpu, &ids).unwrap();
            for isa in Isa::available() {
                let fused = FusedBert::load(&config, &tensors, isa).unwrap();
                let mut scratch = fused.scratch();
                fused.forward(&[1, 2, 3, 4, 5, 6, 7], &mut scratch);
                let found = fused.forward(&ids, &mut scratch);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (found - expected).abs() <= 1e-5,
                        "{isa:?} {tokens}: {found} for {expected}"
                    );
                }
            }
        }
    }
}
