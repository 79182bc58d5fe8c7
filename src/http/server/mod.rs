//! Takes connections: how many at once, how large a head may be, how long a client may take.
//!
//! Owns sockets and their bounds; what is answered is the router's business. It speaks HTTP/1.1 alone:
//! WebSocket needs it, connectors know nothing else, and what HTTP/2 brings in attacks (streams opened and
//! reset by the thousand) stays outside. A proxy may speak HTTP/2 to the world.

mod unstalled;

use crate::config::ConnectionSettings;
use crate::limits::{Place, Places};
use crate::metrics::{Limit, Metrics};
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use unstalled::Unstalled;

/// Most bytes of a request line and headers.
const LARGEST_HEAD: usize = 64 * 1024;
/// Most headers.
const MOST_HEADERS: usize = 100;
/// Bytes that wait in the kernel to be sent to a client, beside those on their way.
#[cfg(target_os = "linux")]
const MOST_UNSENT: u32 = 256 * 1024;
/// When the process has no more file descriptors, some have to be given back first.
const BREATH: Duration = Duration::from_millis(100);
/// What a client without a place is told. Behind TLS it is told nothing: a handshake costs more than
/// the answer.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A bound address, and what is served there.
pub struct Server {
    listener: TcpListener,
    router: Router,
    bounds: Arc<ConnectionSettings>,
    places: Places<IpAddr>,
    metrics: Arc<Metrics>,
    tls: Option<Tls>,
}

impl Server {
    /// Serves the router to whoever connects, within the bounds.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        router: Router,
        bounds: ConnectionSettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            listener,
            router,
            places: Places::default(),
            bounds: Arc::new(bounds),
            metrics,
            tls: None,
        }
    }

    /// Speaks TLS alone, when there is a certificate.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// Serves until told to stop, then until the last request is answered.
    pub async fn run(self, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let (socket, peer) = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        not_accepted(&error).await;
                        continue;
                    }
                },
            };
            let Some(place) = self.place(peer.ip()) else {
                self.metrics.limit_hit(Limit::Connections);
                if self.tls.is_none() {
                    // It may be gone already.
                    let _told = socket.try_write(NO_PLACE);
                }
                continue;
            };
            let connection = Connection {
                peer,
                router: self.router.clone(),
                bounds: Arc::clone(&self.bounds),
                stop: stop.clone(),
                metrics: Arc::clone(&self.metrics),
                _place: place,
            };
            connections.spawn(connection.greet(socket, self.tls.clone()));
        }
        connections.close();
        connections.wait().await;
    }

    fn place(&self, address: IpAddr) -> Option<Place<IpAddr>> {
        let (address, bounds) = (address.to_canonical(), &self.bounds);
        // Many come by a proxy.
        let of_one = match bounds.trusted_proxies.contain(address) {
            true => bounds.most,
            false => bounds.most_of_an_address,
        };
        self.places.take(address, bounds.most, of_one).ok()
    }
}

/// A client that went before it was taken is its own business; without file descriptors nobody is
/// taken for a while.
async fn not_accepted(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "a connection could not be taken");
    tokio::time::sleep_until(tokio::time::Instant::now() + BREATH).await;
}

/// One connection.
struct Connection {
    peer: SocketAddr,
    router: Router,
    bounds: Arc<ConnectionSettings>,
    stop: CancellationToken,
    metrics: Arc<Metrics>,
    _place: Place<IpAddr>,
}

impl Connection {
    async fn greet(self, socket: TcpStream, tls: Option<Tls>) {
        // Answers are written whole: waiting for more to send with them would only delay.
        let _refused = socket.set_nodelay(true);
        // The kernel alone would keep megabytes for each client that does not read.
        #[cfg(target_os = "linux")]
        let _refused = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(MOST_UNSENT);
        let Some(tls) = tls else {
            return self.serve(socket).await;
        };
        let shaken = tokio::select! {
            shaken = tls.accept(socket) => shaken,
            // Nothing was asked yet.
            () = self.stop.cancelled() => return,
        };
        match shaken {
            Ok(stream) => self.serve(stream).await,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::TimedOut {
                    self.metrics.limit_hit(Limit::Time);
                }
                let peer = self.peer;
                tracing::debug!(%error, %peer, "no hands were shaken");
            }
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (peer, router) = (self.peer, self.router);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let patience = self.bounds.patience;
        let io = TokioIo::new(Unstalled::new(stream, patience));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_header_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS);
        let connection = http.serve_connection(io, service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::debug!(error, %peer, "a connection broke off");
        }
    }
}
