//! A child for tests that, inside the real jail, does what its document says in its first word; and under the name
//! of a helper one that does what is said somewhere in the document.
//!
//! Not part of the gateway: a program of its own, which no release contains.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

use kmrl_gateway::extraction_child::{SUBCOMMAND, child_main_with};

/// How it ends when the jail let it, and when not.
const ALLOWED: i32 = 40;
const REFUSED: i32 = 41;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(SUBCOMMAND) {
        return child_main_with(misbehave);
    }
    if std::env::args()
        .next()
        .is_some_and(|name| name.ends_with("/catdoc"))
    {
        return misbehave_as_helper();
    }
    ExitCode::SUCCESS
}

fn misbehave_as_helper() -> ExitCode {
    let document = std::env::args().next_back().unwrap_or_default();
    let document = std::fs::read(document).unwrap_or_default();
    let says = |word: &str| document.windows(word.len()).any(|w| w == word.as_bytes());
    match () {
        () if says("spins") => spin(),
        () if says("allocates") => allocate(),
        () if says("writes-endlessly") => while io::stdout().write_all(&[b' '; 65536]).is_ok() {},
        () if says("aborts") => std::process::abort(),
        () if says("complains") => return ExitCode::FAILURE,
        () => {}
    }
    ExitCode::SUCCESS
}

fn misbehave() -> io::Result<()> {
    let mut from = io::stdin().lock();
    from.read_until(b'\n', &mut Vec::new())?;
    let mut document = String::new();
    from.read_to_string(&mut document)?;
    match document.split_whitespace().next().unwrap_or_default() {
        "allocates" => allocate(),
        "spins" => spin(),
        "forks" => end_with(fork()),
        "runs-a-program" => end_with(std::process::Command::new("/bin/true").status().is_ok()),
        "opens-a-file" => end_with(std::fs::File::open("/etc/passwd").is_ok()),
        "makes-a-file" => end_with(std::fs::File::create("/tmp/kmrl-was-here").is_ok()),
        "opens-a-socket" => end_with(std::net::TcpListener::bind("127.0.0.1:0").is_ok()),
        "signals" => end_with(signal()),
        "writes-endlessly" => loop {
            io::stdout().write_all(&[b' '; 65536])?;
        },
        "exits" => end(3),
        "panics" => panics(),
        "overflows-its-stack" => end(i32::from(overflow(0) == 1)),
        // What a reader says of a document that it cannot read.
        _ => io::stdout().write_all(b"{\"refused\":{\"code\":\"encrypted\"}}\n"),
    }
}

fn allocate() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(vec![1; 16 << 20]);
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn fork() -> bool {
    // SAFETY: the new process does nothing but end.
    unsafe {
        match libc::fork() {
            0 => libc::_exit(0),
            -1 => false,
            _ => true,
        }
    }
}

fn signal() -> bool {
    // SAFETY: signal 0 reaches nobody.
    unsafe { libc::kill(libc::getppid(), 0) == 0 }
}

#[expect(clippy::panic, reason = "that is what it is to do")]
fn panics() -> io::Result<()> {
    panic!("the document made me")
}

#[expect(unconditional_recursion, reason = "that is what it is to do")]
fn overflow(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 512]);
    overflow(here[7] + 1) + here[3]
}

fn end_with(allowed: bool) -> ! {
    end(if allowed { ALLOWED } else { REFUSED })
}

fn end(code: i32) -> ! {
    // SAFETY: ends the process at once, as a reader that breaks does.
    unsafe { libc::_exit(code) }
}
