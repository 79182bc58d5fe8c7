//! `GET /api/v1/search`: documents that hold what is asked for, by text, names and metadata.

mod cursor;
mod view;

use super::audited::Touched;
use super::events::moment;
use super::min_position;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::query::{Query, within};
use super::seen::Seen;
use super::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use cursor::{Cursor, Fingerprint};
use kmrl_domain::access::bounded;
use kmrl_domain::values::Status;
use kmrl_projections::query::{BadQuery, SearchFilter, SearchPage, SearchQuery};
use serde::Deserialize;
use utoipa::IntoParams;
use view::SearchAnswer;

/// Most characters of a filter's value.
const LONGEST_VALUE: usize = 100;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParameters {
    /// What to find: words (all of them), "phrases", -exclusions, OR between alternatives, begin*.
    /// English and Malayalam words are found in all their forms; at most 1000 characters.
    #[param(
        required = true,
        max_length = 1000,
        example = "brake \"night shift\" -train"
    )]
    q: Option<String>,
    /// Only from this source.
    source: Option<String>,
    /// Only of this department.
    department: Option<String>,
    /// Only in this language, such as en, ml or mixed.
    language: Option<String>,
    /// Only with this status: queued, processing, processed or failed.
    status: Option<String>,
    /// Only taken in then or later (RFC 3339).
    from: Option<String>,
    /// Only taken in before (RFC 3339).
    to: Option<String>,
    /// relevance (the default) or newest first. Of more than 10000 hits the newest come first in
    /// either case.
    order: Option<String>,
    /// How many at most; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// `next_cursor` of the page before, of the same search.
    cursor: Option<String>,
    /// Also withdrawn ones. Erased ones are never found.
    include_withdrawn: Option<bool>,
    /// Wait until this position can be read: one's own write.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// Documents that hold what is asked for, the most relevant first
#[utoipa::path(
    get, path = "/api/v1/search", tag = "documents", params(SearchParameters),
    responses(
        (status = 200, description = "A page of hits", body = SearchAnswer),
        (status = 400, description = "The query or a parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The position cannot be read yet, or a part does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn search(
    State(state): State<ApiState>,
    Seen(read): Seen,
    Query(parameters): Query<SearchParameters>,
) -> Result<Response, Problem> {
    let limit = within("limit", parameters.limit, 20, 1..=100)?;
    let text = parameters.q.as_deref().unwrap_or_default();
    let query = SearchQuery::parse(text).map_err(Problem::from)?;
    let newest = newest(parameters.order.as_deref())?;
    let filter = filter(&parameters, &state.upload.now().sources)?;
    let fingerprint = Fingerprint::of(text, &filter, newest);
    let cursor = parameters.cursor.as_deref();
    let page = SearchPage {
        newest,
        after: cursor.map(|c| Cursor::decode(c, fingerprint)).transpose()?,
        limit,
    };
    min_position::wait(&state, parameters.min_position).await?;
    let found = read.search(&query, &filter, page).await?;
    let touched = Touched::many(found.hits.len(), found.shown_at);
    Ok(touched.with(Json(SearchAnswer::of(found, fingerprint))))
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::new(ProblemType::InvalidParameter).detail(what)
}

fn newest(order: Option<&str>) -> Result<bool, Problem> {
    match order {
        None | Some("relevance") => Ok(false),
        Some("newest") => Ok(true),
        Some(other) => {
            let word = bounded(other, 40);
            Err(invalid(format!(
                "order: `{word}` is none of: relevance, newest"
            )))
        }
    }
}

fn filter(asked: &SearchParameters, sources: &[String]) -> Result<SearchFilter, Problem> {
    if let Some(source) = asked.source.as_ref().filter(|s| !sources.contains(s)) {
        let word = bounded(source, 40);
        let what = format!("`{word}` is none of: {}", sources.join(", "));
        return Err(Problem::new(ProblemType::SourceUnknown).detail(what));
    }
    for (name, value) in [
        ("department", &asked.department),
        ("language", &asked.language),
    ] {
        let fits = |v: &String| {
            !v.is_empty() && v.chars().count() <= LONGEST_VALUE && !v.contains(char::is_control)
        };
        if value.as_ref().is_some_and(|v| !fits(v)) {
            let what =
                format!("`{name}` has 1 to {LONGEST_VALUE} characters, none of them a control");
            return Err(invalid(what));
        }
    }
    let status = asked.status.as_deref().map(str::parse::<Status>);
    let status = status.transpose();
    let (from, to) = (
        moment("from", asked.from.clone())?,
        moment("to", asked.to.clone())?,
    );
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::new(ProblemType::RangeReversed).detail("`from` must lie before `to`"));
    }
    Ok(SearchFilter {
        source: asked.source.clone(),
        department: asked.department.clone(),
        language: asked.language.clone(),
        status: status.map_err(|e| invalid(format!("status: {e}")))?,
        from,
        to,
        include_withdrawn: asked.include_withdrawn.unwrap_or(false),
    })
}

impl From<BadQuery> for Problem {
    fn from(bad: BadQuery) -> Self {
        Self::new(ProblemType::SearchQueryInvalid).detail(bad.to_string())
    }
}
