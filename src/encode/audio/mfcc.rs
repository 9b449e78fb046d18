//! Mel-frequency cepstral coefficients.
//!
//! in: mono samples in −1..1; out: `[mels]` decibels and `[coeffs]` cepstral coefficients a
//! frame. Frames are centred: frame `t` is the `fft_len` samples around `t * hop_len`, zeros
//! beyond both ends; there are `1 + samples / hop_len` of them.
//! source: Davis and Mermelstein 1980; Slaney 1998, Auditory Toolbox, and Young et al. 2006,
//! The HTK Book, for the two mel scales.
//! reference: librosa 0.11 `feature.mfcc` with `htk` false and true: periodic Hann window,
//! power 2, Slaney's area norm, 10·log10(max(1e-10, S)), DCT-II orthonormal.

use std::{f64::consts::PI, sync::Arc};

use kernels::{Isa, dot};
use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};
use serde::{Deserialize, Serialize};

/// Power below this is this: −100 dB, librosa's `amin`.
pub(super) const POWER_FLOOR: f32 = 1e-10;

/// How pitch is laid out over frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MelScale {
    /// Linear below 1 kHz, logarithmic above; librosa's default.
    #[default]
    Slaney,
    /// 2595·log10(1 + f / 700).
    Htk,
}

impl MelScale {
    // Slaney's scale: 3 mels for 200 Hz up to 1 kHz, then 27 mels for a factor of 6.4.
    const HZ_PER_MEL: f64 = 200.0 / 3.0;
    const BREAK_HZ: f64 = 1000.0;
    const BREAK_MEL: f64 = Self::BREAK_HZ / Self::HZ_PER_MEL;

    fn log_step() -> f64 {
        6.4f64.ln() / 27.0
    }

    fn mel_from_hz(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < Self::BREAK_HZ => hz / Self::HZ_PER_MEL,
            Self::Slaney => Self::BREAK_MEL + (hz / Self::BREAK_HZ).ln() / Self::log_step(),
        }
    }

    fn hz_from_mel(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < Self::BREAK_MEL => mel * Self::HZ_PER_MEL,
            Self::Slaney => Self::BREAK_HZ * ((mel - Self::BREAK_MEL) * Self::log_step()).exp(),
        }
    }
}

/// Power spectra of centred frames.
pub(super) struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    /// Periodic Hann, `[fft_len]`.
    hann: Vec<f32>,
    hop_len: usize,
}

/// Working memory of [`Spectrum::power`], reused from frame to frame.
pub(super) struct Scratch {
    frame: Vec<f32>,
    bins: Vec<Complex<f32>>,
    fft: Vec<Complex<f32>>,
}

impl Spectrum {
    pub(super) fn new(fft_len: usize, hop_len: usize) -> Self {
        let hann = (0..fft_len)
            .map(|i| (0.5 - 0.5 * (2.0 * PI * i as f64 / fft_len as f64).cos()) as f32)
            .collect();
        Self { fft: RealFftPlanner::new().plan_fft_forward(fft_len), hann, hop_len }
    }

    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            frame: self.fft.make_input_vec(),
            bins: self.fft.make_output_vec(),
            fft: self.fft.make_scratch_vec(),
        }
    }

    pub(super) fn fft_len(&self) -> usize {
        self.hann.len()
    }

    /// Number of frequencies, 0 Hz and half the rate counted.
    pub(super) fn num_bins(&self) -> usize {
        self.fft_len() / 2 + 1
    }

    /// Number of frames of a sound.
    pub(super) fn num_frames(&self, num_samples: usize) -> usize {
        1 + num_samples / self.hop_len
    }

    /// The samples of a frame that lie within the sound, and how many zeros stand before.
    pub(super) fn frame<'a>(&self, samples: &'a [f32], frame_idx: usize) -> (usize, &'a [f32]) {
        let (centre, half) = (frame_idx * self.hop_len, self.fft_len() / 2);
        let begin = centre.saturating_sub(half).min(samples.len());
        let end = (centre + self.fft_len() - half).min(samples.len());
        (half.saturating_sub(centre), &samples[begin..end.max(begin)])
    }

    /// Power of each frequency in a frame, `[bins]`.
    pub(super) fn power(
        &self,
        samples: &[f32],
        frame_idx: usize,
        scratch: &mut Scratch,
        power: &mut Vec<f32>,
    ) {
        let (num_before, inside) = self.frame(samples, frame_idx);
        scratch.frame.fill(0.0);
        let hann = &self.hann[num_before..];
        for ((slot, sample), weight) in scratch.frame[num_before..].iter_mut().zip(inside).zip(hann)
        {
            *slot = sample * weight;
        }
        let Scratch { frame, bins, fft } = scratch;
        let done = self.fft.process_with_scratch(frame, bins, fft);
        debug_assert!(done.is_ok(), "the buffers are made by the plan");
        power.clear();
        power.extend(bins.iter().map(Complex::norm_sqr));
    }
}

/// Triangular filters of equal area, evenly spaced on a mel scale.
pub(super) struct MelBank {
    isa: Isa,
    /// First frequency bin and weights of each filter.
    filters: Vec<(usize, Vec<f32>)>,
}

impl MelBank {
    pub(super) fn new(
        scale: MelScale,
        num_mels: usize,
        (low_hz, high_hz): (f64, f64),
        rate_hz: f64,
        fft_len: usize,
    ) -> Self {
        let (low, high) = (scale.mel_from_hz(low_hz), scale.mel_from_hz(high_hz));
        let step = (high - low) / (num_mels + 1) as f64;
        let edges: Vec<f64> =
            (0..num_mels + 2).map(|i| scale.hz_from_mel(low + step * i as f64)).collect();
        let bin_hz = rate_hz / fft_len as f64;
        let filters = edges
            .windows(3)
            .map(|edge| {
                let norm = 2.0 / (edge[2] - edge[0]); // Slaney's: each triangle has area 1
                let weight = |bin: usize| {
                    let hz = bin as f64 * bin_hz;
                    let rise = (hz - edge[0]) / (edge[1] - edge[0]);
                    let fall = (edge[2] - hz) / (edge[2] - edge[1]);
                    (norm * rise.min(fall).max(0.0)) as f32
                };
                let first = (edge[0] / bin_hz).floor() as usize;
                let last = ((edge[2] / bin_hz).ceil() as usize).min(fft_len / 2);
                (first, (first..=last).map(weight).collect())
            })
            .collect();
        Self { isa: Isa::detect(), filters }
    }

    /// Power of each mel from the power of each frequency, `[mels]`.
    pub(super) fn powers(&self, power: &[f32]) -> impl Iterator<Item = f32> {
        self.filters.iter().map(|(first, weights)| dot(self.isa, weights, &power[*first..]))
    }

    /// As [`powers`](Self::powers), in decibels, none below −100.
    pub(super) fn decibels(&self, power: &[f32]) -> Vec<f32> {
        self.powers(power).map(decibels_from_power).collect()
    }

    /// Whether a filter lies between two frequency bins and so is always silent.
    pub(super) fn has_empty_filter(&self) -> bool {
        self.filters.iter().any(|(_, weights)| weights.iter().all(|&w| w == 0.0))
    }
}

/// 10·log10 with librosa's floor.
pub(super) fn decibels_from_power(power: f32) -> f32 {
    10.0 * power.max(POWER_FLOOR).log10()
}

/// The first coefficients of an orthonormal DCT-II.
pub(super) struct Dct {
    isa: Isa,
    /// `[coeffs, mels]`
    basis: Vec<Vec<f32>>,
}

impl Dct {
    pub(super) fn new(num_coeffs: usize, num_mels: usize) -> Self {
        let n = num_mels as f64;
        let row = |k: usize| {
            let scale = if k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
            (0..num_mels)
                .map(|i| (scale * (PI * k as f64 * (2 * i + 1) as f64 / (2.0 * n)).cos()) as f32)
                .collect()
        };
        Self { isa: Isa::detect(), basis: (0..num_coeffs).map(row).collect() }
    }

    pub(super) fn num_coeffs(&self) -> usize {
        self.basis.len()
    }

    /// Coefficients of one frame's decibels, `[coeffs]`.
    pub(super) fn coefficients(&self, decibels: &[f32]) -> impl Iterator<Item = f32> {
        self.basis.iter().map(|row| dot(self.isa, row, decibels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mel_scales_are_inverted_and_meet_known_points() {
        assert!((MelScale::Slaney.mel_from_hz(1000.0) - 15.0).abs() < 1e-12);
        assert!((MelScale::Slaney.mel_from_hz(6400.0) - 42.0).abs() < 1e-9);
        assert!((MelScale::Htk.mel_from_hz(700.0) - 2595.0 * 2f64.log10()).abs() < 1e-9);
        for scale in [MelScale::Slaney, MelScale::Htk] {
            for hz in [0.0, 60.0, 999.0, 1001.0, 11_025.0] {
                assert!((scale.hz_from_mel(scale.mel_from_hz(hz)) - hz).abs() < 1e-8, "{hz}");
            }
        }
    }

    #[test]
    fn a_sine_has_its_power_at_its_frequency() {
        let spectrum = Spectrum::new(256, 64);
        let samples: Vec<f32> =
            (0..1024).map(|i| (2.0 * PI * 16.0 * f64::from(i) / 256.0).sin() as f32).collect();
        let (mut scratch, mut power) = (spectrum.scratch(), Vec::new());
        spectrum.power(&samples, 8, &mut scratch, &mut power);
        // Hann: half the window's length times half the amplitude, squared.
        assert!((power[16] / 64f32.powi(2) - 1.0).abs() < 1e-4);
        assert!(power[20] < 1e-6 && power.len() == spectrum.num_bins());
    }

    #[test]
    fn frames_reach_beyond_both_ends() {
        let spectrum = Spectrum::new(8, 4);
        let samples: Vec<f32> = (0..10).map(|i| i as f32).collect();
        assert_eq!(spectrum.num_frames(10), 3);
        assert_eq!(spectrum.frame(&samples, 0), (4, &samples[0..4]));
        assert_eq!(spectrum.frame(&samples, 1), (0, &samples[0..8]));
        assert_eq!(spectrum.frame(&samples, 2), (0, &samples[4..10]));
        assert_eq!(spectrum.frame(&samples[..1], 0), (4, &samples[0..1]));
    }

    #[test]
    fn the_dct_keeps_energy() {
        let values: Vec<f32> = (0..40).map(|i| ((i * i) % 17) as f32).collect();
        let energy = |x: &[f32]| x.iter().map(|v| v * v).sum::<f32>();
        let coefficients: Vec<f32> = Dct::new(40, 40).coefficients(&values).collect();
        assert!((energy(&coefficients) / energy(&values) - 1.0).abs() < 1e-5);
    }
}
