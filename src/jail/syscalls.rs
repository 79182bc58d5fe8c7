//! Which system calls a process may make, by seccomp.
//!
//! Owns two lists: the few that a reader of ours needs, everything else being refused, and those
//! that no program of others may make, whatever else it does. What is refused fails with EPERM, so
//! that the process can say what happened. On a system without seccomp nothing is restricted and
//! nothing fails: what holds is told by `probe`, never assumed.

use std::io;

/// Who is to be restricted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Caller {
    /// The extraction child: pipes, memory, threads, and its own end.
    Reader,
    /// A program of others that is one process and stays it.
    Program,
    /// A program of others that consists of several processes.
    ProgramOfMany,
}

/// Restrict this thread and all that come from it, for good.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) fn restrict(caller: Caller) -> io::Result<()> {
    linux::restrict(caller)
}

/// Other systems have no seccomp, and other processors no list here.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub(crate) fn restrict(_caller: Caller) -> io::Result<()> {
    Ok(())
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux {
    use super::Caller;
    use seccompiler::{
        BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length,
        SeccompCmpOp as Op, SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter,
    };
    use std::collections::BTreeMap;
    use std::io;

    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    pub(super) fn restrict(caller: Caller) -> io::Result<()> {
        let filters = match caller {
            Caller::Reader => reader()?,
            Caller::Program => program(true)?,
            Caller::ProgramOfMany => program(false)?,
        };
        for filter in filters {
            match apply_filter(&filter) {
                Ok(()) => {}
                // A kernel that was built without it.
                Err(Error::Seccomp(error) | Error::Prctl(error))
                    if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(())
    }

    /// Refuse everything but what is on the list.
    fn reader() -> io::Result<Vec<BpfProgram>> {
        let mut rules = calls(READER);
        // Only to itself: that is how a process aborts.
        let itself = u64::from(std::process::id());
        rules.insert(libc::SYS_tgkill, vec![rule(&[(0, Op::Eq, itself)])?]);
        // Names of threads and of memory, for whoever debugs.
        let named = |option: libc::c_int| rule(&[(0, Op::Eq, bits(option))]);
        rules.insert(
            libc::SYS_prctl,
            vec![named(libc::PR_SET_NAME)?, named(libc::PR_SET_VMA)?],
        );
        // To ask for limits, not to set them.
        rules.insert(libc::SYS_prlimit64, vec![rule(&[(2, Op::Eq, 0)])?]);
        rules.insert(libc::SYS_clone, vec![a_thread()?]);
        rules.insert(libc::SYS_clone3, Vec::new());
        let allowed = filter(rules, SeccompAction::Errno(EPERM), SeccompAction::Allow)?;
        Ok(vec![no_clone3()?, allowed])
    }

    /// Allow everything but what is on the list.
    fn program(is_one_process: bool) -> io::Result<Vec<BpfProgram>> {
        let mut rules = calls(NO_PROGRAM);
        // Pairs within the program are another call, and stay.
        rules.insert(libc::SYS_socket, Vec::new());
        if is_one_process {
            let not_a_thread = rule(&[(0, Op::MaskedEq(bits(libc::CLONE_THREAD)), 0)])?;
            rules.insert(libc::SYS_clone, vec![not_a_thread]);
            rules.extend(calls(&[libc::SYS_kill, libc::SYS_tkill]));
            #[cfg(target_arch = "x86_64")]
            rules.extend([(libc::SYS_fork, Vec::new()), (libc::SYS_vfork, Vec::new())]);
        }
        #[cfg(target_arch = "x86_64")]
        {
            // The same calls by their numbers in the x32 form, where the kernel has that.
            const X32: i64 = 0x4000_0000;
            let twins: Vec<_> = rules.iter().map(|(n, r)| (n + X32, r.clone())).collect();
            rules.extend(twins);
        }
        let refused = filter(rules, SeccompAction::Allow, SeccompAction::Errno(EPERM))?;
        Ok(vec![no_clone3()?, refused])
    }

    /// The flags of `clone3` lie in memory, where a filter cannot look. The C library takes the
    /// older call when the kernel does not know the newer one.
    fn no_clone3() -> io::Result<BpfProgram> {
        let rules = calls(&[libc::SYS_clone3]);
        filter(rules, SeccompAction::Allow, SeccompAction::Errno(ENOSYS))
    }

    fn a_thread() -> io::Result<SeccompRule> {
        let flag = bits(libc::CLONE_THREAD);
        rule(&[(0, Op::MaskedEq(flag), flag)])
    }

    const EPERM: u32 = libc::EPERM.unsigned_abs();
    const ENOSYS: u32 = libc::ENOSYS.unsigned_abs();

    fn bits(flags: libc::c_int) -> u64 {
        u64::from(flags.cast_unsigned())
    }

    fn calls(numbers: &[i64]) -> Rules {
        numbers.iter().map(|number| (*number, Vec::new())).collect()
    }

    fn rule(conditions: &[(u8, Op, u64)]) -> io::Result<SeccompRule> {
        let conditions: Result<Vec<_>, _> = conditions
            .iter()
            .map(|(index, op, value)| {
                SeccompCondition::new(*index, Length::Qword, op.clone(), *value)
            })
            .collect();
        conditions.and_then(SeccompRule::new).map_err(failed)
    }

    fn filter(
        rules: Rules,
        otherwise: SeccompAction,
        listed: SeccompAction,
    ) -> io::Result<BpfProgram> {
        let processor = TargetArch::try_from(std::env::consts::ARCH).map_err(failed)?;
        SeccompFilter::new(rules, otherwise, listed, processor)
            .and_then(TryInto::try_into)
            .map_err(failed)
    }

    fn failed(error: BackendError) -> io::Error {
        io::Error::other(error)
    }

    /// Pipes, memory, threads of its own, time, randomness, signals to itself, the end.
    const READER: &[i64] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_lseek,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_ppoll,
        libc::SYS_getpid,
        libc::SYS_getppid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll,
    ];

    /// The network, other processes, the system, and what exploits are made of.
    const NO_PROGRAM: &[i64] = &[
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_kcmp,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setgroups,
        libc::SYS_capset,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_kexec_file_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_clock_adjtime,
        libc::SYS_adjtimex,
        libc::SYS_mknodat,
        libc::SYS_open_by_handle_at,
        libc::SYS_name_to_handle_at,
    ];
}
