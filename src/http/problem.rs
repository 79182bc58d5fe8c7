//! RFC 9457 problems: the only place where an error becomes an answer.
//!
//! Each kind has a stable `type` and says what was wrong with the request; causes inside the gateway
//! are logged here and never told.

use crate::commands::CommandError;
use crate::event_store::LogError;
use crate::evidence::EvidenceError;
use crate::notary::{KeyError, TreeError};
use crate::ports::BlobError;
use crate::proof::tree::ProofError;
use crate::removal::RemovalError;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kmrl_domain::Refusal;
use kmrl_domain::decide::{
    CorrectRefusal, ErasureRefusal, LegalHoldRefusal, QuarantineRefusal, ReprocessingRefusal,
    ReviewRefusal, WithdrawRefusal,
};
use kmrl_projections::ProjectionError;
use kmrl_projections::query::QueryError;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! problems {
    ($($name:ident = $status:literal $slug:literal $title:literal;)*) => {
        /// What can be wrong, with a stable word, a status and a title for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemType {
            $(#[doc = $title] $name,)*
        }

        impl ProblemType {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable word; the `type` is `/problems/` and this.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// One line for people, the same for every problem of the type.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub fn status(self) -> StatusCode {
                let code: u16 = match self { $(Self::$name => $status,)* };
                StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    };
}

problems! {
    FileMissing = 400 "file-missing" "The form has no part named file";
    FileEmpty = 400 "file-empty" "The file has no bytes";
    TooManyFiles = 400 "too-many-files" "An upload takes one file";
    FileNameInvalid = 400 "file-name-invalid" "The file name cannot be used";
    FileTypeNotAllowed = 415 "file-type-not-allowed" "Files of this type are not taken in";
    FileTypeMismatch = 422 "file-type-mismatch" "Name, declared type and content of the file disagree";
    FilePolyglot = 422 "file-polyglot" "The file is of several types at once";
    ArchiveBomb = 422 "archive-bomb" "The file unpacks beyond the limits";
    PixelBomb = 422 "pixel-bomb" "The picture is larger than allowed when it is unpacked";
    ExecutableContent = 422 "executable-content" "The file holds a program";
    ActiveContent = 422 "active-content" "The file holds macros, scripts or actions that are not taken in";
    ContentUninspectable = 422 "content-uninspectable" "The file cannot be inspected";
    MalwareFound = 422 "malware-found" "The file is known to be harmful";
    InspectorUnavailable = 503 "inspector-unavailable" "The file cannot be inspected now";
    FileTooLarge = 413 "file-too-large" "The file is larger than allowed";
    SourceMissing = 400 "source-missing" "The form has no source";
    SourceUnknown = 400 "source-unknown" "The source is not one of those configured";
    MetadataInvalid = 400 "metadata-invalid" "The metadata is not a JSON object";
    PriorityInvalid = 400 "priority-invalid" "The priority is none of high, normal, low";
    FieldUnknown = 400 "field-unknown" "The form has a field that an upload does not take";
    FieldRepeated = 400 "field-repeated" "The form has a field twice";
    FieldTooLarge = 413 "field-too-large" "A form field is larger than allowed";
    MultipartMalformed = 400 "multipart-malformed" "The body is no well-formed multipart form";
    JsonMalformed = 400 "json-malformed" "The body is not the JSON expected";
    JsonTooDeep = 400 "json-too-deep" "The JSON is nested too deep";
    BodyTooLarge = 413 "body-too-large" "The body is larger than allowed";
    ContentTypeUnsupported = 415 "content-type-unsupported" "The body must be application/json";
    RequestMalformed = 400 "request-malformed" "The head of the request can be understood in several ways";
    SearchQueryInvalid = 400 "search-query-invalid" "The query cannot be searched for";
    UnknownParameter = 400 "unknown-parameter" "A query parameter is unknown";
    InvalidParameter = 400 "invalid-parameter" "A parameter has a value that cannot be used";
    InvalidId = 400 "invalid-id" "The id is no UUID";
    RangeReversed = 400 "range-reversed" "The end of a range lies before its beginning";
    InvalidCursor = 400 "invalid-cursor" "The cursor is none that this API gave out";
    IdempotencyKeyInvalid = 400 "idempotency-key-invalid" "The idempotency key cannot be used";
    IdempotencyKeyReused = 422 "idempotency-key-reused" "The idempotency key was used for another request";
    RangeNotSatisfiable = 416 "range-not-satisfiable" "The range lies outside the document";
    PreconditionRequired = 428 "precondition-required" "The request needs If-Match";
    VersionMismatch = 412 "version-mismatch" "The document has changed";
    CommandInvalid = 422 "command-invalid" "The command's values cannot be used";
    CommandRefused = 409 "command-refused" "The document's state forbids it";
    Conflict = 409 "conflict" "The document kept changing";
    Unauthorized = 401 "unauthorized" "A valid key is needed";
    Forbidden = 403 "forbidden" "The credential does not allow it";
    SourceNotAllowed = 403 "source-not-allowed" "The credential does not allow documents of this source";
    NotOneself = 403 "not-oneself" "The path names somebody else";
    OriginNotAllowed = 403 "origin-not-allowed" "Pages of this origin may not open connections";
    KeyInvalid = 422 "key-invalid" "The key's values cannot be used";
    KeyNameTaken = 409 "key-name-taken" "Another key has or had the name";
    KeyOver = 409 "key-over" "The key was revoked or has expired";
    KeyNotFound = 404 "key-not-found" "There is no such key";
    NotFound = 404 "not-found" "There is nothing at this path";
    DocumentNotFound = 404 "document-not-found" "There is no such document";
    PageNotFound = 404 "page-not-found" "The document has no such page of text";
    DeadLetterNotFound = 404 "dead-letter-not-found" "There is no such dead letter";
    DocumentWithdrawn = 410 "document-withdrawn" "The document was withdrawn";
    DocumentQuarantined = 403 "quarantined" "The document is in quarantine";
    NotQuarantined = 409 "not-quarantined" "The document is not in quarantine";
    ReleaseNotRequested = 409 "release-not-requested" "No release from quarantine is requested";
    ReleaseAlreadyRequested = 409 "release-already-requested" "The release waits for another person already";
    DocumentErased = 410 "erased" "The document was erased";
    LegalHold = 409 "legal-hold" "A legal hold forbids it";
    LegalHoldNotFound = 404 "legal-hold-not-found" "The matter does not hold the document";
    ErasureNotRequested = 409 "erasure-not-requested" "No erasure is requested";
    ErasureAlreadyRequested = 409 "erasure-already-requested" "The erasure waits for another person already";
    SecondPersonRequired = 403 "second-person-required" "Another person has to approve";
    ApproverNotConfigured = 409 "approver-not-configured" "No second person has a key";
    DocumentNotYet = 404 "document-not-yet" "The document was not there yet";
    AsOfFuture = 404 "as-of-future" "That moment has not come yet";
    AccessNotFound = 404 "access-not-found" "There is no such record of access";
    NothingShown = 404 "nothing-shown" "The record of access showed no document";
    MethodNotAllowed = 405 "method-not-allowed" "The path does not take this method";
    UpgradeRequired = 426 "upgrade-required" "This path is for WebSocket";
    LogNotSigned = 404 "log-not-signed" "No checkpoint of the log has been signed yet";
    LogSizeZero = 400 "log-size-zero" "A tree without entries proves nothing";
    LogSizeUnknown = 404 "log-size-unknown" "The log has not been signed at such a size";
    LogRangeReversed = 400 "log-range-reversed" "The first size is larger than the second";
    LogPositionBeyondSize = 400 "log-position-beyond-size" "The tree of this size has no such position";
    LogPositionFuture = 404 "log-position-future" "Nothing has been recorded at this position yet";
    LogPositionUnsigned = 503 "log-position-unsigned" "No checkpoint covers this position yet";
    EvidenceUnavailable = 503 "evidence-unavailable" "No evidence pack can be made";
    PositionNotReached = 503 "position-not-reached" "The position cannot be read yet";
    StorageUnavailable = 503 "storage-unavailable" "The object store does not answer";
    StorageFull = 507 "storage-full" "The object store is full";
    NotRecorded = 503 "not-recorded" "The access could not be recorded, so it is not answered";
    RateLimited = 429 "rate-limited" "Too many requests in too short a time";
    TooManyAtOnce = 429 "too-many-at-once" "Whoever asks has too many of these open at once";
    AddressBlocked = 429 "address-blocked" "The address is blocked for a while";
    BlockNotFound = 404 "block-not-found" "The address is not blocked";
    BodyTooSlow = 408 "body-too-slow" "The body came too slowly";
    QueueFull = 503 "queue-full" "Too many documents wait for a worker";
    Overloaded = 503 "overloaded" "Too many requests wait";
    Unavailable = 503 "unavailable" "A part of the gateway does not answer";
    Internal = 500 "internal" "The gateway has a defect";
}

/// The body of a problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Stable identifier of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/problems/file-empty")]
    kind: String,
    /// The same for every problem of the kind.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The request, as in `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

/// A problem on its way to the client.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemType,
    detail: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    withholds: bool,
}

impl Problem {
    /// A problem of a kind.
    #[must_use]
    pub fn new(kind: ProblemType) -> Self {
        let mut headers = Vec::new();
        if kind.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        if kind == ProblemType::Unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"kmrl-gateway\"");
            headers.push((header::WWW_AUTHENTICATE, challenge));
        }
        Self {
            kind,
            detail: None,
            headers,
            withholds: false,
        }
    }

    /// A document that whoever asks is not shown: answered like one that is not there, and recorded
    /// as denied.
    #[must_use]
    pub fn withheld() -> Self {
        Self {
            withholds: true,
            ..Self::new(ProblemType::DocumentNotFound)
        }
    }

    /// It says that something is not there which may well be.
    #[must_use]
    pub const fn withholds(&self) -> bool {
        self.withholds
    }

    /// Says what was wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ProblemType {
        self.kind
    }

    /// What was wrong this time, or its title.
    #[must_use]
    pub fn sentence(&self) -> &str {
        self.detail.as_deref().unwrap_or_else(|| self.kind.title())
    }

    /// Its body, with the request it belongs to.
    #[must_use]
    pub fn body(&self, instance: Option<String>) -> ProblemBody {
        ProblemBody {
            kind: format!("/problems/{}", self.kind.slug()),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            instance,
        }
    }

    /// The answer, with the request it belongs to.
    #[must_use]
    pub fn respond(self, instance: Option<String>) -> Response {
        let body = serde_json::to_vec(&self.body(instance)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.kind.status();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        // The outermost layer finds it there and adds the request id.
        response.extensions_mut().insert(self);
        response
    }

    pub(super) fn unavailable(
        kind: ProblemType,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        tracing::warn!(error, "a request cannot be served now");
        Self::new(kind)
    }

    /// A defect: logged whole, told as nothing but that.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request met a defect");
        Self::new(ProblemType::Internal)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond(None)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::Unknown => ProblemType::DocumentNotFound,
            Refusal::Correct(CorrectRefusal::Nothing | CorrectRefusal::Value { .. })
            | Refusal::Review(ReviewRefusal::Text | ReviewRefusal::Pages { .. })
            | Refusal::Withdraw(WithdrawRefusal::Reason)
            | Refusal::LegalHold(LegalHoldRefusal::Matter | LegalHoldRefusal::Reason)
            | Refusal::Erasure(ErasureRefusal::Reason)
            | Refusal::Quarantine(QuarantineRefusal::Reason) => ProblemType::CommandInvalid,
            Refusal::Reprocessing(ReprocessingRefusal::Quarantined) => {
                ProblemType::DocumentQuarantined
            }
            Refusal::Quarantine(refusal) => of_quarantine(refusal),
            Refusal::Erased => ProblemType::DocumentErased,
            Refusal::Withdraw(WithdrawRefusal::Held(_))
            | Refusal::Erasure(ErasureRefusal::Held(_)) => ProblemType::LegalHold,
            Refusal::LegalHold(LegalHoldRefusal::NotHeld) => ProblemType::LegalHoldNotFound,
            Refusal::Erasure(ErasureRefusal::NotRequested) => ProblemType::ErasureNotRequested,
            Refusal::Erasure(ErasureRefusal::AlreadyRequested { .. }) => {
                ProblemType::ErasureAlreadyRequested
            }
            Refusal::Erasure(ErasureRefusal::SamePerson { .. } | ErasureRefusal::NoPerson) => {
                ProblemType::SecondPersonRequired
            }
            _ => ProblemType::CommandRefused,
        };
        Self::new(kind).detail(refusal.to_string())
    }
}

fn of_quarantine(refusal: &QuarantineRefusal) -> ProblemType {
    match refusal {
        QuarantineRefusal::Reason => ProblemType::CommandInvalid,
        QuarantineRefusal::NotQuarantined => ProblemType::NotQuarantined,
        QuarantineRefusal::Withdrawn => ProblemType::CommandRefused,
        QuarantineRefusal::AlreadyRequested { .. } => ProblemType::ReleaseAlreadyRequested,
        QuarantineRefusal::ErasureWaits { .. } => ProblemType::ErasureAlreadyRequested,
        QuarantineRefusal::NotRequested => ProblemType::ReleaseNotRequested,
        QuarantineRefusal::SamePerson { .. } | QuarantineRefusal::NoPerson => {
            ProblemType::SecondPersonRequired
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::VersionMismatch { .. } => {
                Self::new(ProblemType::VersionMismatch).detail(error.to_string())
            }
            CommandError::KeyReused => Self::new(ProblemType::IdempotencyKeyReused),
            CommandError::Conflict | CommandError::BytesRemoved { .. } => {
                Self::new(ProblemType::Conflict)
            }
            CommandError::Overloaded => Self::new(ProblemType::Overloaded),
            CommandError::Unavailable(_) => Self::unavailable(ProblemType::Unavailable, &error),
            CommandError::Content(_) => Self::internal(&error),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NoSpace { .. } => Self::unavailable(ProblemType::StorageFull, &error),
            BlobError::Unreachable { .. } | BlobError::Refused { .. } => {
                Self::unavailable(ProblemType::StorageUnavailable, &error)
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<RemovalError> for Problem {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Blobs(error) => error.into(),
            RemovalError::Database { .. } | RemovalError::Busy => {
                Self::unavailable(ProblemType::Unavailable, &error)
            }
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::unavailable(ProblemType::Unavailable, &error)
    }
}

impl From<ProjectionError> for Problem {
    fn from(error: ProjectionError) -> Self {
        Self::unavailable(ProblemType::StorageUnavailable, &error)
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Database(_) => Self::unavailable(ProblemType::Unavailable, &error),
            _ => Self::internal(&error),
        }
    }
}

impl From<TreeError> for Problem {
    fn from(error: TreeError) -> Self {
        let kind = match &error {
            TreeError::Database(_) | TreeError::Key(KeyError::Database(_)) => {
                return Self::unavailable(ProblemType::Unavailable, &error);
            }
            TreeError::NoSuchSize { size: ..=0, .. } => ProblemType::LogSizeZero,
            TreeError::NoSuchSize { newest: 0, .. } => ProblemType::LogNotSigned,
            TreeError::NoSuchSize { .. } => ProblemType::LogSizeUnknown,
            TreeError::Proof(ProofError::NoSuchIndex { .. }) => ProblemType::LogPositionBeyondSize,
            TreeError::Proof(ProofError::NotGrowing { old: 0, .. }) => ProblemType::LogSizeZero,
            TreeError::Proof(ProofError::NotGrowing { .. }) => ProblemType::LogRangeReversed,
            TreeError::NotCovered { .. } => ProblemType::LogPositionUnsigned,
            _ => return Self::internal(&error),
        };
        Self::new(kind).detail(error.to_string())
    }
}

impl From<EvidenceError> for Problem {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::NoDocument => Self::new(ProblemType::DocumentNotFound),
            EvidenceError::NoKey | EvidenceError::AnotherKey | EvidenceError::TooLarge => {
                Self::unavailable(ProblemType::EvidenceUnavailable, &error)
                    .detail(error.to_string())
            }
            // The path of the key's file is nobody's business.
            EvidenceError::Key(_) => Self::unavailable(ProblemType::EvidenceUnavailable, &error)
                .detail("the log's signing key cannot be read"),
            EvidenceError::Database(_) => Self::unavailable(ProblemType::Unavailable, &error),
            EvidenceError::Trail(error) => error.into(),
            EvidenceError::Tree(error) => error.into(),
            // It may have been erased since its events were read.
            EvidenceError::Blob(BlobError::NotFound { .. }) => {
                Self::unavailable(ProblemType::EvidenceUnavailable, &error)
                    .detail("the object store lacks the document's bytes or text")
            }
            EvidenceError::Blob(error) => error.into(),
            EvidenceError::Io(error) => error.into(),
            EvidenceError::Damaged(_) | EvidenceError::Json(_) => Self::internal(&error),
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::unavailable(ProblemType::StorageFull, &error)
            }
            _ => Self::unavailable(ProblemType::StorageUnavailable, &error),
        }
    }
}
