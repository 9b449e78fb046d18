//! What is said in each title's trailers, as a `WebVTT` file a title.
//!
//! in: tags with their transcripts; out: `FOLDER/<id>.vtt` for each title of which something is
//! known. A file that this program did not write is never replaced.

use std::{fs, io, path::PathBuf};

use super::{TagError, TagSink, format::Tagged};
use crate::{
    base::{Digest, file, publish_bytes},
    encode::speech::webvtt,
};

/// How every file begins.
const HEAD: &str = "WEBVTT made by cinetag\n";
/// What all `WebVTT` files begin with.
const MAGIC: &str = "WEBVTT\n";

/// Writes transcripts.
pub struct TranscriptSink {
    folder: PathBuf,
}

impl TranscriptSink {
    /// Into a folder, which is made where it is not there; its parent must be.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(folder: PathBuf) -> Result<Self, TagError> {
        if !folder.is_dir() {
            fs::create_dir(&folder).map_err(TagError::file(&folder))?;
        }
        Ok(Self { folder })
    }
}

impl TagSink for TranscriptSink {
    fn write(&mut self, _idx: usize, tagged: Tagged<'_>, _inputs: Digest) -> Result<(), TagError> {
        let Some(transcript) = &tagged.tags.transcript else { return Ok(()) };
        let path = self.folder.join(format!("{}.vtt", file_stem(tagged.title.id.as_str())));
        let text = webvtt(transcript);
        let text = format!("{HEAD}{}", text.strip_prefix(MAGIC).unwrap_or(&text));
        match file::read(&path) {
            Ok(there) if !there.starts_with(HEAD.as_bytes()) => {
                let message = "is there and was not written by cinetag; it is not replaced";
                let source = io::Error::new(io::ErrorKind::AlreadyExists, message);
                return Err(TagError::File { path, source });
            }
            Ok(there) if there == text.as_bytes() => return Ok(()),
            _ => {}
        }
        publish_bytes(&path, text.as_bytes()).map_err(TagError::file(path))
    }
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
    use super::*;
    use crate::{
        store::{TextSegment, TimedText},
        tag::testing::{tags_of, title_of},
    };

    fn write(folder: &std::path::Path, id: &str, words: &str) -> Result<(), TagError> {
        let (title, mut tags) = (title_of(id), tags_of(&["Crime"]));
        let segment = TextSegment { start_secs: 1.0, end_secs: 2.0, text: words.to_owned() };
        tags.transcript = Some(TimedText { segments: vec![segment], language: None });
        let mut sink = TranscriptSink::new(folder.to_owned())?;
        sink.write(0, Tagged { title: &title, tags: &tags }, Digest::of_bytes(b""))
    }

    #[test]
    fn a_transcript_is_a_webvtt_file_and_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("said");
        write(&folder, "film", "the detective").unwrap();
        let path = folder.join("film.vtt");
        let expected = "WEBVTT made by cinetag\n\n00:00:01.000 --> 00:00:02.000\nthe detective\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        write(&folder, "film", "the thief").unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("the thief"));
    }

    #[test]
    fn what_somebody_else_wrote_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.vtt");
        fs::write(&path, "WEBVTT\n\nby hand\n").unwrap();
        let error = write(folder.path(), "film", "the detective").unwrap_err();
        assert!(matches!(error, TagError::File { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "WEBVTT\n\nby hand\n");
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
