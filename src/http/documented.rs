//! What a parameter of a name takes, the same on every path that has it: told in the OpenAPI document, so
//! that clients and test tools know what is refused.
//!
//! Owns only the telling. What is refused is decided by whoever reads the parameter; limits of numbers and
//! lengths by `query`, out of the document itself.

use kmrl_domain::DocumentEvent;
use kmrl_domain::access::{self, Outcome};
use kmrl_projections::NAMES;
use std::collections::BTreeSet;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, Object, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// What its value is.
enum Takes {
    /// One of these words.
    Words(&'static [&'static str]),
    /// What fits the regular expression (ECMA-262).
    Pattern(&'static str),
    /// A time as in RFC 3339.
    Time,
    /// 1 to so many characters.
    Length(usize),
    /// A type of document events.
    EventType,
    /// An action of the audit trail.
    Action,
    /// How an access ended.
    Outcome,
    /// The id of a dead letter.
    Letter,
}

const STATUSES: &[&str] = &["queued", "processing", "processed", "failed"];

/// 1 to 100 characters, none of them a control.
const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f]{1,100}$";

/// Of IPv4, or of IPv6 written whole or as the beginning of a network. Other forms of IPv6 are taken too.
const ADDRESS: &str = r"^(((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])|([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|([0-9a-f]{1,4}:){1,7}:)$";

/// Where `document_id` is in the path.
const OF_ONE: &str = "/ws/documents/{id}";

/// Paths that begin so, the parameter, what it takes. The first that fits counts.
const TABLE: &[(&str, &str, Takes)] = &[
    ("", "If-Match", Takes::Pattern(r#"^(\*|"[0-9]{1,18}")$"#)),
    ("", "Idempotency-Key", Takes::Pattern("^[!-~]{1,255}$")),
    ("", "action", Takes::Action),
    ("", "outcome", Takes::Outcome),
    ("", "since", Takes::Time),
    ("", "until", Takes::Time),
    ("/api/v1/search", "from", Takes::Time),
    ("/api/v1/search", "to", Takes::Time),
    ("", "cursor", Takes::Pattern("^[A-Za-z0-9_-]{1,1024}$")),
    (
        "/api/v1/search",
        "order",
        Takes::Words(&["relevance", "newest"]),
    ),
    ("", "order", Takes::Words(&["newest", "oldest"])),
    (
        "/api/v1/events",
        "format",
        Takes::Words(&["json", "cloudevents"]),
    ),
    ("", "format", Takes::Words(&["json", "jsonl", "csv"])),
    (
        "/api/v1/erasures",
        "state",
        Takes::Words(&["requested", "rejected", "approved", "done"]),
    ),
    ("", "status", Takes::Words(STATUSES)),
    ("/api/v1/events/stream", "type", Takes::EventType),
    ("/ws", "type", Takes::EventType),
    ("/api/v1/events/stream", "source", Takes::Length(64)),
    ("/api/v1/events/stream", "department", Takes::Length(64)),
    ("/ws", "source", Takes::Length(64)),
    ("/ws", "department", Takes::Length(64)),
    ("/api/v1/search", "department", Takes::Pattern(PLAIN)),
    ("/api/v1/search", "language", Takes::Pattern(PLAIN)),
    (
        "",
        "as_of",
        Takes::Pattern(
            "^(v?[1-9][0-9]{0,17}|[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z)$",
        ),
    ),
    ("/api/v1/dead-letters/{id}", "id", Takes::Letter),
    (
        "/api/v1/blocked-addresses/{address}",
        "address",
        Takes::Pattern(ADDRESS),
    ),
];

/// Says in the document what its parameters take.
pub(super) fn precisely(mut api: OpenApi) -> OpenApi {
    for (path, item) in &mut api.paths.paths {
        let operations = [&mut item.get, &mut item.post, &mut item.delete];
        let parameters = operations.into_iter().flatten();
        for parameters in parameters.filter_map(|o| o.parameters.as_mut()) {
            // The path names the document itself.
            let named = |p: &RefOr<Parameter>| {
                matches!(p, RefOr::T(p) if p.name == "document_id") && path.starts_with(OF_ONE)
            };
            parameters.retain(|parameter| !named(parameter));
            describe_all(path, parameters);
        }
    }
    let schemas = api.components.as_mut().map(|c| &mut c.schemas);
    if let Some(RefOr::T(Schema::Object(form))) = schemas.and_then(|s| s.get_mut("UploadForm")) {
        form.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
    api
}

fn describe_all(path: &str, parameters: &mut [RefOr<Parameter>]) {
    for parameter in parameters {
        if let RefOr::T(parameter) = parameter {
            describe(path, parameter);
        }
    }
}

fn describe(path: &str, parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema else {
        return;
    };
    if matches!(parameter.parameter_in, ParameterIn::Header) {
        present(object);
    }
    let row = TABLE
        .iter()
        .find(|(start, name, _)| *name == parameter.name && path.starts_with(start));
    let is_text = object.schema_type == SchemaType::Type(Type::String);
    if let (Some((_, _, takes)), true) = (row, is_text) {
        limit(object, takes);
    }
}

/// A header is there or not; it is never null.
fn present(object: &mut Object) {
    if let SchemaType::Array(types) = &object.schema_type {
        let other = types.iter().find(|kind| **kind != Type::Null).cloned();
        if let Some(kind) = other {
            object.schema_type = SchemaType::Type(kind);
        }
    }
}

fn limit(object: &mut Object, takes: &Takes) {
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).into()).collect());
    match takes {
        Takes::Words(list) => object.enum_values = words(list),
        Takes::EventType => object.enum_values = words(&DocumentEvent::TYPES),
        Takes::Action => {
            let events = DocumentEvent::TYPES
                .into_iter()
                .map(access::action_of_event);
            let actions = access::ACTIONS.iter().map(|word| (*word).to_owned());
            let words: BTreeSet<String> = actions.chain(events).collect();
            object.enum_values = Some(words.into_iter().map(Into::into).collect());
        }
        Takes::Outcome => {
            let all = Outcome::ALL.iter().map(|outcome| outcome.as_str().into());
            object.enum_values = Some(all.collect());
        }
        Takes::Letter => {
            let names = NAMES.join("|");
            let id = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
            let pattern = format!("^(parked:({names}):[1-9][0-9]{{0,17}}|job:{id})$");
            object.pattern = Some(pattern);
        }
        Takes::Pattern(pattern) => object.pattern = Some((*pattern).into()),
        Takes::Time => object.format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)),
        Takes::Length(most) => {
            object.min_length = Some(1);
            object.max_length = Some(*most);
        }
    }
}
