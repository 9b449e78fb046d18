//! From files that others made to pixels and samples.
//!
//! in: a [`DecodeRequest`]; out: [`Decoded`]: keyframes with their times, mono samples, a
//! picture, each of them a result of its own, since one may fail where another is fine.
//! Decoding runs in worker processes ([`pool`]); FFmpeg, symphonia and `image` live here
//! and nowhere else.

pub mod mux;
mod request;
pub mod save;

pub use request::{
    AudioSpec, DecodeRequest, Decoded, Failure, Fit, FrameSpec, Keyframe, Keyframes, Picture,
    PictureSpec, ReasonCode, Samples,
};
