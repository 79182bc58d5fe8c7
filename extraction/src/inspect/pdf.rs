//! PDFs: scripts, actions and embedded files, by the objects that are there. Every object is looked at, not
//! only those that the catalog leads to: a reader's repair might reach the others.

use lopdf::{Dictionary, Document, LoadOptions, Object, Stream, decode_text_string};

use super::walk::Walk;
use super::{Risk, executable};

pub(super) fn look(walk: &mut Walk<'_>, bytes: &[u8]) {
    let most = usize::try_from(walk.left()).unwrap_or(usize::MAX);
    let options = LoadOptions::with_max_decompressed_size(most);
    // One that cannot be read this way may be readable all the same: the text's reader says so,
    // and it knows neither scripts nor actions.
    let Ok(document) = Document::load_mem_with_options(bytes, options) else {
        return;
    };
    for object in document.objects.values() {
        note_active(walk, object);
        if let Object::Stream(stream) = object
            && is_embedded_file(stream)
        {
            if !walk.count_entry() {
                return;
            }
            look_at_embedded(walk, stream);
        }
        if !walk.goes_on() {
            return;
        }
    }
}

/// Depth is on the heap, as the input chooses it.
fn note_active(walk: &mut Walk<'_>, object: &Object) {
    let mut pending = vec![object];
    while let Some(object) = pending.pop() {
        let dictionary = match object {
            Object::Dictionary(dictionary) => dictionary,
            Object::Stream(stream) => &stream.dict,
            Object::Array(items) => {
                pending.extend(items);
                continue;
            }
            _ => continue,
        };
        if names(dictionary, b"S", b"JavaScript") || dictionary.has(b"JS") {
            walk.note(Risk::Javascript, "it holds a script");
        }
        if names(dictionary, b"S", b"Launch") {
            walk.note(
                Risk::LaunchAction,
                "it holds an action that starts a program or opens another file",
            );
        }
        if dictionary.has(b"EF") {
            note_name(walk, dictionary);
        }
        pending.extend(dictionary.iter().map(|(_, value)| value));
    }
}

fn names(dictionary: &Dictionary, key: &[u8], value: &[u8]) -> bool {
    matches!(dictionary.get(key), Ok(Object::Name(name)) if name == value)
}

/// The name of an embedded file.
fn note_name(walk: &mut Walk<'_>, specification: &Dictionary) {
    for key in [&b"UF"[..], b"F"] {
        let name = specification.get(key).ok();
        let name = name.and_then(|name| decode_text_string(name).ok());
        if name.is_some_and(|name| executable::is_run_by_name(&name)) {
            walk.note(
                Risk::Executable,
                "an embedded file has the name of a program or a script",
            );
        }
    }
}

fn is_embedded_file(stream: &Stream) -> bool {
    // The type may be left out; parameters with a size are then what tells.
    names(&stream.dict, b"Type", b"EmbeddedFile") || stream.dict.has(b"Params")
}

fn look_at_embedded(walk: &mut Walk<'_>, stream: &Stream) {
    let most = usize::try_from(walk.left()).unwrap_or(usize::MAX);
    let Ok(content) = stream.get_plain_content_with_limit(most) else {
        walk.note(
            Risk::Opaque,
            "an embedded file cannot be unpacked within the limits",
        );
        return;
    };
    if walk.count_bytes(content.len() as u64) {
        walk.inside(&content, "");
    }
}

#[cfg(test)]
mod tests {
    use crate::fixtures::assemble;
    use crate::inspect::Risk;
    use crate::inspect::testing::*;

    fn pdf(catalog: &str, objects: &[&str]) -> Vec<u8> {
        let mut all = vec![
            format!("<</Type/Catalog/Pages 2 0 R{catalog}>>"),
            "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 9 9]>>".to_owned(),
            "<</Type/Page/Parent 2 0 R>>".to_owned(),
        ];
        all.extend(objects.iter().map(|o| (*o).to_owned()));
        assemble(&all).into_bytes()
    }

    #[test]
    fn active_content_is_found_by_structure() {
        let script = pdf("/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>", &[]);
        assert_eq!(risks(&script, "a.pdf"), [Risk::Javascript]);
        let hidden = pdf("", &["[[<</Next<</S/JavaScript/JS(x)>>>>]]"]);
        assert_eq!(risks(&hidden, "a.pdf"), [Risk::Javascript]);
        let launch = pdf("/OpenAction<</S/Launch/F(cmd.exe)>>", &[]);
        assert_eq!(risks(&launch, "a.pdf"), [Risk::LaunchAction]);
        let words = crate::fixtures::pdf(&["A macro, JavaScript, /JS, Launch and cmd.exe"]);
        assert!(risks(&words, "a.pdf").is_empty());
    }

    #[test]
    fn embedded_files_are_looked_into() {
        let named = "<</Type/Filespec/F(run.exe)/UF(run.exe)/EF<</F 5 0 R>>>>";
        let plain = "<</Type/Filespec/F(note.txt)/EF<</F 5 0 R>>>>";
        let text = "<</Type/EmbeddedFile/Length 5>>stream\nwords\nendstream";
        let script = "<</Type/EmbeddedFile/Length 9>>stream\n#!/bin/sh\nendstream";
        assert_eq!(risks(&pdf("", &[named, text]), "a.pdf"), [Risk::Executable]);
        assert_eq!(
            risks(&pdf("", &[plain, script]), "a.pdf"),
            [Risk::Executable]
        );
        assert!(risks(&pdf("", &[plain, text]), "a.pdf").is_empty());
    }
}
