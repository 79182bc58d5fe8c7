//! Where requests are counted against limits, and how those are told what they may.
//!
//! An address is looked at before anything else, whoever proved who they are once that is known. Source of
//! the headers: draft-ietf-httpapi-ratelimit-headers-10 (RateLimit, RateLimit-Policy), RFC 6585 section 4 (429),
//! RFC 9110 section 10.2.3 (Retry-After).

use super::auth::Principal;
use super::context::RequestContext;
use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use crate::limits::{Class, Full, Metered, Place};
use crate::metrics::Limit;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use std::time::Duration;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// When a worker may have taken some of what waits, in seconds.
const WHILE_MANY_WAIT: u64 = 30;
/// Most bytes of a body that are read so that its sender sees why it is not wanted.
const MOST_DRAINED: usize = 1 << 20;
/// How long its sender is waited for.
const DRAINED_FOR: Duration = Duration::from_secs(1);

/// Refuses addresses that are blocked, and those that ask too often.
pub(super) async fn by_address(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let context = request.extensions().get::<RequestContext>();
    let Some(address) = context.and_then(|context| context.address) else {
        return next.run(request).await;
    };
    if let Some(left) = state.limits.blocks().blocked(address) {
        state.metrics.limit_hit(Limit::Blocked);
        let problem = retry(Problem::new(ProblemType::AddressBlocked), left)
            .detail("credentials from this address were not good again and again");
        return refuse(problem, request).await;
    }
    match state.limits.of_address(address) {
        Some(metered) if metered.standing.is_err() => {
            state.metrics.limit_hit(Limit::Address);
            refuse(exhausted(&metered), request).await
        }
        _ => next.run(request).await,
    }
}

/// What a request that may go on holds while it is answered, and is told.
#[derive(Default)]
pub(super) struct Granted {
    metered: Option<Metered>,
    _place: Option<Place<String>>,
}

impl Granted {
    /// Tells how the quota stands, unless another one is told of already.
    pub(super) fn tell(&self, response: &mut Response) {
        let Some(metered) = &self.metered else {
            return;
        };
        for (name, value) in headers(metered) {
            response.headers_mut().entry(name).or_insert(value);
        }
    }
}

/// Counts a request of whoever proved who they are.
///
/// # Errors
/// When it is one too many.
pub(super) async fn by_principal(
    state: &ApiState,
    principal: &Principal,
    class: Class,
) -> Result<Granted, Problem> {
    let scope = principal.scope();
    let counted = state
        .limits
        .of_principal(scope, &principal.actor, class)
        .await;
    let metered = within(state, counted)?;
    let place = match class {
        Class::Uploads => Some(upload(state, scope)?),
        _ => None,
    };
    Ok(Granted {
        metered,
        _place: place,
    })
}

/// Counts an upload of a source.
///
/// # Errors
/// When it is one too many.
pub(super) async fn by_source(state: &ApiState, source: &str) -> Result<(), Problem> {
    let counted = state.limits.of_source(source).await;
    within(state, counted).map(drop)
}

fn within(state: &ApiState, metered: Option<Metered>) -> Result<Option<Metered>, Problem> {
    match &metered {
        Some(counted) if counted.standing.is_err() => {
            state.metrics.limit_hit(Limit::Rate);
            Err(exhausted(counted))
        }
        _ => Ok(metered),
    }
}

/// A place for an upload, while the workers keep up.
fn upload(state: &ApiState, scope: &str) -> Result<Place<String>, Problem> {
    if state.limits.too_many_wait() {
        state.metrics.limit_hit(Limit::Queue);
        let problem = Problem::new(ProblemType::QueueFull);
        return Err(retry(problem, Duration::from_secs(WHILE_MANY_WAIT)));
    }
    let place = state.limits.upload(scope);
    place.map_err(|full| no_place(state, full, Limit::Uploads))
}

/// A place for a live connection.
///
/// # Errors
/// When there is none.
pub(super) fn live(state: &ApiState, principal: &Principal) -> Result<Place<String>, Problem> {
    let place = state.limits.live(principal.scope());
    place.map_err(|full| no_place(state, full, Limit::Connections))
}

fn no_place(state: &ApiState, full: Full, limit: Limit) -> Problem {
    state.metrics.limit_hit(limit);
    let kind = match full {
        Full::All => ProblemType::Overloaded,
        Full::One => ProblemType::TooManyAtOnce,
    };
    retry(Problem::new(kind), Duration::from_secs(1))
}

fn exhausted(metered: &Metered) -> Problem {
    let one_in = metered
        .standing
        .map_or_else(|exhausted| exhausted.one_in, |_| Duration::ZERO);
    let (most, within) = (metered.quota.most, metered.quota.within.as_secs());
    let problem = Problem::new(ProblemType::RateLimited).detail(format!(
        "{most} in {within} s are allowed ({})",
        metered.policy
    ));
    let problem = headers(metered)
        .into_iter()
        .fold(problem, |problem, (name, value)| {
            problem.header(name, value)
        });
    retry(problem, one_in)
}

fn headers(metered: &Metered) -> [(HeaderName, HeaderValue); 2] {
    let (most, within) = (metered.quota.most, metered.quota.within.as_secs());
    let (left, whole_in) = match metered.standing {
        Ok(standing) => (standing.left, standing.whole_in),
        Err(exhausted) => (0, exhausted.whole_in),
    };
    let name = metered.policy;
    let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    [
        (
            RATE_LIMIT_POLICY.clone(),
            text(format!("\"{name}\";q={most};w={within}")),
        ),
        (
            RATE_LIMIT.clone(),
            text(format!("\"{name}\";r={left};t={}", seconds(whole_in))),
        ),
    ]
}

fn retry(problem: Problem, after: Duration) -> Problem {
    let after = HeaderValue::from(seconds(after).max(1));
    problem.header(header::RETRY_AFTER, after)
}

/// Whole seconds, none too few.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Answers with a problem. A client that is still sending would see its connection reset before the answer: a
/// part of what it sends is read first.
pub(super) async fn refuse(problem: Problem, request: Request) -> Response {
    drain(request.into_body()).await;
    problem.into_response()
}

async fn drain(body: Body) {
    let reading = async {
        let mut frames = body.into_data_stream();
        let mut read = 0;
        while let Some(Ok(bytes)) = frames.next().await {
            read += bytes.len();
            if read > MOST_DRAINED {
                break;
            }
        }
    };
    // Whoever is slower than that is not waited for.
    let _late = tokio::time::timeout(DRAINED_FOR, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Exhausted, Quota, Standing};

    fn told(metered: &Metered) -> Vec<String> {
        let told = headers(metered);
        told.iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    #[test]
    fn quotas_are_told_as_the_draft_says() {
        let metered = Metered {
            policy: "queries",
            quota: Quota::a_minute(3_000),
            standing: Ok(Standing {
                left: 2_990,
                whole_in: Duration::from_millis(200),
            }),
        };
        assert_eq!(
            told(&metered),
            [
                "ratelimit-policy: \"queries\";q=3000;w=60",
                "ratelimit: \"queries\";r=2990;t=1"
            ]
        );
    }

    #[test]
    fn whoever_has_to_wait_is_told_how_long() {
        let metered = Metered {
            policy: "uploads",
            quota: Quota::a_minute(2),
            standing: Err(Exhausted {
                one_in: Duration::from_millis(29_001),
                whole_in: Duration::from_secs(59),
            }),
        };
        let response = exhausted(&metered).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "30");
        assert_eq!(response.headers()["ratelimit"], "\"uploads\";r=0;t=59");
    }
}
