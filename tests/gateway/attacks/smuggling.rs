//! Shapes by which one request is hidden in another (RFC 9112, section 11.2): each has one clear answer, and never
//! the answer of a second request.

use super::wire::{LAST, attack, heads, statuses};
use crate::harness::{KEY, World};

/// A request with a body, up to the header that says how long it is.
fn post() -> String {
    format!(
        "POST /api/v1/commands HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n"
    )
}

/// What an attacker would hide: answered, it would show the keys.
fn hidden() -> String {
    format!("GET /api/v1/keys HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n")
}

/// Refused, and the connection with it: what follows is no request any more.
const REFUSED: &[(&str, &str)] = &[
    // The length is that of the body's first chunk; by the chunks the body is empty.
    (
        "a length and chunks",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunks and a length",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ),
    (
        "a coding unlike chunked",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a space before the colon",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a vertical tab",
        "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    ("quotes", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    (
        "two codings, chunked first",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ),
    (
        "two codings, chunked last",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked twice",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "packed and chunked",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "two lengths",
        "Content-Length: 2\r\nContent-Length: 50\r\n\r\n{}",
    ),
    ("a list of lengths", "Content-Length: 2, 2\r\n\r\n{}"),
    ("a length with a sign", "Content-Length: +2\r\n\r\n{}"),
    ("a negative length", "Content-Length: -1\r\n\r\n{}"),
    ("a hexadecimal length", "Content-Length: 0x2\r\n\r\n{}"),
    ("a length with a space", "Content-Length: 2 2\r\n\r\n{}"),
    (
        "a length with a space before the colon",
        "Content-Length : 2\r\n\r\n{}",
    ),
    ("an empty length", "Content-Length:\r\n\r\n{}"),
    (
        "a length beyond 64 bits",
        "Content-Length: 18446744073709551618\r\n\r\n{}",
    ),
    (
        "a chunk beyond 64 bits",
        "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "a chunk with a sign",
        "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "a negative chunk",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "a chunk with 0x",
        "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "a chunk with a space",
        "Transfer-Encoding: chunked\r\n\r\n2 2\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "an extension with a line feed",
        "Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "chunks ended by line feeds",
        "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    ),
    (
        "a chunk longer than it says",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n",
    ),
    (
        "a folded line",
        "X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "a bare carriage return",
        "X-A: a\rb\r\nContent-Length: 2\r\n\r\n{}",
    ),
    ("a zero byte", "X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
    (
        "a name with a space",
        "X A: a\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "a line without a colon",
        "XA\r\nContent-Length: 2\r\n\r\n{}",
    ),
    ("two hosts", "Host: y\r\nContent-Length: 2\r\n\r\n{}"),
];

/// One request to whoever reads it, answered as such; the next one is the next one.
const UNDERSTOOD: &[(&str, &str)] = &[
    (
        "chunked in capitals",
        "Transfer-Encoding: CHUNKED\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "a tab before the coding",
        "Transfer-Encoding:\tchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "the same length twice",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "a length with zeros before it",
        "Content-Length: 0000000002\r\n\r\n{}",
    ),
    (
        "an extension of a chunk",
        "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "trailers",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-API-Key: y\r\nContent-Length: 5\r\n\r\n",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_request_is_refused_with_its_connection() {
    let world = World::new().await;
    let gateway = world.start();
    for (what, rest) in REFUSED {
        let answers = attack(&gateway, format!("{}{rest}{}", post(), hidden())).await;
        assert_eq!(statuses(&answers), [400], "{what}: {answers:?}");
    }
    // The request line too.
    for bad in [
        "GET /health/live\r\n\r\n",
        "GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET  /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET\t/health/live\tHTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/live x HTTP/1.1\r\nHost: x\r\n\r\n",
        " GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n Host: x\r\n\r\n",
        "POST /api/v1/commands HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let answers = attack(&gateway, format!("{bad}{}", hidden())).await;
        assert_eq!(statuses(&answers), [400], "{bad:?}: {answers:?}");
    }
    // Whoever begins with HTTP/2 gets no answer of HTTP/1.1 to what follows.
    let preface = format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}", hidden());
    assert_eq!(heads(&gateway, &preface).await, Vec::<u16>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusual_request_is_one_request() {
    let world = World::new().await;
    let gateway = world.start();
    for (what, rest) in UNDERSTOOD {
        let answers = attack(&gateway, format!("{}{rest}", post())).await;
        assert_eq!(statuses(&answers), [400, 200], "{what}: {answers:?}");
        assert_eq!(answers[0].slug(), "json-malformed", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_never_taken_for_a_request() {
    let world = World::new().await;
    let gateway = world.start();
    let (body, long) = (hidden(), hidden().len());
    for (head, status) in [
        (
            format!("GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n"),
            200,
        ),
        ("GET /nowhere HTTP/1.1\r\nHost: x\r\n".to_owned(), 404),
        ("PUT /api/v1/status HTTP/1.1\r\nHost: x\r\n".to_owned(), 405),
        (
            "POST /api/v1/commands HTTP/1.1\r\nHost: x\r\n".to_owned(),
            401,
        ),
        (
            "POST /api/v1/commands HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\n".to_owned(),
            401,
        ),
        ("HEAD /health/live HTTP/1.1\r\nHost: x\r\n".to_owned(), 200),
    ] {
        for framed in [
            format!("{head}Content-Length: {long}\r\n\r\n{body}"),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{long:x}\r\n{body}\r\n0\r\n\r\n"),
        ] {
            // An answer to HEAD announces a body that does not come.
            let is_head = head.starts_with("HEAD");
            let answers = match is_head {
                true => heads(&gateway, &format!("{framed}{LAST}")).await,
                false => statuses(&attack(&gateway, framed).await),
            };
            assert!(
                answers == [status, 200] || answers == [status],
                "{head}: {answers:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_at_once_are_answered_in_their_order() {
    let world = World::new().await;
    let gateway = world.start();
    let nowhere = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    let torn = format!("{}Content-Length: 1\r\n\r\n{{", post());
    let keys = hidden();
    let all = format!("{nowhere}{torn}{keys}{nowhere}");
    assert_eq!(
        statuses(&attack(&gateway, all).await),
        [404, 400, 200, 404, 200]
    );
    // Each credential counts for its own request alone.
    let bare = "GET /api/v1/keys HTTP/1.1\r\nHost: x\r\n\r\n";
    let all = format!("{keys}{bare}{keys}");
    assert_eq!(statuses(&attack(&gateway, all).await), [200, 401, 200, 200]);
}
