//! Office files: text, presentations and tables, in Office Open XML, OpenDocument and the binary
//! workbooks and presentations before them. This module owns what they share; it must not run anything that a
//! document carries.

pub(crate) mod docx;
pub(crate) mod opendocument;
mod parts;
pub(crate) mod ppt;
pub(crate) mod pptx;
pub(crate) mod sheets;
mod story;

use crate::error::ExtractError;
use crate::limits::Limits;
use crate::package::Package;

/// The signature of an OLE compound file.
const COMPOUND: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// The package of an Office Open XML file. One behind a password is wrapped into a compound file.
fn package<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Package<'a>, ExtractError> {
    if bytes.starts_with(COMPOUND) {
        return Err(ExtractError::Encrypted);
    }
    Package::open(bytes, limits)
}
