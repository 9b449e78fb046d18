//! How much memory this process has used.

/// Greatest resident size of this process so far, bytes; `None` where the system does not tell
/// (outside of Linux).
///
/// source: `VmHWM` in `proc_pid_status(5)`.
#[must_use]
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
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
