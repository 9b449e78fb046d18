//! Resampling by a polyphase filter.
//!
//! in: samples at one rate, in pieces of any length; out: samples at another. The sound lasts
//! as long as before: `⌈samples · out / in⌉` of them, the first at the time of the first.
//! Beyond both ends there are zeros.
//!
//! source: Smith 1984, "A flexible sampling-rate conversion method"; Kaiser 1974 for the window.
//! reference: libswresample with its defaults: 32 taps at the lower rate, Kaiser window with
//! β = 9, cut off at half the lower rate (at 0.97 of it where the rate is lowered); a filter for
//! each phase of the two rates' exact ratio. Within 0.01 dB up to 0.78 of half the lower rate; where
//! the rate is lowered, what lies above 1.16 of that is 80 dB down.
#![allow(unsafe_code)] // raw pointers into slices whose lengths are checked at the entry

use std::f64::consts::PI;

use super::{Aligned, Isa, on_isa, simd::Simd};

/// Taps of a filter that lowers no rate.
const BASE_TAPS: f64 = 32.0;
/// Where a filter that lowers the rate cuts off, as part of half the lower rate.
const CUTOFF: f64 = 0.97;
const KAISER_BETA: f64 = 9.0;
/// Floats that all phases' filters may take.
const MAX_FILTER_FLOATS: usize = 1 << 17;
/// Samples that have been used and are not yet moved out of the way.
const MAX_STALE: usize = 1 << 14;
/// A filter's length is a multiple of this, whatever the instruction set.
const TAP_MULTIPLE: usize = 16;

/// Brings a sound from one rate to another, piece by piece.
pub struct Resampler {
    isa: Isa,
    /// Outputs between which the filters repeat.
    num_phases: usize,
    /// Phases from one output to the next.
    step: usize,
    num_taps: usize,
    /// `[phases, taps]`
    filters: Aligned,
    /// Samples that are still needed, and some before them.
    window: Vec<f32>,
    /// Where in the window the next output's filter begins.
    at: usize,
    phase: usize,
    num_in: u64,
    num_out: u64,
}

/// What one run over the window does.
struct Job {
    filters: *const f32,
    window: *const f32,
    num_taps: usize,
    num_phases: usize,
    step: usize,
    at: usize,
    phase: usize,
    num_out: usize,
    out: *mut f32,
}

impl Resampler {
    /// From `in_hz` to `out_hz`; `None` where the two have so large a ratio in lowest terms
    /// that there would be too many filters.
    ///
    /// # Panics
    /// Where a rate is 0.
    #[must_use]
    pub fn new(isa: Isa, in_hz: u32, out_hz: u32) -> Option<Self> {
        assert!(in_hz > 0 && out_hz > 0);
        let common = gcd(in_hz, out_hz);
        let (num_phases, step) = ((out_hz / common) as usize, (in_hz / common) as usize);
        let factor = (f64::from(out_hz) * CUTOFF / f64::from(in_hz)).min(1.0);
        let num_taps = ((BASE_TAPS / factor).ceil() as usize).next_multiple_of(TAP_MULTIPLE);
        if num_taps.checked_mul(num_phases)? > MAX_FILTER_FLOATS {
            return None;
        }
        let mut filters = Aligned::zeros(num_phases * num_taps);
        for (phase, taps) in
            filters.as_mut_slice().chunks_exact_mut(num_taps).enumerate().take(num_phases)
        {
            design(taps, phase as f64 / num_phases as f64, factor);
        }
        let window = vec![0.0; num_taps / 2 - 1];
        Some(Self {
            isa,
            num_phases,
            step,
            num_taps,
            filters,
            window,
            at: 0,
            phase: 0,
            num_in: 0,
            num_out: 0,
        })
    }

    /// Takes samples and appends to `out` what they suffice for.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.num_in += samples.len() as u64;
        self.window.extend_from_slice(samples);
        self.filter(u64::MAX, out);
    }

    /// The sound ends: appends the rest to `out`. What is pushed later is a sound of its own.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        self.window.resize(self.window.len() + self.num_taps, 0.0);
        let whole = (self.num_in * self.num_phases as u64).div_ceil(self.step as u64);
        self.filter(whole - self.num_out.min(whole), out);
        self.window.clear();
        self.window.resize(self.num_taps / 2 - 1, 0.0);
        (self.at, self.phase, self.num_in, self.num_out) = (0, 0, 0, 0);
    }

    fn filter(&mut self, most: u64, out: &mut Vec<f32>) {
        let Some(room) = self.window.len().checked_sub(self.at + self.num_taps) else { return };
        // Output n begins at `at + (phase + n · step) / phases`, and at most `room` later.
        let fitting = (room * self.num_phases + self.num_phases - 1 - self.phase) / self.step + 1;
        let num_out = (fitting as u64).min(most) as usize;
        let before = out.len();
        out.resize(before + num_out, 0.0);
        let job = Job {
            filters: self.filters.as_slice().as_ptr(),
            window: self.window.as_ptr(),
            num_taps: self.num_taps,
            num_phases: self.num_phases,
            step: self.step,
            at: self.at,
            phase: self.phase,
            num_out,
            out: out[before..].as_mut_ptr(),
        };
        // SAFETY: `out` has room for `num_out`, each of whose filters lies inside the window.
        unsafe { run(self.isa, &job) }
        let phases = self.phase + num_out * self.step;
        self.at += phases / self.num_phases;
        self.phase = phases % self.num_phases;
        self.num_out += num_out as u64;
        if self.at > MAX_STALE {
            let stale = self.at.min(self.window.len());
            self.window.drain(..stale);
            self.at -= stale;
        }
    }
}

on_isa!(run = outputs(job: &Job));

/// # Safety
/// The job's outputs and their filters lie inside its slices; the processor has the set.
#[inline(always)]
unsafe fn outputs<S: Simd>(job: &Job) {
    let (mut at, mut phase) = (job.at, job.phase);
    for n in 0..job.num_out {
        // SAFETY: the caller's; the number of taps is a multiple of each set's lanes.
        unsafe {
            let (filter, window) = (job.filters.add(phase * job.num_taps), job.window.add(at));
            let (mut even, mut odd) = (S::splat(0.0), S::splat(0.0));
            let mut tap = 0;
            while tap + 2 * S::LANES <= job.num_taps {
                even = S::fma(S::load(filter.add(tap)), S::load(window.add(tap)), even);
                let next = tap + S::LANES;
                odd = S::fma(S::load(filter.add(next)), S::load(window.add(next)), odd);
                tap += 2 * S::LANES;
            }
            if tap < job.num_taps {
                even = S::fma(S::load(filter.add(tap)), S::load(window.add(tap)), even);
            }
            *job.out.add(n) = S::sum(S::add(even, odd));
        }
        phase += job.step;
        at += phase / job.num_phases;
        phase %= job.num_phases;
    }
}

/// The taps of the filter for outputs that lie `fraction` of a sample behind the middle tap.
fn design(taps: &mut [f32], fraction: f64, factor: f64) {
    let centre = (taps.len() / 2 - 1) as f64 + fraction;
    // The window is as long as the filter needs; what multiples add stays zero.
    let half = BASE_TAPS / factor / 2.0;
    let weight = |tap: usize| {
        let distance = tap as f64 - centre;
        let x = PI * distance * factor;
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        let inside = 1.0 - (distance / half).powi(2);
        if inside < 0.0 { 0.0 } else { sinc * bessel_i0(KAISER_BETA * inside.sqrt()) }
    };
    let weights: Vec<f64> = (0..taps.len()).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    for (x, weight) in taps.iter_mut().zip(weights) {
        *x = (weight / sum) as f32;
    }
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while term > 1e-18 * sum {
        term *= (x / 2.0 / n).powi(2);
        sum += term;
        n += 1.0;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(isa: Isa, in_hz: u32, out_hz: u32, pieces: &[&[f32]]) -> Vec<f32> {
        let mut resampler = Resampler::new(isa, in_hz, out_hz).unwrap();
        let mut out = Vec::new();
        for piece in pieces {
            resampler.push(piece, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    fn sine(hz: f64, rate_hz: u32, num_samples: usize) -> Vec<f32> {
        (0..num_samples)
            .map(|n| (2.0 * PI * hz * n as f64 / f64::from(rate_hz)).sin() as f32)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// The formula, in double precision, and no difference where the pieces are cut.
        #[test]
        fn equals_the_sum_over_all_samples(
            samples in prop::collection::vec(-1_f32..1.0, 1..900), cut in 0.0_f64..1.0,
            (in_hz, out_hz) in prop_oneof![
                Just((48_000, 22_050)), Just((44_100, 22_050)), Just((48_000, 16_000)),
                Just((8_000, 22_050)), Just((22_050, 22_050)), Just((96_000, 8_000)),
            ],
        ) {
            let cut = (cut * samples.len() as f64) as usize;
            let factor = (f64::from(out_hz) * CUTOFF / f64::from(in_hz)).min(1.0);
            for isa in Isa::available() {
                let out = whole(isa, in_hz, out_hz, &[&samples]);
                prop_assert_eq!(&out, &whole(isa, in_hz, out_hz, &[&samples[..cut], &samples[cut..]]));
                let expected_len = (samples.len() as u64 * u64::from(out_hz)).div_ceil(u64::from(in_hz));
                prop_assert_eq!(out.len() as u64, expected_len);
                for (n, found) in out.iter().enumerate() {
                    let place = n as f64 * f64::from(in_hz) / f64::from(out_hz);
                    let mut taps = vec![0.0; (BASE_TAPS / factor).ceil() as usize + 18];
                    let first = place.floor() - (taps.len() / 2 - 1) as f64;
                    design(&mut taps, place - place.floor(), factor);
                    let expected: f64 = taps.iter().enumerate().filter_map(|(tap, weight)| {
                        let idx = first + tap as f64;
                        let sample = if idx < 0.0 { None } else { samples.get(idx as usize) };
                        sample.map(|x| f64::from(*weight) * f64::from(*x))
                    }).sum();
                    prop_assert!((f64::from(*found) - expected).abs() < 2e-6, "{isa:?}: {found} for {expected} at {n}");
                }
            }
        }
    }

    /// Known quality: what can be kept is kept within 0.01 dB up to 0.78 of half the lower rate,
    /// and what cannot is at least 80 dB down from 1.16 of it.
    #[test]
    fn keeps_what_it_can_and_lets_nothing_fold_back() {
        for (in_hz, out_hz) in [(48_000, 22_050), (44_100, 22_050), (22_050, 44_100)] {
            let half = f64::from(in_hz.min(out_hz)) / 2.0;
            let level = |hz: f64| {
                let out = whole(Isa::detect(), in_hz, out_hz, &[&sine(hz, in_hz, 20_000)]);
                let inner = &out[500..out.len() - 500];
                let square: f64 = inner.iter().map(|x| f64::from(x * x)).sum();
                10.0 * (2.0 * square / inner.len() as f64).log10()
            };
            for part in [0.05, 0.3, 0.6, 0.78] {
                assert!(
                    level(part * half).abs() < 0.01,
                    "{in_hz} {part}: {} dB",
                    level(part * half)
                );
            }
            if in_hz > out_hz {
                for part in [1.16, 1.5, 1.9] {
                    assert!(
                        level(part * half) < -80.0,
                        "{in_hz} {part}: {} dB",
                        level(part * half)
                    );
                }
            }
        }
    }

    /// Long sounds in pieces of any length, one after the other.
    #[test]
    fn what_was_used_is_forgotten_and_nothing_is_lost() {
        let long = sine(440.0, 48_000, 40_000);
        for (in_hz, out_hz) in [(48_000, 22_050), (96_000, 8_000), (8_000, 48_000)] {
            let mut resampler = Resampler::new(Isa::detect(), in_hz, out_hz).unwrap();
            let all = whole(Isa::detect(), in_hz, out_hz, &[&long]);
            for len in [1, 7, 1152] {
                let mut out = Vec::new();
                for piece in long.chunks(len) {
                    resampler.push(piece, &mut out);
                    assert!(resampler.window.len() <= 2 * MAX_STALE + 2 * resampler.num_taps);
                }
                resampler.finish(&mut out);
                assert_eq!(out, all, "{in_hz} to {out_hz} Hz in pieces of {len}");
            }
        }
    }

    #[test]
    fn too_many_filters_are_refused_and_nothing_gives_nothing() {
        assert!(Resampler::new(Isa::Portable, 767_999, 22_050).is_none());
        assert!(Resampler::new(Isa::Portable, 44_056, 22_050).is_none());
        assert!(whole(Isa::Portable, 48_000, 22_050, &[]).is_empty());
    }
}
