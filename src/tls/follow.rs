//! Certificates are renewed: the files are looked at, at an interval and when told to.
//!
//! Their content is compared, not their times: what replaces them may be a link that points elsewhere.

use super::pair::Pair;
use super::{Certificate, PairError, Tls};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

/// What a look found.
enum Look {
    Same,
    Changed(Box<ServerConfig>, Certificate),
    Broken(PairError),
}

/// What was seen last, whether it could be used or not: an error is told once.
#[derive(Default)]
struct Seen {
    fingerprint: Option<[u8; 32]>,
    error: Option<String>,
}

impl Tls {
    /// Puts what replaces the files in use, until told to stop. `renewed` hears of each new certificate.
    pub async fn follow(
        self,
        look: Arc<Notify>,
        stop: CancellationToken,
        renewed: impl Fn(Certificate),
    ) {
        let mut ticks = interval(self.settings.look_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Seen::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = look.notified() => {}
            }
            let settings = self.settings.clone();
            // Files are read: not on a thread that others wait for.
            let looked = tokio::task::spawn_blocking(move || {
                let found = seen.look(Pair::read(&settings));
                (seen, found)
            });
            let found = match looked.await {
                Ok((after, found)) => {
                    seen = after;
                    found
                }
                Err(error) => {
                    tracing::error!(%error, "a look at the certificate broke off");
                    seen = Seen::default();
                    continue;
                }
            };
            self.take(found, &renewed);
        }
    }

    fn take(&self, found: Look, renewed: &impl Fn(Certificate)) {
        let file = self.settings.certificate_file.display();
        match found {
            Look::Same => {}
            Look::Changed(config, certificate) => {
                self.current.replace(*config);
                tracing::info!(%file, expires = certificate.expires, "a certificate is in use");
                if certificate.open_key {
                    let key = self.settings.key_file.display();
                    tracing::warn!(%key, "every user of this machine can read the certificate's key");
                }
                renewed(certificate);
            }
            Look::Broken(error) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(
                    error,
                    "the new certificate cannot be used; the one before stays in use"
                );
            }
        }
    }
}

impl Seen {
    fn look(&mut self, read: Result<Pair<'_>, PairError>) -> Look {
        let pair = match read {
            Ok(pair) => pair,
            Err(error) => return self.broken(error),
        };
        let fingerprint = Some(pair.fingerprint());
        if self.fingerprint == fingerprint {
            self.error = None;
            return Look::Same;
        }
        self.fingerprint = fingerprint;
        match pair.usable() {
            Ok((config, certificate)) => {
                self.error = None;
                Look::Changed(Box::new(config), certificate)
            }
            Err(error) => self.broken(error),
        }
    }

    fn broken(&mut self, error: PairError) -> Look {
        let told = error.to_string();
        if self.error.as_ref() == Some(&told) {
            return Look::Same;
        }
        self.error = Some(told);
        Look::Broken(error)
    }
}
