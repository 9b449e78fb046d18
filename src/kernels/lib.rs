//! Inner loops for the processor: matrix product in floats and in 8 bits, depthwise convolution, the passes of a
//! transformer, logistic losses, resampling and sums, vectorised by hand and chosen at run time by what the
//! processor can do.
//!
//! All of them work on one picture, text or sound on one thread, so a result depends neither on
//! the batch nor on the number of threads; parallelism is over titles.
//! reference: candle's plain operators, or the formula in double precision (property tests).

mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod depthwise;
mod int8;
mod isa;
mod logistic;
mod matmul;
mod resample;
mod simd;
mod sums;
mod transformer;
mod winograd;

pub use aligned::Aligned;
pub use depthwise::{Depthwise, DepthwiseShape};
pub use int8::Int8Matrix;
pub use isa::Isa;
pub use logistic::logistic_losses;
pub use matmul::{Clamp, PackedMatrix, Rows};
pub use resample::Resampler;
pub use sums::{dot, sum};
pub use transformer::{gelu, gelu_quick, gelu_tanh, layer_norm, softmax};
pub use winograd::Winograd;

/// Defines `$name`, which runs the generic kernel `$kernel::<S>` compiled for the instruction
/// set that is asked for.
///
/// # Safety
/// As the kernel's own; the processor must have the set (as all of `Isa::available()`).
macro_rules! on_isa {
    ($name:ident = $kernel:ident($($arg:ident: $kind:ty),* $(,)?)) => {
        unsafe fn $name(isa: $crate::Isa, $($arg: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,fma")]
            unsafe fn avx512($($arg: $kind),*) {
                // SAFETY: the caller's.
                unsafe { $kernel::<$crate::simd::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $kind),*) {
                // SAFETY: the caller's.
                unsafe { $kernel::<$crate::simd::Avx2>($($arg),*) }
            }
            // SAFETY: the caller's, and the processor has the set.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    $crate::Isa::Amx
                    | $crate::Isa::AmxBf16
                    | $crate::Isa::Avx512
                    | $crate::Isa::Avx512Bf16 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::Isa::Avx2 => avx2($($arg),*),
                    _ => $kernel::<$crate::simd::Portable>($($arg),*),
                }
            }
        }
    };
}
use on_isa;
