//! `tokenizer.json`, which may come from anybody.
//!
//! in: a path; out: the tokenizer. Its library claims of some fields that they are as it wrote them,
//! so reading is guarded, and so is its first use. It nests a token's characters in each other and
//! would run out of stack at the end of a long one, which nobody can guard.

use std::path::Path;

use base::{file, guard::guarded};
use tokenizers::Tokenizer;

/// Bytes of a token or a pattern; real ones have dozens.
const MAX_TEXT_BYTES: usize = 4096;
/// The one text that is longer: a table of characters, in base 64.
const TABLE: &[u8] = b"\"precompiled_charsmap\":";

/// Whether no text of this JSON is longer than tokens are.
fn check_lengths(json: &[u8]) -> Result<(), String> {
    let mut at = 0;
    while let Some(begin) = memchr::memchr(b'"', &json[at..]).map(|found| at + found + 1) {
        let mut end = begin;
        while let Some(byte) = json.get(end).filter(|byte| **byte != b'"') {
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        let is_table = || json[..begin - 1].trim_ascii_end().ends_with(TABLE);
        if end - begin > MAX_TEXT_BYTES && !is_table() {
            return Err(format!("it has a token of {} bytes", end - begin));
        }
        at = (end + 1).min(json.len());
    }
    Ok(())
}

/// Reads a tokenizer, which then neither cuts nor pads: whoever uses it knows how long its texts are,
/// and a file may ask for terabytes.
///
/// # Errors
/// The file cannot be read or is no tokenizer.
pub(super) fn read(path: &Path) -> Result<Tokenizer, String> {
    let bytes = file::read(path).map_err(|e| e.to_string())?;
    check_lengths(&bytes)?;
    let read = guarded(|| {
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| e.to_string())?;
        tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
        tokenizer.with_padding(None);
        // Some faults show with the first text only.
        tokenizer.encode("a", true).map_err(|e| e.to_string())?;
        Ok(tokenizer)
    });
    read.map_err(|panicked| panicked.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_says_how_long_texts_are_made() {
        let tokenizer = r#"{"version": "1.0", "added_tokens": [], "normalizer": null,
            "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "truncation": {"max_length": 0, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 4398046511104}, "direction": "Right",
                "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"},
            "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, tokenizer).unwrap();
        assert_eq!(read(&path).unwrap().encode("a", true).unwrap().get_ids(), [0]);
    }

    #[test]
    fn only_the_table_of_characters_is_long() {
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        check_lengths(b"{\"a\\\"\\\\\": [\"b\", 1]}").unwrap();
        check_lengths(format!("{{\"precompiled_charsmap\": \"{long}\", \"a\": 1}}").as_bytes())
            .unwrap();
        for json in [
            format!("{{\"vocab\": [[\"{long}\", 0]]}}"),
            format!("[\"{long}"),
            format!("\"\\\"{long}"),
        ] {
            let said = check_lengths(json.as_bytes()).unwrap_err();
            assert!(said.contains("a token of 4"), "{said}");
        }
        check_lengths(b"\"\\").unwrap();
    }
}
