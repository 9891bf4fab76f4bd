//! Worlds: small configurations, each of which is explored as a whole. One huge world would mix behaviours that have nothing to do
//! with each other; several small ones reach deeper into each.

use std::sync::Arc;

use white_city_tests::{
    network::{network, rules, with_max_work},
    party::Party,
    scene,
};
use white_city_wire::{Network, Spec, reserve::reserved_bytes};

use crate::{
    charters::Draft,
    moves::{Aim, Answer, Content, Move, Opening, Pair, What},
};

/// Milliseconds within which a session may be opened, from the genesis, where that is explored.
pub const OPEN_BY_MS: u64 = 4_000;
/// Likewise where sessions are opened before that: so few that retention is longer, and a step to its end is no outage.
const OPENED_BY_MS: u64 = 1_000;
/// Parties of a session that no block has work for.
const CROWD: u64 = 14;

/// Behaviours of a world besides joining, posting and time.
#[derive(Debug, Clone, Copy, Default)]
pub struct On {
    /// Declining and aborting.
    pub leaving: bool,
    /// Finishing.
    pub finishing: bool,
    /// A second entry of the hostile party, and evidence of that.
    pub evidence: bool,
    /// Sealed payloads, complaints and reveals.
    pub dispute: bool,
    /// Outages of the board.
    pub outage: bool,
    /// Everything that is always refused, or refused by limits.
    pub refused: bool,
    /// Opening while exploring.
    pub opening: bool,
    /// A heavy entry of the hostile party.
    pub heavy: bool,
    /// Words of an operator that are always refused.
    pub flaws: bool,
    /// So much time that operators may approve again; elsewhere less passes than that.
    pub pace: bool,
}

/// Start of an exploration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The sessions are opened, unless they are opened while exploring.
    Opened,
    /// Everybody has joined.
    Joined,
    /// Everybody has posted in round 1, sealed payloads or some that nobody can open.
    Posted,
    /// And the hostile party has missed round 2.
    Missed,
    /// Everybody has joined, and two operators approve the first draft.
    Approved,
}

/// One configuration.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// Size of each roster.
    pub n: u16,
    /// Quorum.
    pub quorum: u16,
    /// Last round in which posts may win.
    pub rounds: u32,
    /// Replicas.
    pub replicas: u8,
    /// Parties below this index are honest; the others are hostile.
    pub honest: u16,
    /// Sessions.
    pub sessions: u8,
    /// Events before the start.
    pub start: Start,
    /// Its behaviours.
    pub on: On,
    /// Whether replica 0 is hostile, the others pack what they have, and parties are punctual or not.
    pub hostile_replica: bool,
    /// Whether honest proposals may time out, so that the hostile replica proposes twice in a row.
    pub timeouts: bool,
    /// Units of work that a block has.
    pub max_work: u32,
    /// Whether a stranger may open sessions.
    pub anyone_may_open: bool,
    /// Bits of a stamp that a stranger needs for that.
    pub stamp_bits: u8,
    /// Charters that operators may approve; none if they don't speak.
    pub drafts: &'static [Draft],
    /// Terms in which they do.
    pub terms: u32,
    /// Transactions in a block, at most.
    pub txs: usize,
    /// Blocks after the start, at most.
    pub depth: usize,
}

/// The world that the others are made from.
pub const PLAIN: World = World {
    name: "plain",
    n: 2,
    quorum: 2,
    rounds: 2,
    replicas: 1,
    honest: 1,
    sessions: 1,
    start: Start::Opened,
    on: On {
        leaving: false,
        finishing: false,
        evidence: false,
        dispute: false,
        outage: false,
        refused: false,
        opening: false,
        heavy: false,
        flaws: false,
        pace: false,
    },
    hostile_replica: false,
    timeouts: false,
    max_work: 8_192,
    anyone_may_open: true,
    stamp_bits: 0,
    drafts: &[],
    terms: 1,
    txs: 1,
    depth: 64,
};

impl World {
    /// The parties of every roster.
    #[must_use]
    pub fn parties(&self) -> Vec<Party> {
        Party::several(self.n.into())
    }

    /// Spec of each session.
    #[must_use]
    pub fn spec(&self) -> Spec {
        let mut spec = scene::spec(&self.parties(), self.quorum);
        spec.max_rounds = self.rounds;
        spec.max_bcast = 3_000;
        spec.max_p2p = 100;
        spec.max_bytes = 4_000 * u64::from(self.n);
        spec
    }

    /// Milliseconds within which its sessions may be opened.
    #[must_use]
    pub const fn open_by_ms(&self) -> u64 {
        if self.on.opening {
            OPEN_BY_MS
        } else {
            OPENED_BY_MS
        }
    }

    /// The board's genesis.
    #[must_use]
    pub fn network(&self) -> Arc<Network> {
        let bytes = reserved_bytes(&self.spec());
        let mut rules = rules(&[(&listed(), 1, bytes + 1)]);
        if self.on.opening {
            rules.params.max_open_ms = OPEN_BY_MS;
            rules.charter.anyone_max_live = 2;
            rules.charter.anyone_max_bytes = bytes + bytes / 2;
            rules.charter.max_board_bytes =
                rules.charter.listed_bytes().unwrap_or(0) + bytes + bytes / 4;
        }
        rules.charter.anyone_may_open = self.anyone_may_open;
        rules.charter.stamp_bits = self.stamp_bits;
        if self.has_charters() {
            // The pace of an operator's words is longer than what usually counts as an outage.
            rules.params.cap_ms = 100_000;
        }
        with_max_work(&network(self.replicas, rules), self.max_work)
    }

    /// A spec with more parties than a block has work for.
    #[must_use]
    pub fn crowded(&self) -> Spec {
        let mut spec = self.spec();
        let crowd = Party::several(CROWD);
        spec.roster = crowd.iter().map(|party| *party.key()).collect();
        spec.quorum = 14;
        spec
    }

    /// Whether a party is honest.
    #[must_use]
    pub const fn is_honest(&self, index: u16) -> bool {
        index < self.honest
    }

    /// Everything that is tried in every state.
    #[must_use]
    pub fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for session in 0..self.sessions {
            if self.on.opening {
                self.openings(session, &mut moves);
            }
            for index in 0..self.n {
                let mut own = Vec::new();
                self.of_everybody(index, &mut own);
                if !self.is_honest(index) {
                    self.of_the_hostile(&mut own);
                }
                moves.extend(own.into_iter().map(|what| Move::own(session, index, what)));
            }
            if self.on.refused {
                self.refused(session, &mut moves);
            }
        }
        self.words(&mut moves);
        moves
    }

    fn openings(&self, session: u8, moves: &mut Vec<Move>) {
        let mut all = vec![match session {
            1 | 2 => Opening::Listed,
            _ => Opening::Stranger,
        }];
        if session == 0 {
            all.extend([
                Opening::Forged,
                Opening::Expired,
                Opening::TooFar,
                Opening::TooManyRounds,
                Opening::TooManyBytes,
                Opening::TooMuchWork,
            ]);
        }
        if self.stamp_bits > 0 {
            all.push(match session {
                1 | 2 => Opening::Stamped,
                _ => Opening::Unstamped,
            });
        }
        moves.extend(
            all.into_iter()
                .map(|o| Move::own(session, 0, What::Open(o))),
        );
    }

    fn of_everybody(&self, index: u16, own: &mut Vec<What>) {
        own.push(What::Join(0));
        if !self.on.opening {
            own.push(What::Post(0, Content::Plain));
        }
        if self.on.finishing {
            own.push(What::Finish(0, 0));
        }
        if self.on.leaving {
            own.extend([What::Decline, What::Abort(0)]);
        }
        if self.on.dispute {
            own.push(What::Post(0, Content::Sealed));
            let others = (0..self.n).filter(|accused| *accused != index);
            for accused in others {
                own.push(What::Complain(-1, accused, Aim::Stored));
                if self.rounds > 2 {
                    own.push(What::Complain(-2, accused, Aim::Stored));
                }
            }
            own.push(What::Reveal(Answer::Right));
        }
    }

    fn of_the_hostile(&self, own: &mut Vec<What>) {
        if self.on.finishing {
            own.push(What::Finish(0, 1));
        }
        if self.on.evidence {
            own.extend([
                What::Post(0, Content::Other),
                What::Evidence(0, Pair::Equivocation),
                What::Evidence(-1, Pair::Equivocation),
            ]);
        }
        if self.on.dispute {
            own.extend([
                What::Post(0, Content::Unreadable),
                What::Reveal(Answer::Wrong),
            ]);
        }
        if self.on.heavy {
            own.push(What::Post(0, Content::Heavy));
        }
    }

    /// Moves that are refused wherever they are tried, and what is tried only to be refused.
    fn refused(&self, session: u8, moves: &mut Vec<Move>) {
        let hostile = self.honest.min(self.n - 1);
        let own = |what| Move::own(session, hostile, what);
        moves.extend([
            own(What::Join(1)),
            own(What::Abort(1)),
            own(What::Decline),
            own(What::Post(-1, Content::Plain)),
            own(What::Post(1, Content::Plain)),
            own(What::Post(0, Content::OverSpec)),
            own(What::Post(0, Content::TooLarge)),
            own(What::Post(0, Content::ToOut)),
            own(What::Post(0, Content::OtherHistory)),
            own(What::Post(0, Content::OtherNetwork)),
            own(What::Finish(1, 0)),
            own(What::Evidence(0, Pair::WrongOrder)),
            own(What::Evidence(0, Pair::Same)),
            own(What::Evidence(0, Pair::TwoSlots)),
            own(What::Complain(0, 0, Aim::Stored)),
            own(What::Complain(-1, 0, Aim::Invented)),
            own(What::Reveal(Answer::OtherComplaint)),
            own(What::Reveal(Answer::OverSpec)),
            Move::own(session, self.n, What::Join(0)).forged(hostile),
            Move::own(session, 0, What::Reveal(Answer::Right)).forged(hostile),
            Move::own(session, 0, What::Join(0)).forged(hostile),
            Move::own(session, 0, What::Abort(0)).forged(hostile),
            Move::own(session, 0, What::Post(0, Content::Plain)).forged(hostile),
            Move::own(session, 0, What::Evidence(0, Pair::Equivocation)).forged(hostile),
        ]);
        // In the name of nobody else's session: it isn't there.
        moves.push(Move::own(u8::MAX, hostile, What::Join(0)));
    }
}

/// The opener that the genesis lists.
#[must_use]
pub fn listed() -> Party {
    Party::new(1_000)
}

/// The opener of a session that the genesis doesn't list: another one for each session.
#[must_use]
pub fn stranger(session: u8) -> Party {
    Party::new(1_001 + u64::from(session))
}
