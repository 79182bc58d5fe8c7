//! The ids of a trace as they travel (W3C Trace Context, section 3.2, `traceparent`).

use kmrl_domain::private::hex;
use std::fmt;

/// Id of a span.
pub type SpanId = [u8; 8];

/// A trace and a span in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span.
    pub span: SpanId,
    /// Whether spans of it are wanted.
    pub sampled: bool,
}

impl TraceContext {
    /// What a `traceparent` says; nothing when it is not well-formed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, span, flags, rest @ ..] = parts.as_slice() else {
            return None;
        };
        let [version] = bytes(version)?;
        let [flags] = bytes(flags)?;
        let known = version == 0 && rest.is_empty() || (1..0xff).contains(&version);
        let context = Self {
            trace: bytes(trace)?,
            span: bytes(span)?,
            sampled: flags & 1 == 1,
        };
        let is_real = context.trace != [0; 16] && context.span != [0; 8];
        (known && is_real).then_some(context)
    }

    /// Another span in the same trace, its id made of randomness.
    pub(super) fn child(self, random: &[u8; 32]) -> Self {
        let mut span = self.span;
        for (to, from) in span.iter_mut().zip(random) {
            *to = *from;
        }
        // All zeros is no id.
        let [first, ..] = &mut span;
        *first |= 1;
        Self { span, ..self }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (hex(&self.trace), hex(&self.span));
        write!(f, "00-{trace}-{span}-0{}", u8::from(self.sampled))
    }
}

/// So many bytes in lower-case hexadecimal.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let lower = |c: &u8| c.is_ascii_digit() || (b'a'..=b'f').contains(c);
    if digits.len() != 2 * N || !digits.iter().all(lower) {
        return None;
    }
    let mut all = [0; N];
    for (byte, pair) in all.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(all)
}
