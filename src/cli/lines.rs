//! Lines on standard error: words for people, or one JSON object a line for machines.
//!
//! A JSON line has the form of those that `tracing` writes:
//! `{"timestamp":…,"level":"INFO","fields":{"message":…, …},"target":"cinetag"}`.

#![allow(clippy::print_stderr)] // this is where printing is done

use std::{borrow::Cow, fmt::Write as _};

use clap::ValueEnum;
use indicatif::MultiProgress;
use serde_json::{Map, Value, json};

use super::Failure;
use crate::{base::words::steers, catalog::Problem};

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
    // What steers a terminal is written as JSON may write it: the text stays the same.
    let mut text = String::new();
    for c in line.to_string().chars() {
        if steers(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
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

#[cfg(test)]
mod tests {
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
}
