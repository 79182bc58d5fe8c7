//! Byte ranges of downloads (RFC 9110, section 14). One range is served; several get the whole.

use super::problem::{Problem, ProblemType};
use axum::http::{HeaderMap, HeaderValue, header};
use std::ops::Range;

/// The part that is asked for, or `None` for the whole.
///
/// # Errors
/// When it lies outside the `size` bytes.
pub fn of(
    headers: &HeaderMap,
    size: u64,
    etag: &HeaderValue,
) -> Result<Option<Range<u64>>, Problem> {
    // If-Range with another tag (or a date, which we do not give out): the whole.
    if headers.get(header::IF_RANGE).is_some_and(|v| v != etag) {
        return Ok(None);
    }
    let Some(set) = headers
        .get(header::RANGE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("bytes="))
    else {
        return Ok(None);
    };
    // What cannot be parsed is ignored, as the RFC has it.
    let Some((first, last)) = set.split_once('-').filter(|_| !set.contains(',')) else {
        return Ok(None);
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(a), Ok(b)) if a <= b => a..b.saturating_add(1).min(size),
        (Ok(a), Err(_)) if last.trim().is_empty() => a..size,
        (Err(_), Ok(n)) if first.trim().is_empty() => size.saturating_sub(n)..size,
        _ => return Ok(None),
    };
    if range.start >= range.end {
        let content_range = HeaderValue::from_str(&format!("bytes */{size}"))
            .unwrap_or_else(|_| HeaderValue::from_static("bytes */0"));
        return Err(Problem::new(ProblemType::RangeNotSatisfiable)
            .detail(format!("the document has {size} bytes"))
            .header(header::CONTENT_RANGE, content_range));
    }
    Ok(Some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        range: &str,
        if_range: Option<&'static str>,
    ) -> Result<Option<Range<u64>>, ProblemType> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(tag));
        }
        of(&headers, 10, &HeaderValue::from_static("\"e\"")).map_err(|p| p.kind())
    }

    #[test]
    fn one_range_is_served() {
        assert_eq!(read("bytes=2-4", None), Ok(Some(2..5)));
        assert_eq!(read("bytes=2-", None), Ok(Some(2..10)));
        assert_eq!(read("bytes=-3", None), Ok(Some(7..10)));
        assert_eq!(read("bytes=-30", None), Ok(Some(0..10)));
        assert_eq!(read("bytes=0-99", None), Ok(Some(0..10)));
        assert_eq!(read("bytes=2-4", Some("\"e\"")), Ok(Some(2..5)));
    }

    #[test]
    fn what_is_not_understood_gets_the_whole() {
        for other in [
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=x",
            "bytes=5-2",
            "bytes=-",
        ] {
            assert_eq!(read(other, None), Ok(None), "{other}");
        }
        assert_eq!(read("bytes=2-4", Some("\"old\"")), Ok(None));
    }

    #[test]
    fn outside_is_refused() {
        for outside in ["bytes=10-", "bytes=50-60", "bytes=-0"] {
            assert_eq!(
                read(outside, None),
                Err(ProblemType::RangeNotSatisfiable),
                "{outside}"
            );
        }
    }
}
