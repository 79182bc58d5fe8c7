//! A loopback TCP proxy between the gateway and an engine, that cuts, delays or refuses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// No cut is planned.
const NEVER: i64 = i64::MAX;

/// A running proxy; it ends with the runtime of its test.
pub struct Proxy {
    port: u16,
    control: Arc<Control>,
}

struct Control {
    target: SocketAddr,
    refuses: AtomicBool,
    /// Between two pieces that pass.
    delay_ms: AtomicU64,
    /// Bytes that may still pass.
    left: AtomicI64,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Before the server of a URL such as `nats://127.0.0.1:4222`.
    pub async fn before(url: &str) -> Self {
        let target = authority(url).parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let control = Arc::new(Control {
            target,
            refuses: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            left: AtomicI64::new(NEVER),
            cuts: watch::Sender::new(0),
        });
        tokio::spawn(accept(listener, Arc::clone(&control)));
        Self { port, control }
    }

    /// The URL with the proxy in the server's place.
    pub fn url(&self, of: &str) -> String {
        of.replacen(authority(of), &format!("127.0.0.1:{}", self.port), 1)
    }

    /// Cuts every connection now; a cut that was planned is not made any more.
    pub fn cut(&self) {
        self.control.left.store(NEVER, Ordering::Release);
        self.control.cuts.send_modify(|n| *n += 1);
    }

    /// Cuts the connection on which so many more bytes have passed, in the middle of what it sends.
    pub fn cut_after(&self, bytes: u32) {
        self.control.left.store(bytes.into(), Ordering::Release);
    }

    /// The cut that was planned has been made.
    pub fn has_cut(&self) -> bool {
        self.control.left.load(Ordering::Acquire) == NEVER
    }

    /// From now on nobody gets through, or everybody again.
    pub fn refuse(&self, refuses: bool) {
        self.control.refuses.store(refuses, Ordering::Release);
        if refuses {
            self.cut();
        }
    }

    /// Every piece waits so long before it passes.
    pub fn delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap();
        self.control.delay_ms.store(ms, Ordering::Release);
    }
}

/// `host:port` of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let all = rest.split('/').next().unwrap();
    all.rsplit('@').next().unwrap()
}

async fn accept(listener: TcpListener, control: Arc<Control>) {
    while let Ok((client, _)) = listener.accept().await {
        if control.refuses.load(Ordering::Acquire) {
            continue;
        }
        tokio::spawn(pass(client, Arc::clone(&control)));
    }
}

/// Passes one connection on until either side ends it or it is cut.
async fn pass(client: TcpStream, control: Arc<Control>) {
    let mut cuts = control.cuts.subscribe();
    let Ok(server) = TcpStream::connect(control.target).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, &control) => {}
        () = copy(from_server, to_client, &control) => {}
        _ = cuts.changed() => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, control: &Control) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let delay = control.delay_ms.load(Ordering::Acquire);
        if delay > 0 {
            kmrl_gateway::pause::pause(Duration::from_millis(delay)).await;
        }
        let passes = control.spend(count);
        if to.write_all(&buffer[..passes]).await.is_err() || passes < count {
            return;
        }
    }
}

impl Control {
    /// How many of so many bytes may pass. The plan is over once it has cut.
    fn spend(&self, count: usize) -> usize {
        let wanted = i64::try_from(count).unwrap();
        let spent =
            self.left
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| match left {
                    NEVER => None,
                    left if left < wanted => Some(NEVER),
                    left => Some(left - wanted),
                });
        match spent {
            Ok(left) if left < wanted => usize::try_from(left).unwrap(),
            _ => count,
        }
    }
}
