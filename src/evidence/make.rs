//! Makes a pack of what log and object store hold, at one position of the log.

use super::pack::{About, Pack};
use super::{AccessLine, Content, EntryProof, Proofs, SealedPart, StreamLine};
use crate::notary::{KeyError, LogTree, SignedCheckpoint, TreeError, entries, stored_key};
use crate::ports::{BlobError, BlobStore};
use crate::proof::hex;
use crate::proof::note::SigningKey;
use crate::spool::Spool;
use futures::StreamExt;
use kmrl_domain::document;
use kmrl_domain::event::{DocumentEvent, Uploaded};
use kmrl_domain::judged::text_set_by;
use kmrl_domain::private::{self, UploadedPrivate};
use kmrl_projections::query::{QueryError, ReadModel};
use sqlx::PgPool;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use uuid::Uuid;

/// Entries of access read at once; each may be 64 KiB.
const PAGE: usize = 64;

/// Makes packs.
#[derive(Clone)]
pub struct Evidence {
    /// The database.
    pub pool: PgPool,
    /// The object store.
    pub blobs: Arc<dyn BlobStore>,
    /// Where a pack waits until it is sent.
    pub spool: Spool,
    /// The log's signing key.
    pub key_file: PathBuf,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which document.
    pub document_id: Uuid,
    /// By whom.
    pub made_by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub made_at: OffsetDateTime,
}

/// A pack.
#[derive(Debug)]
pub struct Made {
    /// Its bytes, from the first on; the file has no name any more.
    pub file: File,
    /// Its size in bytes.
    pub size: u64,
    /// The log is shown up to this position.
    pub position: i64,
    /// Version of the document at it.
    pub version: i64,
}

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The log has no such document.
    #[error("there is no such document")]
    NoDocument,
    /// Packs are signed, and the key is not here.
    #[error("this process has no file with the log's signing key")]
    NoKey,
    /// The key's file cannot be used.
    #[error("reading the log's signing key")]
    Key(#[source] KeyError),
    /// The file holds the key of another log.
    #[error("the signing key of this process is not that of the log")]
    AnotherKey,
    /// The zip would need more than 4 GiB.
    #[error("the pack would be larger than 4 GiB")]
    TooLarge,
    /// What is stored is not what the log says.
    #[error("{0} of the document is not what the log says")]
    Damaged(&'static str),
    /// The database did not answer.
    #[error("reading the log for a pack")]
    Database(#[from] sqlx::Error),
    /// The audit trail could not be asked.
    #[error("looking for records of access")]
    Trail(#[from] QueryError),
    /// The tree did not answer.
    #[error("proving the entries of a pack")]
    Tree(#[from] TreeError),
    /// The object store did not give what the log names.
    #[error("reading the document for a pack")]
    Blob(#[from] BlobError),
    /// The spool file failed, or the object store while it was read.
    #[error("writing a pack")]
    Io(#[from] io::Error),
    /// Something in the log has another form.
    #[error("reading or writing a line of a pack")]
    Json(#[from] serde_json::Error),
}

impl Evidence {
    /// Makes a pack at the newest position, once a checkpoint covers it. Holds little of it in
    /// memory, whatever its size.
    ///
    /// # Errors
    /// See [`EvidenceError`].
    pub async fn make(&self, request: Request) -> Result<Made, EvidenceError> {
        let position = self.head().await?;
        let made = self.make_at(position, request.clone()).await;
        if self.erased_since(position, request.document_id).await? {
            // What was packed, or missed, may no longer be shown: now without the content. A
            // document is erased once.
            return self.make_at(self.head().await?, request).await;
        }
        made
    }

    async fn head(&self) -> Result<i64, EvidenceError> {
        let head = sqlx::query_scalar("SELECT position FROM es_head WHERE id = 0");
        Ok(head.fetch_one(&self.pool).await?)
    }

    async fn erased_since(&self, position: i64, document: Uuid) -> Result<bool, EvidenceError> {
        let erased = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 \
             AND event_type = 'Erased' AND position > $3)",
        );
        let erased = erased.bind(document::TYPE).bind(document.to_string());
        Ok(erased.bind(position).fetch_one(&self.pool).await?)
    }

    async fn make_at(&self, position: i64, request: Request) -> Result<Made, EvidenceError> {
        let tree = LogTree::new(self.pool.clone());
        let events = self.events(request.document_id, position).await?;
        let version = events.last().ok_or(EvidenceError::NoDocument)?;
        let version = version.entry.sequence;
        let read = ReadModel::new(self.pool.clone());
        let access = read.access_positions(request.document_id, position).await?;
        let checkpoint = tree.covering(position).await?;
        // After the first checkpoint the log has a key, and only that one will do.
        let key = self.key(&tree).await?;
        let file = self.spool.scratch().await?;
        let types = events.iter().map(|e| e.entry.event_type.as_str());
        let work = Work {
            about: About {
                document_id: request.document_id,
                position,
                content: Content::after(types),
                made_at: request.made_at,
                made_by: request.made_by,
                reason: request.reason,
            },
            evidence: self.clone(),
            handle: Handle::current(),
            tree,
            events,
            access,
            checkpoint,
            key,
        };
        let written = tokio::task::spawn_blocking(move || work.write(file));
        let mut file = written.await.map_err(io::Error::other)??;
        let size = file.seek(io::SeekFrom::End(0))?;
        file.rewind()?;
        Ok(Made {
            file,
            size,
            position,
            version,
        })
    }

    async fn events(&self, id: Uuid, to: i64) -> Result<Vec<StreamLine>, EvidenceError> {
        let id = id.to_string();
        let events = entries::stream(&self.pool, document::TYPE, &id, to).await?;
        let line = |(entry, part): (_, Option<entries::Part>)| StreamLine {
            entry,
            private: part.map(|(salt, content)| SealedPart {
                salt: private::hex(&salt),
                content,
            }),
        };
        Ok(events.into_iter().map(line).collect())
    }

    /// The key of this very log.
    async fn key(&self, tree: &LogTree) -> Result<SigningKey, EvidenceError> {
        let path = self.key_file.clone();
        let stored = tokio::task::spawn_blocking(move || stored_key(&path)).await;
        let stored = stored.map_err(io::Error::other)?;
        let key = stored
            .map_err(EvidenceError::Key)?
            .ok_or(EvidenceError::NoKey)?;
        if tree.key().await? == Some(key.verifying()) {
            Ok(key)
        } else {
            Err(EvidenceError::AnotherKey)
        }
    }
}

/// A pack to write, off the async threads.
struct Work {
    evidence: Evidence,
    handle: Handle,
    tree: LogTree,
    about: About,
    events: Vec<StreamLine>,
    access: Vec<i64>,
    checkpoint: SignedCheckpoint,
    key: SigningKey,
}

impl Work {
    fn write(self, file: File) -> Result<File, EvidenceError> {
        let mut pack = Pack::new(file);
        if self.about.content == Content::Included {
            self.original(&mut pack)?;
            self.text(&mut pack)?;
        }
        pack.events(&self.events)?;
        let mut positions: Vec<i64> = self.events.iter().map(|e| e.entry.position).collect();
        let pages = self
            .access
            .chunks(PAGE)
            .flat_map(|page| match self.page(page) {
                Ok(lines) => lines.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            });
        pack.access(pages.inspect(|line| {
            positions.extend(line.iter().map(|line| line.entry.position));
        }))?;
        positions.sort_unstable();
        let proofs = self.proofs(&positions)?;
        pack.finish(self.about, &proofs, &self.checkpoint.note, &self.key)
    }

    fn original(&self, pack: &mut Pack<File>) -> Result<(), EvidenceError> {
        let Some((uploaded, private)) = self.uploaded()? else {
            return Err(EvidenceError::Damaged("the first event"));
        };
        let name = private.map_or_else(String::new, |p| p.file_name);
        let sha256 = pack.original(&name, |to| self.copy(&uploaded.blob.key, to))?;
        if sha256 == uploaded.blob.sha256 {
            Ok(())
        } else {
            Err(EvidenceError::Damaged("the stored file"))
        }
    }

    fn uploaded(&self) -> Result<Option<(Uploaded, Option<UploadedPrivate>)>, EvidenceError> {
        let Some(first) = self.events.first() else {
            return Ok(None);
        };
        let private = first.private.as_ref();
        let private = private
            .map(|p| serde_json::from_str(&p.content))
            .transpose()?;
        match serde_json::from_str(&first.entry.payload)? {
            DocumentEvent::Uploaded(uploaded) => Ok(Some((uploaded, private))),
            _ => Ok(None),
        }
    }

    fn text(&self, pack: &mut Pack<File>) -> Result<(), EvidenceError> {
        let mut newest_first = self.events.iter().rev();
        let set = |e: &StreamLine| {
            let payload = serde_json::from_str(&e.entry.payload).ok()?;
            text_set_by(&e.entry.event_type, &payload)
        };
        let Some(standing) = newest_first.find_map(set) else {
            return Ok(());
        };
        let mut artefact = Vec::new();
        self.copy(&standing.key, &mut artefact)?;
        pack.text(&artefact)
    }

    /// Copies an object, a piece at a time.
    fn copy(&self, key: &str, to: &mut impl Write) -> Result<(), EvidenceError> {
        let mut reader = self.handle.block_on(self.evidence.blobs.get(key, None))?;
        while let Some(piece) = self.handle.block_on(reader.stream.next()) {
            to.write_all(&piece?)?;
        }
        Ok(())
    }

    fn page(&self, positions: &[i64]) -> Result<Vec<AccessLine>, EvidenceError> {
        let pool = &self.evidence.pool;
        let found = self.handle.block_on(entries::at(pool, positions))?;
        let mut lines = Vec::with_capacity(found.len());
        for entry in found {
            let line = AccessLine::of(entry, self.about.document_id)?;
            if !line.records.is_empty() {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    fn proofs(&self, positions: &[i64]) -> Result<Proofs, EvidenceError> {
        let size = self.checkpoint.checkpoint.size;
        let tree_size = i64::try_from(size).unwrap_or(i64::MAX);
        let mut proofs = Vec::with_capacity(positions.len());
        for position in positions.iter().copied() {
            let path = self.tree.inclusion(position, tree_size);
            let proof = self.handle.block_on(path)?.iter().map(hex).collect();
            proofs.push(EntryProof { position, proof });
        }
        Ok(Proofs { size, proofs })
    }
}
