//! Whisper's tokens: text, what stands around it, times.
//!
//! in: `tokenizer.json`; out: the numbers of the tokens that steer the decoder, and text of tokens.
//! source: Radford et al. 2022, 2.3; `openai-whisper`, `tokenizer.py`.

use std::{collections::HashMap, path::Path};

use tokenizers::Tokenizer;

use super::config::Config;

/// Networks with fewer tokens know English only.
const MULTILINGUAL_VOCABULARY: usize = 51_865;
/// What people do not say: written signs, alone and in a row, and notes of music.
const SIGNS: &str = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 << >> <<< >>> -- --- \
                     -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
const NOTES: &str = "♩ ♪ ♫ ♬ ♭ ♮ ♯";

/// The tokens of one network.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    /// Ends a text; whatever is below is text.
    pub(super) end: u32,
    pub(super) start: u32,
    pub(super) translate: u32,
    pub(super) transcribe: u32,
    /// Its probability at the start is that of no speech.
    pub(super) no_speech: u32,
    pub(super) no_timestamps: u32,
    /// 0.00 s; those behind are 20 ms later each.
    pub(super) first_time: u32,
    /// Number and code, such as `en`.
    pub(super) languages: Vec<(u32, String)>,
    /// Never said.
    pub(super) suppressed: Vec<u32>,
    /// Not said first.
    pub(super) suppressed_first: Vec<u32>,
    pub(super) is_multilingual: bool,
}

impl Tokens {
    /// # Errors
    /// The file is no tokenizer, or not Whisper's, or knows tokens that the network has not.
    pub(super) fn read(path: &Path, config: &Config, vocabulary: usize) -> Result<Self, String> {
        let tokenizer = crate::tokenizer_file::read(path)?;
        let id = |name: &str| {
            let id = tokenizer.token_to_id(name);
            let id = id.filter(|id| (*id as usize) < vocabulary);
            id.ok_or_else(|| format!("no token {name} among the network's {vocabulary}"))
        };
        let start = id("<|startoftranscript|>")?;
        let (translate, no_timestamps) = (id("<|translate|>")?, id("<|notimestamps|>")?);
        let language = |id: u32| {
            let name = tokenizer.id_to_token(id)?;
            Some((id, name.strip_prefix("<|")?.strip_suffix("|>")?.to_owned()))
        };
        let mut tokens = Self {
            end: id("<|endoftext|>")?,
            start,
            translate,
            transcribe: id("<|transcribe|>")?,
            // The hub and the publisher call it differently.
            no_speech: id("<|nospeech|>").or_else(|_| id("<|nocaptions|>"))?,
            no_timestamps,
            first_time: no_timestamps + 1,
            languages: (start + 1..translate).filter_map(language).collect(),
            suppressed: Vec::new(),
            suppressed_first: Vec::new(),
            is_multilingual: config
                .is_multilingual
                .unwrap_or(vocabulary >= MULTILINGUAL_VOCABULARY),
            tokenizer,
        };
        if tokens.first_time as usize >= vocabulary || tokens.end > start {
            return Err("its tokens are not in Whisper's order".to_owned());
        }
        let known = |ids: &Vec<u32>| ids.iter().all(|id| (*id as usize) < vocabulary);
        tokens.suppressed = match config.suppress_tokens.clone().filter(known) {
            Some(ids) => ids,
            None => tokens.unspoken()?,
        };
        tokens.suppressed_first = match config.begin_suppress_tokens.clone().filter(known) {
            Some(ids) => ids,
            None => [tokens.encoded(" ")?, vec![tokens.end]].concat(),
        };
        Ok(tokens)
    }

    /// A token's time in steps of 20 ms, where it is a time.
    pub(super) fn time(&self, token: u32) -> Option<u32> {
        token.checked_sub(self.first_time)
    }

    /// The language with this code.
    pub(super) fn language(&self, code: &str) -> Option<u32> {
        self.languages.iter().find(|(_, known)| known == code).map(|(id, _)| *id)
    }

    /// The text of tokens without times and the like; no space around it.
    ///
    /// # Errors
    /// The tokenizer cannot write them.
    pub(super) fn text(&self, tokens: &[u32]) -> Result<String, String> {
        let words: Vec<u32> = tokens.iter().copied().filter(|token| *token < self.end).collect();
        let text = self.tokenizer.decode(&words, true).map_err(|e| e.to_string())?;
        Ok(text.trim().to_owned())
    }

    fn encoded(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.tokenizer.encode(text, false).map_err(|e| e.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The reference's list of what is not said: signs of one token, notes by their first token,
    /// and whatever steers the decoder.
    fn unspoken(&self) -> Result<Vec<u32>, String> {
        let first = |text: &str| Ok::<_, String>(self.encoded(text)?.first().copied());
        let mut unspoken: Vec<u32> = [first(" -")?, first(" '")?].into_iter().flatten().collect();
        for (signs, is_note) in [(SIGNS, false), (NOTES, true)] {
            for sign in signs.split_whitespace() {
                for ids in [self.encoded(sign)?, self.encoded(&format!(" {sign}"))?] {
                    if ids.len() == 1 || is_note {
                        unspoken.extend(ids.first());
                    }
                }
            }
        }
        let steering: HashMap<String, u32> = self.tokenizer.get_vocab(true).into_iter().collect();
        let steers = ["startoflm", "startofprev"].map(|name| format!("<|{name}|>"));
        unspoken.extend(steers.iter().filter_map(|name| steering.get(name)));
        unspoken.extend([self.start, self.translate, self.transcribe, self.no_speech]);
        unspoken.sort_unstable();
        unspoken.dedup();
        Ok(unspoken)
    }
}
