//! Inputs that are dropped in training.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Sets a share of the inputs to 0 and scales up the others.
pub struct InputDropout<'a> {
    /// Inputs whose random byte is below are dropped.
    threshold: u8,
    rng: &'a mut ChaCha8Rng,
}

impl<'a> InputDropout<'a> {
    /// Drops this share, to the next 1/256.
    pub fn new(dropped_frac: f64, rng: &'a mut ChaCha8Rng) -> Self {
        Self { threshold: (dropped_frac * 256.0).round().clamp(0.0, 255.0) as u8, rng }
    }

    /// Applies it to `values`.
    pub fn apply(&mut self, values: &mut [f32]) {
        if self.threshold == 0 {
            return;
        }
        let scale = 256.0 / (256.0 - f32::from(self.threshold));
        let mut bytes = [0_u8; 512];
        for chunk in values.chunks_mut(bytes.len()) {
            let bytes = &mut bytes[..chunk.len()];
            self.rng.fill_bytes(bytes);
            for (value, &byte) in chunk.iter_mut().zip(bytes.iter()) {
                *value *= if byte < self.threshold { 0.0 } else { scale };
            }
        }
    }
}
