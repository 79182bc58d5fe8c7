//! Media types by file extension, for the types that the gateway knows.

use kmrl_extraction::Format;

/// The type of the extension; else the one that the content has, and else the one that the sender
/// declared, unless it says nothing.
pub(super) fn of(declared: Option<&str>, file_name: &str, content: Option<Format>) -> String {
    let said = declared
        .map(|d| {
            d.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        })
        .filter(|d| d.contains('/') && d.len() <= 127 && d != "application/octet-stream");
    let extension = file_name
        .rsplit_once('.')
        .map(|(_, e)| e.to_ascii_lowercase())
        .unwrap_or_default();
    // The extension comes first: it is what people see, and mail programs declare anything.
    by_extension(&extension)
        .or_else(|| Format::of_file_name(file_name).map(Format::media_type))
        .or_else(|| content.map(Format::media_type))
        .map(ToOwned::to_owned)
        .or(said)
        .unwrap_or_else(|| "application/octet-stream".into())
}

fn by_extension(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "pdf" => "application/pdf",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "doc" => "application/msword",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xls" => "application/vnd.ms-excel",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "ppt" => "application/vnd.ms-powerpoint",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "webp" => "image/webp",
        "dwg" => "image/vnd.dwg",
        "dxf" => "image/vnd.dxf",
        "step" | "stp" => "model/step",
        "iges" | "igs" => "model/iges",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "rst" => "text/x-rst",
        "html" | "htm" => "text/html",
        "xml" => "application/xml",
        "json" => "application/json",
        "csv" => "text/csv",
        "eml" => "message/rfc822",
        "msg" => "application/vnd.ms-outlook",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::of;
    use kmrl_extraction::Format;

    #[test]
    fn the_extension_decides_then_the_sender() {
        let said = |declared, name| of(declared, name, None);
        assert_eq!(said(Some("text/plain"), "a.PDF"), "application/pdf");
        assert_eq!(said(Some("Text/X; charset=utf-8"), "a"), "text/x");
        assert_eq!(said(None, "a.unknown"), "application/octet-stream");
        assert_eq!(said(Some("nonsense"), "a"), "application/octet-stream");
        assert_eq!(said(None, "a.odt"), Format::Odt.media_type());
        assert_eq!(of(None, "scan", Some(Format::Png)), "image/png");
    }
}
