//! A network in candle's operators, and the device that it computes on.
//!
//! A thread copies its batch while another's is being computed; batches are computed one after the
//! other. On CUDA each thread has a stream of its own, so that copies and products overlap, but the
//! streams share one cuBLAS handle, which gives equal results for equal batches only while one
//! stream uses it (cuBLAS's documentation, "Results reproducibility").

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use kernels::Isa;

use super::Precision;

/// Where a network has its tensors, and in which precision.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) device: Device,
    pub(super) precision: Precision,
}

/// A network at its place; may be used from many threads.
pub(super) struct OnDevice<N> {
    network: N,
    place: Place,
    /// Held while a batch is being computed.
    turn: Mutex<()>,
}

impl Place {
    /// A place for a network.
    pub(super) fn new(device: &Device, precision: Precision) -> Self {
        Self { device: device.clone(), precision }
    }

    /// In f32.
    pub(super) fn f32(device: &Device) -> Self {
        Self::new(device, Precision::F32)
    }

    /// The instructions of our kernels where they compute; candle's operators do where there are
    /// none. In bf16, for which candle has no product of matrices on the processor, there are.
    pub(super) fn kernels(&self) -> Option<Isa> {
        match self.precision {
            _ if !self.device.is_cpu() => None,
            Precision::F32 => Some(Isa::detect()),
            Precision::Bf16 => Some(Isa::detect().in_bf16()),
            Precision::F16 | Precision::Int8 => None,
        }
    }

    /// Numbers as a tensor here.
    ///
    /// # Errors
    /// The device has no room.
    pub(super) fn tensor(
        &self,
        numbers: &[f32],
        shape: impl Into<Shape>,
    ) -> candle_core::Result<Tensor> {
        Tensor::from_slice(numbers, shape.into(), &self.device)?.to_dtype(self.precision.into())
    }
}

impl<N> OnDevice<N> {
    /// A network whose tensors were made on this thread: waits until they have arrived, because
    /// another thread's stream would not.
    ///
    /// # Errors
    /// The device fails.
    pub(super) fn new(network: N, place: Place) -> candle_core::Result<Self> {
        place.device.synchronize()?;
        Ok(Self { network, place, turn: Mutex::default() })
    }

    /// What `compute` makes of what `copy` brought to the device, row-major as f32.
    ///
    /// # Errors
    /// The device fails.
    pub(super) fn run<T>(
        &self,
        copy: impl FnOnce(&Device) -> candle_core::Result<T>,
        compute: impl FnOnce(&N, T, &Place) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Vec<f32>> {
        let batch = copy(&self.place.device)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let result = compute(&self.network, batch, &self.place)?;
        result.to_dtype(DType::F32)?.flatten_all()?.to_vec1() // waits for the device
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        thread,
        time::Duration,
    };

    use super::*;

    fn on_cpu() -> OnDevice<()> {
        OnDevice::new((), Place::new(&Device::Cpu, Precision::F16)).unwrap()
    }

    #[test]
    fn a_batch_is_copied_while_another_computes() {
        let network = &on_cpu();
        let (computes, first_computes) = mpsc::channel();
        let (copied, second_copied) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                let compute = |(): &(), x: Tensor, _: &Place| {
                    computes.send(()).unwrap();
                    second_copied.recv_timeout(Duration::from_secs(60)).expect("no copy meanwhile");
                    Ok(x)
                };
                let copy = |device: &Device| Tensor::new(&[1.0_f32, 2.0], device);
                assert_eq!(network.run(copy, compute).unwrap(), [1.0, 2.0]);
            });
            first_computes.recv().unwrap();
            let copy = |device: &Device| {
                let x = Tensor::new(&[3.0_f32, 4.0], device);
                copied.send(()).unwrap();
                x
            };
            assert_eq!(network.run(copy, |(), x, _| x * 2.0).unwrap(), [6.0, 8.0]);
        });
    }

    #[test]
    fn batches_compute_one_after_the_other() {
        let (network, computing) = (on_cpu(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let compute = |(): &(), x: Tensor, _: &Place| {
                            assert_eq!(computing.fetch_add(1, Ordering::SeqCst), 0);
                            let x = (x + 1.0)?;
                            assert_eq!(computing.fetch_sub(1, Ordering::SeqCst), 1);
                            Ok(x)
                        };
                        network.run(|device| Tensor::new(&[1.0_f32], device), compute).unwrap();
                    }
                });
            }
        });
    }

    #[test]
    fn a_place_rounds_to_its_precision() {
        let on_cpu = |precision| Place::new(&Device::Cpu, precision);
        let third = |precision| {
            let x = on_cpu(precision).tensor(&[1.0 / 3.0], 1).unwrap();
            x.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap()[0]
        };
        assert_eq!(third(Precision::F32), 1.0 / 3.0);
        assert_eq!(third(Precision::F16), 0.333_251_95); // 1365 / 4096
        assert_eq!(third(Precision::Bf16), 0.333_984_38); // 171 / 512
        assert_eq!(on_cpu(Precision::F32).kernels(), Some(Isa::detect()));
        assert_eq!(on_cpu(Precision::Bf16).kernels(), Some(Isa::detect().in_bf16()));
        assert_eq!(on_cpu(Precision::F16).kernels(), None);
    }
}
