//! Commands from decision to log: retries, versions, repetitions, duplicates, refusals.

use crate::fixtures::{AT, id, key, metadata, private, store, upload};
use crate::support::TestDatabase;
use futures::future::join_all;
use kmrl_domain::command::{Correct, RequestReprocessing, StartProcessing, Withdraw};
use kmrl_domain::values::{Attempt, Priority};
use kmrl_domain::{DocumentCommand, DocumentEvent, Refusal, UploadRefused};
use kmrl_gateway::commands::{CommandError, CommandOptions, Commands};
use kmrl_gateway::event_store::PostgresEventStore;

async fn commands() -> (Commands, PostgresEventStore, TestDatabase) {
    let (store, database) = store().await;
    (Commands::new(store.clone()), store, database)
}

fn options() -> CommandOptions {
    CommandOptions {
        metadata: metadata(),
        ..CommandOptions::default()
    }
}

fn keyed(name: &str, body: u8) -> CommandOptions {
    CommandOptions {
        idempotency: Some(key(name, body)),
        ..options()
    }
}

fn withdraw(reason: &str) -> DocumentCommand {
    DocumentCommand::Withdraw(Withdraw {
        reason: reason.into(),
        at: AT,
    })
}

fn correct(department: &str) -> DocumentCommand {
    DocumentCommand::Correct(Correct {
        department: Some(department.into()),
        language: None,
        private: None,
        at: AT,
    })
}

fn start() -> DocumentCommand {
    DocumentCommand::StartProcessing(StartProcessing {
        attempt: Attempt { run: 1, attempt: 1 },
        worker: "w".into(),
        at: AT,
    })
}

#[tokio::test]
async fn an_upload_is_taken_in_once() {
    let (commands, store, _database) = commands().await;
    let taken = commands
        .upload(id(1), upload("a"), private(), keyed("k", 1))
        .await
        .unwrap();
    assert!(taken.changed && !taken.replayed);
    assert_eq!(
        (taken.document_id, taken.version, taken.position),
        (id(1), 1, 1)
    );
    // A repetition comes with a new id, since ids are made for each request.
    let again = commands
        .upload(id(2), upload("a"), private(), keyed("k", 1))
        .await
        .unwrap();
    assert!(again.replayed && again.changed);
    assert_eq!(
        (again.document_id, again.version, again.position),
        (id(1), 1, 1)
    );
    let reused = commands
        .upload(id(3), upload("b"), private(), keyed("k", 2))
        .await;
    assert!(matches!(reused, Err(CommandError::KeyReused)));
    let taken = commands
        .upload(id(1), upload("b"), private(), options())
        .await;
    assert!(matches!(
        taken,
        Err(CommandError::Refused(Refusal::Upload(_)))
    ));
    let events = store.log().read(0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].private,
        Some(serde_json::from_str(&private().content).unwrap())
    );
}

#[tokio::test]
async fn the_same_bytes_name_their_first_document() {
    let (commands, store, _database) = commands().await;
    let uploads = (1..=20).map(|n| commands.upload(id(n), upload("a"), private(), options()));
    for taken in join_all(uploads).await {
        assert!(taken.unwrap().changed);
    }
    let events = store.log().read(0, 100).await.unwrap();
    assert_eq!(events.len(), 20);
    let first = events[0].id().unwrap();
    for (event, n) in events.iter().zip(0..) {
        let Some(DocumentEvent::Uploaded(uploaded)) = event.document().unwrap() else {
            panic!("{event:?}")
        };
        assert_eq!(uploaded.duplicate_of, (n > 0).then_some(first));
    }
}

#[tokio::test]
async fn commands_that_meet_are_all_carried_out() {
    let (commands, store, _database) = commands().await;
    commands
        .upload(id(1), upload("a"), private(), options())
        .await
        .unwrap();
    let departments: Vec<_> = (0..8).map(|n| format!("department {n}")).collect();
    let corrections = departments
        .iter()
        .map(|d| commands.execute(id(1), correct(d), options()));
    for corrected in join_all(corrections).await {
        assert!(corrected.unwrap().changed);
    }
    assert_eq!(store.log().head().await.unwrap(), 9);
}

#[tokio::test]
async fn a_named_version_must_be_the_current_one() {
    let (commands, _store, _database) = commands().await;
    commands
        .upload(id(1), upload("a"), private(), options())
        .await
        .unwrap();
    let at = |version| CommandOptions {
        if_version: Some(version),
        ..options()
    };
    for version in [0, 2] {
        let mismatch = commands.execute(id(1), correct("x"), at(version)).await;
        assert!(
            matches!(mismatch, Err(CommandError::VersionMismatch { expected, actual: 1 }) if expected == version),
            "{mismatch:?}"
        );
    }
    let results = join_all((0..4).map(|n| {
        let (commands, options) = (commands.clone(), at(1));
        async move {
            commands
                .execute(id(1), correct(&n.to_string()), options)
                .await
        }
    }))
    .await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    for mismatch in results.into_iter().filter_map(Result::err) {
        assert!(matches!(
            mismatch,
            CommandError::VersionMismatch {
                expected: 1,
                actual: 2
            }
        ));
    }
}

#[tokio::test]
async fn what_is_so_already_is_no_event() {
    let (commands, store, _database) = commands().await;
    commands
        .upload(id(1), upload("a"), private(), options())
        .await
        .unwrap();
    commands
        .upload(id(2), upload("b"), private(), options())
        .await
        .unwrap();
    commands
        .execute(id(1), correct("x"), options())
        .await
        .unwrap();
    for options in [options(), keyed("k", 1)] {
        let nothing = commands
            .execute(id(1), correct("x"), options)
            .await
            .unwrap();
        assert!(!nothing.changed && !nothing.replayed);
        assert_eq!(
            (nothing.document_id, nothing.version, nothing.position),
            (id(1), 2, 3)
        );
    }
    let again = commands
        .execute(id(1), correct("x"), keyed("k", 1))
        .await
        .unwrap();
    assert!(!again.changed && again.replayed);
    let reused = commands.execute(id(2), correct("x"), keyed("k", 2)).await;
    assert!(matches!(reused, Err(CommandError::KeyReused)));
    assert_eq!(store.log().head().await.unwrap(), 3);
}

/// The rules would refuse the second, and the version has moved on: by the first itself.
#[tokio::test]
async fn a_repetition_is_answered_though_it_would_be_refused_now() {
    let (commands, store, _database) = commands().await;
    commands
        .upload(id(1), upload("a"), private(), options())
        .await
        .unwrap();
    let options = CommandOptions {
        if_version: Some(1),
        ..keyed("k", 1)
    };
    let first = commands
        .execute(id(1), correct("x"), options.clone())
        .await
        .unwrap();
    let again = commands
        .execute(id(1), correct("x"), options)
        .await
        .unwrap();
    assert!(again.replayed);
    assert_eq!(
        (again.version, again.position),
        (first.version, first.position)
    );

    let first = commands
        .execute(id(1), start(), keyed("start", 1))
        .await
        .unwrap();
    commands
        .execute(id(1), withdraw("wrong one"), keyed("end", 1))
        .await
        .unwrap();
    let again = commands
        .execute(id(1), start(), keyed("start", 1))
        .await
        .unwrap();
    assert_eq!(
        (again.version, again.position),
        (first.version, first.position)
    );
    let reused = commands.execute(id(1), start(), keyed("end", 2)).await;
    assert!(matches!(reused, Err(CommandError::KeyReused)), "{reused:?}");
    assert_eq!(store.log().head().await.unwrap(), 4);
}

#[tokio::test]
async fn rules_refuse_and_leave_no_trace() {
    let (commands, store, _database) = commands().await;
    let request = DocumentCommand::RequestReprocessing(RequestReprocessing {
        priority: Priority::High,
        at: AT,
    });
    for command in [start(), withdraw("x"), correct("x"), request] {
        for options in [options(), keyed("k", 1)] {
            let refused = commands.execute(id(9), command.clone(), options).await;
            assert!(matches!(
                refused,
                Err(CommandError::Refused(Refusal::Unknown))
            ));
        }
    }
    assert_eq!(store.log().head().await.unwrap(), 0);
}

#[tokio::test]
async fn a_refused_upload_is_a_fact_of_its_own() {
    let (commands, store, _database) = commands().await;
    let refused = UploadRefused {
        problem: "empty-file".into(),
        detail: "the file is empty".into(),
        objections: Vec::new(),
        source: None,
        received: 0,
        private: Some(private().digest()),
        refused_at: AT,
    };
    let executed = commands
        .refuse_upload(id(1), refused.clone(), Some(private()), options())
        .await
        .unwrap();
    assert_eq!(
        (executed.document_id, executed.position, executed.changed),
        (id(1), 1, true)
    );
    let event = store.log().read(0, 1).await.unwrap().remove(0);
    assert_eq!(
        (event.aggregate_type.as_str(), event.event_type.as_str()),
        ("intake", "UploadRefused")
    );
    assert_eq!(event.decode::<UploadRefused>().unwrap(), refused);
    assert!(event.private.is_some());
}
