//! The parts of an answer: for each a head in JSON, and the raw bytes that it announces.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::garbage;
use crate::{
    AudioSpec, Failure, FrameSpec, Keyframe, Keyframes, MAX_PREVIEW_FRAMES, PREVIEW_HEIGHT_PX,
    PREVIEW_WIDTH_PX, Part, Picture, Preview, Samples, Sampling, Subtitles, Want,
};

/// A part without its pixels or samples.
#[derive(Serialize, Deserialize)]
pub(super) enum PartHead {
    Frames(FramesHead),
    Audio {
        rate_hz: u32,
        num_samples: usize,
        partial: Option<Failure>,
    },
    Picture {
        side_px: u32,
    },
    /// Whole.
    Subtitles(Subtitles),
}

#[derive(Serialize, Deserialize)]
pub(super) struct FramesHead {
    times_secs: Vec<f64>,
    side_px: u32,
    num_black: usize,
    num_duplicate: usize,
    shots_secs: Option<Vec<f64>>,
    /// Times of the preview's frames.
    preview_secs: Option<Vec<f64>>,
    partial: Option<Failure>,
}

impl PartHead {
    /// The head of a part.
    pub(super) fn of(part: &Part) -> Self {
        match part {
            Part::Frames(frames) => Self::Frames(FramesHead {
                times_secs: frames.kept.iter().map(|frame| frame.time_secs).collect(),
                side_px: frames.kept.first().map_or(0, |frame| frame.picture.width),
                num_black: frames.num_black,
                num_duplicate: frames.num_duplicate,
                shots_secs: frames.shots_secs.clone(),
                preview_secs: frames.preview.as_ref().map(|preview| preview.times_secs.clone()),
                partial: frames.partial.clone(),
            }),
            Part::Audio(samples) => Self::Audio {
                rate_hz: samples.rate_hz,
                num_samples: samples.mono.len(),
                partial: samples.partial.clone(),
            },
            Part::Picture(picture) => Self::Picture { side_px: picture.width },
            Part::Subtitles(subtitles) => Self::Subtitles(subtitles.clone()),
        }
    }

    /// Receives what the head announces, if it is an answer to `want`.
    pub(super) fn read_content(self, from: impl Read, want: &Want) -> io::Result<Part> {
        Ok(match (self, want) {
            (Self::Frames(head), Want::Frames(spec)) => read_frames(from, head, spec)?.into(),
            (Self::Audio { rate_hz, num_samples, partial }, Want::Audio(spec)) => {
                let mono = read_samples(from, rate_hz, num_samples, spec)?;
                Samples { rate_hz, mono, partial }.into()
            }
            (Self::Picture { side_px }, Want::Picture(spec)) => {
                if side_px != spec.side_px {
                    return Err(garbage(&format!("a picture of {side_px} pixels")));
                }
                read_square(from, side_px)?.into()
            }
            (Self::Subtitles(subtitles), Want::Subtitles) => subtitles.into(),
            _ => return Err(garbage("the answer is to another want")),
        })
    }
}

/// Sends what the head announces.
pub(super) fn write_content(mut to: impl Write, part: &Part) -> io::Result<()> {
    match part {
        Part::Frames(frames) => {
            for frame in &frames.kept {
                to.write_all(&frame.picture.rgb)?;
            }
            frames.preview.as_ref().map_or(Ok(()), |preview| to.write_all(&preview.rgb))
        }
        Part::Audio(samples) => {
            let mut bytes = Vec::with_capacity(1 << 16);
            for chunk in samples.mono.chunks(1 << 14) {
                bytes.clear();
                bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
                to.write_all(&bytes)?;
            }
            Ok(())
        }
        Part::Picture(picture) => to.write_all(&picture.rgb),
        Part::Subtitles(_) => Ok(()),
    }
}

fn read_frames(mut from: impl Read, head: FramesHead, spec: &FrameSpec) -> io::Result<Keyframes> {
    let num_frames = head.times_secs.len();
    if num_frames > spec.max_frames || (num_frames > 0 && head.side_px != spec.side_px) {
        return Err(garbage(&format!("{num_frames} frames of {} pixels", head.side_px)));
    }
    let mut kept = Vec::with_capacity(num_frames);
    for time_secs in head.times_secs {
        kept.push(Keyframe { time_secs, picture: read_square(&mut from, spec.side_px)? });
    }
    let preview = match head.preview_secs {
        Some(times_secs) => Some(read_preview(&mut from, times_secs, spec)?),
        None => None,
    };
    Ok(Keyframes {
        kept,
        num_black: head.num_black,
        num_duplicate: head.num_duplicate,
        shots_secs: head.shots_secs,
        preview,
        partial: head.partial,
    })
}

fn read_preview(
    mut from: impl Read,
    times_secs: Vec<f64>,
    spec: &FrameSpec,
) -> io::Result<Preview> {
    if spec.sampling != Sampling::Preview || times_secs.len() > MAX_PREVIEW_FRAMES {
        return Err(garbage(&format!("a preview of {} frames", times_secs.len())));
    }
    let mut rgb = vec![0; times_secs.len() * PREVIEW_WIDTH_PX * PREVIEW_HEIGHT_PX * 3];
    from.read_exact(&mut rgb)?;
    Ok(Preview { times_secs, rgb })
}

fn read_samples(
    mut from: impl Read,
    rate_hz: u32,
    num_samples: usize,
    spec: &AudioSpec,
) -> io::Result<Vec<f32>> {
    let most = (spec.max_secs.max(0.0) * f64::from(spec.rate_hz)).ceil() as usize;
    if num_samples > most || rate_hz != spec.rate_hz {
        return Err(garbage(&format!("{num_samples} samples at {rate_hz} Hz")));
    }
    // The sound grows as it comes: a number in a head allocates nothing.
    let mut mono = Vec::new();
    let mut bytes = vec![0; 1 << 16];
    while mono.len() < num_samples {
        let num_bytes = bytes.len().min((num_samples - mono.len()) * 4);
        from.read_exact(&mut bytes[..num_bytes])?;
        mono.extend(
            bytes[..num_bytes]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        );
    }
    Ok(mono)
}

fn read_square(mut from: impl Read, side_px: u32) -> io::Result<Picture> {
    let mut rgb = vec![0; side_px as usize * side_px as usize * 3];
    from.read_exact(&mut rgb)?;
    Ok(Picture { width: side_px, height: side_px, rgb })
}
