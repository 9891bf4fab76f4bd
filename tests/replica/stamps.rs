//! Stamps: whoever has none costs a replica a hash, whichever way its openings come.

use white_city_replica::{
    Config, Store,
    execution::InvalidBlock,
    front::{Board as _, Source},
};
use white_city_tests::{network::rules, party::Party, scene::spec};
use white_city_wire::{
    AppState, Refusal, SessionId,
    stamp::{find, is_stamp},
    tx::{Action, Open},
};

use crate::chain::{Chain, naive, proposed};

const BITS: u8 = 10;
/// Openings of a flood.
const MANY: u8 = 100;

fn stamped() -> AppState {
    let mut rules = rules(&[]);
    rules.charter.stamp_bits = BITS;
    rules.charter.max_board_bytes = 1 << 30;
    (
        rules.charter.anyone_max_live,
        rules.charter.anyone_max_bytes,
    ) = (1_000, 1 << 30);
    rules
}

fn opening(parties: &[Party], nonce: u8) -> Open {
    Open {
        spec: spec(parties, 2),
        opener: *parties[0].key(),
        nonce: [nonce; 32],
        open_by_ms: 1_000_000_000 + 5_000,
        stamp: 0,
    }
}

/// A stamp of neither more bits than these nor fewer.
fn with_exactly(id: &SessionId, bits: u8) -> u64 {
    let has = |stamp: &u64| is_stamp(id, *stamp, bits) && !is_stamp(id, *stamp, bits + 1);
    (1..).find(has).unwrap()
}

/// Openings with a stamp of one bit too few or none at all, half of them signed by somebody else.
fn flood(chain: &Chain, parties: &[Party]) -> Vec<Vec<u8>> {
    let id = &chain.network.id;
    let forger = Party::new(99);
    let openings = (0..MANY).map(|nonce| {
        let mut open = opening(parties, nonce);
        let session = open.session_id(id);
        open.stamp = match nonce % 2 {
            0 => 0,
            _ => with_exactly(&session, BITS - 1),
        };
        assert!(!is_stamp(&session, open.stamp, BITS));
        let signer = if nonce % 4 < 2 { &parties[0] } else { &forger };
        chain.tx(signer, Action::Open(open))
    });
    openings.collect()
}

#[test]
fn a_flood_of_openings_without_stamps_costs_no_signature_check_whichever_way_it_comes() {
    let waiting = Config::default();
    let mut chain = Chain::on(&waiting, stamped(), Store::in_memory().unwrap());
    let parties = Party::several(3);
    let flood = flood(&chain, &parties);
    let refused = Refusal::Stamp { bits: BITS };
    let before = chain.replica.work().signatures;
    for tx in &flood {
        for source in [Source::Engine, Source::EngineAgain, Source::Client] {
            assert_eq!(chain.replica.take(tx, source).err(), Some(refused.clone()));
        }
    }
    // Offered by the engine to an honest proposer.
    let own = chain.propose(&flood, 1 << 20);
    assert_eq!(own.len(), 1, "only the seal");
    // And proposed by a malicious one.
    for tx in &flood {
        let block = vec![own[0].clone(), tx.clone().into()];
        let judged = chain.replica.judge(&proposed(&chain.context(), block));
        let expected = InvalidBlock::Refused {
            position: 1,
            refusal: refused.clone(),
        };
        assert_eq!(judged.unwrap(), Err(expected));
    }
    assert_eq!(chain.replica.work().signatures, before);
    chain.decide(own).unwrap();
    // A stamp is what they lacked: with one, the forged signature is looked at, and costs one check.
    let mut open = opening(&parties, MANY);
    let id = open.session_id(&chain.network.id);
    open.stamp = find(&id, BITS).unwrap();
    let forged = chain.tx(&Party::new(99), Action::Open(open.clone()));
    let check = |chain: &Chain, tx: &[u8]| {
        let before = chain.replica.work().signatures;
        let taken = chain.replica.check_tx(tx);
        (taken, chain.replica.work().signatures - before)
    };
    let (taken, checks) = check(&chain, &forged);
    assert_eq!((taken.unwrap_err().code(), checks), (34, 1));
    let good = chain.tx(&parties[0], Action::Open(open.clone()));
    assert_eq!(check(&chain, &good), (Ok(()), 1));
    // Another stamp of the same session is the same opening, and costs none.
    open.stamp = (open.stamp + 1..)
        .find(|s| is_stamp(&id, *s, BITS))
        .unwrap();
    let again = chain.tx(&parties[0], Action::Open(open));
    let (taken, checks) = check(&chain, &again);
    assert!(
        matches!(taken, Err(Refusal::SlotPending { .. })),
        "{taken:?}"
    );
    assert_eq!(checks, 0);
    chain.block(&[good]);
    assert_eq!(check(&chain, &again), (Err(Refusal::AlreadyStored), 0));
}

#[test]
fn a_stamp_has_exactly_the_bits_or_more_and_is_none_where_none_is_asked_for() {
    let parties = Party::several(3);
    let taken = |asked: u8, has: u8| {
        let mut rules = stamped();
        rules.charter.stamp_bits = asked;
        let chain = Chain::on(&naive(), rules, Store::in_memory().unwrap());
        let mut open = opening(&parties, 1);
        let session = open.session_id(&chain.network.id);
        open.stamp = with_exactly(&session, has);
        let tx = chain.tx(&parties[0], Action::Open(open));
        chain.replica.check_tx(&tx)
    };
    assert_eq!(taken(BITS, BITS - 1), Err(Refusal::Stamp { bits: BITS }));
    assert_eq!(taken(BITS, BITS), Ok(()));
    assert_eq!(taken(BITS, BITS + 1), Ok(()));
    assert_eq!(taken(0, BITS), Err(Refusal::Stamp { bits: 0 }));
}
