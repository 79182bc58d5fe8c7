//! E-mails: who wrote what to whom and when, the body, and what is attached, each of which is a
//! document of its own. This module owns how a message is told; it must not read attachments.

pub(crate) mod eml;
pub(crate) mod msg;

use crate::child::{Child, Children};
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Reading, pages};

/// A message, in whatever format it came.
#[derive(Default)]
struct Letter {
    from: String,
    to: String,
    cc: String,
    date: String,
    subject: String,
    body: String,
    attached: Children,
}

impl Letter {
    fn tell(
        self,
        limits: &Limits,
        on_page: &mut OnPage<'_>,
    ) -> Result<(Reading, Vec<Child>), ExtractError> {
        let mut text = String::new();
        for (name, value) in [
            ("From", &self.from),
            ("To", &self.to),
            ("Cc", &self.cc),
            ("Date", &self.date),
            ("Subject", &self.subject),
        ] {
            let value = value.replace(['\r', '\n', '\t'], " ");
            if !value.trim().is_empty() {
                text += &format!("{name}: {}\n", value.trim());
            }
        }
        text.push('\n');
        text += self.body.trim();
        text.push('\n');
        for attached in self.attached.listed() {
            text += &format!("\nAttachment: {attached}");
        }
        let reading = pages::all(&[text.trim().to_owned()], limits, on_page)?;
        Ok((reading, self.attached.into_taken()))
    }
}
