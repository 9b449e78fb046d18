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

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use super::{Row, Setup};

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

/// What computes here.
pub fn machine(setup: &Setup) -> Value {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|s| !s.is_empty())
    };
    json!({
        "device": setup.device,
        "gpu": said("nvidia-smi", &["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]),
        "cpu": said("sh", &["-c", "grep -m 1 'model name' /proc/cpuinfo | cut -d : -f 2"]),
        "cores": thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "cpu_kernels": cinetag::nn::device::cpu_kernels(),
        "cinetag": env!("CARGO_PKG_VERSION"),
    })
}
