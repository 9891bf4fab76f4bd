//! Cost of a block to a replica, in things that can be counted.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use redb::{StorageBackend, backends::InMemoryBackend};
use tendermint_abci::Application as _;
use tendermint_proto::v0_38::abci::RequestQuery;
use white_city_replica::{Store, work::Work};
use white_city_tests::{network::rules, party::Party};
use white_city_wire::{
    AppState,
    pb::{self, query::Question, session_ref::Ref},
    read::{QUERY_PATH, decode_answer, encode_query},
};

use crate::chain::{Chain, naive, proposed};

#[test]
fn each_signature_is_checked_once_and_each_block_executed_once() {
    let (mut one, mut two) = (Chain::new(&naive()), Chain::new(&naive()));
    let parties = Party::several(3);
    let session = one.running(&parties);
    assert_eq!(two.running(&parties), session);
    let before = [one.replica.work(), two.replica.work()];
    let posts: Vec<Vec<u8>> = (0..3)
        .map(|index| one.post(&parties, session, index, b"words"))
        .collect();
    // The second replica hears of the last post in the proposal only. Engines ask twice, and again after a block.
    for _ in 0..2 {
        for post in &posts {
            one.replica.check_tx(post).unwrap();
        }
        for post in &posts[..2] {
            two.replica.check_tx(post).unwrap();
        }
    }
    let block = one.propose(&posts, 1 << 20);
    assert_eq!(block.len(), 4);
    for chain in [&mut one, &mut two] {
        let judged = chain
            .replica
            .judge(&proposed(&chain.context(), block.clone()));
        judged.unwrap().unwrap();
        chain.decide(block.clone()).unwrap();
        for post in &posts {
            assert!(chain.replica.check_tx(post).is_err());
        }
    }
    for (chain, before) in [&one, &two].into_iter().zip(before) {
        let after = Work {
            signatures: before.signatures + 3,
            executions: before.executions + 1,
            ..before
        };
        assert_eq!(chain.replica.work(), after);
    }
}

/// Memory that counts what is written to it.
#[derive(Debug)]
struct Counting {
    memory: InMemoryBackend,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    syncs: AtomicU64,
}

impl Counts {
    fn now(&self) -> (u64, u64) {
        let bytes = self.bytes.load(Ordering::SeqCst);
        (bytes, self.syncs.load(Ordering::SeqCst))
    }
}

impl StorageBackend for Counting {
    fn len(&self) -> Result<u64, io::Error> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.counts.syncs.fetch_add(1, Ordering::SeqCst);
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let bytes = u64::try_from(data.len()).unwrap();
        self.counts.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.memory.write(offset, data)
    }
}

/// Rules with room for many sessions.
fn roomy() -> AppState {
    let mut rules = rules(&[]);
    let charter = &mut rules.charter;
    charter.max_board_bytes = 1 << 30;
    (charter.anyone_max_live, charter.anyone_max_bytes) = (1_000, 1 << 30);
    rules
}

#[test]
fn what_a_block_writes_is_bounded_by_the_block_and_not_by_the_board() {
    let counts = Arc::new(Counts::default());
    let store = Store::on(Counting {
        memory: InMemoryBackend::new(),
        counts: Arc::clone(&counts),
    });
    let mut chain = Chain::on(&naive(), roomy(), store.unwrap());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let written = |chain: &mut Chain, txs: &[Vec<u8>]| {
        let before = counts.now();
        chain.block(txs);
        let after = counts.now();
        (after.0 - before.0, after.1 - before.1)
    };
    let post = |chain: &Chain, index| chain.post(&parties, session, index, &[7; 1_000]);
    let first = post(&chain, 0);
    let (small_bytes, small_syncs) = written(&mut chain, &[first]);
    // One write transaction, which is synced twice, and twice more when the file grows.
    assert_eq!(small_syncs, 2);
    let opens: Vec<Vec<u8>> = (2..202)
        .map(|nonce| chain.open(&parties, nonce).1)
        .collect();
    let (opened_bytes, opened_syncs) = written(&mut chain, &opens);
    assert!(opened_syncs <= 4, "{opened_syncs} syncs for two hundred");
    assert!(opened_bytes > small_bytes);
    let empty = written(&mut chain, &[]).0;
    let second = post(&chain, 1);
    let (large_bytes, large_syncs) = written(&mut chain, &[second]);
    assert_eq!(large_syncs, small_syncs);
    // The same on a board of two hundred sessions. (The block before has started their clocks.)
    assert!(
        large_bytes <= 2 * small_bytes,
        "{small_bytes} bytes on a small board, {large_bytes} on a large one; {opened_bytes}, {empty}"
    );
}

#[test]
fn a_party_reads_a_round_in_bytes_that_grow_with_the_parties_and_copies_no_entry() {
    let read = |n: u64| {
        let mut chain = Chain::on(&naive(), roomy(), Store::in_memory().unwrap());
        let parties = Party::several(n);
        let session = chain.running(&parties);
        let size = u16::try_from(n).unwrap();
        let posts: Vec<Vec<u8>> = (0..size)
            .map(|index| chain.post_to_all(&parties, session, index, 200))
            .collect();
        chain.block(&posts);
        let question = Question::Inbox(pb::InboxQuery {
            session: Some(pb::SessionRef {
                r#ref: Some(Ref::Id(session.0.to_vec())),
            }),
            round: 1,
            reader: 0,
            ..Default::default()
        });
        let response = chain.replica.query(RequestQuery {
            path: QUERY_PATH.into(),
            data: encode_query(question).into(),
            ..Default::default()
        });
        assert_eq!(response.code, 0, "{}", response.log);
        let (bytes, mut answer) = (response.value.len(), None);
        let decoding = allocation_counter::measure(|| {
            answer = Some(decode_answer(response.value).unwrap());
        });
        let Some(pb::answer::Body::Inbox(inbox)) = answer.unwrap().body else {
            panic!("an inbox")
        };
        assert_eq!(inbox.items.len(), usize::from(size));
        let others = inbox
            .items
            .iter()
            .filter(|item| !item.ciphertext.is_empty());
        assert_eq!(others.count() + 1, usize::from(size));
        (bytes, decoding.count_total)
    };
    let ((small, few), (large, many)) = (read(4), read(12));
    // Three times the parties; the path to each payload is two siblings longer.
    assert!(large <= 4 * small, "{small} bytes for 4, {large} for 12");
    // A list grows a few times; an entry has eight parts.
    assert!(many <= few + 4, "{few} allocations for 4, {many} for 12");
}

#[test]
fn what_a_block_allocates_is_bounded_by_the_block_and_not_by_the_board() {
    let mut chain = Chain::on(&naive(), roomy(), Store::in_memory().unwrap());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    // What the store's library keeps of pages in memory isn't the replica's: judged is without storing.
    let allocated = |chain: &mut Chain, index| {
        let post = chain.post(&parties, session, index, &[7; 1_000]);
        let block = chain.propose(std::slice::from_ref(&post), 1 << 20);
        let proposal = proposed(&chain.context(), block.clone());
        let judging = allocation_counter::measure(|| {
            chain.replica.judge(&proposal).unwrap().unwrap();
        });
        chain.decide(block).unwrap();
        judging.bytes_total
    };
    let small = allocated(&mut chain, 0);
    for nonces in [2..82, 82..162, 162..242] {
        let opens: Vec<Vec<u8>> = nonces.map(|nonce| chain.open(&parties, nonce).1).collect();
        chain.block(&opens);
    }
    // The block that follows starts the clocks of what was opened.
    chain.block(&[]);
    let large = allocated(&mut chain, 1);
    assert!(
        large <= 2 * small,
        "{small} bytes beside one session, {large} beside two hundred and forty"
    );
}
