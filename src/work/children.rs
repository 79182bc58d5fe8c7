//! Files inside a document become documents of their own: same source, same priority, by the same
//! person, with a job of their own.
//!
//! They are taken in before the outcome of their parent is recorded, so that no crash loses one.
//! The id of a child is made from its parent's id, its name and its bytes: whether an attempt is
//! made again or the parent is processed anew, a child that is there already is left as it is,
//! also when it was withdrawn or erased.
//!
//! The door judges them as it judges uploads. Nobody is there to be told that a file is refused, and
//! the parent holds it all the same: what an uploader would be refused for is kept in quarantine. A
//! type that is not taken in becomes a document too, which ends by saying so.

use super::attempt::Setback;
use super::fetch::Source;
use super::pause::Backoff;
use super::{Worker, record};
use crate::commands::{CommandError, CommandOptions};
use crate::door::{Candidate, Ground, Verdict};
use crate::fault_point;
use crate::ports::{JobMessage, blob_key};
use crate::spool::Spooled;
use kmrl_domain::PrivatePart;
use kmrl_domain::command::Upload;
use kmrl_domain::decide::{DEEPEST, Refusal, UploadRefusal};
use kmrl_domain::document::TYPE;
use kmrl_domain::private::UploadedPrivate;
use kmrl_domain::quarantine::Admission;
use kmrl_domain::values::{Blob, Parent};
use kmrl_extraction::{Child, Extraction};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Tries to store a file, after the first, before the work is given back.
const TRIES: u32 = 10;
/// How many removals of its bytes a child outlives.
const REMOVALS: u32 = 4;

/// Takes in what was found inside a document. In one that is inside too many others itself nothing
/// is taken, and its text says so.
pub(super) async fn take_in(
    worker: &Worker,
    job: &JobMessage,
    source: &Source,
    extraction: &mut Extraction,
) -> Result<(), Setback> {
    let children = std::mem::take(&mut extraction.children);
    let level = source.uploaded.parent.map_or(1, |parent| parent.level + 1);
    if level > DEEPEST {
        if let (false, Some(last)) = (children.is_empty(), extraction.pages.last_mut()) {
            last.text += &format!(
                "\nWhat is inside was not taken: {DEEPEST} documents are around it already"
            );
        }
        return Ok(());
    }
    let parent = Parent {
        id: job.document_id,
        level,
    };
    for child in children {
        let id = id_of(parent.id, &child);
        if !is_there(worker, id).await? {
            let inside = Inside {
                worker,
                job,
                source,
                parent,
                id,
            };
            inside.take_in(child).await?;
            fault_point::reach("worker.after_child");
        }
    }
    Ok(())
}

/// A UUID of version 8, for ever the same for these bytes under this name in this document.
fn id_of(parent: Uuid, child: &Child) -> Uuid {
    let mut hasher = Sha256::new();
    hasher.update(b"kmrl child document\0");
    hasher.update(parent.as_bytes());
    hasher.update(Sha256::digest(child.name.as_bytes()));
    hasher.update(Sha256::digest(&child.bytes));
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

async fn is_there(worker: &Worker, id: Uuid) -> Result<bool, Setback> {
    let events = worker.log.stream(TYPE, &id.to_string()).await;
    let events = events.map_err(Setback::at("looking for a file that was inside"))?;
    Ok(!events.is_empty())
}

/// A child on its way to being a document.
struct Inside<'a> {
    worker: &'a Worker,
    job: &'a JobMessage,
    source: &'a Source,
    parent: Parent,
    id: Uuid,
}

impl Inside<'_> {
    async fn take_in(&self, child: Child) -> Result<(), Setback> {
        let file = self.write(&child.bytes).await?;
        let admission = self.judge(&file, &child).await?;
        self.store(&file).await?;
        let private = PrivatePart::seal(
            self.worker.ids.salt(),
            &UploadedPrivate {
                file_name: child.name,
                metadata: serde_json::Map::new(),
                uploaded_by: self.source.uploaded_by.clone(),
            },
        )
        .map_err(Setback::at("sealing the name of a file that was inside"))?;
        let upload = Upload {
            blob: Blob {
                key: blob_key(&file.sha256),
                sha256: file.sha256.clone(),
                size: file.size,
            },
            content_type: child.media_type,
            source: self.source.uploaded.source.clone(),
            priority: self.job.priority,
            duplicate_of: None,
            parent: Some(self.parent),
            private: private.digest(),
            admission,
            at: self.worker.clock.now(),
        };
        self.upload(&file, upload, private).await
    }

    async fn judge(&self, file: &Spooled, child: &Child) -> Result<Admission, Setback> {
        let candidate = Candidate {
            file,
            file_name: &child.name,
            declared: Some(&child.media_type),
        };
        let verdict = self.worker.door.judge(candidate).await;
        Ok(
            match verdict.map_err(Setback::at("judging a file that was inside"))? {
                Verdict::Admitted { admission, .. } => admission,
                Verdict::Refused {
                    ground: Ground::Type,
                    ..
                } => Admission::default(),
                Verdict::Refused { objections, .. } => Admission {
                    quarantine: objections,
                    accepted: Vec::new(),
                },
            },
        )
    }

    /// The bytes in a file of ours.
    async fn write(&self, bytes: &[u8]) -> Result<Spooled, Setback> {
        const WRITING: &str = "writing a file that was inside to the spool";
        let spool = &self.worker.spool;
        let mut writer = spool.create().await.map_err(Setback::at(WRITING))?;
        writer.write(bytes).await.map_err(Setback::at(WRITING))?;
        writer.finish().await.map_err(Setback::at(WRITING))
    }

    /// The bytes in the object store.
    async fn store(&self, file: &Spooled) -> Result<(), Setback> {
        let mut backoff = Backoff::tries(TRIES);
        loop {
            match self.worker.blobs.put(&blob_key(&file.sha256), file).await {
                Ok(_created) => return Ok(()),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a file that was inside was not stored"
                    );
                    if !backoff.wait().await {
                        return Err(Setback::at("storing a file that was inside")(error));
                    }
                }
            }
        }
    }

    /// Tells the log until it has heard.
    async fn upload(
        &self,
        file: &Spooled,
        upload: Upload,
        private: PrivatePart,
    ) -> Result<(), Setback> {
        let mut backoff = Backoff::endless();
        let mut removals = 0;
        loop {
            let options = CommandOptions {
                metadata: record::metadata(self.job),
                ..CommandOptions::default()
            };
            let commands = &self.worker.commands;
            let told = commands.upload(self.id, upload.clone(), private.clone(), options);
            match told.await {
                Ok(_)
                | Err(CommandError::Refused(Refusal::Upload(UploadRefusal::AlreadyUploaded))) => {
                    return Ok(());
                }
                Err(CommandError::BytesRemoved { removal }) if removals < REMOVALS => {
                    removals += 1;
                    let readmitted = self.worker.removals.readmit(file, &removal).await;
                    readmitted.map_err(Setback::at("letting removed bytes in again"))?;
                }
                Err(
                    error @ (CommandError::Unavailable { .. }
                    | CommandError::Overloaded
                    | CommandError::Conflict),
                ) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a file that was inside was not taken in; it is told again"
                    );
                    backoff.wait().await;
                }
                Err(error) => {
                    return Err(Setback::at("taking in a file that was inside")(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_has_one_id_for_ever() {
        let child = |name: &str, bytes: &[u8]| Child {
            name: name.into(),
            media_type: "text/plain".into(),
            bytes: bytes.to_vec(),
        };
        let parent = Uuid::from_u128(7);
        let id = id_of(parent, &child("a.txt", b"x"));
        assert_eq!(id.to_string(), "cdce70a0-673c-85b6-ba30-cb93137f1331");
        assert_ne!(id, id_of(parent, &child("b.txt", b"x")));
        assert_ne!(id, id_of(parent, &child("a.txt", b"y")));
        assert_ne!(id, id_of(Uuid::from_u128(8), &child("a.txt", b"x")));
    }
}
