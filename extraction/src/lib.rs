//! Extraction: bytes in, pages of text out.
