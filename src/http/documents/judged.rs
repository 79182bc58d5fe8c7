//! Of a document as the API shows it: what programs and people found out about its text.

use kmrl_projections::query::DocumentRow;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What was found out about a document's text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Judged {
    /// A person wrote the text that stands.
    text_corrected: bool,
    /// Pages whose characters were recognised in a picture.
    recognised_pages: Option<i64>,
    /// Pages that show something and could not be read.
    unread_pages: Option<i64>,
    /// Share of each script in its letters, by its code in ISO 15924.
    #[schema(value_type = Option<Object>, example = json!({"Latn": 0.2, "Mlym": 0.8}))]
    language_shares: Option<Value>,
    /// A person said which language it is in.
    language_corrected: bool,
    /// A person said which department it belongs to: no rule says otherwise any more.
    department_corrected: bool,
    /// Which department the rules found, and by which of their terms.
    #[schema(value_type = Option<Object>)]
    department_evidence: Option<Value>,
    /// A person has to look at its text: `POST /api/v1/documents/{id}/review`.
    needs_review: bool,
    /// Why.
    #[schema(value_type = Vec<super::view::Reason>)]
    review_reasons: Value,
    /// What a person said of its text last: verdict, reviewer, reviewed_at.
    #[schema(value_type = Option<Object>)]
    review: Option<Value>,
}

impl Judged {
    /// As the row has it.
    pub(super) fn of(row: &mut DocumentRow) -> Self {
        Self {
            text_corrected: row.text_corrected,
            recognised_pages: row.recognised_pages,
            unread_pages: row.unread_pages,
            language_shares: row.language_shares.take(),
            language_corrected: row.language_corrected,
            department_corrected: row.department_corrected,
            department_evidence: row.department_evidence.take(),
            needs_review: row.needs_review,
            review_reasons: row.review_reasons.take(),
            review: row.review.take(),
        }
    }
}

impl Default for Judged {
    fn default() -> Self {
        Self {
            text_corrected: false,
            recognised_pages: None,
            unread_pages: None,
            language_shares: None,
            language_corrected: false,
            department_corrected: false,
            department_evidence: None,
            needs_review: false,
            review_reasons: Value::Array(Vec::new()),
            review: None,
        }
    }
}
