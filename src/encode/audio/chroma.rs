//! Chroma: how much of each of the twelve pitch classes a frame holds.
//!
//! in: `[bins]` power; out: `[12]` from C to B, the strongest is 1, silence is all 0. The
//! tuning is taken to be A4 = 440 Hz: it is not estimated, so that a window depends on nothing
//! but itself.
//! source: Bartsch and Wakefield 2001; Ellis 2007, Chroma feature analysis and synthesis.
//! reference: librosa 0.11 `feature.chroma_stft(tuning=0)`.

use kernels::{Isa, dot};

use super::groups::PITCH_CLASSES;

const NUM_CLASSES: usize = PITCH_CLASSES.len();

// librosa's defaults: weights fall off around the fifth octave of A4 / 16, in units of two.
const CENTRE_OCTAVE: f64 = 5.0;
const OCTAVE_WIDTH: f64 = 2.0;

/// Pitch classes that C lies above A.
const C_FROM_A: usize = 3;

/// Weights of pitch classes over frequencies.
pub(super) struct Chroma {
    isa: Isa,
    /// `[12, bins]`
    weights: Vec<Vec<f32>>,
}

impl Chroma {
    pub(super) fn new(rate_hz: f64, fft_len: usize) -> Self {
        let classes = NUM_CLASSES as f64;
        let pitch = |bin: usize| {
            let hz = bin as f64 * rate_hz / fft_len as f64;
            classes * (hz / (440.0 / 16.0)).log2()
        };
        // 0 Hz has no pitch; it is put an octave and a half below the first bin.
        let mut pitches = vec![pitch(1) - 1.5 * classes];
        pitches.extend((1..=fft_len / 2 + 1).map(pitch));
        let mut weights = vec![Vec::new(); NUM_CLASSES];
        for pair in pitches.windows(2) {
            let width = (pair[1] - pair[0]).max(1.0);
            let gaussian = |class: usize| {
                let half = classes / 2.0;
                let apart = (pair[0] - class as f64 + half).rem_euclid(classes) - half;
                (-0.5 * (2.0 * apart / width).powi(2)).exp()
            };
            let bin: Vec<f64> = (0..NUM_CLASSES).map(gaussian).collect();
            let norm = bin.iter().map(|w| w * w).sum::<f64>().sqrt();
            let octaves = (pair[0] / classes - CENTRE_OCTAVE) / OCTAVE_WIDTH;
            let scale = (-0.5 * octaves.powi(2)).exp() / norm;
            for (class, row) in weights.iter_mut().enumerate() {
                row.push((bin[(class + C_FROM_A) % NUM_CLASSES] * scale) as f32);
            }
        }
        Self { isa: Isa::detect(), weights }
    }

    /// The chroma of one frame, `[12]`.
    pub(super) fn of(&self, power: &[f32]) -> Vec<f32> {
        let mut classes: Vec<f32> =
            self.weights.iter().map(|weights| dot(self.isa, weights, power)).collect();
        let strongest = classes.iter().copied().fold(0.0, f32::max);
        if strongest >= f32::MIN_POSITIVE {
            for class in &mut classes {
                *class /= strongest;
            }
        }
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_its_pitch_class_in_any_octave_and_silence_is_none() {
        let chroma = Chroma::new(22_050.0, 2048);
        for (hz, name) in [(440.0, "a"), (880.0, "a"), (1046.5, "c"), (1244.5, "d_sharp")] {
            let mut power = vec![0.0; 1025];
            power[(hz * 2048.0 / 22_050.0_f64).round() as usize] = 3.0;
            let classes = chroma.of(&power);
            let strongest = classes.iter().position(|class| *class == 1.0).unwrap();
            assert_eq!(PITCH_CLASSES[strongest], name, "{hz} Hz");
        }
        assert_eq!(chroma.of(&[0.0; 1025]), [0.0; NUM_CLASSES]);
    }
}
