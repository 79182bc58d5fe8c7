//! The connection to NATS.
//!
//! Owns how it is made and kept: it has a name, and once made it comes back for ever. What
//! travels over it is not decided here.

use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use percent_encoding::percent_decode_str;
use std::time::Duration;

/// Longest wait between two tries to come back.
const LONGEST_RECONNECT: Duration = Duration::from_secs(2);
/// How long one request waits for its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// NATS could not be reached or refused the connection.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The address cannot be understood.
    #[error("the address of NATS cannot be understood")]
    Address(#[source] std::io::Error),
    /// The server cannot be reached or refuses.
    #[error("the connection to NATS could not be made")]
    Connect(#[from] async_nats::ConnectError),
}

/// Connects, once: a caller that may start before the server tries again. With a `tls://` address
/// the connection is encrypted and the server's certificate checked against the system's roots.
/// User and password, or a token, may stand in the address. A connection that is lost later is
/// made again without end.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn connect(url: &str) -> Result<Client, NatsError> {
    let server: ServerAddr = url.parse().map_err(NatsError::Address)?;
    // The client library leaves credentials of an address aside: they are handed over here.
    let server_alone = without_credentials(server.clone()).map_err(NatsError::Address)?;
    let options = match (server.username(), server.password()) {
        (Some(user), Some(password)) => {
            ConnectOptions::with_user_and_password(decoded(user), decoded(password))
        }
        (Some(token), None) => ConnectOptions::with_token(decoded(token)),
        _ => ConnectOptions::new(),
    };
    let client = options
        .name(concat!("kmrl-gateway/", env!("CARGO_PKG_VERSION")))
        .request_timeout(Some(REQUEST_TIMEOUT))
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(|event| async move { log(&event) })
        .connect(server_alone)
        .await?;
    Ok(client)
}

/// The client library writes addresses whole into its debug log.
fn without_credentials(server: ServerAddr) -> std::io::Result<ServerAddr> {
    let mut url = server.into_inner();
    let bare = url.set_username("").and_then(|()| url.set_password(None));
    bare.map_err(|()| std::io::Error::other("it has no place for a user's name"))?;
    ServerAddr::from_url(url)
}

/// Addresses write what would be taken for a part of them as `%` and two digits (RFC 3986, section 2.1).
fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn reconnect_delay(attempts: usize) -> Duration {
    let step = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    Duration::from_millis(100)
        .saturating_mul(step)
        .min(LONGEST_RECONNECT)
}

fn log(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => tracing::warn!("the connection to NATS is lost; trying again"),
        Event::Closed => tracing::info!("the connection to NATS is closed"),
        other => tracing::debug!(event = %other, "NATS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_told_no_credentials_in_an_address() {
        for with in [
            "nats://kmrl:secret@h:4222",
            "tls://secret@h:4222",
            "nats://h:4222",
        ] {
            let bare = without_credentials(with.parse().unwrap()).unwrap();
            assert!(!format!("{bare:?}").contains("secret"));
            assert_eq!(
                (bare.host(), bare.port(), bare.username()),
                ("h", 4222, None)
            );
        }
        assert_eq!(decoded("a%2Fb"), "a/b");
    }

    #[test]
    fn the_first_reconnect_is_at_once_and_later_ones_are_bounded() {
        assert_eq!(reconnect_delay(1), Duration::ZERO);
        assert_eq!(reconnect_delay(3), Duration::from_millis(200));
        assert_eq!(reconnect_delay(usize::MAX), LONGEST_RECONNECT);
    }
}
