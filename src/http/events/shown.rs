//! The log as somebody sees it: events of documents that the policy shows them.
//!
//! Who reads the audit trail reads the log whole, but for documents of other departments. Others see no
//! streams but those of documents and of refused uploads.

use super::super::problem::Problem;
use super::super::state::ApiState;
use crate::event_store::EventFilter;
use kmrl_domain::authority::{Authority, Permission, Target, Visibility};
use kmrl_domain::{RecordedEvent, document, intake};
use kmrl_projections::query::Belonging;
use std::collections::HashMap;
use uuid::Uuid;

/// Pages of the log that one answer looks through, at most: who sees little gets short pages.
const MOST_PAGES: usize = 10;

/// Events that are shown, and how far the log was looked through.
pub(super) struct Shown {
    pub(super) events: Vec<RecordedEvent>,
    /// `after` for the next page.
    pub(super) next_after: i64,
}

/// The next events that somebody sees. `head` is the position that the log is shown up to.
pub(super) async fn page(
    state: &ApiState,
    authority: &Authority,
    mut filter: EventFilter,
    head: i64,
) -> Result<Shown, Problem> {
    let whole = authority.permits(Permission::Audit, Target::Anything);
    let visible = authority.visibility();
    let mut shown = Shown {
        events: Vec::new(),
        next_after: filter.after,
    };
    let limit = filter.limit;
    for _ in 0..MOST_PAGES {
        let mut events = state.log.page(&filter).await?;
        let full = i64::try_from(events.len()).is_ok_and(|n| n == limit);
        events.retain(|event| event.position <= head);
        let last = events.last().map_or(filter.after, |event| event.position);
        // After a page that is not full nothing that passes is left up to the head.
        shown.next_after = if full { last } else { last.max(head) };
        keep_seen(state, whole, &visible, &mut events).await?;
        let room = usize::try_from(limit).unwrap_or(0) - shown.events.len();
        if let Some(first_left) = events.get(room) {
            shown.next_after = first_left.position - 1;
            events.truncate(room);
        }
        shown.events.extend(events);
        let enough = i64::try_from(shown.events.len()).is_ok_and(|n| n >= limit);
        if !full || enough || shown.next_after >= head {
            break;
        }
        filter.after = shown.next_after;
    }
    Ok(shown)
}

async fn keep_seen(
    state: &ApiState,
    whole: bool,
    visible: &Visibility,
    events: &mut Vec<RecordedEvent>,
) -> Result<(), Problem> {
    let of_document = |event: &RecordedEvent| event.aggregate_type == document::TYPE;
    let everything = *visible == Visibility::All;
    let mut known: HashMap<Uuid, Belonging> = HashMap::new();
    if !everything {
        let ids = events.iter().filter(|event| of_document(event));
        let ids: Vec<Uuid> = ids.filter_map(|event| event.id().ok()).collect();
        let found = state.everything.belonging(&ids).await?;
        known.extend(found.into_iter().map(|belonging| (belonging.id, belonging)));
    }
    events.retain(|event| {
        if !of_document(event) {
            return whole || (everything && event.aggregate_type == intake::TYPE);
        }
        let belonging = event.id().ok().and_then(|id| known.get(&id));
        everything || belonging.is_some_and(|b| visible.sees(b.department.as_deref(), &b.uploader))
    });
    Ok(())
}
