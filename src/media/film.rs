//! One pass over a film for all that is wanted of it: pictures, sound, subtitles.
//!
//! in: an open file and any number of [`Want`]s; out: a result for each, the same as if it were
//! the only one, but that a film counts as cut short by the last of the streams that are read.
//! The container is read once, from begin to end; packets of other streams are skipped by the
//! demuxer. A stream is decoded once for all wants that look at the same of its frames. Only who
//! jumps about in the container (a long film's keyframes, bars) reads apart from the others.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::Packet;

use super::{
    answer::Part,
    bars::Bars,
    container::{self, Container, StreamFacts},
    every_frame::EveryFramePicker,
    index,
    keyframes::{KeyframePicker, NUM_SPARE},
    libav,
    limits::Limits,
    party::Party,
    probe,
    request::{AudioSpec, Failure, FrameSpec, ReasonCode, Sampling, Want},
    sound::{Preference, Sound},
    subtitles::{self, SubtitleReader},
};

/// So many errors in a row, and the rest of the file is given up.
const MAX_ERRORS: usize = 256;

/// Takes the packets of one stream while the container is read, for one want or several.
pub(super) trait Taker {
    fn stream_index(&self) -> usize;

    /// Does the stream reach to the film's end, where nothing is missing?
    fn ends_with_the_film(&self) -> bool {
        true
    }

    /// Is there as much as was asked for?
    fn is_full(&self) -> bool {
        false
    }

    /// Takes a packet of the stream.
    ///
    /// # Errors
    /// Nothing that the next packet could mend.
    fn push(&mut self, packet: Packet, is_encrypted: bool) -> Result<(), Failure>;

    /// What is answered to each want, in their order. `broke_off` is why the container could not
    /// be read to its end.
    fn finish(self: Box<Self>, broke_off: Option<Failure>) -> Vec<Result<Part, Failure>>;

    /// The same after an error: whoever was content before is not touched by it.
    fn abandon(self: Box<Self>, failure: Failure) -> Vec<Result<Part, Failure>>;
}

/// What became of a film.
#[derive(Default)]
pub(super) struct Film {
    /// One for each want; `None` where it wants no film.
    pub(super) parts: Vec<Option<Result<Part, Failure>>>,
    pub(super) picture_time: Duration,
    pub(super) audio_time: Duration,
    pub(super) duration_secs: Option<f64>,
}

impl Film {
    /// Puts answers in the places of their wants.
    fn put(&mut self, want_idxs: &[usize], answers: Vec<Result<Part, Failure>>) {
        for (idx, answer) in want_idxs.iter().zip(answers) {
            self.parts[*idx] = Some(answer);
        }
    }
}

/// A taker, and whom it takes for.
struct Taking<'a> {
    want_idxs: Vec<usize>,
    taker: Box<dyn Taker + 'a>,
    is_sound: bool,
}

/// A film to decode: an open file and what its path calls it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
    pub(super) limits: &'a Limits,
}

/// How a party's wants are met.
enum Way<'a> {
    /// From the packets, while they are read.
    Reading(Box<dyn Taker + 'a>),
    /// The index led to them.
    Done(Vec<Result<Part, Failure>>),
}

impl<'a> Source<'a> {
    /// Opens the container from its begin. Only the one opened last may be read from.
    pub(super) fn open(&self) -> Result<Container, Failure> {
        let unreadable =
            |error: std::io::Error| Failure::new(ReasonCode::Unreadable, error.to_string());
        container::open(self.file.try_clone().map_err(unreadable)?, self.path, self.limits)
    }

    /// Decodes what is wanted of the film.
    pub(super) fn decode(&self, wants: &[Want], preference: Preference) -> Film {
        let begin = Instant::now();
        let mut film = Film { parts: wants.iter().map(|_| None).collect(), ..Film::default() };
        if let Err(failure) = self.read(wants, preference, &mut film) {
            for (want, part) in wants.iter().zip(&mut film.parts) {
                if part.is_none() && !matches!(want, Want::Picture(_)) {
                    *part = Some(Err(failure.clone()));
                }
            }
        }
        // Opening and demuxing count to the picture if there is one.
        let rest = begin.elapsed().saturating_sub(film.picture_time + film.audio_time);
        if wants.iter().any(|want| matches!(want, Want::Frames(_))) {
            film.picture_time += rest;
        } else {
            film.audio_time += rest;
        }
        film
    }

    /// # Errors
    /// The container cannot be opened.
    fn read(&self, wants: &[Want], preference: Preference, film: &mut Film) -> Result<(), Failure> {
        let mut container = self.open()?;
        film.duration_secs = container.duration_secs;
        let mut takings = Vec::new();
        for party in Party::all(wants) {
            if container.has_jumped {
                container = self.open()?;
            }
            let (want_idxs, num_wants) = (party.want_idxs(), party.want_idxs().len());
            match self.way(&party, &mut container, preference) {
                Ok(Way::Reading(taker)) => {
                    let is_sound = matches!(party, Party::Sound(_));
                    takings.push(Taking { want_idxs, taker, is_sound });
                }
                Ok(Way::Done(answers)) => film.put(&want_idxs, answers),
                Err(failure) => film.put(&want_idxs, vec![Err(failure); num_wants]),
            }
        }
        if container.has_jumped && !takings.is_empty() {
            container = self.open()?;
        }
        let broke_off = read_packets(&mut container, &mut takings, film);
        // Pictures last: what was decoded of the sound need not wait in memory.
        for Taking { want_idxs, taker, is_sound } in takings.into_iter().rev() {
            let begin = Instant::now();
            film.put(&want_idxs, taker.finish(broke_off.clone()));
            if is_sound {
                film.audio_time += begin.elapsed();
            }
        }
        Ok(())
    }

    /// How a party's wants are met; may jump about in the container.
    fn way(
        &self,
        party: &Party<'_>,
        container: &mut Container,
        preference: Preference,
    ) -> Result<Way<'a>, Failure> {
        let start_secs = container.start_secs;
        Ok(match party {
            Party::Keyframes(specs) => {
                self.keyframes(specs.iter().map(|(_, spec)| (*spec).clone()).collect(), container)?
            }
            Party::EveryFrame(specs) => {
                let stream = picture_stream(container)?;
                // A preview is of the whole picture.
                let has_bars = |(_, spec): &(usize, &FrameSpec)| {
                    spec.crop_bars && spec.sampling != Sampling::Preview
                };
                let bars = if specs.iter().any(has_bars) {
                    probe::bars(container, &stream, self.limits)
                } else {
                    Bars::default()
                };
                let specs = specs.iter().map(|(_, spec)| (*spec).clone()).collect();
                let picker = EveryFramePicker::new(specs, self.limits, &stream, start_secs, bars)?;
                Way::Reading(Box::new(picker))
            }
            Party::Sound(specs) => {
                let none = "the file has no stream of sound";
                let none = || Failure::new(ReasonCode::NoAudioStream, none);
                let stream = container.audio().ok_or_else(none)?;
                let specs: Vec<&AudioSpec> = specs.iter().map(|(_, spec)| *spec).collect();
                Way::Reading(Box::new(Sound::new(&specs, stream, preference)?))
            }
            Party::Subtitles(want_idxs) => {
                let none = "the file has no text stream of what is said";
                let none = || Failure::new(ReasonCode::NoSubtitles, none);
                let (stream, language) = subtitles::best_stream(container).ok_or_else(none)?;
                let num_wants = want_idxs.len();
                let reader = SubtitleReader::new(stream, language, start_secs, num_wants)?;
                Way::Reading(Box::new(reader))
            }
        })
    }

    fn keyframes(
        &self,
        specs: Vec<FrameSpec>,
        container: &mut Container,
    ) -> Result<Way<'a>, Failure> {
        let stream = picture_stream(container)?;
        let ticks = index::of_long_film(container, &stream);
        let num_frames = specs.first().map_or(0, |spec| spec.max_frames);
        let facts = stream.clone();
        let mut picker = Box::new(KeyframePicker::new(specs, *self, stream, container.start_secs));
        let Some(ticks) = ticks else { return Ok(Way::Reading(picker)) };
        let ticks = index::evenly(&ticks, num_frames.saturating_mul(NUM_SPARE));
        Ok(Way::Done(match index::feed(container, &facts, &ticks, picker.as_mut()) {
            Ok(lost) => picker.finish(lost),
            Err(failure) => picker.abandon(failure),
        }))
    }
}

fn picture_stream(container: &Container) -> Result<StreamFacts, Failure> {
    container.video().ok_or_else(|| {
        Failure::new(ReasonCode::NoVideoStream, "the file has no stream of moving pictures")
    })
}

/// Reads to the end, or to where nothing more is wanted; says why it could not.
fn read_packets(
    container: &mut Container,
    takings: &mut Vec<Taking<'_>>,
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
    let streams = |of: fn(&dyn Taker) -> bool| -> Vec<usize> {
        let takers = takings.iter().map(|taking| taking.taker.as_ref());
        takers.filter(|taker| of(*taker)).map(Taker::stream_index).collect()
    };
    container.keep_only(&streams(|_| true));
    let to_the_end = streams(|taker| taker.ends_with_the_film());
    let mut end_secs = 0.0_f64;
    loop {
        if takings.iter().all(|taking| taking.taker.is_full()) {
            return None;
        }
        let packet = match next_packet(container) {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(failure) => return Some(failure),
        };
        let index = packet.stream();
        if let (Some(start), Some(tick)) = (packet.pts().or(packet.dts()), ticks.get(index))
            && to_the_end.contains(&index)
        {
            let end = (start + packet.duration().max(0)) as f64 * tick - container.start_secs;
            end_secs = end_secs.max(end);
        }
        hand_out(packet, takings, film);
    }
    if to_the_end.is_empty() {
        return None;
    }
    // Containers round: a tenth and a second are allowed.
    let stated = container.end_secs(&to_the_end)?;
    (end_secs < stated * 0.9 - 1.0).then(|| {
        let text = format!("the content ends at {end_secs:.1} s of {stated:.1} s");
        Failure::new(ReasonCode::Truncated, libav::detail(text, &libav::take_log()))
    })
}

/// The next packet of the streams that are kept; `None` at the end.
///
/// # Errors
/// Nothing more can be read.
pub(super) fn next_packet(container: &mut Container) -> Result<Option<Packet>, Failure> {
    let mut num_errors = 0;
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut container.input) {
            Ok(()) => return Ok(Some(packet)),
            Err(ffmpeg::Error::Eof) => return Ok(None),
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
                    return Err(Failure::new(ReasonCode::Corrupt, libav::failure(error).detail));
                }
            }
            Err(error) => return Err(libav::failure(error)),
        }
    }
}

/// Gives a packet to all who take its stream; who fails takes no more.
fn hand_out(packet: Packet, takings: &mut Vec<Taking<'_>>, film: &mut Film) {
    let is_encrypted = libav::is_encrypted(&packet);
    let takes = |taking: &Taking<'_>| taking.taker.stream_index() == packet.stream();
    let mut left: Vec<usize> = (0..takings.len()).filter(|n| takes(&takings[*n])).collect();
    let mut packet = Some(packet);
    let mut failed = Vec::new();
    while let Some(taking_idx) = (!left.is_empty()).then(|| left.remove(0)) {
        let own = if left.is_empty() {
            packet.take().map(Ok)
        } else {
            packet.as_ref().map(libav::same_packet)
        };
        let Some(own) = own else { break };
        let Taking { taker, is_sound, .. } = &mut takings[taking_idx];
        let begin = Instant::now();
        let pushed = own.and_then(|packet| taker.push(packet, is_encrypted));
        if *is_sound {
            film.audio_time += begin.elapsed();
        }
        if let Err(failure) = pushed {
            failed.push((taking_idx, failure));
        }
    }
    for (taking_idx, failure) in failed.into_iter().rev() {
        let Taking { want_idxs, taker, .. } = takings.remove(taking_idx);
        film.put(&want_idxs, taker.abandon(failure));
    }
}
