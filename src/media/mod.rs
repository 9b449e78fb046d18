//! From files that others made to pixels and samples.
//!
//! in: a [`DecodeRequest`]; out: [`Decoded`]: keyframes with their times, mono samples, a
//! picture, each of them a result of its own, since one may fail where another is fine.
//! Decoding runs in worker processes ([`pool`]); FFmpeg, symphonia and `image` live here
//! and nowhere else.

mod bars;
mod choose;
mod colour;
mod container;
mod cpu;
mod crop;
mod error;
mod every_frame;
mod film;
mod frame_decoder;
mod geometry;
mod handover;
mod hardware;
mod index;
mod keyframes;
mod libav;
mod limits;
pub mod mux;
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
mod symphonia_codec;
mod thumbnail;
mod tone;
mod wire;
pub mod worker;

use std::fs::File;

use crate::base::memory;

pub use error::MediaError;
pub use hardware::Hwaccel;
pub use libav::{FfmpegVersions, ffmpeg_versions};
pub use limits::Limits;
pub use pool::{DecodePool, PoolSettings};
pub use request::{
    AudioSpec, DecodeRequest, Decoded, Failure, Fit, FrameSpec, Keyframe, Keyframes,
    MAX_PREVIEW_FRAMES, PREVIEW_HEIGHT_PX, PREVIEW_WIDTH_PX, Picture, PictureSpec, Preview,
    ReasonCode, Samples, Sampling,
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
    if request.frames.is_some() || request.audio.is_some() {
        let watch = cpu::CpuWatch::start();
        let source = film::Source { file, path: &request.path, limits };
        let film = source.decode(
            request.frames.as_ref(),
            request.audio.as_ref(),
            sound::Preference::default(),
        );
        // The parts are told apart by the clock, their sum by the processor's.
        let [picture, audio] = [film.picture_time, film.audio_time].map(|t| t.as_secs_f64());
        let secs = watch.secs() / (picture + audio).max(1e-9);
        decoded.frames = film.frames;
        decoded.audio = film.audio;
        decoded.picture_cpu_secs = picture * secs;
        decoded.audio_cpu_secs = audio * secs;
        decoded.duration_secs = film.duration_secs;
    }
    if let Some(spec) = &request.picture {
        let watch = cpu::CpuWatch::start();
        decoded.picture = Some(match file.try_clone() {
            Ok(handle) => still::decode(handle, spec, limits),
            Err(error) => Err(Failure::new(ReasonCode::Unreadable, error.to_string())),
        });
        decoded.picture_cpu_secs += watch.secs();
    }
    decoded.peak_bytes = memory::peak_bytes();
    decoded
}
