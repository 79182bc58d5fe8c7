//! Spans begin, end and are sent; where there is no collector nothing happens.

use super::*;
use crate::config::UploadSettings;
use std::sync::atomic::{AtomicU8, Ordering};
use time::macros::datetime;
use uuid::Uuid;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Always the same time, and ids in a row.
struct Numbered(AtomicU8);

impl Clock for Numbered {
    fn now(&self) -> OffsetDateTime {
        traces_time()
    }
}

impl Ids for Numbered {
    fn new_id(&self) -> Uuid {
        Uuid::nil()
    }

    fn salt(&self) -> [u8; 32] {
        [self.0.fetch_add(2, Ordering::Relaxed); 32]
    }
}

fn on() -> (Traces, mpsc::Receiver<Span>) {
    let upload = UploadSettings {
        sources: Vec::new(),
        max_file_bytes: 1,
    };
    let metrics = Arc::new(Metrics::new(upload.into()).unwrap());
    let numbered = || Arc::new(Numbered(AtomicU8::new(1)));
    Traces::to_collector(numbered(), numbered(), metrics)
}

fn traces_time() -> OffsetDateTime {
    datetime!(2026-01-01 12:00:00 UTC)
}

#[test]
fn contexts_are_read_as_they_are_written() {
    let context = TraceContext::parse(PARENT).unwrap();
    assert_eq!(context.to_string(), PARENT);
    assert!(context.sampled);
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    for bad in [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        &format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
    ] {
        assert_eq!(TraceContext::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_span_is_sent_when_it_is_over() {
    let (traces, mut spans) = on();
    let mut open = traces.begin(Kind::Consumer, "job", Some(PARENT)).unwrap();
    open.note("run", 1);
    assert!(spans.try_recv().is_err());
    let own = TraceContext::parse(&open.traceparent().unwrap()).unwrap();
    drop(open);
    let span = spans.try_recv().unwrap();
    let parent = TraceContext::parse(PARENT).unwrap();
    assert_eq!(span.context, own);
    assert_eq!((own.trace, span.parent), (parent.trace, Some(parent.span)));
    assert_ne!(own.span, parent.span);
    assert_eq!(own.span, [1; 8]);
    assert_eq!((span.start, span.end), (traces_time(), traces_time()));
    assert_eq!(span.attributes, [("run", "1".to_owned())]);
}

#[test]
fn nothing_is_made_of_what_is_not_wanted_or_has_no_collector() {
    let (traces, _spans) = on();
    let unwanted = PARENT.replace("-01", "-00");
    assert!(traces.begin(Kind::Internal, "x", Some(&unwanted)).is_none());
    assert!(traces.begin(Kind::Internal, "x", None).is_none());
    let off = Traces::off();
    assert!(off.begin(Kind::Internal, "x", Some(PARENT)).is_none());
    assert!(off.begin_as(Kind::Server, "x", PARENT, None).is_none());
}
