//! Which token comes next: the reference's rules about silence, signs and times.
//!
//! in: `[vocabulary]` logits and the tokens so far; out: the likeliest token that may come, and its
//! log-probability among those. Times come in pairs, never run backwards, the first is within the
//! first second, and a time comes wherever all times together are likelier than any word.
//! source and reference: `openai-whisper`, `decoding.py`: `SuppressBlank`, `SuppressTokens`,
//! `ApplyTimestampRules`, `GreedyDecoder` at temperature 0.

use kernels::{Isa, softmax};

use super::tokens::Tokens;

/// The first time is at most this, in steps of 20 ms.
const MAX_FIRST_TIME: usize = 50;

/// Chooses the next token; `logits` are overwritten.
///
/// # Panics
/// Where `logits` have another length than the vocabulary.
pub(super) fn choose(tokens: &Tokens, isa: Isa, said: &[u32], logits: &mut [f32]) -> (u32, f32) {
    forbid(tokens, said, logits);
    let first_time = tokens.first_time as usize;
    let vocabulary = logits.len();
    softmax(isa, logits, vocabulary);
    let (words, times) = logits.split_at_mut(first_time);
    let all_times: f32 = times.iter().sum();
    let likeliest_word = words.iter().copied().fold(0.0, f32::max);
    let mut whole = 1.0;
    if all_times > likeliest_word {
        words.fill(0.0);
        whole = all_times;
    }
    let mut best = (0, f32::NEG_INFINITY);
    for (id, probability) in logits.iter().enumerate() {
        if *probability > best.1 {
            best = (id as u32, *probability);
        }
    }
    (best.0, (best.1 / whole).ln())
}

/// Makes what may not come impossible.
fn forbid(tokens: &Tokens, said: &[u32], logits: &mut [f32]) {
    const NEVER: f32 = f32::NEG_INFINITY;
    let first_time = tokens.first_time as usize;
    let end = tokens.end as usize;
    for id in tokens.suppressed.iter().chain([&tokens.no_timestamps]) {
        logits[*id as usize] = NEVER;
    }
    if said.is_empty() {
        for id in &tokens.suppressed_first {
            logits[*id as usize] = NEVER;
        }
        logits[..first_time].fill(NEVER);
        let last = (first_time + MAX_FIRST_TIME + 1).min(logits.len());
        logits[last..].fill(NEVER);
        return;
    }
    let is_time = |token: &u32| tokens.time(*token).is_some();
    let last_is_time = said.last().is_some_and(is_time);
    let former_is_time = said.len() < 2 || is_time(&said[said.len() - 2]);
    match (last_is_time, former_is_time) {
        (true, true) => logits[first_time..].fill(NEVER),
        (true, false) => logits[..end].fill(NEVER),
        _ => (),
    }
    if let Some(time) = said.iter().rev().find_map(|token| tokens.time(*token)) {
        // A pair's second half may repeat its first; all else is later, so that no text is of no
        // length.
        let is_open = last_is_time && !former_is_time;
        let earliest = first_time + time as usize + usize::from(!is_open);
        let earliest = earliest.min(logits.len());
        logits[first_time..earliest].fill(NEVER);
    }
}
