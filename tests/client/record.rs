//! Real questions and answers about real sessions, recorded, with their headers signed anew by four validators.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tendermint::block::{Height, signed_header::SignedHeader};
use tendermint_rpc::Client as _;
use white_city_client::{
    Client, End, Hash, Session, SessionId, Trust,
    history::History,
    read::{
        Read, ReadEvidence, ReadInbox, ReadLeaf, ReadOpeners, ReadRoster, ReadRound, ReadSession,
        ReadSpec, ReadStatus, ReadTranscript, SessionRef,
    },
    trust::VerifiedHeader,
    wire::{Charter, Spec, board::Status, charter::Replica, pb, tx::Action},
};
use white_city_tests::tampering::{Council, Memory};

use crate::{
    villain::complaint,
    world::{World, closed, post, spec, until, world},
};

/// Subject of a question: something of a session, or of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Status,
    Openers,
    Spec(SessionId),
    Leaf(SessionRef),
    Session(SessionId),
    Roster(SessionId),
    Transcript(SessionId),
    Evidence(SessionId),
    Round(SessionId, u32),
    Inbox(SessionId, u32, Option<u16>),
}

/// A question and its honest answer.
pub struct Asked {
    pub what: What,
    pub question: pb::query::Question,
    pub answer: pb::Answer,
}

/// All of it.
pub struct Record {
    pub trust: Trust,
    pub council: Council,
    pub asked: Vec<Asked>,
    pub memory: Memory,
    pub headers: BTreeMap<u64, Arc<VerifiedHeader>>,
    pub specs: BTreeMap<SessionId, Spec>,
    /// Histories that were read before each round, by session and round.
    pub histories: BTreeMap<(SessionId, u32), History>,
}

/// A record that is being made.
struct Recorder {
    world: World,
    record: Record,
}

/// Runs the sessions and records: one finished, one aborted for an absent party, one with an equivocation and somebody who
/// left that still runs, one that too many declined, one erased, one in which parties join, one that a false complaint ended,
/// one in dispute.
pub async fn record() -> Record {
    let world = world().await;
    let council = Council::new((0..4).map(|seed| [100 + seed; 32]));
    let mut network = world.trust().network().clone();
    let mut charter = Charter::clone(&network.charter);
    let replica = charter.replicas[0];
    let keys = council.keys().into_iter();
    let replicas = keys.map(|validator| Replica {
        validator: Hash(validator),
        ..replica
    });
    charter.replicas = replicas.collect();
    charter.sort();
    network.charter = Arc::new(charter);
    let trust = Trust::new(network);
    let mut recorder = Recorder {
        world,
        record: Record {
            trust: trust.unwrap(),
            council,
            asked: Vec::new(),
            memory: Memory::default(),
            headers: BTreeMap::new(),
            specs: BTreeMap::new(),
            histories: BTreeMap::new(),
        },
    };
    let (aborted, mut absent) = recorder.absent().await;
    let erased = recorder.erased().await;
    let sessions = [
        recorder.finished().await,
        aborted,
        recorder.running().await,
        recorder.declined().await,
        recorder.joining().await,
        recorder.judged().await,
        recorder.disputed().await,
    ];
    let end = absent.wait_end().await.unwrap();
    assert!(matches!(end, End::Aborted(_)), "{end:?}");
    let world = &recorder.world;
    until("the erasure", async || {
        let summary = world.client(0).summary(SessionRef::Id(erased)).await;
        summary.unwrap().leaf.status == Status::Erased
    })
    .await;
    // Others open sessions meanwhile, so that blocks hold more than their seals.
    let traffic = tokio::spawn(traffic(world.client(1), world.client(2)));
    // One such answer is there to be tampered with, even if the traffic should end early.
    until("a block with transactions", async || {
        let asked = recorder.ask(What::Status).await;
        let state = asked.answer.state.as_ref();
        let found = state.is_some_and(|state| !state.data_path.is_empty());
        if found {
            recorder.record.asked.push(asked);
        }
        found
    })
    .await;
    for what in [What::Status, What::Openers, What::Leaf(erased.into())] {
        recorder.ask_for_good(what).await;
    }
    for id in sessions {
        recorder.ask_all(id).await;
    }
    traffic.abort();
    recorder.record
}

/// Opens sessions, as many as these two may.
async fn traffic(one: Client, two: Client) {
    let spec = || spec(3).build().unwrap();
    while let (Ok(_), Ok(_)) = tokio::join!(one.open(spec()), two.open(spec())) {}
}

impl Recorder {
    async fn finished(&mut self) -> SessionId {
        let id = self.world.open(spec(4).quorum(3)).await;
        let mut sessions = self.joined(id, 4).await;
        for round in 1..=3 {
            post(&mut sessions, round).await;
            closed(&mut sessions, round).await;
            self.stage(id).await;
        }
        finish(&mut sessions).await;
        id
    }

    /// Party 3 stays away from round 2, which passes while the others' sessions run.
    async fn absent(&mut self) -> (SessionId, Session) {
        let times = [20_000, 15_000, 1_500].map(Duration::from_millis);
        let spec = spec(4).times(times[0], times[1], times[2]);
        let id = self.world.open(spec).await;
        let mut sessions = self.joined(id, 4).await;
        post(&mut sessions, 1).await;
        closed(&mut sessions, 1).await;
        self.stage(id).await;
        post(&mut sessions[..3], 2).await;
        (id, sessions.swap_remove(0))
    }

    async fn running(&mut self) -> SessionId {
        let id = self.world.open(spec(4).quorum(3)).await;
        let mut sessions = self.joined(id, 4).await;
        post(&mut sessions[1..2], 1).await;
        self.world.equivocate(&sessions[1], 1).await;
        let client = self.world.client(0);
        until("the evidence", async || {
            !client.state(id).await.unwrap().accused.is_empty()
        })
        .await;
        post(&mut sessions[..1], 1).await;
        post(&mut sessions[2..], 1).await;
        closed(&mut sessions, 1).await;
        self.stage(id).await;
        post(&mut sessions[..2], 2).await;
        sessions[3].abort(9, None, Hash::ZERO).await.unwrap();
        id
    }

    async fn erased(&mut self) -> SessionId {
        let id = self
            .world
            .open(spec(4).retention(Duration::from_millis(3_000)))
            .await;
        let mut sessions = self.joined(id, 4).await;
        finish(&mut sessions).await;
        self.ask(What::Leaf(id.into())).await;
        id
    }

    async fn declined(&mut self) -> SessionId {
        let id = self.world.open(spec(4).quorum(3)).await;
        self.note(id).await;
        for party in [3, 1] {
            let mut session = self.world.client(party).session(id).await.unwrap();
            session.decline(7).await.unwrap();
        }
        id
    }

    /// Of three parties, so that the tree over their slots has room for a fourth.
    async fn joining(&mut self) -> SessionId {
        let id = self.world.open(spec(3)).await;
        self.note(id).await;
        for party in [0, 2] {
            let mut session = self.world.client(party).session(id).await.unwrap();
            session.join().await.unwrap();
        }
        id
    }

    async fn judged(&mut self) -> SessionId {
        let (id, mut sessions) = self.complained().await;
        let end = sessions[0].wait_end().await.unwrap();
        assert!(matches!(end, End::Aborted(_)), "{end:?}");
        id
    }

    async fn disputed(&mut self) -> SessionId {
        self.complained().await.0
    }

    /// Party 1 complains about a good payload of round 1, and nobody has looked yet.
    async fn complained(&mut self) -> (SessionId, Vec<Session>) {
        let id = self.world.open(spec(4).quorum(3)).await;
        let mut sessions = self.joined(id, 4).await;
        post(&mut sessions, 1).await;
        closed(&mut sessions, 1).await;
        self.stage(id).await;
        let complain = complaint(&self.world, &sessions[1], 1, 0, 1).await;
        let code = self.world.send(1, Action::Complain(complain)).await;
        assert_eq!(code, 0);
        let client = self.world.client(2);
        until("the dispute", async || {
            client.state(id).await.unwrap().leaf.status == Status::Dispute
        })
        .await;
        (id, sessions)
    }

    async fn joined(&mut self, id: SessionId, n: u8) -> Vec<Session> {
        self.note(id).await;
        let sessions = self.world.joined(id, n).await;
        self.stage(id).await;
        sessions
    }

    /// Notes a session's spec and its history before joining.
    async fn note(&mut self, id: SessionId) {
        let spec = self.world.client(0).open_of(id).await.unwrap().spec;
        let network = self.record.trust.network().id;
        let history = History::new(network, id, spec.clone());
        self.record.histories.insert((id, 0), history);
        self.record.specs.insert(id, spec);
    }

    /// Notes what is known of a session now, for answers that are old later.
    async fn stage(&mut self, id: SessionId) {
        let history = self
            .world
            .client(0)
            .observe(id)
            .await
            .unwrap()
            .history()
            .clone();
        let round = history.open_round();
        self.record.histories.insert((id, round), history);
        for what in [
            What::Session(id),
            What::Evidence(id),
            What::Transcript(id),
            What::Status,
        ] {
            self.ask(what).await;
        }
        for round in 0..=round {
            self.ask(What::Round(id, round)).await;
            self.ask(What::Inbox(id, round, Some(2))).await;
        }
    }

    /// Asks everything about a session.
    async fn ask_all(&mut self, id: SessionId) {
        let number = self
            .world
            .client(0)
            .summary(id.into())
            .await
            .unwrap()
            .number;
        for what in [
            What::Spec(id),
            What::Leaf(id.into()),
            What::Leaf(SessionRef::Number(number.into())),
            What::Session(id),
            What::Roster(id),
            What::Transcript(id),
            What::Evidence(id),
        ] {
            self.ask_for_good(what).await;
        }
        let history = self
            .world
            .client(0)
            .observe(id)
            .await
            .unwrap()
            .history()
            .clone();
        for round in 0..=history.open_round() {
            self.ask_for_good(What::Round(id, round)).await;
            for reader in [None, Some(0), Some(2), Some(3)] {
                self.ask_for_good(What::Inbox(id, round, reader)).await;
            }
        }
    }

    async fn ask_for_good(&mut self, what: What) {
        let asked = self.ask(what).await;
        self.record.asked.push(asked);
    }

    async fn ask(&mut self, what: What) -> Asked {
        let question = self.record.question(what);
        let answer = self.world.ask(question.clone()).await;
        let height = Height::try_from(answer.height).unwrap();
        let commit = self.world.rpc().commit(height).await.unwrap();
        let signed = self.record.signed_anew(commit.signed_header);
        self.record.memory.keep(&question, &answer);
        self.record.memory.keep_header(&signed);
        let verified = self.record.trust.verify(signed).unwrap();
        self.record
            .headers
            .insert(answer.height, Arc::new(verified));
        Asked {
            what,
            question,
            answer,
        }
    }
}

async fn finish(sessions: &mut [Session]) {
    for session in sessions.iter_mut() {
        session.finish(Hash([5; 32])).await.unwrap();
    }
    let end = sessions[0].wait_end().await.unwrap();
    assert!(matches!(end, End::Finished { .. }), "{end:?}");
}

impl Record {
    fn signed_anew(&self, signed: SignedHeader) -> SignedHeader {
        let mut header = signed.header;
        header.validators_hash = self.council.hash();
        header.next_validators_hash = self.council.hash();
        self.council.sign(header, 4)
    }

    fn question(&self, what: What) -> pb::query::Question {
        let spec = |id| &self.specs[&id];
        match what {
            What::Status => ReadStatus.question(),
            What::Openers => ReadOpeners { from: 0 }.question(),
            What::Spec(id) => ReadSpec(id).question(),
            What::Leaf(session) => ReadLeaf(session).question(),
            What::Session(id) => ReadSession { id, spec: spec(id) }.question(),
            What::Roster(id) => ReadRoster { id, spec: spec(id) }.question(),
            What::Transcript(id) => ReadTranscript(id).question(),
            What::Evidence(id) => ReadEvidence { id, spec: spec(id) }.question(),
            What::Round(id, round) => ReadRound {
                id,
                spec: spec(id),
                round,
            }
            .question(),
            What::Inbox(id, round, reader) => self.inbox(id, round, reader).question(),
        }
    }

    pub fn inbox(&self, id: SessionId, round: u32, reader: Option<u16>) -> ReadInbox<'_> {
        ReadInbox {
            id,
            spec: &self.specs[&id],
            round,
            reader,
            from_index: 0,
        }
    }
}
