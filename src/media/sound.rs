//! The soundtrack of a film as mono samples.
//!
//! in: the packets of a sound stream, one by one, as FFmpeg's demuxer gives them; out:
//! [`Samples`] at the rate asked for, from the sound's own begin. Full scale is −1..1; where a
//! lossy codec overshoots, so do the samples, up to [`MAX_LEVEL`].
//!
//! Two decoders, one resampler. The container is opened once, by FFmpeg; its packets go to
//! symphonia's decoder where it knows the codec well ([`super::symphonia_codec`]) and to
//! FFmpeg's otherwise. If symphonia stumbles over a packet, the sound is decoded anew by
//! FFmpeg from the packets that were kept for this (all, up to [`MAX_REPLAY_BYTES`]; later it
//! goes on from there). Both leave out the encoder's delay and padding in the same way.
//! swresample mixes: its standard downmix, normalised so that no channel arrangement can clip
//! (stereo is the mean of both; 5.1 as in ATSC A/52, LFE left out). The rate is changed by
//! [`kernels::Resampler`], which sums several products at a time; where the two rates have no
//! ratio of small numbers, by swresample too.
//! Samples that are not finite become silence and are reported.

use std::ffi::c_int;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{
    ChannelLayout, Dictionary, Packet, codec, decoder, ffi,
    format::{Sample, sample},
    frame,
    software::resampling,
};

use kernels::{Isa, Resampler};

use super::{
    container::StreamFacts,
    libav,
    request::{AudioSpec, Failure, ReasonCode, Samples},
    symphonia_codec::SymphoniaDecoder,
};

/// Compressed sound that is kept to be decoded anew.
const MAX_REPLAY_BYTES: usize = 16 << 20;

/// 12 dB above full scale: no codec overshoots by so much, damage does.
const MAX_LEVEL: f32 = 4.0;

/// Sampling rates that sound may have.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

enum Engine {
    Symphonia { decoder: Box<SymphoniaDecoder>, replay: Vec<Packet>, replay_bytes: usize },
    Ffmpeg(decoder::Audio),
}

/// Takes packets while the container is read.
pub(super) struct Sound {
    spec: AudioSpec,
    max_samples: usize,
    stream: StreamFacts,
    engine: Engine,
    mixer: Option<Mixer>,
    mono: Vec<f32>,
    num_packets: usize,
    num_encrypted: usize,
    num_refused: usize,
    first_error: Option<Failure>,
}

/// Which decoder is to be used; tests compare the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Preference {
    /// symphonia where it knows the codec.
    #[default]
    Symphonia,
    /// FFmpeg always.
    #[cfg(test)]
    Ffmpeg,
}

impl Sound {
    pub(super) fn new(
        spec: AudioSpec,
        stream: StreamFacts,
        preference: Preference,
    ) -> Result<Self, Failure> {
        libav::take_log();
        let is_for_symphonia = preference == Preference::Symphonia && !stream.is_encrypted;
        let symphonia = if is_for_symphonia { SymphoniaDecoder::open(&stream) } else { None };
        let engine = match symphonia {
            Some(decoder) => Engine::Symphonia {
                decoder: Box::new(decoder),
                replay: Vec::new(),
                replay_bytes: 0,
            },
            None => Engine::Ffmpeg(open_ffmpeg(&stream)?),
        };
        let max_samples = (spec.max_secs.max(0.0) * f64::from(spec.rate_hz)).ceil() as usize;
        Ok(Self {
            spec,
            max_samples,
            stream,
            engine,
            mixer: None,
            mono: Vec::new(),
            num_packets: 0,
            num_encrypted: 0,
            num_refused: 0,
            first_error: None,
        })
    }

    pub(super) fn stream_index(&self) -> usize {
        self.stream.index
    }

    /// Is there as much as was asked for?
    pub(super) fn is_full(&self) -> bool {
        self.mono.len() >= self.max_samples
    }

    /// Takes a packet of the stream.
    ///
    /// # Errors
    /// Want of memory, or no decoder: nothing that the next packet could mend.
    pub(super) fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure> {
        self.num_packets += 1;
        if is_encrypted {
            self.num_encrypted += 1;
            return Ok(());
        }
        if self.is_full() || packet.size() == 0 {
            return Ok(());
        }
        match &mut self.engine {
            Engine::Ffmpeg(_) => self.push_ffmpeg(Some(&packet)),
            Engine::Symphonia { decoder, replay, replay_bytes } => {
                let decoded = decoder.decode(&packet);
                *replay_bytes += packet.size();
                let keeps_all = *replay_bytes <= MAX_REPLAY_BYTES;
                if keeps_all {
                    replay.push(packet);
                } else {
                    // Once one is missing, the others are of no use.
                    replay.clear();
                    if decoded.is_none() {
                        replay.push(packet);
                    }
                }
                match decoded {
                    Some(chunk) => {
                        let layout = ChannelLayout::default(chunk.planes.len() as i32);
                        let mut planes: Vec<*const u8> =
                            chunk.planes.iter().map(|plane| plane.as_ptr().cast()).collect();
                        let format = Sample::F32(sample::Type::Planar);
                        let num_samples = chunk.planes.first().map_or(0, Vec::len);
                        let input = Input { format, layout, rate_hz: chunk.rate_hz };
                        Self::mix(
                            &mut self.mixer,
                            &self.spec,
                            &mut self.mono,
                            input,
                            &mut planes,
                            num_samples,
                        )
                    }
                    None => self.start_over(keeps_all),
                }
            }
        }
    }

    /// symphonia gave up: FFmpeg takes its place.
    fn start_over(&mut self, from_the_start: bool) -> Result<(), Failure> {
        let engine = Engine::Ffmpeg(open_ffmpeg(&self.stream)?);
        let Engine::Symphonia { replay, .. } = std::mem::replace(&mut self.engine, engine) else {
            return Ok(());
        };
        if from_the_start {
            self.mono.clear();
            self.mixer = None;
        }
        for packet in replay {
            if !self.is_full() {
                self.push_ffmpeg(Some(&packet))?;
            }
        }
        Ok(())
    }

    /// Sends a packet, or the end, and takes what comes out.
    fn push_ffmpeg(&mut self, packet: Option<&Packet>) -> Result<(), Failure> {
        let Engine::Ffmpeg(decoder) = &mut self.engine else { return Ok(()) };
        let sent = match packet {
            Some(packet) => decoder.send_packet(packet),
            None => decoder.send_eof(),
        };
        if let Err(error) = sent {
            self.refuse(error)?;
        }
        let mut frame = frame::Audio::empty();
        loop {
            let Engine::Ffmpeg(decoder) = &mut self.engine else { return Ok(()) };
            match decoder.receive_frame(&mut frame) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => {
                    return Ok(());
                }
                Err(error) => return self.refuse(error),
            }
            let channels = i32::from(frame.channels());
            let mut layout = frame.channel_layout();
            if layout.channels() != channels {
                layout = ChannelLayout::default(channels);
            }
            let input = Input { format: frame.format(), layout, rate_hz: frame.rate() };
            let num_planes = if frame.is_planar() { channels.max(1) as usize } else { 1 };
            #[allow(unsafe_code)]
            // SAFETY: a decoded frame has so many planes of `samples()` samples each.
            let mut planes: Vec<*const u8> = unsafe {
                let data = (*frame.as_ptr()).extended_data;
                (0..num_planes).map(|plane| (*data.add(plane)).cast_const()).collect()
            };
            let num_samples = frame.samples();
            let mixed = Self::mix(
                &mut self.mixer,
                &self.spec,
                &mut self.mono,
                input,
                &mut planes,
                num_samples,
            );
            if let Err(failure) = mixed {
                if failure.code == ReasonCode::MemoryLimit {
                    return Err(failure);
                }
                self.num_refused += 1;
                self.first_error.get_or_insert(failure);
            }
        }
    }

    /// Mixes and resamples one run of samples, with a new resampler where they changed.
    fn mix(
        mixer: &mut Option<Mixer>,
        spec: &AudioSpec,
        mono: &mut Vec<f32>,
        input: Input,
        planes: &mut [*const u8],
        num_samples: usize,
    ) -> Result<(), Failure> {
        if num_samples == 0 {
            return Ok(());
        }
        let slot = match mixer {
            Some(mixer) if mixer.input == input => mixer,
            slot => {
                if let Some(mut before) = slot.take() {
                    before.flush(mono).map_err(libav::failure)?;
                }
                slot.insert(Mixer::new(input, spec.rate_hz)?)
            }
        };
        slot.run(planes, num_samples, mono).map_err(libav::failure)
    }

    fn refuse(&mut self, error: ffmpeg::Error) -> Result<(), Failure> {
        self.num_refused += 1;
        let failure = libav::failure(error);
        if failure.code == ReasonCode::MemoryLimit {
            return Err(failure);
        }
        self.first_error.get_or_insert(failure);
        Ok(())
    }

    /// Ends the sound. `broke_off` is why the container could not be read to its end.
    pub(super) fn finish(mut self, broke_off: Option<Failure>) -> Result<Samples, Failure> {
        if self.num_encrypted > 0 || self.stream.is_encrypted {
            return Err(Failure::new(ReasonCode::Encrypted, "the sound is encrypted"));
        }
        let broke_off = if self.is_full() {
            None
        } else {
            self.push_ffmpeg(None)?;
            if let Some(mixer) = &mut self.mixer {
                mixer.flush(&mut self.mono).map_err(libav::failure)?;
            }
            broke_off
        };
        self.mono.truncate(self.max_samples);
        let num_not_finite = settle(&mut self.mono);
        let num_samples = self.mono.len();
        let complaint = if let Some(first) = self.first_error {
            let text = format!("{} of {} packets are damaged", self.num_refused, self.num_packets);
            Some(Failure::new(first.code, format!("{text}: {}", first.detail)))
        } else if num_not_finite > 0 {
            let text = format!("{num_not_finite} of {num_samples} samples are not finite");
            Some(Failure::new(ReasonCode::NotFinite, text))
        } else {
            None
        };
        let partial = broke_off.or(complaint);
        if self.max_samples > 0 && num_not_finite == num_samples {
            return Err(partial.unwrap_or_else(|| match self.num_packets {
                0 => Failure::new(ReasonCode::Truncated, "the stream holds no packets"),
                _ => Failure::new(ReasonCode::Corrupt, "the decoder gave no sound"),
            }));
        }
        Ok(Samples { rate_hz: self.spec.rate_hz, mono: self.mono, partial })
    }
}

/// Limits samples to [`MAX_LEVEL`]; gives the number of those that were no numbers.
fn settle(mono: &mut [f32]) -> usize {
    let mut num_not_finite = 0;
    for value in mono {
        if value.is_finite() {
            *value = value.clamp(-MAX_LEVEL, MAX_LEVEL);
        } else {
            *value = 0.0;
            num_not_finite += 1;
        }
    }
    num_not_finite
}

fn open_ffmpeg(stream: &StreamFacts) -> Result<decoder::Audio, Failure> {
    let (context, codec) = libav::decoder(stream)?;
    context.open_as(codec).and_then(codec::decoder::Opened::audio).map_err(libav::failure)
}

/// What a run of samples is like.
#[derive(Clone, Copy, PartialEq)]
struct Input {
    format: Sample,
    layout: ChannelLayout,
    rate_hz: u32,
}

/// From one kind of input to mono at the rate asked for.
struct Mixer {
    input: Input,
    downmix: resampling::Context,
    /// What changes the rate of the mix; swresample's own, or no change, where absent.
    resampler: Option<Resampler>,
    mix: Vec<f32>,
}

impl Mixer {
    fn new(input: Input, rate_hz: u32) -> Result<Self, Failure> {
        if !RATES_HZ.contains(&input.rate_hz) {
            let text = format!("a sampling rate of {} Hz", input.rate_hz);
            return Err(Failure::new(ReasonCode::Corrupt, text));
        }
        let mut options = Dictionary::new();
        // Without it floats are mixed by sums that exceed 1.
        options.set("rematrix_maxval", "1.0");
        let resampler = if input.rate_hz == rate_hz {
            None
        } else {
            Resampler::new(Isa::detect(), input.rate_hz, rate_hz)
        };
        let downmix = resampling::Context::get_with(
            input.format,
            input.layout,
            input.rate_hz,
            Sample::F32(sample::Type::Planar),
            ChannelLayout::MONO,
            if resampler.is_some() { input.rate_hz } else { rate_hz },
            options,
        )
        .map_err(libav::failure)?;
        Ok(Self { input, downmix, resampler, mix: Vec::new() })
    }

    fn run(
        &mut self,
        planes: &mut [*const u8],
        num_samples: usize,
        mono: &mut Vec<f32>,
    ) -> Result<(), ffmpeg::Error> {
        let Some(resampler) = &mut self.resampler else {
            return convert(&mut self.downmix, planes.as_mut_ptr(), num_samples as c_int, mono);
        };
        self.mix.clear();
        convert(&mut self.downmix, planes.as_mut_ptr(), num_samples as c_int, &mut self.mix)?;
        resampler.push(&self.mix, mono);
        Ok(())
    }

    /// What is still held back.
    fn flush(&mut self, mono: &mut Vec<f32>) -> Result<(), ffmpeg::Error> {
        let Some(resampler) = &mut self.resampler else {
            return convert(&mut self.downmix, std::ptr::null_mut(), 0, mono);
        };
        self.mix.clear();
        convert(&mut self.downmix, std::ptr::null_mut(), 0, &mut self.mix)?;
        resampler.push(&self.mix, mono);
        resampler.finish(mono);
        Ok(())
    }
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

    #[test]
    fn samples_that_are_no_numbers_become_silence() {
        let mut mono = [0.5, f32::NAN, f32::INFINITY, -1e30, 1.1];
        assert_eq!(settle(&mut mono), 2);
        assert_eq!(mono, [0.5, 0.0, 0.0, -MAX_LEVEL, 1.1]);
    }

    /// Decodes a clip's sound with one decoder; `None` where symphonia is not to be used, or
    /// gave up. Also gives the codec.
    fn decode_with(path: &std::path::Path, preference: Preference) -> Option<(String, Vec<f32>)> {
        let limits = super::super::limits::Limits::default();
        let file = std::fs::File::open(path).ok()?;
        let mut container = super::super::container::open(file, path, &limits).ok()?;
        let stream = container.audio()?;
        let codec = format!("{:?}", stream.parameters.id());
        let spec = AudioSpec { rate_hz: 22_050, max_secs: 120.0 };
        let mut sound = Sound::new(spec, stream, preference).unwrap();
        loop {
            let mut packet = Packet::empty();
            match packet.read(&mut container.input) {
                Ok(()) if packet.stream() == sound.stream_index() => {
                    sound.push(packet, false).unwrap();
                }
                Ok(()) => {}
                Err(_) => break,
            }
        }
        if matches!(sound.engine, Engine::Ffmpeg(_)) && preference == Preference::Symphonia {
            return None;
        }
        Some((codec, sound.finish(None).unwrap().mono))
    }

    /// On every clip whose codec symphonia knows: the same number of samples, and the same
    /// samples (2.0e-5 apart at most, on AAC).
    #[test]
    fn both_decoders_agree_on_real_clips() {
        let root = std::env::var_os("CINETAG_SHARED_DATA").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
            std::path::PathBuf::from,
        );
        let Ok(folders) = ["native", "transcoded"]
            .map(|name| std::fs::read_dir(root.join("media_clips").join(name)))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
        else {
            eprintln!("{}/media_clips is not there: nothing is compared", root.display());
            return;
        };
        let mut codecs = std::collections::BTreeMap::<String, usize>::new();
        let mut wrong = Vec::new();
        for file in folders.into_iter().flatten() {
            let path = file.unwrap().path();
            let Some((codec, symphonia)) = decode_with(&path, Preference::Symphonia) else {
                continue;
            };
            let (_, ffmpeg) = decode_with(&path, Preference::Ffmpeg).unwrap();
            let worst =
                symphonia.iter().zip(&ffmpeg).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            if symphonia.len() != ffmpeg.len() || worst > 2e-4 {
                let lens = (symphonia.len(), ffmpeg.len());
                wrong.push(format!("{codec} {lens:?} {worst:e} {}", path.display()));
            }
            eprintln!("{codec} {worst:e}");
            *codecs.entry(codec).or_default() += 1;
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        for codec in ["AAC", "MP3", "VORBIS", "FLAC"] {
            assert!(codecs.contains_key(codec), "{codec} was never compared: {codecs:?}");
        }
    }

    /// Whichever way the rate is changed, the sound stays as long and as loud.
    #[test]
    fn every_rate_becomes_the_one_that_is_asked_for() {
        libav::start();
        for rate_hz in [8_000, 22_050, 44_056, 44_100, 48_000, 96_000] {
            let format = Sample::F32(sample::Type::Planar);
            let input = Input { format, layout: ChannelLayout::STEREO, rate_hz };
            let mut mixer = Mixer::new(input, 22_050).unwrap();
            let tone: Vec<f32> =
                (0..rate_hz).map(|n| (n as f32 * 2765.0 / rate_hz as f32).sin()).collect();
            let mut mono = Vec::new();
            for piece in tone.chunks(1024) {
                mixer.run(&mut [piece.as_ptr().cast(); 2], piece.len(), &mut mono).unwrap();
            }
            mixer.flush(&mut mono).unwrap();
            assert!(mono.len().abs_diff(22_050) <= 64, "{rate_hz} Hz: {} samples", mono.len());
            let square = mono.iter().map(|x| x * x).sum::<f32>() / mono.len() as f32;
            assert!((square - 0.5).abs() < 0.01, "{rate_hz} Hz: {square}");
        }
    }

    /// The mean of both channels, and a chord through 5.1 never beyond full scale.
    #[test]
    fn channels_are_mixed_without_clipping() {
        libav::start();
        let mix = |layout: ChannelLayout, planes: &[Vec<f32>]| {
            let format = Sample::F32(sample::Type::Planar);
            let mut mixer = Mixer::new(Input { format, layout, rate_hz: 8000 }, 8000).unwrap();
            let mut pointers: Vec<*const u8> = planes.iter().map(|p| p.as_ptr().cast()).collect();
            let mut mono = Vec::new();
            mixer.run(&mut pointers, planes[0].len(), &mut mono).unwrap();
            mixer.flush(&mut mono).unwrap();
            mono
        };
        let stereo = mix(ChannelLayout::STEREO, &[vec![0.5; 64], vec![-0.25; 64]]);
        assert_eq!(stereo.len(), 64);
        assert!(stereo.iter().all(|v| (v - 0.125).abs() < 1e-6), "{stereo:?}");
        let loud = mix(ChannelLayout::_5POINT1, &vec![vec![1.0; 64]; 6]);
        assert!(loud.iter().all(|v| (v - 1.0).abs() < 1e-6), "{loud:?}");
    }
}
