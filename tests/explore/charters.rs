//! Charters that operators draft, what they say about them, and what of a board depends on that.

use std::fmt;

use white_city_tests::{board::Board, charters, network::replica};
use white_city_wire::{
    Charter, Hash,
    charter::{OpenerQuota, Replica},
    limits::APPROVAL_PACE_MS,
};

use crate::{
    moves::Move,
    world::{Start, World, stranger},
};

/// Milliseconds from the genesis for which the draft that doesn't wait may be approved.
const BRIEF_MS: u64 = 30_000;

/// A change of the charter in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Draft {
    /// Other quotas of strangers.
    Quotas,
    /// The spare validator instead of the last one, or the other way round.
    Validator,
    /// The spare operator instead of the last one, or the other way round.
    Operator,
    /// The spare replica besides those that there are, or not any more.
    Spare,
    /// Other openers: the listed one goes, the first stranger is listed.
    Openers,
    /// Nobody but listed openers may open sessions.
    Closed,
    /// The next protocol number.
    Number,
    /// Other quotas of strangers, approved soon or never.
    Brief,
    /// A charter that follows another one than that in force.
    Stale,
    /// The protocol number after the next.
    TooNew,
    /// No replicas.
    Empty,
    /// Two validators that nobody has seen vote.
    Strange,
}

/// Mistake in an operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// None.
    None,
    /// A sequence number that has yet to come.
    Number,
    /// The number of its last word.
    Again,
    /// Another term.
    Term,
    /// A position that no operator has.
    Position,
    /// No signature of whoever becomes an operator.
    Newcomers,
    /// A signature by somebody else instead of that.
    Forged,
}

impl Draft {
    /// The charter that it makes of the one in force.
    #[must_use]
    pub fn charter(self, world: &World, board: &Board) -> Charter {
        charters::next(board, |charter| self.change(world, board, charter))
    }

    fn change(self, world: &World, board: &Board, charter: &mut Charter) {
        let (last, spare) = (replica(world.replicas - 1), replica(world.replicas));
        match self {
            Self::Quotas => charter.anyone_max_live += 1,
            Self::Validator => swap(charter, |r| &mut r.validator, &last, &spare),
            Self::Operator => swap(charter, |r| &mut r.operator, &last, &spare),
            Self::Spare if charter.replicas.contains(&spare) => {
                charter.replicas.retain(|replica| *replica != spare);
            }
            Self::Spare => charter.replicas.push(spare),
            Self::Openers => {
                charter.openers = vec![OpenerQuota {
                    key: Hash(*stranger(0).key().as_bytes()),
                    max_live: 1,
                    max_bytes: charter.listed_bytes().unwrap_or(0),
                }];
            }
            Self::Closed => charter.anyone_may_open = false,
            Self::Number => charter.protocol += 1,
            Self::Brief => {
                charter.anyone_max_live += 2;
                charter.until_ms = brief_until_ms(board);
            }
            Self::Stale => charter.previous = Hash::ZERO,
            Self::TooNew => charter.protocol += 2,
            Self::Empty => charter.replicas.clear(),
            Self::Strange => {
                let strangers = (100..).take(2).map(replica);
                charter.replicas.extend(strangers);
            }
        }
    }

    /// Whether more than one block must pass, or somebody must vote, before some charter of this kind may be approved.
    #[must_use]
    pub const fn changes_validators(self) -> bool {
        matches!(self, Self::Validator | Self::Spare | Self::Strange)
    }

    /// Whether no operator's word for it is ever taken.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(
            self,
            Self::Stale | Self::TooNew | Self::Empty | Self::Strange
        )
    }

    /// Number that stands for it in the names of states.
    #[must_use]
    pub const fn symbol(self) -> u8 {
        100 + self as u8
    }
}

/// Puts the one key into the place of the other, whichever of them is there.
fn swap(
    charter: &mut Charter,
    role: fn(&mut Replica) -> &mut Hash,
    one: &Replica,
    other: &Replica,
) {
    let (mut one, mut other) = (*one, *other);
    let (one, other) = (*role(&mut one), *role(&mut other));
    for replica in &mut charter.replicas {
        let key = role(replica);
        if *key == one {
            *key = other;
        } else if *key == other {
            *key = one;
        }
    }
}

fn brief_until_ms(board: &Board) -> u64 {
    board.network().genesis_time.millis() + BRIEF_MS
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quotas => "other quotas of strangers",
            Self::Validator => "another validator",
            Self::Operator => "another operator",
            Self::Spare => "one replica more or less",
            Self::Openers => "other openers",
            Self::Closed => "a board without strangers",
            Self::Number => "the next protocol number",
            Self::Brief => "quotas that don't wait",
            Self::Stale => "a charter that follows another one",
            Self::TooNew => "the protocol number after the next",
            Self::Empty => "a charter without replicas",
            Self::Strange => "two validators that nobody knows",
        })
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Number => " with a number that has yet to come",
            Self::Again => " with its last number",
            Self::Term => " in another term",
            Self::Position => " from a place that nobody has",
            Self::Newcomers => " without the newcomer's signature",
            Self::Forged => " with a false signature of the newcomer",
        })
    }
}

impl World {
    /// Whether operators speak.
    #[must_use]
    pub const fn has_charters(&self) -> bool {
        !self.drafts.is_empty()
    }

    /// Everything that operators try in every state: each in its own name what may be taken, the first one also what never is.
    pub fn words(&self, moves: &mut Vec<Move>) {
        if !self.has_charters() {
            return;
        }
        if self.start == Start::Approved {
            // Two of four have said what they want, so one more is enough.
            moves.push(Move::say(2, self.drafts.first().copied(), Flaw::None));
            return;
        }
        for operator in 0..=u16::from(self.replicas) {
            let drafts = self.drafts.iter().filter(|draft| !draft.is_bad());
            let words = drafts.copied().map(Some).chain([None]);
            moves.extend(words.map(|draft| Move::say(operator, draft, Flaw::None)));
        }
        if !self.on.flaws {
            return;
        }
        let first = self.drafts.first().copied();
        for flaw in [Flaw::Number, Flaw::Again, Flaw::Term, Flaw::Position] {
            moves.push(Move::say(0, first, flaw));
        }
        for flaw in [Flaw::Newcomers, Flaw::Forged] {
            moves.push(Move::say(0, Some(Draft::Operator), flaw));
        }
        let bad = [Draft::Stale, Draft::TooNew, Draft::Empty, Draft::Strange];
        moves.extend(bad.map(|draft| Move::say(0, Some(draft), Flaw::None)));
        moves.push(Move::say(1, first, Flaw::None).forged(0));
    }

    /// Ends of what operators wait for, board time in ms: the last moment of a pace, and of a draft.
    pub fn waits(&self, board: &Board) -> impl Iterator<Item = u64> {
        let paces = board.state.proposals().iter();
        let paces = paces.map(|word| word.board_ms + APPROVAL_PACE_MS - 1);
        let brief = self.drafts.contains(&Draft::Brief);
        let brief = brief.then(|| brief_until_ms(board));
        let all: Vec<u64> = paces.chain(brief).collect();
        all.into_iter().filter(|_| self.on.pace)
    }
}

/// Position in the charter in force of the operator with this number.
#[must_use]
pub fn position(board: &Board, number: u16) -> Option<u16> {
    let key = replica(u8::try_from(number).ok()?).operator;
    let mut replicas = board.state.charter().replicas.iter();
    let position = replicas.position(|replica| replica.operator == key)?;
    u16::try_from(position).ok()
}

/// Position in the charter in force of the hostile replica, which is that with number 0.
#[must_use]
pub fn hostile_position(world: &World, board: &Board) -> Option<usize> {
    let key = replica(0).validator;
    let mut replicas = board.state.charter().replicas.iter();
    let position = replicas.position(|replica| replica.validator == key);
    position.filter(|_| world.hostile_replica)
}
