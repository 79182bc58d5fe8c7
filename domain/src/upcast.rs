//! Old forms of events made into the current ones while they are read.
//!
//! The log is never rewritten. When an event's form changes, its version goes up in
//! [`crate::event`], the golden file of the old version stays, and an upcaster is added here.

use cqrs_es::persist::{EventUpcaster, SemanticVersionEventUpcaster, SerializedEvent};
use serde_json::{Value, json};

/// All upcasters, in the order in which they apply.
#[must_use]
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    vec![
        Box::new(SemanticVersionEventUpcaster::new(
            "UploadRefused",
            "2.0",
            Box::new(without_objections),
        )),
        Box::new(SemanticVersionEventUpcaster::new(
            "Extracted",
            "1.1",
            Box::new(extracted_1_0),
        )),
        Box::new(SemanticVersionEventUpcaster::new(
            "Uploaded",
            "1.1",
            Box::new(without_parent),
        )),
    ]
}

/// `Uploaded` 1.1 names the document that it was found inside; before, there was none.
fn without_parent(mut payload: Value) -> Value {
    if let Some(event) = payload.as_object_mut() {
        event.entry("parent").or_insert(Value::Null);
    }
    payload
}

/// Before 2.0, uploads were refused for their forms alone.
fn without_objections(mut payload: Value) -> Value {
    if let Some(refused) = payload.as_object_mut() {
        refused.insert("objections".into(), Value::Array(Vec::new()));
    }
    payload
}

/// Nobody counted scripts, asked rules or judged pages then, there were no corrections of text, and
/// what was to be looked at by a person was told by the confidence alone.
fn extracted_1_0(mut payload: Value) -> Value {
    const REVIEW_BELOW: f64 = 0.7;
    let confidence = payload.get("confidence").and_then(Value::as_f64);
    let reasons = match confidence.filter(|confidence| *confidence < REVIEW_BELOW) {
        Some(confidence) => json!([{
            "code": "low_confidence",
            "detail": format!("the confidence of {confidence:.2} is below {REVIEW_BELOW}"),
        }]),
        None => json!([]),
    };
    if let Some(fields) = payload.as_object_mut() {
        let absent = [
            ("language_shares", json!({})),
            ("department_evidence", Value::Null),
            ("needs_review", reasons),
            ("recognised_pages", json!(0)),
            ("unread_pages", json!(0)),
            ("correction_kept", json!(false)),
        ];
        fields.extend(absent.map(|(name, value)| (name.to_owned(), value)));
    }
    payload
}

/// Applies to an event each upcaster that says it can.
#[must_use]
pub fn upcast(event: SerializedEvent, upcasters: &[Box<dyn EventUpcaster>]) -> SerializedEvent {
    upcasters.iter().fold(event, |event, upcaster| {
        if upcaster.can_upcast(&event.event_type, &event.event_version) {
            upcaster.upcast(event)
        } else {
            event
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_form_is_read_as_the_current_one() {
        let old = SerializedEvent::new(
            "d".into(),
            1,
            "document".into(),
            "Withdrawn".into(),
            "0.9".into(),
            json!({"type": "Withdrawn", "why": "sent twice", "withdrawn_at": "2026-01-02T03:04:05Z"}),
            json!({}),
        );
        let rename = SemanticVersionEventUpcaster::new(
            "Withdrawn",
            "1.0",
            Box::new(|mut payload| {
                if let Some(why) = payload.as_object_mut().and_then(|o| o.remove("why")) {
                    payload["reason"] = why;
                }
                payload
            }),
        );
        let new = upcast(old, &[Box::new(rename)]);
        let event: crate::DocumentEvent = serde_json::from_value(new.payload).unwrap();
        assert!(matches!(event, crate::DocumentEvent::Withdrawn(w) if w.reason == "sent twice"));
    }
}
