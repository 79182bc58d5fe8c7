//! What the answers of an S3 server mean to a blob store.
//!
//! Owns the mapping of errors and of the sizes in answers. It must not send anything.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;

use crate::ports::{BlobError, BoxError};

/// The HTTP status of the answer, when there was one.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// The error of a call. `name` is the object's key, or the bucket.
pub(super) fn failed<E>(operation: &'static str, name: &str, error: SdkError<E>) -> BlobError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let meaning = Meaning::of(status(&error), code.as_deref());
    let source: BoxError = error.into();
    match meaning {
        Meaning::Missing => BlobError::NotFound { key: name.into() },
        Meaning::WrongDigest => BlobError::Corrupt { key: name.into() },
        Meaning::Full => BlobError::NoSpace { source },
        Meaning::Later => BlobError::Unreachable { operation, source },
        Meaning::Never => BlobError::Refused { operation, source },
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meaning {
    Missing,
    WrongDigest,
    Full,
    Later,
    Never,
}

impl Meaning {
    fn of(status: Option<u16>, code: Option<&str>) -> Self {
        match (status, code) {
            (_, Some("NoSuchKey")) => Self::Missing,
            (
                _,
                Some("BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch"),
            ) => Self::WrongDigest,
            (Some(507), _) | (_, Some("QuotaExceeded" | "XMinioStorageFull")) => Self::Full,
            // No answer, or one that asks for patience. 409 is a conditional put that met
            // another one; 412 an object that vanished between two looks at it.
            (None | Some(408 | 409 | 412 | 429 | 500..), _) => Self::Later,
            (Some(_), _) => Self::Never,
        }
    }
}

/// An object's size and the bytes that were asked for.
pub(super) struct BoundedResponse {
    pub(super) size: u64,
    pub(super) body: ByteStream,
}

impl BoundedResponse {
    pub(super) fn of(answer: GetObjectOutput, key: &str) -> Result<Self, BlobError> {
        let size = match answer.content_range() {
            Some(range) => range.rsplit('/').next().and_then(|size| size.parse().ok()),
            None => answer
                .content_length()
                .and_then(|size| size.try_into().ok()),
        };
        Ok(Self {
            size: size.ok_or_else(|| BlobError::Corrupt { key: key.into() })?,
            body: answer.body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Meaning;

    #[test]
    fn answers_have_their_meaning() {
        for (status, code, meaning) in [
            (Some(404), Some("NoSuchKey"), Meaning::Missing),
            (Some(404), Some("NoSuchBucket"), Meaning::Never),
            (Some(400), Some("BadDigest"), Meaning::WrongDigest),
            (Some(400), Some("InvalidArgument"), Meaning::Never),
            (Some(403), Some("AccessDenied"), Meaning::Never),
            (
                Some(409),
                Some("ConditionalRequestConflict"),
                Meaning::Later,
            ),
            (Some(503), Some("SlowDown"), Meaning::Later),
            (Some(507), None, Meaning::Full),
            (None, None, Meaning::Later),
        ] {
            assert_eq!(Meaning::of(status, code), meaning, "{status:?} {code:?}");
        }
    }
}
