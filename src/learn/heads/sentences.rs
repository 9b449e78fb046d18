//! Texts through the last layers of their sentence network, which are learned with the rest.
//!
//! in: per text `[tokens, dim]`, what the frozen layers make of it; out: `[texts, dim]`
//!
//! A batch goes through in chunks of texts alike in length. The tape of a batch would hold
//! gigabytes, so there is none: the vectors are a leaf of the network's own tape, and once their
//! gradient is known each chunk is computed again, with a tape of its own and the same units
//! dropped.
//!
//! source: Chen et al. 2016, "Training deep nets with sublinear memory cost"

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use nn::sentence_bert::LastLayers;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::inputs::InputDropout;

/// Tokens of a chunk, padding counted.
const CHUNK_TOKENS: usize = 2048;

/// Texts of a batch on their way through the layers.
pub struct Sentences<'a> {
    /// Which layers.
    pub layers: &'a LastLayers,
    /// `[texts]` of `[tokens, dim]`.
    pub texts: &'a [Tensor],
    /// Where to compute.
    pub device: &'a Device,
    /// What is dropped is drawn from this; nothing where there is none.
    pub dropout_seed: Option<u64>,
}

impl Sentences<'_> {
    /// Vectors `[texts, dim]`, whose numbers are 1 in the root mean square. `param` gives
    /// parameters without a tape.
    ///
    /// # Errors
    /// The device's error.
    pub fn encode(&self, param: &dyn Fn(&str) -> Result<Tensor>) -> Result<Tensor> {
        let chunks = self.chunks();
        let vectors = chunks.iter().enumerate().map(|(idx, chunk)| self.forward(idx, chunk, param));
        let vectors = Tensor::cat(&vectors.collect::<Result<Vec<_>>>()?, 0)?;
        let mut place_of = vec![0_u32; self.texts.len()];
        for (place, &text) in chunks.iter().flatten().enumerate() {
            place_of[text] = place as u32;
        }
        vectors.index_select(&Tensor::from_vec(place_of, self.texts.len(), self.device)?, 0)
    }

    /// Gradients of the parameters by name, of whatever `toward` `[texts, dim]` is the gradient
    /// of with respect to the vectors. `param` gives parameters as variables.
    ///
    /// # Errors
    /// The device's error.
    pub fn gradients(
        &self,
        toward: &Tensor,
        param: &dyn Fn(&str) -> Result<Tensor>,
    ) -> Result<BTreeMap<String, Tensor>> {
        let mut sums: BTreeMap<String, Tensor> = BTreeMap::new();
        for (idx, chunk) in self.chunks().iter().enumerate() {
            let rows: Vec<u32> = chunk.iter().map(|&text| text as u32).collect();
            let rows = Tensor::from_vec(rows, chunk.len(), self.device)?;
            let vectors = self.forward(idx, chunk, param)?;
            let mut grads = (vectors * toward.index_select(&rows, 0)?)?.sum_all()?.backward()?;
            for (name, _) in self.layers.params() {
                let Some(grad) = grads.remove(&param(&name)?) else { continue };
                let sum = match sums.remove(&name) {
                    Some(sum) => (sum + grad)?,
                    None => grad,
                };
                sums.insert(name, sum.detach());
            }
        }
        Ok(sums)
    }

    /// Indices of texts alike in length, few enough that they fit a chunk when padded.
    fn chunks(&self) -> Vec<Vec<usize>> {
        let count = |text: usize| self.texts[text].dims()[0];
        let mut order: Vec<usize> = (0..self.texts.len()).collect();
        order.sort_by_key(|&text| count(text));
        let mut chunks: Vec<Vec<usize>> = Vec::new();
        for text in order {
            match chunks.last_mut() {
                Some(chunk) if (chunk.len() + 1) * count(text) <= CHUNK_TOKENS => chunk.push(text),
                _ => chunks.push(vec![text]),
            }
        }
        chunks
    }

    fn forward(
        &self,
        chunk_idx: usize,
        chunk: &[usize],
        param: &dyn Fn(&str) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let texts = || chunk.iter().map(|&text| &self.texts[text]);
        let counts: Vec<usize> = texts().map(|text| text.dims()[0]).collect();
        let width = counts.iter().copied().max().unwrap_or(0);
        let padded: Vec<Tensor> = texts()
            .zip(&counts)
            .map(|(text, count)| text.to_dtype(DType::F32)?.pad_with_zeros(0, 0, width - count))
            .collect::<Result<_>>()?;
        let states = Tensor::stack(&padded, 0)?.to_device(self.device)?; // [texts, tokens, dim]
        let mut rng = self.dropout_seed.map(|seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(chunk_idx as u64);
            rng
        });
        let mut drop = |x: Tensor| {
            let Some(rng) = &mut rng else { return Ok(x) };
            let mut mask = vec![1.0_f32; x.elem_count()];
            InputDropout::new(LastLayers::DROPOUT, rng).apply(&mut mask);
            let mask = Tensor::from_vec(mask, x.shape(), self.device)?;
            x * mask
        };
        let vectors = self.layers.forward(&states, &counts, param, &mut drop)?;
        vectors.affine((self.layers.dim() as f64).sqrt(), 0.0)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::laws::{bert, network};

    /// Texts of 3 to 42 tokens, too many for one chunk.
    fn texts() -> Vec<Tensor> {
        let texts: Vec<String> = (0..120).map(|idx| "love ".repeat(1 + idx * 7 % 40)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        bert().of(&texts, 1, 160).unwrap()
    }

    fn vars(layers: &LastLayers) -> BTreeMap<String, Var> {
        let weights = network("bert").weights_of(layers).unwrap().into_iter();
        weights.map(|(name, x)| (name, Var::from_tensor(&x).unwrap())).collect()
    }

    fn assert_near(ours: &Tensor, theirs: &Tensor, what: &str) {
        let list = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let largest = list(theirs).iter().fold(0_f32, |max, x| max.max(x.abs()));
        for (ours, theirs) in list(ours).iter().zip(list(theirs)) {
            assert!((ours - theirs).abs() <= 1e-4 * largest + 1e-6, "{what}: {ours} for {theirs}");
        }
    }

    #[test]
    fn chunks_give_what_one_tape_over_all_texts_gives() {
        let (network, texts) = (network("bert"), texts());
        let layers = network.last_layers(1).unwrap();
        let vars = vars(&layers);
        let with_tape = |name: &str| Ok(vars[name].as_tensor().clone());
        let bare = |name: &str| Ok(vars[name].as_detached_tensor());
        let device = Device::Cpu;
        let all = Sentences { layers: &layers, texts: &texts, device: &device, dropout_seed: None };
        let chunks = all.chunks();
        assert!(chunks.len() > 1, "{} chunks", chunks.len());
        let mut seen: Vec<usize> = chunks.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..texts.len()).collect::<Vec<_>>());

        let vectors = all.encode(&bare).unwrap();
        let one_by_one: Vec<Tensor> =
            (0..texts.len()).map(|text| all.forward(0, &[text], &with_tape).unwrap()).collect();
        let one_by_one = Tensor::cat(&one_by_one, 0).unwrap();
        assert_near(&vectors, &one_by_one, "vectors");

        let toward = vectors.affine(0.3, 0.1).unwrap().sqr().unwrap().detach();
        let whole = (one_by_one * &toward).unwrap().sum_all().unwrap().backward().unwrap();
        let gradients = all.gradients(&toward, &with_tape).unwrap();
        assert_eq!(gradients.len(), vars.len());
        for (name, gradient) in &gradients {
            assert_near(gradient, whole.get(vars[name].as_tensor()).unwrap(), name);
        }
    }

    #[test]
    fn both_passes_drop_the_same_and_prediction_drops_nothing() {
        let (network, texts) = (network("bert"), texts());
        let layers = network.last_layers(1).unwrap();
        let vars = vars(&layers);
        let bare = |name: &str| Ok(vars[name].as_detached_tensor());
        let encode = |dropout_seed| {
            let (layers, texts, device) = (&layers, &texts[..], &Device::Cpu);
            let sentences = Sentences { layers, texts, device, dropout_seed };
            sentences.encode(&bare).unwrap().to_vec2::<f32>().unwrap()
        };
        assert_eq!(encode(Some(3)), encode(Some(3)));
        assert_ne!(encode(Some(3)), encode(Some(4)));
        assert_ne!(encode(Some(3)), encode(None));

        let with_tape = |name: &str| Ok(vars[name].as_tensor().clone());
        let device = Device::Cpu;
        let all =
            Sentences { layers: &layers, texts: &texts, device: &device, dropout_seed: Some(3) };
        let vectors = all.encode(&bare).unwrap();
        let toward = vectors.affine(0.3, 0.1).unwrap().sqr().unwrap();
        let chunks = all.chunks();
        let of_chunks = |x: &Tensor| {
            let rows: Vec<u32> = chunks.iter().flatten().map(|&text| text as u32).collect();
            x.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap()
        };
        let taped =
            chunks.iter().enumerate().map(|(idx, chunk)| all.forward(idx, chunk, &with_tape));
        let taped = Tensor::cat(&taped.collect::<Result<Vec<_>>>().unwrap(), 0).unwrap();
        assert_near(&of_chunks(&vectors), &taped, "vectors");
        let whole = (taped * of_chunks(&toward)).unwrap().sum_all().unwrap().backward().unwrap();
        for (name, gradient) in &all.gradients(&toward, &with_tape).unwrap() {
            assert_near(gradient, whole.get(vars[name].as_tensor()).unwrap(), name);
        }
    }
}
