//! Decompression bombs: finds the stream that would unpack beyond the limit before anything
//! unpacks it whole. It must not keep what it unpacks.

use lopdf::{Document, Object, Stream};

use super::structure::is_over_limit;
use crate::error::ExtractError;
use crate::limits::Limits;

/// Deflate cannot do better than 258 bytes for two bits.
const DEFLATE_RATIO_AT_MOST: usize = 1032;

/// The other filters together: LZW, the best of them, makes up to 3,839 bytes of 12 bits.
const OTHER_RATIO_AT_MOST: usize = 2560;

/// Refuse a document that holds a stream, images excepted, that would unpack to more than
/// the limit. Images are left out because reading text does not unpack them.
pub(super) fn check(document: &Document, limits: &Limits) -> Result<(), ExtractError> {
    let mut streams = document.objects.values().filter_map(|object| match object {
        Object::Stream(stream) if !is_image(stream) => Some(stream),
        _ => None,
    });
    streams.try_for_each(|stream| check_stream(stream, limits))
}

/// Refuse a stream that would unpack to more than the limit.
pub(super) fn check_stream(stream: &Stream, limits: &Limits) -> Result<(), ExtractError> {
    // Nearly all streams are too short to reach the limit and need not be unpacked twice.
    if could_unpack_to(stream) <= limits.max_decompressed_bytes {
        return Ok(());
    }
    let unpacked = stream.decompressed_content_with_limit(limits.max_decompressed_bytes);
    match unpacked.as_ref().is_err_and(is_over_limit) {
        true => limits.check_decompressed(usize::MAX),
        false => Ok(()),
    }
}

fn is_image(stream: &Stream) -> bool {
    matches!(stream.dict.get(b"Subtype"), Ok(Object::Name(name)) if name == b"Image")
}

fn could_unpack_to(stream: &Stream) -> usize {
    let filters = stream.filters().unwrap_or_default();
    filters.iter().fold(stream.content.len(), |bytes, filter| {
        bytes.saturating_mul(match *filter {
            b"FlateDecode" => DEFLATE_RATIO_AT_MOST,
            _ => OTHER_RATIO_AT_MOST,
        })
    })
}
