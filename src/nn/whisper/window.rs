//! What is heard in one window of sound: tokens by greedy decoding, and where a loop begins.
//!
//! in: a decoder that has heard the window; out: its tokens, how sure they are, and how likely
//! nobody speaks. The reference tries a window again at random where the network repeats itself;
//! here the repetition is cut off, so that the same sound always gives the same text.
//! source: Radford et al. 2022, 4.5; `openai-whisper`, `decoding.py`, `DecodingTask`.

use candle_core::Result;
use kernels::{Isa, softmax};

use super::{rules::choose, tokens::Tokens};

/// Words that are looked back upon for a loop.
const LONGEST_PERIOD: usize = 60;
/// So often is a loop's text said again, at the least,
const MIN_REPEATS: usize = 3;
/// and so many tokens are.
const MIN_REPEATED: usize = 24;

/// A decoder that has heard a window.
pub(super) trait Steps {
    /// Takes a token; gives logits of the next one where they are wanted.
    fn step(&mut self, token: u32, logits: Option<&mut Vec<f32>>) -> Result<()>;
}

/// What was heard in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The window's first frame, of 10 ms.
    pub first_frame: usize,
    /// Frames of sound in it.
    pub num_frames: usize,
    /// Words and times, without what stands before and behind them.
    pub tokens: Vec<u32>,
    /// Mean log-probability of the tokens and the end.
    pub avg_logprob: f32,
    /// Probability that nobody speaks.
    pub no_speech: f32,
    /// The network repeated itself and was cut off.
    pub is_cut: bool,
}

/// What stands before a window's text.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    /// A language's token; of networks that know several it is found where none is given.
    pub(super) language: Option<u32>,
    pub(super) translate: bool,
}

/// Decodes a window of `num_frames`, at most `max_tokens`; sets the prompt's language where it is
/// to be found.
pub(super) fn decode(
    tokens: &Tokens,
    isa: Isa,
    prompt: &mut Prompt,
    (first_frame, num_frames): (usize, usize),
    max_tokens: usize,
    decoder: &mut dyn Steps,
) -> Result<Window> {
    let mut logits = Vec::new();
    decoder.step(tokens.start, Some(&mut logits))?;
    if tokens.is_multilingual && prompt.language.is_none() {
        let likelier = |a: &&(u32, String), b: &&(u32, String)| {
            logits[a.0 as usize].total_cmp(&logits[b.0 as usize]).then(b.0.cmp(&a.0))
        };
        prompt.language = tokens.languages.iter().max_by(likelier).map(|(id, _)| *id);
    }
    let mut probabilities = logits.clone();
    let vocabulary = probabilities.len();
    softmax(isa, &mut probabilities, vocabulary);
    let no_speech = probabilities[tokens.no_speech as usize];
    if let Some(language) = prompt.language.filter(|_| tokens.is_multilingual) {
        decoder.step(language, None)?;
        let task = if prompt.translate { tokens.translate } else { tokens.transcribe };
        decoder.step(task, Some(&mut logits))?;
    }
    let mut window = Window {
        first_frame,
        num_frames,
        tokens: Vec::new(),
        avg_logprob: 0.0,
        no_speech,
        is_cut: false,
    };
    let mut sum_logprob = 0.0;
    let mut repeats = Repeats::default();
    let mut num_said = 0;
    while window.tokens.len() < max_tokens {
        let (token, logprob) = choose(tokens, isa, &window.tokens, &mut logits);
        sum_logprob += logprob;
        if token == tokens.end {
            break;
        }
        num_said += 1;
        window.tokens.push(token);
        if tokens.time(token).is_none()
            && let Some(kept) = repeats.push(token)
        {
            cut(tokens, &mut window, kept);
            break;
        }
        if window.tokens.len() < max_tokens {
            decoder.step(token, Some(&mut logits))?;
        }
    }
    window.avg_logprob = sum_logprob / (num_said + 1) as f32;
    Ok(window)
}

/// Keeps the first `kept` words and the time that ends them: the one that was said, or the window's
/// end.
fn cut(tokens: &Tokens, window: &mut Window, kept: usize) {
    let words = window.tokens.iter().enumerate().filter(|(_, id)| tokens.time(**id).is_none());
    let end = words.map(|(idx, _)| idx + 1).take(kept).last().unwrap_or(0);
    let time = window.tokens.get(end).copied().filter(|id| tokens.time(*id).is_some());
    window.tokens.truncate(end);
    window.tokens.push(time.unwrap_or(tokens.first_time + (window.num_frames / 2) as u32));
    window.is_cut = true;
}

/// Watches for a text that is said again and again.
#[derive(Default)]
struct Repeats {
    words: Vec<u32>,
    /// For each period, how many words in a row are what they were one period before.
    runs: Vec<usize>,
}

impl Repeats {
    /// Takes a word; gives how many words came before the repetition where there is one.
    fn push(&mut self, word: u32) -> Option<usize> {
        self.runs.resize(LONGEST_PERIOD, 0);
        self.words.push(word);
        let last = self.words.len() - 1;
        for (idx, run) in self.runs.iter_mut().enumerate().take(last) {
            let period = idx + 1;
            *run = if self.words[last - period] == word { *run + 1 } else { 0 };
            if *run >= MIN_REPEATED.max(MIN_REPEATS * period) {
                return Some(last + 1 - *run);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_loop(words: &[u32]) -> Option<usize> {
        let mut repeats = Repeats::default();
        words.iter().find_map(|word| repeats.push(*word))
    }

    #[test]
    fn a_text_said_four_times_is_a_loop_and_one_said_twice_is_not() {
        let text: Vec<u32> = (0..9).collect();
        let after = |times: usize| [vec![70, 71], text.repeat(times)].concat();
        assert_eq!(first_loop(&after(2)), None);
        assert_eq!(first_loop(&after(3)), None);
        assert_eq!(first_loop(&after(4)), Some(2 + 9));
        // "No, no, no, no!" is not.
        assert_eq!(first_loop(&[5, 6].repeat(8)), None);
        assert_eq!(first_loop(&[5; 25]), Some(1));
        let long: Vec<u32> = (0..LONGEST_PERIOD as u32).collect();
        assert_eq!(first_loop(&long.repeat(4)), Some(LONGEST_PERIOD));
        assert_eq!(first_loop(&(0..200).collect::<Vec<_>>()), None);
    }
}
