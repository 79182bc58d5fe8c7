//! What is in the bucket, and taking it out again for ever.
//!
//! Owns lists and deletions, and what they need to know of the bucket: in one with versions a plain
//! delete only hides an object, so every version of it is deleted by its id.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{BucketVersioningStatus, ObjectLockEnabled};
use time::OffsetDateTime;

use super::answers::{failed, status};
use super::{S3Blobs, corrupt};
use crate::ports::{BlobError, BlobInfo};

/// S3 answers with so many at most.
const MOST: usize = 1_000;

impl S3Blobs {
    /// Whether the bucket can keep objects from being deleted.
    pub(super) async fn ask_for_lock(&self) -> Result<bool, BlobError> {
        let asked = self.client.get_object_lock_configuration();
        match asked.bucket(&self.bucket).send().await {
            Ok(answer) => Ok(answer
                .object_lock_configuration()
                .and_then(|c| c.object_lock_enabled())
                .is_some_and(|e| *e == ObjectLockEnabled::Enabled)),
            // It has none, the server knows none, or we may not ask.
            Err(error) if status(&error).is_some_and(|s| (400..=501).contains(&s)) => {
                tracing::debug!(code = error.code(), "the bucket has no object lock");
                Ok(false)
            }
            Err(error) => Err(failed("ask for object lock", &self.bucket, error)),
        }
    }

    /// Whether there may be earlier versions of an object.
    pub(super) async fn ask_for_versions(&self) -> Result<bool, BlobError> {
        let asked = self.client.get_bucket_versioning();
        match asked.bucket(&self.bucket).send().await {
            Ok(answer) => Ok(matches!(
                answer.status(),
                Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended)
            )),
            Err(error) => Err(failed("ask for versioning", &self.bucket, error)),
        }
    }

    pub(super) async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        let mut found: Vec<BlobInfo> = Vec::new();
        while found.len() < limit {
            let last = found.last().map(|b| b.key.clone());
            let wanted = (limit - found.len()).min(MOST);
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_start_after(last.or_else(|| after.map(str::to_owned)))
                .max_keys(i32::try_from(wanted).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|e| failed("list objects", prefix, e))?;
            for object in page.contents() {
                found.push(info(object)?);
            }
            if page.contents().is_empty() || page.is_truncated() != Some(true) {
                break;
            }
        }
        Ok(found)
    }

    pub(super) async fn remove(&self, key: &str) -> Result<bool, BlobError> {
        let was_there = crate::ports::BlobStore::size(self, key).await?.is_some();
        if self.has_versions {
            return self.remove_versions(key).await.map(|any| any || was_there);
        }
        if was_there {
            self.remove_one(key, None).await?;
        }
        Ok(was_there)
    }

    /// Deletes every version of the object and every marker that hides it.
    async fn remove_versions(&self, key: &str) -> Result<bool, BlobError> {
        let mut any = false;
        loop {
            let page = self
                .client
                .list_object_versions()
                .bucket(&self.bucket)
                .prefix(key)
                .send()
                .await
                .map_err(|e| failed("list versions", key, e))?;
            let ids = version_ids(&page, key);
            if ids.is_empty() {
                return Ok(any);
            }
            any = true;
            for id in ids {
                self.remove_one(key, Some(id)).await?;
            }
        }
    }

    async fn remove_one(&self, key: &str, version: Option<String>) -> Result<(), BlobError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(key);
        match delete.set_version_id(version).send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(failed("delete an object", key, error)),
        }
    }
}

/// Of this very key: the list has all keys that begin with it.
fn version_ids(page: &ListObjectVersionsOutput, key: &str) -> Vec<String> {
    let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
    let markers = page
        .delete_markers()
        .iter()
        .map(|m| (m.key(), m.version_id()));
    versions
        .chain(markers)
        .filter(|(of, _)| *of == Some(key))
        .filter_map(|(_, id)| id.map(str::to_owned))
        .collect()
}

fn info(object: &aws_sdk_s3::types::Object) -> Result<BlobInfo, BlobError> {
    let key = object.key().unwrap_or_default().to_owned();
    let size = object.size().and_then(|size| u64::try_from(size).ok());
    let modified = object
        .last_modified()
        .and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    match (size, modified) {
        (Some(size), Some(modified)) => Ok(BlobInfo {
            key,
            size,
            modified,
        }),
        _ => Err(corrupt(&key)),
    }
}
