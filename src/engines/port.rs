//! Free ports on loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below the range from which systems take the ports of outgoing connections (from 32768 on Linux,
/// 49152 elsewhere). A client that tries again and again to reach an engine that is down could
/// otherwise be given the engine's own port, connect to itself and keep the engine out.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;
const TRIES: usize = 100;

/// A TCP port of 127.0.0.1 that nobody listens on right now. Somebody may take it before the
/// caller does: try again with another then.
///
/// # Errors
/// What the system said, when no port could be bound in a hundred tries.
pub fn free_port() -> io::Result<u16> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let port = FIRST + random()? % COUNT;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn random() -> io::Result<u16> {
    use io::Read as _;
    let mut bytes = [0; 2];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u16::from_ne_bytes(bytes))
}
