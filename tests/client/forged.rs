//! Validators who sign whatever they like: what a reader notices of it all the same.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde_json::{Value, json};
use tendermint::{
    AppHash, Hash as TendermintHash, account,
    block::{Header, Height, header::Version, signed_header::SignedHeader},
};
use white_city_client::{
    Bitmap, Client, Error, Hash, Network, SessionId, Spec, Trust,
    read::{Lie, ReadSession, check},
    trust::BadHeader,
    wire::{
        Entry, FinishHeader,
        board::{
            BoardRoot, Cause, SessionLeaf, Status, Terminal, slot_leaf, slots_root,
            transcript_start,
        },
        genesis::Validator,
        limits::{NOBODY, PROTOCOL},
        pb::{self, answer::Body, query::Question},
        proof::{RoundProof, SessionProof, StateProof},
        read::{decode_query, join_hashes},
        seal::BlockTime,
        tree::{append_root_from_path, empty_roots},
        tx::{Action, Join, Open, entry_to_pb},
    },
};
use white_city_tests::{
    network::{network, params},
    party::Party,
    scene,
    tampering::Council,
};

/// A network of four validators who all obey this test.
struct Forger {
    council: Council,
    trust: Trust,
}

impl Forger {
    fn new() -> Self {
        let council = Council::new((0..4).map(|seed| [100 + seed; 32]));
        let validators = council
            .keys()
            .into_iter()
            .map(|key| Validator { key, power: 10 });
        let trust = Trust::new(Network {
            validators: validators.collect(),
            ..Network::clone(&network(4, params(&[])))
        });
        Self {
            council,
            trust: trust.unwrap(),
        }
    }

    fn header(&self, data_hash: Hash) -> Header {
        let hash = TendermintHash::Sha256([0; 32]);
        Header {
            version: Version { block: 11, app: 0 },
            chain_id: self.trust.network().chain_id.parse().unwrap(),
            height: Height::try_from(HEIGHT).unwrap(),
            time: tendermint::Time::from_unix_timestamp(1_000_000, 0).unwrap(),
            last_block_id: None,
            last_commit_hash: Some(hash),
            data_hash: Some(TendermintHash::Sha256(data_hash.0)),
            validators_hash: self.council.hash(),
            next_validators_hash: self.council.hash(),
            consensus_hash: hash,
            app_hash: AppHash::try_from(vec![0; 32]).unwrap(),
            last_results_hash: Some(hash),
            evidence_hash: Some(hash),
            proposer_address: account::Id::new([0; 20]),
        }
    }

    /// An answer about the only session of a board, and the header that certifies it.
    fn answer(&self, leaf: &SessionLeaf, body: Body) -> (pb::Answer, SignedHeader) {
        let empty = empty_roots();
        let path: Vec<Hash> = empty[..32].to_vec();
        let state = StateProof {
            board: BoardRoot {
                protocol: PROTOCOL,
                params_hash: self.trust.network().params_hash,
                sessions: 1,
                sessions_root: append_root_from_path(leaf.hash(), 0, &path).unwrap(),
                openers: 0,
                openers_root: empty[32],
                paused_ms: 0,
            },
            parent_hash: Hash::ZERO,
            parent_time: BlockTime::default(),
            data_path: Vec::new(),
        };
        let session = SessionProof {
            number: 0,
            leaf: leaf.clone(),
            path: Vec::new(),
        };
        let answer = pb::Answer {
            version: 1,
            height: HEIGHT,
            state: Some((&state).into()),
            session: Some((&session).into()),
            round: None,
            body: Some(body),
        };
        (answer, self.council.sign(self.header(state.data_hash()), 4))
    }
}

/// A session of three that everybody has joined, as its validators state it.
struct Stated {
    parties: Vec<Party>,
    open: Open,
    id: SessionId,
    joins: Vec<Join>,
    leaf: SessionLeaf,
    now: pb::SessionAnswer,
    items: Vec<pb::InboxItem>,
}

impl Stated {
    fn new(trust: &Trust) -> Self {
        let parties = Party::several(3);
        let open = Open {
            spec: scene::spec(&parties, 2),
            opener: *parties[0].key(),
            nonce: [1; 32],
            open_by_ms: 1,
        };
        let id = open.session_id(&trust.network().id);
        let joins = (0_u16..).zip(&parties).map(|(index, party)| Join {
            session: id,
            index,
            key: party.encryption_key(0),
        });
        let joins: Vec<Join> = joins.collect();
        let root = slots_root(joins.iter().map(|join| Some(join.digest())));
        let mut stated = Self {
            leaf: SessionLeaf {
                session: id,
                status: Status::Running,
                open_round: 1,
                transcript: transcript_start(&id, &root),
                slots_root: Hash::ZERO,
                deadline_ms: 0,
                call_blocks: 0,
                callers: [0; 32],
                dispute: Hash::ZERO,
                terminal: Hash::ZERO,
                evidence: Hash::ZERO,
                left: Hash::ZERO,
            },
            now: pb::SessionAnswer::default(),
            items: Vec::new(),
            parties,
            open,
            id,
            joins,
        };
        stated.set_slots([None; 3]);
        stated
    }

    fn spec(&self) -> &Spec {
        &self.open.spec
    }

    fn set_slots(&mut self, digests: [Option<Hash>; 3]) {
        self.leaf.slots_root = slots_root(digests);
        let leaves = digests.map(|digest| slot_leaf(digest.as_ref()));
        self.now.slots = join_hashes(&leaves);
    }

    /// Parties finish with this outcome.
    fn finish(&mut self, trust: &Trust, indices: &[u16], outcome: Hash) {
        let mut digests = [None; 3];
        self.items.clear();
        for index in indices {
            let header = FinishHeader {
                session: self.id,
                round: 1,
                index: *index,
                transcript: self.leaf.transcript,
                outcome,
            };
            let entry = Entry::Finish(header);
            digests[usize::from(*index)] = Some(entry.digest());
            let signed = self.parties[usize::from(*index)].entry(entry, &trust.network().id);
            let signed = entry_to_pb(&signed);
            self.items.push(pb::InboxItem {
                entry: Some(pb::inbox_item::Entry::Signed(signed)),
                ..Default::default()
            });
        }
        self.set_slots(digests);
    }

    /// The validators state this end.
    fn end(&mut self, status: Status, terminal: &Terminal) {
        self.leaf.status = status;
        self.leaf.terminal = terminal.hash();
        self.now.terminal = Some(terminal.into());
    }

    /// What the board answers.
    fn body(&self, trust: &Trust, question: &Question) -> (Option<RoundProof>, Body) {
        let network = trust.network().id;
        let signature = |party: &Party, action| party.tx(action, &network);
        match question {
            Question::Params(_) => {
                let params = pb::ParamsAnswer {
                    network_id: network.0.to_vec(),
                    ..Default::default()
                };
                (None, Body::Params(params))
            }
            Question::Spec(_) => {
                let tx = signature(&self.parties[0], Action::Open(self.open.clone()));
                let Some(pb::tx::Body::Open(open)) = decoded(&tx.encode()) else {
                    panic!("an opening")
                };
                (None, Body::Spec(pb::SpecAnswer { open: Some(open) }))
            }
            Question::Inbox(inbox) => {
                let joins = self.joins.iter().zip(&self.parties).map(|(join, party)| {
                    let tx = signature(party, Action::Join(join.clone()));
                    let Some(pb::tx::Body::Join(join)) = decoded(&tx.encode()) else {
                        panic!("a join")
                    };
                    pb::InboxItem {
                        entry: Some(pb::inbox_item::Entry::Join(join)),
                        ..Default::default()
                    }
                });
                let proof = RoundProof {
                    before: Hash(self.id.0),
                    later_roots: Vec::new(),
                };
                let answer = pb::InboxAnswer {
                    round: inbox.round,
                    items: if inbox.round == 0 {
                        joins.collect()
                    } else {
                        self.items.clone()
                    },
                    next_index: 3,
                    now: Some(self.now.clone()),
                };
                ((inbox.round == 0).then_some(proof), Body::Inbox(answer))
            }
            _ => (None, Body::SessionNow(self.now.clone())),
        }
    }

    fn read(&self, forger: &Forger) -> Result<(), Lie> {
        let (answer, header) = forger.answer(&self.leaf, Body::SessionNow(self.now.clone()));
        let header = Arc::new(forger.trust.verify(header).unwrap());
        let read = ReadSession {
            id: self.id,
            spec: self.spec(),
        };
        check(&read, &forger.trust, &answer.encode_to_vec(), &header).map(drop)
    }
}

fn decoded(tx: &[u8]) -> Option<pb::tx::Body> {
    pb::Tx::decode(tx).unwrap().body
}

fn bitmap(indices: &[u16]) -> Bitmap {
    let mut bitmap = Bitmap::empty(3);
    indices.iter().for_each(|index| {
        bitmap.insert(*index);
    });
    bitmap
}

fn aborted(members: &[u16], filled: &[u16]) -> Terminal {
    Terminal {
        status: Status::Aborted,
        cause: Cause::TooFew,
        height: 4,
        board_ms: 1,
        by: NOBODY,
        outcome: Hash::ZERO,
        members: bitmap(members),
        filled: bitmap(filled),
    }
}

/// Height of all that is stated.
const HEIGHT: u64 = 5;

/// A replica with the validators' keys.
struct Fake {
    url: String,
}

impl Fake {
    async fn start(stated: Stated) -> Self {
        let said = Arc::new((stated, Forger::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(reply)).with_state(said);
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url }
    }

    async fn observe(&self, trust: &Trust, id: SessionId) -> Result<(), Error> {
        let client = Client::builder(trust.clone())
            .replicas([self.url.clone()])
            .build()
            .unwrap();
        client.observe(id).await.map(drop)
    }
}

async fn reply(
    State(said): State<Arc<(Stated, Forger)>>,
    Json(request): Json<Value>,
) -> Json<Value> {
    let (stated, forger) = &*said;
    let params = &request["params"];
    let result = match request["method"].as_str().unwrap() {
        "abci_query" => {
            let query = hex::decode(params["data"].as_str().unwrap()).unwrap();
            let (round, body) = stated.body(&forger.trust, &decode_query(&query).unwrap());
            let (mut answer, _) = forger.answer(&stated.leaf, body);
            answer.round = round.as_ref().map(Into::into);
            json!({ "response": { "code": 0, "value": STANDARD.encode(answer.encode_to_vec()) } })
        }
        _ => {
            let body = Body::SessionNow(pb::SessionAnswer::default());
            json!({ "signed_header": forger.answer(&stated.leaf, body).1 })
        }
    };
    Json(json!({ "jsonrpc": "2.0", "id": 1, "result": result }))
}

#[test]
fn a_header_needs_its_chain_its_validators_and_more_than_two_thirds_of_them() {
    let forger = Forger::new();
    let header = || forger.header(Hash([1; 32]));
    let verify = |header, votes| forger.trust.verify(forger.council.sign(header, votes));
    assert!(verify(header(), 4).is_ok());
    assert!(verify(header(), 3).is_ok());
    assert!(matches!(verify(header(), 2), Err(BadHeader::Commit(_))));
    let other = TendermintHash::Sha256([9; 32]);
    let forged = [
        (
            "chain",
            Header {
                chain_id: "other".parse().unwrap(),
                ..header()
            },
        ),
        (
            "validators",
            Header {
                validators_hash: other,
                ..header()
            },
        ),
        (
            "next validators",
            Header {
                next_validators_hash: other,
                ..header()
            },
        ),
        (
            "data",
            Header {
                data_hash: None,
                ..header()
            },
        ),
    ];
    for (what, header) in forged {
        let refused = verify(header, 4).unwrap_err();
        let fits = match what {
            "chain" => matches!(refused, BadHeader::Chain(_)),
            "data" => matches!(
                refused,
                BadHeader::Field {
                    field: "data_hash",
                    ..
                }
            ),
            _ => matches!(refused, BadHeader::Validators { .. }),
        };
        assert!(fits, "{what}: {refused}");
    }
}

#[test]
fn a_header_is_of_its_commits_height_and_not_before_the_first() {
    let forger = Forger::new();
    let header = || forger.header(Hash([1; 32]));
    // The same validators have signed a later commit for this block.
    let later = forger
        .council
        .sign_at(header(), 4, Height::try_from(6_u64).unwrap());
    let refused = forger.trust.verify(later);
    assert!(
        matches!(
            refused,
            Err(BadHeader::Field {
                field: "height",
                ..
            })
        ),
        "{refused:?}"
    );
    let network = Network {
        initial_height: 6,
        ..forger.trust.network().clone()
    };
    let before_the_first = Trust::new(network)
        .unwrap()
        .verify(forger.council.sign(header(), 4));
    assert!(matches!(
        before_the_first,
        Err(BadHeader::Field {
            field: "height",
            ..
        })
    ));
}

#[test]
fn a_terminal_record_that_does_not_fit_the_slots_is_a_lie_whoever_has_signed_it() {
    let forger = Forger::new();
    let stated = || {
        let mut stated = Stated::new(&forger.trust);
        stated.finish(&forger.trust, &[0, 1], Hash([7; 32]));
        stated
    };
    let read = |status, terminal: &Terminal| {
        let mut stated = stated();
        stated.end(status, terminal);
        stated.read(&forger)
    };
    assert_eq!(stated().read(&forger), Ok(()));
    assert_eq!(read(Status::Aborted, &aborted(&[0, 1, 2], &[0, 1])), Ok(()));
    for (what, status, terminal) in [
        ("status", Status::Finished, aborted(&[0, 1, 2], &[0, 1])),
        ("filled", Status::Aborted, aborted(&[0, 1, 2], &[0])),
        ("members", Status::Aborted, aborted(&[0, 2], &[0, 1])),
    ] {
        assert!(read(status, &terminal).is_err(), "{what}");
    }
    let mut padded = stated();
    padded.now.slots.extend([0; 32]);
    assert!(
        padded.read(&forger).is_err(),
        "the same root over another roster"
    );
}

#[tokio::test]
async fn whoever_follows_a_session_notices_an_end_that_can_not_be() {
    let trust = Forger::new().trust;
    let outcome = Hash([7; 32]);
    let finished = Terminal {
        status: Status::Finished,
        cause: Cause::None,
        outcome,
        ..aborted(&[0, 1, 2], &[0, 1])
    };
    let observe = async |change: &dyn Fn(&mut Stated)| {
        let mut stated = Stated::new(&trust);
        let id = stated.id;
        change(&mut stated);
        Fake::start(stated).await.observe(&trust, id).await
    };
    let honest = [
        observe(&|_| {}).await,
        observe(&|stated| {
            stated.finish(&trust, &[0, 1], outcome);
            stated.end(Status::Finished, &finished);
        })
        .await,
    ];
    assert_eq!(honest, [Ok(()), Ok(())]);
    let lies = [
        (
            "other members",
            observe(&|stated| {
                stated.end(Status::Aborted, &aborted(&[0, 1], &[]));
            })
            .await,
        ),
        (
            "an outcome of one party",
            observe(&|stated| {
                stated.finish(&trust, &[1], outcome);
                let filled = bitmap(&[1]);
                let finished = finished.clone();
                stated.end(Status::Finished, &Terminal { filled, ..finished });
            })
            .await,
        ),
        (
            "another outcome than the parties'",
            observe(&|stated| {
                stated.finish(&trust, &[0, 1], Hash([8; 32]));
                stated.end(Status::Finished, &finished);
            })
            .await,
        ),
        (
            "an outcome that nobody has signed",
            observe(&|stated| {
                stated.finish(&trust, &[0, 1], outcome);
                stated.items.clear();
                stated.end(Status::Finished, &finished);
            })
            .await,
        ),
    ];
    for (what, observed) in lies {
        assert!(
            matches!(observed, Err(Error::ReplicaLied { .. })),
            "{what}: {observed:?}"
        );
    }
    let erased = observe(&|stated| stated.leaf.status = Status::Erased).await;
    assert_eq!(erased, Err(Error::Erased));
}

#[test]
fn an_answer_is_of_its_headers_height() {
    let forger = Forger::new();
    let stated = Stated::new(&forger.trust);
    let body = Body::SessionNow(stated.now.clone());
    let (mut answer, header) = forger.answer(&stated.leaf, body);
    let header = Arc::new(forger.trust.verify(header).unwrap());
    let read = ReadSession {
        id: stated.id,
        spec: stated.spec(),
    };
    let refused = |answer: &pb::Answer| {
        check(&read, &forger.trust, &answer.encode_to_vec(), &header).is_err()
    };
    assert!(!refused(&answer));
    answer.height += 1;
    assert!(refused(&answer));
}

#[test]
fn a_header_past_the_limit_is_not_decoded() {
    let forger = Forger::new();
    let refused = |bytes: usize| {
        let refused = forger.trust.decode_header(&vec![0; bytes]).unwrap_err();
        refused.to_string().contains("at most")
    };
    let max = white_city_client::trust::SIGNED_HEADER_BYTES_MAX;
    assert_eq!([max, max + 1].map(refused), [false, true]);
}
