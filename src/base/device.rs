//! The device that a user asks for; `nn::device` turns it into one that can compute.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where networks run: `auto`, `cpu`, `cuda[:N]` or `metal[:N]`.
///
/// `Auto` may fall back to the CPU and says so; a named device never falls back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The best device at hand.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device with this ordinal.
    Cuda(usize),
    /// The Metal device with this ordinal.
    Metal(usize),
}

/// The text is no device.
#[derive(Debug, thiserror::Error)]
#[error("unknown device {0:?}: expected auto, cpu, cuda, cuda:N, metal or metal:N")]
pub struct UnknownDevice(String);

impl FromStr for DeviceChoice {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.to_owned());
        let (kind, ordinal) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse::<usize>().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match (kind, ordinal) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", n) => Ok(Self::Cuda(n.unwrap_or(0))),
            ("metal", n) => Ok(Self::Metal(n.unwrap_or(0))),
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = UnknownDevice;

    fn try_from(text: String) -> Result<Self, UnknownDevice> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Metal(n) => write!(f, "metal:{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_nonsense_is_refused() {
        for name in ["auto", "cpu", "cuda:0", "cuda:3", "metal:0"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(0));
        for nonsense in ["", "gpu", "cpu:0", "cuda:", "cuda:-1", "auto:1"] {
            assert!(nonsense.parse::<DeviceChoice>().is_err(), "{nonsense}");
        }
    }
}
