//! Which system calls a decode worker may make.
//!
//! A worker that decodes on the processor has a list of what it may do; whatever is not on it fails
//! with "not permitted", and what only an attacker asks for ends the process. The list is what
//! decoding films, sounds and pictures was seen to do (`strace -f`), and what the C library and
//! Rust's need for memory, threads, signals and clocks in all their versions. Numbers differ
//! between processors, names do not: the list is the same on x86-64 and aarch64.
//!
//! Drivers of graphics cards do what their makers like. With them it is the other way round: what
//! reaches other processes, other files' attributes or the system is taken, the rest stays, and
//! landlock says which files.
//!
//! source: seccomp(2), syscalls(2); glibc 2.36 and musl for threads (`pthread_create`), signals
//! (`abort`) and `fstat`.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, BpfProgramRef, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule,
};

/// Answered whatever the arguments are. None of them takes a path, and none reaches another process.
const ALWAYS: &[libc::c_long] = &[
    // Handles that are there: the film, the parent's requests, the answers.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // Threads and locks.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getcpu,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Signals, as handlers and masks.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Clocks and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
];

/// No library asks for these: the worker is not its own master any more, and ends.
const DEADLY: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_open_by_handle_at,
];

/// Taken from drivers too, beside what is deadly without them.
const NOT_FOR_DRIVERS: &[libc::c_long] = &[
    // Files and folders, and what is known of them.
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_renameat2,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
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
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_ioprio_set,
    // The system.
    libc::SYS_acct,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_quotactl,
    libc::SYS_syslog,
];

/// The same by names that newer processors have not.
#[cfg(target_arch = "x86_64")]
const NOT_FOR_DRIVERS_BY_OLD_NAMES: &[libc::c_long] = &[
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
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_accept,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const NOT_FOR_DRIVERS_BY_OLD_NAMES: &[libc::c_long] = &[];

/// From here on a number is one call on every processor. What is newer than the list of calls that
/// drivers may not make was not looked at: they may make these of them only.
const NEW_CALLS: std::ops::RangeInclusive<libc::c_long> = 424..=600;
const NEW_FOR_DRIVERS: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_close_range,
    libc::SYS_openat2,
    libc::SYS_faccessat2,
    libc::SYS_epoll_pwait2,
    libc::SYS_futex_waitv,
];

/// What threads are made with, by glibc and musl; no other flag is taken.
const THREAD_FLAGS: libc::c_int = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID
    | libc::CLONE_DETACHED;

/// Asks a process of its own auxiliary vector (linux/prctl.h); rustix does.
const PR_GET_AUXV: u64 = 0x4155_5856;

/// `uretprobe` and `uprobe`: the kernel lets them past every filter (since 6.14) and sends whoever calls
/// them outside its own probes a signal (SIGILL), so there is nothing to take and nothing to ask.
#[cfg(target_arch = "x86_64")]
const PROBES: &[libc::c_long] = &[335, 336];
#[cfg(not(target_arch = "x86_64"))]
const PROBES: &[libc::c_long] = &[];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts a filter into force: on this thread, or on all of the process.
pub(super) type Apply = fn(BpfProgramRef<'_>) -> Result<(), Error>;

/// Takes the calls; what is asked for later than this is answered by the lists above.
pub(super) fn lock(keeps_drivers: bool, apply: Apply) -> Result<(), Error> {
    let install = |rules: Rules, listed: SeccompAction, other: SeccompAction| {
        let arch = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules, other, listed, arch)?;
        apply(&BpfProgram::try_from(filter)?)
    };
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    // Its flags lie in memory that a filter cannot read; without it the C library takes `clone`.
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    install([(libc::SYS_clone3, Vec::new())].into(), absent, SeccompAction::Allow)?;
    if keeps_drivers {
        return install(for_drivers()?, refusal, SeccompAction::Allow);
    }
    install(all(DEADLY), SeccompAction::KillProcess, SeccompAction::Allow)?;
    // The last: it lets no other be added.
    install(allowed()?, SeccompAction::Allow, refusal)
}

fn all(calls: &[libc::c_long]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// One condition on one argument, which is an `int`.
fn int_is(argument: u8, value: u64) -> Result<SeccompRule, Error> {
    let is = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
    Ok(SeccompRule::new(vec![is])?)
}

/// `argument & bits` is `value`.
fn bits_are(argument: u8, bits: u64, value: u64) -> Result<SeccompCondition, Error> {
    let op = SeccompCmpOp::MaskedEq(bits);
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Qword, op, value)?)
}

fn bits(flags: libc::c_int) -> u64 {
    u64::from(flags.unsigned_abs())
}

/// Always, and what depends on arguments.
fn allowed() -> Result<Rules, Error> {
    let own = u64::from(std::process::id());
    let mut rules = all(ALWAYS);
    // The other filter answers.
    rules.insert(libc::SYS_clone3, Vec::new());
    let is_thread = vec![
        bits_are(0, !bits(THREAD_FLAGS), 0)?,
        bits_are(0, bits(libc::CLONE_THREAD), bits(libc::CLONE_THREAD))?,
    ];
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(is_thread)?]);
    // `abort` signals its own process; no other is signalled.
    rules.insert(libc::SYS_tgkill, vec![int_is(0, own)?]);
    rules.insert(libc::SYS_sched_getaffinity, vec![int_is(0, 0)?]);
    // Nothing that was written becomes code.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let is_data = bits_are(2, bits(libc::PROT_EXEC), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![is_data])?]);
    }
    let on_handles = [libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_GETFL];
    let on_handles = on_handles.into_iter().map(|command| int_is(1, bits(command)));
    rules.insert(libc::SYS_fcntl, on_handles.collect::<Result<_, _>>()?);
    let on_itself = [bits(libc::PR_SET_NAME), PR_GET_AUXV].into_iter();
    rules.insert(
        libc::SYS_prctl,
        on_itself.map(|option| int_is(0, option)).collect::<Result<_, _>>()?,
    );
    Ok(rules)
}

/// What is taken from drivers.
fn for_drivers() -> Result<Rules, Error> {
    let own = u64::from(std::process::id());
    let mut rules = all(DEADLY);
    rules.extend(all(NOT_FOR_DRIVERS));
    rules.extend(all(NOT_FOR_DRIVERS_BY_OLD_NAMES));
    let new = NEW_CALLS.filter(|call| !NEW_FOR_DRIVERS.contains(call));
    rules.extend(new.map(|call| (call, Vec::new())));
    let is_no_thread = bits_are(0, bits(libc::CLONE_THREAD), 0)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_no_thread])?]);
    let is_other = |value| {
        let not = SeccompCmpOp::Ne;
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, not, value)
    };
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![is_other(own)?])?]);
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![is_other(0)?, is_other(own)?])?]);
    Ok(rules)
}

/// For tests: has the kernel every call made that is on no list, with arguments that make no sense to
/// any, and gives those that were answered. Where `deadly` is given, that one of the deadly ones is
/// made first.
///
/// Each argument is −1: no handle, no address, no process, no flags that exist. Should the lists
/// have a hole, the call that comes through fails for that.
pub(crate) fn answered(deadly: Option<usize>) -> Vec<libc::c_long> {
    #[allow(unsafe_code)]
    let answers = |call: &libc::c_long| {
        // SAFETY: no address that is given exists, so nothing is read from it or written to it.
        let result =
            unsafe { libc::syscall(*call, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64) };
        let error = std::io::Error::last_os_error().raw_os_error();
        result != -1 || ![Some(libc::EPERM), Some(libc::ENOSYS)].contains(&error)
    };
    let of_deadly = deadly.and_then(|place| DEADLY.get(place)).filter(|call| answers(call));
    let unlisted =
        |call: &libc::c_long| ![ALWAYS, DEADLY, PROBES].iter().any(|list| list.contains(call));
    let others = (0..=600).filter(unlisted).filter(answers);
    of_deadly.into_iter().copied().chain(others).collect()
}

/// For tests: how many calls are deadly.
pub(crate) fn num_deadly() -> usize {
    DEADLY.len()
}
