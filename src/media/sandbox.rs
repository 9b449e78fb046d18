//! What a decode worker gives up before it touches a file.
//!
//! A worker gets each file as an open handle (`handover`), so it needs to open none
//! itself. On Linux it therefore takes from itself, for good: every file and folder, the network,
//! and signals to others (landlock), and all system calls but those that decoding takes (seccomp,
//! `calls`). A call that is taken away fails with "not permitted"; it does not kill the
//! worker, so that a library which asks for something it can do without still works. Only what no
//! library asks for, such as another process' memory, does.
//!
//! A worker that decodes with hardware keeps reading what drivers read while they work: the
//! system's libraries and devices. All else is taken from it too.
//!
//! source: landlock(7), seccomp(2).

#[cfg(target_os = "linux")]
mod calls;

use std::fmt;

#[cfg(target_os = "linux")]
pub(super) use calls::{answered, num_deadly};

/// What holds a worker; each part is absent where the system lacks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// landlock: no file or folder, no TCP port; of kernel 6.12 on no signal to another process.
    pub landlock: bool,
    /// seccomp: the calls that decoding takes and no other.
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

/// Gives up what is not needed; says what the system took. Calls are taken from threads, too, that
/// drivers may have started before; landlock holds those that are started after.
#[cfg(target_os = "linux")]
pub(super) fn enter(keeps_drivers: bool) -> Sandbox {
    enter_by(keeps_drivers, seccompiler::apply_filter_all_threads)
}

#[cfg(target_os = "linux")]
fn enter_by(keeps_drivers: bool, apply: calls::Apply) -> Sandbox {
    Sandbox {
        landlock: lock_files(keeps_drivers).unwrap_or(false),
        seccomp: calls::lock(keeps_drivers, apply).is_ok(),
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
        Scope, path_beneath_rules,
    };

    let newest = ABI::V6; // older kernels enforce what they know of it
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        // Signals to others, and sockets that have a name without a file.
        .scope(Scope::from_all(newest))?
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
            let sandbox = enter_by(keeps_drivers, seccompiler::apply_filter);
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
