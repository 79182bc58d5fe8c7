//! How much clients may take of the gateway: in a minute, at once, and before it is known who they are.

use super::networks::Networks;
use super::pairs::{pairs, rules};
use super::reader::Reader;
use super::sections::{number, seconds};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

/// Most that a rate can be set to, a minute.
const MOST_A_MINUTE: u64 = 10_000_000;
/// Longest name in an exception, in characters.
const LONGEST_NAME: usize = 128;

/// Requests a minute by class of endpoint; 0: not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Uploads.
    pub uploads: u32,
    /// Reading: lists, documents, searches, downloads, the audit trail, openings of live connections.
    pub queries: u32,
    /// Changes of documents, keys and operations.
    pub commands: u32,
    /// Detailed health and metrics.
    pub health: u32,
}

/// What clients may take.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// Of whoever proved who they are, a minute.
    pub rates: Rates,
    /// Uploads of one source a minute, whoever sends them; 0: not limited.
    pub source_uploads: u32,
    /// Requests of one address a minute, of each process; 0: not limited.
    pub address_requests: u32,
    /// Rates of some.
    pub exceptions: Exceptions,
    /// Most uploads at once, of each process.
    pub uploads_at_once: usize,
    /// Most uploads at once of one key or user, of each process.
    pub uploads_at_once_of_one: usize,
    /// Most live connections, of each process.
    pub live: usize,
    /// Most live connections of one key or user, of each process.
    pub live_of_one: usize,
    /// Most documents that may wait for a worker; 0: any number.
    pub waiting: u32,
    /// Bad credentials of an address after which it is blocked; 0: never.
    pub failures: u32,
    /// Within which these are counted.
    pub failures_within: Duration,
    /// For how long an address is blocked.
    pub block: Duration,
    /// Addresses that are never blocked.
    pub never_blocked: Networks,
}

/// The connections of a process.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// At once.
    pub most: usize,
    /// At once of one address.
    pub most_of_an_address: usize,
    /// How long a client may stand still.
    pub patience: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
}

/// Whose rates differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions(Vec<Exception>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    whose: Whose,
    uploads: Option<u32>,
    queries: Option<u32>,
    commands: Option<u32>,
    health: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    Actor(String),
    Source(String),
}

impl LimitSettings {
    /// The rates of an actor, such as `key:maximo` or `user:4711`.
    #[must_use]
    pub fn rates_of(&self, actor: &str) -> Rates {
        let Some(own) = self.exceptions.of(&Whose::Actor(actor.to_owned())) else {
            return self.rates;
        };
        Rates {
            uploads: own.uploads.unwrap_or(self.rates.uploads),
            queries: own.queries.unwrap_or(self.rates.queries),
            commands: own.commands.unwrap_or(self.rates.commands),
            health: own.health.unwrap_or(self.rates.health),
        }
    }

    /// Uploads of a source a minute.
    #[must_use]
    pub fn uploads_of(&self, source: &str) -> u32 {
        let own = self.exceptions.of(&Whose::Source(source.to_owned()));
        own.and_then(|own| own.uploads)
            .unwrap_or(self.source_uploads)
    }

    /// An address is never blocked.
    #[must_use]
    pub fn spares(&self, address: IpAddr) -> bool {
        self.never_blocked.contain(address)
    }
}

impl Exceptions {
    fn of(&self, whose: &Whose) -> Option<&Exception> {
        self.0.iter().find(|one| one.whose == *whose)
    }
}

impl FromStr for Exceptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all: Vec<Exception> = rules(text).map(exception).collect::<Result<_, _>>()?;
        for (index, one) in all.iter().enumerate() {
            if all.iter().take(index).any(|other| other.whose == one.whose) {
                return Err("the same actor or source is named twice".into());
            }
        }
        Ok(Self(all))
    }
}

fn exception(text: &str) -> Result<Exception, String> {
    let mut whose = None;
    let mut rates = [None; 4];
    for pair in pairs(text) {
        let (name, value) = pair?;
        let class = ["uploads", "queries", "commands", "health"]
            .iter()
            .position(|class| *class == name);
        let twice = match (name, class.and_then(|index| rates.get_mut(index))) {
            ("actor", _) => whose.replace(Whose::Actor(word(value)?)).is_some(),
            ("source", _) => whose.replace(Whose::Source(word(value)?)).is_some(),
            (_, Some(rate)) => rate.replace(a_minute(value)?).is_some(),
            _ => {
                return Err(format!(
                    "`{name}` is none of actor, source, uploads, queries, commands, health"
                ));
            }
        };
        if twice {
            return Err(format!("`{text}` says twice whose or how many"));
        }
    }
    let [uploads, queries, commands, health] = rates;
    let whose = whose.ok_or_else(|| format!("`{text}` names no actor and no source"))?;
    let others = queries.or(commands).or(health).is_some();
    if uploads.is_none() && !others {
        return Err(format!("`{text}` names no rate"));
    }
    if matches!(whose, Whose::Source(_)) && others {
        return Err(format!("`{text}`: a source has uploads alone"));
    }
    Ok(Exception {
        whose,
        uploads,
        queries,
        commands,
        health,
    })
}

fn word(value: &str) -> Result<String, String> {
    let length = value.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || value.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {LONGEST_NAME} characters"));
    }
    Ok(value.to_owned())
}

fn a_minute(value: &str) -> Result<u32, String> {
    value
        .parse()
        .ok()
        .filter(|n| u64::from(*n) <= MOST_A_MINUTE)
        .ok_or_else(|| format!("`{value}` is no number from 0 to {MOST_A_MINUTE}"))
}

pub(super) fn limits(r: &mut Reader) -> LimitSettings {
    let mut rate = |key| number(r, key, 0, MOST_A_MINUTE);
    let rates = Rates {
        uploads: rate("limits.uploads"),
        queries: rate("limits.queries"),
        commands: rate("limits.commands"),
        health: rate("limits.health"),
    };
    LimitSettings {
        rates,
        source_uploads: rate("limits.source_uploads"),
        address_requests: rate("limits.address_requests"),
        exceptions: r.required("limits.exceptions", Exceptions::default()),
        uploads_at_once: number(r, "limits.uploads_at_once", 1, 100_000),
        uploads_at_once_of_one: number(r, "limits.uploads_at_once_of_one", 1, 100_000),
        live: number(r, "limits.live", 1, 1_000_000),
        live_of_one: number(r, "limits.live_of_one", 1, 1_000_000),
        waiting: number(r, "limits.waiting", 0, 100_000_000),
        failures: number(r, "limits.failures", 0, 1_000_000),
        failures_within: seconds(r, "limits.failures_within"),
        block: seconds(r, "limits.block"),
        never_blocked: r.required("limits.never_blocked", Networks::default()),
    }
}

pub(super) fn connections(r: &mut Reader) -> ConnectionSettings {
    ConnectionSettings {
        most: number(r, "http.connections", 8, 1_000_000),
        most_of_an_address: number(r, "http.connections_of_an_address", 1, 1_000_000),
        patience: seconds(r, "http.patience"),
        trusted_proxies: r.required("http.trusted_proxies", Networks::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(exceptions: &str) -> LimitSettings {
        LimitSettings {
            exceptions: exceptions.parse().unwrap(),
            ..limits(&mut Reader::new(Default::default(), Default::default(), None).unwrap())
        }
    }

    #[test]
    fn exceptions_change_what_they_name_and_nothing_else() {
        let settings = settings("actor=key:maximo,uploads=9,health=0; source=gmail,uploads=7;");
        let usual = settings.rates;
        assert_eq!(settings.rates_of("key:other"), usual);
        let own = Rates {
            uploads: 9,
            health: 0,
            ..usual
        };
        assert_eq!(settings.rates_of("key:maximo"), own);
        assert_eq!(settings.uploads_of("gmail"), 7);
        assert_eq!(settings.uploads_of("key:maximo"), settings.source_uploads);
    }

    #[test]
    fn senseless_exceptions_are_refused() {
        for bad in [
            "uploads=1",
            "actor=key:a",
            "actor=,uploads=1",
            "actor=a,source=b,uploads=1",
            "actor=a,uploads=1,uploads=2",
            "actor=a,uploads=-1",
            "actor=a,colour=1",
            "source=a,queries=1",
            "source=a,uploads=1;source=a,uploads=2",
            "actor",
        ] {
            assert!(bad.parse::<Exceptions>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_is_blocked_on_this_machine() {
        let settings = settings("");
        for address in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert!(settings.spares(address.parse().unwrap()), "{address}");
        }
        assert!(!settings.spares("192.0.2.7".parse().unwrap()));
    }
}
