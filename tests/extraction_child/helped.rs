//! Helper programs that misbehave, in the real jail of programs; and how ends inside the jail are counted.

use super::{FAR, MEMORY, NEAR, NEXT, document, failure_of, request, stand_in};
use kmrl_gateway::adapters::extraction_child::{ChildSettings, ExtractionChild};
use kmrl_gateway::config::{HelperSettings, Reader, Settings};
use kmrl_gateway::metrics::{Measured, Metrics};
use kmrl_gateway::ports::{ExtractFailure, ExtractRequest, Extractor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Reads a Word document by a helper that does what the document says, and then another document.
async fn helped(says: &str, hard: Duration) -> ExtractFailure {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("catdoc");
    std::fs::copy(env!("CARGO_BIN_EXE_misbehaving-child"), &program).unwrap();
    let settings = ChildSettings {
        helpers: HelperSettings {
            programs: vec![program],
        },
        ..ChildSettings::new(MEMORY, FAR)
    };
    let gateway = env!("CARGO_BIN_EXE_kmrl-gateway");
    let children = ExtractionChild::with_program(gateway.into(), settings);
    // A Word document by its container, which our own readers leave to helpers.
    let word = kmrl_extraction::fixtures::office::compound(&[("/WordDocument", says.as_bytes())]);
    let word = document(&word);
    let asked = ExtractRequest {
        soft: hard,
        hard,
        ..request(word.path(), "notice.doc")
    };
    let (progress, _kept) = mpsc::channel(1);
    let failure = children.extract(asked, progress).await.unwrap_err();
    let next = document(b"Circular 7");
    let (progress, _kept) = mpsc::channel(1);
    let read = children.extract(request(next.path(), "circular.txt"), progress);
    assert_eq!(read.await.unwrap().pages[0].text.trim(), "Circular 7");
    failure
}

#[tokio::test]
async fn helpers_that_break_are_ends_of_their_own_and_the_next_document_is_read() {
    for says in ["writes-endlessly", "aborts", "allocates"] {
        let failure = helped(says, FAR).await;
        let ExtractFailure::Crashed { status } = &failure else {
            panic!("{says}: {failure:?}");
        };
        assert!(status.starts_with("catdoc"), "{says}: {status}");
    }
    let failure = helped("spins", NEAR).await;
    assert!(
        matches!(failure, ExtractFailure::TimeLimit { .. }),
        "{failure:?}"
    );
    for says in ["complains", "nothing at all"] {
        let failure = helped(says, FAR).await;
        assert_eq!(failure.reason().code, "damaged", "{says}: {failure:?}");
        assert!(!failure.may_be_retried());
    }
}

#[tokio::test]
async fn every_end_inside_the_jail_is_counted() {
    let reader = Reader::new(Default::default(), Default::default(), None);
    let upload = Settings::read(reader.unwrap()).unwrap().upload;
    let metrics = Arc::new(Metrics::new(upload.into()).unwrap());
    let measured = Measured::new(Arc::new(stand_in()), Arc::clone(&metrics));
    for (behaviour, soft, hard) in [
        ("segfault", FAR, FAR),
        ("out-of-memory", FAR, FAR),
        ("killed", FAR, FAR),
        ("never-stops", NEAR, NEXT),
    ] {
        failure_of(&measured, behaviour, soft, hard).await;
    }
    let text = metrics.scrape().text().unwrap();
    for (outcome, times) in [("crashed", 1), ("out_of_memory", 2), ("out_of_time", 1)] {
        let sample =
            format!("kmrl_jail_outcomes_total{{outcome=\"{outcome}\",task=\"read\"}} {times}");
        assert!(text.contains(&sample), "{sample}:\n{text}");
    }
}
