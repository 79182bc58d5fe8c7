//! What a connection wants to be told: its query, checked strictly, and its subscriptions.
//!
//! Pure. Refusals are said in words; which problem they become is decided in `mod.rs`.

use super::update::LiveEvent;
use kmrl_domain::authority::Visibility;
use kmrl_domain::event::DocumentEvent;
use kmrl_domain::values::Status;
use std::collections::HashSet;
use utoipa::IntoParams;
use uuid::Uuid;

/// Documents that one connection may subscribe to at once.
pub const MOST_SUBSCRIPTIONS: usize = 1_000;
/// Longest word taken for a source or a department, in characters.
const LONGEST_WORD: usize = 64;

/// A query that cannot be taken. Shown to the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("query parameter `{name}`: {detail}")]
pub struct BadQuery {
    name: String,
    detail: String,
    unknown: bool,
}

impl BadQuery {
    fn new(name: &str, detail: impl ToString) -> Self {
        Self {
            name: name.chars().take(LONGEST_WORD).collect(),
            detail: detail.to_string(),
            unknown: false,
        }
    }

    /// There is no such parameter.
    fn unknown(name: &str) -> Self {
        Self {
            unknown: true,
            ..Self::new(name, "is not known here")
        }
    }

    /// There is no such parameter, rather than a wrong value of one.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.unknown
    }
}

/// What a query asks for.
#[derive(Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// Begin after this position of the log; absent: from now on.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// Only this document. Not where the path names one.
    pub document_id: Option<Uuid>,
    /// Only documents of this source.
    source: Option<String>,
    /// Only documents of this department.
    department: Option<String>,
    /// Only what leaves a document with this status: queued, processing, processed, failed.
    #[param(value_type = Option<String>)]
    status: Option<Status>,
    /// Only events of this type, such as Extracted, and no progress.
    #[param(rename = "type", value_type = Option<String>)]
    event_type: Option<&'static str>,
}

impl Query {
    /// Reads the pairs of a query string. Each name may come once.
    ///
    /// # Errors
    /// An unknown or repeated name, or a value that is none.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, BadQuery> {
        let mut query = Self::default();
        for (name, value) in pairs {
            let repeated = match name.as_str() {
                "after" => query.after.replace(position(name, value)?).is_some(),
                "document_id" => query.document_id.replace(document(name, value)?).is_some(),
                "source" => query.source.replace(word(name, value)?).is_some(),
                "department" => query.department.replace(word(name, value)?).is_some(),
                "status" => {
                    let status = value.parse().map_err(|e| BadQuery::new(name, e))?;
                    query.status.replace(status).is_some()
                }
                "type" => query.event_type.replace(event_type(name, value)?).is_some(),
                _ => return Err(BadQuery::unknown(name)),
            };
            if repeated {
                return Err(BadQuery::new(name, "is given more than once"));
            }
        }
        Ok(query)
    }

    /// The query of a path that names a document itself.
    ///
    /// # Errors
    /// When the query names one too.
    pub fn for_document(mut self, id: Uuid) -> Result<Self, BadQuery> {
        if self.document_id.replace(id).is_some() {
            return Err(BadQuery::unknown("document_id"));
        }
        Ok(self)
    }
}

fn position(name: &str, value: &str) -> Result<i64, BadQuery> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| value.parse().ok())
        .flatten()
        .ok_or_else(|| BadQuery::new(name, "must be a position, 0 or more"))
}

fn document(name: &str, value: &str) -> Result<Uuid, BadQuery> {
    Uuid::parse_str(value).map_err(|_| BadQuery::new(name, "must be a UUID"))
}

/// A word that is no type would be waited for in vain: it is refused.
fn event_type(name: &str, value: &str) -> Result<&'static str, BadQuery> {
    let known = DocumentEvent::TYPES.into_iter().find(|t| *t == value);
    known.ok_or_else(|| {
        let types = DocumentEvent::TYPES.join(", ");
        BadQuery::new(name, format!("must be one of {types}"))
    })
}

fn word(name: &str, value: &str) -> Result<String, BadQuery> {
    if value.is_empty() || value.chars().count() > LONGEST_WORD {
        return Err(BadQuery::new(name, "must have 1 to 64 characters"));
    }
    Ok(value.to_owned())
}

/// Why a subscription was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionRefused {
    /// The connection is for one document, named when it was opened.
    OneDocument,
    /// There are [`MOST_SUBSCRIPTIONS`] already.
    TooMany,
    /// There was no such subscription.
    None,
}

/// What a connection is told. Everything that its query allows until it subscribes to a document,
/// from then on only documents that it is subscribed to.
#[derive(Debug)]
pub struct Filter {
    query: Query,
    visible: Visibility,
    subscribed: Option<HashSet<Uuid>>,
}

impl Filter {
    /// Without subscriptions, of what somebody sees.
    #[must_use]
    pub const fn new(query: Query, visible: Visibility) -> Self {
        Self {
            query,
            visible,
            subscribed: None,
        }
    }

    /// The only document that can pass, when the query names it.
    #[must_use]
    pub const fn document(&self) -> Option<Uuid> {
        self.query.document_id
    }

    /// What somebody sees of documents.
    #[must_use]
    pub const fn visible(&self) -> &Visibility {
        &self.visible
    }

    /// Tells whether a message is for this connection.
    #[must_use]
    pub fn passes(&self, event: &LiveEvent) -> bool {
        let q = &self.query;
        if !self
            .visible
            .sees(event.department.as_deref(), &event.uploader)
        {
            return false;
        }
        q.document_id.is_none_or(|id| id == event.document_id)
            && q.status.is_none_or(|status| status == event.status)
            && q.event_type.is_none_or(|t| event.event_type == Some(t))
            && q.source.as_deref().is_none_or(|s| s == &*event.source)
            && (q.department.is_none() || q.department.as_deref() == event.department.as_deref())
            && self
                .subscribed
                .as_ref()
                .is_none_or(|ids| ids.contains(&event.document_id))
    }

    /// Adds a document. Twice is as good as once.
    ///
    /// # Errors
    /// See [`SubscriptionRefused`].
    pub fn subscribe(&mut self, id: Uuid) -> Result<(), SubscriptionRefused> {
        if self.query.document_id.is_some_and(|only| only != id) {
            return Err(SubscriptionRefused::OneDocument);
        }
        let ids = self.subscribed.get_or_insert_default();
        if ids.len() >= MOST_SUBSCRIPTIONS && !ids.contains(&id) {
            return Err(SubscriptionRefused::TooMany);
        }
        ids.insert(id);
        Ok(())
    }

    /// Removes a document.
    ///
    /// # Errors
    /// When it was not subscribed to.
    pub fn unsubscribe(&mut self, id: Uuid) -> Result<(), SubscriptionRefused> {
        let removed = self.subscribed.as_mut().is_some_and(|ids| ids.remove(&id));
        removed.then_some(()).ok_or(SubscriptionRefused::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn query(pairs: &[(&str, &str)]) -> Result<Query, BadQuery> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        Query::parse(&pairs)
    }

    fn event(id: u128) -> LiveEvent {
        LiveEvent {
            position: 1,
            transient: false,
            document_id: Uuid::from_u128(id),
            status: Status::Processed,
            source: Arc::from("maximo"),
            department: Some(Arc::from("finance")),
            uploader: Arc::from("key:one"),
            event_type: Some("Extracted"),
            json: "{}".into(),
            cloud_event: None,
        }
    }

    #[test]
    fn a_query_is_read_strictly() {
        let id = Uuid::from_u128(1);
        let full = query(&[
            ("after", "12"),
            ("document_id", &id.to_string()),
            ("source", "scan"),
            ("department", "finance"),
            ("status", "failed"),
            ("type", "Failed"),
        ])
        .unwrap();
        assert_eq!((full.after, full.document_id), (Some(12), Some(id)));
        assert_eq!(query(&[]).unwrap(), Query::default());
        let refused = [
            [("Source", "scan")].as_slice(),
            &[("after", "-1")],
            &[("after", "+1")],
            &[("after", "")],
            &[("after", "99999999999999999999")],
            &[("after", "1"), ("after", "1")],
            &[("document_id", "1")],
            &[("status", "done")],
            &[("source", "")],
            &[("type", "failed")],
        ];
        for pairs in refused {
            assert!(query(pairs).is_err(), "{pairs:?}");
        }
        assert!(full.for_document(id).is_err());
        assert_eq!(
            Query::default().for_document(id).unwrap().document_id,
            Some(id)
        );
    }

    #[test]
    fn every_filter_must_agree() {
        let passes = |pairs: &[(&str, &str)]| {
            Filter::new(query(pairs).unwrap(), Visibility::All).passes(&event(1))
        };
        let (one, two) = (
            Uuid::from_u128(1).to_string(),
            Uuid::from_u128(2).to_string(),
        );
        assert!(passes(&[]));
        assert!(passes(&[
            ("document_id", &one),
            ("source", "maximo"),
            ("status", "processed"),
            ("type", "Extracted")
        ]));
        assert!(passes(&[("department", "finance")]));
        for pair in [
            ("document_id", two.as_str()),
            ("source", "scan"),
            ("status", "failed"),
            ("department", "legal"),
            ("type", "Failed"),
        ] {
            assert!(!passes(&[pair]), "{pair:?}");
        }
    }

    #[test]
    fn from_the_first_subscription_on_only_what_is_subscribed_to_passes() {
        let mut filter = Filter::new(Query::default(), Visibility::All);
        let one = Uuid::from_u128(1);
        assert_eq!(filter.unsubscribe(one), Err(SubscriptionRefused::None));
        assert!(filter.passes(&event(2)));
        assert_eq!(filter.subscribe(one), Ok(()));
        assert!(filter.passes(&event(1)) && !filter.passes(&event(2)));
        assert_eq!(filter.unsubscribe(one), Ok(()));
        assert!(!filter.passes(&event(1)) && !filter.passes(&event(2)));
    }

    #[test]
    fn what_is_not_seen_does_not_pass_whatever_is_asked_for() {
        let passes = |departments: &[&str], uploader: &str| {
            let visible = Visibility::Some {
                departments: departments.iter().map(|d| (*d).to_owned()).collect(),
                uploader: uploader.into(),
            };
            let mut filter = Filter::new(Query::default(), visible);
            filter.subscribe(Uuid::from_u128(1)).unwrap();
            filter.passes(&event(1))
        };
        assert!(passes(&["finance"], "key:two"));
        assert!(passes(&[], "key:one"));
        assert!(!passes(&["legal"], "key:two"));
    }

    #[test]
    fn subscriptions_are_bounded_and_keep_to_the_document_of_the_path() {
        let mut filter = Filter::new(Query::default(), Visibility::All);
        for n in 0..MOST_SUBSCRIPTIONS as u128 {
            assert_eq!(filter.subscribe(Uuid::from_u128(n)), Ok(()));
        }
        assert_eq!(filter.subscribe(Uuid::from_u128(0)), Ok(()));
        assert_eq!(
            filter.subscribe(Uuid::max()),
            Err(SubscriptionRefused::TooMany)
        );
        let one = Query::default().for_document(Uuid::from_u128(1)).unwrap();
        let mut filter = Filter::new(one, Visibility::All);
        assert_eq!(
            filter.subscribe(Uuid::from_u128(2)),
            Err(SubscriptionRefused::OneDocument)
        );
        assert_eq!(filter.subscribe(Uuid::from_u128(1)), Ok(()));
    }
}
