//! Zip archives, read within limits. This module owns the counting: what an archive says of its
//! own sizes is never believed. It must not know what an entry means.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::{ExtractError, Quantity};
use crate::limits::Limits;

/// Entries of an archive. Office files have some hundreds.
const MOST_ENTRIES: usize = 10_000;
/// Headers of entries anywhere in the file, those of archives inside it included, before its
/// table of contents is read at all.
const MOST_HEADERS: usize = 100_000;

/// An archive and what has been unpacked of it.
pub(crate) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    unpacked: usize,
    limit: usize,
}

/// An entry as the table of contents has it.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_file: bool,
    pub(crate) encrypted: bool,
}

impl<'a> Package<'a> {
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, ExtractError> {
        let headers = bytes.windows(4).filter(|at| *at == b"PK\x01\x02").count();
        within(headers, MOST_HEADERS)?;
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(refusal)?;
        within(archive.len(), MOST_ENTRIES)?;
        Ok(Self {
            archive,
            unpacked: 0,
            limit: limits.max_decompressed_bytes,
        })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.archive.len()
    }

    /// What stands at a place in the table of contents; `None` when that cannot be told.
    pub(crate) fn entry(&self, index: usize) -> Option<Entry> {
        let entry = self.archive.by_index_data(index).ok()?;
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(_) => String::from_utf8_lossy(entry.name_raw()).into_owned(),
        };
        Some(Entry {
            name,
            is_file: entry.is_file(),
            encrypted: entry.encrypted(),
        })
    }

    /// Unpack the entry of a name; `None` when there is none.
    pub(crate) fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        match self.archive.index_for_name(name) {
            Some(index) => self.read_index(index).map(Some),
            None => Ok(None),
        }
    }

    /// Unpack the entry of a name that must be there.
    pub(crate) fn demand(&mut self, name: &str) -> Result<Vec<u8>, ExtractError> {
        self.read(name)?
            .ok_or_else(|| ExtractError::damaged(format!("its part {name} is missing")))
    }

    /// Unpack the entry at a place in the table of contents.
    pub(crate) fn read_index(&mut self, index: usize) -> Result<Vec<u8>, ExtractError> {
        let room = self.limit.saturating_sub(self.unpacked);
        let entry = self.archive.by_index(index).map_err(refusal)?;
        let mut bytes = Vec::new();
        // One more than there is room for tells that there is more.
        let read = entry.take(room as u64 + 1).read_to_end(&mut bytes);
        self.unpacked = self.unpacked.saturating_add(bytes.len());
        self.check()?;
        read.map_err(|_| ExtractError::damaged("an entry of the archive does not unpack"))?;
        Ok(bytes)
    }

    /// Hold everything that the archive unpacks to against the limit, keeping nothing: for readers
    /// that unpack by themselves.
    pub(crate) fn measure(&mut self) -> Result<(), ExtractError> {
        for index in 0..self.archive.len() {
            let room = self.limit.saturating_sub(self.unpacked);
            let entry = self.archive.by_index(index).map_err(refusal)?;
            let copied = std::io::copy(&mut entry.take(room as u64 + 1), &mut std::io::sink());
            let copied = copied.map_err(|_| ExtractError::damaged("an entry does not unpack"))?;
            let copied = usize::try_from(copied).unwrap_or(usize::MAX);
            self.unpacked = self.unpacked.saturating_add(copied);
            self.check()?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ExtractError> {
        if self.unpacked <= self.limit {
            return Ok(());
        }
        Err(ExtractError::TooLarge {
            limit: self.limit as u64,
            of: Quantity::DecompressedBytes,
        })
    }
}

fn within(count: usize, limit: usize) -> Result<(), ExtractError> {
    if count <= limit {
        return Ok(());
    }
    Err(ExtractError::TooLarge {
        limit: limit as u64,
        of: Quantity::Entries,
    })
}

fn refusal(error: ZipError) -> ExtractError {
    match error {
        ZipError::InvalidPassword => ExtractError::Encrypted,
        ZipError::UnsupportedArchive(why) if why == ZipError::PASSWORD_REQUIRED => {
            ExtractError::Encrypted
        }
        ZipError::UnsupportedArchive(why) => {
            ExtractError::damaged(format!("the archive is of a kind that is not read: {why}"))
        }
        ZipError::CompressionMethodNotSupported(method) => ExtractError::damaged(format!(
            "the archive is packed by method {method}, which is not read"
        )),
        _ => ExtractError::damaged("it cannot be read as a zip archive"),
    }
}
