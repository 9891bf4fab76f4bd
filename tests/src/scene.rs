//! One session on one board, for tests of single rules.

use std::sync::Arc;

use white_city_state_machine::{Body, Session, Slot};
use white_city_wire::{
    Entry, FinishHeader, Hash, Kem, Network, NetworkId, PostHeader, Refusal, SessionId, Spec,
    VerifiedTx,
    board::{Cause, Status},
    hash::sha256,
    limits::NOBODY,
    tx::{Action, Join, Leave, Open, Post},
};

use crate::{
    board::{Board, Candidate},
    network::{network, rules},
    party::Party,
};

/// A spec over the first parties, with durations in which a test can count blocks of 100 ms.
#[must_use]
pub fn spec(roster: &[Party], quorum: u16) -> Spec {
    Spec {
        protocol: "test".into(),
        version: 1,
        kem: Kem::X25519,
        roster: roster.iter().map(|party| *party.key()).collect(),
        quorum,
        corrupt: 0,
        max_rounds: 3,
        join_ms: 1_000,
        round_ms: 500,
        reveal_ms: 500,
        retention_ms: 2_000,
        max_bcast: 2_000,
        max_p2p: 1_000,
        max_bytes: 50_000,
        input: b"input".to_vec(),
        prev_session: SessionId::ZERO,
    }
}

/// Changes a spec to this kind of encryption keys, with room for the same plaintexts.
pub fn of_kem(kem: Kem) -> impl Fn(&mut Spec) {
    move |spec| {
        let plaintext = spec.max_p2p.saturating_sub(spec.kem.sealing_bytes());
        spec.max_p2p = plaintext + kem.sealing_bytes();
        spec.kem = kem;
    }
}

/// Every kind of encryption key, in turn. A failing test's output says with which one it went on.
pub fn each_kem() -> impl Iterator<Item = Kem> {
    Kem::ALL
        .into_iter()
        .inspect(|kem| println!("with encryption keys of kind {kem}"))
}

/// A board with one session whose parties are all at hand.
#[derive(Clone)]
pub struct Scene {
    /// The board.
    pub board: Board,
    /// The roster, in order.
    pub parties: Vec<Party>,
    /// The session.
    pub session: SessionId,
}

impl Scene {
    /// A session of `n` parties and this quorum, just opened, on a board of one replica.
    #[must_use]
    pub fn open(n: u16, quorum: u16) -> Self {
        Self::open_with(network(1, rules(&[])), n, quorum, |_| {})
    }

    /// A session on this network, with a spec that the test changes; opened in the first block.
    ///
    /// # Panics
    /// When the board refuses it.
    #[must_use]
    pub fn open_with(
        network: Arc<Network>,
        n: u16,
        quorum: u16,
        change: impl FnOnce(&mut Spec),
    ) -> Self {
        let parties = Party::several(n.into());
        let mut spec = spec(&parties, quorum);
        change(&mut spec);
        let mut board = Board::new(network);
        let open = open(&board, &Party::new(1_000), spec, [1; 32]);
        let id = match open.action() {
            Action::Open(open) => open.session_id(&board.network().id),
            _ => SessionId::ZERO,
        };
        let context = board.next_context(100, 0);
        let executed = board.run(context, vec![Candidate::verified(open)]);
        assert_eq!(executed.outcomes[0].result, Ok(0));
        Self {
            board,
            parties,
            session: id,
        }
    }

    /// A session in round 1, which everybody joined.
    #[must_use]
    pub fn running(n: u16, quorum: u16) -> Self {
        Self::open(n, quorum).joined()
    }

    /// The session after everybody joined.
    ///
    /// # Panics
    /// When it isn't running then.
    #[must_use]
    pub fn joined(mut self) -> Self {
        let joins = (0..self.n()).map(|i| self.join(i)).collect();
        self.accept(joins);
        assert_eq!(self.status(), Status::Running);
        self
    }

    /// The network's id.
    #[must_use]
    pub fn network_id(&self) -> NetworkId {
        self.board.network().id
    }

    /// The roster's size.
    #[must_use]
    pub fn n(&self) -> u16 {
        u16::try_from(self.parties.len()).unwrap_or(u16::MAX)
    }

    /// The session as it is.
    #[must_use]
    pub fn get(&self) -> &Session {
        self.board.session(&self.session)
    }

    /// The part that is kept until erasure.
    ///
    /// # Panics
    /// When it is erased.
    #[must_use]
    pub fn body(&self) -> &Body {
        self.get().body().expect("the session isn't erased")
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.get().status()
    }

    /// The open round.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.get().leaf.open_round
    }

    /// The members' indices.
    #[must_use]
    pub fn members(&self) -> Vec<u16> {
        self.body().members.iter().collect()
    }

    /// Status, cause and who caused it, after the end.
    #[must_use]
    pub fn ending(&self) -> Option<(Status, Cause, Option<u16>)> {
        let terminal = self.get().terminal.as_ref()?;
        Some((terminal.status, terminal.cause, terminal.by()))
    }

    /// Signs an action of party `i`, verified under its own key.
    #[must_use]
    pub fn by(&self, i: u16, action: Action) -> VerifiedTx {
        self.parties[usize::from(i)].verified(action, self.n(), &self.network_id())
    }

    /// Party `i` joins.
    #[must_use]
    pub fn join(&self, i: u16) -> VerifiedTx {
        self.join_with(i, 0)
    }

    /// Party `i` joins with another key.
    #[must_use]
    pub fn join_with(&self, index: u16, variant: u8) -> VerifiedTx {
        let session = self.board.state.session(&self.session).ok();
        let body = session.and_then(|session| session.body.as_ref());
        // Whoever joins what isn't there has to have some key, too.
        let kem = body.map_or(Kem::X25519, |body| body.spec.kem);
        let key = self.parties[usize::from(index)].encryption_key_of(kem, variant);
        let session = self.session;
        self.by(
            index,
            Action::Join(Join {
                session,
                index,
                key,
            }),
        )
    }

    /// Post of party `i` in the open round: a broadcast.
    #[must_use]
    pub fn post(&self, i: u16) -> VerifiedTx {
        self.post_of(i, vec![i.to_be_bytes()[1]; 10], vec![])
    }

    /// Post of party `i` in the open round.
    #[must_use]
    pub fn post_of(&self, i: u16, broadcast: Vec<u8>, p2p: Vec<(u16, Vec<u8>)>) -> VerifiedTx {
        let transcript = self.get().leaf.transcript;
        self.by(
            i,
            Action::Post(Post::new(
                self.session,
                self.round(),
                (i, self.n()),
                transcript,
                broadcast,
                p2p,
            )),
        )
    }

    /// An empty post for any round and transcript.
    #[must_use]
    pub fn post_in(&self, i: u16, round: u32, transcript: Hash) -> VerifiedTx {
        let place = (i, self.n());
        let post = Post::new(self.session, round, place, transcript, vec![], vec![]);
        self.by(i, Action::Post(post))
    }

    /// Party `i` finishes in the open round.
    #[must_use]
    pub fn finish(&self, index: u16, outcome: u8) -> VerifiedTx {
        self.by(index, Action::Finish(self.finish_header(index, outcome)))
    }

    /// The header of a finish in the open round.
    #[must_use]
    pub fn finish_header(&self, index: u16, outcome: u8) -> FinishHeader {
        FinishHeader {
            session: self.session,
            round: self.round(),
            index,
            transcript: self.get().leaf.transcript,
            outcome: sha256(&[outcome]),
        }
    }

    /// Party `i` declines.
    #[must_use]
    pub fn decline(&self, index: u16) -> VerifiedTx {
        let leave = Leave::Decline { reason: 5 };
        self.leave(index, leave)
    }

    /// Party `i` aborts.
    #[must_use]
    pub fn abort(&self, index: u16) -> VerifiedTx {
        let leave = Leave::Abort {
            cause: 9,
            about: NOBODY,
            detail: Hash::ZERO,
        };
        self.leave(index, leave)
    }

    /// Party `i` leaves.
    #[must_use]
    pub fn leave(&self, index: u16, leave: Leave) -> VerifiedTx {
        let session = self.session;
        self.by(
            index,
            Action::Leave {
                session,
                index,
                leave,
            },
        )
    }

    /// A post header of party `i`, for evidence: the same `variant` is the same post.
    #[must_use]
    pub fn header(&self, index: u16, round: u32, variant: u8) -> Entry {
        Entry::Post(PostHeader {
            session: self.session,
            round,
            index,
            transcript: sha256(&[variant]),
            bcast_hash: Hash::ZERO,
            bcast_len: 0,
            p2p_root: Hash::ZERO,
            p2p_bytes: 0,
        })
    }

    /// Evidence against party `i` from two of its entries, the smaller digest first.
    #[must_use]
    pub fn evidence(&self, i: u16, mut entries: [Entry; 2]) -> VerifiedTx {
        entries.sort_by_key(Entry::digest);
        self.evidence_as_is(i, entries)
    }

    /// Evidence as it is given.
    #[must_use]
    pub fn evidence_as_is(&self, i: u16, entries: [Entry; 2]) -> VerifiedTx {
        let network = self.network_id();
        let party = &self.parties[usize::from(i)];
        let signed = entries.map(|entry| party.entry(entry, &network));
        self.by(i, Action::Evidence(signed))
    }

    /// A block 100 ms later, proposed by the first validator.
    pub fn block(&mut self, txs: Vec<VerifiedTx>) -> Vec<Result<u32, Refusal>> {
        self.block_by(100, 0, txs)
    }

    /// A block in which everything is taken.
    ///
    /// # Panics
    /// When something is refused.
    pub fn accept(&mut self, txs: Vec<VerifiedTx>) {
        for result in self.block(txs) {
            assert!(result.is_ok(), "{result:?}");
        }
    }

    /// A block `step_ms` later, proposed by this validator.
    pub fn block_by(
        &mut self,
        step_ms: u64,
        proposer: usize,
        txs: Vec<VerifiedTx>,
    ) -> Vec<Result<u32, Refusal>> {
        let context = self.board.next_context(step_ms, proposer);
        let candidates = txs.into_iter().map(Candidate::verified).collect();
        let executed = self.board.run(context, candidates);
        executed
            .outcomes
            .into_iter()
            .map(|outcome| outcome.result)
            .collect()
    }

    /// The answer of a block right now to one transaction; the block isn't made.
    #[must_use]
    pub fn refusal(&self, tx: VerifiedTx) -> Option<Refusal> {
        let mut copy = self.clone();
        copy.block(vec![tx]).pop().and_then(Result::err)
    }

    /// The kinds of the open round's slots: `.` empty, `j` join, `p` post, `f` finish.
    #[must_use]
    pub fn slots(&self) -> String {
        let kind = |slot: &Slot| match slot {
            Slot::Empty => '.',
            Slot::Join { .. } => 'j',
            Slot::Post(_) => 'p',
            Slot::Finish { .. } => 'f',
        };
        self.body().slots.iter().map(kind).collect()
    }
}

/// Opens a session now, until 1 000 ms of board time from now.
#[must_use]
pub fn open(board: &Board, opener: &Party, spec: Spec, nonce: [u8; 32]) -> VerifiedTx {
    let board_ms = board.time.millis() - board.state.paused_ms();
    open_until(board, opener, spec, nonce, board_ms + 1_000)
}

/// Opens a session until this board time.
#[must_use]
pub fn open_until(
    board: &Board,
    opener: &Party,
    spec: Spec,
    nonce: [u8; 32],
    open_by_ms: u64,
) -> VerifiedTx {
    let parties = spec.parties();
    let open = Open {
        spec,
        opener: *opener.key(),
        nonce,
        open_by_ms,
        stamp: 0,
    };
    opener.verified(Action::Open(open), parties, &board.network().id)
}
