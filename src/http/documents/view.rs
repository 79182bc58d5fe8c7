//! A document as the API shows it: the fields of the replaced gateway, and what came since.

use super::judged::Judged;
use kmrl_domain::values::FailureReason;
use kmrl_projections::query::DocumentRow;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Document {
    id: Uuid,
    original_filename: String,
    /// Key of the bytes in the object store.
    s3_key: String,
    source: String,
    content_type: String,
    /// Bytes.
    file_size: i64,
    #[serde(with = "time::serde::rfc3339")]
    upload_time: OffsetDateTime,
    /// queued, processing, processed or failed.
    status: String,
    /// Absent in lists.
    extracted_text: Option<String>,
    /// The title that the file gives itself. Absent in lists.
    title: Option<String>,
    /// The program that wrote the file, as the file says. Absent in lists.
    producer: Option<String>,
    /// 0 to 1.
    confidence_score: Option<f64>,
    /// mixed (English and Malayalam), und, or a code of ISO 639, such as en or ml.
    #[schema(example = "ml")]
    language: Option<String>,
    department: Option<String>,
    metadata: Value,
    uploaded_by: String,
    /// SHA-256 of the bytes, hexadecimal.
    sha256: String,
    /// The first document with the same bytes.
    duplicate_of: Option<Uuid>,
    /// The document that it was found inside: the message that it was attached to, the archive.
    parent: Option<Uuid>,
    /// The documents that were found inside it. Absent in lists and of the past.
    #[schema(value_type = Option<Vec<Inside>>)]
    children: Option<Value>,
    priority: String,
    /// Version, as in the ETag.
    version: i64,
    /// Position of its newest event.
    position: i64,
    /// How often its processing was asked for.
    run: i64,
    /// Attempts of this run.
    attempt: i64,
    page_count: Option<i64>,
    character_count: Option<i64>,
    /// Why the newest attempt failed.
    #[schema(value_type = Option<Reason>)]
    error: Option<FailureReason>,
    #[serde(with = "time::serde::rfc3339::option")]
    retry_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    processing_started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    processed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    withdrawn_at: Option<OffsetDateTime>,
    withdrawal_reason: Option<String>,
    /// The legal matters that hold it: while there is one, it is neither withdrawn nor erased.
    #[schema(value_type = Vec<super::legal_holds::LegalHold>)]
    legal_holds: Value,
    /// The retention rule that it was kept for as long as.
    retention_rule: Option<String>,
    /// requested, rejected, approved or done.
    erasure_state: Option<String>,
    /// Who requested its erasure, why and when, and what came of it.
    #[schema(value_type = Option<Object>)]
    erasure: Option<Value>,
    /// When it was erased: fields that tell of its content are empty since.
    #[serde(with = "time::serde::rfc3339::option")]
    erased_at: Option<OffsetDateTime>,
    /// quarantined or release_requested: nothing works on it, and its bytes are not given out;
    /// released once a second person approved. Its status stays queued meanwhile.
    quarantine_state: Option<String>,
    /// What the door objected to, and who asked for what.
    #[schema(value_type = Option<Object>)]
    quarantine: Option<Value>,
    /// What the door found and the policy accepts.
    #[schema(value_type = Option<Vec<super::quarantine::DoorObjection>>)]
    accepted_risks: Option<Value>,
    /// What the file's structure gave away. Absent until it was read, and of other files than PDFs.
    #[schema(value_type = Option<FileFindings>)]
    findings: Option<Value>,
    /// SHA-256 of the artefact of the text that stands.
    text_sha256: Option<String>,
    /// What was found out about its text.
    #[serde(flatten)]
    judged: Judged,
    /// An event of it could not be applied: what is shown may be out of date.
    incomplete: bool,
}

/// What the structure of a PDF gave away, whatever the door's policy was.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form of the domain's Findings")]
pub(crate) struct FileFindings {
    /// Version of the format.
    #[schema(example = "1.7")]
    version: Option<String>,
    /// It is encrypted, and opened without a password.
    encrypted: bool,
    /// It carries JavaScript.
    javascript: bool,
    /// It carries an action that starts a program or opens another file.
    launch_actions: bool,
    /// It does something by itself when it is opened or closed.
    open_action: bool,
    /// Files embedded in it.
    embedded_files: u32,
    /// It carries digital signatures; nothing is said of their validity.
    signatures: bool,
    /// It has an XFA form.
    xfa: bool,
}

/// A document that was found inside another one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form of what the read model gives")]
pub(crate) struct Inside {
    id: Uuid,
    /// Empty once erased.
    original_filename: String,
    /// queued, processing, processed or failed.
    status: String,
}

/// Why an attempt failed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form of the domain's FailureReason")]
pub(crate) struct Reason {
    /// Stable word.
    code: String,
    /// One sentence.
    detail: String,
}

impl Document {
    /// With the text when the row has it.
    pub(crate) fn of(mut row: DocumentRow) -> Self {
        Self {
            judged: Judged::of(&mut row),
            id: row.id,
            original_filename: row.original_filename,
            s3_key: row.s3_key,
            source: row.source,
            content_type: row.content_type,
            file_size: row.file_size,
            upload_time: row.upload_time,
            status: row.status,
            extracted_text: row.extracted_text,
            title: row.title,
            producer: row.producer,
            confidence_score: row.confidence_score,
            language: row.language,
            department: row.department,
            metadata: row.metadata,
            uploaded_by: row.uploaded_by,
            sha256: row.sha256,
            duplicate_of: row.duplicate_of,
            parent: row.parent,
            children: row.children,
            priority: row.priority,
            version: row.version,
            position: row.position,
            run: row.run,
            attempt: row.attempt,
            page_count: row.page_count,
            character_count: row.character_count,
            error: row.error,
            retry_at: row.retry_at,
            processing_started_at: row.processing_started_at,
            processed_at: row.processed_at,
            withdrawn_at: row.withdrawn_at,
            withdrawal_reason: row.withdrawal_reason,
            legal_holds: row.legal_holds,
            retention_rule: row.retention_rule,
            erasure_state: row.erasure_state,
            erasure: row.erasure,
            erased_at: row.erased_at,
            quarantine_state: row.quarantine_state,
            quarantine: row.quarantine,
            accepted_risks: row.accepted_risks,
            findings: row.findings,
            text_sha256: row.text_sha256,
            incomplete: row.incomplete,
        }
    }

    /// One that has just been accepted and is in no read model yet.
    pub(crate) fn accepted(a: Accepted) -> Self {
        Self {
            id: a.id,
            original_filename: a.file_name,
            s3_key: a.key,
            source: a.source,
            content_type: a.content_type,
            file_size: i64::try_from(a.size).unwrap_or(i64::MAX),
            upload_time: a.at,
            status: "queued".into(),
            extracted_text: None,
            title: None,
            producer: None,
            confidence_score: None,
            language: None,
            department: None,
            metadata: Value::Object(a.metadata),
            uploaded_by: a.uploaded_by,
            sha256: a.sha256,
            duplicate_of: a.duplicate_of,
            parent: None,
            children: None,
            priority: a.priority,
            version: a.version,
            position: a.position,
            run: 1,
            attempt: 0,
            page_count: None,
            character_count: None,
            error: None,
            retry_at: None,
            processing_started_at: None,
            processed_at: None,
            withdrawn_at: None,
            withdrawal_reason: None,
            legal_holds: Value::Array(Vec::new()),
            retention_rule: None,
            erasure_state: None,
            erasure: None,
            erased_at: None,
            quarantine_state: a.quarantine.is_some().then(|| "quarantined".into()),
            quarantine: a.quarantine,
            accepted_risks: a.accepted_risks,
            findings: None,
            text_sha256: None,
            judged: Judged::default(),
            incomplete: false,
        }
    }

    /// Its version.
    pub(crate) const fn version(&self) -> i64 {
        self.version
    }

    /// Its id.
    pub(crate) const fn id(&self) -> Uuid {
        self.id
    }
}

/// What is known of a document the moment it is accepted.
pub(crate) struct Accepted {
    pub(crate) id: Uuid,
    pub(crate) file_name: String,
    pub(crate) key: String,
    pub(crate) source: String,
    pub(crate) content_type: String,
    pub(crate) size: u64,
    pub(crate) at: OffsetDateTime,
    pub(crate) metadata: serde_json::Map<String, Value>,
    pub(crate) uploaded_by: String,
    pub(crate) sha256: String,
    pub(crate) duplicate_of: Option<Uuid>,
    pub(crate) priority: String,
    pub(crate) version: i64,
    pub(crate) position: i64,
    pub(crate) quarantine: Option<Value>,
    pub(crate) accepted_risks: Option<Value>,
}
