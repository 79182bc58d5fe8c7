//! Reads files to text, to measure with: `texts OUT FILE…` writes `OUT/NAME.txt` with form feeds
//! between pages and prints one line a file (pages, processor time, outcome). It must not judge.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use kmrl_extraction::{Input, Limits, extract};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: texts OUT FILE…")?;
    fs::create_dir_all(&out)?;
    for file in arguments {
        println!("{}", read(&file, &out)?);
    }
    Ok(())
}

fn read(file: &Path, out: &Path) -> Result<String, Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let input = Input {
        bytes: &bytes,
        file_name: &name,
        content_type: None,
    };
    let begun = Instant::now();
    let outcome = extract(&input, &Limits::default(), &mut |_| true);
    let millis = begun.elapsed().as_millis();
    let (pages, text, outcome) = match outcome {
        Ok(extraction) => {
            let pages = extraction.pages.len();
            let texts: Vec<_> = extraction.pages.into_iter().map(|p| p.text).collect();
            (pages, texts.join("\u{000C}"), "ok".to_owned())
        }
        Err(error) => (0, String::new(), error.to_string()),
    };
    let stem = name.strip_suffix(".pdf").unwrap_or(&name);
    fs::write(out.join(format!("{stem}.txt")), text)?;
    Ok(format!("{name}\t{pages}\t{millis}\t{outcome}"))
}
