//! Why a document gave no text. This module owns the reasons and their stable codes; it must
//! not hold anything of the document's content.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::format::Format;

/// Why a document gave no text.
///
/// Serialised with the stable code as its tag (`{"code":"damaged","detail":…}`), so that it
/// can cross the pipe from the child process. Displayed, it is a reason fit for the uploader.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum ExtractError {
    /// The format is known not to be read by this version, or not known at all.
    #[error("this type of file is not supported: {what}")]
    #[serde(rename = "unsupported_type")]
    Unsupported {
        /// The format, with what it would need when that is known.
        what: String,
    },
    /// The format is read by a program that may be installed beside this one: see
    /// [`Helper`](crate::Helper).
    #[error("this type of file is not supported: {}", crate::helper::needed(*.format))]
    NeedsHelper {
        /// The format.
        format: Format,
    },
    /// The bytes are not a readable file of the format they claim.
    #[error("the file is damaged: {detail}")]
    Damaged {
        /// What could not be read.
        detail: String,
    },
    /// The document does not open without a password.
    #[error("the document is encrypted and does not open without its password")]
    Encrypted,
    /// No page shows anything.
    #[error("the document has no text: its pages are blank")]
    #[serde(rename = "no_text_layer")]
    NoText,
    /// The document goes beyond one of the [`Limits`](crate::Limits).
    #[error("the document is too large: it has more than {limit} {of}")]
    TooLarge {
        /// The limit that was passed, in units of `of`.
        limit: u64,
        /// What was counted.
        of: Quantity,
    },
    /// The caller asked to stop.
    #[error("reading was cancelled after {pages_done} of {pages} pages")]
    Cancelled {
        /// Pages read before the stop.
        pages_done: u32,
        /// Pages of the document.
        pages: u32,
    },
}

/// What a [`Limits`](crate::Limits) counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Pages of the document.
    Pages,
    /// Characters over all pages.
    Characters,
    /// Bytes after decompression.
    DecompressedBytes,
    /// Entries of an archive.
    Entries,
    /// Things inside each other.
    Levels,
    /// Pixels of one picture.
    Pixels,
    /// Steps of drawing one page.
    Steps,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pages => "pages",
            Self::Characters => "characters",
            Self::DecompressedBytes => "bytes when decompressed",
            Self::Entries => "entries",
            Self::Levels => "levels of nesting",
            Self::Pixels => "pixels in a picture",
            Self::Steps => "steps to draw one page",
        })
    }
}

impl ExtractError {
    /// A stable word for the reason, the same as the tag of the serialised form; but a document
    /// whose helper is not there is of a type that is not supported there.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } | Self::NeedsHelper { .. } => "unsupported_type",
            Self::Damaged { .. } => "damaged",
            Self::Encrypted => "encrypted",
            Self::NoText => "no_text_layer",
            Self::TooLarge { .. } => "too_large",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    pub(crate) fn damaged(detail: impl Into<String>) -> Self {
        Self::Damaged {
            detail: detail.into(),
        }
    }
}
