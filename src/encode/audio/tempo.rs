//! Tempo: beats a minute, and how clear the pulse is.
//!
//! in: one value a frame that says how much louder it got; out: the tempo, beats a minute, and
//! the autocorrelation at that period, 0..1. Each frame's surroundings of eight seconds are
//! correlated with themselves, the mean is read at the period that is likeliest given that most
//! music has about 120 beats a minute. Silence has 120 and a pulse of 0.
//! source: Grosche et al. 2010, Cyclic tempogram; Ellis 2007 for the prior.
//! reference: librosa 0.11 `feature.tempogram` and `feature.tempo(onset_envelope=…)`.

use std::{f64::consts::PI, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Length of the surroundings, seconds: librosa's default.
const SURROUNDINGS_SECS: f64 = 8.0;

/// Where the prior stands, beats a minute; its deviation is an octave.
const PRIOR_BPM: f64 = 120.0;

/// Nothing is faster, beats a minute.
const MAX_BPM: f64 = 320.0;

/// Finds tempos of series with a fixed number of frames a second.
pub(super) struct Tempo {
    forward: Arc<dyn RealToComplex<f64>>,
    backward: Arc<dyn ComplexToReal<f64>>,
    /// Periodic Hann, `[frames of the surroundings]`.
    hann: Vec<f64>,
    frames_per_minute: f64,
}

impl Tempo {
    pub(super) fn new(rate_hz: f64, hop_len: usize) -> Self {
        let frames_per_sec = rate_hz / hop_len as f64;
        let len = (SURROUNDINGS_SECS * frames_per_sec).floor();
        let hann = (0..len as usize).map(|i| 0.5 - 0.5 * (2.0 * PI * i as f64 / len).cos());
        let hann: Vec<f64> = hann.collect();
        // Twice as long, so that the end does not meet the beginning.
        let fft_len = (2 * hann.len()).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        Self {
            forward: planner.plan_fft_forward(fft_len),
            backward: planner.plan_fft_inverse(fft_len),
            hann,
            frames_per_minute: 60.0 * frames_per_sec,
        }
    }

    /// Beats a minute and pulse of a series of at least one frame.
    pub(super) fn of(&self, onsets: &[f32]) -> [f32; 2] {
        let mean = self.mean_autocorrelation(onsets);
        let bpm = |period: usize| self.frames_per_minute / period as f64;
        let score = |period: usize| {
            let octaves = (bpm(period) / PRIOR_BPM).log2();
            (1e6 * mean[period]).ln_1p() - 0.5 * octaves * octaves
        };
        let periods = (1..mean.len()).filter(|period| bpm(*period) < MAX_BPM);
        // Of equals the shortest, as numpy's argmax has it.
        let best = periods.rev().max_by(|a, b| score(*a).total_cmp(&score(*b)));
        best.map_or([0.0; 2], |period| [bpm(period) as f32, mean[period] as f32])
    }

    /// The mean over frames of the autocorrelation of each one's surroundings, `[periods]`, each
    /// brought to a largest value of 1.
    fn mean_autocorrelation(&self, onsets: &[f32]) -> Vec<f64> {
        let len = self.hann.len();
        let padded = ramped(onsets, len / 2);
        let mut frame = self.forward.make_input_vec();
        let mut bins = self.forward.make_output_vec();
        let mut mean = vec![0.0; len];
        for surroundings in padded.windows(len).take(onsets.len()) {
            frame.fill(0.0);
            for ((slot, onset), weight) in frame.iter_mut().zip(surroundings).zip(&self.hann) {
                *slot = onset * weight;
            }
            let forward = self.forward.process(&mut frame, &mut bins);
            for bin in &mut bins {
                *bin = bin.norm_sqr().into();
            }
            let backward = self.backward.process(&mut bins, &mut frame);
            debug_assert!(forward.is_ok() && backward.is_ok(), "the buffers are the plans' own");
            let largest = frame[..len].iter().fold(0.0, |max: f64, x| max.max(x.abs()));
            if largest > f64::from(f32::MIN_POSITIVE) {
                let share = 1.0 / (largest * onsets.len() as f64);
                for (mean, x) in mean.iter_mut().zip(&frame) {
                    *mean += x.max(0.0) * share;
                }
            }
        }
        mean
    }
}

/// The series between ramps that rise from 0 and fall to 0.
fn ramped(series: &[f32], ramp_len: usize) -> Vec<f64> {
    let ramp = |edge: f32| (0..ramp_len).map(move |i| f64::from(edge) * i as f64 / ramp_len as f64);
    let first = series.first().copied().unwrap_or_default();
    let last = series.last().copied().unwrap_or_default();
    ramp(first).chain(series.iter().map(|&x| f64::from(x))).chain(ramp(last).rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_have_their_tempo_and_silence_has_no_pulse() {
        let tempo = Tempo::new(22_050.0, 512);
        let clicks: Vec<f32> = (0..430).map(|t| f32::from(u8::from(t % 20 == 0))).collect();
        let [bpm, pulse] = tempo.of(&clicks);
        assert!((bpm - 60.0 * 22_050.0 / 512.0 / 20.0).abs() < 1e-3, "{bpm}");
        assert!(pulse > 0.7, "{pulse}");
        let [bpm, pulse] = tempo.of(&[0.0; 430]);
        assert!((bpm - 120.0).abs() < 4.0 && pulse == 0.0, "{bpm} {pulse}");
        assert!(tempo.of(&[1.0])[0].is_finite());
    }
}
