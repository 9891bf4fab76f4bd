//! Ports on 127.0.0.1, without collisions between launchers

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use crate::Error;
use white_city_node::Error as NodeError;
use white_city_node::files::{private_dir, user};
use white_city_node::params::random_bytes;

/// Below the range from which Linux takes the local port of an outgoing connection, so that no
/// connection of somebody else's takes one between the check and the start of a replica.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;
/// Ports of each replica.
const EACH: usize = 3;
/// Those of at most 16 replicas.
const BLOCK: u16 = 48;

/// A block of ports that no other launcher of this user takes while this value lives.
#[derive(Debug)]
pub(crate) struct Ports {
    base: u16,
    /// Holds the block's lock; `None` where the user chose the ports.
    _lock: Option<File>,
}

impl Ports {
    /// First port of the block.
    pub(crate) fn base(&self) -> u16 {
        self.base
    }

    /// Port of a replica's RPC.
    pub(crate) fn rpc(&self, replica: usize) -> u16 {
        self.at(EACH * replica)
    }

    /// Address of it.
    pub(crate) fn rpc_url(&self, replica: usize) -> String {
        format!("http://127.0.0.1:{}", self.rpc(replica))
    }

    /// Port where a replica listens for the others.
    pub(crate) fn p2p(&self, replica: usize) -> u16 {
        self.at(EACH * replica + 1)
    }

    /// Port where a replica's operator asks how it is.
    pub(crate) fn health(&self, replica: usize) -> u16 {
        self.at(EACH * replica + 2)
    }

    fn at(&self, offset: usize) -> u16 {
        self.base
            .saturating_add(u16::try_from(offset).unwrap_or(u16::MAX))
    }

    /// Those that were chosen, or else a free block, the preferred one if it is free.
    pub(crate) fn new(
        chosen: Option<u16>,
        replicas: usize,
        preferred: Option<u16>,
    ) -> Result<Self, Error> {
        match chosen {
            Some(base) => Self::fixed(base, replicas),
            None => Self::free(replicas, preferred),
        }
    }

    /// Exactly the ports from `base` on, or an error that names the one that is taken.
    pub(crate) fn fixed(base: u16, replicas: usize) -> Result<Self, Error> {
        let count = u16::try_from(EACH * replicas).unwrap_or(u16::MAX);
        let last = base
            .checked_add(count.saturating_sub(1))
            .filter(|_| base >= 1024);
        let last = last.ok_or_else(|| {
            Error::Node(NodeError::Option {
                what: "port base",
                got: base.to_string(),
                expected: format!("1024 to {}", u16::MAX - (count - 1)),
            })
        })?;
        check(base, last)?;
        Ok(Self { base, _lock: None })
    }

    /// A free block; the one at `preferred` if it is free, so that addresses survive a restart.
    pub(crate) fn free(replicas: usize, preferred: Option<u16>) -> Result<Self, Error> {
        let count = u16::try_from(EACH * replicas)
            .unwrap_or(u16::MAX)
            .min(BLOCK);
        let blocks = (LAST - FIRST + 1) / BLOCK;
        let start = u16::from_le_bytes(random_bytes()?) % blocks;
        let somewhere = (0..blocks).map(|step| FIRST + ((start + step) % blocks) * BLOCK);
        let preferred = preferred.filter(|base| is_block(*base));
        for base in preferred.into_iter().chain(somewhere) {
            let Some(lock) = lock(base)? else { continue };
            if check(base, base + count - 1).is_ok() {
                return Ok(Self {
                    base,
                    _lock: Some(lock),
                });
            }
        }
        Err(Error::NoPorts {
            count,
            first: FIRST,
            last: LAST,
        })
    }
}

fn is_block(base: u16) -> bool {
    (FIRST..=LAST).contains(&base) && (base - FIRST).is_multiple_of(BLOCK)
}

/// The block's lock, unless another launcher holds it.
fn lock(base: u16) -> Result<Option<File>, Error> {
    let dir: PathBuf = std::env::temp_dir().join(format!("white-city-ports-{}", user()?));
    private_dir(&dir)?;
    let path = dir.join(base.to_string());
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}

fn check(first: u16, last: u16) -> Result<(), Error> {
    for port in first..=last {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| Error::PortTaken {
            port,
            first,
            last,
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_launchers_get_disjoint_blocks_and_a_released_one_is_free_again() {
        let one = Ports::free(16, None).unwrap();
        let two = Ports::free(16, Some(one.base())).unwrap();
        assert!(one.base().abs_diff(two.base()) >= BLOCK);
        let base = one.base();
        drop(one);
        assert_eq!(Ports::free(16, Some(base)).unwrap().base(), base);
    }

    #[test]
    fn a_taken_port_is_named() {
        let free = Ports::free(2, None).unwrap();
        let taken = free.base() + 5;
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        assert!(Ports::fixed(free.base(), 1).is_ok());
        match Ports::fixed(free.base(), 2) {
            Err(Error::PortTaken { port, .. }) => assert_eq!(port, taken),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_block_beyond_the_last_port_is_refused() {
        assert!(matches!(
            Ports::fixed(65_533, 2),
            Err(Error::Node(NodeError::Option { .. }))
        ));
        assert!(matches!(
            Ports::fixed(1_023, 1),
            Err(Error::Node(NodeError::Option { .. }))
        ));
        assert!(Ports::fixed(65_533, 1).is_ok());
    }

    #[test]
    fn replicas_do_not_share_ports() {
        let ports = Ports {
            base: 100,
            _lock: None,
        };
        let all: Vec<_> = (0..16)
            .flat_map(|k| [ports.rpc(k), ports.p2p(k), ports.health(k)])
            .collect();
        assert_eq!(all, (100..148).collect::<Vec<_>>());
    }
}
