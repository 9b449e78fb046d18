//! From a window's tokens to texts with their times, and where the next window begins.
//!
//! in: tokens of a window, two times side by side where one text ends and another begins; out:
//! texts, and how many frames were dealt with: up to the last time that ends a text, so that what
//! was cut in the middle is heard again as a whole.
//! source and reference: `openai-whisper`, `transcribe.py`, `transcribe`.

use super::{
    log_mel::{HOP, RATE_HZ},
    tokens::Tokens,
    window::Window,
};

/// Frames in a step of time.
const FRAMES_PER_STEP: usize = 2;
/// A window without speech, by its first token,
const NO_SPEECH: f32 = 0.6;
/// unless its words are so sure.
const LOGPROB: f32 = -1.0;

/// A text by its tokens, and its times in frames of 10 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) tokens: Vec<u32>,
}

/// Seconds at the beginning of a frame.
pub(super) fn secs(frame: usize) -> f32 {
    (frame * HOP) as f32 / RATE_HZ as f32
}

/// The texts of a window and the frame where the next one begins.
pub(super) fn split(tokens: &Tokens, window: &Window) -> (Vec<Piece>, usize) {
    let end = window.first_frame + window.num_frames;
    if window.no_speech > NO_SPEECH && window.avg_logprob <= LOGPROB {
        return (Vec::new(), end);
    }
    let said = &window.tokens;
    let time = |idx: usize| tokens.time(said[idx]).map(|time| time as usize);
    let frame = |time: usize| window.first_frame + time * FRAMES_PER_STEP;
    let piece = |from: usize, to: usize| Piece {
        begin: frame(time(from).unwrap_or(0)),
        end: frame(time(to - 1).unwrap_or(0)),
        tokens: said[from..to].to_vec(),
    };
    let mut ends: Vec<usize> =
        (1..said.len()).filter(|idx| time(*idx - 1).is_some() && time(*idx).is_some()).collect();
    let len = said.len();
    // One time alone at the end: nothing is left over in the window.
    let is_whole = len >= 2 && time(len - 2).is_none() && time(len - 1).is_some();
    if ends.is_empty() {
        let last = (0..len).rev().find_map(time).filter(|time| *time != 0);
        let piece =
            Piece { begin: window.first_frame, end: last.map_or(end, frame), tokens: said.clone() };
        return (vec![piece], end);
    }
    if is_whole {
        ends.push(len);
    }
    let begins = [0].iter().chain(&ends);
    let pieces = begins.zip(&ends).map(|(from, to)| piece(*from, *to)).collect();
    let next = match ends.last().and_then(|end| time(end - 1)) {
        Some(time) if !is_whole && !window.is_cut => frame(time).max(window.first_frame + 1),
        _ => end,
    };
    (pieces, next)
}
