//! What an answer may say. The worker that gives it has read a hostile file, perhaps, and may be
//! anybody's by now: no number and no text of it is believed.
//!
//! Numbers beyond all sense make the answer garbage, which ends the worker and costs its title; words
//! are made harmless, since decoders quote what stands in files.

use std::io;

use base::words::steers;

use super::garbage;
use crate::{Decoded, Failure, Keyframes, Part, Subtitles};

/// No time of a film lies further from its begin, seconds: 31 years. Damaged containers do state
/// times of centuries, but nobody's film is that long.
pub(super) const MAX_SECS: f64 = 1e9;

/// No film has more frames, shots or cues; no worker as many bytes.
const MAX_COUNT: usize = 1 << 32;
const MAX_BYTES: u64 = 1 << 50;

/// Characters of a failure's words that are kept.
const MAX_WORDS: usize = 2000;

/// Characters of one cue, and of a language's name.
const MAX_CUE: usize = 20_000;
const MAX_LANGUAGE: usize = 64;

/// Words of a worker with nothing in them that a terminal would obey, and not too many.
#[must_use]
pub(crate) fn harmless(words: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => ' ',
        c if steers(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let mut kept: String = words.chars().take(MAX_WORDS).map(harmless).collect();
    if words.chars().nth(MAX_WORDS).is_some() {
        kept.push('…');
    }
    kept
}

fn failure(failure: Failure) -> Failure {
    Failure { detail: harmless(&failure.detail), ..failure }
}

/// The answer with its words made harmless.
///
/// # Errors
/// `InvalidData` where a number makes no sense.
pub(super) fn checked(mut decoded: Decoded) -> io::Result<Decoded> {
    let is_cost = |secs: f64| secs.is_finite() && (0.0..=MAX_SECS).contains(&secs);
    if !is_cost(decoded.picture_cpu_secs) || !is_cost(decoded.audio_cpu_secs) {
        return Err(garbage("a time that nothing can have taken"));
    }
    if decoded.duration_secs.is_some_and(|secs| !is_cost(secs)) {
        return Err(garbage("a film of a length that none has"));
    }
    if decoded.peak_bytes.is_some_and(|bytes| bytes > MAX_BYTES) {
        return Err(garbage("more memory than there is"));
    }
    let parts = decoded.parts.into_iter().map(|part| match part {
        Err(why) => Ok(Err(failure(why))),
        Ok(Part::Frames(frames)) => Ok(Ok(checked_frames(frames)?.into())),
        Ok(Part::Audio(samples)) => {
            let partial = samples.partial.map(failure);
            Ok(Ok(crate::Samples { partial, ..samples }.into()))
        }
        Ok(Part::Subtitles(subtitles)) => Ok(Ok(checked_subtitles(subtitles)?.into())),
        Ok(Part::Picture(picture)) => Ok(Ok(picture.into())),
    });
    decoded.parts = parts.collect::<io::Result<_>>()?;
    Ok(decoded)
}

fn are_times(times: impl IntoIterator<Item = f64>) -> bool {
    times.into_iter().all(|secs| (-MAX_SECS..=MAX_SECS).contains(&secs))
}

fn are_ascending(times: impl IntoIterator<Item = f64>) -> bool {
    let mut before = -MAX_SECS;
    times.into_iter().all(|secs| {
        let fits = (before..=MAX_SECS).contains(&secs);
        before = secs;
        fits
    })
}

fn checked_frames(frames: Keyframes) -> io::Result<Keyframes> {
    let shots = frames.shots_secs.iter().flatten().copied();
    let previews = frames.preview.iter().flat_map(|preview| preview.times_secs.iter().copied());
    // Those of every frame are in the order of decoding, which damaged films leave.
    if !are_ascending(frames.kept.iter().map(|frame| frame.time_secs))
        || !are_times(shots)
        || !are_times(previews)
    {
        return Err(garbage("times that are none of a film, or in no order"));
    }
    if frames.num_black > MAX_COUNT || frames.num_duplicate > MAX_COUNT {
        return Err(garbage("more frames than a film has"));
    }
    Ok(Keyframes { partial: frames.partial.map(failure), ..frames })
}

fn checked_subtitles(subtitles: Subtitles) -> io::Result<Subtitles> {
    let is_sane = |cue: &crate::Cue| {
        are_ascending([cue.start_secs, cue.end_secs]) && cue.text.chars().count() <= MAX_CUE
    };
    let starts = subtitles.cues.iter().map(|cue| cue.start_secs);
    if !subtitles.cues.iter().all(is_sane) || !are_ascending(starts) {
        return Err(garbage("subtitles at times that are none of a film, or without end"));
    }
    let language = subtitles.language.map(|name| harmless(&name));
    let language = language.map(|name| name.chars().take(MAX_LANGUAGE).collect());
    Ok(Subtitles { language, partial: subtitles.partial.map(failure), ..subtitles })
}
