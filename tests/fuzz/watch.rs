//! Watching a child by the clocks, and telling what it died of.

use std::{
    fs,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use super::child;

/// An input that takes the processor for longer hangs.
pub const MAX_TIME: Duration = Duration::from_secs(10);
/// So does one that takes so many times that by the clock, whatever it waits for: on a busy machine a
/// child may get a small share of the processor.
const PATIENCE: u32 = 6;
/// What the first input may take: the child tries all seeds before.
const MAX_START: Duration = Duration::from_secs(120);

/// What an input did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its number in the child's count; `None` for a child that did not come so far.
    pub number: Option<u64>,
    /// The same for the same fault, as far as can be told.
    pub signature: String,
    /// The child's last words.
    pub words: String,
}

/// How a child ended.
pub struct End {
    /// `None` where it did all that it was to do, or its time was over.
    pub finding: Option<Finding>,
    /// The number after the last one that was begun.
    pub next: u64,
}

/// Folders that a child needs.
pub struct Places<'a> {
    pub seeds: &'a Path,
    pub scratch: &'a Path,
}

/// Runs a child until it ends, hangs, or `until` has come.
pub fn watch(
    target: &str,
    places: &Places<'_>,
    orders: &[String],
    until: Option<Instant>,
    max_time: Duration,
) -> End {
    fs::create_dir_all(places.scratch).expect("a folder to write to");
    let words = places.scratch.join("words");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([child::WORD, target])
        .args([places.seeds, places.scratch])
        .args(orders)
        .envs([("MALLOC_ARENA_MAX", "1"), ("RAYON_NUM_THREADS", "2")])
        .env("TMPDIR", places.scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&words).expect("a file to write to"))
        .spawn()
        .expect("a child");
    let mut said = child.stdout.take().expect("its words");
    let (sender, numbers) = channel();
    let reader = thread::spawn(move || {
        let mut number = [0; 8];
        while said.read_exact(&mut number).is_ok()
            && sender.send(u64::from_le_bytes(number)).is_ok()
        {}
    });
    let id = child.id();
    let (mut last, mut began, mut used) = (None, Instant::now(), Duration::ZERO);
    let hung = loop {
        let allowed = if last.is_some() { max_time } else { MAX_START };
        match numbers.recv_timeout(Duration::from_millis(100)) {
            Ok(number) => {
                // What waits in the pipe is older than what is being done.
                last = Some(numbers.try_iter().last().unwrap_or(number));
                (began, used) = (Instant::now(), processor_time(id));
            }
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => {
                let is_busy = processor_time(id).saturating_sub(used) > allowed;
                if is_busy || began.elapsed() > PATIENCE * allowed {
                    break true;
                }
            }
        }
        if until.is_some_and(|until| Instant::now() > until) {
            let _ = child.kill();
            let _ = child.wait();
            let _ = reader.join();
            return End { finding: None, next: last.map_or(0, |last| last + 1) };
        }
    };
    if hung {
        let _ = child.kill();
    }
    let status = child.wait().expect("a child that ended");
    let _ = reader.join();
    let words = fs::read(&words).unwrap_or_default();
    let words = String::from_utf8_lossy(&words[words.len().saturating_sub(2000)..]).into_owned();
    let signature = if hung { Some("hang".to_owned()) } else { signature(status, &words) };
    let finding = signature.map(|signature| Finding { number: last, signature, words });
    End { finding, next: last.map_or(0, |last| last + 1) }
}

/// What a process has used of the processor, as `/proc` tells it; nothing where there is none.
fn processor_time(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything, in parentheses; then fields 3 and on.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // Linux counts them in hundredths of a second for whoever reads them.
    Duration::from_millis(10 * ticks)
}

/// What a child died of; `None` where it ended well.
fn signature(status: ExitStatus, words: &str) -> Option<String> {
    if status.success() {
        return None;
    }
    if words.contains("memory allocation of") {
        return Some("memory".to_owned());
    }
    // A violated expectation of a target has its place in the targets, and the words differ.
    if let Some(place) = words.lines().rev().find_map(|line| line.split_once("panicked at ")) {
        let place = place.1.trim_end_matches(':');
        return Some(format!("panic at {place}"));
    }
    Some(match (status.signal(), words.contains("overflowed its stack")) {
        (_, true) => "stack".to_owned(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, _) => format!("exit {}", status.code().unwrap_or(-1)),
    })
}

/// A name for a file of the corpus.
pub fn file_name(signature: &str, input: &[u8]) -> PathBuf {
    let kind = signature.split(' ').next().unwrap_or("fault");
    let digest = cinetag::base::Digest::of_bytes(input).short();
    PathBuf::from(format!("{kind}-{}", &digest[..8]))
}
