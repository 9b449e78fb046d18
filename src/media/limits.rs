//! How much one title may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits on the decoding of one title.
///
/// `memory_bytes` is the worker's address space and `cpu_secs` its processor time per title;
/// both are enforced by the kernel, on Linux only. `wall` is enforced by the parent
/// everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Time by the clock; the worker is killed after it.
    #[serde(with = "secs")]
    pub wall: Duration,
    /// Address space of one worker, bytes. FFmpeg's libraries alone map about 0.3 GB.
    pub memory_bytes: u64,
    /// Processor time for one title, seconds.
    pub cpu_secs: u64,
    /// Pixels of one frame or picture.
    pub max_pixels: u64,
    /// Streams in one container.
    pub max_streams: usize,
}

impl Default for Limits {
    /// Two minutes, 2 GiB, an 8K frame with room to spare.
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(120),
            memory_bytes: 2 << 30,
            cpu_secs: 120,
            max_pixels: 100_000_000,
            max_streams: 128,
        }
    }
}

/// A duration as a number of seconds.
mod secs {
    use super::{Deserialize, Duration};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub(super) fn serialize<S: serde::Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let secs = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(secs)
            .ok()
            .filter(|duration| !duration.is_zero())
            .ok_or_else(|| serde::de::Error::custom(format!("expected seconds > 0, got {secs}")))
    }
}
