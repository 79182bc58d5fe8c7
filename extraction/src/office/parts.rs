//! How the parts of an Office Open XML package refer to each other. This module must not look
//! into parts other than those that hold relationships, and follows none out of the package.

use crate::error::ExtractError;
use crate::package::Package;
use crate::xml::{self, Node};

/// Relationships of one part that are looked at.
const MOST: usize = 20_000;

/// One part refers to another.
pub(super) struct Relation {
    pub(super) id: String,
    /// The last word of its type, such as `slide`.
    pub(super) kind: String,
    /// The path of the other part in the package.
    pub(super) target: String,
}

/// The part that everything else hangs on.
pub(super) fn main(package: &mut Package<'_>, usual: &str) -> Result<String, ExtractError> {
    let roots = relations(package, "")?;
    let main = roots.into_iter().find(|to| to.kind == "officeDocument");
    Ok(main.map_or_else(|| usual.to_owned(), |to| to.target))
}

/// What a part refers to, in the order of the file.
pub(super) fn relations(
    package: &mut Package<'_>,
    part: &str,
) -> Result<Vec<Relation>, ExtractError> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let beside = if folder.is_empty() {
        format!("_rels/{name}.rels")
    } else {
        format!("{folder}/_rels/{name}.rels")
    };
    let Some(bytes) = package.read(&beside)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    xml::walk(&bytes, |node| {
        if let Node::Start(element) = node
            && element.name() == "Relationship"
            && element.attribute("TargetMode").as_deref() != Some("External")
            && found.len() < MOST
        {
            let kind = element.attribute("Type").unwrap_or_default();
            found.push(Relation {
                id: element.attribute("Id").unwrap_or_default(),
                kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                target: resolved(folder, &element.attribute("Target").unwrap_or_default()),
            });
        }
        Ok(())
    })?;
    Ok(found)
}

/// The path that a target means, seen from a folder.
fn resolved(folder: &str, target: &str) -> String {
    let mut path: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => folder.split('/').filter(|name| !name.is_empty()).collect(),
    };
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            name => path.push(name),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn targets_are_seen_from_their_folder() {
        assert_eq!(resolved("word", "header1.xml"), "word/header1.xml");
        assert_eq!(
            resolved("ppt/slides", "../notesSlides/n.xml"),
            "ppt/notesSlides/n.xml"
        );
        assert_eq!(resolved("ppt", "/ppt/slides/s.xml"), "ppt/slides/s.xml");
        assert_eq!(resolved("", "../../etc/passwd"), "etc/passwd");
    }
}
