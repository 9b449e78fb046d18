//! Runs a part as a process and takes its rows as they come.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::Row;
use rustix::process::{Pid, Signal, kill_process_group};

/// The rows of a part; one more where it ended otherwise than well. Lines that are no rows are
/// left alone; what it says to people is in `out/PART.log`.
pub fn rows(part: &str, command: &mut Command, out: &Path, limit: Duration) -> Vec<Row> {
    let (mut rows, log) = (Vec::new(), out.join(format!("{part}.log")));
    if let Err(error) = take(command, &log, limit, &mut rows) {
        let said = fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().filter(|line| !line.is_empty()).take(2).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        rows.push(Row::broken(part, "the part itself", format!("{error}: {last}")));
    }
    rows
}

fn take(
    command: &mut Command,
    log: &Path,
    limit: Duration,
    rows: &mut Vec<Row>,
) -> Result<(), super::Fail> {
    let end = Instant::now() + limit;
    // A group of its own: what it has started ends with it.
    command.stdout(Stdio::piped()).stderr(File::create(log)?).stdin(Stdio::null()).process_group(0);
    let mut child = command.spawn()?;
    let (lines, taken) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            let said = BufReader::new(output).lines().map_while(Result::ok);
            said.for_each(|line| drop(lines.send(line)));
        });
    }
    loop {
        match taken.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => rows.extend(serde_json::from_str::<Row>(&line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if let Some(group) = Pid::from_raw(child.id() as i32) {
                    kill_process_group(group, Signal::KILL)?;
                }
                child.wait()?;
                return Err(format!("was ended after {:.0} s", limit.as_secs_f64()).into());
            }
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("ended with {status}").into()) }
}
