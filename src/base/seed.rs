//! All randomness comes from one seed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::digest::DigestBuilder;

/// The run's seed; every consumer draws from a stream of its own name, so that adding
/// one consumer changes no other's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The generator of the stream called `name`.
    #[must_use]
    pub fn rng(self, name: &str) -> ChaCha8Rng {
        let digest = DigestBuilder::new().part(self.0.to_le_bytes()).part(name).finish();
        ChaCha8Rng::from_seed(*digest.as_bytes())
    }

    /// A seed derived for the part called `name` (a fold, a member of an ensemble).
    #[must_use]
    pub fn derive(self, name: &str) -> Self {
        let digest = DigestBuilder::new().part(self.0.to_le_bytes()).part(name).finish();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_bytes()[..8]);
        Self(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_repeat_and_differ_by_name() {
        let draw = |seed: u64, name: &str| Seed(seed).rng(name).next_u64();
        assert_eq!(draw(1, "folds"), draw(1, "folds"));
        assert_ne!(draw(1, "folds"), draw(1, "init"));
        assert_ne!(draw(1, "folds"), draw(2, "folds"));
    }
}
