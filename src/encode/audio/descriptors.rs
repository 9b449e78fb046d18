//! What a frame sounds like in single numbers.
//!
//! in: a frame's samples and power spectrum; out: [`Descriptors`].
//! source: Peeters 2004, A large set of audio features.
//! reference: librosa 0.11 `feature.{rms, zero_crossing_rate, spectral_centroid,
//! spectral_rolloff, spectral_flatness}` and `onset.onset_strength(center=False)`.

use kernels::{Isa, dot, sum};

use super::mfcc::{POWER_FLOOR, decibels_from_power};

/// Samples no louder than this have no sign (librosa's threshold).
const SILENT_SAMPLE: f32 = 1e-10;

/// Share of the magnitude that lies below the roll-off (librosa's default).
const ROLLOFF_SHARE: f32 = 0.85;

/// Bins that are added up at once on the way to the roll-off.
const BLOCK: usize = 64;

/// Names of the descriptors, in order, with their units.
pub(super) const NAMES: [&str; 6] =
    ["level_db", "zero_crossing_rate", "centroid_khz", "rolloff_khz", "flatness_db", "flux_db"];

/// Where in [`NAMES`] the flux stands.
pub(super) const FLUX: usize = 5;

/// One frame's descriptors in the order of [`NAMES`].
pub(super) type Descriptors = [f32; NAMES.len()];

/// Describes frames whose spectra have `bin_hz` between bins.
pub(super) struct Describer {
    isa: Isa,
    bin_hz: f32,
    /// `0, 1, 2, …`, one a bin.
    bins: Vec<f32>,
    /// Working memory: a magnitude or a power a bin.
    scratch: Vec<f32>,
}

impl Describer {
    pub(super) fn new(num_bins: usize, bin_hz: f32) -> Self {
        let bins = (0..num_bins).map(|bin| bin as f32).collect();
        Self { isa: Isa::detect(), bin_hz, bins, scratch: Vec::with_capacity(num_bins) }
    }

    /// Describes a frame: its samples within the sound (of `frame_len`, the rest zeros) and its
    /// `power` spectrum. The flux needs the frame before and is 0 until [`flux_db`] fills it in.
    pub(super) fn describe(
        &mut self,
        inside: &[f32],
        frame_len: usize,
        power: &[f32],
    ) -> Descriptors {
        let energy = dot(self.isa, inside, inside);
        let (centroid_hz, rolloff_hz) = self.centre_and_rolloff(power);
        [
            decibels_from_power(energy / frame_len as f32),
            crossings(inside) as f32 / frame_len as f32,
            centroid_hz / 1000.0,
            rolloff_hz / 1000.0,
            self.flatness_db(power),
            0.0,
        ]
    }

    /// Mean frequency weighted by magnitude, and the frequency below which 85 % of the
    /// magnitude lies; 0 Hz for silence.
    fn centre_and_rolloff(&mut self, power: &[f32]) -> (f32, f32) {
        self.scratch.clear();
        self.scratch.extend(power.iter().map(|p| p.sqrt()));
        let magnitudes = &self.scratch;
        let total = sum(self.isa, magnitudes);
        if total <= f32::MIN_POSITIVE {
            return (0.0, 0.0);
        }
        let centroid = dot(self.isa, &self.bins, magnitudes) / total;
        let (mut below, mut rolloff) = (0.0, 0);
        for block in magnitudes.chunks(BLOCK) {
            let with_block = below + sum(self.isa, block);
            if with_block >= ROLLOFF_SHARE * total {
                break;
            }
            (below, rolloff) = (with_block, rolloff + block.len());
        }
        let reaches = |magnitude: &f32| {
            below += magnitude;
            below >= ROLLOFF_SHARE * total
        };
        let rest = magnitudes.get(rolloff..).unwrap_or_default();
        rolloff += rest.iter().position(reaches).unwrap_or(0);
        (centroid * self.bin_hz, rolloff as f32 * self.bin_hz)
    }

    /// Geometric over arithmetic mean of the power, decibels: 0 for noise and silence, far
    /// below for tones.
    fn flatness_db(&mut self, power: &[f32]) -> f32 {
        self.scratch.clear();
        self.scratch.extend(power.iter().map(|p| p.max(POWER_FLOOR)));
        let mut logs = 0.0;
        // One logarithm for sixteen values: between the floor and the loudest frame there is
        // (1e-10, 1e8) their product stays within f64.
        for block in self.scratch.chunks(16) {
            logs += block.iter().map(|p| f64::from(*p)).product::<f64>().ln();
        }
        let num_bins = power.len() as f64;
        let mean = f64::from(sum(self.isa, &self.scratch)) / num_bins;
        decibels_from_power(((logs / num_bins).exp() / mean) as f32)
    }
}

/// How much louder the mels got since the frame before, on average: 0 where they fell.
/// `floor_db`: nothing counts as quieter.
pub(super) fn flux_db(previous: Option<&[f32]>, mels: &[f32], floor_db: f32) -> f32 {
    let Some(previous) = previous else { return 0.0 };
    let rise = |(now, before): (&f32, &f32)| (now.max(floor_db) - before.max(floor_db)).max(0.0);
    mels.iter().zip(previous).map(rise).sum::<f32>() / mels.len() as f32
}

fn crossings(samples: &[f32]) -> usize {
    let is_negative = |x: f32| x < -SILENT_SAMPLE;
    samples.windows(2).filter(|pair| is_negative(pair[0]) != is_negative(pair[1])).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_finite() {
        let described = Describer::new(5, 100.0).describe(&[0.0; 8], 8, &[0.0; 5]);
        assert_eq!(flux_db(None, &[-100.0], -180.0), 0.0);
        assert_eq!(described, [-100.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn signs_change_and_zeros_have_none() {
        assert_eq!(crossings(&[1.0, -1.0, 1.0, 1.0, -0.5]), 3);
        assert_eq!(crossings(&[1.0, 0.0, 1.0, -1e-11, 1.0]), 0);
        assert_eq!(crossings(&[-1.0, 0.0]), 1);
    }

    #[test]
    fn one_bin_is_its_own_centre_and_far_from_flat() {
        let power = [0.0, 0.0, 4.0, 0.0, 0.0];
        let mut describer = Describer::new(5, 100.0);
        assert_eq!(describer.centre_and_rolloff(&power), (200.0, 200.0));
        assert!(describer.flatness_db(&power) < -50.0);
        assert!(describer.flatness_db(&[0.3; 5]).abs() < 1e-4);
    }

    #[test]
    fn the_rolloff_is_found_behind_whole_blocks() {
        let mut power = vec![0.0; 3 * BLOCK];
        (power[3], power[BLOCK + 5], power[2 * BLOCK + 7]) = (9.0, 4.0, 1.0);
        // Magnitudes 3, 2, 1: 85 % of six is reached by the last only.
        let (_, rolloff) = Describer::new(power.len(), 1.0).centre_and_rolloff(&power);
        assert_eq!(rolloff, (2 * BLOCK + 7) as f32);
    }

    #[test]
    fn flux_counts_rises_above_the_floor() {
        assert_eq!(flux_db(Some(&[-50.0, -10.0]), &[-30.0, -20.0], -100.0), 10.0);
        assert_eq!(flux_db(Some(&[-90.0, -10.0]), &[-70.0, -10.0], -70.0), 0.0);
    }
}
