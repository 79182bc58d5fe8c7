//! Documents that break their reader, read in the real jail: each ends as an event with its
//! reason, and the next document is served.

use crate::scene::Scene;
use kmrl_domain::event::DocumentEvent;
use kmrl_domain::values::Priority;
use kmrl_gateway::adapters::extraction_child::{ChildSettings, ExtractionChild};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_breaks_its_reader_is_tried_once_more_and_parked() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let settings = ChildSettings {
        ready: 1,
        ..ChildSettings::new(1 << 30, Duration::from_mins(2))
    };
    let program = env!("CARGO_BIN_EXE_misbehaving-child").into();
    let children = ExtractionChild::with_program(program, settings);
    let worker = scene.run_worker(&Arc::new(children));
    for (behaviour, code) in [
        ("allocates", "out_of_memory"),
        ("forks", "crashed"),
        ("overflows-its-stack", "crashed"),
        ("panics", "crashed"),
    ] {
        let id = scene.upload(behaviour, Priority::Normal).await;
        scene.until(id, "Failed", "failed").await;
        let names = scene.names(id).await;
        let expected = [
            "Uploaded",
            "ProcessingStarted",
            "Failed",
            "ProcessingStarted",
            "Failed",
        ];
        assert_eq!(names, expected, "{behaviour}");
        for event in scene.events(id).await {
            if let DocumentEvent::Failed(failed) = event {
                assert_eq!(failed.reason.code, code, "{behaviour}");
            }
        }
        // What the reader refuses is not tried again: it answered.
        let text = format!("well after {behaviour}");
        let next = scene.upload(&text, Priority::Normal).await;
        scene.until(next, "Failed", "failed").await;
        let names = scene.names(next).await;
        assert_eq!(names, ["Uploaded", "ProcessingStarted", "Failed"]);
    }
    worker.stop().await;
    relay.stop().await;
}
