//! The jail: what a child that means harm can do, which is to end.

use std::time::Duration;

use kmrl_gateway::adapters::extraction_child::{ChildSettings, ExtractionChild};
use kmrl_gateway::jail::Protections;
use kmrl_gateway::ports::{ExtractFailure, Extractor, JailProbe};
use tokio::sync::{Mutex, mpsc};

use crate::{FAR, MEMORY, NEAR, document, program, request};

/// With children made ahead, as workers have them.
fn misbehaving() -> ExtractionChild {
    let settings = ChildSettings {
        ready: 2,
        ..ChildSettings::new(MEMORY, FAR)
    };
    ExtractionChild::with_program(env!("CARGO_BIN_EXE_misbehaving-child").into(), settings)
}

/// One test kills every misbehaving child of this process: no other may have any meanwhile.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn fails(children: &ExtractionChild, behaviour: &str, hard: Duration) -> ExtractFailure {
    let file = document(behaviour.as_bytes());
    let mut request = request(file.path(), "a.txt");
    (request.soft, request.hard) = (hard, hard);
    let (progress, _kept) = mpsc::channel(1);
    children.extract(request, progress).await.unwrap_err()
}

#[tokio::test]
async fn whatever_a_child_does_ends_with_its_reason_and_the_next_document_is_served() {
    let _alone = ALONE.lock().await;
    let children = misbehaving();
    for (behaviour, code, said) in [
        ("allocates", "out_of_memory", ""),
        ("spins", "time_limit", ""),
        ("forks", "crashed", "exit status: 41"),
        ("runs-a-program", "crashed", "exit status: 41"),
        ("opens-a-file", "crashed", "exit status: 41"),
        ("makes-a-file", "crashed", "exit status: 41"),
        ("opens-a-socket", "crashed", "exit status: 41"),
        ("signals", "crashed", "exit status: 41"),
        ("writes-endlessly", "crashed", "more than"),
        ("exits", "crashed", "exit status: 3"),
        ("panics", "crashed", "exit status: 101"),
        ("overflows-its-stack", "crashed", "SIG"),
    ] {
        let hard = if behaviour == "spins" { NEAR } else { FAR };
        let reason = fails(&children, behaviour, hard).await.reason();
        assert_eq!(reason.code, code, "{behaviour}: {reason:?}");
        assert!(reason.detail.contains(said), "{behaviour}: {reason:?}");
        let next = fails(&children, "well", FAR).await.reason();
        assert_eq!(next.code, "encrypted", "after {behaviour}: {next:?}");
    }
}

#[tokio::test]
async fn a_child_killed_while_it_waits_is_replaced() {
    let _alone = ALONE.lock().await;
    let children = misbehaving();
    assert_eq!(
        fails(&children, "well", FAR).await.reason().code,
        "encrypted"
    );
    for pid in children_of_this_process() {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.starts_with("misbehaving") {
            // SAFETY: a plain system call, on a child of this test.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            died(pid).await;
        }
    }
    assert_eq!(
        fails(&children, "well", FAR).await.reason().code,
        "encrypted"
    );
}

/// Waits until a process has died, whether it was buried or not.
async fn died(pid: i32) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        loop {
            ticks.tick().await;
            let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The state follows the name, which stands in parentheses.
            let state = line.rsplit_once(") ").map(|(_, rest)| rest);
            if state.is_none_or(|state| state.starts_with(['Z', 'X'])) {
                return;
            }
        }
    };
    tokio::time::timeout(FAR, waiting).await.unwrap();
}

/// Of all its threads: a child belongs to the one that started it.
fn children_of_this_process() -> Vec<i32> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let listed = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(
            listed
                .split_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    found
}

#[tokio::test]
async fn what_is_refused_is_found_out_by_trying() {
    let report = program(MEMORY).probe().await;
    let limits = |found: Protections| found.memory;
    let reader = report.reader.unwrap();
    let others = report.program.unwrap();
    assert!(limits(reader) && limits(others), "{reader:?} {others:?}");
    if has_landlock_and_seccomp() {
        assert!(reader.is_full(), "{reader:?}");
        assert!(others.is_full_for_program(), "{others:?}");
    }
}

#[tokio::test]
async fn without_landlock_and_seccomp_the_limits_hold_and_the_rest_is_told() {
    let settings = ChildSettings {
        only_limits: true,
        ..ChildSettings::new(MEMORY, FAR)
    };
    let program = env!("CARGO_BIN_EXE_kmrl-gateway").into();
    let children = ExtractionChild::with_program(program, settings);
    let reader = children.probe().await.reader.unwrap();
    assert!(reader.memory && !reader.reading_files && !reader.processes);
    assert!(!reader.is_full());
}

/// Asked of the kernel by other means than the jail's.
fn has_landlock_and_seccomp() -> bool {
    // SAFETY: asks for the version of landlock, changing nothing.
    let landlock = unsafe {
        let no_rules = std::ptr::null::<libc::c_void>();
        libc::syscall(libc::SYS_landlock_create_ruleset, no_rules, 0_usize, 1_u32)
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    // The newest thing asked for, keeping signals in, came with version 6.
    landlock >= 6 && status.contains("\nSeccomp:")
}
