//! A decode worker is asked for everything that it may not do, and its parent for what it may not use.

use std::{fs, path::Path, process::Command, time::Duration};

use cinetag::media::{DecodePool, MediaError, Picture, PoolSettings, ReasonCode};

use super::media::{misbehaving, pool_of, still, write_png};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a worker says that misbehaves so; `None` where this system cannot hold it.
fn said(folder: &Path, fault: &str) -> Option<(ReasonCode, String)> {
    let path = folder.join("trap.png");
    write_png(&path);
    let pool = pool_of(misbehaving(folder, fault), PATIENCE);
    if !pool.sandbox().seccomp {
        println!("this system's sandbox is {}: nothing to be tested", pool.sandbox());
        return None;
    }
    let failure = pool.decode(&still(path)).take::<Picture>(0).unwrap_err();
    Some((failure.code, failure.detail))
}

/// Every number to 600, with the lists' exceptions, in a worker as it decodes.
#[test]
fn a_worker_is_answered_no_call_that_is_not_on_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_, detail)) = said(folder.path(), "calls:trap") else { return };
    let Some(num_deadly) = detail.strip_prefix("answered: [] of ") else { panic!("{detail}") };
    let num_deadly: usize = num_deadly.strip_suffix(" deadly").unwrap().parse().unwrap();
    assert!(num_deadly > 20);
    // What is deadly ends the worker, and costs its title only.
    for place in 0..num_deadly {
        let folder = tempfile::tempdir().unwrap();
        let fault = format!("calls:trap CINETAG_FAULT_DEADLY={place}");
        let (code, detail) = said(folder.path(), &fault).unwrap();
        assert_eq!(code, ReasonCode::WorkerCrashed, "{place}: {detail}");
        assert!(detail.contains("signal: 31"), "{place}: {detail}");
    }
}

/// A program of the shell's. Another process writes it: one that this process has open for writing
/// could not be started.
fn script(program: &Path, text: &str) {
    let status = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", text])
        .arg(program)
        .status()
        .unwrap();
    assert!(status.success());
}

/// A program that greets as a worker does; the byte tells its sandbox.
fn greeter(folder: &Path, sandbox: u8) -> PoolSettings {
    let program = folder.join(format!("greeter-{sandbox}.sh"));
    let text = format!("#!/bin/sh\nprintf 'cinetag-decode 4\\{sandbox:03o}\\000'\nexec cat >&2\n");
    script(&program, &text);
    let program = Some(program);
    PoolSettings { jobs: 1, program, require_sandbox: true, ..PoolSettings::default() }
}

#[test]
fn a_sandbox_that_is_required_is_there_or_nothing_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    for sandbox in [0, 1, 2] {
        let refused = DecodePool::new(greeter(folder.path(), sandbox)).err().unwrap();
        assert!(matches!(refused, MediaError::NoSandbox { .. }), "{sandbox}: {refused}");
        let settings = PoolSettings { require_sandbox: false, ..greeter(folder.path(), sandbox) };
        assert!(DecodePool::new(settings).is_ok());
    }
    assert!(DecodePool::new(greeter(folder.path(), 3)).is_ok());
}

/// Limits that a worker has, as the kernel tells them.
#[test]
fn a_worker_can_raise_no_limit_and_knows_no_variable() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("worker.sh");
    let told = folder.path().join("told");
    let text = format!(
        "#!/bin/sh\necho $$ > '{0}.pid'\n/usr/bin/env > '{0}.env'\nexec '{1}' \"$@\"\n",
        told.display(),
        env!("CARGO_BIN_EXE_cinetag")
    );
    script(&program, &text);
    let pool = DecodePool::new(PoolSettings { program: Some(program), ..PoolSettings::default() });
    let pool = pool.unwrap();
    let read = |ending: &str| fs::read_to_string(told.with_extension(ending)).unwrap();
    assert!(std::env::var_os("PATH").is_some());
    // The shell sets some of its own.
    assert!(!read("env").lines().any(|line| line.starts_with("HOME=")), "{}", read("env"));
    let limits = fs::read_to_string(format!("/proc/{}/limits", read("pid").trim())).unwrap();
    let of = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let mut numbers = line[name.len()..].split_whitespace();
        [numbers.next().unwrap().to_owned(), numbers.next().unwrap().to_owned()]
    };
    let memory = pool.settings().limits.memory_bytes.to_string();
    assert_eq!(of("Max address space"), [memory.clone(), memory]);
    assert_eq!(of("Max core file size"), ["0", "0"]);
    assert_eq!(of("Max file size"), ["0", "0"]);
}
