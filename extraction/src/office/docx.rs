//! Word documents (WordprocessingML): body, text boxes, headers, footers, notes and comments.
//! This module owns in which order they are told.

use super::parts::{self, Relation};
use super::story::{self, Story};
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::package::Package;
use crate::{OnPage, Reading, pages};

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let mut package = super::package(bytes, limits)?;
    let main = parts::main(&mut package, "word/document.xml")?;
    let relations = parts::relations(&mut package, &main)?;
    let body = story::read(&package.demand(&main)?, None, limits)?;
    let mut document = Document {
        package,
        relations,
        limits,
    };
    let mut after = Vec::new();
    after.extend(document.notes("footnotes", "footnote", "", &body.footnotes)?);
    after.extend(document.notes("endnotes", "endnote", "e", &body.endnotes)?);
    after.extend(document.comments(&body)?);
    after.extend(document.edges("footer")?);
    let before = document.edges("header")?;

    let mut texts = body.pages;
    if texts.is_empty() {
        texts.push(String::new());
    }
    if let Some(first) = texts.first_mut() {
        *first = joined(before.into_iter().chain([std::mem::take(first)]));
    }
    if let Some(last) = texts.last_mut() {
        *last = joined([std::mem::take(last)].into_iter().chain(after));
    }
    pages::all(&texts, limits, on_page)
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

struct Document<'a> {
    package: Package<'a>,
    relations: Vec<Relation>,
    limits: &'a Limits,
}

impl Document<'_> {
    /// The parts of a kind. One that cannot be read is left out: the body is there all the same.
    fn stories(&mut self, kind: &str, entry: Option<&str>) -> Result<Vec<Story>, ExtractError> {
        let mut stories = Vec::new();
        for relation in self.relations.iter().filter(|to| to.kind == kind) {
            if let Some(bytes) = self.package.read(&relation.target)? {
                match story::read(&bytes, entry, self.limits) {
                    Err(ExtractError::Damaged { .. }) => {}
                    story => stories.push(story?),
                }
            }
        }
        Ok(stories)
    }

    /// Headers or footers: each text once, however many sections have it.
    fn edges(&mut self, kind: &str) -> Result<Vec<String>, ExtractError> {
        let mut texts: Vec<String> = Vec::new();
        for story in self.stories(kind, None)? {
            let text = joined(story.pages.into_iter());
            if !text.is_empty() && !texts.contains(&text) {
                texts.push(text);
            }
        }
        Ok(texts)
    }

    /// Notes, numbered as the body refers to them.
    fn notes(
        &mut self,
        kind: &str,
        entry: &str,
        mark: &str,
        referred: &[String],
    ) -> Result<Vec<String>, ExtractError> {
        let stories = self.stories(kind, Some(entry))?;
        let all = || stories.iter().flat_map(|story| &story.entries);
        let numbered = referred.iter().zip(1_usize..);
        Ok(numbered
            .filter_map(|(id, number)| {
                let note = all().find(|note| note.id == *id)?;
                Some(format!("[{mark}{number}] {}", note.text.trim()))
            })
            .collect())
    }

    fn comments(&mut self, body: &Story) -> Result<Vec<String>, ExtractError> {
        let stories = self.stories("comments", Some("comment"))?;
        let all = stories.iter().flat_map(|story| &story.entries);
        let of_the_body = all.filter(|comment| body.comments.contains(&comment.id));
        Ok(of_the_body
            .map(|comment| format!("[{}] {}", comment.author, comment.text.trim()))
            .collect())
    }
}
