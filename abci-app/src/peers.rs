//! The nodes that may be this replica's peers: CometBFT asks before it takes a connection (`filter_peers`)
//!
//! It asks twice: for the address that somebody comes from, before anything is read from there, and for the id that the handshake
//! proves.

use std::{collections::BTreeSet, net::SocketAddr};

use ipnet::IpNet;
use white_city_wire::Refusal;

const BY_ADDRESS: &str = "/p2p/filter/addr/";
const BY_ID: &str = "/p2p/filter/id/";

/// The board's other nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    /// Their ids, in lower-case hexadecimal; none: any.
    ids: BTreeSet<String>,
    /// Networks that they come from; none: any.
    from: Vec<IpNet>,
}

impl Peers {
    /// Peers of these ids, from these networks.
    pub(crate) fn new(ids: &[String], from: &[IpNet]) -> Self {
        Self {
            ids: ids.iter().map(|id| id.to_ascii_lowercase()).collect(),
            from: from.to_vec(),
        }
    }

    /// What is said to a question about a peer: `None` to any other one.
    pub(crate) fn admits(&self, path: &str) -> Option<Result<(), Refusal>> {
        let admitted = if let Some(address) = path.strip_prefix(BY_ADDRESS) {
            self.from.is_empty() || self.comes_from(address)
        } else {
            let id = path.strip_prefix(BY_ID)?;
            self.ids.is_empty() || self.ids.contains(&id.to_ascii_lowercase())
        };
        Some(match admitted {
            true => Ok(()),
            false => Err(Refusal::NotFound("peer of this name on the board")),
        })
    }

    fn comes_from(&self, address: &str) -> bool {
        let Ok(address) = address.parse::<SocketAddr>() else {
            return false;
        };
        // A socket of version 6 that also takes version 4 says so in this way.
        let ip = address.ip().to_canonical();
        self.from.iter().any(|network| network.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers() -> Peers {
        let from = ["192.0.2.7/32", "198.51.100.0/24", "2001:db8::/64"];
        let from = from.map(|network| network.parse().unwrap());
        Peers::new(&["ab".repeat(20)], &from)
    }

    #[test]
    fn who_is_listed_is_admitted_and_nobody_else() {
        let peers = peers();
        let said = |path: &str| peers.admits(path).map(|said| said.is_ok());
        for (path, expected) in [
            ("/p2p/filter/addr/192.0.2.7:41000", true),
            ("/p2p/filter/addr/[::ffff:192.0.2.7]:41000", true),
            ("/p2p/filter/addr/192.0.2.8:41000", false),
            ("/p2p/filter/addr/198.51.100.255:1", true),
            ("/p2p/filter/addr/[2001:db8::9]:1", true),
            ("/p2p/filter/addr/[2001:db8:1::9]:1", false),
            ("/p2p/filter/addr/192.0.2.7", false),
            ("/p2p/filter/addr/", false),
        ] {
            assert_eq!(said(path), Some(expected), "{path}");
        }
        for (id, expected) in [
            ("ab".repeat(20), true),
            ("AB".repeat(20), true),
            ("ac".repeat(20), false),
            (String::new(), false),
        ] {
            assert_eq!(said(&format!("/p2p/filter/id/{id}")), Some(expected));
        }
        assert_eq!(said("/v1"), None);
        assert_eq!(said("/p2p/filter/x"), None);
    }

    #[test]
    fn without_a_list_anybody_is_admitted() {
        let peers = Peers::default();
        for path in ["/p2p/filter/addr/192.0.2.8:1", "/p2p/filter/id/00"] {
            assert_eq!(peers.admits(path), Some(Ok(())));
        }
    }
}
