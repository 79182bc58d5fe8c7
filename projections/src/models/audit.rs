//! The read model `audit`: the trail of changes and of access, one order for both.
//!
//! A record of access is a row; any other event is one row, told without reading more of it than
//! a reason, so that events of kinds not known here are in the trail too. Nobody waits for this
//! model: it is kept up apart from the others and is no part of the visible position.

use crate::batch::Texts;
use crate::fold::{Rejected, Unfit, is_of_document, storable};
use crate::model::Model;
use async_trait::async_trait;
use kmrl_domain::access::{self, AccessRecord, AccessRecorded, Outcome, action_of_event};
use kmrl_domain::{RecordedEvent, intake};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) const NAME: &str = "audit";

/// A row, with the columns of the table. It travels as JSON: the whole batch is one parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Entry {
    position: i64,
    index: i32,
    kind: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    actor: String,
    key_id: Option<String>,
    action: String,
    outcome: Outcome,
    document_id: Option<Uuid>,
    version: Option<i64>,
    shown_at: Option<i64>,
    count: Option<i64>,
    status: Option<u16>,
    problem: Option<String>,
    reason: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    correlation_id: Option<String>,
    traceparent: Option<String>,
    parameters: BTreeMap<String, String>,
}

fn entries(events: &[RecordedEvent]) -> (Vec<Entry>, Vec<Rejected>) {
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    for event in events {
        if event.aggregate_type != access::TYPE {
            rows.push(change(event));
            continue;
        }
        match accesses(event) {
            Ok(found) => rows.extend(found),
            Err(why) => rejected.push(Rejected::new(event, &why)),
        }
    }
    (rows, rejected)
}

fn accesses(event: &RecordedEvent) -> Result<Vec<Entry>, Unfit> {
    let AccessRecorded { records } = event.decode()?;
    let rows = records.into_iter().zip(0..);
    Ok(rows.map(|(record, n)| access(event, n, record)).collect())
}

fn access(event: &RecordedEvent, index: i32, record: AccessRecord) -> Entry {
    let word = |text: Option<String>| text.map(storable);
    Entry {
        position: event.position,
        index,
        kind: "access",
        at: record.at,
        recorded_at: event.recorded_at,
        actor: storable(record.actor),
        key_id: word(record.key_id),
        action: storable(record.action),
        outcome: record.outcome,
        document_id: record.document_id,
        version: record.version,
        shown_at: record.shown_at,
        count: record.count,
        status: record.status,
        problem: word(record.problem),
        reason: word(record.reason),
        address: word(record.address),
        user_agent: word(record.user_agent),
        request_id: word(record.request_id),
        correlation_id: word(record.correlation_id),
        traceparent: word(record.traceparent),
        parameters: record
            .parameters
            .into_iter()
            .map(|(name, value)| (storable(name), storable(value)))
            .collect(),
    }
}

fn change(event: &RecordedEvent) -> Entry {
    // Bounded, because an index has no place for what is long, and a row is to be there always.
    let bounded = |text: &str| access::bounded(text, access::LONGEST_VALUE);
    let of = |name: &str| event.metadata.get(name).map(|text| bounded(text));
    let word = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str);
        text.map(|t| access::bounded(t, access::LONGEST_REASON))
    };
    let payload = &event.payload;
    let failure = payload.get("reason").filter(|reason| reason.is_object());
    let is_document = is_of_document(event);
    Entry {
        position: event.position,
        index: 0,
        kind: "change",
        at: event.recorded_at,
        recorded_at: event.recorded_at,
        actor: of("actor").unwrap_or_default(),
        key_id: of("key_id"),
        action: action_of_event(&event.event_type),
        outcome: match event.aggregate_type.as_str() {
            intake::TYPE => Outcome::Refused,
            _ if event.event_type == "Failed" => Outcome::Failed,
            _ => Outcome::Accepted,
        },
        document_id: event.id().ok().filter(|_| is_document),
        version: is_document.then_some(event.sequence),
        shown_at: None,
        count: None,
        status: None,
        problem: word(
            payload
                .get("problem")
                .or(failure.and_then(|f| f.get("code"))),
        ),
        reason: word(match failure {
            Some(failure) => failure.get("detail"),
            None => payload.get("reason").or(payload.get("detail")),
        }),
        address: of("address"),
        user_agent: of("user_agent"),
        request_id: of("request_id"),
        correlation_id: of("correlation_id"),
        traceparent: of("traceparent"),
        parameters: BTreeMap::new(),
    }
}

/// The read model.
pub(crate) struct Audit;

#[async_trait]
impl Model for Audit {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        1
    }

    fn definition(&self) -> &'static str {
        include_str!("audit.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["audit"]
    }

    fn is_apart(&self) -> bool {
        true
    }

    fn concerns(&self, _event: &RecordedEvent) -> bool {
        true
    }

    fn rows_of(&self, event: &RecordedEvent) -> usize {
        let records = event.payload.get("records").and_then(Value::as_array);
        records.map_or(1, Vec::len)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        _texts: &Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let (rows, rejected) = entries(events);
        let json = serde_json::to_string(&rows).map_err(|e| sqlx::Error::Encode(e.into()))?;
        sqlx::query(&format!(
            "INSERT INTO {schema}.audit \
             SELECT * FROM json_populate_recordset(NULL::{schema}.audit, $1::json) \
             ON CONFLICT (position, index) DO NOTHING"
        ))
        .bind(json)
        .execute(connection)
        .await?;
        Ok(rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn each_record_is_a_row_and_each_change_one() {
        let mut events = log(document(1));
        events.push(accessed(4, 2));
        events.push(refused(5));
        let (rows, rejected) = entries(&events);
        assert!(rejected.is_empty());
        let told: Vec<_> = rows
            .iter()
            .map(|r| (r.position, r.index, r.kind, r.action.as_str(), r.outcome))
            .collect();
        assert_eq!(
            told,
            [
                (1, 0, "change", "upload", Outcome::Accepted),
                (2, 0, "change", "processing_started", Outcome::Accepted),
                (3, 0, "change", "extracted", Outcome::Accepted),
                (4, 0, "access", "view", Outcome::Shown),
                (4, 1, "access", "view", Outcome::Shown),
                (5, 0, "change", "upload", Outcome::Refused),
            ]
        );
        assert_eq!(
            (rows[0].document_id, rows[0].version),
            (Some(id(1)), Some(1))
        );
        assert_eq!((rows[5].document_id, rows[5].version), (None, None));
        assert_eq!(rows[5].problem.as_deref(), Some("empty-file"));
    }

    #[test]
    fn failures_and_withdrawals_bring_their_reason() {
        let events = log(vec![(1, 1, failed(1, 1, false)), (1, 2, withdrawn())]);
        let (rows, _) = entries(&events);
        assert_eq!(rows[0].outcome, Outcome::Failed);
        assert_eq!(rows[0].problem.as_deref(), Some("unsupported_type"));
        assert_eq!(
            rows[0].reason.as_deref(),
            Some("Files of this type have no text reader.")
        );
        assert_eq!(rows[1].reason.as_deref(), Some("sent twice"));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_rejected_and_the_rest_goes_on() {
        let mut bad = accessed(1, 1);
        bad.payload = serde_json::json!({"type": "AccessRecorded"});
        let (rows, rejected) = entries(&[bad, accessed(2, 1)]);
        assert_eq!((rows.len(), rejected.len()), (1, 1));
        assert_eq!(rejected[0].position, 1);
    }

    #[test]
    fn an_event_of_a_kind_not_known_is_in_the_trail() {
        let mut event = refused(9);
        event.aggregate_type = "retention".into();
        event.event_type = "RuleChanged".into();
        event.payload = serde_json::json!({"reason": "law\0"});
        let (rows, rejected) = entries(&[event]);
        assert!(rejected.is_empty());
        assert_eq!(rows[0].action, "rule_changed");
        assert_eq!(rows[0].reason.as_deref(), Some("law\u{fffd}"));
    }
}
