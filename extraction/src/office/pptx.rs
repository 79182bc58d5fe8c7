//! PowerPoint presentations: a page for each slide, in the order in which they are shown, with
//! tables, diagrams, charts' titles, speaker notes and comments.

use super::parts::{self, Relation};
use super::story;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::package::Package;
use crate::pages::Pages;
use crate::xml::{self, Node};
use crate::{OnPage, Reading};

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let mut package = super::package(bytes, limits)?;
    let main = parts::main(&mut package, "ppt/presentation.xml")?;
    let relations = parts::relations(&mut package, &main)?;
    let slides = order(&package.demand(&main)?, &relations)?;
    let mut pages = Pages::of(slides.len(), limits, on_page)?;
    for slide in slides {
        let text = self::slide(&mut package, &slide, limits)?;
        pages.add(&text)?;
    }
    Ok(pages.finish())
}

/// The slides as the presentation lists them.
fn order(presentation: &[u8], relations: &[Relation]) -> Result<Vec<String>, ExtractError> {
    let mut slides = Vec::new();
    xml::walk(presentation, |node| {
        if let Node::Start(element) = node
            && element.name() == "sldId"
        {
            // It has an id of its own beside that of its relation: the latter has a prefix.
            let id = element.prefixed("id").unwrap_or_default();
            let to = relations.iter().find(|to| to.id == id);
            slides.extend(to.map(|to| to.target.clone()));
        }
        Ok(())
    })?;
    Ok(slides)
}

fn slide(package: &mut Package<'_>, slide: &str, limits: &Limits) -> Result<String, ExtractError> {
    let mut text = match package.read(slide)? {
        Some(bytes) => story::read(&bytes, None, limits)?.pages.join("\n"),
        None => return Ok(String::new()),
    };
    for relation in parts::relations(package, slide)? {
        let (entry, title) = match relation.kind.as_str() {
            "notesSlide" => (None, "Notes: "),
            "diagramData" | "chart" => (None, ""),
            "comments" => (Some("cm"), "Comment: "),
            _ => continue,
        };
        let Some(bytes) = package.read(&relation.target)? else {
            continue;
        };
        let story = match story::read(&bytes, entry, limits) {
            Err(ExtractError::Damaged { .. }) => continue,
            story => story?,
        };
        let entries = story.entries.into_iter().map(|entry| entry.text);
        for part in story.pages.into_iter().chain(entries) {
            if !part.is_empty() {
                text = format!("{text}\n{title}{part}");
            }
        }
    }
    Ok(text.trim_start_matches('\n').to_owned())
}
