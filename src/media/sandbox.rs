//! What a decode worker gives up before it touches a file.
//!
//! A worker gets each file as an open handle (`handover`), so it needs to open none
//! itself. On Linux it therefore takes from itself, for good: every file and folder (landlock,
//! and the system calls that open or change them), the network, and starting other processes
//! (seccomp). A call that is taken away fails with "not permitted"; it does not kill the
//! worker, so that a library which asks for something it can do without still works.
//!
//! A worker that decodes with hardware keeps reading what drivers read while they work: the
//! system's libraries and devices. All else is taken from it too.
//!
//! source: landlock(7), seccomp(2).

use std::fmt;

/// What holds a worker; each part is absent where the system lacks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// landlock: no file or folder, no TCP port.
    pub landlock: bool,
    /// seccomp: no call that opens a file, a socket or a process.
    pub seccomp: bool,
}

impl Sandbox {
    /// Everything that there is.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.landlock && self.seccomp
    }

    pub(super) fn to_byte(self) -> u8 {
        u8::from(self.landlock) | u8::from(self.seccomp) << 1
    }

    pub(super) fn from_byte(byte: u8) -> Self {
        Self { landlock: byte & 1 != 0, seccomp: byte & 2 != 0 }
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.landlock, self.seccomp) {
            (true, true) => "landlock and seccomp",
            (true, false) => "landlock only",
            (false, true) => "seccomp only",
            (false, false) => "none (time and memory are limited all the same)",
        })
    }
}

/// Gives up what is not needed; says what the system took.
#[cfg(target_os = "linux")]
pub(super) fn enter(keeps_drivers: bool) -> Sandbox {
    Sandbox {
        landlock: lock_files(keeps_drivers).unwrap_or(false),
        seccomp: lock_calls(keeps_drivers).is_ok(),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn enter(_keeps_drivers: bool) -> Sandbox {
    Sandbox::default()
}

/// Drivers read below these.
#[cfg(target_os = "linux")]
const SYSTEM: [&str; 7] = ["/usr", "/lib", "/lib64", "/etc", "/opt", "/proc", "/sys"];

/// What is handled and not allowed by a rule is taken.
#[cfg(target_os = "linux")]
fn lock_files(keeps_drivers: bool) -> Result<bool, landlock::RulesetError> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
        path_beneath_rules,
    };

    let newest = ABI::V6; // older kernels enforce what they know of it
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .create()?;
    if keeps_drivers {
        let devices = AccessFs::from_read(newest) | AccessFs::WriteFile | AccessFs::IoctlDev;
        rules = rules
            .add_rules(path_beneath_rules(SYSTEM, AccessFs::from_read(newest)))?
            .add_rules(path_beneath_rules(["/dev"], devices))?;
    }
    let status = rules.restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(target_os = "linux")]
fn lock_calls(keeps_drivers: bool) -> Result<(), seccompiler::Error> {
    use nix::libc;
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, apply_filter,
    };

    let refuse = |rules, errno: i32| -> Result<(), seccompiler::Error> {
        let refusal = SeccompAction::Errno(errno.unsigned_abs());
        let arch = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, arch)?;
        apply_filter(&BpfProgram::try_from(filter)?)
    };

    let mut calls = vec![
        // Files and folders.
        libc::SYS_openat,
        libc::SYS_openat2,
        libc::SYS_mkdirat,
        libc::SYS_mknodat,
        libc::SYS_unlinkat,
        libc::SYS_linkat,
        libc::SYS_symlinkat,
        libc::SYS_renameat2,
        libc::SYS_fchmodat,
        libc::SYS_fchownat,
        libc::SYS_truncate,
        libc::SYS_mount,
        libc::SYS_open_by_handle_at,
        // The network, and sockets of any kind.
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept4,
        // Other processes.
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_kill,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_open,
        // Ways around this list.
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_userfaultfd,
    ];
    // Names that newer architectures have not.
    #[cfg(target_arch = "x86_64")]
    calls.extend([
        libc::SYS_open,
        libc::SYS_creat,
        libc::SYS_mkdir,
        libc::SYS_mknod,
        libc::SYS_unlink,
        libc::SYS_rmdir,
        libc::SYS_link,
        libc::SYS_symlink,
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_chmod,
        libc::SYS_chown,
        libc::SYS_accept,
        libc::SYS_fork,
        libc::SYS_vfork,
    ]);
    if keeps_drivers {
        // landlock says which files.
        let opening = [
            libc::SYS_openat,
            libc::SYS_openat2,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open,
        ];
        calls.retain(|call| !opening.contains(call));
    }
    let mut rules: std::collections::BTreeMap<_, Vec<_>> =
        calls.into_iter().map(|call| (call, Vec::new())).collect();
    // A thread is allowed, a process is not.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let is_no_thread =
        SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_no_thread])?]);
    refuse(rules, libc::EPERM)?;
    // Its flags lie in memory that a filter cannot read; without it the C library takes `clone`.
    refuse([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{fs, net::UdpSocket, thread};

    use super::*;

    /// What a thread that entered the sandbox may still do: read its own file, create one, read
    /// the system's, open a socket.
    fn allowed(keeps_drivers: bool) -> (Sandbox, [bool; 4]) {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("film.mp4");
        fs::write(&own, b"film").unwrap();
        let new = folder.path().join("new");
        // Both parts hold the thread that asks for them, and no other.
        let tried = thread::spawn(move || {
            let sandbox = enter(keeps_drivers);
            let tries = [
                fs::read(&own).is_ok(),
                fs::write(&new, b"").is_ok(),
                fs::read_dir("/usr").is_ok(),
                UdpSocket::bind("127.0.0.1:0").is_ok(),
            ];
            (sandbox, tries)
        });
        tried.join().unwrap()
    }

    #[test]
    fn drivers_may_read_the_system_and_nothing_else() {
        let (sandbox, tries) = allowed(false);
        if !sandbox.is_whole() {
            eprintln!("this system has {sandbox}: nothing to be seen");
            return;
        }
        assert_eq!(tries, [false; 4]);
        assert_eq!(allowed(true).1, [false, false, true, false]);
    }
}
