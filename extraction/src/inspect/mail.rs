//! Messages as they travel: each part that is a file of its own is looked at.

use mail_parser::{MessageParser, MimeHeaders, PartType};

use super::walk::Walk;

pub(super) fn look(walk: &mut Walk<'_>, bytes: &[u8]) {
    let Some(message) = MessageParser::default().parse(bytes) else {
        return;
    };
    for part in &message.parts {
        if !walk.count_entry() {
            return;
        }
        let name = part.attachment_name().unwrap_or_default();
        let is_file = match &part.body {
            PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) => true,
            PartType::Text(_) | PartType::Html(_) => !name.is_empty(),
            PartType::Multipart(_) => false,
        };
        if !is_file {
            continue;
        }
        let content = part.contents();
        if !walk.count_bytes(content.len() as u64) {
            return;
        }
        walk.inside(content, name);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use crate::inspect::Risk;
    use crate::inspect::testing::*;

    fn message(name: &str, content: &[u8]) -> Vec<u8> {
        let encoded = base64::engine::general_purpose::STANDARD.encode(content);
        format!(
            "From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
             All about run.exe\r\n--b\r\nContent-Type: application/octet-stream\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n--b--\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn attachments_are_looked_into() {
        let program = windows_program();
        let packed = docx(&[("word/vbaProject.bin", b"x")]);
        for (name, content, risk) in [
            ("a.txt", &program[..], Risk::Executable),
            ("run.js", b"x", Risk::Executable),
            ("a.docx", &packed, Risk::Macros),
        ] {
            assert_eq!(risks(&message(name, content), "a.eml"), [risk], "{name}");
        }
        assert!(risks(&message("a.txt", b"plain words"), "a.eml").is_empty());
    }
}
