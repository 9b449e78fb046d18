//! What is said in a film: subtitles without their times, screenplays as they are.
//!
//! source: SubRip (`.srt`: number, times with `-->`, text, blank line) and W3C, "WebVTT"
//! (header, notes, cue settings, voice tags).

use super::decode::decode;

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
}
