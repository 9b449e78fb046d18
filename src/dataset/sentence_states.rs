//! What the frozen layers of a sentence network make of texts: computed once, kept for every fit
//! and fold that looks at the same data.
//!
//! in: texts; out: `[tokens, dim]` each, as f16: half the memory, each number off by at most
//! 1 part in 2,048

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use base::{Digest, Fingerprint};
use candle_core::{DType, Device, Tensor};
use nn::{NnError, OnDemand, SentenceBert};

/// A text modality's sentence network, and what its lower layers made of texts so far.
pub struct SentenceStates {
    network: Arc<OnDemand<SentenceBert>>,
    made_by: Fingerprint,
    known: Mutex<HashMap<Key, Tensor>>,
}

/// Layers, tokens at most, the text.
type Key = (usize, usize, Digest);

impl SentenceStates {
    /// Of the encoder `made_by`, which is `network` and how it is used.
    #[must_use]
    pub fn new(network: Arc<OnDemand<SentenceBert>>, made_by: Fingerprint) -> Self {
        Self { network, made_by, known: Mutex::default() }
    }

    /// The network; loads it where nobody has yet.
    ///
    /// # Errors
    /// Its weights are not there, or are another network's.
    pub fn network(&self) -> Result<Arc<SentenceBert>, NnError> {
        self.network.get()
    }

    /// The fingerprint of the encoder: covers its weights.
    #[must_use]
    pub fn made_by(&self) -> &Fingerprint {
        &self.made_by
    }

    /// What the first `layers` layers make of the first `max_tokens` tokens of each text:
    /// `[texts]` of `[tokens, dim]`, f16, on the processor. Texts that are not known yet are
    /// computed on all cores; whoever else asks waits for them.
    ///
    /// # Errors
    /// Weights that are not there; `max_tokens` that the network does not take; its device fails.
    pub fn of(
        &self,
        texts: &[&str],
        layers: usize,
        max_tokens: usize,
    ) -> Result<Vec<Tensor>, NnError> {
        let keys: Vec<Key> = texts
            .iter()
            .map(|text| (layers, max_tokens, Digest::of_bytes(text.as_bytes())))
            .collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing: HashMap<Key, &str> = HashMap::new();
        for (key, text) in keys.iter().zip(texts) {
            if !known.contains_key(key) {
                missing.insert(*key, text);
            }
        }
        if missing.is_empty() {
            return Ok(keys.iter().filter_map(|key| known.get(key).cloned()).collect());
        }
        let network = self.network()?;
        let missing: Vec<(Key, &str)> = missing.into_iter().collect();
        let num_threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = missing.len().div_ceil(num_threads).max(1);
        let computed: Result<Vec<_>, NnError> = thread::scope(|scope| {
            let compute = |texts: &[(Key, &str)]| -> Result<Vec<(Key, Tensor)>, NnError> {
                let one =
                    |(key, text): &(Key, &str)| Ok((*key, states(&network, text, key.0, key.1)?));
                texts.iter().map(one).collect()
            };
            let threads: Vec<_> =
                missing.chunks(share).map(|texts| scope.spawn(move || compute(texts))).collect();
            let results = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            results.collect()
        });
        known.extend(computed?.into_iter().flatten());
        Ok(keys.iter().filter_map(|key| known.get(key).cloned()).collect())
    }
}

fn states(
    network: &SentenceBert,
    text: &str,
    layers: usize,
    max_tokens: usize,
) -> Result<Tensor, NnError> {
    let window = network.first_window(text, max_tokens)?;
    let states = network.states(&window, layers)?;
    let shape = (window.ids.len(), network.dim());
    Ok(Tensor::from_vec(states, shape, &Device::Cpu)?.to_dtype(DType::F16)?)
}

impl fmt::Debug for SentenceStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentenceStates").field("made_by", &self.made_by).finish_non_exhaustive()
    }
}
