//! What Whisper hears of a sound: logarithms of mel energies, a frame every 10 ms.
//!
//! in: 16 kHz mono samples; out: `[frames, mels]`, within two of each other: `(log₁₀ energy + 4) / 4`,
//! nothing more than 80 dB below the loudest.
//! source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision", 2.2;
//! the mels as in Slaney 1998, "Auditory Toolbox".
//! reference: `openai-whisper`, `log_mel_spectrogram`; `faster-whisper` 1.2.1, `FeatureExtractor`.

use std::f64::consts::PI;

use kernels::{Aligned, Clamp, Isa, PackedMatrix, Rows};

/// Samples a second.
pub const RATE_HZ: usize = 16_000;
/// Samples from one frame to the next.
pub const HOP: usize = 160;

/// Samples that a frame looks at.
const FFT: usize = 400;
const HALF: usize = FFT / 2;
/// Frequencies that differ.
const BINS: usize = HALF + 1;
/// Frames that are computed together.
const STRETCH: usize = 256;
/// Energies below count as this.
const FLOOR: f32 = 1e-10;
/// In powers of ten.
const DYNAMIC_RANGE: f32 = 8.0;

/// Transforms of sound to frames of mels. A Fourier transform of so few samples is a product of
/// matrices.
pub(super) struct LogMel {
    mels: usize,
    /// `[201]` sums of samples that lie alike around the middle to real parts.
    real: PackedMatrix,
    /// `[199]` differences of them to imaginary parts.
    imaginary: PackedMatrix,
    filters: PackedMatrix,
    /// Periodic Hann.
    window: Vec<f32>,
}

impl LogMel {
    pub(super) fn new(isa: Isa, mels: usize) -> Self {
        // Tiles of 16 bits would be heard in soft frames.
        let isa = match isa {
            Isa::Amx | Isa::AmxBf16 | Isa::Avx512Bf16 => Isa::Avx512,
            isa => isa,
        };
        let packed =
            |weight: &[f32], width: usize| PackedMatrix::from_rows(isa, weight, &vec![0.0; width]);
        let angle = |bin: usize, n: usize| 2.0 * PI * ((bin * n) % FFT) as f64 / FFT as f64;
        let rows = |part: fn(f64) -> f64, from: usize, to: usize| -> Vec<f32> {
            let row = |bin: usize| (from..to).map(move |n| part(angle(bin, n)) as f32);
            (0..BINS).flat_map(row).collect()
        };
        let hann = |n: usize| (0.5 - 0.5 * (2.0 * PI * n as f64 / FFT as f64).cos()) as f32;
        Self {
            mels,
            real: packed(&rows(f64::cos, 0, BINS), BINS),
            imaginary: packed(&rows(f64::sin, 1, HALF), BINS),
            filters: packed(&filters(mels), mels),
            window: (0..FFT).map(hann).collect(),
        }
    }

    /// `[frames, mels]`, a frame for each 10 ms; none of fewer samples.
    pub(super) fn frames(&self, samples: &[f32]) -> Vec<f32> {
        // Two more hear the end, too, and count for what is the loudest.
        let num_frames = samples.len() / HOP + 2;
        let mut out = vec![0.0; num_frames * self.mels];
        let mut scratch = Scratch::default();
        for (idx, out) in out.chunks_mut(STRETCH * self.mels).enumerate() {
            self.energies(samples, idx * STRETCH, out, &mut scratch);
        }
        let mut greatest = f32::NEG_INFINITY;
        for x in &mut out {
            *x = x.max(FLOOR).log10();
            greatest = greatest.max(*x);
        }
        for x in &mut out {
            *x = (x.max(greatest - DYNAMIC_RANGE) + 4.0) / 4.0;
        }
        out.truncate(samples.len() / HOP * self.mels);
        out
    }

    /// Energies of the mels of some frames from `first` on.
    fn energies(&self, samples: &[f32], first: usize, out: &mut [f32], scratch: &mut Scratch) {
        let num_frames = out.len() / self.mels;
        let sums = scratch.sums.at_least(num_frames * BINS);
        let differences = scratch.differences.at_least(num_frames * (HALF - 1));
        let frames = sums.chunks_exact_mut(BINS).zip(differences.chunks_exact_mut(HALF - 1));
        for (idx, (sums, differences)) in frames.enumerate() {
            // A frame's middle lies at its own time.
            let begin = ((first + idx) * HOP) as isize - HALF as isize;
            let at = |n: usize| sample(samples, begin + n as isize) * self.window[n];
            (sums[0], sums[HALF]) = (at(0), at(HALF));
            for n in 1..HALF {
                let (left, right) = (at(n), at(FFT - n));
                (sums[n], differences[n - 1]) = (left + right, left - right);
            }
        }
        let real = scratch.real.at_least(num_frames * BINS);
        let imaginary = scratch.imaginary.at_least(num_frames * BINS);
        let product = |matrix: &PackedMatrix, left: &[f32], out: &mut [f32]| {
            let (depth, width) = (matrix.depth(), matrix.width());
            matrix.multiply(num_frames, left, depth, None, Clamp::NONE, out, width, Rows::DENSE);
        };
        product(&self.real, sums, real);
        product(&self.imaginary, differences, imaginary);
        for (real, imaginary) in real.iter_mut().zip(&*imaginary) {
            *real = *real * *real + imaginary * imaginary;
        }
        product(&self.filters, real, out);
    }
}

/// Memory that is used again for every stretch.
#[derive(Default)]
struct Scratch {
    sums: Aligned,
    differences: Aligned,
    real: Aligned,
    imaginary: Aligned,
}

/// A sample; before the first one the sound is mirrored, behind the last one it is silent, since
/// the reference puts half a minute of silence there.
fn sample(samples: &[f32], at: isize) -> f32 {
    samples.get(at.unsigned_abs()).copied().unwrap_or(0.0)
}

/// `[mels, bins]`: triangles over a scale that is linear below 1 kHz and logarithmic above, of
/// equal area.
fn filters(mels: usize) -> Vec<f32> {
    const LINEAR_HZ: f64 = 200.0 / 3.0;
    const BREAK_HZ: f64 = 1000.0;
    const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ;
    let step = 6.4_f64.ln() / 27.0;
    let hz = |mel: f64| {
        if mel < BREAK_MEL { mel * LINEAR_HZ } else { BREAK_HZ * (step * (mel - BREAK_MEL)).exp() }
    };
    let highest = BREAK_MEL + (RATE_HZ as f64 / 2.0 / BREAK_HZ).ln() / step;
    let edge = |idx: usize| hz(highest * idx as f64 / (mels + 1) as f64);
    let mut weights = Vec::with_capacity(mels * BINS);
    for mel in 0..mels {
        let (low, middle, high) = (edge(mel), edge(mel + 1), edge(mel + 2));
        weights.extend((0..BINS).map(|bin| {
            let hz = (bin * RATE_HZ) as f64 / FFT as f64;
            let rise = (hz - low) / (middle - low);
            let fall = (high - hz) / (high - middle);
            (rise.min(fall).max(0.0) * 2.0 / (high - low)) as f32
        }));
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the head says, in double precision.
    fn expected(samples: &[f32], mels: usize) -> Vec<f64> {
        let num_frames = samples.len() / HOP + 2;
        let filters = filters(mels);
        let mut logs = Vec::new();
        for frame in 0..num_frames {
            let x: Vec<f64> = (0..FFT)
                .map(|n| {
                    let hann = 0.5 - 0.5 * (2.0 * PI * n as f64 / FFT as f64).cos();
                    hann * f64::from(sample(samples, (frame * HOP + n) as isize - 200))
                })
                .collect();
            let power: Vec<f64> = (0..BINS)
                .map(|bin| {
                    let part = |f: fn(f64) -> f64| {
                        let term =
                            |(n, x): (usize, &f64)| x * f(2.0 * PI * (bin * n) as f64 / 400.0);
                        x.iter().enumerate().map(term).sum::<f64>().powi(2)
                    };
                    part(f64::cos) + part(f64::sin)
                })
                .collect();
            logs.extend(filters.chunks_exact(BINS).map(|filter| {
                let energy: f64 = filter.iter().zip(&power).map(|(w, p)| f64::from(*w) * p).sum();
                energy.max(1e-10).log10()
            }));
        }
        let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        logs.iter()
            .map(|log| (log.max(greatest - 8.0) + 4.0) / 4.0)
            .take((num_frames - 2) * mels)
            .collect()
    }

    #[test]
    fn frames_are_what_the_formula_says() {
        let samples: Vec<f32> = (0..3210)
            .map(|n| {
                let t = n as f32 / 16_000.0;
                0.3 * (2765.0 * t).sin() + 0.01 * (23_000.0 * t * t).cos()
            })
            .collect();
        for isa in Isa::available() {
            let found = LogMel::new(isa, 80).frames(&samples);
            let expected = expected(&samples, 80);
            assert_eq!(found.len(), 20 * 80);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-3, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn silence_and_nothing_are_heard() {
        let log_mel = LogMel::new(Isa::detect(), 80);
        assert!(log_mel.frames(&[]).is_empty());
        assert!(log_mel.frames(&[0.0; 161]).iter().all(|x| *x == -1.5));
    }
}
