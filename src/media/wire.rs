//! What goes through the pipes between the pool and a worker.
//!
//! Each message is [`MAGIC`], the length of its head, a head in JSON, and the raw bytes that
//! the head announces; numbers are little-endian. A worker says [`HELLO`] when it is ready,
//! a byte that tells its sandbox, and one that tells the hardware it decodes with.
//! The parent believes no number: sizes beyond what it asked for are garbage.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    limits::Limits,
    request::{
        AudioSpec, DecodeRequest, Decoded, Failure, FrameSpec, Keyframe, Keyframes,
        MAX_PREVIEW_FRAMES, PREVIEW_HEIGHT_PX, PREVIEW_WIDTH_PX, Picture, PictureSpec, Preview,
        Samples, Sampling,
    },
};

/// Begins each message; another protocol is another number.
const MAGIC: [u8; 4] = *b"ctd1";

/// A worker's first words.
pub(super) const HELLO: [u8; 16] = *b"cinetag-decode 3";

/// A head is a few kilobytes: a list of times, some words.
const MAX_HEAD_BYTES: u32 = 4 << 20;

/// A request's head; the path follows as raw bytes, since it need not be UTF-8.
#[derive(Serialize, Deserialize)]
struct RequestHead {
    path_bytes: usize,
    frames: Option<FrameSpec>,
    audio: Option<AudioSpec>,
    picture: Option<PictureSpec>,
    limits: Limits,
}

/// An answer's head. Behind it: the keyframes' pixels, the preview's, the samples, the picture's
/// pixels.
#[derive(Serialize, Deserialize)]
struct AnswerHead {
    /// The worker ends after this answer.
    is_last: bool,
    frames: Option<Result<FramesHead, Failure>>,
    audio: Option<Result<AudioHead, Failure>>,
    picture: Option<Result<PictureHead, Failure>>,
    picture_cpu_secs: f64,
    audio_cpu_secs: f64,
    duration_secs: Option<f64>,
    peak_bytes: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct FramesHead {
    times_secs: Vec<f64>,
    side_px: u32,
    num_black: usize,
    num_duplicate: usize,
    shots_secs: Option<Vec<f64>>,
    /// Times of the preview's frames.
    preview_secs: Option<Vec<f64>>,
    partial: Option<Failure>,
}

#[derive(Serialize, Deserialize)]
struct AudioHead {
    num_samples: usize,
    partial: Option<Failure>,
}

#[derive(Serialize, Deserialize)]
struct PictureHead {
    side_px: u32,
}

/// Sends a request.
pub(super) fn write_request(
    mut to: impl Write,
    request: &DecodeRequest,
    limits: &Limits,
) -> io::Result<()> {
    let path = request.path.as_os_str().as_encoded_bytes();
    let head = RequestHead {
        path_bytes: path.len(),
        frames: request.frames.clone(),
        audio: request.audio.clone(),
        picture: request.picture.clone(),
        limits: limits.clone(),
    };
    write_head(&mut to, &head)?;
    to.write_all(path)?;
    to.flush()
}

/// Receives a request; `None` when the parent has closed the pipe.
pub(super) fn read_request(mut from: impl Read) -> io::Result<Option<(DecodeRequest, Limits)>> {
    let Some(head) = read_head::<RequestHead>(&mut from)? else { return Ok(None) };
    let mut path = vec![0; head.path_bytes];
    from.read_exact(&mut path)?;
    let request = DecodeRequest {
        path: path_from_bytes(path),
        frames: head.frames,
        audio: head.audio,
        picture: head.picture,
    };
    Ok(Some((request, head.limits)))
}

fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(OsString::from_vec(bytes))
}

/// Sends an answer; `is_last` says that no other request will be taken.
pub(super) fn write_answer(mut to: impl Write, decoded: &Decoded, is_last: bool) -> io::Result<()> {
    let head = AnswerHead {
        is_last,
        frames: decoded.frames.as_ref().map(|part| {
            part.as_ref().map_err(Failure::clone).map(|frames| FramesHead {
                times_secs: frames.kept.iter().map(|frame| frame.time_secs).collect(),
                side_px: frames.kept.first().map_or(0, |frame| frame.picture.width),
                num_black: frames.num_black,
                num_duplicate: frames.num_duplicate,
                shots_secs: frames.shots_secs.clone(),
                preview_secs: frames.preview.as_ref().map(|preview| preview.times_secs.clone()),
                partial: frames.partial.clone(),
            })
        }),
        audio: decoded.audio.as_ref().map(|part| {
            part.as_ref().map_err(Failure::clone).map(|samples| AudioHead {
                num_samples: samples.mono.len(),
                partial: samples.partial.clone(),
            })
        }),
        picture: decoded.picture.as_ref().map(|part| {
            part.as_ref()
                .map_err(Failure::clone)
                .map(|picture| PictureHead { side_px: picture.width })
        }),
        picture_cpu_secs: decoded.picture_cpu_secs,
        audio_cpu_secs: decoded.audio_cpu_secs,
        duration_secs: decoded.duration_secs,
        peak_bytes: decoded.peak_bytes,
    };
    write_head(&mut to, &head)?;
    if let Some(Ok(frames)) = &decoded.frames {
        for frame in &frames.kept {
            to.write_all(&frame.picture.rgb)?;
        }
        if let Some(preview) = &frames.preview {
            to.write_all(&preview.rgb)?;
        }
    }
    if let Some(Ok(samples)) = &decoded.audio {
        let mut bytes = Vec::with_capacity(1 << 16);
        for chunk in samples.mono.chunks(1 << 14) {
            bytes.clear();
            bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
            to.write_all(&bytes)?;
        }
    }
    if let Some(Ok(picture)) = &decoded.picture {
        to.write_all(&picture.rgb)?;
    }
    to.flush()
}

/// Receives the answer to `request`, and whether it is the worker's last.
///
/// # Errors
/// The pipe ended (`UnexpectedEof`), or what came is not an answer to this request
/// (`InvalidData`).
pub(super) fn read_answer(
    mut from: impl Read,
    request: &DecodeRequest,
) -> io::Result<(Decoded, bool)> {
    let head = read_head::<AnswerHead>(&mut from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let same_parts = head.frames.is_some() == request.frames.is_some()
        && head.audio.is_some() == request.audio.is_some()
        && head.picture.is_some() == request.picture.is_some();
    if !same_parts {
        return Err(garbage("the answer is to another request"));
    }
    let mut decoded = Decoded {
        picture_cpu_secs: head.picture_cpu_secs,
        audio_cpu_secs: head.audio_cpu_secs,
        duration_secs: head.duration_secs,
        peak_bytes: head.peak_bytes,
        ..Decoded::default()
    };
    if let (Some(part), Some(spec)) = (head.frames, &request.frames) {
        decoded.frames = Some(match part {
            Ok(head) => Ok(read_frames(&mut from, head, spec)?),
            Err(failure) => Err(failure),
        });
    }
    if let (Some(part), Some(spec)) = (head.audio, &request.audio) {
        decoded.audio = Some(match part {
            Ok(head) => Ok(read_samples(&mut from, head, spec)?),
            Err(failure) => Err(failure),
        });
    }
    if let (Some(part), Some(spec)) = (head.picture, &request.picture) {
        decoded.picture = Some(match part {
            Ok(head) if head.side_px == spec.side_px => Ok(read_square(&mut from, spec.side_px)?),
            Ok(head) => return Err(garbage(&format!("a picture of {} pixels", head.side_px))),
            Err(failure) => Err(failure),
        });
    }
    Ok((decoded, head.is_last))
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

fn read_samples(mut from: impl Read, head: AudioHead, spec: &AudioSpec) -> io::Result<Samples> {
    let most = (spec.max_secs.max(0.0) * f64::from(spec.rate_hz)).ceil() as usize;
    if head.num_samples > most {
        return Err(garbage(&format!("{} samples", head.num_samples)));
    }
    // The sound grows as it comes: a number in a head allocates nothing.
    let mut mono = Vec::new();
    let mut bytes = vec![0; 1 << 16];
    while mono.len() < head.num_samples {
        let num_bytes = bytes.len().min((head.num_samples - mono.len()) * 4);
        from.read_exact(&mut bytes[..num_bytes])?;
        mono.extend(
            bytes[..num_bytes]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        );
    }
    Ok(Samples { rate_hz: spec.rate_hz, mono, partial: head.partial })
}

fn read_square(mut from: impl Read, side_px: u32) -> io::Result<Picture> {
    let mut rgb = vec![0; side_px as usize * side_px as usize * 3];
    from.read_exact(&mut rgb)?;
    Ok(Picture { width: side_px, height: side_px, rgb })
}

fn write_head(mut to: impl Write, head: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(head)?;
    to.write_all(&MAGIC)?;
    to.write_all(&(json.len() as u32).to_le_bytes())?;
    to.write_all(&json)
}

/// `None` where the pipe ends before a message begins.
fn read_head<T: DeserializeOwned>(mut from: impl Read) -> io::Result<Option<T>> {
    let mut magic = [0; 4];
    match from.read(&mut magic[..1])? {
        0 => return Ok(None),
        _ => from.read_exact(&mut magic[1..])?,
    }
    if magic != MAGIC {
        return Err(garbage(&format!("a message that begins with {magic:02x?}")));
    }
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len);
    if len > MAX_HEAD_BYTES {
        return Err(garbage(&format!("a head of {len} bytes")));
    }
    let mut json = vec![0; len as usize];
    from.read_exact(&mut json)?;
    Ok(Some(serde_json::from_slice(&json).map_err(|error| garbage(&error.to_string()))?))
}

fn garbage(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::{super::request::Fit, *};
    use crate::media::ReasonCode;

    fn request() -> DecodeRequest {
        DecodeRequest {
            path: PathBuf::from("a/b.mp4"),
            frames: Some(FrameSpec {
                side_px: 2,
                fit: Fit::Pad,
                sampling: crate::media::Sampling::Shots,
                every_secs: 0.5,
                crop_bars: true,
                max_frames: 2,
                black_luma: 1.0,
                duplicate_luma: 2.0,
            }),
            audio: Some(AudioSpec { rate_hz: 4, max_secs: 1.0 }),
            picture: Some(PictureSpec { side_px: 1, fit: Fit::Stretch }),
        }
    }

    fn answer() -> Decoded {
        let picture = Picture { width: 2, height: 2, rgb: (0..12).collect() };
        let partial = Some(Failure::new(ReasonCode::Truncated, "at 3 s"));
        Decoded {
            frames: Some(Ok(Keyframes {
                kept: vec![Keyframe { time_secs: 0.1, picture }],
                num_black: 3,
                num_duplicate: 4,
                shots_secs: Some(vec![0.0, 0.5]),
                preview: None,
                partial: partial.clone(),
            })),
            audio: Some(Ok(Samples { rate_hz: 4, mono: vec![0.1, -0.2, 1.0], partial })),
            picture: Some(Err(Failure::new(ReasonCode::Corrupt, "no"))),
            picture_cpu_secs: 0.25,
            audio_cpu_secs: 0.5,
            duration_secs: Some(1.5),
            peak_bytes: Some(1 << 33),
        }
    }

    #[test]
    fn requests_and_answers_round_trip() {
        let mut bytes = Vec::new();
        write_request(&mut bytes, &request(), &Limits::default()).unwrap();
        let mut pipe = &bytes[..];
        let (back, limits) = read_request(&mut pipe).unwrap().unwrap();
        assert_eq!((back, limits), (request(), Limits::default()));
        assert!(read_request(&mut pipe).unwrap().is_none());

        let mut bytes = Vec::new();
        write_answer(&mut bytes, &answer(), true).unwrap();
        let (back, is_last) = read_answer(&bytes[..], &request()).unwrap();
        assert!(is_last);
        assert_eq!(format!("{back:?}"), format!("{:?}", answer()));
        for len in 0..bytes.len() {
            assert!(read_answer(&bytes[..len], &request()).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn previews_round_trip_where_they_were_asked_for() {
        let rgb = (0..2 * 27 * 48 * 3).map(|n| n as u8).collect();
        let preview = Preview { times_secs: vec![0.0, 1.0 / 24.0], rgb };
        let frames = Keyframes { preview: Some(preview), ..Keyframes::default() };
        let decoded = Decoded { frames: Some(Ok(frames)), ..Decoded::default() };
        let mut bytes = Vec::new();
        write_answer(&mut bytes, &decoded, false).unwrap();
        let mut request = DecodeRequest { audio: None, picture: None, ..request() };
        let error = read_answer(&bytes[..], &request).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        request.frames.as_mut().unwrap().sampling = Sampling::Preview;
        let (back, _) = read_answer(&bytes[..], &request).unwrap();
        assert_eq!(back.frames, decoded.frames);
        assert!(read_answer(&bytes[..bytes.len() - 1], &request).is_err());
    }

    #[test]
    fn answers_larger_than_what_was_asked_for_are_garbage() {
        let mut bytes = Vec::new();
        write_answer(&mut bytes, &answer(), true).unwrap();
        let refused = |request: &DecodeRequest| {
            read_answer(&bytes[..], request).unwrap_err().kind() == io::ErrorKind::InvalidData
        };
        let mut fewer = request();
        fewer.frames.as_mut().unwrap().max_frames = 0;
        assert!(refused(&fewer));
        let mut smaller = request();
        smaller.frames.as_mut().unwrap().side_px = 1;
        assert!(refused(&smaller));
        let mut shorter = request();
        shorter.audio.as_mut().unwrap().max_secs = 0.5;
        assert!(refused(&shorter));
        assert!(refused(&DecodeRequest { audio: None, ..request() }));
        let noise: Vec<u8> = (0..64_u8).map(|n| n.wrapping_mul(37)).collect();
        let error = read_answer(&noise[..], &request()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
