//! Sentence-BERT: text to vectors of unit length.
//!
//! in: text, cut into windows of tokens; out: `[windows, dim]`, pooled over tokens and
//! L2-normalised. BERT and its kin (`architecture`) share one network under one set of names.
//! source: Reimers and Gurevych 2019, "Sentence-BERT"; Devlin et al. 2019, "BERT".
//! reference: `sentence-transformers` 6, `SentenceTransformer.encode(normalize_embeddings=True)`.

mod architecture;
mod checkpoint;
mod fused;
mod last_layers;
mod plain;
mod pooling;
mod position_bias;
#[cfg(test)]
mod tests;
mod windows;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use candle_core::{Device, Tensor};
use tokenizers::Tokenizer;

pub use architecture::Architecture;
use base::file;

pub use last_layers::LastLayers;
pub use pooling::Pooling;
pub use windows::TextWindow;

use self::{
    architecture::Activation,
    fused::{FusedBert, Scratch},
    plain::PlainBert,
    windows::cut,
};
use super::{
    ModelFiles, NnError, Precision,
    on_device::{OnDevice, Place},
    unit_length::to_unit_length,
};

/// Windows that a device computes at once.
const BATCH: usize = 32;

/// A loaded encoder; `embed` may be called from many threads.
pub struct SentenceBert {
    tokenizer: Tokenizer,
    network: Network,
    /// The file that the network was read from.
    weights: PathBuf,
    architecture: Architecture,
    pooling: Pooling,
    prefix: String,
    /// What begins and ends every window, such as `[CLS]` and `[SEP]`.
    special: [u32; 2],
}

enum Network {
    /// Our kernels, on the processor.
    Fused {
        network: Box<FusedBert>,
        /// Taken and given back by each call, so that memory is mapped once per thread.
        scratches: Mutex<Vec<Scratch>>,
    },
    /// candle's operators, on any other device, in any other precision, and for activations that
    /// we have no kernel for.
    Plain(Box<OnDevice<PlainBert>>),
}

impl SentenceBert {
    /// Loads weights, `tokenizer.json` and `config.json`, and how to pool where the folder of the
    /// last has a `1_Pooling/config.json`; to compute in f32.
    ///
    /// The tokenizer's own truncation and padding are switched off: the published file of
    /// all-MiniLM-L6-v2 cuts at 128 tokens and fills every text up to that.
    ///
    /// # Errors
    /// [`NnError::Load`] where a file is missing or belongs to another network.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, NnError> {
        Self::load_in(files, device, Precision::F32)
    }

    /// As [`load`](Self::load), to compute in `precision`; f16 is slow on the processor.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`NnError::NoBf16`] on the processor where the activation is not
    /// `gelu`.
    pub fn load_in(
        files: &ModelFiles,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, NnError> {
        let beside = |path: &Option<PathBuf>, name: &str| {
            path.clone()
                .ok_or_else(|| refuse(&files.weights, format!("there is no {name} beside it")))
        };
        let config = beside(&files.config, "config.json")?;
        let architecture = file::read(&config)
            .map_err(|e| e.to_string())
            .and_then(|text| Architecture::parse(&text))
            .map_err(|message| refuse(&config, message))?;
        let pooling = Pooling::in_folder(config.parent().unwrap_or(Path::new(".")))
            .map_err(|(path, message)| refuse(&path, message))?;
        let path = beside(&files.tokenizer, "tokenizer.json")?;
        let (tokenizer, special) =
            read_tokenizer(&path).map_err(|message| refuse(&path, message))?;
        let place = Place::new(device, precision.of_floats()?);
        let is_gelu = architecture.hidden_act == Activation::Gelu;
        if device.is_cpu() && precision == Precision::Bf16 && !is_gelu {
            return Err(NnError::NoBf16);
        }
        let network = Network::load(&files.weights, &architecture, place).map_err(|e| {
            refuse(&files.weights, e.to_string().lines().next().unwrap_or_default().to_owned())
        })?;
        let weights = files.weights.clone();
        let prefix = String::new();
        Ok(Self { tokenizer, network, weights, architecture, pooling, prefix, special })
    }

    /// Pools in another way than the model says.
    #[must_use]
    pub fn with_pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }

    /// Puts words in front of every window, as E5 wants `"query: "`; the space at the end
    /// belongs to them.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self }
    }

    /// Length of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.architecture.hidden_size
    }

    /// Number of layers.
    #[must_use]
    pub fn num_layers(&self) -> usize {
        self.architecture.num_hidden_layers
    }

    /// What kind of network it is.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How tokens are pooled.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Most tokens that a window may have, the two special ones counted.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.architecture.max_tokens()
    }

    /// Cuts a text into windows of at most `max_tokens` tokens (the two special ones and the
    /// prefix counted), each sharing `overlap` tokens with the one before; the last one is moved
    /// back so that it is full. A text that fits is one window, one without tokens gives none.
    ///
    /// # Errors
    /// [`NnError::Input`] where `max_tokens` is not in `3..=`[`max_tokens`](Self::max_tokens),
    /// or `overlap` and the prefix leave no room to go on.
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
        // Together, because some tokenizers see whether a word has another one before it.
        let encoding = self
            .tokenizer
            .encode([&self.prefix, text].concat(), false)
            .map_err(|e| NnError::Input(format!("the text cannot be cut into tokens: {e}")))?;
        let skipped = self.prefix.len();
        let is_prefix = |(_, end): &&(usize, usize)| skipped > 0 && *end <= skipped;
        let num_prefix = encoding.get_offsets().iter().take_while(is_prefix).count();
        let (prefix, ids) = encoding.get_ids().split_at(num_prefix);
        if overlap + prefix.len() + self.special.len() >= max_tokens {
            return Err(NnError::Input(format!(
                "windows of {max_tokens} tokens, {} of them the prefix, cannot overlap by {overlap}",
                prefix.len()
            )));
        }
        let offsets: Vec<_> = encoding.get_offsets()[num_prefix..]
            .iter()
            .map(|(start, end)| (start.saturating_sub(skipped), end.saturating_sub(skipped)))
            .collect();
        let [first, last] = self.special;
        Ok(cut(ids, &offsets, max_tokens, overlap, &[&[first], prefix].concat(), &[last]))
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
        let layers = self.num_layers();
        let mut vectors = Vec::with_capacity(windows.len() * self.dim());
        for alike in windows.chunk_by(|a, b| a.ids.len() == b.ids.len()) {
            for windows in alike.chunks(BATCH) {
                let pooled = self
                    .network
                    .run(windows, layers, |states| self.pooling.of(states, self.dim()))?;
                for mut vector in pooled {
                    to_unit_length(&mut vector);
                    vectors.extend(vector);
                }
            }
        }
        Ok(vectors)
    }

    /// What the first `layers` layers (at most all) make of a window: `[tokens, dim]`.
    ///
    /// # Errors
    /// As [`embed`](Self::embed).
    pub fn states(&self, window: &TextWindow, layers: usize) -> Result<Vec<f32>, NnError> {
        self.check(window)?;
        let states = self.network.run(std::slice::from_ref(window), layers, <[f32]>::to_vec)?;
        Ok(states.concat())
    }

    /// The first `max_tokens` tokens of a text as one window, the two special ones and the prefix
    /// counted; the special ones alone of a text without tokens.
    ///
    /// # Errors
    /// As [`windows`](Self::windows).
    pub fn first_window(&self, text: &str, max_tokens: usize) -> Result<TextWindow, NnError> {
        let first = self.windows(text, max_tokens, 0)?.into_iter().next();
        Ok(first.unwrap_or_else(|| TextWindow { ids: self.special.to_vec(), bytes: 0..0 }))
    }

    /// The last `num` layers, to be trained further.
    ///
    /// # Errors
    /// [`NnError::Untrainable`] where there are not as many, or of another family.
    pub fn last_layers(&self, num: usize) -> Result<LastLayers, NnError> {
        LastLayers::of(&self.architecture, self.pooling, num)
    }

    /// The weights that `last` begins with, by name; read from the file anew.
    ///
    /// # Errors
    /// [`NnError::Load`] where the file is no longer what it was.
    pub fn weights_of(&self, last: &LastLayers) -> Result<BTreeMap<String, Tensor>, NnError> {
        let read = || {
            let tensors = checkpoint::read(&self.weights, &self.architecture, &Device::Cpu)?;
            let weight = |(name, shape): (String, Vec<usize>)| {
                let tensor = tensors.get(&name).filter(|tensor| tensor.dims() == shape);
                let missing = || candle_core::Error::Msg(format!("cannot find tensor {name}"));
                let tensor = tensor.cloned().ok_or_else(missing)?;
                Ok((name, tensor))
            };
            last.params().into_iter().map(weight).collect::<candle_core::Result<_>>()
        };
        read().map_err(|e| refuse(&self.weights, e.to_string()))
    }

    fn check(&self, window: &TextWindow) -> Result<(), NnError> {
        if window.ids.is_empty() || window.ids.len() > self.max_tokens() {
            return Err(NnError::Input(format!(
                "a window must have between 1 and {} tokens, got {}",
                self.max_tokens(),
                window.ids.len()
            )));
        }
        let vocabulary = self.architecture.vocab_size;
        match window.ids.iter().find(|id| **id as usize >= vocabulary) {
            None => Ok(()),
            Some(id) => {
                Err(NnError::Input(format!("token {id} is not in the vocabulary of {vocabulary}")))
            }
        }
    }
}

impl Network {
    fn load(
        weights: &Path,
        architecture: &Architecture,
        place: Place,
    ) -> candle_core::Result<Self> {
        let tensors = checkpoint::read(weights, architecture, &place.device)?;
        let kernels = place.kernels().filter(|_| architecture.hidden_act == Activation::Gelu);
        if let Some(isa) = kernels {
            let network = Box::new(FusedBert::load(architecture, &tensors, isa)?);
            return Ok(Self::Fused { network, scratches: Mutex::default() });
        }
        let network = PlainBert::load(architecture, tensors, &place)?;
        Ok(Self::Plain(Box::new(OnDevice::new(network, place)?)))
    }

    /// `pool` of what the first `layers` layers make of each of some windows of one length, its
    /// `[tokens, dim]`.
    fn run(
        &self,
        windows: &[TextWindow],
        layers: usize,
        pool: impl Fn(&[f32]) -> Vec<f32>,
    ) -> candle_core::Result<Vec<Vec<f32>>> {
        match self {
            Self::Fused { network, scratches } => {
                let lock = || scratches.lock().unwrap_or_else(PoisonError::into_inner);
                let mut scratch = lock().pop().unwrap_or_else(|| network.scratch());
                let states =
                    |window: &TextWindow| pool(network.forward(&window.ids, layers, &mut scratch));
                let pooled = windows.iter().map(states).collect();
                lock().push(scratch);
                Ok(pooled)
            }
            Self::Plain(network) => {
                let ids: Vec<u32> =
                    windows.iter().flat_map(|window| &window.ids).copied().collect();
                let shape = (windows.len(), ids.len() / windows.len());
                let states = network.run(
                    |device| Tensor::from_vec(ids, shape, device),
                    |network, ids, place| network.forward(&ids, layers, place),
                )?;
                Ok(states.chunks_exact(states.len() / windows.len()).map(pool).collect())
            }
        }
    }
}

/// A tokenizer that neither cuts nor pads, and what it puts in front of a text and behind it.
fn read_tokenizer(path: &Path) -> Result<(Tokenizer, [u32; 2]), String> {
    let tokenizer = crate::tokenizer_file::read(path)?;
    let empty = tokenizer.encode("", true).map_err(|e| e.to_string())?;
    let special: Vec<u32> = empty
        .get_ids()
        .iter()
        .zip(empty.get_special_tokens_mask())
        .filter_map(|(id, is_special)| (*is_special == 1).then_some(*id))
        .collect();
    let special = special.try_into().map_err(|special: Vec<u32>| {
        format!("expected a special token before a text and one behind, got {}", special.len())
    })?;
    Ok((tokenizer, special))
}

fn refuse(path: &Path, message: String) -> NnError {
    NnError::Load { path: path.to_owned(), network: "a sentence transformer".to_owned(), message }
}
