//! Which vector instructions there are.

/// A set of vector instructions that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// As `Avx512`, and deep matrix products on the tiles of AMX, as exact as in f32.
    Amx,
    /// As `Amx`, but both sides of these products are rounded to bf16.
    AmxBf16,
    /// 16 floats at a time, fused multiply-add.
    Avx512,
    /// As `Avx512`, but both sides of deep matrix products are rounded to bf16, 32 at a time; sums
    /// are in f32.
    Avx512Bf16,
    /// 8 floats at a time, fused multiply-add.
    Avx2,
    /// Whatever the compiler makes of plain loops for the target's least processor; on
    /// aarch64 that includes NEON.
    Portable,
}

impl Isa {
    /// The best that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                return if super::amx::is_available() { Self::Amx } else { Self::Avx512 };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// The set that computes in bf16 where that is quicker; numbers are within what bf16 rounds
    /// off in any case.
    #[must_use]
    pub fn in_bf16(self) -> Self {
        match self {
            Self::Amx => Self::AmxBf16,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if is_x86_feature_detected!("avx512bf16") => Self::Avx512Bf16,
            other => other,
        }
    }

    /// All that this processor can run in f32, for tests.
    #[must_use]
    pub fn available() -> Vec<Self> {
        match Self::detect() {
            Self::Amx | Self::AmxBf16 => vec![Self::Amx, Self::Avx512, Self::Avx2, Self::Portable],
            Self::Avx512 | Self::Avx512Bf16 => vec![Self::Avx512, Self::Avx2, Self::Portable],
            Self::Avx2 => vec![Self::Avx2, Self::Portable],
            Self::Portable => vec![Self::Portable],
        }
    }

    /// For reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::AmxBf16 => "amx-bf16",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }
}
