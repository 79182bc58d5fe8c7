//! The store as cqrs-es sees it: its public trait `EventStore`, so that framework tools and the
//! conformance tests work on our store as on the stock one.
//!
//! Reading goes through postgres-es' `PostgresEventRepository` on the seven columns it knows;
//! writing goes through our writer. No queries are dispatched from here: projections follow the log.

use super::batch::Command;
use super::store::PostgresEventStore;
use super::types::{AppendError, NewEvent};
use cqrs_es::persist::{
    EventStoreAggregateContext, PersistedEventRepository, PersistenceError, SerializedEvent,
};
use cqrs_es::{Aggregate, AggregateError, EventEnvelope, EventStore};
use kmrl_domain::upcast::upcast;
use std::collections::HashMap;

impl<A: Aggregate> EventStore<A> for PostgresEventStore {
    type AC = EventStoreAggregateContext<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let events: Vec<SerializedEvent> = self.repository().get_events::<A>(aggregate_id).await?;
        let upcasters = self.log().upcasters();
        let current = |event| EventEnvelope::try_from(upcast(event, upcasters));
        let envelopes: Result<_, PersistenceError> = events.into_iter().map(current).collect();
        Ok(envelopes?)
    }

    async fn load_aggregate(
        &self,
        aggregate_id: &str,
    ) -> Result<Self::AC, AggregateError<A::Error>> {
        let mut context = EventStoreAggregateContext {
            aggregate_id: aggregate_id.to_owned(),
            aggregate: A::default(),
            current_sequence: 0,
            current_snapshot: None,
        };
        for envelope in EventStore::<A>::load_events(self, aggregate_id).await? {
            context.current_sequence = envelope.sequence;
            context.aggregate.apply(envelope.payload);
        }
        Ok(context)
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Self::AC,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let written: Result<Vec<NewEvent>, _> =
            events.iter().map(|e| NewEvent::new(e, None)).collect();
        let expected = i64::try_from(context.current_sequence)
            .map_err(|e| AggregateError::UnexpectedError(e.into()))?;
        let id = context.aggregate_id;
        let command = Command::with_metadata(A::TYPE, id.clone(), expected, written?, &metadata)?;
        self.submit(command).await.map_err(aggregate_error)?;
        Ok(events
            .into_iter()
            .zip(context.current_sequence + 1..)
            .map(|(payload, sequence)| EventEnvelope {
                aggregate_id: id.clone(),
                sequence,
                payload,
                metadata: metadata.clone(),
            })
            .collect())
    }
}

fn aggregate_error<E: std::error::Error>(error: AppendError) -> AggregateError<E> {
    match error {
        AppendError::Stale { .. } => AggregateError::AggregateConflict,
        AppendError::Unavailable { .. } => AggregateError::DatabaseConnectionError(error.into()),
        other => AggregateError::UnexpectedError(other.into()),
    }
}
