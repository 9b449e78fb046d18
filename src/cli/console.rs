//! Where words go: progress, log lines, results and errors.

#![allow(clippy::print_stdout)] // this is where printing is done

use std::{
    io::{self, IsTerminal, Write},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use base::{Interrupt, Progress};
use catalog::{Problem, Severity};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::FmtSpan},
};

use super::{
    Failure,
    lines::{Level, Lines, LogFormat, harmless_line, visible},
};

/// Progress for machines is told this often.
const JSON_PROGRESS: Duration = Duration::from_secs(5);

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

/// Prints, draws bars, hears Ctrl-C.
pub(super) struct Console {
    lines: Lines,
    /// The work under way, innermost last.
    open: Mutex<Vec<Work>>,
    /// Raised by Ctrl-C.
    pub(super) interrupt: Interrupt,
    quiet: bool,
    /// Whether an error was told.
    has_told: AtomicBool,
}

/// A piece of work.
struct Work {
    what: String,
    total: Option<u64>,
    bar: ProgressBar,
    /// When a machine was told of it.
    told: Instant,
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
        let lines = Lines { bars, format: args.log_format };
        let raised = interrupt.clone();
        let told = lines.clone();
        let _ = ctrlc::set_handler(move || {
            if raised.is_raised() {
                process::exit(130);
            }
            raised.raise();
            let text = "finishing what is in hand; Ctrl-C again stops at once";
            told.write(Level::Warning, text);
        });
        if args.log_format == LogFormat::Json {
            let lines = lines.clone();
            std::panic::set_hook(Box::new(move |panic| {
                lines.write(Level::Error, &format!("a bug of cinetag's: {panic}"));
            }));
        }
        Self {
            lines,
            open: Mutex::new(Vec::new()),
            interrupt,
            quiet: args.quiet,
            has_told: AtomicBool::new(false),
        }
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

    /// Words; not for who asked for quiet.
    pub(super) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.lines.write(Level::Info, text.as_ref());
        }
    }

    /// Something was not done: always told.
    pub(super) fn lost(&self, text: impl AsRef<str>) {
        self.has_told.store(true, Ordering::Relaxed);
        self.lines.write(Level::Error, text.as_ref());
    }

    /// The error with its causes and its mend: always told.
    pub(super) fn failure(&self, failure: &Failure) {
        self.has_told.store(true, Ordering::Relaxed);
        self.lines.failure(failure);
    }

    /// Tells how many rows of a catalog were left out; gives the exit code.
    pub(super) fn rows_left_out(&self, num_rows: usize) -> u8 {
        if num_rows == 0 {
            return 0;
        }
        self.lost(format!(
            "{num_rows} rows of the catalog were left out: `cinetag catalog check` lists them"
        ));
        super::SKIPPED
    }

    /// What is wrong with a row, by how much it costs.
    pub(super) fn problem(&self, problem: &Problem) {
        let level = match problem.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
            Severity::Note => Level::Info,
        };
        if level == Level::Error {
            self.has_told.store(true, Ordering::Relaxed);
        } else if self.quiet {
            return;
        }
        self.lines.problem(level, problem);
    }

    /// Sees to it that an exit code which is none of success does not stand alone.
    pub(super) fn explain(&self, code: u8) {
        if code == super::SKIPPED && !self.has_told.load(Ordering::Relaxed) {
            self.lost("done, but not for every title: some were skipped (exit code 3)");
        }
    }

    fn works(&self) -> std::sync::MutexGuard<'_, Vec<Work>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a piece of work is, for machines.
    fn tell(&self, work: &mut Work, state: &str) {
        if self.lines.format == LogFormat::Json && !self.quiet {
            work.told = Instant::now();
            let fields = [
                ("state", json!(state)),
                ("done", json!(work.bar.position())),
                ("total", json!(work.total)),
            ];
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
            self.lines.event(Level::Info, &work.what, fields.collect());
        }
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
        let is_drawn = !self.quiet && self.lines.format == LogFormat::Text;
        let bar = if is_drawn {
            let bar = self.lines.bars.add(bar);
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        } else {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
            bar
        };
        bar.set_prefix(what.to_owned());
        let mut work = Work { what: what.to_owned(), total, bar, told: Instant::now() };
        self.tell(&mut work, "begins");
        self.works().push(work);
    }

    fn advance(&self, num_items: u64) {
        if let Some(work) = self.works().last_mut() {
            work.bar.inc(num_items);
            if work.told.elapsed() >= JSON_PROGRESS {
                self.tell(work, "goes on");
            }
        }
    }

    fn note(&self, text: &str) {
        if let Some(work) = self.works().last() {
            work.bar.set_message(visible(text).into_owned());
        }
    }

    fn end(&self) {
        let ended = self.works().pop();
        if let Some(mut work) = ended {
            self.tell(&mut work, "ends");
            work.bar.finish_and_clear();
        }
    }
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
