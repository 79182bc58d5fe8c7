//! `POST /api/v1/documents/upload`: a document comes in. 202 is sent only once its bytes are in the
//! object store and its event is committed.

use super::super::audited::Deeds;
use super::super::context::Caller;
use super::super::etag::etag;
use super::super::idempotency;
use super::super::limited;
use super::super::min_position;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use super::door::{self, Admitted, Stopped};
use super::form::{self, Form, Seen, Unaccepted};
use super::measured::Measured;
use super::media_type;
use super::view::{Accepted, Document};
use crate::commands::{CommandError, CommandOptions, Executed};
use crate::event_store::Idempotency;
use crate::fault_point;
use crate::metrics::{Stage, UploadOutcome};
use crate::ports::{Spooled, blob_key};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kmrl_domain::Permission;
use kmrl_domain::authority::Target;
use kmrl_domain::command::Upload;
use kmrl_domain::private::{RefusedPrivate, UploadedPrivate};
use kmrl_domain::quarantine::Objection;
use kmrl_domain::values::Blob;
use kmrl_domain::{PrivatePart, UploadRefused};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many removals of its bytes an upload outlives.
const REMOVALS: u32 = 4;

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form; it is read as a stream")]
struct UploadForm {
    /// The document, with a file name of at most 255 characters.
    #[schema(format = Binary, content_media_type = "application/octet-stream", min_length = 1)]
    file: String,
    /// Where it comes from.
    #[schema(example = "maximo", min_length = 1, max_length = 64)]
    source: String,
    /// A JSON object with whatever the sender knows of it, at most 64 KiB.
    #[schema(example = "{\"wonum\":\"WO-1\"}", nullable = false)]
    metadata: Option<String>,
    /// high, normal (the default) or low.
    #[schema(example = "normal", nullable = false, pattern = "^(high|normal|low)$")]
    priority: Option<String>,
}

/// Upload a document
#[utoipa::path(
    post, path = "/api/v1/documents/upload", tag = "documents",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the upload safe; 1 to 255 visible ASCII characters")),
    responses(
        (status = 202, description = "Accepted and durable", body = Document,
            headers(("Location" = String, description = "The document"), ("ETag" = String, description = "Its version"), ("Idempotent-Replayed" = Option<bool>, description = "This is the answer of the first time"))),
        (status = 400, description = "The form cannot be accepted", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The file or a field is too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Files of this type are not taken in", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The file is not what it says it is, holds what is not taken in, or is known to be harmful; or the idempotency key was used for another upload", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway, the inspector or the virus scanner included, does not answer; try again", body = ProblemBody, content_type = "application/problem+json"),
        (status = 507, description = "The object store is full", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn upload(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    measured: Result<Measured, Problem>,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let key = idempotency::key(&headers)?;
    let mut measured = measured?;
    let mut seen = Seen::default();
    let form = form::read(&state, &mut measured, &mut seen).await;
    if matches!(form, Err(Unaccepted::Refused(_) | Unaccepted::Failed(_))) {
        form::discard_rest(&mut measured).await;
    }
    match form {
        Ok(form) => {
            fault_point::reach("upload.after_spool");
            let source = Target::Source(&form.source);
            if !caller
                .principal
                .authority
                .permits(Permission::Upload, source)
            {
                let problem = Problem::new(ProblemType::SourceNotAllowed);
                return refuse(&state, &caller, problem, Vec::new(), seen).await;
            }
            limited::by_source(&state, &form.source).await?;
            let admitted = match door::pass(&state, &form).await {
                Ok(admitted) => admitted,
                Err(Stopped::Failed(problem)) => {
                    state.metrics.upload(&form.source, UploadOutcome::Failed, 0);
                    return Err(problem);
                }
                Err(Stopped::Refused(problem, objections)) => {
                    return refuse(&state, &caller, problem, objections, seen).await;
                }
            };
            let size = form.file.size;
            let source = form.source.clone();
            let answer = accept(&state, &caller, key, form, admitted).await;
            let outcome = match &answer {
                Ok(again) if again.headers().contains_key(&idempotency::REPLAYED) => {
                    UploadOutcome::Replayed
                }
                Ok(_) => {
                    state.metrics.stage(Stage::Accepted, begun.elapsed());
                    UploadOutcome::Accepted
                }
                Err(_) => UploadOutcome::Failed,
            };
            state.metrics.upload(&source, outcome, size);
            answer
        }
        Err(Unaccepted::Gone(problem)) => Err(problem),
        Err(Unaccepted::Failed(problem)) => {
            let source = seen.source.as_deref().unwrap_or_default();
            state.metrics.upload(source, UploadOutcome::Failed, 0);
            Err(problem)
        }
        Err(Unaccepted::Refused(problem)) => {
            refuse(&state, &caller, problem, Vec::new(), seen).await
        }
    }
}

/// Answers with the problem, once there is an event that says so.
async fn refuse(
    state: &ApiState,
    caller: &Caller,
    problem: Problem,
    objections: Vec<Objection>,
    seen: Seen,
) -> Result<Response, Problem> {
    let source = seen.source.as_deref().unwrap_or_default();
    state.metrics.upload(source, UploadOutcome::Refused, 0);
    if !keep_refusal(state, caller, &problem, objections, seen).await {
        return Err(problem);
    }
    let mut response = problem.into_response();
    response.extensions_mut().insert(Deeds::default());
    Ok(response)
}

async fn accept(
    state: &ApiState,
    caller: &Caller,
    key: Option<String>,
    form: Form,
    admitted: Admitted,
) -> Result<Response, Problem> {
    let Admitted { admission, format } = admitted;
    let (quarantine, accepted_risks) = (told(&admission.quarantine), told(&admission.accepted));
    let blob = Blob {
        key: blob_key(&form.file.sha256),
        sha256: form.file.sha256.clone(),
        size: form.file.size,
    };
    let idempotency = key.map(|key| fingerprint(caller, key, &form));
    state.blobs.put(&blob.key, &form.file).await?;
    fault_point::reach("upload.after_blob");
    let (id, at) = (state.ids.new_id(), state.clock.now());
    let private = PrivatePart::seal(
        state.ids.salt(),
        &UploadedPrivate {
            file_name: form.file_name.clone(),
            metadata: form.metadata.clone(),
            uploaded_by: caller.principal.name.clone(),
        },
    )
    .map_err(|e| Problem::internal(&e))?;
    let upload = Upload {
        blob: blob.clone(),
        content_type: media_type::of(form.declared_type.as_deref(), &form.file_name, format),
        source: form.source.clone(),
        priority: form.priority,
        duplicate_of: None,
        parent: None,
        private: private.digest(),
        admission,
        at,
    };
    let options = CommandOptions {
        metadata: caller.metadata(),
        idempotency,
        ..CommandOptions::default()
    };
    let content_type = upload.content_type.clone();
    let executed = take_in(state, id, &form.file, upload, private, options).await?;
    if executed.replayed {
        let mut response = replayed(state, &executed).await?;
        response.extensions_mut().insert(Deeds::of(&executed));
        return Ok(response);
    }
    let quarantined_at = at.format(&Rfc3339).ok();
    let accepted = Accepted {
        id: executed.document_id,
        file_name: form.file_name,
        key: blob.key,
        source: form.source,
        content_type,
        size: blob.size,
        at,
        metadata: form.metadata,
        uploaded_by: caller.principal.name.clone(),
        duplicate_of: executed.duplicate_of,
        sha256: blob.sha256,
        priority: form.priority.to_string(),
        version: executed.version,
        position: executed.position,
        quarantine: quarantine
            .map(|objections| json!({"objections": objections, "quarantined_at": quarantined_at})),
        accepted_risks,
    };
    let mut response = respond(Document::accepted(accepted), false);
    response.extensions_mut().insert(Deeds::of(&executed));
    Ok(response)
}

/// Objections as documents show them; `None` when there are none.
fn told(objections: &[Objection]) -> Option<Value> {
    (!objections.is_empty()).then(|| json!(objections))
}

fn fingerprint(caller: &Caller, key: String, form: &Form) -> Idempotency {
    let parts = [
        "POST /api/v1/documents/upload",
        &form.file.sha256,
        &form.source,
        &form.file_name,
        &form.metadata_text,
        form.priority.as_str(),
    ];
    idempotency::of(&caller.principal, key, &parts)
}

/// Records the upload. Bytes that were removed while it came in are put again first.
async fn take_in(
    state: &ApiState,
    id: Uuid,
    file: &Spooled,
    upload: Upload,
    private: PrivatePart,
    options: CommandOptions,
) -> Result<Executed, Problem> {
    for _ in 0..REMOVALS {
        let (upload, private, options) = (upload.clone(), private.clone(), options.clone());
        match state.commands.upload(id, upload, private, options).await {
            Err(CommandError::BytesRemoved { removal }) => {
                state.removals.readmit(file, &removal).await?;
            }
            result => return Ok(result?),
        }
    }
    Err(CommandError::Conflict.into())
}

async fn replayed(state: &ApiState, executed: &Executed) -> Result<Response, Problem> {
    min_position::wait(state, Some(executed.position)).await?;
    let row = state.everything.document(executed.document_id).await?;
    let row = row.ok_or_else(|| Problem::new(ProblemType::DocumentNotFound))?;
    if row.erased_at.is_some() {
        // The repetition has just put the bytes again.
        state.removals.remove(&row.sha256).await?;
    }
    Ok(respond(Document::of(row), true))
}

fn respond(document: Document, replayed: bool) -> Response {
    let location = format!("/api/v1/documents/{}", document.id());
    let tag = etag(document.version());
    let mut response = (StatusCode::ACCEPTED, Json(document)).into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::ETAG, tag);
    if replayed {
        headers.insert(idempotency::REPLAYED.clone(), idempotency::yes());
    }
    response
}

/// Keeps that an upload was refused; answers whether there is an event that says so.
async fn keep_refusal(
    state: &ApiState,
    caller: &Caller,
    problem: &Problem,
    objections: Vec<Objection>,
    seen: Seen,
) -> bool {
    let private = RefusedPrivate {
        file_name: seen.file_name,
    };
    let sealed = match PrivatePart::seal(state.ids.salt(), &private) {
        Ok(sealed) => sealed,
        Err(error) => {
            tracing::error!(%error, "a refusal could not be sealed");
            return false;
        }
    };
    let refused = UploadRefused {
        problem: problem.kind().slug().into(),
        // The detail may quote the sender; the title does not.
        detail: problem.kind().title().into(),
        objections,
        source: seen.source,
        received: seen.received,
        private: Some(sealed.digest()),
        refused_at: state.clock.now(),
    };
    let options = CommandOptions {
        metadata: caller.metadata(),
        ..CommandOptions::default()
    };
    let kept = state
        .commands
        .refuse_upload(state.ids.new_id(), refused, Some(sealed), options)
        .await;
    if let Err(error) = &kept {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "a refusal was not recorded"
        );
    }
    kept.is_ok()
}
