//! What is said in a film: subtitles without their times, screenplays as they are; and which
//! subtitles are a trailer's.
//!
//! source: SubRip (`.srt`: number, times with `-->`, text, blank line) and W3C, "WebVTT"
//! (header, notes, cue settings, voice tags). Names: Jellyfin documentation, "External subtitles
//! and audio tracks" (`FILM.en.sdh.srt`); yt-dlp (`FILM.en-US.vtt`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{decode::decode, media_kind::has_extension};

/// Endings of subtitle files that can be read, the better known first.
const EXTENSIONS: [&str; 2] = ["srt", "vtt"];
/// Between a trailer's name and the extension, in folders too large to look through.
const USUAL_TAGS: [&str; 4] = ["en.", "eng.", "en-US.", ""];
/// Files of a folder that are looked through for each trailer.
const MANY_FILES: usize = 2000;
/// What may stand in a name beside the language.
const FLAGS: [&str; 6] = ["default", "sdh", "cc", "hi", "full", "orig"];

/// The subtitles beside a trailer: of its name, with or without a language (`X.srt`, `X.vtt`,
/// `X.en.srt`, `X.eng.vtt`, `X.en-US.sdh.srt`), letter case aside. English ones go first, then
/// those that name no language, then any. `None` where there are none; subtitles that are
/// `forced`, of foreign words alone, are passed over.
///
/// Looks through the trailer's folder each time; in one of more than two thousand files, where that
/// would take as long as the folder is large for each of them, it tries the usual names.
#[must_use]
pub fn subtitles_of(trailer: &Path) -> Option<PathBuf> {
    let stem = trailer.file_stem()?.to_str()?.to_lowercase();
    let folder = trailer.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let entries: Vec<fs::DirEntry> = entries.flatten().take(MANY_FILES + 1).collect();
    if entries.len() > MANY_FILES {
        return usual_names(trailer).find(|path| path.is_file());
    }
    let rank = |path: &Path| {
        let place = EXTENSIONS.iter().position(|extension| has_extension(path, &[extension]))?;
        let own = path.file_stem()?.to_str()?.to_lowercase();
        let tags = own.strip_prefix(&stem)?;
        let language = match tags.strip_prefix('.') {
            Some(tags) => language_rank(tags)?,
            None if tags.is_empty() => Language::Unsaid,
            None => return None,
        };
        Some((language, tags.len(), place))
    };
    let name_of = |entry: fs::DirEntry| match folder {
        Some(folder) => folder.join(entry.file_name()),
        None => entry.file_name().into(),
    };
    entries
        .into_iter()
        .map(name_of)
        .filter_map(|path| Some((rank(&path)?, path)))
        .filter(|(_, path)| path.is_file())
        .min()
        .map(|(_, path)| path)
}

/// The names that subtitles of a trailer mostly have, the best first.
fn usual_names(trailer: &Path) -> impl Iterator<Item = PathBuf> {
    let names = USUAL_TAGS.iter().flat_map(|tag| EXTENSIONS.map(|ext| format!("{tag}{ext}")));
    names.map(|ending| trailer.with_extension(ending))
}

/// The best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Language {
    English,
    Unsaid,
    Other,
}

/// The language that tags in lower case name (`en`, `eng.sdh`, `en-us`, `english`); `None` where
/// they are no tags of subtitles: `X.trailer.srt` is not for `X.mp4`.
fn language_rank(tags: &str) -> Option<Language> {
    let mut language = Language::Unsaid;
    for tag in tags.split('.').filter(|tag| !FLAGS.contains(tag)) {
        let code = tag.split(['-', '_']).next().unwrap_or_default();
        language = match code {
            "en" | "eng" | "english" => Language::English,
            _ if (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase()) => {
                language.max(Language::Other)
            }
            _ => return None,
        };
        if language == Language::English {
            break;
        }
    }
    let is_forced = tags.split('.').any(|tag| ["forced", "foreign"].contains(&tag));
    (!is_forced).then_some(language)
}

/// The words of a subtitle file (`.srt`, `.vtt`): one line a cue, without numbers, times, tags,
/// and without what describes sounds (`[door slams]`); a line that is repeated by the next cue
/// comes once.
pub(super) fn dialogue(bytes: &[u8]) -> Option<String> {
    let text = decode(bytes, None).replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = Vec::new();
    for block in text.split("\n\n") {
        let mut inside = block.lines().skip_while(|line| !line.contains("-->"));
        if inside.next().is_none() {
            continue;
        }
        let words: Vec<String> =
            inside.map(spoken).filter(|line| line.chars().any(char::is_alphanumeric)).collect();
        let line = words.join(" ");
        if !line.is_empty() && lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The text of a screenplay.
pub(super) fn screenplay(bytes: &[u8]) -> Option<String> {
    let text = decode(bytes, None);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A line without `<tags>`, `{positions}`, `[sounds]`, `♪` and the dash of a speaker.
fn spoken(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut closing = None;
    for c in line.chars() {
        match (closing, c) {
            (None, '<') => closing = Some('>'),
            (None, '{') => closing = Some('}'),
            (None, '[') => closing = Some(']'),
            (None, '♪' | '♫') => {}
            (None, c) => out.push(c),
            (Some(end), c) if c == end => closing = None,
            (Some(_), _) => {}
        }
    }
    out.trim().trim_start_matches(['-', '–']).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_left_and_nothing_else() {
        let srt = "\u{feff}1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Who is there?</i>\r\n- Nobody.\r\n\r\n\
                   2\r\n00:00:03,000 --> 00:00:04,000\r\n[door slams]\r\n\r\n\
                   3\r\n00:00:05,000 --> 00:00:06,000\r\n{\\an8}42.\r\n";
        assert_eq!(dialogue(srt.as_bytes()).unwrap(), "Who is there? Nobody.\n42.");
        let vtt = "WEBVTT\n\nNOTE not said\n\n00:01.000 --> 00:02.000 align:start\n<v Ida>Who is there?\n\n\
                   00:02.000 --> 00:03.000\nWho is there?\n\n00:04.000 --> 00:05.000\n♪ ♪\n";
        assert_eq!(dialogue(vtt.as_bytes()).unwrap(), "Who is there?");
        assert_eq!(dialogue(b"no subtitles at all"), None);
        assert_eq!(dialogue(b""), None);
        let latin = b"1\n00:00:01,000 --> 00:00:02,000\nCaf\xe9\n";
        assert_eq!(dialogue(latin).unwrap(), "Café");
        assert_eq!(screenplay(b"  INT. HOUSE\n").as_deref(), Some("INT. HOUSE"));
    }

    #[test]
    fn in_a_folder_of_very_many_files_the_usual_names_are_tried() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for idx in 0..=MANY_FILES {
            fs::write(file(&format!("{idx:04}.mp4")), "").unwrap();
        }
        assert_eq!(subtitles_of(&file("0001.mp4")), None);
        for name in ["0001.srt", "0001.eng.vtt", "0002.vtt", "0003.de.srt"] {
            fs::write(file(name), "").unwrap();
        }
        assert_eq!(subtitles_of(&file("0001.mp4")), Some(file("0001.eng.vtt")));
        assert_eq!(subtitles_of(&file("0002.mp4")), Some(file("0002.vtt")));
        assert_eq!(subtitles_of(&file("0003.mp4")), None);
    }

    #[test]
    fn a_trailers_subtitles_are_found_in_english_first() {
        let folder = tempfile::tempdir().unwrap();
        let found = |files: &[&str]| {
            let inside = tempfile::tempdir_in(folder.path()).unwrap();
            for file in files {
                fs::write(inside.path().join(file), "").unwrap();
            }
            let found = subtitles_of(&inside.path().join("X (1995)-trailer.mp4"));
            found.map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        };
        let of = |tags: &str| format!("X (1995)-trailer{tags}");
        for (files, expected) in [
            (&[".srt", ".vtt"][..], ".srt"),
            (&[".de.srt", ".vtt", ".en.vtt"], ".en.vtt"),
            (&[".de.srt", ".vtt"], ".vtt"),
            (&[".fr.srt", ".de.srt"], ".de.srt"),
            (&[".EN-US.SDH.SRT"], ".EN-US.SDH.SRT"),
            (&[".eng.srt", ".english.cc.vtt"], ".eng.srt"),
            (&[".en.forced.srt", ".de.srt"], ".de.srt"),
            (&[".sdh.srt", ".de.srt"], ".sdh.srt"),
        ] {
            let files: Vec<String> = files.iter().map(|tags| of(tags)).collect();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            assert_eq!(found(&files), Some(of(expected)), "{files:?}");
        }
        assert_eq!(found(&["x (1995)-TRAILER.srt"]).as_deref(), Some("x (1995)-TRAILER.srt"));
        let others = ["X (1995).srt", "X (1995)-trailer2.srt", "X (1995)-trailer.trailer.srt"];
        assert_eq!(found(&others), None);
        assert_eq!(found(&["X (1995)-trailer.en.forced.srt", "X (1995)-trailer.txt"]), None);
        assert_eq!(subtitles_of(Path::new("no/such/X.mp4")), None);
    }
}
