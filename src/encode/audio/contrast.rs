//! Spectral contrast: how far peaks stand above valleys, an octave at a time.
//!
//! in: `[bins]` power; out: `[7]` peaks and valleys in decibels: below 200 Hz, then octaves
//! from there, the last with all that lies above.
//! source: Jiang et al. 2002, Music type classification by spectral contrast feature.
//! reference: librosa 0.11 `feature.spectral_contrast`, which takes decibels of magnitudes as
//! if they were powers.

use std::ops::Range;

use super::mfcc::decibels_from_power;

/// Bands, the one below the octaves counted.
pub(super) const NUM_BANDS: usize = 7;

/// Where the octaves begin, Hz: librosa's default.
const FIRST_HZ: f64 = 200.0;

/// Share of a band's bins that are its peak, and its valley.
const QUANTILE: f64 = 0.02;

/// Half the sampling rate must be above where the last octave begins.
pub(super) const MIN_RATE_HZ: u32 = 2 * 200 * (1 << (NUM_BANDS - 2));

/// Frequencies must lie no further apart for every band to have three.
pub(super) const MAX_BIN_HZ: f64 = FIRST_HZ / 2.0;

/// Peaks and valleys of one frame, decibels.
#[derive(Clone, Debug, Default)]
pub(super) struct PeaksAndValleys {
    peaks: [f32; NUM_BANDS],
    valleys: [f32; NUM_BANDS],
}

/// Bands over frequencies.
pub(super) struct Contrast {
    /// Bins of each band, and how many of them are its peak.
    bands: Vec<(Range<usize>, usize)>,
}

impl Contrast {
    pub(super) fn new(rate_hz: f64, fft_len: usize) -> Self {
        let num_bins = fft_len / 2 + 1;
        let bin = |hz: f64| hz * fft_len as f64 / rate_hz;
        let band = |idx: usize| {
            let low_hz = if idx == 0 { 0.0 } else { FIRST_HZ * f64::powi(2.0, idx as i32 - 1) };
            let high_hz = FIRST_HZ * f64::powi(2.0, idx as i32);
            // Both edges belong to it, and but for the lowest the bin before.
            let first = (bin(low_hz).ceil() as usize).saturating_sub(usize::from(idx > 0));
            let is_last = idx + 1 == NUM_BANDS;
            let end = if is_last { num_bins } else { bin(high_hz).floor() as usize + 1 };
            let num_extreme = (QUANTILE * (end - first) as f64).round_ties_even().max(1.0);
            (first..end - usize::from(!is_last), num_extreme as usize)
        };
        Self { bands: (0..NUM_BANDS).map(band).collect() }
    }

    /// Peaks and valleys of one frame. `scratch` is working memory.
    pub(super) fn describe(&self, power: &[f32], scratch: &mut Vec<f32>) -> PeaksAndValleys {
        let mut described = PeaksAndValleys::default();
        for (idx, (bins, num_extreme)) in self.bands.iter().enumerate() {
            scratch.clear();
            scratch.extend_from_slice(&power[bins.clone()]);
            scratch.sort_unstable_by(f32::total_cmp);
            let mean_db = |powers: &[f32]| {
                let sum: f64 = powers.iter().map(|p| f64::from(p.sqrt())).sum();
                decibels_from_power((sum / powers.len() as f64) as f32)
            };
            described.valleys[idx] = mean_db(&scratch[..*num_extreme]);
            described.peaks[idx] = mean_db(&scratch[scratch.len() - num_extreme..]);
        }
        described
    }
}

/// `[7, frames]` decibels between peaks and valleys, where none of either counts as quieter
/// than `top_db` below its loudest.
pub(super) fn contrasts_db(frames: &[PeaksAndValleys], top_db: f32) -> Vec<Vec<f32>> {
    let floor_db = |of: fn(&PeaksAndValleys) -> &[f32; NUM_BANDS]| {
        frames.iter().flat_map(of).copied().fold(f32::NEG_INFINITY, f32::max) - top_db
    };
    let (peak_floor, valley_floor) = (floor_db(|f| &f.peaks), floor_db(|f| &f.valleys));
    let contrast = |frame: &PeaksAndValleys, band: usize| {
        frame.peaks[band].max(peak_floor) - frame.valleys[band].max(valley_floor)
    };
    (0..NUM_BANDS).map(|band| frames.iter().map(|f| contrast(f, band)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_all_bins_and_one_peak_is_its_bands_contrast() {
        let contrast = Contrast::new(22_050.0, 2048);
        assert_eq!(contrast.bands[0].0.start, 0);
        assert_eq!(contrast.bands[NUM_BANDS - 1].0.end, 1025);
        assert!(contrast.bands.windows(2).all(|pair| pair[1].0.start <= pair[0].0.end));
        let mut power = vec![1e-4; 1025];
        power[100] = 1.0; // 1077 Hz: from 800 to 1600 Hz
        let described = contrast.describe(&power, &mut Vec::new());
        let contrasts = contrasts_db(&[described], 80.0);
        // Magnitudes 1 and 0.01; one bin of seventy-five is 0.02 of the band, rounded: 2.
        assert!((contrasts[3][0] - decibels_from_power(0.505 / 0.01)).abs() < 1e-3);
        assert!(contrasts.iter().enumerate().all(|(band, c)| band == 3 || c[0].abs() < 1e-4));
    }

    #[test]
    fn the_slowest_rate_has_every_band() {
        let fft_len = (f64::from(MIN_RATE_HZ + 1) / MAX_BIN_HZ).ceil() as usize;
        let contrast = Contrast::new(f64::from(MIN_RATE_HZ + 1), fft_len);
        assert!(contrast.bands.iter().all(|(bins, num)| bins.len() >= *num && *num > 0));
    }
}
