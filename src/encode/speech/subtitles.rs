//! Subtitles as text with times: `SubRip` and `WebVTT`, and plain text, which has no times.
//!
//! in: a file's text; out: what is said and when, without markup.
//! source: `WebVTT` (W3C Candidate Recommendation 2019), part 4; `SubRip` has no specification.

use std::fmt::Write as _;

use store::{TextSegment, TimedText};

/// What stands between a cue's two times.
const ARROW: &str = "-->";

/// Reads subtitles. Text without a single cue is one segment without times.
#[must_use]
pub fn parse(text: &str) -> TimedText {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let cues: Vec<(f32, f32, String)> = text
        .split("\n\n")
        .filter_map(|block| {
            let mut lines = block.lines().skip_while(|line| !line.contains(ARROW));
            let (start_secs, end_secs) = times(lines.next()?.trim())?;
            Some((start_secs, end_secs, lines.collect::<Vec<_>>().join("\n")))
        })
        .collect();
    if cues.is_empty() {
        return TimedText { segments: untimed(&text).into_iter().collect(), language: None };
    }
    of_cues(cues)
}

/// What cues say: start, end, and text with its markup.
pub fn of_cues(cues: impl IntoIterator<Item = (f32, f32, String)>) -> TimedText {
    let mut segments: Vec<TextSegment> = Vec::new();
    for (start_secs, end_secs, text) in cues {
        let words: Vec<String> = text.lines().map(plain).filter(|line| !line.is_empty()).collect();
        let text = words.join(" ");
        // Captions that roll up say each line twice.
        let is_new = segments.last().is_none_or(|last| last.text != text);
        if !text.is_empty() && is_new {
            segments.push(TextSegment { start_secs, end_secs, text });
        }
    }
    TimedText { segments, language: None }
}

/// A text as a `WebVTT` file. Segments without times are notes, which players pass over.
#[must_use]
pub fn webvtt(text: &TimedText) -> String {
    let mut out = "WEBVTT\n".to_owned();
    for TextSegment { start_secs, end_secs, text } in &text.segments {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace(ARROW, "→");
        let head = if end_secs > start_secs {
            format!("{} {ARROW} {}", clock(*start_secs), clock(*end_secs))
        } else {
            "NOTE no times are known".to_owned()
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "\n{head}\n{}\n", text.trim());
    }
    out
}

/// `01:02:03.450`
fn clock(secs: f32) -> String {
    let millis = (f64::from(secs).max(0.0) * 1e3).round() as u64;
    let (secs, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", secs / 3600, secs / 60 % 60, secs % 60)
}

/// A text of which nobody knows when it is said; `None` where it is blank.
fn untimed(text: &str) -> Option<TextSegment> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(TextSegment { start_secs: 0.0, end_secs: 0.0, text })
}

/// `00:01:02,500 --> 00:01:04.000 align:start`: both times in seconds.
fn times(line: &str) -> Option<(f32, f32)> {
    let (start, rest) = line.split_once(ARROW)?;
    let (start, end) = (secs(start.trim())?, secs(rest.split_whitespace().next()?)?);
    (end >= start).then_some((start, end))
}

/// `[hours:]minutes:seconds[.,]milliseconds`.
fn secs(time: &str) -> Option<f32> {
    let time = time.replace(',', ".");
    let mut sum = 0.0;
    let parts: Vec<&str> = time.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for part in parts {
        let number: f64 = part.parse().ok().filter(|number: &f64| *number >= 0.0)?;
        sum = sum * 60.0 + number;
    }
    Some(sum as f32).filter(|secs| secs.is_finite())
}

/// A line as it is said: no tags, no sounds in brackets, no notes, no dash of who speaks.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut closing: Vec<char> = Vec::new();
    for c in line.chars() {
        match c {
            '<' => closing.push('>'),
            '{' => closing.push('}'),
            '[' => closing.push(']'),
            '(' => closing.push(')'),
            c if closing.last() == Some(&c) => {
                closing.pop();
            }
            '♪' | '♫' | '#' => {}
            c if closing.is_empty() => out.push(c),
            _ => {}
        }
    }
    let out = out.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">");
    let out = out.replace("&amp;", "&").replace("\\N", " ");
    let said = out.trim().trim_start_matches(['-', '–', '—']).trim();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<(f32, f32, String)> {
        let segments = parse(text).segments.into_iter();
        segments.map(|s| (s.start_secs, s.end_secs, s.text)).collect()
    }

    #[test]
    fn subrip_is_read_with_its_times_and_without_its_markup() {
        let text = "\u{feff}1\r\n00:00:01,500 --> 00:00:03,000\r\n<i>- The detective</i>\r\n{\\an8}runs.\r\n\r\n\
                    2\r\n00:01:00,000 --> 00:01:02,250\r\n[thunder] (sighs) – Who's there?\r\n\r\n\
                    3\r\n01:00:00,000 --> 01:00:01,000\r\n[music]\r\n";
        assert_eq!(
            said(text),
            [
                (1.5, 3.0, "The detective runs.".to_owned()),
                (60.0, 62.25, "Who's there?".to_owned())
            ]
        );
    }

    #[test]
    fn webvtt_is_read_and_its_notes_and_styles_are_not() {
        let text = "WEBVTT - a title\nKind: captions\n\nNOTE --- not said\n\nSTYLE\n::cue { color: red }\n\n\
                    intro\n00:01.000 --> 00:02.500 align:start position:0%\n<v Roger>We &amp; you\n\n\
                    00:02.500 --> 00:04.000\nWe & you\n\n00:04.000 --> 00:05.000\n♪ go ♪\n";
        assert_eq!(
            said(text),
            [(1.0, 2.5, "We & you".to_owned()), (4.0, 5.0, "go".to_owned())],
            "what rolls up is said once"
        );
    }

    #[test]
    fn text_without_cues_is_one_segment_without_times() {
        let parsed = parse("in a world\n\nwhere nobody  knows");
        assert_eq!(parsed.segments.len(), 1);
        assert!(!parsed.segments[0].is_timed());
        assert_eq!(parsed.words(), "in a world where nobody knows");
        assert!(parse(" \n ").segments.is_empty());
    }

    #[test]
    fn what_is_written_as_webvtt_is_read_again() {
        let segment = |start_secs, end_secs, text: &str| TextSegment {
            start_secs,
            end_secs,
            text: text.to_owned(),
        };
        let text = TimedText {
            segments: vec![segment(0.5, 2.25, "Fish & chips"), segment(3725.0, 3726.5, "2 < 3")],
            language: None,
        };
        let written = webvtt(&text);
        assert!(written.starts_with("WEBVTT\n\n00:00:00.500 --> 00:00:02.250\nFish &amp; chips\n"));
        assert!(written.contains("\n01:02:05.000 --> 01:02:06.500\n"), "{written}");
        assert_eq!(parse(&written), text);
    }

    #[test]
    fn nonsense_is_passed_over() {
        for line in
            ["00:00 --> x", "1:2:3:4 --> 5:00", "00:05.000 --> 00:01.000", "-->", "nan:1 --> 2:2"]
        {
            assert_eq!(times(line), None, "{line}");
        }
        assert_eq!(times("99:59:59.999 --> 99:59:59.999"), Some((359_999.99, 359_999.99)));
    }
}
