//! One pass over a film: keyframes and sound.
//!
//! in: an open file and what is wanted of it; out: each part's result. The container is opened
//! once and read once, from begin to end; packets of other streams are skipped by the
//! demuxer.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::Packet;

use super::{
    bars::Bars,
    container::{self, Container},
    every_frame::EveryFramePicker,
    index,
    keyframes::{KeyframePicker, NUM_SPARE},
    libav,
    limits::Limits,
    probe,
    request::{AudioSpec, Failure, FrameSpec, Keyframes, ReasonCode, Samples, Sampling},
    sound::{Preference, Sound},
};

/// So many errors in a row, and the rest of the file is given up.
const MAX_ERRORS: usize = 256;

/// Takes the packets of a picture stream while the container is read.
pub(super) trait Picker {
    fn stream_index(&self) -> usize;

    /// Takes a packet of the stream.
    ///
    /// # Errors
    /// Nothing that the next packet could mend.
    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure>;

    /// The frames chosen. `broke_off` is why the container could not be read to its end.
    ///
    /// # Errors
    /// Why there are none.
    fn finish(self: Box<Self>, broke_off: Option<Failure>) -> Result<Keyframes, Failure>;
}

/// What became of a film.
#[derive(Default)]
pub(super) struct Film {
    pub(super) frames: Option<Result<Keyframes, Failure>>,
    pub(super) audio: Option<Result<Samples, Failure>>,
    pub(super) picture_time: Duration,
    pub(super) audio_time: Duration,
    pub(super) duration_secs: Option<f64>,
}

/// A film to decode: an open file and what its path calls it.
pub(super) struct Source<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
    pub(super) limits: &'a Limits,
}

impl Source<'_> {
    /// Opens the container from its begin. Only the one opened last may be read from.
    fn open(&self) -> Result<Container, Failure> {
        let unreadable =
            |error: std::io::Error| Failure::new(ReasonCode::Unreadable, error.to_string());
        container::open(self.file.try_clone().map_err(unreadable)?, self.path, self.limits)
    }

    /// Decodes what is wanted of the film.
    pub(super) fn decode(
        &self,
        frames: Option<&FrameSpec>,
        audio: Option<&AudioSpec>,
        preference: Preference,
    ) -> Film {
        let begin = Instant::now();
        let mut film = Film::default();
        if let Err(failure) = self.read(frames, audio, preference, &mut film) {
            film.frames = film.frames.or(frames.map(|_| Err(failure.clone())));
            film.audio = film.audio.or(audio.map(|_| Err(failure)));
        }
        // Opening and demuxing count to the picture if there is one.
        let rest = begin.elapsed().saturating_sub(film.picture_time + film.audio_time);
        if frames.is_some() {
            film.picture_time += rest;
        } else {
            film.audio_time += rest;
        }
        film
    }

    /// # Errors
    /// The container cannot be opened.
    fn read(
        &self,
        frames: Option<&FrameSpec>,
        audio: Option<&AudioSpec>,
        preference: Preference,
        film: &mut Film,
    ) -> Result<(), Failure> {
        let mut container = self.open()?;
        film.duration_secs = container.duration_secs;
        let mut picker = None;
        if let Some(spec) = frames {
            match look(spec, &mut container, self.limits) {
                Ok(Look::Reading(begun)) => picker = Some(begun),
                Ok(Look::Done(result)) => film.frames = Some(result),
                Err(failure) => film.frames = Some(Err(failure)),
            }
        }
        if container.has_jumped && (picker.is_some() || audio.is_some()) {
            container = self.open()?;
        }
        let mut sound = audio.and_then(|spec| {
            listen(spec, &container, preference)
                .map_err(|failure| film.audio = Some(Err(failure)))
                .ok()
        });
        let mut wanted = Vec::new();
        wanted.extend(picker.as_ref().map(|picker| picker.stream_index()));
        wanted.extend(sound.as_ref().map(Sound::stream_index));
        container.keep_only(&wanted);

        let broke_off = read_packets(&mut container, &wanted, &mut picker, &mut sound, film);
        if let Some(sound) = sound {
            let begin = Instant::now();
            film.audio = Some(sound.finish(broke_off.clone()));
            film.audio_time += begin.elapsed();
        }
        if let Some(picker) = picker {
            film.frames = Some(picker.finish(broke_off));
        }
        Ok(())
    }
}

/// How a film's frames are come by.
enum Look {
    /// From the packets, while they are read.
    Reading(Box<dyn Picker>),
    /// The index led to them.
    Done(Result<Keyframes, Failure>),
}

fn look(spec: &FrameSpec, container: &mut Container, limits: &Limits) -> Result<Look, Failure> {
    let none = || {
        let text = "the file has no stream of moving pictures";
        Failure::new(ReasonCode::NoVideoStream, text)
    };
    let stream = container.video().ok_or_else(none)?;
    let (spec, start_secs) = (spec.clone(), container.start_secs);
    Ok(match spec.sampling {
        Sampling::Keyframes => {
            let ticks = index::of_long_film(container, &stream);
            let num_wanted = spec.max_frames.saturating_mul(NUM_SPARE);
            let facts = stream.clone();
            let mut picker =
                Box::new(KeyframePicker::new(spec, limits.clone(), stream, start_secs));
            match ticks {
                None => Look::Reading(picker),
                Some(ticks) => {
                    let ticks = index::evenly(&ticks, num_wanted);
                    let fed = index::feed(container, &facts, &ticks, picker.as_mut());
                    Look::Done(fed.and_then(|lost| picker.finish(lost)))
                }
            }
        }
        Sampling::Uniform | Sampling::Shots | Sampling::ShotsAt(_) | Sampling::Preview => {
            // A preview is of the whole picture.
            let bars = if spec.crop_bars && spec.sampling != Sampling::Preview {
                probe::bars(container, &stream, limits)
            } else {
                Bars::default()
            };
            Look::Reading(Box::new(EveryFramePicker::new(spec, limits, stream, start_secs, bars)?))
        }
    })
}

fn listen(
    spec: &AudioSpec,
    container: &Container,
    preference: Preference,
) -> Result<Sound, Failure> {
    let none = || Failure::new(ReasonCode::NoAudioStream, "the file has no stream of sound");
    Sound::new(spec.clone(), container.audio().ok_or_else(none)?, preference)
}

/// Reads to the end, or to where nothing more is wanted; says why it could not.
fn read_packets(
    container: &mut Container,
    wanted: &[usize],
    picker: &mut Option<Box<dyn Picker>>,
    sound: &mut Option<Sound>,
    film: &mut Film,
) -> Option<Failure> {
    let ticks: Vec<f64> = container
        .input
        .streams()
        .map(|stream| {
            let base = stream.time_base();
            container::ratio(base.numerator(), base.denominator()).unwrap_or(0.0)
        })
        .collect();
    let mut end_secs = 0.0_f64;
    let mut num_errors = 0;
    loop {
        if picker.is_none() && sound.as_ref().is_none_or(Sound::is_full) {
            return None;
        }
        let mut packet = Packet::empty();
        match packet.read(&mut container.input) {
            Ok(()) => num_errors = 0,
            Err(ffmpeg::Error::Eof) => break,
            // Demuxers find their way again behind damage; a size that is damaged asks for
            // more memory than there is.
            Err(
                error @ (ffmpeg::Error::InvalidData
                | ffmpeg::Error::Other {
                    errno: ffmpeg::error::EAGAIN | ffmpeg::error::ENOMEM,
                }),
            ) => {
                num_errors += 1;
                if num_errors >= MAX_ERRORS {
                    return Some(Failure::new(ReasonCode::Corrupt, libav::failure(error).detail));
                }
                continue;
            }
            Err(error) => return Some(libav::failure(error)),
        }
        let index = packet.stream();
        if let (Some(start), Some(tick)) = (packet.pts().or(packet.dts()), ticks.get(index)) {
            let end = (start + packet.duration().max(0)) as f64 * tick - container.start_secs;
            end_secs = end_secs.max(end);
        }
        let is_encrypted = libav::is_encrypted(&packet);
        if let Some(watcher) = picker.as_mut().filter(|p| p.stream_index() == index) {
            if let Err(failure) = watcher.push(packet, is_encrypted) {
                film.frames = Some(Err(failure));
                *picker = None;
            }
        } else if let Some(listener) = sound.as_mut().filter(|s| s.stream_index() == index) {
            let begin = Instant::now();
            let pushed = listener.push(packet, is_encrypted);
            film.audio_time += begin.elapsed();
            if let Err(failure) = pushed {
                film.audio = Some(Err(failure));
                *sound = None;
            }
        }
    }
    // Containers round: a tenth and a second are allowed.
    let stated = container.end_secs(wanted)?;
    (end_secs < stated * 0.9 - 1.0).then(|| {
        let text = format!("the content ends at {end_secs:.1} s of {stated:.1} s");
        Failure::new(ReasonCode::Truncated, libav::detail(text, &libav::take_log()))
    })
}
