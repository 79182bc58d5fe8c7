//! A document as of a moment: a version, a position of the log, or a time.
//!
//! Owns how a moment is written and whether it has come. The folding is that of the read models.

use super::super::audited::Touched;
use super::super::etag::{client_has, etag};
use super::super::position;
use super::super::problem::{Problem, ProblemType};
use super::super::state::ApiState;
use super::view::Document;
use crate::event_store::LogError;
use crate::projector::BlobTexts;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kmrl_domain::{RecordedEvent, document};
use kmrl_projections::query::{self, DocumentRow};
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// A past that cannot change. Bounded, so that no client keeps for long what is erased later.
const SETTLED: HeaderValue = HeaderValue::from_static("private, max-age=3600, immutable");
const UNSETTLED: HeaderValue = HeaderValue::from_static("private, no-cache");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("private, no-store");

/// A moment of a document's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// After its n-th event.
    Version(i64),
    /// After this position of the log.
    Position(i64),
    /// After everything recorded until then.
    Time(OffsetDateTime),
}

impl Moment {
    /// Reads `v3`, `41` or a time as in RFC 3339.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let number = |t: &str| t.parse().ok().filter(|n| *n > 0 && digits(t));
        let moment = match text.strip_prefix('v') {
            Some(version) => number(version).map(Self::Version),
            None if digits(text) => number(text).map(Self::Position),
            // In a query, `+` stands for a space; a time has none.
            None => OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339)
                .ok()
                .map(Self::Time),
        };
        moment.ok_or_else(|| {
            Problem::new(ProblemType::InvalidParameter).detail(
                "`as_of` is a version such as v3, a position of the log such as 41, or a time as \
                 in RFC 3339 such as 2026-01-02T03:04:05Z",
            )
        })
    }

    const fn has(self, event: &RecordedEvent) -> bool {
        match self {
            Self::Version(version) => event.sequence <= version,
            Self::Position(position) => event.position <= position,
            Self::Time(time) => {
                event.recorded_at.unix_timestamp_nanos() <= time.unix_timestamp_nanos()
            }
        }
    }
}

/// A document as it was.
pub(crate) struct Past {
    row: DocumentRow,
    /// Nothing that is recorded later belongs to the moment.
    settled: bool,
    erased: bool,
    /// The log's last position when it was looked at.
    head: i64,
}

impl Past {
    /// The document at a moment.
    pub(crate) async fn load(state: &ApiState, id: Uuid, moment: Moment) -> Result<Self, Problem> {
        // Before the stream: whatever comes after it belongs to no moment that had come.
        let end = state.log.head_with_time().await.map_err(LogError::from)?;
        let events = stream(state, id).await?;
        let settled = come(state, moment, end, &events)?;
        let then = events.iter().take_while(|event| moment.has(event)).count();
        let texts = BlobTexts(Arc::clone(&state.blobs));
        let row = query::as_of(&events, then, &texts).await?;
        Ok(Self {
            row: row.ok_or_else(|| not_yet(&events))?,
            settled,
            erased: query::is_erased(&events),
            head: end.0,
        })
    }

    /// As the document's own address answers.
    pub(crate) fn answer(self, headers: &HeaderMap) -> Response {
        let tag = (!self.erased).then(|| etag(self.row.version));
        let cache = match () {
            () if self.erased => NOT_KEPT,
            () if self.settled && !self.row.incomplete => SETTLED,
            () => UNSETTLED,
        };
        let touched = Touched::document(self.row.id, self.row.version, self.head);
        let mut response = if tag.as_ref().is_some_and(|tag| client_has(headers, tag)) {
            touched.with(StatusCode::NOT_MODIFIED)
        } else {
            touched.with(Json(self.document()).into_response())
        };
        let answered = response.headers_mut();
        answered.insert(header::CACHE_CONTROL, cache);
        if let Some(tag) = tag {
            answered.insert(header::ETAG, tag);
        }
        response
    }

    /// As it is shown.
    pub(crate) fn document(self) -> Document {
        Document::of(self.row)
    }
}

/// All events of a document.
pub(super) async fn stream(state: &ApiState, id: Uuid) -> Result<Vec<RecordedEvent>, Problem> {
    let events = state.log.stream(document::TYPE, &id.to_string()).await?;
    if events.is_empty() {
        return Err(Problem::new(ProblemType::DocumentNotFound));
    }
    Ok(events)
}

/// Tells whether a moment that has come is settled: nothing recorded from now on belongs to it.
fn come(
    state: &ApiState,
    moment: Moment,
    (head, recorded_at): (i64, OffsetDateTime),
    events: &[RecordedEvent],
) -> Result<bool, Problem> {
    let future = |detail: String| Problem::new(ProblemType::AsOfFuture).detail(detail);
    match moment {
        Moment::Version(version) => {
            let newest = events.last().map_or(0, |event| event.sequence);
            if version > newest {
                let detail = format!("version {version} was asked for, {newest} is the newest");
                return Err(future(detail));
            }
            Ok(true)
        }
        Moment::Position(position) => {
            let newest = events.last().map_or(head, |event| head.max(event.position));
            position::reached(Some(position), newest).map(|()| true)
        }
        Moment::Time(time) => {
            let now = state.clock.now().max(recorded_at);
            if time > now {
                return Err(future(format!("it is {now} now")));
            }
            Ok(time < recorded_at)
        }
    }
}

fn not_yet(events: &[RecordedEvent]) -> Problem {
    let problem = Problem::new(ProblemType::DocumentNotYet);
    match events.first() {
        Some(first) => {
            let (position, time) = (first.position, first.recorded_at);
            problem.detail(format!("it came at position {position}, {time}"))
        }
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_moment_is_written_in_three_ways() {
        let parse = |text: &str| Moment::parse(text).unwrap();
        assert_eq!(parse("v3"), Moment::Version(3));
        assert_eq!(parse("41"), Moment::Position(41));
        let time = datetime!(2026-01-02 08:34:05 +05:30);
        assert_eq!(parse("2026-01-02T03:04:05Z"), Moment::Time(time));
        assert_eq!(parse("2026-01-02T08:34:05+05:30"), Moment::Time(time));
        assert_eq!(parse("2026-01-02T08:34:05 05:30"), Moment::Time(time));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "v",
            "v0",
            "0",
            "v-1",
            "v+1",
            "-1",
            "V3",
            "3.5",
            "yesterday",
            "2026-01-02",
            "99999999999999999999",
        ] {
            let kind = Moment::parse(bad).unwrap_err().kind();
            assert_eq!(kind, ProblemType::InvalidParameter, "{bad}");
        }
    }
}
