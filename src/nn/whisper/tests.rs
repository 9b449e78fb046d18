//! Rules and windows over the tiny network's tokens (`tests/golden/data/whisper`).

use std::path::{Path, PathBuf};

use kernels::Isa;

use super::{
    config::Config,
    rules::choose,
    segments::{Piece, secs, split},
    tokens::Tokens,
    window::{Prompt, Steps, Window, decode},
};

const VOCABULARY: usize = 81;
const END: u32 = 40;
/// 0.00 s.
const ZERO: u32 = 50;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data/whisper")
}

fn tokens() -> Tokens {
    let config: Config =
        serde_json::from_slice(&std::fs::read(folder().join("config.json")).unwrap()).unwrap();
    Tokens::read(&folder().join("tokenizer.json"), &config, VOCABULARY).unwrap()
}

/// The likeliest of some tokens with their logits, after what was said.
fn chosen(said: &[u32], likely: &[(u32, f32)]) -> u32 {
    let mut logits = vec![-20.0; VOCABULARY];
    for (id, logit) in likely {
        logits[*id as usize] = *logit;
    }
    choose(&tokens(), Isa::detect(), said, &mut logits).0
}

#[test]
fn tokens_are_known_by_their_names() {
    let tokens = tokens();
    assert_eq!((tokens.end, tokens.start, tokens.first_time), (END, END + 1, ZERO));
    assert_eq!(tokens.languages, [(42, "en".to_owned()), (43, "de".to_owned())]);
    assert!(tokens.is_multilingual && tokens.language("fr").is_none());
    assert_eq!(tokens.text(&[ZERO, 32, 7, 8, END, ZERO + 1]).unwrap(), "hi");
    // Without a list the signs are found by what the tokenizer makes of them.
    let found = Tokens::read(&folder().join("tokenizer.json"), &Config::default(), VOCABULARY);
    let found = found.unwrap();
    assert!(!found.is_multilingual && found.suppressed_first == [32, END]);
    assert!([41, 44, 45, 46, 47, 48].iter().all(|id| found.suppressed.contains(id)));
    let error = Tokens::read(&folder().join("tokenizer.json"), &Config::default(), 45);
    assert!(error.err().unwrap().contains("among the network's 45"));
}

#[test]
fn a_time_comes_first_and_none_late() {
    assert_eq!(chosen(&[], &[(3, 9.0), (ZERO + 2, 1.0)]), ZERO + 2);
    // What is not said is not said, nor what steers.
    assert_eq!(chosen(&[ZERO], &[(30, 9.0), (49, 8.0), (3, 1.0)]), 3);
}

#[test]
fn times_come_in_pairs_and_do_not_run_back() {
    // After a text's end the next begins, not before it; or all ends.
    assert_eq!(
        chosen(&[ZERO, 3, ZERO + 5], &[(3, 9.0), (ZERO + 4, 8.0), (ZERO + 5, 1.0)]),
        ZERO + 5
    );
    assert_eq!(chosen(&[ZERO, 3, ZERO + 5], &[(3, 9.0), (END, 8.0)]), END);
    // After a pair comes text.
    assert_eq!(chosen(&[ZERO, 3, ZERO + 5, ZERO + 5], &[(ZERO + 6, 9.0), (3, 1.0)]), 3);
    // A text takes time.
    assert_eq!(chosen(&[ZERO + 5, 3], &[(ZERO + 5, 9.0), (ZERO + 6, 1.0)]), ZERO + 6);
}

#[test]
fn a_time_comes_where_all_together_are_likelier_than_a_word() {
    let times = |logit| (1..6).map(move |step| (ZERO + step, logit)).collect::<Vec<_>>();
    assert_eq!(chosen(&[ZERO, 3], &[vec![(4, 1.0)], times(0.0)].concat()), ZERO + 1);
    assert_eq!(chosen(&[ZERO, 3], &[vec![(4, 2.0)], times(0.0)].concat()), 4);
}

fn window(said: &[u32]) -> Window {
    Window {
        first_frame: 100,
        num_frames: 60,
        tokens: said.to_vec(),
        avg_logprob: -0.5,
        no_speech: 0.1,
        is_cut: false,
    }
}

fn pieces(window: &Window) -> (Vec<(usize, usize)>, usize) {
    let (pieces, next) = split(&tokens(), window);
    (pieces.iter().map(|piece| (piece.begin, piece.end)).collect(), next)
}

#[test]
fn a_window_ends_where_its_last_text_does() {
    let two = [ZERO, 3, ZERO + 5, ZERO + 7, 4, ZERO + 9, ZERO + 9];
    assert_eq!(pieces(&window(&two)), (vec![(100, 110), (114, 118)], 118));
    // What was begun is heard again.
    assert_eq!(pieces(&window(&[&two[..], &[5]].concat())), (vec![(100, 110), (114, 118)], 118));
    // One time at the end: nothing is left over.
    assert_eq!(pieces(&window(&two[..6])), (vec![(100, 110), (114, 118)], 160));
    assert_eq!(pieces(&window(&[ZERO, 3, ZERO + 5])), (vec![(100, 110)], 160));
    assert_eq!(pieces(&window(&[ZERO, 3])), (vec![(100, 160)], 160));
    assert_eq!(pieces(&window(&[])), (vec![(100, 160)], 160));
    let (found, _) = split(&tokens(), &window(&two));
    assert_eq!(found[1], Piece { begin: 114, end: 118, tokens: two[3..6].to_vec() });
    assert_eq!(secs(114), 1.14);
}

#[test]
fn silence_is_left_out_unless_its_words_are_sure() {
    let said = [ZERO, 3, ZERO + 5];
    let silent = Window { no_speech: 0.7, avg_logprob: -1.5, ..window(&said) };
    assert_eq!(pieces(&silent), (vec![], 160));
    assert_eq!(pieces(&Window { avg_logprob: -0.9, ..silent }).0.len(), 1);
}

/// Says the same words for ever, a time after each three.
struct Parrot {
    said: usize,
}

impl Steps for Parrot {
    fn step(&mut self, token: u32, logits: Option<&mut Vec<f32>>) -> candle_core::Result<()> {
        let Some(logits) = logits else { return Ok(()) };
        *logits = vec![-20.0; VOCABULARY];
        let is_steering = (END..ZERO).contains(&token);
        let next = if is_steering { ZERO } else { [3, 4, 5][self.said % 3] };
        self.said += usize::from(!is_steering);
        logits[next as usize] = 5.0;
        logits[42] = -1.0; // English
        Ok(())
    }
}

#[test]
fn a_parrot_is_cut_off_after_its_first_words() {
    let mut prompt = Prompt { language: None, translate: false };
    let found =
        decode(&tokens(), Isa::detect(), &mut prompt, (0, 60), 200, &mut Parrot { said: 0 });
    let found = found.unwrap();
    assert_eq!(prompt.language, Some(42));
    assert!(found.is_cut);
    assert_eq!(found.tokens, [ZERO, 3, 4, 5, ZERO + 30]);
    assert_eq!(split(&tokens(), &found).1, 60);
}
