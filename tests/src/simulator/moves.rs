//! Moves of parties that follow the protocol.

use white_city_state_machine::Session;
use white_city_wire::{
    FinishHeader, Hash, Kem, SessionId, Spec,
    board::Status,
    hash::sha256,
    limits::NOBODY,
    tx::{Action, Join, Leave, Open, Post},
};

use super::{HONEST, PARTIES, World};
use crate::{board::Candidate, scene::of_kem};

/// A candidate, and whether the rules have to accept it.
pub(super) type Move = (Candidate, bool);

impl World {
    /// A few moves of one kind.
    pub(super) fn some_moves(&mut self, to: &mut Vec<Move>) {
        match self.rng.below(20) {
            0..=2 => self.open(to),
            3..=10 => self.everybody(to),
            11 | 12 => self.one_party(to),
            13 => self.leave(to),
            14..=16 => self.dispute(to),
            _ => {
                for _ in 0..=self.rng.below(3) {
                    self.hostile_move(to);
                }
            }
        }
    }

    pub(super) fn push(&mut self, to: &mut Vec<Move>, party: usize, action: Action, must: bool) {
        if let Some(tx) = self.sign(party, action) {
            to.push((Candidate::Bytes(tx.encode()), must));
        }
    }

    fn random_spec(&mut self) -> Spec {
        let n = usize::try_from(self.rng.between(1, 5)).unwrap_or(1);
        let mut who: Vec<usize> = (0..PARTIES).collect();
        self.rng.shuffle(&mut who);
        let roster: Vec<_> = who
            .iter()
            .take(n)
            .map(|i| *self.parties[*i].key())
            .collect();
        let n = u64::try_from(n).unwrap_or(1);
        let small = |value: u64| u16::try_from(value).unwrap_or(1);
        let long = self.rng.chance(5);
        let mut spec = Spec {
            protocol: "simulated".into(),
            version: 1,
            kem: Kem::X25519,
            roster,
            quorum: small(self.rng.between(n / 2 + 1, n)),
            corrupt: small(self.rng.below(n)),
            max_rounds: u32::try_from(self.rng.between(1, if long { 12 } else { 4 })).unwrap_or(1),
            join_ms: self.rng.between(200, 2_500),
            round_ms: self.rng.between(200, 2_500),
            reveal_ms: self.rng.between(200, 2_500),
            retention_ms: self.rng.between(1, 8_000),
            max_bcast: 1_500,
            max_p2p: 300,
            max_bytes: self.rng.between(500, 25_000),
            input: self.rng.bytes(20),
            prev_session: SessionId::ZERO,
        };
        if self.rng.chance(40) {
            of_kem(Kem::XWing)(&mut spec);
            // Sealing adds as much as many a payload has: the same number of entries needs more room.
            spec.max_bytes *= 2;
        }
        spec
    }

    fn open(&mut self, to: &mut Vec<Move>) {
        let party = usize::try_from(self.rng.below(4)).unwrap_or(0);
        let board_ms = self.board.time.millis() - self.board.state.paused_ms();
        let open = Open {
            spec: self.random_spec(),
            opener: *self.parties[party].key(),
            nonce: self.rng.bytes32(),
            open_by_ms: board_ms + self.rng.between(0, 15_000),
            stamp: 0,
        };
        let session = open.session_id(&self.network_id());
        let (kem, roster) = (open.spec.kem, open.spec.roster.clone());
        if self.rng.chance(10) {
            return self.open_for_another(to, party, open);
        }
        self.push(to, party, Action::Open(open), false);
        if self.rng.chance(20) {
            for (index, key) in (0_u16..).zip(roster) {
                let Some(party) = self.parties.iter().position(|p| *p.key() == key) else {
                    continue;
                };
                let key = self.parties[party].encryption_key_of(kem, 0);
                let join = Join {
                    session,
                    index,
                    key,
                };
                self.push(to, party, Action::Join(join), false);
            }
        }
    }

    /// A random session, most often one that lives.
    pub(super) fn some_session(&mut self) -> Option<Session> {
        let mut sessions = self.sessions();
        if self.rng.chance(85) {
            sessions.retain(|session| session.status().is_live());
        }
        self.rng
            .pick(&sessions)
            .map(|session| Session::clone(session))
    }

    /// Most of those that a session waits for act.
    fn everybody(&mut self, to: &mut Vec<Move>) {
        let Some(session) = self.some_session() else {
            return;
        };
        let all = self.rng.chance(50);
        let mut order: Vec<u16> =
            (0..session.body.as_ref().map_or(0, |b| b.spec.parties())).collect();
        self.rng.shuffle(&mut order);
        for index in order {
            if all || self.rng.chance(70) {
                self.act(to, &session, index);
            }
        }
    }

    fn one_party(&mut self, to: &mut Vec<Move>) {
        let Some(session) = self.some_session() else {
            return;
        };
        let n = session.body.as_ref().map_or(1, |body| body.spec.parties());
        let index = u16::try_from(self.rng.below(n.into())).unwrap_or(0);
        self.act(to, &session, index);
    }

    /// Next move of the party at `index`, if it is awaited.
    fn act(&mut self, to: &mut Vec<Move>, session: &Session, index: u16) {
        let Some(party) = self.party_at(session, index) else {
            return;
        };
        let Some(body) = &session.body else { return };
        if session.status() == Status::Dispute {
            let dispute = body.dispute.as_ref();
            if dispute.is_some_and(|dispute| dispute.complain.accused() == index) {
                self.answer(to, session);
            }
            return;
        }
        let awaited = session.status().is_live() && body.awaited().contains(index);
        // Whoever has said that it leaves writes nothing more: its word may come to the board at any time, also where it was refused at first.
        if self.says_no_more(session, index) {
            return;
        }
        let fresh = self.busy.insert((session.id(), index));
        if !awaited {
            return;
        }
        let action = match session.status() {
            Status::Joining => {
                let kem = self.kem_of(party, body.spec.kem);
                Action::Join(Join {
                    session: session.id(),
                    index,
                    key: self.parties[party].encryption_key_of(kem, 0),
                })
            }
            _ => self.entry(session, index),
        };
        let used = body
            .used_bytes
            .get(usize::from(index))
            .copied()
            .unwrap_or(0);
        let weight = match &action {
            Action::Post(post) => 256 + u64::from(post.header.bcast_len + post.header.p2p_bytes),
            Action::Finish(_) => 256,
            _ => 0,
        };
        let fits = used + weight <= body.spec.share_bytes();
        // A journalled post may name recipients that are members still: members change only with the round.
        let free = fresh && !self.contested.contains(&session.id());
        self.push(to, party, action, party < HONEST && free && fits);
    }

    /// Whether the party at `index` is honest, and has said that it leaves.
    pub(super) fn says_no_more(&self, session: &Session, index: u16) -> bool {
        let party = self.party_at(session, index);
        party.is_some_and(|party| party < HONEST) && self.left.contains_key(&(session.id(), index))
    }

    /// Kind of the key that a party joins with: another one than the session's by some that aren't honest.
    fn kem_of(&mut self, party: usize, kem: Kem) -> Kem {
        let other = party >= HONEST && self.rng.chance(15);
        let others = Kem::ALL.into_iter().find(|any| *any != kem);
        others.filter(|_| other).unwrap_or(kem)
    }

    /// The entry of a party for the open round: the journalled one, or a new one.
    pub(super) fn entry(&mut self, session: &Session, index: u16) -> Action {
        let slot = (session.id(), session.leaf.open_round, index);
        if let Some(action) = self.journal.get(&slot) {
            return action.clone();
        }
        let action = self.new_entry(session, index);
        self.journal.insert(slot, action.clone());
        action
    }

    /// A new entry for the open round.
    pub(super) fn new_entry(&mut self, session: &Session, index: u16) -> Action {
        let (id, round) = (session.id(), session.leaf.open_round);
        let transcript = session.leaf.transcript;
        let last = session
            .body
            .as_ref()
            .is_some_and(|body| round >= body.spec.max_rounds);
        // Most parties of a session agree on what to do in a round.
        let mut agreed = sha256(&[&id.0[..], &round.to_be_bytes()].concat()).0[0];
        if self.rng.chance(8) {
            agreed = self.rng.bytes32()[0];
        }
        if agreed < if last { 200 } else { 60 } {
            return Action::Finish(FinishHeader {
                session: id,
                round,
                index,
                transcript,
                outcome: Hash([agreed; 32]),
            });
        }
        let members: Vec<u16> = session.body.iter().flat_map(|b| b.members.iter()).collect();
        let n = session.body.as_ref().map_or(1, |body| body.spec.parties());
        let mut p2p = Vec::new();
        for to in members.into_iter().filter(|to| *to != index) {
            if self.rng.chance(30) {
                p2p.push((to, self.payload(session, index, to)));
            }
        }
        let most = if self.rng.chance(5) { 1_500 } else { 150 };
        let len = usize::try_from(self.rng.below(most)).unwrap_or(0);
        let broadcast = self.rng.bytes(len);
        Action::Post(Post::new(id, round, (index, n), transcript, broadcast, p2p))
    }

    /// Somebody leaves by name, rightly or not.
    fn leave(&mut self, to: &mut Vec<Move>) {
        let Some(session) = self.some_session() else {
            return;
        };
        let n = session.body.as_ref().map_or(1, |body| body.spec.parties());
        let index = u16::try_from(self.rng.below(n.into())).unwrap_or(0);
        let Some(party) = self.party_at(&session, index) else {
            return;
        };
        let leave = if (session.leaf.open_round == 0) != self.rng.chance(20) {
            Leave::Decline { reason: 3 }
        } else {
            Leave::Abort {
                cause: u16::try_from(self.rng.below(2)).unwrap_or(0),
                about: NOBODY,
                detail: Hash::ZERO,
            }
        };
        if self.says_no_more(&session, index) {
            return;
        }
        let place = (session.id(), index);
        let session = session.id();
        let action = Action::Leave {
            session,
            index,
            leave,
        };
        self.busy.insert(place);
        self.left.insert(place, (party, action.clone()));
        self.push(to, party, action, false);
    }
}
