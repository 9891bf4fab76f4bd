//! Snapshots, as a peer could send them to a replica that has nothing.

use std::{
    fs,
    sync::{Arc, LazyLock, mpsc},
    time::{Duration, Instant},
};

use prost::{Message as _, bytes::Bytes};
use tendermint_abci::Application as _;
use tendermint_proto::v0_38::abci::{
    RequestLoadSnapshotChunk, RequestOfferSnapshot, Snapshot,
    response_offer_snapshot::Result as Offered,
};
use white_city_replica::{
    Config, Halt, Replica, Store,
    app::Proposed,
    statesync::{FORMAT, Manifest, Restorer},
};
use white_city_tests::simulator::{Observed, World};
use white_city_wire::{
    Hash, Network,
    hash::sha256,
    read::{join_hashes, split_hashes},
};

use crate::{Target, genesis, kept::folder};

/// A chunk whose hash is what its snapshot says: nothing is restored of it but the state with the root.
pub const SNAPSHOTS: Target = Target::new("snapshots", || vec![MADE.chunk.to_vec()], restore)
    .within(32 << 20)
    .costing(40);

/// Offers: a snapshot in the engine's protobuf. Taken are those that a replica begins to restore.
pub const MANIFESTS: Target = Target::new("manifests", manifests, offer)
    .within(32 << 20)
    .costing(20);

/// Blocks until the snapshot, and their world's seed.
const BLOCKS: u64 = 20;
const SEED: u64 = 3;

/// A state, and the one chunk of its snapshot.
struct Made {
    network: Arc<Network>,
    root: Hash,
    chunk: Bytes,
}

static MADE: LazyLock<Made> = LazyLock::new(make);

/// A replica that has nothing but the genesis.
static NEWCOMER: LazyLock<Replica> = LazyLock::new(|| {
    let genesis = folder().keep().join("genesis.json");
    fs::write(&genesis, genesis::good()).unwrap();
    let config = Config {
        genesis,
        ..Config::default()
    };
    let store = Store::in_memory().unwrap();
    Replica::new(&config, store, Halt::new(mpsc::channel().0)).unwrap()
});

fn make() -> Made {
    let mut world = World::storable(SEED).steady();
    let snapshots = folder();
    let config = Config {
        proposal_wait_ms: 0,
        snapshots: snapshots.path().join("snapshots"),
        snapshot_blocks: BLOCKS,
        ..Config::default()
    };
    let store = Store::in_memory().unwrap();
    let replica = Replica::new(&config, store, Halt::new(mpsc::channel().0)).unwrap();
    let mut last = None;
    for height in 1..=BLOCKS {
        let observed = world.block();
        if height == 1 {
            let network = Network::clone(observed.executed.before.network());
            replica.init(network).unwrap();
        }
        replica.decide(&proposed(height, &observed)).unwrap();
        replica.store_decided().unwrap();
        last = Some(observed);
    }
    let until = Instant::now() + Duration::from_secs(60);
    while replica.list_snapshots().snapshots.is_empty() {
        assert!(Instant::now() < until, "no snapshot was made");
        std::thread::sleep(Duration::from_millis(5));
    }
    let last = last.unwrap();
    let chunk = replica.load_snapshot_chunk(RequestLoadSnapshotChunk {
        height: BLOCKS,
        format: FORMAT,
        chunk: 0,
    });
    Made {
        network: Arc::clone(last.executed.after.network()),
        root: last.root,
        chunk: chunk.chunk,
    }
}

fn proposed(height: u64, observed: &Observed) -> Proposed {
    let context = observed.executed.context;
    Proposed {
        height,
        time: context.time,
        proposer: context.proposer,
        // Who is proven changes no charter here: nobody says anything about one.
        voters: voters(observed),
        misbehavior: Vec::new(),
        hash: Some(sha256(&height.to_be_bytes())),
        block: observed.block(),
    }
}

fn voters(observed: &Observed) -> Vec<[u8; 20]> {
    let voted = observed.executed.context.voted;
    let replicas = observed.executed.before.charter().replicas.iter();
    let has_voted = |position: usize| voted[position / 8] >> (7 - position % 8) & 1 == 1;
    let voters = replicas.enumerate().filter(|(at, _)| has_voted(*at));
    voters.map(|(_, replica)| replica.address()).collect()
}

fn restore(input: &[u8]) -> bool {
    let chunk = Bytes::copy_from_slice(input);
    let manifest = Manifest {
        height: BLOCKS,
        chunks: vec![sha256(&chunk)],
    };
    let beside = Store::in_memory().unwrap();
    let network = Arc::clone(&MADE.network);
    let mut restorer = Restorer::new(manifest, MADE.root, network, &beside).unwrap();
    if restorer.take(0, chunk).is_err() {
        return false;
    }
    let Ok(restored) = restorer.end() else {
        return false;
    };
    assert_eq!(restored.state.root(), MADE.root, "another state");
    true
}

fn snapshot(metadata: Vec<u8>) -> Snapshot {
    Snapshot {
        height: BLOCKS,
        format: FORMAT,
        chunks: u32::try_from(metadata.len() / 32).unwrap(),
        hash: sha256(&metadata).0.to_vec().into(),
        metadata: metadata.into(),
    }
}

fn manifests() -> Vec<Vec<u8>> {
    let hashes: Vec<Hash> = (0..3_u8).map(|chunk| sha256(&[chunk])).collect();
    let metadata = [1, 3].map(|count| join_hashes(&hashes[..count]));
    let seeds = metadata.map(|metadata| snapshot(metadata).encode_to_vec());
    seeds.to_vec()
}

fn offer(input: &[u8]) -> bool {
    let Ok(snapshot) = Snapshot::decode(input) else {
        return false;
    };
    let hashes = split_hashes(&snapshot.metadata);
    let is_whole = hashes.is_some_and(|hashes| {
        hashes.len() == usize::try_from(snapshot.chunks).unwrap()
            && !hashes.is_empty()
            && snapshot.hash == sha256(&snapshot.metadata).0.as_slice()
            && snapshot.format == FORMAT
    });
    let offered = NEWCOMER.offer_snapshot(RequestOfferSnapshot {
        snapshot: Some(snapshot),
        app_hash: vec![7; 32].into(),
    });
    assert_eq!(offered.result() == Offered::Accept, is_whole);
    is_whole
}
