//! OpenDocument texts, presentations and spreadsheets. This module owns which parts of the
//! package are told, and as which pages; what their elements mean is `flow`'s.

mod flow;

use self::flow::{Flow, Kind};
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::package::Package;
use crate::{Format, OnPage, Reading, pages};

pub(crate) fn read(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    refuse_encrypted(&mut package)?;
    let content = package.demand("content.xml")?;
    let kind = match format {
        Format::Odp => Kind::Slides,
        Format::Ods => Kind::Tables,
        _ => Kind::Text,
    };
    let mut texts = Flow::read(&content, kind, limits)?.pages;
    if kind == Kind::Text {
        let edges = match package.read("styles.xml")? {
            Some(styles) => Flow::read(&styles, Kind::Edges, limits)?,
            None => Flow::default(),
        };
        if texts.is_empty() {
            texts.push(String::new());
        }
        if let Some(first) = texts.first_mut() {
            *first = joined(&edges.headers, first, &[]);
        }
        if let Some(last) = texts.last_mut() {
            *last = joined(&[], last, &edges.footers);
        }
    }
    pages::all(&texts, limits, on_page)
}

fn joined(before: &[String], text: &str, after: &[String]) -> String {
    let before = before.iter().map(String::as_str);
    let parts = before.chain([text]).chain(after.iter().map(String::as_str));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// The manifest says of each part whether it is encrypted, and how.
fn refuse_encrypted(package: &mut Package<'_>) -> Result<(), ExtractError> {
    let manifest = package.read("META-INF/manifest.xml")?.unwrap_or_default();
    const MARK: &[u8] = b"encryption-data";
    if manifest.windows(MARK.len()).any(|window| window == MARK) {
        return Err(ExtractError::Encrypted);
    }
    Ok(())
}
