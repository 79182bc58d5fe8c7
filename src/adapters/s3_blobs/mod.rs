//! Blobs in an S3 bucket, of AWS or of a server that speaks its protocol.
//!
//! Owns the calls that keep and read objects. It must not decide what is stored. Every put is one
//! PutObject of a file whose SHA-256 is known: the server checks the digest before the object
//! becomes visible, and a retry reads the file again. Multipart uploads would leave the check of
//! the whole to us, and parts to be cleaned up.

mod answers;
mod client;
mod keeping;

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::ConfigLoader;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectLockMode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use self::answers::{BoundedResponse, failed, status};
use self::client::{CALL_LIMIT, client, loader, timeouts};
use crate::config::S3Settings;
use crate::pause::pause;
use crate::ports::{BlobError, BlobInfo, BlobReader, BlobStore, check_key, check_prefix};
use crate::spool::Spooled;

/// A try to put an object may take longer by a second for so many bytes.
const SLOWEST_UPLOAD: u64 = 256 * 1024;
/// Size of the pieces in which a file is sent, in bytes.
const CHUNK: usize = 128 * 1024;
/// The region in which a bucket is made without naming a place.
const HOME_REGION: &str = "us-east-1";
/// Times that a bucket which is not there is made, and the wait between two.
const BUCKET_TRIES: u32 = 10;
const BUCKET_PAUSE: Duration = Duration::from_millis(300);

/// A blob store in one bucket.
#[derive(Clone, Debug)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
    region: String,
    /// The bucket has object lock.
    has_lock: bool,
    /// The bucket keeps, or once kept, earlier versions of objects.
    has_versions: bool,
}

/// An object to be sent.
struct Sending<'a> {
    key: &'a str,
    body: ByteStream,
    sha256: &'a str,
    size: u64,
    /// Not to be deleted before.
    locked_until: Option<OffsetDateTime>,
}

impl S3Blobs {
    /// Connect with AWS's own sources of credentials (environment, profile, role of the machine),
    /// and make the bucket when it is missing and the credentials allow it. A server other than
    /// AWS is spoken to in path style.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unreachable`] when the server does not answer; [`BlobError::Refused`] when
    /// the credentials do not allow the bucket to be used, or to be made.
    pub async fn connect(settings: &S3Settings) -> Result<Self, BlobError> {
        Self::start(settings, loader(settings)).await
    }

    /// Connect as [`connect`](Self::connect) does, with these credentials.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_as(
        settings: &S3Settings,
        credentials: Credentials,
    ) -> Result<Self, BlobError> {
        Self::start(settings, loader(settings).credentials_provider(credentials)).await
    }

    async fn start(settings: &S3Settings, loader: ConfigLoader) -> Result<Self, BlobError> {
        let mut blobs = Self {
            client: client(settings, &loader.load().await),
            bucket: settings.bucket.clone(),
            region: settings.region.clone(),
            has_lock: false,
            has_versions: false,
        };
        blobs.have_bucket().await?;
        blobs.has_lock = blobs.ask_for_lock().await?;
        blobs.has_versions = blobs.has_lock || blobs.ask_for_versions().await?;
        Ok(blobs)
    }

    /// Makes the bucket if it is not there. Roles that start together all try, and what a server
    /// answers the slower ones differs: what counts is that it is there in the end.
    async fn have_bucket(&self) -> Result<(), BlobError> {
        let mut tries = BUCKET_TRIES;
        while !self.bucket_exists().await? {
            let made = self.create_bucket().await;
            tries -= 1;
            if tries == 0 || made.is_ok() {
                return made;
            }
            pause(BUCKET_PAUSE).await;
        }
        Ok(())
    }

    async fn bucket_exists(&self) -> Result<bool, BlobError> {
        match self.client.head_bucket().bucket(&self.bucket).send().await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(404) => Ok(false),
            Err(error) => Err(failed("look at the bucket", &self.bucket, error)),
        }
    }

    async fn create_bucket(&self) -> Result<(), BlobError> {
        let place = (self.region != HOME_REGION).then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region.as_str()))
                .build()
        });
        let made = self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .set_create_bucket_configuration(place)
            .send()
            .await;
        match made {
            Ok(_) => Ok(()),
            // Another process of ours was faster.
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), CreateBucketError::BucketAlreadyOwnedByYou(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(failed("make the bucket", &self.bucket, error)),
        }
    }

    /// Whether the object is there. One of another size than expected is corrupt.
    async fn is_there(&self, key: &str, size: u64) -> Result<bool, BlobError> {
        match self.size(key).await? {
            None => Ok(false),
            Some(found) if found == size => Ok(true),
            Some(_) => Err(corrupt(key)),
        }
    }

    /// Send an object that is not there yet, as far as we know.
    async fn send(&self, sending: Sending<'_>) -> Result<bool, BlobError> {
        let Sending {
            key, size, sha256, ..
        } = sending;
        let limit = CALL_LIMIT + Duration::from_secs(size / SLOWEST_UPLOAD);
        let lock = sending.locked_until.filter(|_| self.has_lock);
        let lock = lock.map(|until| DateTime::from_secs(until.unix_timestamp()));
        let sent = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(sending.body)
            .set_object_lock_mode(lock.as_ref().map(|_| ObjectLockMode::Compliance))
            .set_object_lock_retain_until_date(lock)
            .content_length(i64::try_from(size).map_err(|_| corrupt(key))?)
            .checksum_sha256(to_base64(sha256).ok_or_else(|| corrupt(key))?)
            .if_none_match("*")
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts(limit)))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            // Another put was faster, or the answer to an earlier try was lost.
            Err(error) if status(&error) == Some(412) => {
                if self.is_there(key, size).await? {
                    Ok(false)
                } else {
                    Err(failed("put an object", key, error))
                }
            }
            Err(error) => Err(failed("put an object", key, error)),
        }
    }

    async fn send_bytes(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: &str,
        locked_until: Option<OffsetDateTime>,
    ) -> Result<bool, BlobError> {
        check_key(key)?;
        // Here and not by the server alone, which is not asked when the object is there.
        if format!("{:x}", Sha256::digest(&bytes)) != sha256 {
            return Err(corrupt(key));
        }
        let size = bytes.len() as u64;
        if self.is_there(key, size).await? {
            return Ok(false);
        }
        let sending = Sending {
            key,
            body: bytes.into(),
            sha256,
            size,
            locked_until,
        };
        self.send(sending).await
    }

    async fn read(&self, key: &str, range: Option<String>) -> Result<BoundedResponse, BlobError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_range(range)
            .send()
            .await;
        match answer {
            Ok(answer) => BoundedResponse::of(answer, key),
            Err(error) if error.code() == Some("InvalidRange") || status(&error) == Some(416) => {
                Err(self.out_of_range(key).await)
            }
            Err(error) => Err(failed("get an object", key, error)),
        }
    }

    async fn out_of_range(&self, key: &str) -> BlobError {
        match self.size(key).await {
            Ok(Some(size)) => BlobError::OutOfRange {
                key: key.to_owned(),
                size,
            },
            Ok(None) => BlobError::NotFound {
                key: key.to_owned(),
            },
            Err(error) => error,
        }
    }
}

#[async_trait]
impl BlobStore for S3Blobs {
    async fn put(&self, key: &str, file: &Spooled) -> Result<bool, BlobError> {
        check_key(key)?;
        // Identical bytes are not sent again.
        if self.is_there(key, file.size).await? {
            return Ok(false);
        }
        let body = ByteStream::read_from()
            .path(&file.path)
            .buffer_size(CHUNK)
            .build()
            .await
            .map_err(|error| BlobError::Refused {
                operation: "read the spooled file",
                source: error.into(),
            })?;
        let sending = Sending {
            key,
            body,
            sha256: &file.sha256,
            size: file.size,
            locked_until: None,
        };
        self.send(sending).await
    }

    async fn put_bytes(&self, key: &str, bytes: Bytes, sha256: &str) -> Result<bool, BlobError> {
        self.send_bytes(key, bytes, sha256, None).await
    }

    async fn put_locked(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: &str,
        until: OffsetDateTime,
    ) -> Result<bool, BlobError> {
        self.send_bytes(key, bytes, sha256, Some(until)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        check_prefix(prefix)?;
        self.page(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<bool, BlobError> {
        check_key(key)?;
        self.remove(key).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        check_key(key)?;
        let header = match &range {
            // HTTP has no words for a range of nothing.
            Some(range) if range.is_empty() => {
                return match self.out_of_range(key).await {
                    BlobError::OutOfRange { size, .. } if range.start < size => Ok(BlobReader {
                        size,
                        stream: stream::empty().boxed(),
                    }),
                    error => Err(error),
                };
            }
            Some(range) => Some(format!("bytes={}-{}", range.start, range.end - 1)),
            None => None,
        };
        let BoundedResponse { size, body } = self.read(key, header).await?;
        Ok(BlobReader {
            size,
            stream: pieces(body),
        })
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, BlobError> {
        check_key(key)?;
        let head = self.client.head_object().bucket(&self.bucket).key(key);
        match head.send().await {
            Ok(head) => Ok(Some(
                head.content_length()
                    .and_then(|size| u64::try_from(size).ok())
                    .ok_or_else(|| corrupt(key))?,
            )),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(failed("look at an object", key, error)),
        }
    }

    async fn probe(&self) -> Result<(), BlobError> {
        match self.client.head_bucket().bucket(&self.bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failed("look at the bucket", &self.bucket, error)),
        }
    }
}

/// S3 wants digests in base64, where everybody else writes them in hexadecimal.
fn to_base64(sha256: &str) -> Option<String> {
    let byte = |at: usize| u8::from_str_radix(sha256.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..sha256.len()).step_by(2).map(byte).collect();
    bytes.map(|bytes| STANDARD.encode(bytes))
}

fn pieces(body: ByteStream) -> BoxStream<'static, std::io::Result<Bytes>> {
    stream::try_unfold(body, |mut body| async {
        let piece = body.try_next().await.map_err(std::io::Error::other)?;
        Ok(piece.map(|piece| (piece, body)))
    })
    .boxed()
}

fn corrupt(key: &str) -> BlobError {
    BlobError::Corrupt {
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::to_base64;

    #[test]
    fn a_digest_is_written_in_base64() {
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let encoded = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(to_base64(nothing).as_deref(), Some(encoded));
        assert_eq!(to_base64("not hexadecimal"), None);
    }
}
