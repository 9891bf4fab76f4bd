//! Answers about the board as a whole, below a header that its validators have signed: the charter and the operators' words, openers,
//! and pages of sessions.

use std::{
    fmt::Debug,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use prost::Message as _;
use white_city_client::{
    read::{ListSessions, Read, ReadCharter, ReadOpeners, ReadSessionsPage, check},
    trust::VerifiedHeader,
};
use white_city_tests::party::Party;
use white_city_wire::{
    Charter, Hash, IdentityKey,
    approve::{Proposal, proposals_hash},
    board::{BoardRoot, OpenerLeaf, Status},
    pb::{self, answer::Body},
    read::Statuses,
    tree::{append_root_from_path, full_path},
    tx::{charter_to_pb, proposal_to_pb},
};

use crate::{
    Target,
    reads::{FORGER, TRUST},
};

/// What is proven is taken as it is or not at all, and a page that nobody can prove is of what was asked for.
pub const BOARD_READS: Target = Target::new("board-reads", seeds, take);

const HEIGHT: u64 = 9;
/// Sessions of the board.
const SESSIONS: u64 = 3;

/// The board's validators, its state below a header of theirs, and what is true of it.
struct Board {
    header: Arc<VerifiedHeader>,
    state: pb::StateProof,
    charters: [Charter; 2],
    words: Vec<Proposal>,
    openers: [OpenerLeaf; 2],
    party: IdentityKey,
}

/// Questions about it.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Charter,
    Openers { from: u32 },
    Page { of_party: bool, statuses: Statuses },
    List { of_party: bool },
}

const LIVE: Statuses = Statuses::LIVE;
const ASKED: [Asked; 8] = [
    Asked::Charter,
    Asked::Openers { from: 0 },
    Asked::Openers { from: 1 },
    Asked::Page {
        of_party: false,
        statuses: Statuses::ALL,
    },
    Asked::Page {
        of_party: true,
        statuses: Statuses::ALL,
    },
    Asked::Page {
        of_party: false,
        statuses: LIVE,
    },
    Asked::List { of_party: false },
    Asked::List { of_party: true },
];

static BOARD: LazyLock<Board> = LazyLock::new(board);

fn board() -> Board {
    let present = Charter::clone(&FORGER.network().charter);
    let next = Charter {
        term: present.term + 1,
        previous: present.hash(),
        ..present.clone()
    };
    let word = |operator, charter_hash| Proposal {
        operator,
        sequence: 2,
        board_ms: 5,
        charter_hash,
    };
    // One approves, one has withdrawn.
    let words = vec![word(0, next.hash()), word(2, Hash::ZERO)];
    let openers = [0, 1].map(|number| OpenerLeaf {
        key: *Party::new(number).key(),
        listed: number == 0,
        max_live: 3,
        max_bytes: 1 << 20,
        live: 1,
        live_bytes: 4_096,
    });
    let [first, second] = openers.clone().map(|opener| opener.hash());
    let path = full_path(0, 2, &[second]).expect("a path");
    let root = BoardRoot {
        proposals_hash: proposals_hash(&words),
        sessions: SESSIONS,
        openers: 2,
        openers_root: append_root_from_path(first, 0, &path).expect("a root"),
        ..FORGER.board_root()
    };
    let (signed, state) = FORGER.certify_board(HEIGHT, root);
    let header = TRUST.verify(signed).expect("a header of the validators");
    Board {
        header: Arc::new(header),
        state: (&state).into(),
        charters: [present, next],
        words,
        openers,
        party: *Party::new(0).key(),
    }
}

impl Board {
    fn answer(&self, body: Body) -> Vec<u8> {
        let answer = pb::Answer {
            version: 1,
            height: HEIGHT,
            state: Some(self.state.clone()),
            body: Some(body),
            ..Default::default()
        };
        answer.encode_to_vec()
    }

    /// The true answer.
    fn truth(&self, asked: Asked) -> Vec<u8> {
        let body = match asked {
            Asked::Charter => Body::Charter(pb::CharterAnswer {
                charter: Some(charter_to_pb(&self.charters[0])),
                proposals: self.words.iter().map(proposal_to_pb).collect(),
                proposed: vec![charter_to_pb(&self.charters[1])],
            }),
            Asked::Openers { from } => {
                let from = usize::try_from(from).unwrap_or(0);
                let numbers = (from..self.openers.len()).map(|number| self.opener(number));
                Body::Openers(pb::OpenersAnswer {
                    openers: numbers.collect(),
                    next: 2,
                })
            }
            Asked::Page { of_party, statuses } => {
                let mut lines = lines(of_party);
                lines.reverse();
                lines.retain(|line| {
                    Status::from_number(line.status).is_some_and(|s| statuses.has(s))
                });
                Body::Sessions(pb::SessionsAnswer {
                    sessions: lines,
                    next_number: 0,
                })
            }
            Asked::List { of_party } => Body::Sessions(pb::SessionsAnswer {
                sessions: lines(of_party),
                next_number: SESSIONS,
            }),
        };
        self.answer(body)
    }

    fn opener(&self, number: usize) -> pb::Opener {
        let (opener, sibling) = (&self.openers[number], &self.openers[1 - number]);
        pb::Opener {
            key: opener.key.as_bytes().to_vec(),
            max_live: opener.max_live,
            max_bytes: opener.max_bytes,
            live: opener.live,
            live_bytes: opener.live_bytes,
            path: sibling.hash().0.to_vec(),
            listed: opener.listed,
        }
    }

    /// What is taken from an answer; whether it is proven.
    fn read(&self, asked: Asked, answer: &[u8]) -> Option<(String, bool)> {
        let party = |of_party: bool| of_party.then_some(&self.party);
        match asked {
            Asked::Charter => self.taken(&ReadCharter, answer),
            Asked::Openers { from } => self.taken(&ReadOpeners { from }, answer),
            Asked::Page { of_party, statuses } => {
                let read = ReadSessionsPage {
                    party: party(of_party),
                    statuses,
                    from_number: 0,
                    down_from: u64::MAX,
                };
                let page = check(&read, &TRUST, answer, &self.header).ok()?;
                let numbers: Vec<u64> = page.lines.iter().map(|line| line.number).collect();
                assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
                assert!(
                    numbers.iter().all(|number| *number < SESSIONS),
                    "{numbers:?}"
                );
                assert!(page.lines.iter().all(|line| statuses.has(line.status)));
                // Three sessions are one page: nobody is sent on to another one.
                assert_eq!(page.down_to, 0);
                Some((String::new(), false))
            }
            Asked::List { of_party } => {
                let list = ListSessions {
                    party: party(of_party),
                    from_number: 0,
                };
                let (lines, next) = list.check(Bytes::copy_from_slice(answer)).ok()?;
                assert!(lines.is_sorted_by(|a, b| a.number < b.number));
                let last = lines.last().map(|line| line.number.saturating_add(1));
                assert!(next.is_none() || next == last);
                Some((String::new(), false))
            }
        }
    }

    fn taken<R: Read>(&self, read: &R, answer: &[u8]) -> Option<(String, bool)>
    where
        R::Value: Debug,
    {
        let value = check(read, &TRUST, answer, &self.header).ok()?;
        Some((format!("{:?}", *value), true))
    }
}

/// Lines of all sessions, or of those of a party.
fn lines(of_party: bool) -> Vec<pb::SessionLine> {
    let statuses = [Status::Finished, Status::Joining, Status::Running];
    let lines = (0..SESSIONS)
        .zip(statuses)
        .map(|(number, status)| pb::SessionLine {
            number,
            id: vec![7; 32],
            status: status as u32,
            protocol: "a protocol".into(),
        });
    lines.skip(usize::from(of_party)).collect()
}

/// The number of a question, then its answer.
fn seeds() -> Vec<Vec<u8>> {
    let asked = (0_u8..).zip(ASKED);
    let seeds = asked.map(|(number, asked)| [&[number], &BOARD.truth(asked)[..]].concat());
    seeds.collect()
}

fn take(input: &[u8]) -> bool {
    let Some((number, answer)) = input.split_first() else {
        return false;
    };
    let Some(asked) = ASKED.get(usize::from(*number)) else {
        return false;
    };
    let Some((value, is_proven)) = BOARD.read(*asked, answer) else {
        return false;
    };
    if is_proven {
        let truth = BOARD.read(*asked, &BOARD.truth(*asked));
        let (truth, _) = truth.expect("the truth is taken");
        assert_eq!(value, truth, "{asked:?}: not what is certified");
    }
    true
}
