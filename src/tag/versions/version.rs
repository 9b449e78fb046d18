//! What a version is called.

use std::{fmt, str::FromStr};

use base::Digest;
use serde::{Deserialize, Serialize};

/// Hex digits of a version's name.
pub(super) const NUM_DIGITS: usize = 16;

/// A version's name: the first 16 hex digits of the digest of its `bundle.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

/// The text is no name of a version.
#[derive(Debug, thiserror::Error)]
#[error("not a version (16 hex digits): {0:?}")]
pub struct NotAVersion(String);

impl Version {
    /// The version whose `bundle.json` has this digest.
    #[must_use]
    pub fn of(config: &Digest) -> Self {
        Self(config.short())
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == NUM_DIGITS && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAVersion(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}
