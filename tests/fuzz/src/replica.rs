//! A whole replica: what it answers to queries, takes into its mempool and says of proposals.

use std::sync::{LazyLock, mpsc};

use prost::bytes::Bytes;

use tendermint_abci::Application as _;
use tendermint_proto::{
    google::protobuf::Timestamp,
    v0_38::{
        abci::{
            RequestFinalizeBlock, RequestInitChain, RequestPrepareProposal, RequestProcessProposal,
            RequestQuery, ValidatorUpdate, response_process_proposal::ProposalStatus,
        },
        crypto::{PublicKey, public_key::Sum},
        types::{BlockParams, ConsensusParams, EvidenceParams, ValidatorParams},
    },
};
use white_city_replica::{Config, Halt, Replica, Store, genesis};
use white_city_tests::{
    complaints::{complain_about, reveal_of},
    network::{replica, rules, storable},
    party::Party,
    scene::spec,
};
use white_city_wire::{
    Complain, Hash, NetworkId, SessionId, SignedTx,
    board::transcript_after,
    pb,
    read::decode_answer,
    tx::{Action, Join, Leave, Open, Post},
};

use crate::{Target, questions::questions};

/// Memory for a block and its proposal, bytes.
const BLOCK_BYTES: u64 = 16 << 20;

/// Questions, in their protobuf, to a replica that has sessions.
pub const QUERIES: Target = Target::new("queries", query_seeds, |input| answered(input).is_some());

/// Questions of people and scripts, as paths.
pub const PATHS: Target = Target::new("paths", paths, take_path);

/// Transactions for the mempool.
pub const MEMPOOL: Target = Target::new(
    "mempool",
    || transactions(&POOL),
    |input| check(&POOL, input),
)
.within(BLOCK_BYTES);

/// Complaints for the mempool.
pub const COMPLAINTS: Target = Target::new(
    "complaints",
    || vec![complaint(&COMPLAINED)],
    |input| check(&COMPLAINED, input),
)
.within(BLOCK_BYTES);

/// Reveals for the mempool, in a session that is in dispute.
pub const REVEALS: Target =
    Target::new("reveals", reveals, |input| check(&DISPUTED, input)).within(BLOCK_BYTES);

/// Blocks that somebody proposes: items behind one another, each under its length.
pub const PROPOSALS: Target =
    Target::new("proposals", proposals, take_proposal).within(BLOCK_BYTES);

/// A replica with a session that runs, which is only asked.
static RUNNING: LazyLock<Fixture> = LazyLock::new(Fixture::new);

/// One that is given transactions.
static POOL: LazyLock<Fixture> = LazyLock::new(Fixture::new);

/// One that is given complaints.
static COMPLAINED: LazyLock<Fixture> = LazyLock::new(Fixture::new);

/// One that is given proposals.
static JUDGE: LazyLock<Fixture> = LazyLock::new(Fixture::new);

/// A replica whose session is in dispute.
static DISPUTED: LazyLock<Fixture> = LazyLock::new(|| {
    let mut fixture = Fixture::new();
    let complain = complaint(&fixture);
    fixture.block(vec![complain]);
    fixture
});

/// The one block with these transactions that the replica accepts.
static GOOD: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let good = JUDGE.propose(&transactions(&JUDGE));
    assert!(good.len() > 2);
    assert!(JUDGE.accepts(good.clone()));
    good
});

const START: i64 = 1_000_000;

/// A replica with one session in round 2, and one that was declined.
struct Fixture {
    replica: Replica,
    network: NetworkId,
    parties: Vec<Party>,
    sessions: Vec<SessionId>,
    height: i64,
}

impl Fixture {
    fn new() -> Self {
        let store = Store::in_memory().unwrap();
        // Nothing comes while a block is made.
        let config = Config {
            proposal_wait_ms: 0,
            ..Config::default()
        };
        let replica = Replica::new(&config, store, Halt::new(mpsc::channel().0)).unwrap();
        let request = init_chain();
        let network = genesis::network(&request).unwrap().id;
        assert_eq!(replica.init_chain(request).app_hash.len(), 32);
        let mut fixture = Self {
            replica,
            network,
            parties: Party::several(3),
            sessions: Vec::new(),
            height: 0,
        };
        let opens = vec![fixture.open(1), fixture.open(2)];
        fixture.block(opens);
        let session = fixture.sessions[0];
        let joins = (0..3).map(|i| fixture.join(session, i)).collect();
        fixture.block(joins);
        let transcript = fixture.transcript();
        let posts = (0..3).map(|i| fixture.post(transcript, i)).collect();
        fixture.block(posts);
        let declines = (0..2)
            .map(|i| fixture.decline(fixture.sessions[1], i))
            .collect();
        fixture.block(declines);
        let state = fixture.replica.committed().unwrap();
        assert_eq!(state.state.session(&session).unwrap().leaf.open_round, 2);
        assert!(!fixture.replica.halt().is_halted());
        fixture
    }

    fn tx(&self, signer: u16, action: Action) -> Vec<u8> {
        self.parties[usize::from(signer)]
            .tx(action, &self.network)
            .encode()
    }

    fn open(&mut self, nonce: u8) -> Vec<u8> {
        let open = Open {
            spec: spec(&self.parties, 2),
            opener: *self.parties[0].key(),
            nonce: [nonce; 32],
            open_by_ms: START.unsigned_abs() * 1_000 + 5_000,
            stamp: 0,
        };
        self.sessions.push(open.session_id(&self.network));
        self.tx(0, Action::Open(open))
    }

    fn join(&self, session: SessionId, index: u16) -> Vec<u8> {
        let key = self.parties[usize::from(index)].encryption_key(0);
        self.tx(
            index,
            Action::Join(Join {
                session,
                index,
                key,
            }),
        )
    }

    fn post(&self, transcript: Hash, index: u16) -> Vec<u8> {
        let p2p = vec![((index + 1) % 3, vec![7; 60])];
        let post = Post::new(
            self.sessions[0],
            1,
            (index, 3),
            transcript,
            b"broadcast".to_vec(),
            p2p,
        );
        self.tx(index, Action::Post(post))
    }

    /// Party 1's complaint that it can't open what party 0 sent it in round 1.
    fn complaint(&self) -> Complain {
        let bytes = self.post(self.first_transcript(), 0);
        let tx = SignedTx::decode(&bytes).unwrap();
        let tx = tx.verify(self.parties[0].key(), 3, &self.network).unwrap();
        let Action::Post(post) = tx.action() else {
            panic!("a post")
        };
        complain_about(post, 1, 3).unwrap()
    }

    fn first_transcript(&self) -> Hash {
        let committed = self.replica.committed().unwrap();
        let session = committed.state.session(&self.sessions[0]).unwrap();
        let root = session.body().unwrap().closed[0].root;
        transcript_after(&Hash(self.sessions[0].0), 0, &root)
    }

    fn decline(&self, session: SessionId, index: u16) -> Vec<u8> {
        self.tx(
            index,
            Action::Leave {
                session,
                index,
                leave: Leave::Decline { reason: 1 },
            },
        )
    }

    fn transcript(&self) -> Hash {
        let committed = self.replica.committed().unwrap();
        committed
            .state
            .session(&self.sessions[0])
            .unwrap()
            .leaf
            .transcript
    }

    fn propose(&self, txs: &[Vec<u8>]) -> Vec<Bytes> {
        let request = RequestPrepareProposal {
            max_tx_bytes: 1 << 20,
            txs: txs.iter().cloned().map(Into::into).collect(),
            height: self.height + 1,
            time: self.time(),
            proposer_address: vec![0; 20].into(),
            ..Default::default()
        };
        self.replica.prepare_proposal(request).txs
    }

    fn time(&self) -> Option<Timestamp> {
        Some(Timestamp {
            seconds: START,
            nanos: i32::try_from(self.height).unwrap() * 100_000_000,
        })
    }

    /// Runs a block that holds all of `txs`.
    fn block(&mut self, txs: Vec<Vec<u8>>) {
        let items = self.propose(&txs);
        assert_eq!(items.len(), txs.len() + 1, "the seal and every transaction");
        self.replica.finalize_block(RequestFinalizeBlock {
            txs: items,
            hash: vec![u8::try_from(self.height).unwrap(); 32].into(),
            height: self.height + 1,
            time: self.time(),
            proposer_address: vec![0; 20].into(),
            ..Default::default()
        });
        self.replica.commit();
        self.height += 1;
        assert!(!self.replica.halt().is_halted());
    }

    fn accepts(&self, items: Vec<Bytes>) -> bool {
        let response = self.replica.process_proposal(RequestProcessProposal {
            txs: items,
            hash: vec![99; 32].into(),
            height: self.height + 1,
            time: self.time(),
            proposer_address: vec![0; 20].into(),
            ..Default::default()
        });
        assert!(!self.replica.halt().is_halted());
        response.status == i32::from(ProposalStatus::Accept)
    }
}

fn init_chain() -> RequestInitChain {
    let mut rules = storable(rules(&[]));
    rules.charter.replicas = (0..4).map(replica).collect();
    rules.charter.sort();
    RequestInitChain {
        time: Some(Timestamp {
            seconds: START,
            nanos: 0,
        }),
        chain_id: "fuzz".into(),
        consensus_params: Some(ConsensusParams {
            block: Some(BlockParams {
                max_bytes: 1 << 22,
                max_gas: -1,
            }),
            evidence: Some(EvidenceParams {
                max_bytes: 1_000,
                ..Default::default()
            }),
            validator: Some(ValidatorParams {
                pub_key_types: vec!["ed25519".into()],
            }),
            ..Default::default()
        }),
        validators: rules
            .charter
            .replicas
            .iter()
            .map(|replica| ValidatorUpdate {
                pub_key: Some(PublicKey {
                    sum: Some(Sum::Ed25519(replica.validator.0.to_vec())),
                }),
                power: 10,
            })
            .collect(),
        app_state_bytes: serde_json::to_vec(&rules).unwrap().into(),
        initial_height: 1,
    }
}

fn query_seeds() -> Vec<Vec<u8>> {
    let ids: Vec<Hash> = RUNNING.sessions.iter().map(|id| Hash(id.0)).collect();
    questions(&ids)
}

/// The answer to a question, if the replica gives one.
///
/// # Panics
/// When it gives neither an answer nor a reason.
#[must_use]
pub fn answered(question: &[u8]) -> Option<pb::Answer> {
    let response = RUNNING.replica.query(RequestQuery {
        path: "/v1".into(),
        data: question.to_vec().into(),
        ..Default::default()
    });
    if response.code == 0 {
        return Some(decode_answer(response.value).unwrap());
    }
    assert!(response.code >= 16 && !response.log.is_empty());
    None
}

fn paths() -> Vec<Vec<u8>> {
    let id = RUNNING.sessions[0];
    let paths = [
        "/json/params".to_owned(),
        "/json/sessions".to_owned(),
        format!("/json/sessions/{}", RUNNING.parties[0].key()),
        "/json/openers".to_owned(),
        format!("/json/session/{id}"),
        format!("/json/session/{id}/spec"),
        format!("/json/session/{id}/round/1"),
        "/json/session/1".to_owned(),
        "/json/session/0/round/0".to_owned(),
        "/json/session/0/round/4294967295".to_owned(),
        "/v1".to_owned(),
    ];
    paths.into_iter().map(String::into_bytes).collect()
}

fn take_path(input: &[u8]) -> bool {
    let response = RUNNING.replica.query(RequestQuery {
        path: String::from_utf8_lossy(input).into_owned(),
        ..Default::default()
    });
    if response.code == 0 {
        let info: serde_json::Value = serde_json::from_str(&response.info).unwrap();
        assert!(info.is_object());
        return true;
    }
    assert!(response.code >= 16 && !response.log.is_empty());
    false
}

fn transactions(fixture: &Fixture) -> Vec<Vec<u8>> {
    let transcript = fixture.transcript();
    let post = |broadcast: &[u8], index: u16| {
        let post = Post::new(
            fixture.sessions[0],
            2,
            (index, 3),
            transcript,
            broadcast.to_vec(),
            Vec::new(),
        );
        fixture.tx(index, Action::Post(post))
    };
    let mut good = vec![post(b"a", 0), post(b"b", 1), post(b"", 2)];
    for tx in &good {
        assert!(SignedTx::decode(tx).is_ok());
    }
    good.push(fixture.decline(fixture.sessions[1], 2));
    good
}

fn check(fixture: &Fixture, input: &[u8]) -> bool {
    let taken = fixture.replica.check_tx(input);
    assert!(!fixture.replica.halt().is_halted());
    taken.is_ok_and(|()| SignedTx::decode(input).is_ok())
}

/// Party 1's complaint about what party 0 sent it, signed.
fn complaint(fixture: &Fixture) -> Vec<u8> {
    fixture.tx(1, Action::Complain(fixture.complaint()))
}

fn reveals() -> Vec<Vec<u8>> {
    let reveal = reveal_of(&RUNNING.complaint(), [1; 32], b"a plaintext");
    vec![DISPUTED.tx(0, Action::Reveal(reveal))]
}

fn proposals() -> Vec<Vec<u8>> {
    let pack = |items: &[Bytes]| {
        let items = items.iter();
        let items =
            items.flat_map(|i| [&u16::try_from(i.len()).unwrap().to_be_bytes(), &i[..]].concat());
        items.collect()
    };
    let seal_and_one = [GOOD[0].clone(), GOOD[1].clone()];
    vec![
        pack(&GOOD),
        pack(&GOOD[..1]),
        pack(&seal_and_one),
        pack(&GOOD[1..]),
    ]
}

fn take_proposal(mut input: &[u8]) -> bool {
    let mut items = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let (item, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        items.push(Bytes::copy_from_slice(item));
        input = rest;
    }
    let accepted = JUDGE.accepts(items.clone());
    // Entries of different slots give one root in any order; nothing else may differ under one seal.
    let mut good = GOOD.clone();
    good.sort();
    items.sort();
    assert!(
        !accepted || items == good,
        "another block under the same seal"
    );
    accepted
}
