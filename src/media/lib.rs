//! From files that others made to pixels and samples.
//!
//! in: a [`DecodeRequest`] with any number of [`Want`]s; out: [`Decoded`]: for each want a
//! [`Part`] (keyframes with their times, mono samples, a picture, subtitles), each of them a
//! result of its own, since one may fail where another is fine. One pass over the file serves
//! them all.
//! Decoding runs in worker processes ([`pool`]); FFmpeg, symphonia and `image` live here
//! and nowhere else.

mod answer;
mod bars;
mod between;
mod choose;
mod colour;
mod container;
mod cpu;
mod crop;
mod error;
mod every_frame;
mod film;
mod frame_decoder;
#[doc(hidden)]
pub mod fuzzing;
mod geometry;
mod handover;
mod hardware;
mod index;
mod keyframes;
mod libav;
mod limits;
mod mixer;
pub mod mux;
mod party;
pub mod pool;
mod probe;
mod reader;
mod request;
mod sandbox;
pub mod save;
mod scale;
mod selection;
mod shots;
mod shrink;
mod sound;
mod still;
mod subtitles;
mod symphonia_codec;
mod thumbnail;
mod tone;
mod viewers;
mod wire;
pub mod worker;

use std::fs::File;

use base::memory;

pub use answer::{
    Content, Cue, Decoded, Keyframe, Keyframes, Part, Picture, Preview, Samples, Subtitles,
};
pub use error::MediaError;
pub use hardware::Hwaccel;
pub use libav::{FfmpegVersions, ffmpeg_versions};
pub use limits::Limits;
pub use pool::{DecodePool, PoolSettings};
pub use request::{
    AudioSpec, DecodeRequest, Failure, Fit, FrameSpec, MAX_PREVIEW_FRAMES, PREVIEW_HEIGHT_PX,
    PREVIEW_WIDTH_PX, PictureSpec, ReasonCode, Sampling, Want,
};
pub use sandbox::Sandbox;

/// Decodes in this process: for workers, and for tests that need no protection. A file that
/// crashes a decoder takes the caller with it; [`DecodePool`] does not let it.
pub fn decode(request: &DecodeRequest, limits: &Limits) -> Decoded {
    match container::open_file(&request.path) {
        Ok(file) => decode_file(&file, request, limits),
        Err(failure) => Decoded::failed(request, &failure),
    }
}

/// Decodes a file that is open; its path is only a name.
fn decode_file(file: &File, request: &DecodeRequest, limits: &Limits) -> Decoded {
    let mut decoded = Decoded::default();
    let mut parts: Vec<_> = request.wants.iter().map(|_| None).collect();
    let pictures: Vec<(usize, &PictureSpec)> = request
        .wants
        .iter()
        .enumerate()
        .filter_map(|(idx, want)| match want {
            Want::Picture(spec) => Some((idx, spec)),
            _ => None,
        })
        .collect();
    if pictures.len() < parts.len() {
        let watch = cpu::CpuWatch::start();
        let source = film::Source { file, path: &request.path, limits };
        let film = source.decode(&request.wants, sound::Preference::default());
        // The parts are told apart by the clock, their sum by the processor's.
        let [picture, audio] = [film.picture_time, film.audio_time].map(|t| t.as_secs_f64());
        let secs = watch.secs() / (picture + audio).max(1e-9);
        parts = film.parts;
        decoded.picture_cpu_secs = picture * secs;
        decoded.audio_cpu_secs = audio * secs;
        decoded.duration_secs = film.duration_secs;
    }
    if !pictures.is_empty() {
        let watch = cpu::CpuWatch::start();
        let specs: Vec<_> = pictures.iter().map(|(_, spec)| *spec).collect();
        for ((idx, _), picture) in pictures.iter().zip(still::decode(file, &specs, limits)) {
            parts[*idx] = Some(picture.map(Part::Picture));
        }
        decoded.picture_cpu_secs += watch.secs();
    }
    let unanswered = || Err(Failure::new(ReasonCode::EncoderFailed, "the decoder gave no answer"));
    decoded.parts = parts.into_iter().map(|part| part.unwrap_or_else(unanswered)).collect();
    decoded.peak_bytes = memory::peak_bytes();
    decoded
}

#[cfg(test)]
mod tests;
