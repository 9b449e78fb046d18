//! The soundtrack of a film as mono samples, for any number of listeners.
//!
//! in: the packets of a sound stream, one by one, as FFmpeg's demuxer gives them; out: for each
//! [`AudioSpec`] the [`Samples`] at the rate asked for, from the sound's own begin, the same to
//! the bit as if it were asked for alone. Full scale is −1..1; where a lossy codec overshoots,
//! so do the samples, up to [`MAX_LEVEL`].
//!
//! Two decoders, one mix ([`super::mixer`]). The container is opened once, by FFmpeg; its packets
//! go to symphonia's decoder where it knows the codec well ([`super::symphonia_codec`]) and to
//! FFmpeg's otherwise. If symphonia stumbles over a packet, the sound is decoded anew by
//! FFmpeg from the packets that were kept for this (all, up to [`MAX_REPLAY_BYTES`]; later it
//! goes on from there). Both leave out the encoder's delay and padding in the same way.
//! Samples that are not finite become silence and are reported.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{
    ChannelLayout, Packet, codec, decoder,
    format::{Sample, sample},
    frame,
};

use super::{
    answer::{Part, Samples},
    container::StreamFacts,
    film::Taker,
    libav,
    mixer::{Ear, Input, Mixer},
    request::{AudioSpec, Failure, ReasonCode},
    symphonia_codec::SymphoniaDecoder,
};

/// Compressed sound that is kept to be decoded anew.
const MAX_REPLAY_BYTES: usize = 16 << 20;

/// 12 dB above full scale: no codec overshoots by so much, damage does.
const MAX_LEVEL: f32 = 4.0;

enum Engine {
    Symphonia { decoder: Box<SymphoniaDecoder>, replay: Vec<Packet>, replay_bytes: usize },
    Ffmpeg(decoder::Audio),
}

/// What was seen of the stream.
#[derive(Clone, Default)]
struct Tally {
    num_packets: usize,
    num_encrypted: usize,
    num_refused: usize,
    first_error: Option<Failure>,
}

/// Takes packets while the container is read.
pub(super) struct Sound {
    ears: Vec<Ear>,
    /// For each ear what had been seen when it had heard enough: what comes later is none of its
    /// business.
    enough: Vec<Option<Tally>>,
    stream: StreamFacts,
    engine: Engine,
    mixer: Option<Mixer>,
    tally: Tally,
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
        specs: &[&AudioSpec],
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
        let mut sound = Self {
            ears: specs.iter().copied().map(Ear::new).collect(),
            enough: vec![None; specs.len()],
            stream,
            engine,
            mixer: None,
            tally: Tally::default(),
        };
        sound.note_full_ears();
        Ok(sound)
    }

    /// Between packets: whoever has heard enough hears of nothing that comes later.
    fn note_full_ears(&mut self) {
        for (ear, enough) in self.ears.iter().zip(&mut self.enough) {
            if enough.is_none() && ear.is_full() {
                *enough = Some(self.tally.clone());
            }
        }
    }

    /// Decodes a packet.
    fn decode(&mut self, packet: Packet) -> Result<(), Failure> {
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
                        self.mix(input, &mut planes, num_samples)
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
            for (ear, enough) in self.ears.iter_mut().zip(&self.enough) {
                if enough.is_none() {
                    ear.mono.clear();
                }
            }
            self.mixer = None;
        }
        for packet in replay {
            if !self.is_full() {
                self.push_ffmpeg(Some(&packet))?;
                self.note_full_ears();
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
            if let Err(failure) = self.mix(input, &mut planes, frame.samples()) {
                if failure.code == ReasonCode::MemoryLimit {
                    return Err(failure);
                }
                self.tally.num_refused += 1;
                self.tally.first_error.get_or_insert(failure);
            }
        }
    }

    /// Mixes and resamples one run of samples, with a new mixer where they changed.
    fn mix(
        &mut self,
        input: Input,
        planes: &mut [*const u8],
        num_samples: usize,
    ) -> Result<(), Failure> {
        if num_samples == 0 {
            return Ok(());
        }
        let mixer = match &mut self.mixer {
            Some(mixer) if mixer.takes(input) => mixer,
            slot => {
                if let Some(mut before) = slot.take() {
                    before.flush(&mut self.ears).map_err(libav::failure)?;
                }
                slot.insert(Mixer::new(input, &self.ears)?)
            }
        };
        mixer.run(planes, num_samples, &mut self.ears).map_err(libav::failure)
    }

    fn refuse(&mut self, error: ffmpeg::Error) -> Result<(), Failure> {
        self.tally.num_refused += 1;
        let failure = libav::failure(error);
        if failure.code == ReasonCode::MemoryLimit {
            return Err(failure);
        }
        self.tally.first_error.get_or_insert(failure);
        Ok(())
    }

    /// Takes what the decoder and the mixer still hold back.
    fn drain(&mut self) -> Result<(), Failure> {
        self.push_ffmpeg(None)?;
        match &mut self.mixer {
            Some(mixer) => mixer.flush(&mut self.ears).map_err(libav::failure),
            None => Ok(()),
        }
    }

    /// What each heard. `ended` is why nothing more came, for those who wanted more.
    fn samples(self, ended: &Result<Option<Failure>, Failure>) -> Vec<Result<Samples, Failure>> {
        let Self { ears, enough, stream, tally, .. } = self;
        let heard = |(ear, enough): (Ear, Option<Tally>)| {
            let broke_off = if enough.is_some() { None } else { ended.clone()? };
            let tally = enough.unwrap_or_else(|| tally.clone());
            if tally.num_encrypted > 0 || stream.is_encrypted {
                return Err(Failure::new(ReasonCode::Encrypted, "the sound is encrypted"));
            }
            tally.samples(ear, broke_off)
        };
        ears.into_iter().zip(enough).map(heard).collect()
    }
}

impl Tally {
    /// What an ear heard, with what is to be said of it.
    fn samples(self, ear: Ear, broke_off: Option<Failure>) -> Result<Samples, Failure> {
        let (rate_hz, listens) = (ear.rate_hz, ear.listens());
        let mut mono = ear.into_mono();
        let num_not_finite = settle(&mut mono);
        let num_samples = mono.len();
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
        if listens && num_not_finite == num_samples {
            return Err(partial.unwrap_or_else(|| match self.num_packets {
                0 => Failure::new(ReasonCode::Truncated, "the stream holds no packets"),
                _ => Failure::new(ReasonCode::Corrupt, "the decoder gave no sound"),
            }));
        }
        Ok(Samples { rate_hz, mono, partial })
    }
}

impl Taker for Sound {
    fn stream_index(&self) -> usize {
        self.stream.index
    }

    /// Has every ear heard enough?
    fn is_full(&self) -> bool {
        self.enough.iter().all(Option::is_some)
    }

    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure> {
        if self.is_full() {
            return Ok(());
        }
        self.tally.num_packets += 1;
        if is_encrypted {
            self.tally.num_encrypted += 1;
            return Ok(());
        }
        if packet.size() == 0 {
            return Ok(());
        }
        self.decode(packet)?;
        self.note_full_ears();
        Ok(())
    }

    fn finish(mut self: Box<Self>, broke_off: Option<Failure>) -> Vec<Result<Part, Failure>> {
        let is_encrypted = self.tally.num_encrypted > 0 || self.stream.is_encrypted;
        let ended = if self.is_full() || is_encrypted { Ok(()) } else { self.drain() };
        let samples = self.samples(&ended.map(|()| broke_off));
        samples.into_iter().map(|part| part.map(Part::Audio)).collect()
    }

    fn abandon(self: Box<Self>, failure: Failure) -> Vec<Result<Part, Failure>> {
        self.samples(&Err(failure)).into_iter().map(|part| part.map(Part::Audio)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content as _;

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
        let mut sound = Sound::new(&[&spec], stream, preference).unwrap();
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
        let heard = Box::new(sound).finish(None).pop()?.unwrap();
        Some((codec, Samples::of(heard)?.mono))
    }

    /// On every clip whose codec symphonia knows: the same number of samples, and the same
    /// samples (2.0e-5 apart at most, on AAC).
    #[test]
    fn both_decoders_agree_on_real_clips() {
        let root = std::env::var_os("CINETAG_SHARED_DATA").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
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
}
