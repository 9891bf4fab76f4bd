//! Blocks of a simulated world whose validators change on the way, with the links that they sign.

use std::sync::LazyLock;

use tendermint::block::{Header, signed_header::SignedHeader};
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as Raw};
use white_city_replica::store::Kept;
use white_city_tests::{
    board::Executed,
    forger::Forger,
    network::{replica, validator_seed},
    simulator::{Observed, World},
    tampering::Council,
};
use white_city_wire::{Charter, Hash, Network, board::Status, pb};

/// Number of blocks.
pub const BLOCKS: usize = 20;
/// Heights between which the validators change for the first time.
const CHANGE: [usize; 2] = [4, 9];
/// Replicas that there are keys for.
const REPLICAS: u8 = 12;

/// Variable with the seed of these blocks, for a process that needn't look for it.
pub const SEED: &str = "WHITE_CITY_LIFE_SEED";

/// Blocks in which the validators change early, and sessions are erased.
pub static HISTORY: LazyLock<Vec<Observed>> = LazyLock::new(|| blocks(*FOUND));

/// Their seed.
pub static FOUND: LazyLock<u64> = LazyLock::new(|| {
    let fits = |history: &Vec<Observed>| {
        let eras = |at: usize| history[at].executed.after.term().eras;
        let last = &history[BLOCKS - 1].executed.after;
        let mut sessions = last.sessions().iter();
        let has_erased = sessions.any(|session| session.status() == Status::Erased);
        eras(CHANGE[0]) == 0 && eras(CHANGE[1]) > 0 && has_erased
    };
    let told = std::env::var(SEED).ok();
    let told = told.map(|seed| seed.parse().unwrap());
    told.unwrap_or_else(|| (0..).find(|seed| fits(&blocks(*seed))).unwrap())
});

fn blocks(seed: u64) -> Vec<Observed> {
    let mut world = World::storable(seed);
    (0..BLOCKS).map(|_| world.block()).collect()
}

/// The root after the block of a height.
pub fn root_at(height: u64) -> Hash {
    HISTORY[usize::try_from(height).unwrap() - 1].root
}

/// The validators that a charter lists, with their keys.
fn council(charter: &Charter) -> Council {
    let number = |key: &Hash| (0..REPLICAS).find(|number| replica(*number).validator == *key);
    let numbers = charter.replicas.iter().map(|one| number(&one.validator));
    Council::new(numbers.map(|number| validator_seed(number.unwrap())))
}

/// The header at a height, by which the validators before a block that changed them hand over to these.
fn handing_over(change: u64, height: u64, next: &Council) -> SignedHeader {
    let before = &changed_by(change).before;
    let own = council(before.charter());
    let (validators_hash, votes) = (own.hash(), own.keys().len());
    let forger = Forger::of(own, Network::clone(before.network()));
    let header = Header {
        validators_hash,
        next_validators_hash: next.hash(),
        ..forger.header(height, Hash([1; 32]))
    };
    forger.council().sign(header, votes)
}

fn changed_by(change: u64) -> &'static Executed {
    &HISTORY[usize::try_from(change).unwrap() - 1].executed
}

/// The header after a block that has changed the validators, as those before have signed it.
pub fn link_header(height: u64) -> SignedHeader {
    let next = council(changed_by(height - 1).after.charter());
    handing_over(height - 1, height, &next)
}

/// A link from the validators before a block that has changed them, whose header is at this height, to these or to those that the block
/// names.
pub fn link(change: u64, height: u64, next: Option<Council>) -> Kept {
    let after = &changed_by(change).after;
    let next = next.unwrap_or_else(|| council(after.charter()));
    let mut keys = next.keys();
    keys.sort_unstable();
    let signed = handing_over(change, height, &next);
    Kept {
        era: after.term().eras,
        height,
        link: pb::Link {
            signed_header: <SignedHeader as Protobuf<Raw>>::encode_vec(signed),
            validators: keys.concat(),
        },
    }
}

/// The links of all changes up to a block.
pub fn links_until(height: u64) -> Vec<Kept> {
    let changes = HISTORY.iter().map(|observed| &observed.executed);
    let changes = changes.filter(|one| one.before.term().eras != one.after.term().eras);
    let heights = changes.map(|one| one.context.height);
    let heights = heights.filter(|change| *change <= height);
    heights
        .map(|change| link(change, change + 1, None))
        .collect()
}

/// Height of the block that changes the validators for the first time.
pub fn first_change() -> u64 {
    let eras = |observed: &&Observed| observed.executed.after.term().eras > 0;
    let first = HISTORY.iter().find(eras).unwrap();
    first.executed.context.height
}
