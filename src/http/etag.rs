//! Versions as strong entity tags, and the conditions on them (RFC 9110, sections 8.8.3 and 13.1).

use super::problem::{Problem, ProblemType};
use axum::http::{HeaderMap, HeaderValue, header};

/// The tag of a version.
#[must_use]
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// What `If-Match` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing: there is none.
    Absent,
    /// Any version.
    Any,
    /// This version.
    Version(i64),
}

impl IfMatch {
    /// Reads the header. Of several tags the highest counts: versions only grow, so of those a
    /// client has seen no other can still be current.
    ///
    /// # Errors
    /// When it holds no tag that this API gives out.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::IF_MATCH) else {
            return Ok(Self::Absent);
        };
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let versions = text.split(',').map(|tag| {
            let tag = tag.trim();
            // A weak tag never matches here (RFC 9110, section 13.1.1); no version is negative.
            if tag.starts_with("W/") {
                return Some(-1);
            }
            tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
        });
        let highest: Option<Vec<i64>> = versions.collect();
        highest
            .and_then(|v| v.into_iter().max())
            .map(Self::Version)
            .ok_or_else(|| {
                Problem::new(ProblemType::InvalidParameter)
                    .detail("If-Match takes the ETag of the document, such as \"3\", or *")
            })
    }

    /// The version that a command is bound to.
    #[must_use]
    pub const fn version(self) -> Option<i64> {
        match self {
            Self::Version(version) => Some(version),
            Self::Absent | Self::Any => None,
        }
    }

    /// The same, or where any version would do, the one that was looked at meanwhile.
    #[must_use]
    pub const fn or_version(self, looked_at: Option<i64>) -> Self {
        match (self, looked_at) {
            (Self::Any, Some(version)) => Self::Version(version),
            _ => self,
        }
    }

    /// For commands that would overwrite what others did meanwhile.
    ///
    /// # Errors
    /// When there is no condition.
    pub fn required(self) -> Result<Self, Problem> {
        if self == Self::Absent {
            return Err(Problem::new(ProblemType::PreconditionRequired)
                .detail("send the ETag that you read as If-Match, or * for any version"));
        }
        Ok(self)
    }
}

/// `If-None-Match` names the tag: the client has it.
#[must_use]
pub fn client_has(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let tag = etag.to_str().unwrap_or_default();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Result<IfMatch, ProblemType> {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_MATCH, HeaderValue::from_static(value));
        IfMatch::of(&headers).map_err(|p| p.kind())
    }

    #[test]
    fn if_match_is_read() {
        assert_eq!(IfMatch::of(&HeaderMap::new()).unwrap(), IfMatch::Absent);
        assert_eq!(read("*"), Ok(IfMatch::Any));
        assert_eq!(read("\"3\""), Ok(IfMatch::Version(3)));
        assert_eq!(read("\"3\", \"5\""), Ok(IfMatch::Version(5)));
        assert_eq!(read("W/\"3\""), Ok(IfMatch::Version(-1)));
        for bad in ["3", "\"x\"", "\"3", ""] {
            assert_eq!(read(bad), Err(ProblemType::InvalidParameter), "{bad}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::IF_NONE_MATCH,
            HeaderValue::from_static("\"1\", W/\"3\""),
        );
        assert!(client_has(&headers, &etag(3)));
        assert!(!client_has(&headers, &etag(2)));
    }
}
