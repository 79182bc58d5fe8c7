//! Copies a compound file without its summary, which holds a picture of the first page: for fixtures.

use std::io::{Error, Read, Write};

fn main() -> Result<(), Error> {
    let mut names = std::env::args_os().skip(1);
    let (Some(from), Some(to)) = (names.next(), names.next()) else {
        return Err(Error::other("usage: without_preview FROM TO"));
    };
    let mut from = cfb::open(from)?;
    let file = std::fs::File::create_new(&to).or_else(|_| {
        std::fs::remove_file(&to)?;
        std::fs::File::create_new(&to)
    })?;
    let mut copy = cfb::CompoundFile::create_with_version(cfb::Version::V3, file)?;
    let streams: Vec<_> = from
        .walk()
        .filter(|entry| entry.is_stream() && !entry.name().ends_with("SummaryInformation"))
        .map(|entry| entry.path().to_owned())
        .collect();
    for path in streams {
        let mut bytes = Vec::new();
        from.open_stream(&path)?.read_to_end(&mut bytes)?;
        if let Some(storage) = path.parent() {
            copy.create_storage_all(storage)?;
        }
        copy.create_stream(&path)?.write_all(&bytes)?;
    }
    copy.flush()
}
