//! Snapshots of whatever the simulator plays: what is restored is the same state, and nothing that was changed is.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::{bytes::Bytes, decode_length_delimiter, encode_length_delimiter};
use serde_json::{Value, json};
use tendermint_abci::Application as _;
use tendermint_proto::v0_38::abci::{
    RequestApplySnapshotChunk, RequestInfo, RequestLoadSnapshotChunk, RequestOfferSnapshot,
    Snapshot, response_apply_snapshot_chunk::Result as Applied,
    response_offer_snapshot::Result as Offered,
};
use white_city_replica::{
    Config, Replica, Store,
    committed::Committed,
    live::Live,
    statesync::{Manifest, Rejected, Restored, Restorer},
    store::StoreError,
};
use white_city_tests::{
    rng::Rng,
    simulator::{Observed, World},
};
use white_city_wire::{
    Hash, Network, Refusal, board::Status, charter::Replica as Listed, hash::sha256,
};

use crate::{
    chain::{naive, replica},
    rest::{answers, questions},
    restart::seen,
};

const BLOCKS: usize = 60;

/// A replica that has played a world until it made a snapshot; with that, and the last block.
struct Made {
    world: World,
    replica: Replica,
    observed: Observed,
    manifest: Manifest,
    chunks: Vec<Bytes>,
    _folder: tempfile::TempDir,
}

/// The first so many of them, of worlds whose validators stay: nobody signs the links of the others.
fn several(count: usize) -> impl Iterator<Item = Made> {
    (0..).filter_map(made).take(count)
}

fn made(seed: u64) -> Option<Made> {
    let mut world = World::storable(seed);
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        snapshots: folder.path().join("snapshots"),
        snapshot_blocks: u64::try_from(BLOCKS).unwrap(),
        ..naive()
    };
    let (replica, _stops) = replica(None, &config);
    let mut last = None;
    for height in 1..=BLOCKS {
        let observed = world.block();
        if height == 1 {
            let network = Network::clone(observed.executed.before.network());
            replica.init(network).unwrap();
        }
        replica.decide(&seen(&observed, observed.block())).unwrap();
        replica.store_decided().unwrap();
        last = Some(observed);
    }
    let last = last.filter(|last: &Observed| last.executed.after.term().eras == 0)?;
    let height = u64::try_from(BLOCKS).unwrap();
    let (manifest, chunks) = read(&config.snapshots.join(height.to_string()), height);
    Some(Made {
        world,
        replica,
        observed: last,
        manifest,
        chunks,
        _folder: folder,
    })
}

/// Reads a snapshot as soon as it is there.
pub fn read(folder: &Path, height: u64) -> (Manifest, Vec<Bytes>) {
    let until = Instant::now() + Duration::from_secs(60);
    while !folder.exists() {
        assert!(Instant::now() < until, "no snapshot was made");
        std::thread::sleep(Duration::from_millis(5));
    }
    let chunk = |number: usize| std::fs::read(folder.join(number.to_string())).ok();
    let chunks: Vec<Bytes> = (0..).map_while(|n| chunk(n).map(Bytes::from)).collect();
    let hashes = chunks.iter().map(|chunk| sha256(chunk)).collect();
    (
        Manifest {
            height,
            chunks: hashes,
        },
        chunks,
    )
}

impl Made {
    /// Restores these chunks, with a manifest that fits them.
    fn restore(&self, chunks: &[Bytes]) -> Result<Restored, Rejected> {
        let manifest = Manifest {
            height: self.manifest.height,
            chunks: chunks.iter().map(|chunk| sha256(chunk)).collect(),
        };
        let network = Arc::clone(self.observed.executed.after.network());
        let beside = Store::in_memory().unwrap();
        let mut restorer = Restorer::new(manifest, self.observed.root, network, &beside)?;
        for (number, chunk) in (0..).zip(chunks) {
            let last = restorer.take(number, chunk.clone())?;
            assert_eq!(last, usize::try_from(number).unwrap() + 1 == chunks.len());
        }
        restorer.end()
    }
}

#[test]
fn what_is_restored_answers_as_the_replica_that_made_the_snapshot() {
    let (mut erased, mut ended, mut live) = (0, 0, 0);
    for (seed, made) in several(20).enumerate() {
        let restored = made.restore(&made.chunks).unwrap();
        let own = made.replica.committed().unwrap();
        assert_eq!(restored.state.root(), own.state.root());
        assert!(
            restored
                .state
                .sessions()
                .iter()
                .eq(own.state.sessions().iter())
        );
        assert_eq!(restored.state.reserved(), own.state.reserved());
        assert_eq!(restored.state.rules(), own.state.rules());
        let questions = questions(&made.observed.executed.after);
        let restored = Committed {
            live: Live::of(&restored.state),
            snapshot: restored.store.snapshot().unwrap(),
            state: restored.state,
            // What a replica knows from its first block on.
            tip: own.tip.clone(),
            is_changed: false,
        };
        let (found, expected) = (answers(&restored, &questions), answers(&own, &questions));
        for ((question, found), expected) in questions.iter().zip(found).zip(expected) {
            assert_eq!(found, expected, "seed {seed}: {question:?}");
        }
        for session in made.observed.executed.after.sessions().iter() {
            match session.status() {
                Status::Erased => erased += 1,
                status if status.is_live() => live += 1,
                _ => ended += 1,
            }
        }
    }
    assert!(
        erased > 10 && ended > 10 && live > 10,
        "{erased} {ended} {live}"
    );
}

/// The items of chunks, encoded.
fn items(chunks: &[Bytes]) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    for chunk in chunks {
        let mut rest = chunk.clone();
        while !rest.is_empty() {
            let bytes = decode_length_delimiter(&mut rest).unwrap();
            items.push(rest.split_to(bytes).to_vec());
        }
    }
    items
}

/// One chunk of these items.
fn chunk(items: &[Vec<u8>]) -> Bytes {
    let mut chunk = Vec::new();
    for item in items {
        encode_length_delimiter(item.len(), &mut chunk).unwrap();
        chunk.extend(item);
    }
    chunk.into()
}

#[test]
fn nothing_that_was_changed_is_restored() {
    for (seed, made) in (0_u64..).zip(several(3)) {
        let whole = items(&made.chunks);
        assert!(made.restore(&[chunk(&whole)]).is_ok(), "in one chunk, too");
        let refused = |items: &[Vec<u8>], what: &str, place: usize| {
            let restored = made.restore(&[chunk(items)]);
            assert!(restored.is_err(), "seed {seed}: item {place} {what}");
        };
        let mut rng = Rng::new(seed);
        for place in 0..whole.len() {
            let mut items = whole.clone();
            items.remove(place);
            refused(&items, "is left out", place);
            items = whole.clone();
            items.insert(place, whole[place].clone());
            refused(&items, "is there twice", place);
            if place > 0 && whole[place] != whole[place - 1] {
                items = whole.clone();
                items.swap(place, place - 1);
                refused(&items, "comes too early", place);
            }
            for _ in 0..4 {
                items = whole.clone();
                let byte = rng.below(u64::try_from(items[place].len()).unwrap());
                let byte = usize::try_from(byte).unwrap();
                items[place][byte] ^= 1 << rng.below(8);
                refused(&items, &format!("has another byte {byte}"), place);
            }
        }
    }
}

#[test]
fn a_chunk_that_is_another_one_can_be_fetched_again_and_nothing_else_can() {
    let made = several(1).next().unwrap();
    let network = Arc::clone(made.observed.executed.after.network());
    let beside = Store::in_memory().unwrap();
    let root = made.observed.root;
    let begin = |root| Restorer::new(made.manifest.clone(), root, Arc::clone(&network), &beside);
    let mut restorer = begin(root).unwrap();
    let mut other = made.chunks[0].to_vec();
    *other.last_mut().unwrap() ^= 1;
    for (number, chunk) in [(0, other.into()), (1, made.chunks[0].clone())] {
        let rejected = restorer.take(number, chunk).unwrap_err();
        assert!(matches!(rejected, Rejected::Chunk), "{rejected}");
    }
    for (number, chunk) in (0..).zip(&made.chunks) {
        restorer.take(number, chunk.clone()).unwrap();
    }
    let restored = restorer.end().unwrap();
    assert!(restored.tip.is_restored && !restored.tip.is_known());
    let mut restorer = begin(Hash([1; 32])).unwrap();
    for (number, chunk) in (0..).zip(&made.chunks) {
        restorer.take(number, chunk.clone()).unwrap();
    }
    let another = restorer.end().err().unwrap();
    assert!(
        matches!(another, Rejected::Store(StoreError::Root { .. })),
        "{another}"
    );
}

/// Has a newcomer restore what another replica offers, by the engine's calls.
fn restore_from(made: &Made, newcomer: &Replica) {
    let offered = made.replica.list_snapshots().snapshots.pop().unwrap();
    let offer = |snapshot: Snapshot| {
        newcomer
            .offer_snapshot(RequestOfferSnapshot {
                snapshot: Some(snapshot),
                app_hash: made.observed.root.0.to_vec().into(),
            })
            .result()
    };
    let changed = |change: &dyn Fn(&mut Snapshot)| {
        let mut snapshot = offered.clone();
        change(&mut snapshot);
        offer(snapshot)
    };
    assert_eq!(changed(&|s| s.format = 2), Offered::RejectFormat);
    assert_eq!(changed(&|s| s.chunks += 1), Offered::Reject);
    assert_eq!(changed(&|s| s.hash = vec![0; 32].into()), Offered::Reject);
    assert_eq!(
        changed(&|s| s.metadata = vec![0; 31].into()),
        Offered::Reject
    );
    assert_eq!(offer(offered.clone()), Offered::Accept);
    for index in 0..offered.chunks {
        let request = RequestLoadSnapshotChunk {
            height: offered.height,
            format: offered.format,
            chunk: index,
        };
        let chunk = made.replica.load_snapshot_chunk(request).chunk;
        let apply = |chunk: Bytes| {
            newcomer.apply_snapshot_chunk(RequestApplySnapshotChunk {
                index,
                chunk,
                sender: "peer".into(),
            })
        };
        let retried = apply(vec![0].into());
        assert_eq!(retried.result(), Applied::Retry);
        let named = (retried.refetch_chunks, retried.reject_senders);
        assert_eq!(named, (vec![index], vec!["peer".into()]));
        assert_eq!(apply(chunk).result(), Applied::Accept);
    }
    let info = newcomer.info(RequestInfo::default());
    assert_eq!(info.last_block_height, i64::try_from(BLOCKS).unwrap());
    assert_eq!(info.last_block_app_hash, made.observed.root.0.to_vec());
}

#[test]
fn a_replica_that_was_restored_says_nothing_before_its_first_block_and_goes_on_from_it() {
    let made = several(2).last().unwrap();
    let network = made.observed.executed.after.network().clone();
    let folder = tempfile::tempdir().unwrap();
    let genesis = genesis_json(&network);
    std::fs::write(folder.path().join("genesis.json"), genesis).unwrap();
    let config = Config {
        genesis: folder.path().join("genesis.json"),
        ..naive()
    };
    let path = folder.path().join("board.redb");
    let (newcomer, _stops) = replica(Some(&path), &config);
    restore_from(&made, &newcomer);
    drop(newcomer);
    // It remembers that it was restored.
    let (newcomer, _stops) = replica(Some(&path), &config);
    let questions = questions(&made.observed.executed.after);
    let refused = |newcomer: &Replica| {
        let answers = answers(&newcomer.committed().unwrap(), &questions).into_iter();
        let refused = answers.filter(|answer| *answer == Err(Refusal::NotReady));
        refused.count()
    };
    assert_eq!(refused(&newcomer), questions.len());
    assert_eq!(newcomer.check_tx(b"anything"), Err(Refusal::NotReady));
    // The next block is decided without it, and makes it whole.
    let mut world = made.world;
    let observed = world.block();
    let block = seen(&observed, observed.block());
    assert!(newcomer.judge(&block).unwrap().is_err());
    let proposal = newcomer.propose(seen(&observed, Vec::new()), 1 << 20);
    assert!(proposal.unwrap().is_empty());
    let (_, root) = newcomer.decide(&block).unwrap();
    assert_eq!(root, observed.root);
    newcomer.store_decided().unwrap();
    assert!(refused(&newcomer) < questions.len());
    let observed = world.block();
    let block = seen(&observed, observed.block());
    newcomer.judge(&block).unwrap().unwrap();
}

/// The genesis of a network, as the engine's file has it.
pub fn genesis_json(network: &Network) -> String {
    assert_eq!(
        (network.genesis_time.seconds, network.genesis_time.nanos),
        (1_000_000, 0)
    );
    let validators: Vec<Value> = network.charter.replicas.iter().map(validator).collect();
    json!({
        "genesis_time": "1970-01-12T13:46:40Z",
        "chain_id": network.chain_id,
        "initial_height": network.initial_height.to_string(),
        "consensus_params": {
            "block": { "max_bytes": "-1" },
            "evidence": { "max_bytes": "0" },
        },
        "validators": validators,
        "app_state": { "params": network.params, "charter": *network.charter },
    })
    .to_string()
}

fn validator(replica: &Listed) -> Value {
    json!({
        "pub_key": {
            "type": "tendermint/PubKeyEd25519",
            "value": STANDARD.encode(replica.validator.0),
        },
        "power": "10",
    })
}
