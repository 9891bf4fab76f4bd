//! Transactions made before the attack: sending them costs no more than copying, wherever they may be sent again.

use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message as _;
use white_city_tests::{adversary::Flood, party::Party, rng::Rng, scene::spec};
use white_city_wire::{
    Hash, NetworkId, Signature, Spec,
    limits::TX_BYTES_MAX,
    pb,
    tx::{Action, Open, Post, bytes_to_sign, open_to_pb},
};

use super::target::Target;

/// Different transactions of a kind that can be sent again and again. Those that are refused aren't remembered.
const POOL: u64 = 64;
/// Different large rosters.
const ROSTERS: u64 = 8;
/// Identities of this program begin here: none is a party of a test.
const IDENTITIES: u64 = 1 << 40;

/// Everything that can be sent.
pub struct Ammunition {
    network: NetworkId,
    open_by_ms: u64,
    pools: Vec<(Flood, Vec<Vec<u8>>)>,
    small: Vec<Spec>,
    large: Vec<Spec>,
    /// Makes every opening another one; begins anywhere, so that two attackers don't send the same.
    nonce: AtomicU64,
}

impl Ammunition {
    /// Makes what these kinds need.
    pub fn make(kinds: &[Flood], target: &Target) -> Self {
        let large_wanted = kinds
            .iter()
            .any(|kind| matches!(kind, Flood::LargeOpens | Flood::UnsignedOpens));
        let rosters = if large_wanted { ROSTERS } else { 0 };
        let seed = u64::from(std::process::id()) << 40;
        let mut made = Self {
            network: target.network,
            open_by_ms: target.board_ms.saturating_add(target.max_open_ms / 2),
            pools: Vec::new(),
            small: vec![lasting(spec(&[Party::new(IDENTITIES)], 1))],
            large: (0..rosters)
                .map(|number| large_spec(number, target.max_n))
                .collect(),
            nonce: AtomicU64::new(seed),
        };
        for kind in kinds {
            let pool = made.pool(*kind, target);
            made.pools.push((*kind, pool));
        }
        made
    }

    /// A transaction of a kind for a sender's shot of this number.
    pub fn next(&self, kind: Flood, shot: u64) -> Vec<u8> {
        match kind {
            // These are taken: each can be sent once.
            Flood::Opens => self.opening(&self.small, true),
            Flood::LargeOpens => self.opening(&self.large, true),
            _ => {
                let pool = self.pools.iter().find(|(of, _)| *of == kind);
                let pool = pool.map_or(&[][..], |(_, pool)| pool);
                Rng::new(shot).pick(pool).cloned().unwrap_or_default()
            }
        }
    }

    fn pool(&self, kind: Flood, target: &Target) -> Vec<Vec<u8>> {
        let mut rng = Rng::new(self.nonce.load(Ordering::Relaxed));
        let make = |number: u64| match kind {
            Flood::UnknownKeys => post(target, &Party::new(IDENTITIES + number), 0),
            Flood::OtherSessions => post(target, &Party::new(IDENTITIES), number % 4),
            Flood::Oversize => rng.bytes(usize::try_from(TX_BYTES_MAX).unwrap_or(0) + 1),
            Flood::Garbage => rng.bytes(300),
            Flood::UnsignedOpens => self.opening(&self.large, false),
            Flood::Opens | Flood::LargeOpens => Vec::new(),
        };
        let count = match kind {
            Flood::Opens | Flood::LargeOpens => 0,
            Flood::Oversize => 2,
            _ => POOL,
        };
        (0..count).map(make).collect()
    }

    fn opening(&self, specs: &[Spec], signed: bool) -> Vec<u8> {
        let number = self.nonce.fetch_add(1, Ordering::Relaxed);
        let Some(spec) = Rng::new(number).pick(specs).cloned() else {
            return Vec::new();
        };
        let opener = Party::new(IDENTITIES.wrapping_add(number));
        let action = Action::Open(Open {
            spec,
            opener: *opener.key(),
            nonce: Rng::new(number).bytes32(),
            open_by_ms: self.open_by_ms,
            stamp: 0,
        });
        let bytes = bytes_to_sign(&action, &self.network).filter(|_| signed);
        let signature = bytes.map_or(Signature([0; 64]), |bytes| opener.sign(&bytes));
        let Action::Open(open) = &action else {
            return Vec::new();
        };
        // Not by way of `SignedTx`, which would check every key: an attacker doesn't.
        pb::Tx {
            version: 1,
            body: Some(pb::tx::Body::Open(open_to_pb(open, &signature))),
        }
        .encode_to_vec()
    }
}

/// Long enough to stay on the board during an attack.
fn lasting(spec: Spec) -> Spec {
    Spec {
        join_ms: 60_000,
        round_ms: 60_000,
        retention_ms: 60_000,
        max_bytes: 1_000,
        ..spec
    }
}

fn large_spec(number: u64, parties: u16) -> Spec {
    let first = IDENTITIES + (number << 20);
    let roster: Vec<Party> = (0..u64::from(parties))
        .map(|k| Party::new(first + k))
        .collect();
    lasting(spec(&roster, parties))
}

fn post(target: &Target, author: &Party, variant: u64) -> Vec<u8> {
    let index = u16::try_from(variant).unwrap_or(0);
    let words = format!("spam {variant}").into_bytes();
    let post = Post::new(target.session, 1, (index, 4), Hash::ZERO, words, vec![]);
    author.tx(Action::Post(post), &target.network).encode()
}
