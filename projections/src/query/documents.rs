//! Documents: one, its status, a page of them, those with the same bytes.

use super::{QueryError, ReadModel, visible};
use kmrl_domain::authority::Visibility;
use kmrl_domain::values::{FailureReason, Status};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

/// A document as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct DocumentRow {
    /// Its id.
    pub id: Uuid,
    /// Name of the file as it was sent; empty once erased.
    pub original_filename: String,
    /// Object key of its bytes.
    pub s3_key: String,
    /// Where it came from.
    pub source: String,
    /// Media type.
    pub content_type: String,
    /// Bytes.
    pub file_size: i64,
    /// When it was taken in.
    #[sqlx(rename = "uploaded_at")]
    #[serde(with = "time::serde::rfc3339")]
    pub upload_time: OffsetDateTime,
    /// `queued`, `processing`, `processed` or `failed`.
    pub status: String,
    /// Its text; `None` in lists, and while there is none.
    #[sqlx(default)]
    pub extracted_text: Option<String>,
    /// The title that the file gives itself; `None` in lists.
    #[sqlx(default)]
    pub title: Option<String>,
    /// The program that wrote the file, as the file says; `None` in lists.
    #[sqlx(default)]
    pub producer: Option<String>,
    /// 0 to 1: how far the text can be trusted.
    pub confidence_score: Option<f64>,
    /// `mixed`, `und` or a code of ISO 639, such as `en` or `ml`; or as corrected.
    pub language: Option<String>,
    /// The department it belongs to.
    pub department: Option<String>,
    /// What the sender said of it: a JSON object.
    pub metadata: Value,
    /// Name of whoever uploaded it; empty once erased.
    pub uploaded_by: String,
    /// Lower-case hexadecimal SHA-256 of its bytes.
    pub sha256: String,
    /// The first document that had the same bytes.
    pub duplicate_of: Option<Uuid>,
    /// The document that it was found inside.
    pub parent: Option<Uuid>,
    /// The documents that were found inside it, the first of them: a JSON array of id, name and
    /// status. `None` in lists and of the past.
    #[sqlx(default)]
    pub children: Option<Value>,
    /// `high`, `normal` or `low`.
    pub priority: String,
    /// Version of its stream.
    pub version: i64,
    /// Position of its last event.
    pub position: i64,
    /// Run of processing, from 1.
    pub run: i64,
    /// Attempt in the run; 0 before the first.
    pub attempt: i64,
    /// Pages of text.
    pub page_count: Option<i64>,
    /// Unicode scalar values of text.
    pub character_count: Option<i64>,
    /// Why the last attempt failed.
    #[sqlx(json(nullable))]
    pub error: Option<FailureReason>,
    /// When the next attempt is due after a failure.
    #[serde(with = "time::serde::rfc3339::option")]
    pub retry_at: Option<OffsetDateTime>,
    /// When the newest attempt began.
    #[serde(with = "time::serde::rfc3339::option")]
    pub processing_started_at: Option<OffsetDateTime>,
    /// When its text came.
    #[serde(with = "time::serde::rfc3339::option")]
    pub processed_at: Option<OffsetDateTime>,
    /// When it was withdrawn.
    #[serde(with = "time::serde::rfc3339::option")]
    pub withdrawn_at: Option<OffsetDateTime>,
    /// Why it was withdrawn.
    pub withdrawal_reason: Option<String>,
    /// The legal matters that hold it: a JSON array.
    pub legal_holds: Value,
    /// The newest retention rule that it was kept for as long as.
    pub retention_rule: Option<String>,
    /// `requested`, `rejected`, `approved` or `done`.
    pub erasure_state: Option<String>,
    /// Who, why and when: a JSON object.
    pub erasure: Option<Value>,
    /// When it was erased.
    #[serde(with = "time::serde::rfc3339::option")]
    pub erased_at: Option<OffsetDateTime>,
    /// `quarantined`, `release_requested` or `released`.
    pub quarantine_state: Option<String>,
    /// What the door objected to, and who asked for what: a JSON object.
    pub quarantine: Option<Value>,
    /// What the door found and the policy accepts: a JSON array.
    pub accepted_risks: Option<Value>,
    /// What the file's structure gave away: a JSON object.
    pub findings: Option<Value>,
    /// Lower-case hexadecimal SHA-256 of its text artefact.
    pub text_sha256: Option<String>,
    /// A person wrote the text that stands.
    pub text_corrected: bool,
    /// Pages whose characters were recognised in a picture.
    pub recognised_pages: Option<i64>,
    /// Pages that show something and could not be read.
    pub unread_pages: Option<i64>,
    /// Share of each script in its letters, by ISO 15924: a JSON object.
    pub language_shares: Option<Value>,
    /// A person said which language it is in.
    pub language_corrected: bool,
    /// A person said which department it belongs to.
    pub department_corrected: bool,
    /// What the rules found, and why: a JSON object.
    pub department_evidence: Option<Value>,
    /// A person has to look at its text.
    pub needs_review: bool,
    /// Why: a JSON array.
    pub review_reasons: Value,
    /// What a person said of the text last: a JSON object.
    pub review: Option<Value>,
    /// An event of it could not be applied: what is shown lacks something.
    pub incomplete: bool,
    /// Position of the log that this was read at.
    pub shown_at: i64,
}

/// Where a document is on its way.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct StatusRow {
    /// Its id.
    pub id: Uuid,
    /// `queued`, `processing`, `processed` or `failed`.
    pub status: String,
    /// `high`, `normal` or `low`.
    pub priority: String,
    /// Run of processing, from 1.
    pub run: i64,
    /// Attempt in the run; 0 before the first.
    pub attempt: i64,
    /// Version of its stream.
    pub version: i64,
    /// Position of its last event.
    pub position: i64,
    /// Pages of text.
    pub page_count: Option<i64>,
    /// Why the last attempt failed.
    #[sqlx(json(nullable))]
    pub error: Option<FailureReason>,
    /// When it was taken in.
    #[sqlx(rename = "uploaded_at")]
    #[serde(with = "time::serde::rfc3339")]
    pub upload_time: OffsetDateTime,
    /// When the next attempt is due after a failure.
    #[serde(with = "time::serde::rfc3339::option")]
    pub retry_at: Option<OffsetDateTime>,
    /// When the newest attempt began.
    #[serde(with = "time::serde::rfc3339::option")]
    pub processing_started_at: Option<OffsetDateTime>,
    /// When its text came.
    #[serde(with = "time::serde::rfc3339::option")]
    pub processed_at: Option<OffsetDateTime>,
    /// When it was withdrawn.
    #[serde(with = "time::serde::rfc3339::option")]
    pub withdrawn_at: Option<OffsetDateTime>,
    /// When it was erased.
    #[serde(with = "time::serde::rfc3339::option")]
    pub erased_at: Option<OffsetDateTime>,
    /// `quarantined`, `release_requested` or `released`.
    pub quarantine_state: Option<String>,
    /// An event of it could not be applied.
    pub incomplete: bool,
    /// Position of the log that this was read at.
    pub shown_at: i64,
}

/// Which documents a list has. `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Where they came from.
    pub source: Option<String>,
    /// Where they are on their way.
    pub status: Option<Status>,
    /// The department they belong to.
    pub department: Option<String>,
    /// The language they are in.
    pub language: Option<String>,
    /// Whether a person has to look at their text.
    pub needs_review: Option<bool>,
    /// The document that they were found inside.
    pub parent: Option<Uuid>,
    /// Withdrawn ones too.
    pub include_withdrawn: bool,
    /// Erased ones too.
    pub include_erased: bool,
    /// Only those in quarantine.
    pub quarantined: bool,
}

/// Which part of a list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `limit` documents after the first `skip`.
    Offset {
        /// Documents passed over.
        skip: i64,
        /// Most documents.
        limit: i64,
    },
    /// `limit` documents after the one that was uploaded then and has this id.
    After {
        /// Its `upload_time`.
        uploaded_at: OffsetDateTime,
        /// Its id.
        id: Uuid,
        /// Most documents.
        limit: i64,
    },
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentList {
    /// The documents, without their text.
    pub documents: Vec<DocumentRow>,
    /// How many the whole list has, exactly.
    pub total: i64,
    /// Position of the log that this was read at.
    pub shown_at: i64,
}

/// The checkpoint of the documents: rows and checkpoint are committed together, so in one statement
/// it says exactly which log the rows show.
const SHOWN_AT: &str = "coalesce((SELECT c.position FROM projections c \
    WHERE c.name = 'documents' AND c.state = 'live'), 0) AS shown_at";

const COLUMNS: &str = "d.id, d.original_filename, d.s3_key, d.source, d.content_type, d.file_size, \
    d.uploaded_at, d.status, d.confidence_score, d.language, d.department, d.metadata, \
    d.uploaded_by, d.sha256, d.duplicate_of, d.parent, d.priority, d.version, d.position, d.run, d.attempt, \
    d.page_count, d.character_count, d.error, d.retry_at, d.processing_started_at, d.processed_at, \
    d.withdrawn_at, d.withdrawal_reason, d.legal_holds, d.retention_rule, d.erasure_state, \
    d.erasure, d.erased_at, d.quarantine_state, d.quarantine, d.accepted_risks, d.findings, d.text_sha256, \
    d.text_corrected, d.recognised_pages, d.unread_pages, d.language_shares, d.language_corrected, \
    d.department_corrected, d.department_evidence, d.needs_review, d.review_reasons, d.review, \
    EXISTS (SELECT 1 FROM read.parked_events p WHERE p.document_id = d.id) AS incomplete, \
    coalesce((SELECT c.position FROM projections c \
    WHERE c.name = 'documents' AND c.state = 'live'), 0) AS shown_at";

/// It is in quarantine now. An index has these alone.
const IN_QUARANTINE: &str = "quarantine_state IN ('quarantined', 'release_requested') \
    AND erased_at IS NULL";

/// Most documents with the same bytes that are named.
const MOST_ALIKE: i64 = 100;

/// What was found inside a document: as many as one document gives, and some of an older reading.
fn children() -> String {
    format!(
        "coalesce((SELECT json_agg(json_build_object('id', c.id, \
         'original_filename', c.original_filename, 'status', c.status) ORDER BY c.uploaded_at, c.id) \
         FROM (SELECT * FROM read.documents i WHERE i.parent = d.id AND {} \
         ORDER BY i.uploaded_at, i.id LIMIT 500) c), '[]'::json) AS children",
        visible::condition("i", 2, 3)
    )
}

#[derive(FromRow)]
struct Listed {
    #[sqlx(flatten)]
    document: DocumentRow,
    total: i64,
}

impl ReadModel {
    /// A document with its text, and with those that were found inside it as far as they are seen.
    /// Whether the document itself is seen was asked before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn document(&self, id: Uuid) -> Result<Option<DocumentRow>, QueryError> {
        let children = children();
        let (departments, uploader) = visible::parts(&self.visible);
        sqlx::query_as(&format!(
            "SELECT {COLUMNS}, {children}, t.text AS extracted_text, t.title, t.producer \
             FROM read.documents d \
             LEFT JOIN read.texts t ON t.document_id = d.id WHERE d.id = $1"
        ))
        .bind(id)
        .bind(departments)
        .bind(uploader)
        .fetch_optional(&self.pool)
        .await
        .map_err(QueryError::reading("a document"))
    }

    /// Where a document is on its way.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self, id: Uuid) -> Result<Option<StatusRow>, QueryError> {
        sqlx::query_as(&format!(
            "SELECT {COLUMNS} FROM read.documents d WHERE d.id = $1"
        ))
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .map_err(QueryError::reading("the status of a document"))
    }

    /// The documents with the same bytes, the oldest first, at most 100, without their text.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn by_sha256(&self, sha256: &str) -> Result<Vec<DocumentRow>, QueryError> {
        sqlx::query_as(&format!(
            "SELECT {COLUMNS} FROM read.documents d WHERE d.sha256 = $1 \
             ORDER BY d.uploaded_at, d.id LIMIT {MOST_ALIKE}"
        ))
        .bind(sha256)
        .fetch_all(&self.pool)
        .await
        .map_err(QueryError::reading("documents with the same bytes"))
    }

    /// A page of a list of the documents that somebody sees, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, filter: &ListFilter, page: Page) -> Result<DocumentList, QueryError> {
        let failed = QueryError::reading("a list of documents");
        let rows: Vec<Listed> = match list_query(&self.visible, filter, page)
            .build_query_as()
            .fetch_all(&self.pool)
            .await
        {
            Ok(rows) => rows,
            Err(error) => return Err(failed(error)),
        };
        let (total, shown_at) = match rows.first() {
            Some(row) => (row.total, row.document.shown_at),
            // A page past the end has no row to bring the total along.
            None => total_query(&self.visible, filter)
                .build_query_as()
                .fetch_one(&self.pool)
                .await
                .map_err(failed)?,
        };
        Ok(DocumentList {
            documents: rows.into_iter().map(|row| row.document).collect(),
            total,
            shown_at,
        })
    }
}

/// Those of the documents that are not erased, without their text.
pub(super) async fn of_ids(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<DocumentRow>, sqlx::Error> {
    sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM read.documents d WHERE d.id = ANY($1) AND d.erased_at IS NULL"
    ))
    .bind(ids)
    .fetch_all(connection)
    .await
}

/// One statement, so that page and total are of one moment.
fn list_query<'a>(
    visible: &'a Visibility,
    filter: &'a ListFilter,
    page: Page,
) -> QueryBuilder<'a, Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS}, ("));
    push_total(&mut query, visible, filter);
    query.push(") AS total FROM read.documents d WHERE true");
    visible::push(&mut query, "d", visible);
    push_standing(&mut query, 'd', filter);
    let (limit, skip) = match page {
        Page::Offset { skip, limit } => (limit, skip),
        Page::After {
            uploaded_at,
            id,
            limit,
        } => {
            query
                .push(" AND (d.uploaded_at, d.id) < (")
                .push_bind(uploaded_at);
            query.push(", ").push_bind(id).push(")");
            (limit, 0)
        }
    };
    query
        .push(" ORDER BY d.uploaded_at DESC, d.id DESC LIMIT ")
        .push_bind(limit);
    if skip > 0 {
        query.push(" OFFSET ").push_bind(skip);
    }
    query
}

/// What of the filter the counts do not know, with the rest.
fn push_standing<'a>(query: &mut QueryBuilder<'a, Postgres>, table: char, filter: &'a ListFilter) {
    if !filter.include_erased {
        query.push(format_args!(" AND {table}.erased_at IS NULL"));
    }
    if !filter.include_withdrawn {
        // One that was withdrawn and erased is an erased one, as in the counts.
        query.push(format_args!(
            " AND ({table}.withdrawn_at IS NULL OR {table}.erased_at IS NOT NULL)"
        ));
    }
    if filter.quarantined {
        query.push(format_args!(" AND {table}.{IN_QUARANTINE}"));
    }
    match filter.needs_review {
        Some(true) => drop(query.push(format_args!(" AND {table}.needs_review"))),
        Some(false) => drop(query.push(format_args!(" AND NOT {table}.needs_review"))),
        None => {}
    }
    push_filter(query, table, filter);
}

fn total_query<'a>(visible: &'a Visibility, filter: &'a ListFilter) -> QueryBuilder<'a, Postgres> {
    let mut query = QueryBuilder::new("SELECT (");
    push_total(&mut query, visible, filter);
    query.push(format_args!(") AS total, {SHOWN_AT}"));
    query
}

fn push_total<'a>(
    query: &mut QueryBuilder<'a, Postgres>,
    visible: &'a Visibility,
    filter: &'a ListFilter,
) {
    if filter.quarantined || filter.parent.is_some() || *visible != Visibility::All {
        // Few, and an index has them alone; or such as the counts do not know.
        query.push("SELECT count(*) FROM read.documents c WHERE true");
        visible::push(query, "c", visible);
        return push_standing(query, 'c', filter);
    }
    query.push("SELECT coalesce(sum(c.n), 0)::bigint FROM read.document_counts c WHERE true");
    if !filter.include_erased {
        query.push(" AND c.standing <> 'erased'");
    }
    if !filter.include_withdrawn {
        query.push(" AND c.standing <> 'withdrawn'");
    }
    push_filter(query, 'c', filter);
    match filter.needs_review {
        Some(true) => drop(query.push(" AND c.review = 'waiting'")),
        Some(false) => drop(query.push(" AND c.review = ''")),
        None => {}
    }
}

fn push_filter<'a>(query: &mut QueryBuilder<'a, Postgres>, table: char, filter: &'a ListFilter) {
    let columns = [
        ("source", filter.source.as_deref()),
        ("status", filter.status.map(Status::as_str)),
        ("department", filter.department.as_deref()),
        ("language", filter.language.as_deref()),
    ];
    for (column, value) in columns {
        if let Some(value) = value {
            query
                .push(format_args!(" AND {table}.{column} = "))
                .push_bind(value);
        }
    }
    if let Some(parent) = filter.parent {
        query
            .push(format_args!(" AND {table}.parent = "))
            .push_bind(parent);
    }
}
