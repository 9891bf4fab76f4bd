//! Snapshots around a block that changes the validators, as honest replicas make them, and as others could: each comes to the same roots,
//! or is rejected for the link that it lacks.

use std::{path::Path, sync::Arc};

use prost::bytes::Bytes;
use white_city_replica::{
    Replica, Store,
    statesync::{Manifest, Rejected, Restored, Restorer, Shelf},
    store::Kept,
};
use white_city_tests::tampering::Council;
use white_city_wire::Network;

use crate::{
    chain::{naive, replica, replica_on},
    history::{BLOCKS, HISTORY, first_change, link, links_until, root_at},
    restart::seen,
    snapshots::read,
};

/// Decides and stores the blocks after the last one, up to a height.
fn live(replica: &Replica, until: u64) {
    let stored = replica.committed().map_or(0, |state| state.tip.height);
    if stored == 0 {
        let network = HISTORY[0].executed.before.network();
        replica.init(Network::clone(network)).unwrap();
    }
    for height in stored..until {
        let observed = &HISTORY[usize::try_from(height).unwrap()];
        let block = seen(observed, observed.block());
        let (_, root) = replica.decide(&block).unwrap();
        assert_eq!(root, observed.root, "block {}", height + 1);
        replica.store_decided().unwrap();
    }
}

/// A snapshot of the state at a height, with these links.
fn snapshot_at(height: u64, links: Vec<Kept>) -> (Manifest, Vec<Bytes>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.redb");
    live(&replica(Some(&path), &naive()).0, height);
    let store = Store::open(&path).unwrap();
    let shelf = Shelf::open(folder.path().join("snapshots"), 1).unwrap();
    shelf.make(height, store.snapshot().unwrap(), links);
    read(
        &folder.path().join("snapshots").join(height.to_string()),
        height,
    )
}

fn restore(
    (manifest, chunks): (Manifest, Vec<Bytes>),
    beside: &Path,
) -> Result<Restored, Rejected> {
    let root = root_at(manifest.height);
    let network = Arc::clone(HISTORY[0].executed.before.network());
    let beside = Store::open(beside).unwrap();
    let mut restorer = Restorer::new(manifest, root, network, &beside)?;
    for (number, chunk) in (0..).zip(chunks) {
        restorer.take(number, chunk)?;
    }
    restorer.end()
}

/// Snapshots from two blocks before the change on, until its link is old.
fn around() -> std::ops::RangeInclusive<u64> {
    let change = first_change();
    change - 2..=change + 4
}

#[test]
fn a_snapshot_before_at_and_after_a_change_of_validators_goes_on_to_the_same_roots() {
    let folder = tempfile::tempdir().unwrap();
    for height in around() {
        let beside = folder.path().join(format!("{height}.redb"));
        let restored = restore(snapshot_at(height, links_until(height)), &beside).unwrap();
        let eras = restored.state.term().eras;
        assert_eq!(eras > 0, height >= first_change());
        assert_eq!(restored.trust.newest_era(), eras);
        let (replica, _stops) = replica_on(restored.store, &naive());
        live(&replica, u64::try_from(BLOCKS).unwrap());
        let committed = replica.committed().unwrap();
        assert_eq!(committed.state.root(), HISTORY[BLOCKS - 1].root);
        // Of changes after the snapshot the links are still to come, from the first one on.
        let missing = replica.missing_link();
        let later = committed.state.term().eras > eras;
        assert_eq!(missing.map(|link| link.era), later.then_some(eras + 1));
    }
}

#[test]
fn a_snapshot_with_other_links_than_the_state_says_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let change = first_change();
    let rejected = |height, links| {
        let beside = folder.path().join("beside.redb");
        match restore(snapshot_at(height, links), &beside) {
            Err(Rejected::Links(why)) => why,
            Err(other) => panic!("{height}: {other}"),
            Ok(_) => panic!("{height}: it is restored"),
        }
    };
    for height in around() {
        let mut links = links_until(height);
        if links.pop().is_some() {
            rejected(height, links);
        } else {
            rejected(height, links_until(change));
        }
    }
    // Whoever has old keys can have them sign another link. The newest one is where the state says, and leads to its validators.
    let height = change + 4;
    let era_height = HISTORY[usize::try_from(height).unwrap() - 1]
        .executed
        .after
        .term()
        .era_height;
    let strangers = Council::new((0..4).map(|seed| [77 + seed; 32]));
    for (forged, said) in [
        (link(era_height, era_height + 2, None), "height"),
        (
            link(era_height, era_height + 1, Some(strangers)),
            "validators",
        ),
    ] {
        let mut links = links_until(height);
        *links.last_mut().unwrap() = forged;
        let why = rejected(height, links);
        assert!(why.contains(said), "{why}");
    }
}
