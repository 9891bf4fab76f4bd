//! A whole replica: what it answers to queries, takes into its mempool and says of proposals.

use std::sync::mpsc;

use tendermint_abci::Application as _;
use tendermint_proto::{
    google::protobuf::Timestamp,
    v0_38::{
        abci::{
            RequestFinalizeBlock, RequestInitChain, RequestPrepareProposal, RequestProcessProposal,
            RequestQuery, ValidatorUpdate, response_process_proposal::ProposalStatus,
        },
        crypto::{PublicKey, public_key::Sum},
        types::{BlockParams, ConsensusParams, EvidenceParams},
    },
};
use white_city_replica::{Config, Halt, Replica, Store, genesis};
use white_city_tests::{
    complaints::{complain_about, reveal_of},
    network::rules,
    party::Party,
    scene::spec,
};
use white_city_wire::{
    Complain, Hash, NetworkId, SessionId, SignedTx,
    board::transcript_after,
    read::decode_answer,
    tx::{Action, Join, Leave, Open, Post},
};

use crate::{fuzz, queries::questions};

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

    fn propose(&self, txs: &[Vec<u8>]) -> Vec<prost::bytes::Bytes> {
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

    fn accepts(&self, items: Vec<prost::bytes::Bytes>) -> bool {
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
    RequestInitChain {
        time: Some(Timestamp {
            seconds: START,
            nanos: 0,
        }),
        chain_id: "fuzz".into(),
        consensus_params: Some(ConsensusParams {
            block: Some(BlockParams {
                max_bytes: 1 << 20,
                max_gas: -1,
            }),
            evidence: Some(EvidenceParams {
                max_bytes: 1_000,
                ..Default::default()
            }),
            ..Default::default()
        }),
        validators: (1..=4)
            .map(|i| ValidatorUpdate {
                pub_key: Some(PublicKey {
                    sum: Some(Sum::Ed25519(vec![i; 32])),
                }),
                power: 10,
            })
            .collect(),
        app_state_bytes: serde_json::to_vec(&rules(&[])).unwrap().into(),
        initial_height: 1,
    }
}

#[test]
fn a_replica_answers_every_query_or_says_why_not() {
    let fixture = Fixture::new();
    let ids: Vec<Hash> = fixture.sessions.iter().map(|id| Hash(id.0)).collect();
    let mut kinds = std::collections::BTreeSet::new();
    fuzz("queries", &questions(&ids), |input| {
        let request = RequestQuery {
            path: "/v1".into(),
            data: input.to_vec().into(),
            ..Default::default()
        };
        let response = fixture.replica.query(request);
        if response.code == 0 {
            let answer = decode_answer(response.value.clone()).unwrap();
            kinds.insert(format!(
                "{:?}",
                std::mem::discriminant(&answer.body.unwrap())
            ));
            return true;
        }
        assert!(response.code >= 16 && !response.log.is_empty());
        false
    });
    assert_eq!(
        kinds.len(),
        11,
        "every kind of question is answered by some input"
    );
}

#[test]
fn a_replica_answers_every_path_or_says_why_not() {
    let fixture = Fixture::new();
    let id = fixture.sessions[0];
    let paths = [
        "/json/params".to_owned(),
        "/json/sessions".to_owned(),
        format!("/json/sessions/{}", fixture.parties[0].key()),
        "/json/openers".to_owned(),
        format!("/json/session/{id}"),
        format!("/json/session/{id}/spec"),
        format!("/json/session/{id}/round/1"),
        "/json/session/1".to_owned(),
        "/json/session/0/round/0".to_owned(),
        "/json/session/0/round/4294967295".to_owned(),
        "/v1".to_owned(),
    ];
    let seeds: Vec<Vec<u8>> = paths.into_iter().map(String::into_bytes).collect();
    fuzz("paths", &seeds, |input| {
        let path = String::from_utf8_lossy(input).into_owned();
        let response = fixture.replica.query(RequestQuery {
            path,
            ..Default::default()
        });
        if response.code == 0 {
            assert!(
                serde_json::from_str::<serde_json::Value>(&response.info)
                    .unwrap()
                    .is_object()
            );
            return true;
        }
        assert!(response.code >= 16 && !response.log.is_empty());
        false
    });
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

#[test]
fn a_mempool_takes_what_the_next_block_would_take_and_refuses_the_rest_with_a_code() {
    let fixture = Fixture::new();
    fuzz("mempool", &transactions(&fixture), |input| {
        let taken = fixture.replica.check_tx(input);
        assert!(!fixture.replica.halt().is_halted());
        taken.is_ok_and(|()| SignedTx::decode(input).is_ok())
    });
}

#[test]
fn a_mempool_takes_a_complaint_and_then_its_reveal_and_refuses_the_rest_with_a_code() {
    let mut fixture = Fixture::new();
    let taken = |fixture: &Fixture, input: &[u8]| {
        let taken = fixture.replica.check_tx(input);
        assert!(!fixture.replica.halt().is_halted());
        taken.is_ok_and(|()| SignedTx::decode(input).is_ok())
    };
    let complaint = fixture.complaint();
    let complain = fixture.tx(1, Action::Complain(complaint.clone()));
    let seeds = [complain.clone()];
    fuzz("complaints", &seeds, |input| taken(&fixture, input));
    fixture.block(vec![complain]);
    let reveal = reveal_of(&complaint, [1; 32], b"a plaintext");
    let seeds = [fixture.tx(0, Action::Reveal(reveal))];
    fuzz("reveals", &seeds, |input| taken(&fixture, input));
}

#[test]
fn a_proposal_is_judged_without_a_halt_whatever_is_in_it() {
    let fixture = Fixture::new();
    let good = fixture.propose(&transactions(&fixture));
    assert!(good.len() > 2);
    assert!(fixture.accepts(good.clone()));
    let seal = good[0].to_vec();
    let mut sorted = good.clone();
    sorted.sort();
    // The seeds are items of a block behind one another, each under its length.
    let pack = |items: &[Vec<u8>]| {
        items
            .iter()
            .flat_map(|i| [&u16::try_from(i.len()).unwrap().to_be_bytes(), &i[..]].concat())
            .collect()
    };
    let all: Vec<Vec<u8>> = good.iter().map(|item| item.to_vec()).collect();
    let seeds: Vec<Vec<u8>> = vec![
        pack(&all),
        pack(&all[..1]),
        pack(&[seal, all[1].clone()]),
        pack(&all[1..]),
    ];
    fuzz("proposals", &seeds, |mut input| {
        let mut items = Vec::new();
        while let Some((length, rest)) = input.split_first_chunk::<2>() {
            let (item, rest) =
                rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
            items.push(prost::bytes::Bytes::copy_from_slice(item));
            input = rest;
        }
        let accepted = fixture.accepts(items.clone());
        // Entries of different slots give one root in any order; nothing else may differ under one seal.
        items.sort();
        assert!(
            !accepted || items == sorted,
            "another block under the same seal"
        );
        accepted
    });
}
