//! How much memory this process has used.

use std::{fs::File, sync::OnceLock};

use super::file;

/// Greatest resident size of this process so far, bytes; `None` where the system does not tell
/// (outside of Linux).
///
/// The first call opens the file that later calls read again: a process that gives up opening
/// files calls it once before.
///
/// source: `VmHWM` in `proc_pid_status`(5).
#[must_use]
pub fn peak_bytes() -> Option<u64> {
    static STATUS: OnceLock<Option<File>> = OnceLock::new();
    let status = STATUS.get_or_init(|| file::open("/proc/self/status").ok()).as_ref()?;
    let mut bytes = [0; 4096];
    let num_bytes = read_from_start(status, &mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes[..num_bytes]);
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(unix)]
fn read_from_start(file: &File, bytes: &mut [u8]) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn read_from_start(_file: &File, _bytes: &mut [u8]) -> std::io::Result<usize> {
    Ok(0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_touched_counts_also_after_it_was_given_back() {
        let before = peak_bytes().unwrap();
        let touched = vec![1_u8; 256 << 20];
        assert_eq!(std::hint::black_box(&touched)[touched.len() - 1], 1);
        drop(touched);
        let after = peak_bytes().unwrap();
        assert!(after >= 256 << 20 && after >= before, "{before} {after}");
    }
}
