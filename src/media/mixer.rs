//! Decoded sound to mono, once, and to the rate of each who listens.
//!
//! in: runs of samples in any format, channel layout and rate; out: mono f32 appended to each
//! [`Ear`]. swresample mixes: its standard downmix, normalised so that no channel arrangement can
//! clip (stereo is the mean of both; 5.1 as in ATSC A/52, LFE left out). The rate of the mix is
//! changed for each ear by [`kernels::Resampler`], which sums several products at a time; where
//! the two rates have no ratio of small numbers, by swresample too, mix and all.

use std::ffi::c_int;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{
    ChannelLayout, Dictionary, ffi,
    format::{Sample, sample},
    software::resampling,
};

use kernels::{Isa, Resampler};

use super::{
    libav,
    request::{AudioSpec, Failure, ReasonCode},
};

/// Sampling rates that sound may have.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Who listens to a film's sound.
pub(super) struct Ear {
    /// Sampling rate of what it hears.
    pub(super) rate_hz: u32,
    max_samples: usize,
    /// What it heard so far.
    pub(super) mono: Vec<f32>,
}

impl Ear {
    pub(super) fn new(spec: &AudioSpec) -> Self {
        let max_samples = (spec.max_secs.max(0.0) * f64::from(spec.rate_hz)).ceil() as usize;
        Self { rate_hz: spec.rate_hz, max_samples, mono: Vec::new() }
    }

    /// Has it heard as much as was asked for? It hears nothing more then.
    pub(super) fn is_full(&self) -> bool {
        self.mono.len() >= self.max_samples
    }

    /// Is anything to be heard at all?
    pub(super) fn listens(&self) -> bool {
        self.max_samples > 0
    }

    /// What it heard, no more than was asked for.
    pub(super) fn into_mono(mut self) -> Vec<f32> {
        self.mono.truncate(self.max_samples);
        self.mono
    }
}

/// What a run of samples is like.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Input {
    pub(super) format: Sample,
    pub(super) layout: ChannelLayout,
    pub(super) rate_hz: u32,
}

/// How an ear comes by its rate.
enum Outlet {
    /// It is the input's.
    Same,
    /// From the mix.
    Resampled(Resampler),
    /// From the input, by swresample.
    Converted(resampling::Context),
}

/// From one kind of input to mono at the rates of all ears.
pub(super) struct Mixer {
    input: Input,
    /// To mono at the input's rate; `None` where no ear needs it.
    downmix: Option<resampling::Context>,
    mix: Vec<f32>,
    /// One an ear.
    outlets: Vec<Outlet>,
}

impl Mixer {
    /// # Errors
    /// A rate that no sound has, or want of memory.
    pub(super) fn new(input: Input, ears: &[Ear]) -> Result<Self, Failure> {
        if !RATES_HZ.contains(&input.rate_hz) {
            let text = format!("a sampling rate of {} Hz", input.rate_hz);
            return Err(Failure::new(ReasonCode::Corrupt, text));
        }
        let outlet = |ear: &Ear| {
            if ear.rate_hz == input.rate_hz {
                return Ok(Outlet::Same);
            }
            match Resampler::new(Isa::detect(), input.rate_hz, ear.rate_hz) {
                Some(resampler) => Ok(Outlet::Resampled(resampler)),
                None => context(input, ear.rate_hz).map(Outlet::Converted),
            }
        };
        let outlets = ears.iter().map(outlet).collect::<Result<Vec<_>, _>>()?;
        let needs_mix = outlets.iter().any(|outlet| !matches!(outlet, Outlet::Converted(_)));
        let downmix = needs_mix.then(|| context(input, input.rate_hz)).transpose()?;
        Ok(Self { input, downmix, mix: Vec::new(), outlets })
    }

    /// Was it made for such samples?
    pub(super) fn takes(&self, input: Input) -> bool {
        self.input == input
    }

    /// Mixes a run of samples for all ears that are not full.
    pub(super) fn run(
        &mut self,
        planes: &mut [*const u8],
        num_samples: usize,
        ears: &mut [Ear],
    ) -> Result<(), ffmpeg::Error> {
        self.pass(planes.as_mut_ptr(), num_samples as c_int, ears, |resampler, mix, mono| {
            resampler.push(mix, mono);
        })
    }

    /// What is still held back.
    pub(super) fn flush(&mut self, ears: &mut [Ear]) -> Result<(), ffmpeg::Error> {
        self.pass(std::ptr::null_mut(), 0, ears, |resampler, mix, mono| {
            resampler.push(mix, mono);
            resampler.finish(mono);
        })
    }

    fn pass(
        &mut self,
        planes: *mut *const u8,
        num_samples: c_int,
        ears: &mut [Ear],
        resample: impl Fn(&mut Resampler, &[f32], &mut Vec<f32>),
    ) -> Result<(), ffmpeg::Error> {
        self.mix.clear();
        if let Some(downmix) = &mut self.downmix {
            convert(downmix, planes, num_samples, &mut self.mix)?;
        }
        for (outlet, ear) in self.outlets.iter_mut().zip(ears) {
            if ear.is_full() {
                continue;
            }
            match outlet {
                Outlet::Same => ear.mono.extend_from_slice(&self.mix),
                Outlet::Resampled(resampler) => resample(resampler, &self.mix, &mut ear.mono),
                Outlet::Converted(context) => {
                    convert(context, planes, num_samples, &mut ear.mono)?;
                }
            }
        }
        Ok(())
    }
}

/// swresample from the input to mono at a rate.
fn context(input: Input, rate_hz: u32) -> Result<resampling::Context, Failure> {
    let mut options = Dictionary::new();
    // Without it floats are mixed by sums that exceed 1.
    options.set("rematrix_maxval", "1.0");
    resampling::Context::get_with(
        input.format,
        input.layout,
        input.rate_hz,
        Sample::F32(sample::Type::Planar),
        ChannelLayout::MONO,
        rate_hz,
        options,
    )
    .map_err(libav::failure)
}

/// Sends samples through swresample, or asks for what it holds, and appends what comes out.
fn convert(
    downmix: &mut resampling::Context,
    planes: *mut *const u8,
    num_samples: c_int,
    mono: &mut Vec<f32>,
) -> Result<(), ffmpeg::Error> {
    #[allow(unsafe_code)]
    // SAFETY: `planes` is null or holds as many planes as the input has; the output has
    // room for as many samples as the resampler says that it may write.
    unsafe {
        let context = downmix.as_mut_ptr();
        let most = ffi::swr_get_out_samples(context, num_samples);
        if most < 0 {
            return Err(ffmpeg::Error::from(most));
        }
        mono.reserve(most as usize);
        let mut out = mono.as_mut_ptr().add(mono.len()).cast::<u8>();
        let written = ffi::swr_convert(context, &raw mut out, most, planes, num_samples);
        if written < 0 {
            return Err(ffmpeg::Error::from(written));
        }
        mono.set_len(mono.len() + written as usize);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ear(rate_hz: u32) -> Ear {
        Ear::new(&AudioSpec { rate_hz, max_secs: 60.0 })
    }

    /// Whichever way the rate is changed, the sound stays as long and as loud.
    #[test]
    fn every_rate_becomes_the_one_that_is_asked_for() {
        libav::start();
        for rate_hz in [8_000, 22_050, 44_056, 44_100, 48_000, 96_000] {
            let format = Sample::F32(sample::Type::Planar);
            let input = Input { format, layout: ChannelLayout::STEREO, rate_hz };
            // Of 44,056 Hz there is no ratio of small numbers to either.
            let rates = [22_050, 16_000, rate_hz];
            let mut ears = rates.map(ear);
            let mut mixer = Mixer::new(input, &ears).unwrap();
            let tone: Vec<f32> =
                (0..rate_hz).map(|n| (n as f32 * 2765.0 / rate_hz as f32).sin()).collect();
            let pass = |mixer: &mut Mixer, ears: &mut [Ear]| {
                for piece in tone.chunks(1024) {
                    mixer.run(&mut [piece.as_ptr().cast(); 2], piece.len(), ears).unwrap();
                }
                mixer.flush(ears).unwrap();
            };
            pass(&mut mixer, &mut ears);
            for (rate, Ear { mono, .. }) in rates.into_iter().zip(ears) {
                let text = format!("{rate_hz} to {rate} Hz");
                assert!(mono.len().abs_diff(rate as usize) <= 64, "{text}: {}", mono.len());
                let square = mono.iter().map(|x| x * x).sum::<f32>() / mono.len() as f32;
                assert!((square - 0.5).abs() < 0.01, "{text}: {square}");
                let mut alone = [ear(rate)];
                pass(&mut Mixer::new(input, &alone).unwrap(), &mut alone);
                assert!(alone[0].mono == mono, "{text}: others listen");
            }
        }
    }

    /// The mean of both channels, and a chord through 5.1 never beyond full scale.
    #[test]
    fn channels_are_mixed_without_clipping() {
        libav::start();
        let mix = |layout: ChannelLayout, planes: &[Vec<f32>]| {
            let format = Sample::F32(sample::Type::Planar);
            let mut ears = [ear(8000)];
            let mut mixer = Mixer::new(Input { format, layout, rate_hz: 8000 }, &ears).unwrap();
            let mut pointers: Vec<*const u8> = planes.iter().map(|p| p.as_ptr().cast()).collect();
            mixer.run(&mut pointers, planes[0].len(), &mut ears).unwrap();
            mixer.flush(&mut ears).unwrap();
            std::mem::take(&mut ears[0].mono)
        };
        let stereo = mix(ChannelLayout::STEREO, &[vec![0.5; 64], vec![-0.25; 64]]);
        assert_eq!(stereo.len(), 64);
        assert!(stereo.iter().all(|v| (v - 0.125).abs() < 1e-6), "{stereo:?}");
        let loud = mix(ChannelLayout::_5POINT1, &vec![vec![1.0; 64]; 6]);
        assert!(loud.iter().all(|v| (v - 1.0).abs() < 1e-6), "{loud:?}");
    }
}
