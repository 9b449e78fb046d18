//! What goes through the pipes between the pool and a worker.
//!
//! Each message is [`MAGIC`], the length of its head, a head in JSON, and the raw bytes that
//! the head announces; numbers are little-endian. A worker says [`HELLO`] when it is ready,
//! a byte that tells its sandbox, and one that tells the hardware it decodes with.
//! The parent believes nothing: sizes beyond what it asked for are garbage, and so are times that
//! make no sense (`bounds`).

mod bounds;
mod parts;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub(super) use self::bounds::harmless;
use self::parts::PartHead;
use super::{
    answer::Decoded,
    limits::Limits,
    request::{DecodeRequest, Failure, Want},
};

/// Begins each message; another protocol is another number.
const MAGIC: [u8; 4] = *b"ctd1";

/// A worker's first words.
pub(super) const HELLO: [u8; 16] = *b"cinetag-decode 4";

/// A head is a few kilobytes: lists of times, some words; all subtitles of a film.
const MAX_HEAD_BYTES: u32 = 16 << 20;

/// A request's head; the path follows as raw bytes, since it need not be UTF-8.
#[derive(Serialize, Deserialize)]
struct RequestHead {
    path_bytes: usize,
    wants: Vec<Want>,
    limits: Limits,
}

/// An answer's head. Behind it the parts' pixels and samples, in the order of the wants.
#[derive(Serialize, Deserialize)]
struct AnswerHead {
    /// The worker ends after this answer.
    is_last: bool,
    parts: Vec<Result<PartHead, Failure>>,
    picture_cpu_secs: f64,
    audio_cpu_secs: f64,
    duration_secs: Option<f64>,
    peak_bytes: Option<u64>,
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
        wants: request.wants.clone(),
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
    Ok(Some((DecodeRequest::new(path_from_bytes(path), head.wants), head.limits)))
}

fn path_from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(OsString::from_vec(bytes))
}

/// Sends an answer; `is_last` says that no other request will be taken.
pub(super) fn write_answer(mut to: impl Write, decoded: &Decoded, is_last: bool) -> io::Result<()> {
    let head_of = |part: &Result<_, Failure>| match part {
        Ok(part) => Ok(PartHead::of(part)),
        Err(failure) => Err(failure.clone()),
    };
    let head = AnswerHead {
        is_last,
        parts: decoded.parts.iter().map(head_of).collect(),
        picture_cpu_secs: decoded.picture_cpu_secs,
        audio_cpu_secs: decoded.audio_cpu_secs,
        // Damaged containers state centuries.
        duration_secs: decoded.duration_secs.filter(|secs| *secs <= bounds::MAX_SECS),
        peak_bytes: decoded.peak_bytes,
    };
    write_head(&mut to, &head)?;
    for part in decoded.parts.iter().flatten() {
        parts::write_content(&mut to, part)?;
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
    if head.parts.len() != request.wants.len() {
        return Err(garbage("the answer is to another request"));
    }
    let mut parts = Vec::with_capacity(head.parts.len());
    for (part, want) in head.parts.into_iter().zip(&request.wants) {
        parts.push(match part {
            Ok(head) => Ok(head.read_content(&mut from, want)?),
            Err(failure) => Err(failure),
        });
    }
    let decoded = Decoded {
        parts,
        picture_cpu_secs: head.picture_cpu_secs,
        audio_cpu_secs: head.audio_cpu_secs,
        duration_secs: head.duration_secs,
        peak_bytes: head.peak_bytes,
    };
    Ok((bounds::checked(decoded)?, head.is_last))
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
    use super::*;
    use crate::{
        AudioSpec, Cue, Fit, FrameSpec, Keyframe, Keyframes, Picture, PictureSpec, Preview,
        ReasonCode, Samples, Sampling, Subtitles,
    };

    fn frames(sampling: Sampling, side_px: u32, max_frames: usize) -> Want {
        Want::Frames(FrameSpec {
            side_px,
            fit: Fit::Pad,
            sampling,
            every_secs: 0.5,
            crop_bars: true,
            max_frames,
            black_luma: 1.0,
            duplicate_luma: 2.0,
        })
    }

    fn audio(rate_hz: u32, max_secs: f64) -> Want {
        Want::Audio(AudioSpec { rate_hz, max_secs })
    }

    fn picture(side_px: u32) -> Want {
        Want::Picture(PictureSpec { side_px, fit: Fit::Stretch })
    }

    fn request() -> DecodeRequest {
        let frames = frames(Sampling::Shots, 2, 2);
        let (slow, fast) = (audio(4, 1.0), audio(8, 0.5));
        let wants = [frames, slow, picture(1), Want::Subtitles, fast, picture(1)];
        DecodeRequest::new("a/b.mp4", wants)
    }

    fn square(side_px: u8) -> Picture {
        let rgb = (0..side_px * side_px * 3).collect();
        Picture { width: side_px.into(), height: side_px.into(), rgb }
    }

    fn answer() -> Decoded {
        let partial = Some(Failure::new(ReasonCode::Truncated, "at 3 s"));
        let frames = Keyframes {
            kept: vec![Keyframe { time_secs: 0.1, picture: square(2) }],
            num_black: 3,
            num_duplicate: 4,
            shots_secs: Some(vec![0.0, 0.5]),
            preview: None,
            partial: partial.clone(),
        };
        let cue = Cue { start_secs: 0.5, end_secs: 1.5, text: "Wer?\nIch.".to_owned() };
        let subtitles =
            Subtitles { language: Some("ger".to_owned()), cues: vec![cue], partial: None };
        let slow = Samples { rate_hz: 4, mono: vec![0.1, -0.2, 1.0], partial };
        let fast = Samples { rate_hz: 8, mono: vec![0.5; 4], partial: None };
        Decoded {
            parts: vec![
                Ok(frames.into()),
                Ok(slow.into()),
                Err(Failure::new(ReasonCode::Corrupt, "no")),
                Ok(subtitles.into()),
                Ok(fast.into()),
                Ok(square(1).into()),
            ],
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
        let frames_part = Keyframes { preview: Some(preview), ..Keyframes::default() };
        let decoded = Decoded { parts: vec![Ok(frames_part.into())], ..Decoded::default() };
        let mut bytes = Vec::new();
        write_answer(&mut bytes, &decoded, false).unwrap();
        let request = |sampling| DecodeRequest::new("a.mp4", [frames(sampling, 2, 2)]);
        let error = read_answer(&bytes[..], &request(Sampling::Shots)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let (back, _) = read_answer(&bytes[..], &request(Sampling::Preview)).unwrap();
        assert_eq!(back.parts, decoded.parts);
        let cut = &bytes[..bytes.len() - 1];
        assert!(read_answer(cut, &request(Sampling::Preview)).is_err());
    }

    #[test]
    fn answers_larger_than_what_was_asked_for_are_garbage() {
        let mut bytes = Vec::new();
        write_answer(&mut bytes, &answer(), true).unwrap();
        let refused = |place: usize, want: Want| {
            let mut other = request();
            other.wants[place] = want;
            read_answer(&bytes[..], &other).unwrap_err().kind() == io::ErrorKind::InvalidData
        };
        assert!(refused(0, frames(Sampling::Shots, 2, 0)), "fewer frames");
        assert!(refused(0, frames(Sampling::Shots, 1, 2)), "smaller frames");
        assert!(refused(1, audio(4, 0.5)), "shorter sound");
        assert!(refused(4, audio(4, 0.5)), "slower sound");
        assert!(refused(5, picture(2)), "a larger picture");
        assert!(refused(3, picture(1)), "a picture instead of subtitles");
        assert!(refused(1, Want::Subtitles), "subtitles instead of sound");
        let mut fewer = request();
        fewer.wants.pop();
        let error = read_answer(&bytes[..], &fewer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let noise: Vec<u8> = (0..64_u8).map(|n| n.wrapping_mul(37)).collect();
        let error = read_answer(&noise[..], &request()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_garbage_and_its_words_are_made_harmless() {
        type Lie = fn(&mut Decoded);
        let frames = |decoded: &mut Decoded, lie: fn(&mut Keyframes)| {
            if let Ok(crate::Part::Frames(frames)) = &mut decoded.parts[0] {
                lie(frames);
            }
        };
        let told = |decoded: &Decoded| {
            let mut bytes = Vec::new();
            write_answer(&mut bytes, decoded, false).unwrap();
            read_answer(&bytes[..], &request())
        };
        let on_the_whole: [Lie; 4] = [
            |decoded| decoded.picture_cpu_secs = 1e300,
            |decoded| decoded.audio_cpu_secs = -1.0,
            |decoded| decoded.duration_secs = Some(-1e300),
            |decoded| decoded.peak_bytes = Some(u64::MAX),
        ];
        for (idx, lie) in on_the_whole.into_iter().enumerate() {
            let mut decoded = answer();
            lie(&mut decoded);
            assert_eq!(told(&decoded).unwrap_err().kind(), io::ErrorKind::InvalidData, "{idx}");
        }
        let on_frames: [fn(&mut Keyframes); 5] = [
            |frames| frames.kept[0].time_secs = 1e308,
            |frames| frames.kept[0].time_secs = -1e10,
            |frames| {
                let late = Keyframe { time_secs: 9.0, ..frames.kept[0].clone() };
                frames.kept.insert(0, late);
            },
            |frames| frames.num_black = usize::MAX,
            |frames| frames.shots_secs = Some(vec![1e300]),
        ];
        for (idx, lie) in on_frames.into_iter().enumerate() {
            let mut decoded = answer();
            frames(&mut decoded, lie);
            assert_eq!(told(&decoded).unwrap_err().kind(), io::ErrorKind::InvalidData, "{idx}");
        }

        // A damaged container's centuries are no answer, but nobody's fault either.
        let long = Decoded { duration_secs: Some(1e12), ..answer() };
        assert_eq!(told(&long).unwrap().0.duration_secs, None);
        let mut rude = answer();
        let words = format!("\u{1b}[31mred\u{202e}\nERROR {}", "A".repeat(1 << 20));
        rude.parts[2] = Err(Failure::new(ReasonCode::Corrupt, words));
        let (rude, _) = told(&rude).unwrap();
        let detail = &rude.parts[2].as_ref().unwrap_err().detail;
        assert!(detail.starts_with("\u{fffd}[31mred\u{fffd} ERROR AAA"), "{detail}");
        assert_eq!(detail.chars().count(), 2001);
    }
}
