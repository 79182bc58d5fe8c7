//! Networks that a setting names.

use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;

/// Networks, separated by commas; an address alone is itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// An address is in one of them; one of IPv4 also where it is written as IPv6.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
        let network = |word: &str| {
            let address = word.parse::<IpAddr>().map(IpNet::from);
            let network = address.or_else(|_| word.parse::<IpNet>());
            network.map_err(|_| format!("`{word}` is no address and no network such as 10.0.0.0/8"))
        };
        words.map(network).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        let read: Networks = "10.0.0.0/8, ::1,192.0.2.7".parse().unwrap();
        let written: Vec<_> = read.0.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
        assert!("10.0.0.0/33".parse::<Networks>().is_err());
        assert!("proxy".parse::<Networks>().is_err());
    }

    #[test]
    fn an_address_is_in_them_however_it_is_written() {
        let networks: Networks = "10.0.0.0/8".parse().unwrap();
        let contain = |text: &str| networks.contain(text.parse().unwrap());
        assert!(contain("10.1.2.3") && contain("::ffff:10.1.2.3"));
        assert!(!contain("192.0.2.7") && !contain("::1"));
        assert!(!Networks::default().contain("10.1.2.3".parse().unwrap()));
    }
}
