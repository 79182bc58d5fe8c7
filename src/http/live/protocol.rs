//! The words of the WebSocket beside `document_update`: what clients say and what they are told.
//!
//! Pure: parsing and forms only. All messages are JSON objects with a `type`.

use super::super::documents::DocumentStatistics;
use super::filter::SubscriptionRefused;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Largest message taken from a client, in bytes.
pub const LARGEST_MESSAGE: usize = 16 * 1024;

/// What a client asks.
#[derive(Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum Request {
    /// Tell of this document, and of no others but those subscribed to.
    #[serde(rename = "subscribe_document")]
    Subscribe {
        /// The document.
        document_id: Uuid,
    },
    /// Tell of it no longer.
    #[serde(rename = "unsubscribe_document")]
    Unsubscribe {
        /// The document.
        document_id: Uuid,
    },
    /// Answer with `pong`.
    #[serde(rename = "ping")]
    Ping,
    /// Answer with `system_status`.
    #[serde(rename = "get_status")]
    Status,
    /// Answer with `processing_stats`.
    #[serde(rename = "get_stats")]
    Statistics,
}

/// A message of a client that cannot be followed. The connection stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFault {
    /// No JSON object with a `type`.
    Malformed,
    /// A `type` that is not known.
    UnknownType,
    /// `document_id` is missing or no UUID.
    BadDocumentId,
    /// A subscription was refused.
    Subscription(SubscriptionRefused),
    /// What was asked for cannot be read just now.
    Unavailable,
}

impl ClientFault {
    /// Stable word and one sentence for people.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("malformed", "A message is a JSON object with a `type`."),
            Self::UnknownType => (
                "unknown_type",
                "Known types: subscribe_document, unsubscribe_document, ping, get_status, get_stats.",
            ),
            Self::BadDocumentId => ("bad_document_id", "`document_id` must be a UUID."),
            Self::Subscription(SubscriptionRefused::OneDocument) => {
                ("one_document", "This connection is for one document only.")
            }
            Self::Subscription(SubscriptionRefused::TooMany) => (
                "too_many_subscriptions",
                "A connection may subscribe to 1,000 documents.",
            ),
            Self::Subscription(SubscriptionRefused::None) => (
                "not_subscribed",
                "There is no subscription to this document.",
            ),
            Self::Unavailable => ("unavailable", "This cannot be read just now; ask again."),
        }
    }
}

/// Reads a message of a client.
///
/// # Errors
/// A [`ClientFault`] to be told to the client.
pub fn parse(text: &str) -> Result<Request, ClientFault> {
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
        // As it came: a wrong id is another fault than a message without form.
        #[serde(borrow)]
        document_id: Option<&'a RawValue>,
    }
    let said: Said<'_> = serde_json::from_str(text).map_err(|_| ClientFault::Malformed)?;
    let id = || {
        let raw = said.document_id.map(RawValue::get);
        raw.and_then(|json| serde_json::from_str(json).ok())
            .ok_or(ClientFault::BadDocumentId)
    };
    match said.kind.as_ref() {
        "subscribe_document" => Ok(Request::Subscribe { document_id: id()? }),
        "unsubscribe_document" => Ok(Request::Unsubscribe { document_id: id()? }),
        "ping" => Ok(Request::Ping),
        "get_status" => Ok(Request::Status),
        "get_stats" => Ok(Request::Statistics),
        _ => Err(ClientFault::UnknownType),
    }
}

/// What a client is told beside `document_update`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::http) enum Told {
    /// On connecting and when asked for.
    SystemStatus {
        /// `operational`.
        status: &'static str,
        /// Version of the gateway.
        version: &'static str,
        /// Last position of the log.
        head: i64,
        /// Last position that the read models show.
        visible_position: i64,
        /// Last position told on this connection: `?after=` it misses nothing.
        position: i64,
        /// Connections to this process.
        connections: usize,
        /// Now.
        #[serde(with = "time::serde::rfc3339")]
        timestamp: OffsetDateTime,
    },
    /// When asked for.
    ProcessingStats {
        /// As `/api/v1/documents/statistics`.
        statistics: DocumentStatistics,
        /// Now.
        #[serde(with = "time::serde::rfc3339")]
        timestamp: OffsetDateTime,
    },
    /// When nothing else was to be told for a while.
    Checkpoint {
        /// Everything up to here has been told.
        position: i64,
        /// Now.
        #[serde(with = "time::serde::rfc3339")]
        timestamp: OffsetDateTime,
    },
    /// Answer to `subscribe_document`.
    Subscribed {
        /// The document.
        document_id: Uuid,
        /// It is told of from after this position.
        position: i64,
    },
    /// Answer to `unsubscribe_document`.
    Unsubscribed {
        /// The document.
        document_id: Uuid,
    },
    /// Answer to `ping`.
    Pong {
        /// Now.
        #[serde(with = "time::serde::rfc3339")]
        timestamp: OffsetDateTime,
    },
    /// A message could not be followed.
    Error {
        /// Stable word.
        code: &'static str,
        /// One sentence for people.
        message: &'static str,
    },
}

impl From<ClientFault> for Told {
    fn from(fault: ClientFault) -> Self {
        let (code, message) = fault.words();
        Self::Error { code, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    const ID: Uuid = Uuid::from_u128(5);

    #[test]
    fn known_requests_are_read() {
        let with_id = |kind: &str| json!({"type": kind, "document_id": ID, "extra": 1}).to_string();
        let cases = [
            (
                with_id("subscribe_document"),
                Request::Subscribe { document_id: ID },
            ),
            (
                with_id("unsubscribe_document"),
                Request::Unsubscribe { document_id: ID },
            ),
            (with_id("ping"), Request::Ping),
            (r#"{"type":"ping"}"#.into(), Request::Ping),
            (r#"{"type":"get_status"}"#.into(), Request::Status),
            (
                r#"{"t\u0079pe":"get_st\u0061ts"}"#.into(),
                Request::Statistics,
            ),
        ];
        for (text, request) in cases {
            let documented: Request = serde_json::from_str(&text).unwrap();
            assert_eq!(documented, request, "{text}");
            assert_eq!(parse(&text), Ok(request), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let deep = format!("{{\"type\":\"ping\",\"x\":{}", "[".repeat(5_000));
        let cases = [
            ("", ClientFault::Malformed),
            ("ping", ClientFault::Malformed),
            ("[]", ClientFault::Malformed),
            ("{}", ClientFault::Malformed),
            (r#"{"type":1}"#, ClientFault::Malformed),
            (r#"{"type":"ping"} {"#, ClientFault::Malformed),
            (&deep, ClientFault::Malformed),
            (r#"{"type":"reboot"}"#, ClientFault::UnknownType),
            (
                r#"{"type":"subscribe_document"}"#,
                ClientFault::BadDocumentId,
            ),
            (
                r#"{"type":"subscribe_document","document_id":7}"#,
                ClientFault::BadDocumentId,
            ),
            (
                r#"{"type":"subscribe_document","document_id":"7"}"#,
                ClientFault::BadDocumentId,
            ),
        ];
        for (text, fault) in cases {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn what_is_told_has_the_forms_promised() {
        let timestamp = datetime!(2026-03-01 10:00 UTC);
        let json = |told: Told| serde_json::to_value(told).unwrap();
        assert_eq!(
            json(Told::Checkpoint {
                position: 9,
                timestamp
            }),
            json!({"type": "checkpoint", "position": 9, "timestamp": "2026-03-01T10:00:00Z"})
        );
        assert_eq!(
            json(Told::Subscribed {
                document_id: ID,
                position: 4
            }),
            json!({"type": "subscribed", "document_id": ID, "position": 4})
        );
        let fault = json(ClientFault::BadDocumentId.into());
        assert_eq!(
            fault,
            json!({"type": "error", "code": "bad_document_id", "message": "`document_id` must be a UUID."})
        );
    }
}
