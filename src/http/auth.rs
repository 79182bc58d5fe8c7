//! The one gate: who is asking, and whether the policy lets them.
//!
//! A credential comes in `X-API-Key`, as a bearer token, or, where browsers can send no header (WebSocket and
//! server-sent events), as a one-use ticket in the query. Which permission a route needs stands in
//! `rules`; what is seen of a document that a path names is asked of the policy here, for
//! all such paths at once.

use super::context::RequestContext;
use super::limited::{by_principal, refuse};
use super::problem::{Problem, ProblemType};
use super::rules::{self, Rule};
use super::state::ApiState;
pub use crate::identity::Principal;
use crate::identity::Unproved;
use crate::limits::Class;
use axum::RequestExt;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;
use kmrl_domain::authority::{Permission, Target, Visibility};
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// Paths of documents, where `{id}` is one.
const OF_A_DOCUMENT: [&str; 2] = ["/api/v1/documents/{id}", "/ws/documents/{id}"];
/// Paths that a ticket opens.
const LIVE: [&str; 4] = [
    "/ws",
    "/ws/{user_id}",
    "/ws/documents/{id}",
    "/api/v1/events/stream",
];
const TICKET: &str = "ticket";
/// How long counting a failure may take.
const LONGEST_COUNTING: Duration = Duration::from_secs(1);

/// Lets a request pass when its credential is good and the policy allows it, and remembers who
/// asked.
pub async fn admit(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let principal = match prove(&state, &mut request).await {
        Ok(principal) => principal,
        Err(problem) => return refuse(problem, request).await,
    };
    let class = rules::of(request.method(), route(&request)).map_or(Class::Queries, Rule::class);
    let mut response = match by_principal(&state, &principal, class).await {
        Ok(granted) => {
            let mut response = go_on(&state, &principal, request, next).await;
            granted.tell(&mut response);
            response
        }
        Err(problem) => refuse(problem, request).await,
    };
    // For the record of the access, which is made outside of this.
    response.extensions_mut().insert(principal);
    response
}

async fn go_on(
    state: &ApiState,
    principal: &Principal,
    mut request: Request,
    next: Next,
) -> Response {
    match allowed(state, principal, &mut request).await {
        Ok(()) => {
            request.extensions_mut().insert(principal.clone());
            next.run(request).await
        }
        Err(problem) => refuse(problem, request).await,
    }
}

async fn prove(state: &ApiState, request: &mut Request) -> Result<Principal, Problem> {
    let credential = given(request.headers()).map(str::to_owned);
    let ticket = match LIVE.contains(&route(request)) {
        true => take_ticket(request),
        false => None,
    };
    // Beside a credential of the headers a ticket is not looked at, and not used up.
    let proved = match (&credential, &ticket) {
        (Some(credential), _) => state.identity.prove(credential).await,
        (None, Some(ticket)) => state.identity.redeem(ticket).await,
        (None, None) => Err(Unproved::NotGood),
    };
    match proved {
        Ok(principal) => Ok(principal),
        Err(Unproved::NotGood) => {
            if credential.is_some() || ticket.is_some() {
                let context = request.extensions().get::<RequestContext>();
                if let Some(address) = context.and_then(|context| context.address) {
                    tried(state, address).await;
                }
            }
            Err(Problem::new(ProblemType::Unauthorized)
                .detail("send a key in X-API-Key, or a key or token as Authorization: Bearer"))
        }
        Err(Unproved::Unavailable(source)) => {
            tracing::warn!(
                error = &*source as &dyn std::error::Error,
                "a credential cannot be checked"
            );
            Err(Problem::new(ProblemType::Unavailable))
        }
    }
}

/// Remembers that a credential from an address was not good. A client is not kept waiting for that.
async fn tried(state: &ApiState, address: IpAddr) {
    let counting = state.limits.blocks().failed(address);
    match tokio::time::timeout(LONGEST_COUNTING, counting).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a failure was not counted"),
        Err(_) => tracing::warn!("a failure was not counted: the database does not answer"),
    }
}

fn route(request: &Request) -> &str {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or("", MatchedPath::as_str)
}

/// The credential of the headers: the key, or where there is none the bearer token.
pub(super) fn given(headers: &HeaderMap) -> Option<&str> {
    only(headers, "x-api-key").or_else(|| {
        let value = only(headers, AUTHORIZATION.as_str())?;
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    })
}

/// A header's value. Given twice it has none that counts: whatever stands before the gateway may have looked at
/// the other one. That is no credential, and neither is one that is no text.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let alone = values.next().is_none();
    Some(first.to_str().ok().filter(|_| alone).unwrap_or_default())
}

/// Takes the ticket out of the query: it is no parameter of what follows.
fn take_ticket(request: &mut Request) -> Option<String> {
    let uri = request.uri().clone();
    let is_ticket = |pair: &&str| pair.split('=').next() == Some(TICKET);
    let pairs: Vec<&str> = uri.query()?.split('&').collect();
    let ticket = pairs.iter().find(|pair| is_ticket(pair))?;
    let ticket = ticket.split_once('=')?.1.to_owned();
    let others: Vec<&str> = pairs.into_iter().filter(|pair| !is_ticket(pair)).collect();
    let path = uri.path();
    let rest = match others.as_slice() {
        [] => path.to_owned(),
        others => format!("{path}?{}", others.join("&")),
    };
    *request.uri_mut() = rest.parse::<Uri>().ok()?;
    Some(ticket)
}

/// Asks the policy for the route, and for the document that its path names.
async fn allowed(
    state: &ApiState,
    principal: &Principal,
    request: &mut Request,
) -> Result<(), Problem> {
    let forbidden = || Problem::new(ProblemType::Forbidden);
    let rule = rules::of(request.method(), route(request)).ok_or_else(forbidden)?;
    if !principal.authority.permits(rule.needs, Target::Anything) {
        return Err(forbidden().detail(format!("this needs the permission `{}`", rule.needs)));
    }
    let of_document = OF_A_DOCUMENT
        .iter()
        .any(|start| route(request).starts_with(start));
    if !of_document {
        return Ok(());
    }
    let parameters = request.extract_parts::<RawPathParams>().await;
    let id = parameters.ok().and_then(|parameters| {
        let (_, value) = parameters.iter().find(|(name, _)| *name == "id")?;
        Uuid::try_parse(value).ok()
    });
    match id {
        Some(id) => sees(state, principal, rule.needs, id).await,
        // No id: the handler says so.
        None => Ok(()),
    }
}

/// A document that the policy does not show is answered as one that is not there.
///
/// # Errors
/// When it is not shown, or it cannot be told.
pub(super) async fn sees(
    state: &ApiState,
    principal: &Principal,
    needs: Permission,
    id: Uuid,
) -> Result<(), Problem> {
    if principal.authority.visibility() == Visibility::All {
        return Ok(());
    }
    let (department, uploader) = match state.everything.belonging(&[id]).await?.pop() {
        Some(belonging) => (belonging.department, belonging.uploader),
        // Too new to be read: only its log can tell.
        None => {
            let first = state.log.first_of(id).await?;
            (None, first.ok_or_else(Problem::withheld)?.actor)
        }
    };
    let target = Target::Document {
        department: department.as_deref(),
        uploader: &uploader,
    };
    let permitted = principal.authority.permits(needs, target);
    permitted.then_some(()).ok_or_else(Problem::withheld)
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Self>().cloned();
        principal.ok_or_else(|| Problem::new(ProblemType::Unauthorized))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::HeaderValue;

    #[test]
    fn both_headers_carry_the_credential() {
        let mut headers = HeaderMap::new();
        assert_eq!(given(&headers), None);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer abc"));
        assert_eq!(given(&headers), Some("abc"));
        headers.insert("x-api-key", HeaderValue::from_static("xyz"));
        assert_eq!(given(&headers), Some("xyz"));
        headers.clear();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(given(&headers), None);
    }

    #[test]
    fn a_credential_given_twice_is_none() {
        for name in ["x-api-key", "authorization"] {
            let mut headers = HeaderMap::new();
            headers.append(name, HeaderValue::from_static("Bearer abc"));
            headers.append(name, HeaderValue::from_static("Bearer abc"));
            assert!(given(&headers).is_none_or(str::is_empty), "{name}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        headers.insert("x-api-key", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(given(&headers), Some(""));
    }

    #[test]
    fn a_ticket_is_taken_out_of_the_query() {
        for (query, ticket, rest) in [
            ("?ticket=t", Some("t"), "/ws"),
            (
                "?after=1&ticket=t&source=scan",
                Some("t"),
                "/ws?after=1&source=scan",
            ),
            ("?after=1", None, "/ws?after=1"),
            ("?tickets=t", None, "/ws?tickets=t"),
            ("", None, "/ws"),
        ] {
            let uri = format!("/ws{query}");
            let mut request = Request::builder().uri(uri).body(Body::empty()).unwrap();
            assert_eq!(take_ticket(&mut request).as_deref(), ticket, "{query}");
            assert_eq!(request.uri(), rest);
        }
    }
}
