//! The upload's multipart form: fields in any order, the file hashed into the spool as it streams.

use super::super::json;
use super::super::problem::{Problem, ProblemType};
use super::super::state::ApiState;
use super::door;
use super::measured::{Flow, Measured};
use crate::config::UploadSettings;
use crate::spool::Spooled;
use axum::extract::multipart::{Field, MultipartError};
use kmrl_domain::values::Priority;
use serde_json::{Map, Value};
use std::time::Duration;

const MAX_SOURCE: usize = 64;
/// How long the rest of a refused upload is read.
const DISCARD_FOR: Duration = Duration::from_secs(3);
const MAX_METADATA: usize = 64 * 1024;
/// Longest file name, in characters.
const MAX_NAME: usize = 255;

/// A form that can be accepted.
pub(super) struct Form {
    pub(super) file: Spooled,
    pub(super) file_name: String,
    pub(super) declared_type: Option<String>,
    pub(super) source: String,
    pub(super) metadata: Map<String, Value>,
    pub(super) metadata_text: String,
    pub(super) priority: Priority,
}

/// Why a form was not accepted.
pub(super) enum Unaccepted {
    /// The client went away, or sends nothing that can be read: nobody to answer.
    Gone(Problem),
    /// It breaks a rule; worth keeping that it happened.
    Refused(Problem),
    /// The gateway cannot take it now.
    Failed(Problem),
}

/// What was seen of a form, also when it is refused.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) file_name: Option<String>,
    pub(super) source: Option<String>,
    pub(super) received: u64,
}

pub(super) fn refused(kind: ProblemType, what: impl Into<String>) -> Unaccepted {
    Unaccepted::Refused(Problem::new(kind).detail(what))
}

fn repeated(name: &str) -> Unaccepted {
    let what = format!("the form has a second field named {name}");
    refused(ProblemType::FieldRepeated, what)
}

fn broken(error: &MultipartError) -> Unaccepted {
    let problem = Problem::new(ProblemType::MultipartMalformed).detail(error.body_text());
    // A stream that ends early is a client that went away.
    Unaccepted::Gone(problem)
}

#[derive(Default)]
struct Fields {
    file: Option<(Spooled, String, Option<String>)>,
    source: Option<String>,
    metadata: Option<String>,
    priority: Option<Priority>,
}

/// Reads the whole form.
pub(super) async fn read(
    state: &ApiState,
    Measured { multipart, flow }: &mut Measured,
    seen: &mut Seen,
) -> Result<Form, Unaccepted> {
    let mut fields = Fields::default();
    while let Some(field) = multipart.next_field().await.map_err(|e| broken(&e))? {
        flow.came_out();
        match field.name().unwrap_or_default().to_owned().as_str() {
            "file" if fields.file.is_some() => {
                return Err(refused(
                    ProblemType::TooManyFiles,
                    "the form has a second part named file",
                ));
            }
            // Whoever reads the first and whoever reads the last must not differ over what was sent.
            "source" if fields.source.is_some() => return Err(repeated("source")),
            "metadata" if fields.metadata.is_some() => return Err(repeated("metadata")),
            "priority" if fields.priority.is_some() => return Err(repeated("priority")),
            "file" => fields.file = Some(spool(state, field, flow, seen).await?),
            "source" => {
                let source = text(field, flow, "source", MAX_SOURCE).await?;
                seen.source = known(&state.upload.now(), &source).then(|| source.clone());
                fields.source = Some(source);
            }
            "metadata" => {
                fields.metadata = Some(text(field, flow, "metadata", MAX_METADATA).await?)
            }
            "priority" => {
                let word = text(field, flow, "priority", MAX_SOURCE).await?;
                let priority = word.parse::<Priority>();
                fields.priority = Some(
                    priority.map_err(|e| refused(ProblemType::PriorityInvalid, e.to_string()))?,
                );
            }
            other => {
                let shown: String = other.chars().take(64).collect();
                let what = format!("`{shown}` is none of file, source, metadata, priority");
                return Err(refused(ProblemType::FieldUnknown, what));
            }
        }
    }
    complete(&state.upload.now(), fields)
}

/// Reads on and throws away, for a while: a client that is still sending when the connection
/// closes may never see the answer.
pub(super) async fn discard_rest(Measured { multipart, flow }: &mut Measured) {
    flow.discard();
    let reading = async { while let Ok(Some(_)) = multipart.next_field().await {} };
    // Whoever sends for longer than this is not waited for.
    let _ = tokio::time::timeout(DISCARD_FOR, reading).await;
}

fn complete(settings: &UploadSettings, fields: Fields) -> Result<Form, Unaccepted> {
    let Some((file, file_name, declared_type)) = fields.file else {
        return Err(refused(
            ProblemType::FileMissing,
            "send the document as a part named file with a file name",
        ));
    };
    if file.size == 0 {
        return Err(refused(
            ProblemType::FileEmpty,
            format!("`{file_name}` has no bytes"),
        ));
    }
    let source = fields.source.filter(|s| !s.is_empty());
    let Some(source) = source else {
        return Err(refused(
            ProblemType::SourceMissing,
            format!("send one of: {}", settings.sources.join(", ")),
        ));
    };
    if !known(settings, &source) {
        let what = format!("`{source}` is none of: {}", settings.sources.join(", "));
        return Err(refused(ProblemType::SourceUnknown, what));
    }
    let metadata_text = fields.metadata.filter(|m| !m.trim().is_empty());
    let metadata_text = metadata_text.unwrap_or_else(|| "{}".into());
    Ok(Form {
        file,
        file_name,
        declared_type,
        source,
        metadata: metadata(&metadata_text)?,
        metadata_text,
        priority: fields.priority.unwrap_or_default(),
    })
}

fn known(settings: &UploadSettings, source: &str) -> bool {
    settings.sources.iter().any(|s| s == source)
}

fn metadata(text: &str) -> Result<Map<String, Value>, Unaccepted> {
    match json::parse::<Value>(text.as_bytes()) {
        Ok(Value::Object(map)) if !text.contains("\\u0000") => Ok(map),
        Ok(Value::Object(_)) => Err(refused(
            ProblemType::MetadataInvalid,
            "metadata may not hold the character U+0000",
        )),
        Ok(_) => Err(refused(
            ProblemType::MetadataInvalid,
            "metadata is JSON but no object",
        )),
        Err(p) if p.kind() == ProblemType::JsonTooDeep => Err(Unaccepted::Refused(p)),
        Err(p) => Err(refused(ProblemType::MetadataInvalid, p.sentence())),
    }
}

async fn text(
    mut field: Field<'_>,
    flow: &Flow,
    name: &str,
    most: usize,
) -> Result<String, Unaccepted> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|e| broken(&e))? {
        flow.came_out();
        if bytes.len() + chunk.len() > most {
            return Err(refused(
                ProblemType::FieldTooLarge,
                format!("`{name}` has at most {most} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| {
        refused(
            ProblemType::MultipartMalformed,
            format!("`{name}` is not UTF-8"),
        )
    })
}

async fn spool(
    state: &ApiState,
    mut field: Field<'_>,
    flow: &Flow,
    seen: &mut Seen,
) -> Result<(Spooled, String, Option<String>), Unaccepted> {
    let Some(name) = field.file_name().map(ToOwned::to_owned) else {
        return Err(refused(
            ProblemType::FileMissing,
            "the part named file has no file name",
        ));
    };
    check_name(&name)?;
    let most = door::knock(&state.door, &name, state.upload.now().max_file_bytes)?;
    seen.file_name = Some(name.clone());
    let declared = field.content_type().map(ToOwned::to_owned);
    let failed = |e: std::io::Error| Unaccepted::Failed(e.into());
    let mut writer = state.spool.create().await.map_err(failed)?;
    while let Some(chunk) = field.chunk().await.map_err(|e| broken(&e))? {
        flow.came_out();
        seen.received += chunk.len() as u64;
        if seen.received > most {
            let what = format!("such a file has at most {most} bytes");
            return Err(refused(ProblemType::FileTooLarge, what));
        }
        writer.write(&chunk).await.map_err(failed)?;
    }
    let spooled = writer.finish().await.map_err(failed)?;
    Ok((spooled, name, declared))
}

/// A name that people can be shown and systems can store, or what is wrong with it.
pub(super) fn check_name(name: &str) -> Result<(), Unaccepted> {
    let wrong = |what: &str| Err(refused(ProblemType::FileNameInvalid, what));
    match name {
        _ if name.trim().is_empty() => wrong("the file name is empty"),
        "." | ".." => wrong("the file name is a folder"),
        _ if name.chars().count() > MAX_NAME => wrong("the file name has more than 255 characters"),
        _ if name.contains(['/', '\\']) => wrong("the file name holds a path"),
        _ if name.chars().any(char::is_control) => wrong("the file name holds control characters"),
        _ if name.chars().any(is_bidi_control) => {
            wrong("the file name holds characters that change the direction of text")
        }
        _ => Ok(()),
    }
}

/// Bidi_Control of Unicode (UAX #9, section 2), which can disguise an extension.
const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_language_pass_and_tricks_do_not() {
        // Malayalam needs joiners (U+200C, U+200D) in names.
        for good in [
            "a.pdf",
            "സുരക്ഷാ നിർദ്ദേശം.pdf",
            "ക്\u{200d}ഷ.txt",
            "a;b \"c\" 100%.txt",
            &"x".repeat(255),
        ] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            " ",
            "..",
            "a/b",
            "a\\b",
            "a\nb",
            "a\0b",
            "gpj.\u{202e}exe",
            "\u{2066}a",
            &"x".repeat(256),
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn metadata_is_an_object() {
        assert!(metadata("{}").is_ok());
        for bad in ["[]", "1", "null", "{", "{\"a\":\"\\u0000\"}"] {
            assert!(metadata(bad).is_err(), "{bad}");
        }
    }
}
