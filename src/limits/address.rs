//! Whose address a request comes from.
//!
//! Source: RFC 7239, section 5.2 and 8.1, for what may be believed of `X-Forwarded-For`: what trusted proxies
//! added, from the right, and nothing beyond the first address that is none of theirs.

use crate::config::Networks;
use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that tell networks apart. Within one, whoever has an address has them all.
const OF_A_NETWORK: u128 = !0 << 64;

/// The address of the client, by the other end of the connection and what its proxies say.
#[must_use]
pub fn client<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &Networks,
) -> IpAddr {
    let mut client = peer.to_canonical();
    for said in forwarded.rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.contain(client) {
            break;
        }
        let Some(address) = parse(said.trim()) else {
            // A proxy passed on what it did not write: what stands before is anybody's word.
            break;
        };
        client = address;
    }
    client
}

/// An address, with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or(text, |(address, _)| address);
    let address = bare.parse::<IpAddr>().ok().or_else(|| {
        let with_port: std::net::SocketAddr = text.parse().ok()?;
        Some(with_port.ip())
    });
    address.map(|address| address.to_canonical())
}

/// What stands for an address in counts and blocks: of IPv4 itself, of IPv6 the first address of its /64.
#[must_use]
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & OF_A_NETWORK).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, forwarded: &[&str]) -> String {
        let trusted = "10.0.0.0/8,::1".parse().unwrap();
        client(peer.parse().unwrap(), forwarded.iter().copied(), &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(told("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(told("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(told("::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(
            told("::ffff:10.0.0.1", &["198.51.100.7:1234"]),
            "198.51.100.7"
        );
        assert_eq!(told("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_client_wrote_before_is_not() {
        let forged = "127.0.0.1, 203.0.113.9, 10.2.2.2";
        assert_eq!(told("10.0.0.1", &[forged]), "203.0.113.9");
        assert_eq!(
            told("10.0.0.1", &["127.0.0.1", "203.0.113.9"]),
            "203.0.113.9"
        );
        assert_eq!(told("10.0.0.1", &["203.0.113.9, unknown"]), "10.0.0.1");
        assert_eq!(told("10.0.0.1", &["10.9.9.9, 10.2.2.2"]), "10.9.9.9");
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let network = |text: &str| super::network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2::"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
