//! Frames of server-sent events. Pure.
//!
//! Source: WHATWG HTML, section 9.2 (server-sent events). An `id` without `data` moves the last
//! event id of a client and dispatches nothing: that is how silence is told.

use super::update::LiveEvent;
use axum::http::{HeaderMap, HeaderName};
use std::fmt::Write as _;
use std::time::Duration;

/// The header by which a client says where it was.
pub(super) static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How long a client is to wait before it comes back.
const RETRY: Duration = Duration::from_secs(2);

/// What a stream begins with: from here on the client can resume.
pub(super) fn beginning(cursor: i64) -> String {
    format!("retry: {}\nid: {cursor}\n\n", RETRY.as_millis())
}

/// The events as frames; what is in no log has none.
pub(super) fn frames<'a>(events: impl Iterator<Item = &'a LiveEvent>) -> String {
    let mut frames = String::new();
    for event in events {
        if let (Some(kind), Some(json)) = (event.event_type, &event.cloud_event) {
            // JSON has no line feed outside of texts, and inside it is escaped. Writing to a
            // string cannot fail.
            let position = event.position;
            let _never = write!(
                frames,
                "id: {position}\nevent: {kind}\ndata: {}\n\n",
                json.as_str()
            );
        }
    }
    frames
}

/// Everything up to here has been told.
pub(super) fn checkpoint(position: i64) -> String {
    format!("id: {position}\n\n")
}

/// A sign of life.
pub(super) const HEARTBEAT: &str = ": heartbeat\n\n";

/// Why a client's place cannot be taken. Shown to the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPlace {
    /// Not a position.
    #[error("`Last-Event-ID` must be an id of this stream: a position, 0 or more")]
    NoPosition,
    /// Whoever began after a position has since seen nothing before it.
    #[error("`Last-Event-ID` is {header}, before `after`, {after}: send one of them")]
    Contradiction {
        /// By the header.
        header: i64,
        /// By the query.
        after: i64,
    },
}

/// Where to begin: the header, which a client that comes back sends with the address it began
/// with, wins over `after`.
pub(super) fn place(headers: &HeaderMap, after: Option<i64>) -> Result<Option<i64>, BadPlace> {
    let mut sent = headers.get_all(&LAST_EVENT_ID).iter();
    let Some(value) = sent.next() else {
        return Ok(after);
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let header = value.to_str().ok().filter(|text| digits(text));
    let header = header.and_then(|text| text.parse::<i64>().ok());
    match (header, sent.next(), after) {
        (Some(header), None, Some(after)) if header < after => {
            Err(BadPlace::Contradiction { header, after })
        }
        (Some(header), None, _) => Ok(Some(header)),
        _ => Err(BadPlace::NoPosition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn placed(ids: &[&'static str], after: Option<i64>) -> Result<Option<i64>, BadPlace> {
        let mut headers = HeaderMap::new();
        for id in ids {
            headers.append(&LAST_EVENT_ID, HeaderValue::from_static(id));
        }
        place(&headers, after)
    }

    #[test]
    fn the_header_wins_unless_it_contradicts() {
        assert_eq!(placed(&[], None), Ok(None));
        assert_eq!(placed(&[], Some(3)), Ok(Some(3)));
        assert_eq!(placed(&["41"], Some(3)), Ok(Some(41)));
        assert_eq!(placed(&["3"], Some(3)), Ok(Some(3)));
        let (header, after) = (2, 3);
        let contradiction = BadPlace::Contradiction { header, after };
        assert_eq!(placed(&["2"], Some(3)), Err(contradiction));
    }

    #[test]
    fn an_id_that_was_never_given_out_is_refused() {
        for id in ["", "-1", "+1", "1 ", "x", "1.5", "99999999999999999999"] {
            assert_eq!(placed(&[id], None), Err(BadPlace::NoPosition), "{id}");
        }
        assert_eq!(placed(&["1", "1"], None), Err(BadPlace::NoPosition));
    }
}
