//! The wire between pool and worker, for who tries it with damaged answers (`tests/fuzz`).

use std::io;

use super::{
    Cue, DecodeRequest, Decoded, Failure, Keyframe, Keyframes, Part, Picture, Preview, ReasonCode,
    Samples, Sampling, Subtitles, Want, wire,
};

/// What the pool makes of a worker's bytes.
///
/// # Errors
/// They are no answer to this request.
pub fn read_answer(bytes: &[u8], request: &DecodeRequest) -> io::Result<Decoded> {
    wire::read_answer(bytes, request).map(|(decoded, _)| decoded)
}

/// The bytes of an answer with something for each want; `with_failures`: the last of them failed.
#[must_use]
pub fn an_answer(request: &DecodeRequest, with_failures: bool) -> Vec<u8> {
    let failure = Failure::new(ReasonCode::Corrupt, "no");
    let mut decoded = Decoded {
        parts: request.wants.iter().map(|want| Ok(part(want))).collect(),
        picture_cpu_secs: 0.25,
        audio_cpu_secs: 0.5,
        duration_secs: Some(1.5),
        peak_bytes: Some(1 << 20),
    };
    if let (true, Some(last)) = (with_failures, decoded.parts.last_mut()) {
        *last = Err(failure);
    }
    let mut bytes = Vec::new();
    // A vector takes whatever is written.
    let _ = wire::write_answer(&mut bytes, &decoded, false);
    bytes
}

fn part(want: &Want) -> Part {
    let square = |side: u32| Picture {
        width: side,
        height: side,
        rgb: vec![7; side as usize * side as usize * 3],
    };
    match want {
        Want::Frames(spec) => {
            let preview = Preview {
                times_secs: vec![0.0],
                rgb: vec![9; super::PREVIEW_WIDTH_PX * super::PREVIEW_HEIGHT_PX * 3],
            };
            Keyframes {
                kept: vec![Keyframe { time_secs: 0.1, picture: square(spec.side_px) }],
                shots_secs: Some(vec![0.0, 0.5]),
                preview: (spec.sampling == Sampling::Preview).then_some(preview),
                ..Keyframes::default()
            }
            .into()
        }
        Want::Audio(spec) => {
            Samples { rate_hz: spec.rate_hz, mono: vec![0.1; 3], partial: None }.into()
        }
        Want::Picture(spec) => square(spec.side_px).into(),
        Want::Subtitles => {
            let cue = Cue { start_secs: 0.5, end_secs: 1.5, text: "Wer?".to_owned() };
            Subtitles { language: Some("ger".to_owned()), cues: vec![cue], partial: None }.into()
        }
    }
}
