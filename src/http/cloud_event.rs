//! Events of the log as CloudEvents 1.0, in the JSON format.
//!
//! Sources: CloudEvents 1.0.2 with its JSON event format, and its extensions "distributed tracing",
//! "sequence" and "correlation". Private parts are never in it: they are not in the event either.

use kmrl_domain::RecordedEvent;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Media type of an array of them.
pub(super) const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";
/// What the types of all events begin with.
const NAMESPACE: &str = "in.kmrl.gateway";
/// What `source` is: the log. With the id, which is a position in it, unique.
const SOURCE: &str = "/api/v1/events";

/// An event of the log as a CloudEvent 1.0.
#[derive(Serialize, ToSchema)]
pub(super) struct CloudEvent<'a> {
    #[schema(pattern = "^1\\.0$", example = "1.0")]
    specversion: &'static str,
    /// Its position in the log: 1, 2, 3 …
    #[schema(pattern = "^[1-9][0-9]*$", example = "41")]
    id: String,
    /// The log.
    #[schema(format = "uri-reference", example = "/api/v1/events")]
    source: &'static str,
    /// Kind of stream, type and version of the event.
    #[serde(rename = "type")]
    #[schema(
        pattern = "^in\\.kmrl\\.gateway\\.[a-z]+\\.[A-Z][A-Za-z]+\\.v[0-9]+$",
        example = "in.kmrl.gateway.document.Extracted.v1"
    )]
    kind: String,
    /// The document, or another stream of events.
    subject: &'a str,
    /// When it was recorded; never decreases along positions.
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    #[schema(example = "application/json")]
    datacontenttype: &'static str,
    /// The event. Personal content is not in it.
    #[schema(value_type = Object)]
    data: &'a Value,
    /// As `id`. Text, because an integer attribute of CloudEvents has 32 bits.
    #[schema(pattern = "^[1-9][0-9]*$", example = "41")]
    position: String,
    /// Place in the stream of its document, from 1, with leading zeros so that texts sort.
    #[schema(pattern = "^[0-9]{10,19}$", example = "0000000003")]
    sequence: String,
    /// Who, such as `key:admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    actor: Option<&'a str>,
    /// The same for everything that one request set off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    correlationid: Option<&'a str>,
    /// W3C trace context.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    traceparent: Option<&'a str>,
}

impl<'a> CloudEvent<'a> {
    /// An event of the log.
    pub(super) fn of(event: &'a RecordedEvent) -> Self {
        // An attribute may not be empty.
        let word = |name: &str| {
            let word = event.metadata.get(name).map(String::as_str);
            word.filter(|w| !w.is_empty())
        };
        let position = event.position.to_string();
        let major = event.event_version.split('.').next().unwrap_or("1");
        Self {
            specversion: "1.0",
            id: position.clone(),
            source: SOURCE,
            kind: format!(
                "{NAMESPACE}.{}.{}.v{major}",
                event.aggregate_type, event.event_type
            ),
            subject: &event.aggregate_id,
            time: event.recorded_at,
            datacontenttype: "application/json",
            data: &event.payload,
            position,
            sequence: format!("{:010}", event.sequence),
            actor: word("actor"),
            correlationid: word("correlation_id"),
            traceparent: word("traceparent"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    #[test]
    fn an_event_of_the_log_is_a_cloud_event() {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let event = RecordedEvent {
            position: 3_000_000_000,
            aggregate_type: "document".into(),
            aggregate_id: "0190".into(),
            sequence: 3,
            event_type: "Withdrawn".into(),
            event_version: "1.0".into(),
            payload: json!({"type": "Withdrawn", "reason": "sent twice"}),
            metadata: [
                ("actor", "key:admin"),
                ("correlation_id", "4bf9"),
                ("traceparent", traceparent),
                ("key_id", ""),
            ]
            .map(|(k, v)| (k.into(), v.into()))
            .into(),
            recorded_at: datetime!(2026-03-01 10:00 UTC),
            private: Some(json!({"file_name": "secret.pdf"})),
        };
        assert_eq!(
            serde_json::to_value(CloudEvent::of(&event)).unwrap(),
            json!({
                "specversion": "1.0", "id": "3000000000", "source": "/api/v1/events",
                "type": "in.kmrl.gateway.document.Withdrawn.v1", "subject": "0190",
                "time": "2026-03-01T10:00:00Z", "datacontenttype": "application/json",
                "data": {"type": "Withdrawn", "reason": "sent twice"},
                "position": "3000000000", "sequence": "0000000003", "actor": "key:admin",
                "correlationid": "4bf9", "traceparent": traceparent,
            })
        );
    }
}
