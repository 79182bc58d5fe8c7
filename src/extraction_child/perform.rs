//! The child's tasks: one document from standard input, the answer as lines on standard output.
//!
//! Owns which function of the reader a task is. What the answers mean is the parent's business.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use kmrl_extraction::inspect::inspect;
use kmrl_extraction::{
    ExtractError, Input, Limits, PageProgress, Raster, RasterLimits, extract, extract_helped,
    rasterise,
};
use serde::Serialize;

use super::jail::asked_to_stop;
use super::message::{Handover, Line, Picture, Render, Task};
use crate::jail::probe;

/// Wait for a document, do what is asked, answer.
pub(super) fn perform() -> io::Result<()> {
    let mut from = BufReader::new(io::stdin().lock());
    let Some(handover) = Handover::read(&mut from)? else {
        return Ok(());
    };
    let bytes = document(&handover, &mut from)?;
    let input = handover.input(&bytes);
    let mut out = BufWriter::new(io::stdout().lock());
    match handover.task {
        Task::Read => {
            let read = extract(&input, &Limits::default(), &mut |page| tell(&mut out, page));
            answer(&mut out, read)
        }
        Task::ReadHelped(format) => {
            let mut on_page = |page| tell(&mut out, page);
            let read = extract_helped(format, &bytes, &Limits::default(), &mut on_page);
            answer(&mut out, read)
        }
        Task::Inspect(limits) => answer(&mut out, inspect(&input, &limits)),
        Task::Render(ref wanted) => render(&mut out, &input, wanted),
        Task::Probe => answer(&mut out, Ok(probe::attempt())),
    }
}

/// Whether to go on after a page.
fn tell(out: &mut impl Write, PageProgress { page, pages }: PageProgress) -> bool {
    let line: Line<()> = Line::Page { page, pages };
    !asked_to_stop() && say(out, &line).is_ok()
}

/// One picture at a time: the next is begun when the parent has taken this one from the pipe.
fn render(out: &mut impl Write, input: &Input<'_>, wanted: &Render) -> io::Result<()> {
    let limits = RasterLimits {
        dpi: wanted.dpi,
        ..RasterLimits::default()
    };
    let done = rasterise(input, &wanted.pages, &limits, &mut |raster| {
        !asked_to_stop() && show(out, &raster).is_ok()
    });
    answer(out, done)
}

fn show(out: &mut impl Write, raster: &Raster) -> io::Result<()> {
    let picture = Picture {
        page: raster.page,
        width: raster.width,
        height: raster.height,
        frame: raster.frame,
    };
    say::<()>(out, &Line::Picture(picture))?;
    out.write_all(&raster.pixels)?;
    out.flush()
}

fn document(handover: &Handover, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = usize::try_from(handover.length).unwrap_or(usize::MAX);
    bytes
        .try_reserve_exact(length)
        .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    from.take(handover.length).read_to_end(&mut bytes)?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn answer<A: Serialize>(out: &mut impl Write, done: Result<A, ExtractError>) -> io::Result<()> {
    say(
        out,
        &match done {
            Ok(answer) => Line::Done(answer),
            Err(error) => Line::Refused(error),
        },
    )
}

fn say<A: Serialize>(out: &mut impl Write, line: &Line<A>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_they_are_written() {
        let mut out = Vec::new();
        say::<()>(&mut out, &Line::Page { page: 1, pages: 9 }).unwrap();
        answer::<()>(&mut out, Err(ExtractError::Encrypted)).unwrap();
        answer(&mut out, Ok(7)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"page\":{\"page\":1,\"pages\":9}}\n{\"refused\":{\"code\":\"encrypted\"}}\n{\"done\":7}\n"
        );
    }

    #[test]
    fn half_a_document_is_not_read() {
        let handover = Handover::new(Task::Read, "a.txt", "", 5);
        let error = document(&handover, &mut &b"half"[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(document(&handover, &mut &b"whole"[..]).unwrap(), b"whole");
    }
}
