//! A command line that cannot be understood, told as the command line asks.

use std::{env, ffi::OsString, process::ExitCode};

use serde_json::{Map, json};

use super::lines::{Level, Lines, LogFormat};

/// Prints what clap says (a help text goes to standard output) and gives the exit code.
pub(super) fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && asks_for_json(env::args_os()) {
        let (message, fields) = told(&error.render().to_string(), error.exit_code());
        let lines = Lines { bars: indicatif::MultiProgress::new(), format: LogFormat::Json };
        lines.event(Level::Error, &message, fields);
    } else {
        // A reader that went away is no reason to say more.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Whether the words ask for JSON, though they could not be understood.
fn asks_for_json(words: impl Iterator<Item = OsString>) -> bool {
    let words: Vec<OsString> = words.take_while(|word| word != "--").collect();
    let flag = "--log-format";
    words.iter().any(|word| word.to_str() == Some("--log-format=json"))
        || words.windows(2).any(|pair| pair[0] == flag && pair[1] == "json")
}

/// clap's text taken apart: the message, and what it adds.
fn told(text: &str, exit_code: i32) -> (String, Map<String, serde_json::Value>) {
    let mut message = Vec::new();
    let mut fields = Map::new();
    for part in text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(tip) = part.strip_prefix("tip: ") {
            fields.insert("hint".to_owned(), json!(tip));
        } else if let Some(usage) = part.strip_prefix("Usage: ") {
            fields.insert("usage".to_owned(), json!(usage));
        } else if !part.starts_with("For more information") {
            message.push(part.strip_prefix("error: ").unwrap_or(part));
        }
    }
    fields.insert("exit_code".to_owned(), json!(exit_code));
    (message.join("\n\n"), fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claps_words_are_taken_apart() {
        let text = "error: unrecognized subcommand 'rnu'\n\n  tip: a similar subcommand exists: \
                    'run'\n\nUsage: cinetag [OPTIONS] <COMMAND>\n\nFor more information, try \
                    '--help'.\n";
        let (message, fields) = told(text, 2);
        assert_eq!(message, "unrecognized subcommand 'rnu'");
        assert_eq!(fields["hint"], "a similar subcommand exists: 'run'");
        assert_eq!(fields["usage"], "cinetag [OPTIONS] <COMMAND>");
        assert_eq!(fields["exit_code"], 2);
    }

    #[test]
    fn json_is_asked_for_in_either_way_before_the_dashes() {
        let asks = |words: &str| asks_for_json(words.split(' ').map(OsString::from));
        assert!(asks("cinetag --log-format json dance"));
        assert!(asks("cinetag dance --log-format=json"));
        assert!(!asks("cinetag dance --log-format text"));
        assert!(!asks("cinetag tag -- --log-format=json"));
        assert!(!asks("cinetag json"));
    }
}
