//! The matrix: at each fault point the process that reaches it is killed, and started again.

use crate::cast::{Cast, Part, is_sigkill};
use crate::ledger::Ledger;
use crate::verdict::{Leaves, settle, verify};
use futures::{StreamExt, stream};
use kmrl_gateway::fault_point;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Who dies.
#[derive(Clone, Copy, Debug)]
enum Victim {
    /// A role, by what the client does.
    Of(Part),
    /// A command that an operator runs.
    Tool(&'static [&'static str]),
    /// The eraser, at a document that two persons want erased.
    Eraser,
}

/// One row of the matrix.
#[derive(Clone, Copy, Debug)]
struct Case {
    point: &'static str,
    /// Which time that it is reached.
    nth: u32,
    victim: Victim,
    leaves: Leaves,
}

const fn kill(victim: Victim, point: &'static str) -> Case {
    Case {
        point,
        nth: 1,
        victim,
        leaves: Leaves::Nothing,
    }
}

impl Case {
    const fn the(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    const fn leaving(mut self, leaves: Leaves) -> Self {
        self.leaves = leaves;
        self
    }
}

const API: Victim = Victim::Of(Part::Api);
const BACK: Victim = Victim::Of(Part::Back);
const WORKER: Victim = Victim::Of(Part::Worker);
const REBUILD: Victim = Victim::Tool(&["rebuild", "documents"]);
const RECONCILE: Victim = Victim::Tool(&["check", "--repair", "--grace", "0"]);

const CASES: &[Case] = &[
    kill(API, "upload.after_spool").the(2),
    kill(API, "upload.after_blob")
        .the(2)
        .leaving(Leaves::Orphans),
    kill(API, "append.before_statement").the(4),
    kill(API, "append.after_commit"),
    kill(API, "append.after_commit").the(4),
    kill(API, "recorder.after_commit").the(3),
    kill(BACK, "relay.after_jobs"),
    kill(BACK, "relay.after_publish"),
    kill(WORKER, "worker.after_claim"),
    kill(WORKER, "worker.after_started"),
    kill(WORKER, "worker.in_extraction"),
    kill(WORKER, "worker.after_child"),
    kill(WORKER, "worker.after_child").the(2),
    kill(WORKER, "worker.after_text").leaving(Leaves::Orphans),
    kill(WORKER, "worker.after_outcome"),
    // Of a worker's appends the first tells that it starts.
    kill(WORKER, "append.before_statement"),
    kill(WORKER, "append.before_statement")
        .the(2)
        .leaving(Leaves::Orphans),
    kill(WORKER, "append.after_commit"),
    kill(WORKER, "append.after_commit").the(4),
    kill(BACK, "projector.in_batch").the(3),
    kill(BACK, "projector.after_commit").the(3),
    kill(REBUILD, "rebuild.in_batch"),
    kill(REBUILD, "rebuild.before_swap"),
    kill(BACK, "notary.after_tile"),
    kill(BACK, "notary.after_note").the(2),
    kill(BACK, "notary.before_commit"),
    kill(RECONCILE, "removal.after_mark").leaving(Leaves::HalfRemoved),
    kill(RECONCILE, "removal.after_delete").leaving(Leaves::HalfRemoved),
    kill(Victim::Eraser, "eraser.after_private_parts"),
    kill(Victim::Eraser, "eraser.after_texts"),
    kill(Victim::Eraser, "eraser.after_bytes"),
];

/// Cases at once, of the places on the stage.
const AT_ONCE: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_at_every_point_loses_nothing_and_doubles_nothing() {
    let only = std::env::var("KMRL_TEST_KILL_ONLY").unwrap_or_default();
    let began = Instant::now();
    let cases = CASES.iter().filter(|case| case.point.contains(&only));
    let outcomes: Vec<(String, bool)> = stream::iter(cases)
        .map(|case| async move {
            let began = Instant::now();
            // On a thread of its own, so that a panic is this case's alone.
            let runtime = tokio::runtime::Handle::current();
            let playing = move || runtime.block_on(play(*case));
            let ended = tokio::task::spawn_blocking(playing).await;
            let seconds = began.elapsed().as_secs_f32();
            let word = if ended.is_ok() { "held" } else { "BROKEN" };
            let line = format!(
                "{:<24} {:<6} {:<32} {word} ({seconds:.1} s)",
                case.point,
                case.nth,
                format!("{:?}", case.victim)
            );
            (line, ended.is_ok())
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut table = String::new();
    for (line, _) in &outcomes {
        writeln!(table, "{line}").unwrap();
    }
    println!("{table}{:.0} s", began.elapsed().as_secs_f32());
    assert!(outcomes.iter().all(|(_, held)| *held), "\n{table}");
}

async fn play(case: Case) {
    let at = format!("{}:{}", case.point, case.nth);
    let mut ledger = Ledger::new(&at.replace([':', '.'], "-"));
    match case.victim {
        Victim::Of(part) => {
            let mut cast = Cast::new(Some((part, &at))).await;
            ledger.some_uploads(cast.api()).await;
            let status = cast.ends(part, &mut ledger).await;
            assert!(is_sigkill(status), "{part:?}: {status}");
            assert!(cast.start(part, None).await);
            if case.leaves == Leaves::Nothing {
                ledger.send_again(cast.api()).await;
            }
            let last = ledger.upload(cast.api(), "after.txt", at.clone()).await;
            assert!(last, "an upload after the kill");
            verify(&cast, &ledger, case.leaves).await;
        }
        Victim::Tool(arguments) => {
            let cast = Cast::new(None).await;
            ledger.some_uploads(cast.api()).await;
            settle(cast.api(), &cast.world, &ledger).await;
            let bytes = nobodys(cast.world.data.path());
            let mut command = cast.world.tool_command(arguments);
            let status = command.env("KMRL_TEST_KILL_AT", &at).output();
            let status = status.unwrap().status;
            assert!(is_sigkill(status), "{arguments:?}: {status}");
            if case.leaves == Leaves::Nothing {
                let again = cast.world.tool(arguments);
                assert!(again.status.success(), "{arguments:?} again");
            }
            let leaves = match case.leaves {
                Leaves::Nothing => Leaves::Orphans,
                other => other,
            };
            verify(&cast, &ledger, leaves).await;
            // The bytes that were removed may come in again.
            assert!(ledger.upload(cast.api(), "again.txt", bytes).await);
            verify(&cast, &ledger, Leaves::Nothing).await;
        }
        Victim::Eraser => crate::erasing::play(&at, &mut ledger).await,
    }
}

/// Puts an object into the store that no event names, and gives its bytes.
fn nobodys(data: &Path) -> &'static str {
    use sha2::Digest as _;
    let bytes = "nobody's";
    let sha256: String = sha2::Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut all, byte| {
            write!(all, "{byte:02x}").unwrap();
            all
        });
    let path = data
        .join("blobs")
        .join(kmrl_gateway::ports::blob_key(&sha256));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    bytes
}

#[test]
fn every_point_is_reached_at_one_place_and_has_a_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    for folder in ["src", "projections/src"] {
        for file in rust_files(&root.join(folder)) {
            if !file.ends_with("fault_point.rs") {
                source += &std::fs::read_to_string(file).unwrap();
            }
        }
    }
    for point in fault_point::ALL {
        let places = source.matches(&format!("\"{point}\"")).count();
        assert_eq!(places, 1, "{point} is reached at {places} places");
        let has_case = CASES.iter().any(|case| case.point == *point);
        assert!(has_case, "{point} has no case");
    }
    for case in CASES {
        assert!(fault_point::ALL.contains(&case.point), "{}", case.point);
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}
