//! What a frame sounds like in single numbers.
//!
//! in: a frame's samples and power spectrum; out: [`Descriptors`].
//! source: Peeters 2004, A large set of audio features.
//! reference: librosa 0.11 `feature.{rms, zero_crossing_rate, spectral_centroid,
//! spectral_rolloff, spectral_flatness}` and `onset.onset_strength(center=False)`.

use super::mfcc::{POWER_FLOOR, decibels_from_power};

/// Samples no louder than this have no sign (librosa's threshold).
const SILENT_SAMPLE: f32 = 1e-10;

/// Share of the magnitude that lies below the roll-off (librosa's default).
const ROLLOFF_SHARE: f32 = 0.85;

/// Names of the descriptors, in order, with their units.
pub(super) const NAMES: [&str; 6] =
    ["level_db", "zero_crossing_rate", "centroid_khz", "rolloff_khz", "flatness_db", "flux_db"];

/// Where in [`NAMES`] the flux stands.
pub(super) const FLUX: usize = 5;

/// One frame's descriptors in the order of [`NAMES`].
pub(super) type Descriptors = [f32; NAMES.len()];

/// Describes a frame: its samples within the sound (of `frame_len`, the rest zeros) and its
/// `power` spectrum with `bin_hz` between bins. The flux needs the frame before and is 0
/// until [`flux_db`] fills it in.
pub(super) fn describe(
    inside: &[f32],
    frame_len: usize,
    power: &[f32],
    bin_hz: f32,
) -> Descriptors {
    let energy: f64 = inside.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let (centroid_hz, rolloff_hz) = centre_and_rolloff(power, bin_hz);
    [
        decibels_from_power((energy / frame_len as f64) as f32),
        crossings(inside) as f32 / frame_len as f32,
        centroid_hz / 1000.0,
        rolloff_hz / 1000.0,
        flatness_db(power),
        0.0,
    ]
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

/// Mean frequency weighted by magnitude, and the frequency below which 85 % of the
/// magnitude lies; 0 Hz for silence.
fn centre_and_rolloff(power: &[f32], bin_hz: f32) -> (f32, f32) {
    let magnitudes: Vec<f32> = power.iter().map(|p| p.sqrt()).collect();
    let (mut total, mut weighted) = (0f64, 0f64);
    for (bin, &magnitude) in magnitudes.iter().enumerate() {
        total += f64::from(magnitude);
        weighted += bin as f64 * f64::from(magnitude);
    }
    if total <= f64::from(f32::MIN_POSITIVE) {
        return (0.0, 0.0);
    }
    let mut below = 0.0;
    let reaches = |&magnitude: &f32| {
        below += f64::from(magnitude);
        below >= f64::from(ROLLOFF_SHARE) * total
    };
    let rolloff = magnitudes.iter().position(reaches).unwrap_or(0);
    ((weighted / total) as f32 * bin_hz, rolloff as f32 * bin_hz)
}

/// Geometric over arithmetic mean of the power, decibels: 0 for noise and silence, far
/// below for tones.
fn flatness_db(power: &[f32]) -> f32 {
    let (mut logs, mut sum) = (0.0, 0.0);
    // One logarithm for sixteen values: between the floor and the loudest frame there is
    // (1e-10, 1e8) their product stays within f64.
    for block in power.chunks(16) {
        let mut product = 1.0;
        for p in block {
            let p = f64::from(p.max(POWER_FLOOR));
            product *= p;
            sum += p;
        }
        logs += product.ln();
    }
    let num_bins = power.len() as f64;
    let flatness = (logs / num_bins).exp() / (sum / num_bins);
    decibels_from_power(flatness as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_finite() {
        let described = describe(&[0.0; 8], 8, &[0.0; 5], 100.0);
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
        assert_eq!(centre_and_rolloff(&power, 100.0), (200.0, 200.0));
        assert!(flatness_db(&power) < -50.0);
        assert!(flatness_db(&[0.3; 5]).abs() < 1e-4);
    }

    #[test]
    fn flux_counts_rises_above_the_floor() {
        assert_eq!(flux_db(Some(&[-50.0, -10.0]), &[-30.0, -20.0], -100.0), 10.0);
        assert_eq!(flux_db(Some(&[-90.0, -10.0]), &[-70.0, -10.0], -70.0), 0.0);
    }
}
