//! Whatever happened, a store that is opened again gives the state that was stored, and a block that can't be right
//! stops the replica.

use std::{collections::BTreeSet, path::Path};

use prost::{Message as _, bytes::Bytes};
use redb::{Database, ReadableTable as _, TableDefinition};
use white_city_replica::{
    Replica, Store,
    app::{Fatal, Proposed},
    committed::Committed,
    live::Live,
    store::StoreError,
};
use white_city_state_machine::{Session, State};
use white_city_tests::{
    network::{network, rules, storable},
    party::Party,
    rng::Rng,
    simulator::{Observed, World},
};
use white_city_wire::{
    Bitmap, Hash, IdentityKey, Network, board::Status, pb, seal::Seal, tx::UncheckedTx,
};

use crate::{
    chain::{Chain, naive, proposed, replica},
    rest::{answers, questions},
};

const SEEDS: u64 = 16;
const BLOCKS: usize = 60;

/// A block as an engine hands it over.
pub fn seen(observed: &Observed, block: Vec<Bytes>) -> Proposed {
    let executed = &observed.executed;
    let voted = Bitmap::from_bytes(256, &executed.context.voted).unwrap();
    let replicas = (0..).zip(&executed.before.charter().replicas);
    let voters = replicas.filter(|(position, _)| voted.contains(*position));
    Proposed {
        voters: voters.map(|(_, replica)| replica.address()).collect(),
        ..proposed(&executed.context, block)
    }
}

/// The index of live sessions, which blocks have changed one after the other, says what the state does.
fn assert_live(live: &Live, state: &State) {
    let sessions = || state.sessions().iter();
    let mut parties = BTreeSet::new();
    for session in sessions() {
        parties.extend(session.roster().iter().map(|key| *key.as_bytes()));
    }
    for party in &parties {
        let is_in = |key: &IdentityKey| key.as_bytes() == party;
        let mut expected: Vec<u32> = sessions()
            .filter(|session| session.status().is_live() && session.roster().iter().any(is_in))
            .map(|session| session.number)
            .collect();
        expected.reverse();
        let found: Vec<u32> = live.down(party, 0, u32::MAX).collect();
        assert_eq!(found, expected);
        let below = expected.first().map_or(0, |first| first.saturating_sub(1));
        let found: Vec<u32> = live.down(party, 0, below).collect();
        expected.retain(|number| *number <= below);
        assert_eq!(found, expected);
    }
}

/// Opens a replica's store again: it has the same sessions, and answers as one that has all of them in memory.
fn reopened_as_it_was(disk: Replica, path: &Path, observed: &Observed) -> Replica {
    let tip = disk.committed().unwrap().tip.clone();
    let after = &observed.executed.after;
    assert_live(&disk.committed().unwrap().live, after);
    drop(disk);
    let questions = questions(after);
    let store = Store::open(path).unwrap();
    let whole = Committed {
        live: Live::of(after),
        state: after.clone(),
        tip: tip.clone(),
        snapshot: store.snapshot().unwrap(),
        is_changed: false,
    };
    let expected = answers(&whole, &questions);
    drop((whole, store));
    let (disk, _) = replica(Some(path), &naive());
    let committed = disk.committed().unwrap();
    let found = answers(&committed, &questions);
    for ((question, found), expected) in questions.iter().zip(found).zip(expected) {
        assert_eq!(found, expected, "{question:?}");
    }
    assert_eq!(committed.tip, tip);
    let kept = after.sessions().iter();
    let kept = kept.filter(|session| session.status() != Status::Erased);
    let found = committed.state.sessions().iter();
    assert!(
        found
            .map(|s| Session::clone(s))
            .eq(kept.map(|s| s.at_rest()))
    );
    disk
}

#[test]
fn a_store_that_is_opened_again_after_any_block_goes_on_to_the_same_roots() {
    let (mut reopened, mut erased, mut txs, mut disputes) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let mut world = World::storable(seed);
        let mut rng = Rng::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board.redb");
        let (mut disk, _stops) = replica(Some(&path), &naive());
        let (memory, _memory_stops) = replica(None, &naive());
        for height in 1..=BLOCKS {
            let observed = world.block();
            let context = observed.executed.context;
            if height == 1 {
                let network = Network::clone(observed.executed.before.network());
                disk.init(network.clone()).unwrap();
                memory.init(network).unwrap();
            }
            let seal = Seal {
                root: observed.root,
                parent_hash: context.parent_hash,
                parent_time: context.parent_time,
            };
            let mut block = vec![Bytes::from(seal.encode())];
            block.extend(
                observed
                    .executed
                    .applied()
                    .map(|(tx, _)| Bytes::from(tx.encode())),
            );
            txs += block.len() - 1;
            if height > 1 {
                // One executes when it is asked about the proposal, the other only when it is decided.
                memory
                    .judge(&seen(&observed, block.clone()))
                    .unwrap()
                    .unwrap();
            }
            for replica in [&disk, &memory] {
                let (_, root) = replica.decide(&seen(&observed, block.clone())).unwrap();
                assert_eq!(root, observed.root, "seed {seed}, height {height}");
                replica.store_decided().unwrap();
            }
            if rng.chance(25) {
                disk = reopened_as_it_was(disk, &path, &observed);
                let committed = disk.committed().unwrap();
                let (tip, state) = (committed.tip.clone(), &committed.state);
                let sessions = || state.sessions().iter();
                let disputed = sessions().filter(|s| s.status() == Status::Dispute);
                disputes += disputed.count();
                assert_eq!((tip.seal.root, tip.time), (observed.root, context.time));
                assert_eq!(tip.height, u64::try_from(height).unwrap());
                reopened += 1;
            }
        }
        let committed = memory.committed().unwrap();
        let sessions = committed.state.sessions();
        erased += sessions.len() - u64::try_from(sessions.iter().count()).unwrap();
    }
    assert!(
        reopened > 100 && erased > 40 && txs > 600 && disputes > 0,
        "{reopened} {erased} {txs} {disputes}"
    );
}

#[test]
fn a_block_that_is_decided_but_not_stored_is_decided_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.redb");
    let network = network(1, storable(rules(&[])));
    let (before, _stops) = replica(Some(&path), &naive());
    let genesis = before.init(Network::clone(&network)).unwrap();
    let mut chain = Chain::new(&naive());
    let parties = Party::several(3);
    let (_, open) = chain.open(&parties, 1);
    let block = chain.propose(&[open], 1 << 20);
    let context = chain.context();
    let (_, root) = before.decide(&proposed(&context, block.clone())).unwrap();
    assert_ne!(root, genesis);
    drop(before);
    let (after, _stops) = replica(Some(&path), &naive());
    assert!(
        after.committed().is_none(),
        "nothing is stored before the commit"
    );
    after.init(Network::clone(&network)).unwrap();
    assert_eq!(
        after.decide(&proposed(&context, block.clone())).unwrap().1,
        root
    );
    after.store_decided().unwrap();
    assert!(matches!(after.store_decided(), Err(Fatal::NothingDecided)));
    chain.decide(block).unwrap();
    assert_eq!(chain.replica.committed().unwrap().tip.seal.root, root);
}

#[test]
fn a_committed_block_with_a_wrong_seal_or_an_invalid_transaction_is_fatal_and_changes_nothing() {
    let mut chain = Chain::new(&naive());
    let parties = Party::several(3);
    let (_, open) = chain.open(&parties, 1);
    let good = chain.propose(std::slice::from_ref(&open), 1 << 20);
    let seal = Seal::decode(&good[0]).unwrap();
    let other_root = Seal {
        root: Hash([1; 32]),
        ..seal
    };
    let before = chain.replica.committed().unwrap().tip.clone();
    let bad = [
        vec![],
        good[1..].to_vec(),
        vec![good[1].clone(), good[0].clone()],
        vec![other_root.encode().into(), good[1].clone()],
        vec![good[0].clone()],
        vec![good[0].clone(), good[1].clone(), good[1].clone()],
        vec![good[0].clone(), good[0].clone(), good[1].clone()],
        vec![
            good[0].clone(),
            good[1].clone(),
            Bytes::from_static(b"garbage"),
        ],
    ];
    for block in bad {
        let items = block.len();
        let fatal = chain.decide(block.clone());
        assert!(
            matches!(fatal, Err(Fatal::InvalidCommitted { height: 1, .. })),
            "{items} items"
        );
        let judged = chain
            .replica
            .judge(&proposed(&chain.context(), block))
            .unwrap();
        assert!(judged.is_err(), "{items} items");
    }
    assert_eq!(chain.replica.committed().unwrap().tip, before);
    chain.decide(good).unwrap();
}

/// A store with a session that three parties may join, and that session's id.
fn store_of_one(path: &std::path::Path) -> (Vec<Party>, Vec<u8>) {
    let rules = rules(&[]);
    let mut chain = Chain::on(&naive(), rules, Store::open(path).unwrap());
    let parties = Party::several(3);
    let (session, open) = chain.open(&parties, 1);
    chain.block(&[open]);
    (parties, session.0.to_vec())
}

/// Puts other bytes of the same length into the place of some, wherever they are in the first record of a table.
fn replace(path: &std::path::Path, table: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let table = TableDefinition::<u32, &[u8]>::new(table);
    let write = Database::open(path).unwrap().begin_write().unwrap();
    let mut record = write.open_table(table).unwrap();
    let mut bytes = record.get(0).unwrap().unwrap().value().to_vec();
    let places = bytes.windows(from.len()).enumerate();
    let places: Vec<usize> = places
        .filter(|(_, part)| *part == from)
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..][..to.len()].copy_from_slice(to);
    }
    record.insert(0, bytes.as_slice()).unwrap();
    drop(record);
    write.commit().unwrap();
    bytes
}

fn loaded(path: &std::path::Path) -> Result<bool, StoreError> {
    Ok(Store::open(path)?.load()?.is_some())
}

#[test]
fn a_store_whose_spec_is_another_one_than_was_opened_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.redb");
    let (parties, _) = store_of_one(&path);
    assert!(loaded(&path).unwrap());
    let [old, new] = [*parties[2].key(), *Party::new(9).key()].map(|key| *key.as_bytes());
    replace(&path, "opens", &old, &new);
    assert!(matches!(loaded(&path), Err(StoreError::Damaged("a spec"))));
    replace(&path, "opens", &new, &old);
    assert!(loaded(&path).unwrap());
}

#[test]
fn what_the_root_commits_to_is_compared_with_it_and_no_key_is_checked_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.redb");
    let (parties, id) = store_of_one(&path);
    // A key that no check takes: y = 1. The session's id, its first transcript and the root follow.
    let mut bad = [0; 32];
    bad[0] = 1;
    let open = replace(&path, "opens", parties[2].key().as_bytes(), &bad);
    assert!(matches!(loaded(&path), Err(StoreError::Damaged("a spec"))));
    let network = network(1, storable(rules(&[])));
    let opened = UncheckedTx::decode(
        &pb::Tx {
            version: 1,
            body: Some(pb::tx::Body::Open(pb::Open::decode(&open[..]).unwrap())),
        }
        .encode_to_vec(),
    );
    let other_id = opened.unwrap().opening().unwrap().session_id(&network.id);
    replace(&path, "sessions", &id, &other_id.0);
    let Err(StoreError::Root { loaded: root, .. }) = loaded(&path) else {
        panic!("another root")
    };
    let table = TableDefinition::<&str, &[u8]>::new("meta");
    let write = Database::open(&path).unwrap().begin_write().unwrap();
    let mut meta = write.open_table(table).unwrap();
    let seal = Seal::decode(meta.get("seal").unwrap().unwrap().value()).unwrap();
    let seal = Seal { root, ..seal }.encode();
    meta.insert("seal", seal.as_slice()).unwrap();
    drop(meta);
    write.commit().unwrap();
    assert!(loaded(&path).unwrap());
}

#[test]
fn a_file_with_anything_in_it_is_refused_and_never_the_end_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.redb");
    store_of_one(&path);
    let good = std::fs::read(&path).unwrap();
    let mut rng = Rng::new(16);
    let mut refused = 0;
    let mut try_it = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        refused += usize::from(loaded(&path).is_err());
    };
    for length in [1, 63, 64, 511, 4_096, 5_000, 1 << 20] {
        try_it(&vec![0xa5; length]);
        try_it(&good[..length.min(good.len() - 1)]);
    }
    // Wherever anything is, something else; without and with the mark that says which file it is.
    let used: Vec<usize> = (0..good.len()).step_by(512).collect();
    let used = used.into_iter().filter(|at| good[*at..][..512] != [0; 512]);
    for at in used {
        let mut bad = good.clone();
        let from = at.max(9);
        bad[from..at + 512].copy_from_slice(&rng.bytes(at + 512 - from));
        try_it(&bad);
    }
    assert!(refused > 14, "{refused}");
    std::fs::write(&path, &good).unwrap();
    assert!(loaded(&path).unwrap());
}
