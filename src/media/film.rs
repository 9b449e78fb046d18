//! One pass over a film: keyframes and sound.
//!
//! in: an open file and what is wanted of it; out: each part's result. The container is opened
//! once and read once, from begin to end; packets of other streams are skipped by the
//! demuxer.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Packet, codec::packet::side_data::Type as SideDataType};

use super::{
    container::{self, Container},
    every_frame::EveryFramePicker,
    keyframes::KeyframePicker,
    libav,
    limits::Limits,
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

fn picker(
    spec: &FrameSpec,
    limits: &Limits,
    container: &Container,
) -> Result<Box<dyn Picker>, Failure> {
    let none = || {
        let text = "the file has no stream of moving pictures";
        Failure::new(ReasonCode::NoVideoStream, text)
    };
    let stream = container.video().ok_or_else(none)?;
    let (spec, start_secs) = (spec.clone(), container.start_secs);
    Ok(match spec.sampling {
        Sampling::Keyframes => {
            Box::new(KeyframePicker::new(spec, limits.clone(), stream, start_secs))
        }
        Sampling::Uniform | Sampling::Shots => {
            Box::new(EveryFramePicker::new(spec, limits, stream, start_secs)?)
        }
    })
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

/// Decodes what is wanted of a film.
pub(super) fn decode(
    file: File,
    path: &Path,
    frames: Option<&FrameSpec>,
    audio: Option<&AudioSpec>,
    limits: &Limits,
    preference: Preference,
) -> Film {
    let begin = Instant::now();
    let mut film = match container::open(file, path, limits) {
        Ok(container) => read(container, frames, audio, limits, preference),
        Err(failure) => Film {
            frames: frames.map(|_| Err(failure.clone())),
            audio: audio.map(|_| Err(failure)),
            ..Film::default()
        },
    };
    // Opening and demuxing count to the picture if there is one.
    let rest = begin.elapsed().saturating_sub(film.picture_time + film.audio_time);
    if frames.is_some() {
        film.picture_time += rest;
    } else {
        film.audio_time += rest;
    }
    film
}

fn read(
    mut container: Container,
    frames: Option<&FrameSpec>,
    audio: Option<&AudioSpec>,
    limits: &Limits,
    preference: Preference,
) -> Film {
    let mut film = Film { duration_secs: container.duration_secs, ..Film::default() };
    let mut picker = frames.and_then(|spec| {
        picker(spec, limits, &container).map_err(|failure| film.frames = Some(Err(failure))).ok()
    });
    let mut sound = audio.and_then(|spec| {
        let none = || Failure::new(ReasonCode::NoAudioStream, "the file has no stream of sound");
        container
            .audio()
            .ok_or_else(none)
            .and_then(|stream| Sound::new(spec.clone(), stream, preference))
            .map_err(|failure| film.audio = Some(Err(failure)))
            .ok()
    });
    let mut wanted = Vec::new();
    wanted.extend(picker.as_ref().map(|picker| picker.stream_index()));
    wanted.extend(sound.as_ref().map(Sound::stream_index));
    container.keep_only(&wanted);

    let broke_off = read_packets(&mut container, &wanted, &mut picker, &mut sound, &mut film);
    if let Some(sound) = sound {
        let begin = Instant::now();
        film.audio = Some(sound.finish(broke_off.clone()));
        film.audio_time += begin.elapsed();
    }
    if let Some(picker) = picker {
        let begin = Instant::now();
        film.frames = Some(picker.finish(broke_off));
        film.picture_time += begin.elapsed();
    }
    film
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
        let is_encrypted =
            packet.side_data().any(|data| data.kind() == SideDataType::EncryptionInfo);
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
