//! A film's bars, told before its frames are decoded one after the other.
//!
//! in: an open container, which is jumped about in and of no use afterwards; out: [`Bars`]. Some
//! keyframes spread over the film are decoded; where a container cannot be jumped in, there are
//! no bars.

use ffmpeg_next::{Discard, frame};

use super::{
    bars::Bars,
    container::{Container, StreamFacts},
    frame_decoder::FrameDecoder,
    index,
    limits::Limits,
};

/// So many moments are looked at.
const NUM_MOMENTS: usize = 9;

/// The bars of a film.
pub(super) fn bars(container: &mut Container, stream: &StreamFacts, limits: &Limits) -> Bars {
    let Some(duration_secs) = container.duration_secs else { return Bars::default() };
    let Ok(mut decoder) = FrameDecoder::open(stream, limits, 0.0, Discard::NonKey) else {
        return Bars::default();
    };
    let mut seen = Vec::new();
    let mut take = |frame: &mut frame::Video, _: Option<f64>| {
        seen.push(Bars::of_frame(frame));
        Ok(())
    };
    container.keep_only(&[stream.index]);
    for moment in 0..NUM_MOMENTS {
        let secs =
            container.start_secs + duration_secs * (moment as f64 + 0.5) / NUM_MOMENTS as f64;
        let tick = (secs / stream.tick_secs) as i64;
        let Some(packet) = index::keyframe_at(container, stream, tick) else { continue };
        // What cannot be decoded has no say here; the film's own pass tells of it.
        if decoder.push(&packet, &mut take).and_then(|()| decoder.drain(&mut take)).is_err() {
            break;
        }
    }
    Bars::of_film(seen)
}
