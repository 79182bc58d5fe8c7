//! The read model `api_keys`: which keys were issued, what became of them, and when each was used last.
//!
//! For people who look after keys. Whether a key is good is decided on its own stream, never here. It
//! reads records of access, for the last use, and so stands apart.

use crate::batch::Texts;
use crate::fold::{Rejected, Unfit, storable};
use crate::model::Model;
use crate::rows::{self, Keyed, row};
use async_trait::async_trait;
use kmrl_domain::RecordedEvent;
use kmrl_domain::access::{self, AccessRecorded};
use kmrl_domain::api_key::{self, ApiKeyEvent};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) const NAME: &str = "api_keys";

row! {
    /// A key.
    ApiKeyRow in "api_keys" {
        key id: Uuid => "uuid",
        version: i64 => "bigint",
        position: i64 => "bigint",
        name: String => "text",
        terms: String => "jsonb",
        issued_at: OffsetDateTime => "timestamptz",
        issued_by: String => "text",
        rotated_at: Option<OffsetDateTime> => "timestamptz",
        overlap_until: Option<OffsetDateTime> => "timestamptz",
        revoked_at: Option<OffsetDateTime> => "timestamptz",
        revoked_by: Option<String> => "text",
        revocation_reason: Option<String> => "text",
        last_used_at: Option<OffsetDateTime> => "timestamptz",
    }
}

impl Keyed for ApiKeyRow {
    fn document(&self) -> Uuid {
        self.id
    }
}

type Rows = BTreeMap<Uuid, ApiKeyRow>;

fn is_of_key(event: &RecordedEvent) -> bool {
    event.aggregate_type == api_key::TYPE
}

/// The rows that a batch changes, over those that were there.
fn fold(events: &[RecordedEvent], mut rows: Rows) -> (Rows, Vec<Rejected>) {
    let mut rejected = Vec::new();
    for event in events.iter().filter(|event| is_of_key(event)) {
        if let Err(why) = evolve(&mut rows, event) {
            rejected.push(Rejected::new(event, &why));
        }
    }
    (rows, rejected)
}

fn evolve(rows: &mut Rows, recorded: &RecordedEvent) -> Result<(), Unfit> {
    let id = recorded.id()?;
    let row = rows.get_mut(&id);
    // Delivered before: the row has it already.
    if row
        .as_ref()
        .is_some_and(|row| row.version >= recorded.sequence)
    {
        return Ok(());
    }
    let actor = || {
        let actor = recorded.metadata.get("actor").cloned();
        storable(actor.unwrap_or_default())
    };
    match (recorded.decode()?, row) {
        (ApiKeyEvent::KeyIssued(e), _) => {
            let terms = serde_json::to_string(&e.grant);
            let row = ApiKeyRow {
                id,
                version: recorded.sequence,
                position: recorded.position,
                name: e.grant.name,
                terms: terms.map_err(|_| Unfit::Range { field: "grant" })?,
                issued_at: e.issued_at,
                issued_by: actor(),
                rotated_at: None,
                overlap_until: None,
                revoked_at: None,
                revoked_by: None,
                revocation_reason: None,
                last_used_at: None,
            };
            rows.insert(id, row);
        }
        (ApiKeyEvent::KeyRotated(e), Some(row)) => {
            row.version = recorded.sequence;
            row.rotated_at = Some(e.rotated_at);
            row.overlap_until = Some(e.overlap_until);
        }
        (ApiKeyEvent::KeyRevoked(e), Some(row)) => {
            row.version = recorded.sequence;
            row.revoked_at = Some(e.revoked_at);
            row.revoked_by = Some(actor());
            row.revocation_reason = Some(storable(e.reason));
        }
        (_, None) => return Err(Unfit::NoUpload),
    }
    Ok(())
}

/// When each key was used last, as a batch tells: by accesses, and by what was done with it.
fn uses(events: &[RecordedEvent]) -> BTreeMap<Uuid, OffsetDateTime> {
    let mut uses = BTreeMap::new();
    let mut used = |key: Option<&str>, at: OffsetDateTime| {
        if let Some(Ok(id)) = key.map(Uuid::try_parse) {
            let last = uses.entry(id).or_insert(at);
            *last = at.max(*last);
        }
    };
    for event in events {
        if event.aggregate_type == access::TYPE {
            // One that cannot be read is parked by the trail, which is what it is for.
            let records = event.decode::<AccessRecorded>().map(|e| e.records);
            for record in records.unwrap_or_default() {
                used(record.key_id.as_deref(), record.at);
            }
        } else {
            used(
                event.metadata.get("key_id").map(String::as_str),
                event.recorded_at,
            );
        }
    }
    uses
}

/// The read model.
pub(crate) struct ApiKeys;

#[async_trait]
impl Model for ApiKeys {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        1
    }

    fn definition(&self) -> &'static str {
        include_str!("api_keys.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["api_keys"]
    }

    fn is_apart(&self) -> bool {
        true
    }

    fn concerns(&self, event: &RecordedEvent) -> bool {
        is_of_key(event)
            || event.aggregate_type == access::TYPE
            || event.metadata.contains_key("key_id")
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        _texts: &Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let ids = events.iter().filter(|event| is_of_key(event));
        let ids = ids.filter_map(|event| event.id().ok()).collect();
        let prior = rows::load(&mut *connection, schema, &ids).await?;
        let (rows, rejected) = fold(events, prior);
        rows::upsert(&mut *connection, schema, rows.into_values().collect()).await?;
        let (ids, times): (Vec<Uuid>, Vec<OffsetDateTime>) = uses(events).into_iter().unzip();
        if !ids.is_empty() {
            sqlx::query(&format!(
                "UPDATE {schema}.api_keys k SET last_used_at = greatest(k.last_used_at, u.at) \
                 FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at) WHERE k.id = u.id"
            ))
            .bind(ids)
            .bind(times)
            .execute(connection)
            .await?;
        }
        Ok(rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_key_is_issued_rotated_and_revoked_also_when_told_twice() {
        let events = key_events();
        let (rows, rejected) = fold(&events, Rows::new());
        assert!(rejected.is_empty());
        let row = &rows[&id(9)];
        assert_eq!(
            (row.name.as_str(), row.version, row.position),
            ("maximo", 3, 1)
        );
        assert_eq!(row.issued_by, "key:admin");
        assert!(row.rotated_at.is_some() && row.overlap_until.is_some());
        assert_eq!(row.revocation_reason.as_deref(), Some("lost"));
        let (again, rejected) = fold(&events, rows.clone());
        assert!(rejected.is_empty());
        assert_eq!(again, rows);
    }

    #[test]
    fn an_event_of_a_key_that_was_not_issued_is_rejected() {
        let (rows, rejected) = fold(&key_events()[1..], Rows::new());
        assert!(rows.is_empty());
        assert_eq!(rejected.len(), 2);
    }

    #[test]
    fn the_last_use_is_the_latest() {
        let mut events = key_events();
        let times = [
            events[0].recorded_at,
            events[0].recorded_at + time::Duration::hours(1),
        ];
        for (event, at) in events.iter_mut().zip(times) {
            event.metadata.insert("key_id".into(), id(9).to_string());
            event.recorded_at = at;
        }
        events[2].metadata.insert("key_id".into(), "admin".into());
        assert_eq!(uses(&events), [(id(9), times[1])].into());
    }
}
