//! Media types by file extension, for the types that the gateway knows.

/// The type that the sender declared, unless it is none or says nothing; then that of the extension.
pub(super) fn of(declared: Option<&str>, file_name: &str) -> String {
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

    #[test]
    fn the_extension_decides_then_the_sender() {
        assert_eq!(of(Some("text/plain"), "a.PDF"), "application/pdf");
        assert_eq!(of(Some("Text/X; charset=utf-8"), "a"), "text/x");
        assert_eq!(of(None, "a.unknown"), "application/octet-stream");
        assert_eq!(of(Some("nonsense"), "a"), "application/octet-stream");
    }
}
