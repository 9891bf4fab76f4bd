//! Openings that cost those who check them as much as they can, and their maker nothing.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use prost::{Message as _, bytes::Bytes};
use white_city_tests::{party::Party, scene::spec};
use white_city_wire::{
    IdentityKey, Network, Spec,
    limits::{ROSTER_PARTIES_MAX, WIRE_VERSION},
    pb,
    tx::{Action, Open, bytes_to_sign, open_to_pb},
};

/// Different rosters: more keys than a replica remembers.
const ROSTERS: u64 = 64;
/// Identities of this program begin here: none is a party of a test.
const IDENTITIES: u64 = 1 << 41;

/// Makes them. The keys are made once, at the first of them.
#[derive(Default)]
pub struct Openings {
    rosters: OnceLock<Vec<Vec<IdentityKey>>>,
    made: AtomicU64,
}

impl Openings {
    /// So many openings by as many strangers, each of the largest roster, with sessions that end in the next blocks.
    pub fn make(&self, network: &Network, board_ms: u64, count: usize) -> Vec<Bytes> {
        let most = network.params.max_n.min(ROSTER_PARTIES_MAX);
        let rosters = self.rosters.get_or_init(|| {
            let key = |number| *Party::new(IDENTITIES + number).key();
            let roster = |number| {
                let first = number * u64::from(most);
                (first..first + u64::from(most)).map(key).collect()
            };
            (0..ROSTERS).map(roster).collect()
        });
        let opening = |_| {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            let opener = Party::new(IDENTITIES * 2 + number);
            let roster = &rosters[usize::try_from(number % ROSTERS).unwrap_or(0)];
            let mut nonce = [0; 32];
            nonce[..8].copy_from_slice(&number.to_be_bytes());
            let open = Open {
                spec: fleeting(roster.clone()),
                opener: *opener.key(),
                nonce,
                open_by_ms: board_ms + network.params.max_open_ms / 2,
                stamp: 0,
            };
            encode(open, &opener, network).into()
        };
        (0..count).map(opening).collect()
    }

    /// As many as fit into a block of so many bytes, beside a few others.
    pub fn that_fit(network: &Network, max_bytes: i64) -> usize {
        let each = i64::from(network.params.max_n) * 34 + 1_024;
        usize::try_from(max_bytes / each - 1).unwrap_or(0)
    }

    /// As many as a block's work has room for.
    pub fn most(network: &Network) -> usize {
        let each = u32::from(network.params.max_n) + 1;
        usize::try_from(network.params.max_work / each).unwrap_or(0)
    }
}

fn fleeting(roster: Vec<IdentityKey>) -> Spec {
    let parties = roster.len();
    let short = spec(&[], 0);
    Spec {
        quorum: u16::try_from(parties).unwrap_or(u16::MAX),
        roster,
        max_rounds: 1,
        join_ms: 1,
        round_ms: 1,
        reveal_ms: 1,
        retention_ms: 1,
        max_bytes: 1,
        ..short
    }
}

/// Encodes it without the checks that others will have to make.
fn encode(open: Open, opener: &Party, network: &Network) -> Vec<u8> {
    let action = Action::Open(open);
    let signature = bytes_to_sign(&action, &network.id).map(|bytes| opener.sign(&bytes));
    let (Action::Open(open), Some(signature)) = (action, signature) else {
        return Vec::new();
    };
    pb::Tx {
        version: WIRE_VERSION,
        body: Some(pb::tx::Body::Open(open_to_pb(&open, &signature))),
    }
    .encode_to_vec()
}
