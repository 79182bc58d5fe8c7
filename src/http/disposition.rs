//! `Content-Disposition` for any file name (RFC 6266, with the encoding of RFC 8187).

use axum::http::HeaderValue;

/// `attachment` with an ASCII name for old clients and the whole name for the rest.
#[must_use]
pub fn attachment(name: &str) -> HeaderValue {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' | '%' | ';' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .collect();
    let encoded: String = name.bytes().map(encode).collect();
    HeaderValue::from_str(&format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    ))
    .unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// A byte as attr-char (RFC 8187, section 3.2.1), or percent-encoded.
fn encode(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_makes_one_safe_header() {
        for (name, header) in [
            (
                "a.pdf",
                "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf",
            ),
            (
                "a \"b\".pdf",
                "attachment; filename=\"a _b_.pdf\"; filename*=UTF-8''a%20%22b%22.pdf",
            ),
            (
                "x\r\nSet-Cookie: y",
                "attachment; filename=\"x__Set-Cookie: y\"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20y",
            ),
            (
                "സ.pdf",
                "attachment; filename=\"_.pdf\"; filename*=UTF-8''%E0%B4%B8.pdf",
            ),
        ] {
            assert_eq!(attachment(name), header);
        }
    }
}
