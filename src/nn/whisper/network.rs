//! The network on our kernels or in candle's operators, behind one face.
//!
//! in: a window of mels; out: a decoder that has heard it.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{Device, Result, Tensor};
use kernels::{Int8Matrix, Isa};

use super::{
    super::{
        Precision,
        on_device::{OnDevice, Place},
        state_dict::StateDict,
    },
    config::Dimensions,
    decoder::{Decoder, Memory},
    encoder::{Encoder, Scratch},
    layers::{Numbers, Weights},
    plain::{PlainMemory, PlainWhisper},
    window::Steps,
};

/// A loaded network; may be used from many threads.
pub(super) enum Network {
    /// Our kernels, on the processor.
    Fused {
        encoder: Box<Encoder>,
        decoder: Box<Decoder>,
        /// Taken and given back by each window, so that memory is mapped once per thread.
        scratches: Mutex<Vec<(Scratch, Memory)>>,
    },
    /// candle's operators, on any other device and in f16.
    Plain(Box<OnDevice<PlainWhisper>>),
}

/// How linear layers are held, and what computes all else.
struct Plan {
    encoder: Numbers,
    decoder: Numbers,
    isa: Isa,
}

impl Plan {
    fn of(precision: Precision) -> Option<Self> {
        let detected = Isa::detect();
        // One row at a time leaves tiles empty.
        let vectors = |isa: Isa| match isa {
            Isa::Amx => Isa::Avx512,
            Isa::AmxBf16 => Isa::Avx512.in_bf16(),
            isa => isa,
        };
        let floats = |isa: Isa| Self {
            encoder: Numbers::Floats(isa),
            decoder: Numbers::Floats(vectors(isa)),
            isa,
        };
        match precision {
            Precision::F16 => None,
            Precision::F32 => Some(floats(detected)),
            Precision::Bf16 => Some(floats(detected.in_bf16())),
            Precision::Int8 if !Int8Matrix::is_quick() => Some(floats(detected)),
            Precision::Int8 => Some(Self {
                // Tiles in bf16 are quicker than vectors in 8 bits.
                encoder: match detected {
                    Isa::Amx => Numbers::Floats(Isa::AmxBf16),
                    _ => Numbers::Int8,
                },
                decoder: Numbers::Int8,
                isa: detected,
            }),
        }
    }
}

impl Network {
    /// Reads the tensors; `choose` says sizes once their shapes are known.
    pub(super) fn load(
        weights: &Path,
        place: Place,
        plain: bool,
        choose: impl FnOnce(&HashMap<String, Tensor>) -> Result<Dimensions>,
    ) -> Result<(Self, Dimensions)> {
        let mut tensors = crate::tensor_file::load(weights, &place.device)?;
        // The hub has them without this prefix where the network was saved without its head.
        if !tensors.keys().any(|name| name.starts_with("model.")) {
            tensors = tensors.into_iter().map(|(name, t)| (format!("model.{name}"), t)).collect();
        }
        let dimensions = choose(&tensors)?;
        let plan = Plan::of(place.precision).filter(|_| place.device.is_cpu() && !plain);
        let Some(Plan { encoder, decoder, isa }) = plan else {
            let network = PlainWhisper::load(dimensions, tensors, &place)?;
            return Ok((Self::Plain(Box::new(OnDevice::new(network, place)?)), dimensions));
        };
        let weights = |numbers| Weights { tensors: StateDict(&tensors), numbers };
        let vectors = match decoder {
            Numbers::Floats(isa) => isa,
            // The sound's keys and values, which are as many as weights.
            Numbers::Int8 => Isa::Avx512.in_bf16(),
        };
        let (by_row, by_window) = (weights(decoder), weights(encoder));
        let network = Self::Fused {
            encoder: Box::new(Encoder::load(dimensions, by_window, isa)?),
            decoder: Box::new(Decoder::load(dimensions, by_row, by_window, vectors)?),
            scratches: Mutex::default(),
        };
        Ok((network, dimensions))
    }

    /// The instructions for what is computed outside the network.
    pub(super) fn isa() -> Isa {
        Isa::detect()
    }

    /// The encoder's `[positions, dim]` of a window `[2 · positions, mels]`.
    pub(super) fn encode(&self, window: &[f32], mels: usize) -> Result<Vec<f32>> {
        match self {
            Self::Fused { encoder, scratches, .. } => self
                .with_scratch(scratches, |(scratch, _)| {
                    Ok(encoder.forward(window, scratch).to_vec())
                }),
            Self::Plain(network) => network.run(
                |device| window_tensor(window, mels, device),
                |network, window, place| network.encode(&window.to_dtype(place.precision.into())?),
            ),
        }
    }

    /// `decode` with a decoder that has heard a window.
    pub(super) fn listen<T>(
        &self,
        window: &[f32],
        mels: usize,
        decode: impl FnOnce(&mut dyn Steps) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::Fused { encoder, decoder, scratches } => {
                self.with_scratch(scratches, |(scratch, memory)| {
                    decoder.hear(encoder.forward(window, scratch), memory);
                    decode(&mut FusedSteps { decoder, memory })
                })
            }
            Self::Plain(network) => {
                let mut memory = PlainMemory::default();
                network.run(
                    |device| window_tensor(window, mels, device),
                    |network, window, place| {
                        let sound = network.encode(&window.to_dtype(place.precision.into())?)?;
                        memory = network.hear(&sound)?;
                        sound.narrow(0, 0, 1) // waits for the device
                    },
                )?;
                decode(&mut PlainSteps { network, memory })
            }
        }
    }

    fn with_scratch<T>(
        &self,
        scratches: &Mutex<Vec<(Scratch, Memory)>>,
        compute: impl FnOnce(&mut (Scratch, Memory)) -> Result<T>,
    ) -> Result<T> {
        let Self::Fused { encoder, decoder, .. } = self else {
            candle_core::bail!("no scratch beside candle's operators");
        };
        let lock = || scratches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = lock().pop().unwrap_or_else(|| (encoder.scratch(), decoder.memory()));
        let result = compute(&mut scratch);
        lock().push(scratch);
        result
    }
}

fn window_tensor(window: &[f32], mels: usize, device: &Device) -> Result<Tensor> {
    Tensor::from_slice(window, (window.len() / mels, mels), device)
}

struct FusedSteps<'a> {
    decoder: &'a Decoder,
    memory: &'a mut Memory,
}

impl Steps for FusedSteps<'_> {
    fn step(&mut self, token: u32, logits: Option<&mut Vec<f32>>) -> Result<()> {
        self.decoder.step(token, self.memory, logits)
    }
}

struct PlainSteps<'a> {
    network: &'a OnDevice<PlainWhisper>,
    memory: PlainMemory,
}

impl Steps for PlainSteps<'_> {
    fn step(&mut self, token: u32, logits: Option<&mut Vec<f32>>) -> Result<()> {
        let memory = &mut self.memory;
        let found = self.network.run(|_| Ok(()), |network, (), _| network.step(token, memory))?;
        if let Some(logits) = logits {
            *logits = found;
        }
        Ok(())
    }
}
