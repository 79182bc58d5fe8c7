//! The audit trail as lines: JSON Lines or CSV (RFC 4180), read in pages so that memory stays
//! bounded however many rows there are.

use kmrl_projections::query::{AuditFilter, AuditKey, AuditRow, Order, QueryError, ReadModel};
use std::borrow::Cow;
use std::fmt::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Rows read at once.
const PAGE: i64 = 1_000;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Export {
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, with a header. Cells that a spreadsheet would take for a formula begin with `'`.
    Csv,
}

impl Export {
    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The ending of a file's name.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// What comes before the first row.
    #[must_use]
    pub fn header(self) -> String {
        match self {
            Self::Jsonl => String::new(),
            Self::Csv => COLUMNS.join(",") + "\r\n",
        }
    }

    fn write(self, row: &AuditRow, out: &mut String) {
        match self {
            Self::Jsonl => {
                // A row is numbers and texts: writing it cannot fail.
                out.push_str(&serde_json::to_string(row).unwrap_or_default());
                out.push('\n');
            }
            Self::Csv => csv(row, out),
        }
    }
}

const COLUMNS: [&str; 22] = [
    "position",
    "index",
    "kind",
    "at",
    "recorded_at",
    "actor",
    "key_id",
    "action",
    "outcome",
    "document_id",
    "version",
    "shown_at",
    "count",
    "status",
    "problem",
    "reason",
    "address",
    "user_agent",
    "request_id",
    "correlation_id",
    "traceparent",
    "parameters",
];

fn csv(row: &AuditRow, out: &mut String) {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let time = |t: OffsetDateTime| t.format(&Rfc3339).unwrap_or_default();
    let cells: [String; COLUMNS.len()] = [
        row.position.to_string(),
        row.index.to_string(),
        row.kind.clone(),
        time(row.at),
        time(row.recorded_at),
        row.actor.clone(),
        word(&row.key_id),
        row.action.clone(),
        row.outcome.clone(),
        row.document_id.map(|id| id.to_string()).unwrap_or_default(),
        number(row.version),
        number(row.shown_at),
        number(row.count),
        number(row.status.map(i64::from)),
        word(&row.problem),
        word(&row.reason),
        word(&row.address),
        word(&row.user_agent),
        word(&row.request_id),
        word(&row.correlation_id),
        word(&row.traceparent),
        row.parameters.to_string(),
    ];
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_cell(out, cell);
    }
    out.push_str("\r\n");
}

fn push_cell(out: &mut String, text: &str) {
    // A spreadsheet runs what begins so, or with what it passes over before these.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text: Cow<'_, str> = if formula {
        format!("'{text}").into()
    } else {
        text.into()
    };
    if text.contains([',', '"', '\r', '\n']) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\"{}\"", text.replace('"', "\"\""));
    } else {
        out.push_str(&text);
    }
}

/// Reads the rows that pass a filter, page after page, as lines.
pub struct Exporter {
    read: ReadModel,
    filter: AuditFilter,
    order: Order,
    format: Export,
    cursor: Option<AuditKey>,
    header: bool,
    done: bool,
}

impl Exporter {
    /// Begins after a cursor, if there is one. Ends at the rows that there are now: an export
    /// records itself and must not run after its own tail.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(
        read: ReadModel,
        mut filter: AuditFilter,
        order: Order,
        format: Export,
        cursor: Option<AuditKey>,
    ) -> Result<Self, QueryError> {
        let now = read.audit_position().await?;
        let end = filter.before.unwrap_or(i64::MAX).min(now.saturating_add(1));
        filter.before = Some(end);
        Ok(Self {
            read,
            filter,
            order,
            format,
            cursor,
            header: true,
            done: false,
        })
    }

    /// The next lines and how many rows they are; `None` after the last.
    ///
    /// # Errors
    /// When the database does not answer: what came before is then not the whole.
    pub async fn next(&mut self) -> Result<Option<(String, usize)>, QueryError> {
        if self.done {
            return Ok(None);
        }
        let rows = self.read.audit(&self.filter, self.order, self.cursor, PAGE);
        let rows = rows.await?;
        let mut text = String::new();
        if std::mem::take(&mut self.header) {
            text.push_str(&self.format.header());
        }
        for row in &rows {
            self.format.write(row, &mut text);
        }
        self.cursor = rows.last().map(AuditRow::key);
        self.done = i64::try_from(rows.len()).is_ok_and(|n| n < PAGE);
        Ok(Some((text, rows.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    fn row() -> AuditRow {
        AuditRow {
            position: 7,
            index: 1,
            kind: "access".into(),
            at: datetime!(2026-01-02 03:04:05 UTC),
            recorded_at: datetime!(2026-01-02 03:04:05.5 UTC),
            actor: "key:admin".into(),
            key_id: None,
            action: "view".into(),
            outcome: "shown".into(),
            document_id: None,
            version: Some(3),
            shown_at: Some(6),
            count: None,
            status: Some(200),
            problem: None,
            reason: Some("=HYPERLINK(\"http://x\")\r\nnext".into()),
            address: Some("192.0.2.7".into()),
            user_agent: Some("+1".into()),
            request_id: Some("@x".into()),
            correlation_id: Some("-2".into()),
            traceparent: Some("a,b".into()),
            parameters: json!({"q": "x"}),
        }
    }

    #[test]
    fn cells_are_quoted_and_formulas_are_defused() {
        let mut out = String::new();
        csv(&row(), &mut out);
        assert_eq!(
            out,
            "7,1,access,2026-01-02T03:04:05Z,2026-01-02T03:04:05.5Z,key:admin,,view,shown,,3,6,,\
             200,,\"'=HYPERLINK(\"\"http://x\"\")\r\nnext\",192.0.2.7,'+1,'@x,'-2,\"a,b\",\
             \"{\"\"q\"\":\"\"x\"\"}\"\r\n"
        );
    }

    #[test]
    fn the_columns_are_the_fields_of_a_row() {
        let value = serde_json::to_value(row()).unwrap();
        let mut fields: Vec<&str> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut columns = COLUMNS.to_vec();
        fields.sort_unstable();
        columns.sort_unstable();
        assert_eq!(fields, columns);
        let mut out = String::new();
        Export::Jsonl.write(&row(), &mut out);
        assert_eq!(out.matches('\n').count(), 1);
    }
}
