//! The extraction child: the real program, and stand-ins that behave as no reader should.

#![cfg(test)]

mod helped;
mod jail;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kmrl_extraction::inspect::{InspectLimits, Risk};
use kmrl_extraction::{Format, PageProgress};
use kmrl_gateway::adapters::extraction_child::{ChildSettings, ExtractionChild};
use kmrl_gateway::ports::{ExtractFailure, ExtractRequest, Extractor, InspectRequest, Inspector};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

const FAR: Duration = Duration::from_secs(120);
/// Long enough for a shell to start and say something on a busy machine.
const NEAR: Duration = Duration::from_secs(2);
const NEXT: Duration = Duration::from_secs(3);
const MEMORY: u64 = 1 << 30;

fn program(memory_bytes: u64) -> ExtractionChild {
    let settings = ChildSettings::new(memory_bytes, FAR);
    ExtractionChild::with_program(env!("CARGO_BIN_EXE_kmrl-gateway").into(), settings)
}

/// A shell script that does what the name of the file says.
fn stand_in() -> ExtractionChild {
    let script: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/extraction_child/stand_in.sh");
    ExtractionChild::with_program(script, ChildSettings::new(MEMORY, FAR))
}

fn request(path: &Path, file_name: &str) -> ExtractRequest {
    ExtractRequest {
        path: path.to_owned(),
        file_name: file_name.to_owned(),
        content_type: String::new(),
        soft: FAR,
        hard: FAR,
    }
}

fn document(bytes: &[u8]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

async fn fails(behaviour: &str, soft: Duration, hard: Duration) -> ExtractFailure {
    failure_of(&stand_in(), behaviour, soft, hard).await
}

/// How a document ends that makes a stand-in behave so.
async fn failure_of(
    reader: &impl Extractor,
    behaviour: &str,
    soft: Duration,
    hard: Duration,
) -> ExtractFailure {
    let file = document(b"text");
    let request = ExtractRequest {
        soft,
        hard,
        ..request(file.path(), behaviour)
    };
    let (progress, _kept) = mpsc::channel(1);
    reader.extract(request, progress).await.unwrap_err()
}

#[tokio::test]
async fn the_program_reads_a_text_file() {
    let file = document("Circular 7: മെട്രോ starts at six.\n".as_bytes());
    let (progress, mut pages) = mpsc::channel(4);
    let extraction = program(MEMORY)
        .extract(request(file.path(), "circular.txt"), progress)
        .await
        .unwrap();
    assert!(extraction.pages[0].text.contains("മെട്രോ starts"));
    assert_eq!(pages.recv().await, Some(PageProgress { page: 1, pages: 1 }));
}

#[tokio::test]
async fn the_program_tells_what_a_file_is_and_carries() {
    let file = document(b"%PDF-1.7\nwhatever follows");
    let asked = InspectRequest {
        path: file.path().into(),
        file_name: "plan.txt".into(),
        content_type: String::new(),
        limits: InspectLimits::default(),
        within: Duration::from_secs(30),
    };
    let inspection = program(MEMORY).inspect(asked.clone()).await.unwrap();
    assert_eq!(inspection.format, Some(Format::Pdf));
    assert!(inspection.has(Risk::TypeMismatch));
    // One that ends without an answer is the file's doing, one that is not there is not.
    let crashed = stand_in().inspect(asked.clone()).await.unwrap_err();
    assert!(!matches!(crashed, ExtractFailure::Io(_)), "{crashed:?}");
    let settings = ChildSettings::new(MEMORY, FAR);
    let missing = ExtractionChild::with_program("/nowhere/program".into(), settings);
    let missing = missing.inspect(asked).await.unwrap_err();
    assert!(matches!(missing, ExtractFailure::Io(_)), "{missing:?}");
}

#[tokio::test]
async fn the_program_says_why_it_refuses() {
    let file = document(b"%PDF-1.7\nnothing that follows is a PDF");
    let (progress, _kept) = mpsc::channel(1);
    let failure = program(MEMORY)
        .extract(request(file.path(), "plan.pdf"), progress)
        .await
        .unwrap_err();
    assert_eq!(failure.reason().code, "damaged", "{failure:?}");
    assert!(!failure.may_be_retried());
}

#[tokio::test]
async fn a_document_larger_than_the_memory_is_out_of_memory() {
    let file = document(&vec![b'a'; 96 << 20]);
    let (progress, _kept) = mpsc::channel(1);
    let failure = program(64 << 20)
        .extract(request(file.path(), "long.txt"), progress)
        .await
        .unwrap_err();
    assert!(
        matches!(failure, ExtractFailure::OutOfMemory),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_document_that_is_not_there_is_an_input_error() {
    let (progress, _kept) = mpsc::channel(1);
    let failure = program(MEMORY)
        .extract(request(Path::new("/nowhere/at/all"), "a.txt"), progress)
        .await
        .unwrap_err();
    assert!(matches!(failure, ExtractFailure::Io(_)), "{failure:?}");
    assert!(failure.may_be_retried());
}

#[tokio::test]
async fn at_the_soft_limit_the_child_is_asked_to_stop() {
    let failure = fails("stops-when-asked", NEAR, FAR).await;
    assert!(
        matches!(
            failure,
            ExtractFailure::TimeLimit {
                seconds: 2,
                pages_done: 3,
                pages: 9
            }
        ),
        "{failure:?}"
    );
    assert!(!failure.may_be_retried());
}

#[tokio::test]
async fn at_the_hard_limit_the_child_is_killed() {
    let failure = fails("never-stops", NEAR, NEXT).await;
    assert!(
        matches!(
            failure,
            ExtractFailure::TimeLimit {
                seconds: 3,
                pages_done: 1,
                pages: 2
            }
        ),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_child_that_closed_its_output_is_killed_all_the_same() {
    let failure = fails("lingers", FAR, NEAR).await;
    assert!(
        matches!(failure, ExtractFailure::TimeLimit { .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn ways_to_crash() {
    for (behaviour, said) in [
        ("segfault", "SIGSEGV"),
        ("exits-early", "exit status: 3"),
        ("half-a-line", "exit status: 0"),
        ("garbage", "not an answer"),
        ("endless", "more than"),
    ] {
        let failure = fails(behaviour, FAR, FAR).await;
        assert!(failure.may_be_retried(), "{behaviour}");
        let ExtractFailure::Crashed { status } = failure else {
            panic!("{behaviour}: {failure:?}");
        };
        assert!(status.contains(said), "{behaviour}: {status}");
    }
}

#[tokio::test]
async fn ways_to_run_out_of_memory() {
    for behaviour in ["killed", "allocator-gave-up", "out-of-memory"] {
        let failure = fails(behaviour, FAR, FAR).await;
        assert!(
            matches!(failure, ExtractFailure::OutOfMemory),
            "{behaviour}: {failure:?}"
        );
    }
}

#[tokio::test]
async fn the_child_sees_nothing_of_our_environment() {
    // It answers `out-of-memory` when it sees PATH or HOME, which this process has.
    let failure = fails("looks-around", FAR, FAR).await;
    assert_eq!(failure.reason().code, "encrypted", "{failure:?}");
}
