//! What is said in each title's trailers, as a `WebVTT` file a title.
//!
//! in: tags with their transcripts; out: `FOLDER/<id>.vtt` for each title of which something is
//! known. The first line has a digest of the rest: a file that this program did not write, or that
//! somebody has corrected since, is left alone.

use std::path::PathBuf;

use base::{Digest, file, publish_bytes};
use encode::speech::webvtt;

use super::{TagSink, WriteError, format::Tagged};

/// How every file begins; a digest of what is behind the line ends it.
const HEAD: &str = "WEBVTT made by cinetag, sha256 ";
/// What all `WebVTT` files begin with.
const MAGIC: &str = "WEBVTT\n";

/// Writes transcripts.
pub struct TranscriptSink {
    folder: PathBuf,
    overwrite: bool,
    left: Vec<PathBuf>,
}

impl TranscriptSink {
    /// Into a folder that is there; with `overwrite` files of others are replaced.
    #[must_use]
    pub fn new(folder: PathBuf, overwrite: bool) -> Self {
        Self { folder, overwrite, left: Vec::new() }
    }

    /// Files of others that were left alone.
    #[must_use]
    pub fn left(&self) -> &[PathBuf] {
        &self.left
    }
}

impl TagSink for TranscriptSink {
    fn write(
        &mut self,
        _idx: usize,
        tagged: Tagged<'_>,
        _inputs: Digest,
    ) -> Result<(), WriteError> {
        let Some(transcript) = &tagged.tags.transcript else { return Ok(()) };
        let path = self.folder.join(format!("{}.vtt", file_stem(tagged.title.id.as_str())));
        let text = webvtt(transcript);
        let text = signed(text.strip_prefix(MAGIC).unwrap_or(&text));
        match file::read(&path) {
            Ok(there) if there == text.as_bytes() => return Ok(()),
            Ok(there) if !self.overwrite && !is_own(&there) => {
                self.left.push(path);
                return Ok(());
            }
            _ => {}
        }
        publish_bytes(&path, text.as_bytes()).map_err(WriteError::file(path))
    }
}

fn signed(rest: &str) -> String {
    format!("{HEAD}{}\n{rest}", Digest::of_bytes(rest.as_bytes()))
}

/// Whether a file is as it was written; an empty one is nobody's.
fn is_own(there: &[u8]) -> bool {
    there.is_empty()
        || std::str::from_utf8(there).is_ok_and(|there| {
            let rest = there.split_once('\n').map_or("", |(_, rest)| rest);
            there == signed(rest)
        })
}

/// An id as a file's name; one that had to be changed has a digest behind it, so that no two titles
/// share a file.
fn file_stem(id: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || " ._-()".contains(c);
    let plain: String = id.chars().map(|c| if is_plain(c) { c } else { '_' }).take(120).collect();
    if plain == id && !plain.starts_with('.') {
        return plain;
    }
    let plain = plain.trim_start_matches('.');
    format!("{plain}-{}", Digest::of_bytes(id.as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use store::{TextSegment, TimedText};

    use super::*;
    use crate::testing::{tags_of, title_of};

    fn write(folder: &Path, id: &str, words: &str, overwrite: bool) -> Vec<PathBuf> {
        let (title, mut tags) = (title_of(id), tags_of(&["Crime"]));
        let segment = TextSegment { start_secs: 1.0, end_secs: 2.0, text: words.to_owned() };
        tags.transcript = Some(TimedText { segments: vec![segment], language: None });
        let mut sink = TranscriptSink::new(folder.to_owned(), overwrite);
        sink.write(0, Tagged { title: &title, tags: &tags }, Digest::of_bytes(b"")).unwrap();
        sink.left().to_vec()
    }

    #[test]
    fn a_transcript_is_a_webvtt_file_and_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.vtt");
        for words in ["the detective", "the thief"] {
            assert!(write(folder.path(), "film", words, false).is_empty());
            let text = fs::read_to_string(&path).unwrap();
            let (head, rest) = text.split_once('\n').unwrap();
            assert!(head.starts_with("WEBVTT made by cinetag, sha256 "), "{head}");
            assert_eq!(rest, format!("\n00:00:01.000 --> 00:00:02.000\n{words}\n"));
        }
    }

    #[test]
    fn what_somebody_wrote_or_corrected_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.vtt");
        write(folder.path(), "film", "the detective", false);
        let corrected = fs::read_to_string(&path).unwrap().replace("the", "one");
        for text in [corrected.as_str(), "WEBVTT\n\nby hand\n"] {
            fs::write(&path, text).unwrap();
            let left = write(folder.path(), "film", "the thief", false);
            assert_eq!(left, std::slice::from_ref(&path));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(write(folder.path(), "film", "the thief", true).is_empty());
        assert!(fs::read_to_string(&path).unwrap().contains("the thief"));
    }

    #[test]
    fn no_id_leads_out_of_the_folder_or_to_the_file_of_another() {
        assert_eq!(file_stem("Alien (1979)"), "Alien (1979)");
        for id in ["../up", "a/b", "a:b", ".hidden", ".."] {
            let stem = file_stem(id);
            assert!(!stem.starts_with('.') && !stem.contains(['/', ':']), "{stem}");
        }
        assert_ne!(file_stem("a/b"), file_stem("a:b"));
    }
}
