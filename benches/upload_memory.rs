//! How much memory sixteen uploads of 200 MB at once add to the process, with local files and S3.
//!
//! Figures are of the kernel: peak resident set (`VmHWM`) during the uploads less the resident set
//! (`VmRSS`) before them, in MiB. Linux only. Run with `cargo bench --bench upload_memory`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark ends at its first error, prints its table and uses a part of the harness"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use support::gateway::{Gateway, KEY, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const UPLOADS: usize = 16;
const CHUNK: usize = 1 << 20;
const CHUNKS: usize = 200;

#[tokio::main]
async fn main() {
    println!("{UPLOADS} uploads of {CHUNKS} MiB at once\nobjects      before  peak  added (MiB)");
    measure("local files", &World::new().await).await;
    let s3 = support::s3::S3Server::start().await;
    let world = World::with(&[
        ("S3_BUCKET", "bench"),
        ("S3_ENDPOINT", &s3.endpoint),
        ("AWS_ACCESS_KEY_ID", &s3.access_key),
        ("AWS_SECRET_ACCESS_KEY", &s3.secret_key),
    ])
    .await;
    measure("S3", &world).await;
}

async fn measure(name: &str, world: &World) {
    // No worker: only the way of the bytes is measured.
    let gateway = world.start_roles("api,relay,projector");
    gateway.upload("warm-up.txt", "warm-up").await;
    let before = memory(gateway.pid(), "VmRSS");
    let uploads = (0..UPLOADS).map(|n| upload(&gateway, n));
    futures::future::join_all(uploads).await;
    let peak = memory(gateway.pid(), "VmHWM");
    println!("{name:<12} {before:>6}  {peak:>4}  {:>5}", peak - before);
}

async fn upload(gateway: &Gateway, n: usize) {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\nscan\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{n}.txt\"\r\n\r\n"
    );
    let tail = "\r\n--b--\r\n";
    let length = head.len() + CHUNK * CHUNKS + tail.len();
    let address = gateway.base.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /api/v1/documents/upload HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n{head}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let chunk = vec![b'a' + u8::try_from(n).unwrap(); CHUNK];
    for _ in 0..CHUNKS {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(tail.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

/// A figure of `/proc/PID/status`, in MiB.
fn memory(pid: u32, field: &str) -> u64 {
    support::memory(pid, field) >> 20
}
