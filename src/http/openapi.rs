//! The OpenAPI document: written by the routes themselves, so that it cannot name others.

use super::router;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "KMRL Gateway",
        description = "Documents go in and come out as text, events, rows and live pushes. Errors are RFC 9457 problems.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    security(("api_key" = []), ("bearer" = [])),
    tags(
        (name = "documents", description = "Documents in and out"),
        (name = "commands", description = "What people do to documents"),
        (name = "events", description = "The log"),
        (name = "log", description = "Proofs that the log was not changed"),
        (name = "operations", description = "What waits for somebody"),
        (name = "audit", description = "Who did, saw or tried what"),
        (name = "keys", description = "API keys"),
        (name = "live", description = "Live updates over WebSocket"),
        (name = "health", description = "How the gateway is"),
    ),
    modifiers(&Schemes),
)]
struct Base;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, api: &mut OpenApi) {
        let components = api.components.get_or_insert_with(Components::new);
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        components.add_security_scheme("api_key", key);
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
    }
}

/// What stands in the document besides the routes.
pub(super) fn base() -> OpenApi {
    Base::openapi()
}

/// What the layers before every route behind the gate may answer.
pub(super) fn behind_the_gate(mut api: OpenApi) -> OpenApi {
    for operation in operations(&mut api) {
        let has_body = operation.request_body.is_some();
        let responses = &mut operation.responses.responses;
        let mut may = |status: &str, response: ResponseBuilder| {
            responses
                .entry(status.into())
                .or_insert_with(|| response.build().into());
        };
        may("403", problem("The credential does not allow it"));
        if has_body {
            may("408", problem("The body came too slowly"));
        }
        may("429", too_many());
    }
    api
}

/// What every route may answer: an address is counted before it is known who asks.
pub(super) fn counted(mut api: OpenApi) -> OpenApi {
    for operation in operations(&mut api) {
        let responses = &mut operation.responses.responses;
        responses
            .entry("429".into())
            .or_insert_with(|| too_many().build().into());
    }
    api
}

fn operations(api: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    api.paths.paths.values_mut().flat_map(|item| {
        let all = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.delete,
        ];
        all.into_iter().flatten()
    })
}

fn problem(description: &str) -> ResponseBuilder {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody")));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body.build())
}

fn too_many() -> ResponseBuilder {
    let header = |description: &str, kind: Type| {
        let schema = ObjectBuilder::new().schema_type(kind).build();
        HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(description))
            .build()
    };
    problem("Too many requests, or the address is blocked")
        .header(
            "Retry-After",
            header("Seconds to wait, at least", Type::Integer),
        )
        .header(
            "RateLimit",
            header(
                "What is left of the quota (r), and in how many seconds all of it is again (t)",
                Type::String,
            ),
        )
        .header(
            "RateLimit-Policy",
            header("The quota (q) and its seconds (w)", Type::String),
        )
}

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    router::routes().1
}
