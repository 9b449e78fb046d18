//! Where words go: progress bars, log lines, results and errors.

#![allow(clippy::print_stdout, clippy::print_stderr)] // this is where printing is done

use std::{
    borrow::Cow,
    fmt,
    io::{self, IsTerminal, Write},
    process,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::FmtSpan},
};

use super::Failure;
use crate::base::{Interrupt, Progress, words::steers};

/// Options of every command.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Say more; twice: everything, with the time that each piece of work took
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t, global = true)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For machines: one JSON object a line, one for each title that is extracted
    Json,
}

/// Prints, draws bars, hears Ctrl-C.
pub(super) struct Console {
    bars: MultiProgress,
    /// The work under way, innermost last.
    open: Mutex<Vec<ProgressBar>>,
    /// Raised by Ctrl-C.
    pub(super) interrupt: Interrupt,
    quiet: bool,
}

impl Console {
    /// Sets up logging and Ctrl-C; once a process.
    pub(super) fn new(args: &Args) -> Self {
        let bars = MultiProgress::new();
        let level = match (args.quiet, args.verbose) {
            (true, _) => "error",
            // For machines: also a line for each title.
            (false, 0) if args.log_format == LogFormat::Json => "info",
            (false, 0) => "warn",
            (false, 1) => "info",
            (false, _) => "debug",
        };
        let filter = EnvFilter::try_from_env("CINETAG_LOG")
            .unwrap_or_else(|_| EnvFilter::new(format!("error,cinetag={level}")));
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            // Twice verbose: how long each title, decoding and encoding took.
            .with_span_events(match args.verbose {
                0 | 1 => FmtSpan::NONE,
                _ => FmtSpan::CLOSE,
            })
            .with_writer(AboveBars { bars: bars.clone(), format: args.log_format })
            .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
        // An error here means that a test harness has set its own up already.
        let _ = match args.log_format {
            LogFormat::Text => subscriber.without_time().with_target(false).try_init(),
            LogFormat::Json => subscriber.json().try_init(),
        };
        let interrupt = Interrupt::of_process().clone();
        let raised = interrupt.clone();
        let above = bars.clone();
        let _ = ctrlc::set_handler(move || {
            if raised.is_raised() {
                process::exit(130);
            }
            raised.raise();
            let _ = above.println("finishing what is in hand; Ctrl-C again stops at once");
        });
        Self { bars, open: Mutex::new(Vec::new()), interrupt, quiet: args.quiet }
    }

    #[allow(clippy::unused_self)] // printing is what a console is for
    /// A line of data on standard output. A reader that went away ends the program quietly.
    pub(super) fn data(&self, text: impl AsRef<str>) {
        // What another program reads comes as it is.
        let is_seen = io::stdout().is_terminal();
        let text = text.as_ref();
        let text = if is_seen { visible(text) } else { text.into() };
        let line_end = if text.ends_with('\n') { "" } else { "\n" };
        let written = write!(io::stdout().lock(), "{text}{line_end}");
        if written.is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            process::exit(0);
        }
    }

    /// A line of words on standard error.
    pub(super) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.bars.suspend(|| eprintln!("{}", visible(text.as_ref())));
        }
    }

    /// The error with its causes and its mend.
    pub(super) fn failure(&self, failure: &Failure) {
        self.bars.suspend(|| {
            for (idx, message) in failure.messages.iter().enumerate() {
                let word = if idx == 0 { "error" } else { "because" };
                eprintln!("{word}: {}", visible(message));
            }
            if let Some(hint) = &failure.hint {
                eprintln!("hint: {}", visible(hint));
            }
        });
    }
}

impl Progress for Console {
    fn begin(&self, what: &str, total: Option<u64>) {
        let bar = match total {
            Some(total) => ProgressBar::new(total).with_style(style(
                "{prefix:<18} {bar:32} {human_pos:>7}/{human_len} {per_sec:>10} {eta:>5} left  {wide_msg}",
            )),
            None => ProgressBar::new_spinner()
                .with_style(style("{prefix:<18} {spinner} {human_pos} {elapsed}  {wide_msg}")),
        };
        let bar = if self.quiet { ProgressBar::hidden() } else { self.bars.add(bar) };
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(500));
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(bar);
    }

    fn advance(&self, num_items: u64) {
        if let Some(bar) = self.open.lock().unwrap_or_else(PoisonError::into_inner).last() {
            bar.inc(num_items);
        }
    }

    fn note(&self, text: &str) {
        if let Some(bar) = self.open.lock().unwrap_or_else(PoisonError::into_inner).last() {
            bar.set_message(visible(text).into_owned());
        }
    }

    fn end(&self) {
        if let Some(bar) = self.open.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            bar.finish_and_clear();
        }
    }
}

/// Words as a terminal may be given them: characters that steer it or turn the direction of
/// writing are spelt out. Names of films and files are other people's.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text.into();
    }
    let spelt = |c: char| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(spelt).collect::<String>().into()
}

/// A log line as [`visible`] words, but for the colours that it is written in; what a field quotes of
/// other people has its escapes spelt out by then. In JSON what is spelt out is a JSON escape.
fn harmless_line(line: &str, format: LogFormat) -> Cow<'_, str> {
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
                let _ = fmt::Write::write_fmt(&mut harmless, format_args!("\\u{:04x}", c as u32));
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

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Log lines go above the bars.
struct AboveBars {
    bars: MultiProgress,
    format: LogFormat,
}

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { bars: &self.bars, format: self.format, text: Vec::new() }
    }
}

/// One log line, written when it is whole.
struct Line<'a> {
    bars: &'a MultiProgress,
    format: LogFormat,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        // A log line that cannot be written is no reason to stop.
        let text = String::from_utf8_lossy(&self.text);
        let text = harmless_line(&text, self.format);
        let _ = self.bars.suspend(|| io::stderr().lock().write_all(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelt_out() {
        assert_eq!(visible("Am\u{e9}lie\n\t\u{5d0}"), "Am\u{e9}lie\n\t\u{5d0}");
        assert_eq!(visible("\x1b]0;x\x07\r"), "\\u{1b}]0;x\\u{7}\\u{d}");
        assert_eq!(visible("a\u{202e}fdp.\u{2066}"), "a\\u{202e}fdp.\\u{2066}");
        assert_eq!(visible("\u{9b}31m"), "\\u{9b}31m");
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
                    tracing::subscriber::with_default(subscriber.json().finish(), log)
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
