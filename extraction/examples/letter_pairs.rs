//! Prints the table of `src/confidence/latin.rs` from English text on standard input, as its costs
//! were made: `cat *.md domain/src/*.rs | cargo run -p kmrl-extraction --example letter_pairs`.

use std::io::{Read, Write};

const SYMBOLS: usize = 27;

fn main() -> std::io::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let symbol = |c: char| match c.to_ascii_lowercase() {
        c @ 'a'..='z' => c as usize - 'a' as usize + 1,
        _ => 0,
    };
    let mut counts = [[0.5_f64; SYMBOLS]; SYMBOLS];
    let symbols: Vec<usize> = text.chars().map(symbol).collect();
    for pair in symbols.windows(2).filter(|pair| pair != &[0, 0]) {
        if let [from, to] = pair {
            counts[*from][*to] += 1.0;
        }
    }
    let mut out = std::io::stdout().lock();
    for row in counts {
        let all: f64 = row.iter().sum();
        let cost = |n: f64| (all / n).log2().round().clamp(0.0, 9.0) as u8;
        let line: String = row.into_iter().map(|n| (b'0' + cost(n)) as char).collect();
        writeln!(out, "    b\"{line}\",")?;
    }
    Ok(())
}
