//! What a decode worker answers.

use cinetag::media::{
    AudioSpec, DecodeRequest, Fit, FrameSpec, PictureSpec, Sampling, Want,
    fuzzing::{an_answer, read_answer},
};

use super::Target;
use crate::{files, mutate::Form};

fn request() -> DecodeRequest {
    let frames = |sampling| {
        Want::Frames(FrameSpec {
            side_px: 2,
            fit: Fit::Pad,
            sampling,
            every_secs: 0.5,
            crop_bars: true,
            max_frames: 2,
            black_luma: 1.0,
            duplicate_luma: 2.0,
        })
    };
    let audio = Want::Audio(AudioSpec { rate_hz: 4, max_secs: 1.0 });
    let picture = Want::Picture(PictureSpec { side_px: 1, fit: Fit::Stretch });
    DecodeRequest::new("a.mp4", [frames(Sampling::Preview), audio, picture, Want::Subtitles])
}

/// A message: as it is, or a head and what stands behind it, so that the length is right.
fn message(input: &[u8]) -> Vec<u8> {
    let all = files::unpack(input);
    let of = |name: &str| all.iter().find(|(own, _)| own == name).map(|(_, bytes)| &bytes[..]);
    let Some(head) = of("head") else { return of("raw").unwrap_or_default().to_vec() };
    let len = (head.len() as u32).to_le_bytes();
    [b"ctd1", &len[..], head, of("content").unwrap_or_default()].concat()
}

pub static WIRE: Target = Target {
    name: "wire",
    form: Form::Files,
    tokens: &[
        b"ctd1",
        b"null",
        b"1e308",
        b"-1",
        b"[",
        b"]",
        b"times_secs",
        b"num_samples",
        b"Err",
        b"\\u001b[2J",
        b"{",
        b"}",
    ],
    seeds: || {
        let raw = an_answer(&request(), true);
        let len = u32::from_le_bytes([raw[4], raw[5], raw[6], raw[7]]) as usize;
        let (head, content) = raw[8..].split_at(len);
        let parts = [("head".to_owned(), head.to_vec()), ("content".to_owned(), content.to_vec())];
        vec![files::pack(&parts), files::pack(&[("raw".to_owned(), raw)])]
    },
    run: |input, _| {
        let Ok(decoded) = read_answer(&message(input), &request()) else { return Ok(()) };
        if decoded.parts.len() != request().wants.len() {
            return Err(format!("{} parts", decoded.parts.len()));
        }
        let mut words = decoded.parts.iter().filter_map(|part| part.as_ref().err());
        if words.any(|failure| failure.detail.contains('\u{1b}')) {
            return Err("an escape came through".to_owned());
        }
        Ok(())
    },
};
