//! The zip around a pack: written one way only, and read only when it was written that way.
//!
//! Owns the bytes of the container and its seal. Files are stored, never compressed, one after
//! another without a gap, so that there is nothing to blow up and every byte has one meaning. It
//! must not know what the files say.

use super::EvidenceError;
use crate::proof::note::{NoteError, SigningKey, VerifyingKey};
use kmrl_domain::private::hex;
use sha2::{Digest, Sha256};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

/// What a file that may be a pack begins with.
pub const MAGIC: [u8; 4] = *b"PK\x03\x04";
/// Most files of a pack.
const MOST_FILES: u16 = 16;
/// Longest name of a file in bytes.
pub(super) const LONGEST_NAME: usize = 300;
/// Bytes of the record at the end, before the comment.
const END: usize = 22;
const BUFFER: usize = 256 * 1024;
const TITLE: &str = "kmrl-gateway evidence 1";

/// A file of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) size: u32,
    pub(super) crc: u32,
    /// Where its header begins.
    pub(super) offset: u32,
}

impl Member {
    /// The fields that both headers have: version 2.0, UTF-8 names, stored, at the earliest time.
    fn common(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(26 + self.name.len());
        for word in [20_u16, 0x0800, 0, 0, 0x0021] {
            to.extend(word.to_le_bytes());
        }
        for number in [self.crc, self.size, self.size] {
            to.extend(number.to_le_bytes());
        }
        let length = u16::try_from(self.name.len()).unwrap_or(u16::MAX);
        to.extend(length.to_le_bytes());
        to.extend([0; 2]);
        to
    }

    fn local(&self) -> Vec<u8> {
        [&MAGIC[..], &self.common(), self.name.as_bytes()].concat()
    }

    fn central(&self) -> Vec<u8> {
        let mut to = b"PK\x01\x02\x14\x00".to_vec();
        to.extend(self.common());
        // No comment, disk 0, no attributes.
        to.extend([0; 10]);
        to.extend(self.offset.to_le_bytes());
        to.extend(self.name.as_bytes());
        to
    }

    fn data(&self) -> u64 {
        u64::from(self.offset) + self.local().len() as u64
    }
}

/// The record at the end: so many files, their directory, and a comment of this length.
fn end_record(files: u16, size: u32, offset: u32, comment: u16) -> Vec<u8> {
    let mut to = b"PK\x05\x06\0\0\0\0".to_vec();
    to.extend(files.to_le_bytes());
    to.extend(files.to_le_bytes());
    to.extend(size.to_le_bytes());
    to.extend(offset.to_le_bytes());
    to.extend(comment.to_le_bytes());
    to
}

/// What is signed: the digest of everything before the comment.
fn seal_text(sha256: &str) -> String {
    format!("{TITLE}\nsha256 {sha256}\n")
}

/// Writes a container.
pub(super) struct Writer<W: Read + Write + Seek> {
    out: BufWriter<W>,
    members: Vec<Member>,
    at: u64,
}

/// Takes the bytes of one file.
pub(super) struct Sink<'a> {
    out: &'a mut dyn Write,
    crc: crc32fast::Hasher,
    sha256: Sha256,
    size: u64,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        let taken = bytes.get(..n).unwrap_or_default();
        self.crc.update(taken);
        self.sha256.update(taken);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Read + Write + Seek> Writer<W> {
    /// A container in an empty file.
    pub(super) fn new(out: W) -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER, out),
            members: Vec::new(),
            at: 0,
        }
    }

    /// Adds a file; gives its size and SHA-256.
    pub(super) fn add(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut Sink<'_>) -> Result<(), EvidenceError>,
    ) -> Result<(u64, String), EvidenceError> {
        let mut member = Member {
            name: name.to_owned(),
            size: 0,
            crc: 0,
            offset: small(self.at)?,
        };
        self.out.write_all(&member.local())?;
        let mut sink = Sink {
            out: &mut self.out,
            crc: crc32fast::Hasher::new(),
            sha256: Sha256::new(),
            size: 0,
        };
        fill(&mut sink)?;
        let (size, sha256) = (sink.size, hex(&sink.sha256.finalize()));
        member.crc = sink.crc.finalize();
        member.size = small(size)?;
        let end = member.data() + size;
        self.out.seek(SeekFrom::Start(self.at))?;
        self.out.write_all(&member.local())?;
        self.out.seek(SeekFrom::Start(end))?;
        self.at = end;
        self.members.push(member);
        Ok((size, sha256))
    }

    /// Writes the directory, seals everything and gives the file, which stands at its end.
    pub(super) fn finish(mut self, key: &SigningKey) -> Result<W, EvidenceError> {
        let directory: Vec<u8> = self.members.iter().flat_map(Member::central).collect();
        // Every seal of a key has the same length.
        let length = key.sign(&seal_text(&hex(&[0; 32]))).len();
        let end = end_record(
            u16::try_from(self.members.len()).unwrap_or(u16::MAX),
            small(directory.len() as u64)?,
            small(self.at)?,
            u16::try_from(length).map_err(|_| EvidenceError::TooLarge)?,
        );
        self.out.write_all(&directory)?;
        self.out.write_all(&end)?;
        let mut file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let signed = self.at + (directory.len() + end.len()) as u64;
        let digest = digest(&mut file, 0, signed)?;
        file.seek(SeekFrom::Start(signed))?;
        file.write_all(key.sign(&seal_text(&digest.sha256)).as_bytes())?;
        file.flush()?;
        Ok(file)
    }
}

/// Zip without its 64-bit extension ends at 4 GiB.
fn small(n: u64) -> Result<u32, EvidenceError> {
    u32::try_from(n).map_err(|_| EvidenceError::TooLarge)
}

/// Digests of a range of a file.
pub(super) struct Digests {
    pub(super) sha256: String,
    pub(super) crc: u32,
}

fn digest<R: Read + Seek>(file: &mut R, from: u64, length: u64) -> io::Result<Digests> {
    file.seek(SeekFrom::Start(from))?;
    let (mut sha256, mut crc) = (Sha256::new(), crc32fast::Hasher::new());
    let mut rest = file.take(length);
    let mut buffer = vec![0; BUFFER.min(usize::try_from(length).unwrap_or(BUFFER)).max(1)];
    loop {
        let n = rest.read(&mut buffer)?;
        let bytes = buffer.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        sha256.update(bytes);
        crc.update(bytes);
    }
    Ok(Digests {
        sha256: hex(&sha256.finalize()),
        crc: crc.finalize(),
    })
}

/// Why a file is no pack as they are written.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// It cannot be read.
    #[error("reading the pack")]
    Io(#[from] io::Error),
    /// It has another form.
    #[error("the zip is not one of a pack: {0}")]
    Form(&'static str),
}

/// A container whose form is right. Its seal may not be.
pub(super) struct Container<R> {
    file: R,
    pub(super) members: Vec<Member>,
    signed: u64,
    note: String,
}

impl<R: Read + Seek> Container<R> {
    /// Reads the directory and checks that nothing stands beside the files that it names.
    pub(super) fn open(mut file: R) -> Result<Self, ContainerError> {
        let form = |what| move || ContainerError::Form(what);
        let length = file.seek(SeekFrom::End(0))?;
        let tail_length = length.min((END + usize::from(u16::MAX)) as u64);
        let tail = read(&mut file, length - tail_length, tail_length)?;
        // The seal has no control characters, so the last such mark is the one.
        let at = tail.windows(4).rposition(|w| w == b"PK\x05\x06");
        let end = at.and_then(|at| tail.get(at..at + END));
        let (at, end) = at.zip(end).ok_or_else(form("it has no end"))?;
        let note = tail.get(at + END..).unwrap_or_default().to_vec();
        let note =
            String::from_utf8(note).map_err(|_| ContainerError::Form("its seal is no text"))?;
        let (files, size, offset) = (word(end, 10), number(end, 12), number(end, 16));
        let comment = u16::try_from(note.len()).unwrap_or(0);
        if end != end_record(files, size, offset, comment) {
            return Err(ContainerError::Form(
                "its end has another form, or it is cut off",
            ));
        }
        let end_at = length - tail_length + at as u64;
        if u64::from(offset) + u64::from(size) != end_at || files > MOST_FILES {
            return Err(ContainerError::Form(
                "its directory is not where it should be",
            ));
        }
        if size as usize > usize::from(MOST_FILES) * (46 + LONGEST_NAME) {
            return Err(ContainerError::Form("its directory is too large"));
        }
        let directory = read(&mut file, u64::from(offset), u64::from(size))?;
        let members = members(&directory, files, offset)?;
        for member in &members {
            let expected = member.local();
            if read(&mut file, u64::from(member.offset), expected.len() as u64)? != expected {
                return Err(ContainerError::Form("a file's two headers differ"));
            }
        }
        let signed = end_at + END as u64;
        Ok(Self {
            file,
            members,
            signed,
            note,
        })
    }

    /// Checks that the key sealed exactly these bytes.
    pub(super) fn check_seal(&mut self, key: &VerifyingKey) -> Result<(), SealError> {
        let text = key.open(&self.note)?;
        // One signature and no more: nothing in the comment is left uncovered.
        if self.note.lines().count() != 4 {
            return Err(SealError::Form);
        }
        let digest = digest(&mut self.file, 0, self.signed)?;
        if text == seal_text(&digest.sha256) {
            Ok(())
        } else {
            Err(SealError::Bytes)
        }
    }

    /// A file's bytes, from a place on.
    pub(super) fn read_from(&mut self, member: &Member, from: u64) -> io::Result<impl Read> {
        self.file.seek(SeekFrom::Start(member.data() + from))?;
        let rest = u64::from(member.size).saturating_sub(from);
        Ok((&mut self.file).take(rest))
    }

    pub(super) fn digests(&mut self, member: &Member) -> io::Result<Digests> {
        digest(&mut self.file, member.data(), u64::from(member.size))
    }
}

/// Why a seal does not hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error("reading the pack")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("the seal has another form")]
    Form,
    #[error("bytes of the pack were changed after it was sealed")]
    Bytes,
}

/// The files of a directory, which lie one after another from the beginning up to it.
fn members(directory: &[u8], files: u16, offset: u32) -> Result<Vec<Member>, ContainerError> {
    let bad = ContainerError::Form("its directory has another form");
    let (mut rest, mut members) = (directory, Vec::<Member>::new());
    let mut at = 0;
    for _ in 0..files {
        let length = usize::from(word(rest, 28));
        let name = rest.get(46..46 + length).map(<[u8]>::to_vec);
        let name = name.and_then(|n| String::from_utf8(n).ok());
        let member = Member {
            name: name.ok_or(ContainerError::Form("a name is no text"))?,
            size: number(rest, 20),
            crc: number(rest, 16),
            offset: number(rest, 42),
        };
        let Some(after) = rest.strip_prefix(&member.central()[..]) else {
            return Err(bad);
        };
        if u64::from(member.offset) != at {
            return Err(ContainerError::Form("its files overlap, or leave gaps"));
        }
        if members.iter().any(|m| m.name == member.name) || length > LONGEST_NAME {
            return Err(ContainerError::Form("a name is there twice, or too long"));
        }
        at = member.data() + u64::from(member.size);
        members.push(member);
        rest = after;
    }
    if rest.is_empty() && at == u64::from(offset) {
        Ok(members)
    } else {
        Err(bad)
    }
}

fn read<R: Read + Seek>(file: &mut R, from: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A number of two bytes; 0 beyond the end, which no form fits.
fn word(bytes: &[u8], at: usize) -> u16 {
    let found = bytes.get(at..at + 2).and_then(|b| b.try_into().ok());
    found.map_or(0, u16::from_le_bytes)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    found.map_or(0, u32::from_le_bytes)
}
