//! Lines on standard error: words for people, or one JSON object a line for machines.
//!
//! A JSON line has the form of those that `tracing` writes:
//! `{"timestamp":…,"level":"INFO","fields":{"message":…, …},"target":"cinetag"}`.

#![allow(clippy::print_stderr)] // this is where printing is done

use std::{borrow::Cow, fmt::Write as _};

use base::words::steers;
use catalog::Problem;
use clap::ValueEnum;
use indicatif::MultiProgress;
use serde_json::{Map, Value, json};

use super::Failure;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For machines: one JSON object a line, one for each title that is extracted
    Json,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    /// As `tracing` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Writes lines, above the bars where there are some.
#[derive(Clone)]
pub(super) struct Lines {
    pub(super) bars: MultiProgress,
    pub(super) format: LogFormat,
}

impl Lines {
    /// One message.
    pub(super) fn write(&self, level: Level, message: &str) {
        match self.format {
            LogFormat::Text => self.bars.suspend(|| eprintln!("{}", visible(message))),
            LogFormat::Json => self.event(level, message, Map::new()),
        }
    }

    /// One message with what belongs to it, for machines.
    pub(super) fn event(&self, level: Level, message: &str, fields: Map<String, Value>) {
        self.bars.suspend(|| eprintln!("{}", json_line(level, message, fields)));
    }

    /// What is wrong with a catalog's row.
    pub(super) fn problem(&self, level: Level, problem: &Problem) {
        if self.format == LogFormat::Text {
            return self.write(level, &problem.to_string());
        }
        let fields = match serde_json::to_value(problem) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let fields =
            fields.into_iter().filter(|(name, value)| name != "message" && !value.is_null());
        self.event(level, &problem.message, fields.collect());
    }

    /// An error with its causes and its mend.
    pub(super) fn failure(&self, failure: &Failure) {
        let mut messages = failure.messages.iter();
        if self.format == LogFormat::Text {
            self.bars.suspend(|| {
                for (idx, message) in messages.enumerate() {
                    let word = if idx == 0 { "error" } else { "because" };
                    eprintln!("{word}: {}", visible(message));
                }
                if let Some(hint) = &failure.hint {
                    eprintln!("hint: {}", visible(hint));
                }
            });
            return;
        }
        let message = messages.next().map_or("", String::as_str);
        let mut fields = Map::new();
        let causes: Vec<&String> = messages.collect();
        if !causes.is_empty() {
            fields.insert("because".to_owned(), json!(causes));
        }
        if let Some(hint) = &failure.hint {
            fields.insert("hint".to_owned(), json!(hint));
        }
        fields.insert("exit_code".to_owned(), json!(failure.code));
        self.event(Level::Error, message, fields);
    }
}

/// A line for machines, without its end.
pub(super) fn json_line(level: Level, message: &str, more: Map<String, Value>) -> String {
    let mut fields = Map::from_iter([("message".to_owned(), json!(message))]);
    fields.extend(more);
    let line = json!({
        "timestamp": jiff::Timestamp::now().to_string(),
        "level": level.name(),
        "fields": fields,
        "target": "cinetag",
    });
    harmless_line(&line.to_string(), LogFormat::Json).into_owned()
}

/// Words as a terminal may be given them: characters that steer it or turn the direction of
/// writing are spelt out. Names of films and files are other people's.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text.into();
    }
    let spelt = |c: char| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(spelt).collect::<String>().into()
}

/// A log line as [`visible`] words, but for the colours that it is written in; what a field quotes of
/// other people has its escapes spelt out by then. In JSON what is spelt out is a JSON escape.
pub(super) fn harmless_line(line: &str, format: LogFormat) -> Cow<'_, str> {
    if !line.contains(steers) {
        return line.into();
    }
    let mut harmless = String::with_capacity(line.len() + 16);
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let colour = if format == LogFormat::Text { colour_in_front(rest) } else { 0 };
        let len = if colour > 0 { colour } else { c.len_utf8() };
        match (steers(c) && colour == 0, format) {
            (true, LogFormat::Text) => harmless.extend(c.escape_unicode()),
            // All of them are of the first plane.
            (true, LogFormat::Json) => {
                // Writing to a String cannot fail.
                let _ = write!(harmless, "\\u{:04x}", c as u32);
            }
            (false, _) => harmless.push_str(&rest[..len]),
        }
        rest = &rest[len..];
    }
    harmless.into()
}

/// Bytes of the sequence in front that sets a colour and does nothing else; 0 where there is none.
fn colour_in_front(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\x1b[") else { return 0 };
    let len = numbers.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if numbers[len..].starts_with('m') { "\x1b[".len() + len + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelt_out() {
        assert_eq!(visible("Am\u{e9}lie\n\t\u{5d0}"), "Am\u{e9}lie\n\t\u{5d0}");
        assert_eq!(visible("\x1b]0;x\x07\r"), "\\u{1b}]0;x\\u{7}\\u{d}");
        assert_eq!(visible("a\u{202e}fdp.\u{2066}"), "a\\u{202e}fdp.\\u{2066}");
        assert_eq!(visible("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn a_line_for_machines_is_one_line_and_keeps_every_character() {
        let message = "a\nb\u{202e}c\u{9b}31m \x1b[0m \"q\" \u{1f39e}";
        let line = json_line(Level::Error, message, Map::from_iter([("n".to_owned(), json!(3))]));
        assert!(!line.contains(|c: char| steers(c) || c == '\n'), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["fields"]["message"], message);
        assert_eq!((&read["fields"]["n"], &read["level"]), (&json!(3), &json!("ERROR")));
    }

    #[test]
    fn log_lines_keep_their_colours_and_nothing_else_that_steers() {
        let text = |line| harmless_line(line, LogFormat::Text).into_owned();
        assert_eq!(text("\x1b[33m WARN\x1b[0m a\u{202e}b\n"), "\x1b[33m WARN\x1b[0m a\\u{202e}b\n");
        assert_eq!(text("\x1b]0;x\x07\x1b[2J\x1b[1;1H"), "\\u{1b}]0;x\\u{7}\\u{1b}[2J\\u{1b}[1;1H");
        let json = harmless_line("{\"a\":\"\u{202e}\u{7f}\u{9b}\"}\n", LogFormat::Json);
        assert_eq!(json, "{\"a\":\"\\u202e\\u007f\\u009b\"}\n");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["a"], "\u{202e}\u{7f}\u{9b}");
    }

    #[test]
    fn what_is_logged_of_others_comes_out_harmless_in_colour_and_in_json() {
        let name = "film\x1b[2J\u{202e}gpj.\x07";
        for (format, ansi) in
            [(LogFormat::Text, true), (LogFormat::Text, false), (LogFormat::Json, false)]
        {
            let lines: Arc<Mutex<Vec<u8>>> = Arc::default();
            let sink = lines.clone();
            let subscriber =
                tracing_subscriber::fmt().with_ansi(ansi).with_writer(move || Kept(sink.clone()));
            let log = || tracing::warn!(path = %name, words = name, "cannot read {name}");
            match format {
                LogFormat::Text => tracing::subscriber::with_default(subscriber.finish(), log),
                LogFormat::Json => {
                    tracing::subscriber::with_default(subscriber.json().finish(), log);
                }
            }
            let line = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
            assert!(line.contains("film"), "{line}");
            let harmless = harmless_line(&line, format);
            let plain = harmless.replace("\x1b[", "");
            assert!(!plain.contains(steers), "{harmless:?}");
            assert!(!harmless.contains("\x1b[2J"), "{harmless:?}");
        }
    }

    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
