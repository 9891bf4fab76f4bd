//! Owners of the clients that a session's parties have.

use clap::ValueEnum;
use white_city_client::Client;

use crate::world::{Key, World};

/// Clients on this machine, beside the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Clients {
    /// One party; the others only write, as if they read on machines of their own.
    One,
    /// All parties, in one process that shares connections, and what it has verified.
    Shared,
    /// All parties, each with a client of its own that shares nothing.
    Separate,
    /// The same, but each knows one replica only: what goes further goes by the replicas' own links.
    Near,
}

impl Clients {
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Shared => "shared",
            Self::Separate => "separate",
            Self::Near => "near",
        }
    }

    /// The clients of those that read and write. Each begins with another replica, unless they share one.
    pub fn of(self, world: &World, keys: &[Key]) -> Vec<Client> {
        let urls = world.net.rpc_urls();
        let known = if self == Self::Near { 1 } else { urls.len() };
        let begin_with = |at: usize, key: &Key| {
            let urls = urls.iter().cycle().skip(at % urls.len()).take(known);
            world.client_of(urls.cloned(), key)
        };
        let first = begin_with(0, &keys[0]);
        match self {
            Self::One => vec![first],
            Self::Shared => keys
                .iter()
                .map(|key| first.with_signer(key.local()))
                .collect(),
            Self::Separate | Self::Near => keys
                .iter()
                .enumerate()
                .map(|(at, key)| begin_with(at, key))
                .collect(),
        }
    }
}
