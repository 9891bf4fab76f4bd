//! Blocks that may follow a state: how much time passes, who proposes, and what is in it.

use std::collections::BTreeSet;

use white_city_state_machine::{BlockContext, Session};
use white_city_tests::board::Board;
use white_city_wire::board::Status;

use crate::{
    binder::Binder,
    charters::{Flaw, hostile_position},
    explorer::Node,
    key::has_called,
    moves::{Content, Move, Opening, What},
    world::{Start, World},
};

/// Time that passes before a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Less than a millisecond.
    Still,
    /// So much that it is the last moment of the next deadline or retention.
    At,
    /// A millisecond more.
    Past,
    /// So much that the board was down.
    Outage,
}

/// One block.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Time that passes.
    pub step: Step,
    /// Position of the validator whom the block names as its proposer; none of them if there is none.
    pub proposer: Option<usize>,
    /// Whether the hostile replica has made it, in last call.
    pub hostile: bool,
    /// Honest parties that are punctual in the round that has just opened, where that is decided.
    pub punctual: Option<u16>,
    /// Whether it carries every validator's vote for the block before.
    pub voted: bool,
    /// Its transactions.
    pub txs: Vec<Move>,
}

impl Choice {
    /// A block in which no time passes.
    #[must_use]
    pub const fn still(txs: Vec<Move>) -> Self {
        Self {
            step: Step::Still,
            proposer: Some(0),
            hostile: false,
            punctual: None,
            voted: false,
            txs,
        }
    }

    /// The context of this block.
    #[must_use]
    pub fn context(&self, world: &World, board: &Board) -> BlockContext {
        let proposer = self.proposer.unwrap_or(usize::MAX);
        let mut context = board.next_context(self.step_ms(world, board), proposer);
        if self.voted {
            context.voted = [u8::MAX; 32];
        }
        context
    }

    /// Milliseconds that pass.
    #[must_use]
    pub fn step_ms(&self, world: &World, board: &Board) -> u64 {
        let next = next_deadline(world, board).unwrap_or(0);
        match self.step {
            Step::Still => 0,
            Step::At => next,
            Step::Past => next + 1,
            Step::Outage => u64::from(board.state.params().cap_ms) + 1,
        }
    }
}

/// Board time of a board's last block.
#[must_use]
pub fn board_ms(board: &Board) -> u64 {
    board.time.millis() - board.state.paused_ms()
}

/// Milliseconds to the next deadline, end of a retention, or end of what operators wait for.
fn next_deadline(world: &World, board: &Board) -> Option<u64> {
    let now = board_ms(board);
    let waits = |session: &&std::sync::Arc<Session>| session.body.is_some();
    let sessions = board.state.sessions().iter().filter(waits);
    let due = sessions.map(|session| session.leaf.deadline_ms);
    due.filter(|due| *due != 0)
        .chain(world.waits(board))
        .filter(|due| *due >= now)
        .map(|due| due - now)
        .min()
}

/// The blocks before the explored ones.
#[must_use]
pub fn start(world: &World) -> Vec<Choice> {
    let mut blocks = Vec::new();
    if !world.on.opening {
        let opens = (0..world.sessions).map(|s| Move::own(s, 0, What::Open(Opening::Stranger)));
        blocks.push(Choice::still(opens.collect()));
    }
    let of = |parties: u16, what: &dyn Fn(u16) -> What| {
        let sessions = 0..world.sessions;
        let moves = sessions.flat_map(|s| (0..parties).map(move |i| (s, i)));
        Choice::still(moves.map(|(s, i)| Move::own(s, i, what(i))).collect())
    };
    if world.start != Start::Opened {
        blocks.push(of(world.n, &|_| What::Join(0)));
    }
    if matches!(world.start, Start::Posted | Start::Missed) {
        let content = |index| match world.is_honest(index) {
            true => Content::Sealed,
            false => Content::Unreadable,
        };
        blocks.push(of(world.n, &|index| What::Post(0, content(index))));
    }
    if world.start == Start::Missed {
        blocks.push(of(world.honest, &|_| What::Post(0, Content::Plain)));
        let mut late = Choice::still(vec![]);
        late.step = Step::Past;
        blocks.push(late);
    }
    if let (Start::Approved, Some(draft)) = (world.start, world.drafts.first()) {
        let words = (0..2).map(|number| Move::say(number, Some(*draft), Flaw::None));
        blocks.push(Choice::still(words.collect()));
    }
    blocks
}

/// Every block that may follow, given which moves would be taken now, and which pairs in one block.
#[must_use]
pub fn choices(
    binder: &Binder,
    node: &Node,
    good: &[Move],
    enabled: &[(Move, Move)],
) -> Vec<Choice> {
    let world = &binder.world;
    let board = &node.board;
    let mut steps = vec![Step::Still];
    match next_deadline(world, board) {
        Some(0) => steps.push(Step::Past),
        Some(_) => steps.extend([Step::At, Step::Past]),
        None => {}
    }
    if world.on.outage {
        steps.push(Step::Outage);
    }
    let mut all = Vec::new();
    let mut contents = contents(world, good);
    contents.extend(enabled.iter().map(|(first, second)| vec![*first, *second]));
    for step in steps {
        let mut choice = Choice::still(Vec::new());
        choice.step = step;
        let in_last_call = in_last_call(world, board, &choice);
        let opens = world.hostile_replica && is_unstarted(board);
        let deciding = if opens { subsets(world) } else { vec![None] };
        for punctual in deciding {
            choice.punctual = punctual;
            if in_last_call {
                proposed(binder, node, &contents, &choice, &mut all);
            } else {
                let with = contents.iter().map(|txs| Choice {
                    txs: txs.clone(),
                    ..choice.clone()
                });
                all.extend(with);
            }
        }
    }
    // Votes are of consequence while somebody has yet to be seen to vote.
    let charter = board.state.charter();
    if board.state.term().proven().count() < charter.size() {
        let voted = all.iter().cloned().map(|choice| Choice {
            voted: true,
            ..choice
        });
        let voted: Vec<Choice> = voted.collect();
        all.extend(voted);
    }
    all
}

/// The same blocks, by every proposer that makes a difference.
fn proposed(
    binder: &Binder,
    node: &Node,
    contents: &[Vec<Move>],
    choice: &Choice,
    all: &mut Vec<Choice>,
) {
    let world = &binder.world;
    let pending = pending(binder, node);
    let mut makers = Vec::new();
    for proposer in proposers(world, &node.board) {
        if !world.hostile_replica {
            makers.push((proposer, false));
            continue;
        }
        if proposer.is_some() && proposer != hostile_position(world, &node.board) {
            makers.push((proposer, false));
        }
        // It may name whomever it likes, but proposes only when it is its turn.
        if world.timeouts || !node.hostile_last {
            makers.push((proposer, true));
        }
    }
    for (proposer, hostile) in makers {
        for txs in contents {
            let all_pending = pending.iter().all(|mv| txs.contains(mv));
            if hostile || !world.hostile_replica || all_pending {
                all.push(Choice {
                    proposer,
                    hostile,
                    txs: txs.clone(),
                    ..choice.clone()
                });
            }
        }
    }
}

/// Entries that every honest replica has had since the round opened, and that aren't on the board.
fn pending(binder: &Binder, node: &Node) -> Vec<Move> {
    let Ok(session) = node.board.state.session(&binder.id(0)) else {
        return Vec::new();
    };
    let Some(body) = &session.body else {
        return Vec::new();
    };
    let what = match session.status() {
        Status::Joining => What::Join(0),
        Status::Running => What::Post(0, Content::Plain),
        _ => return Vec::new(),
    };
    let mask = node.punctual.unwrap_or(0);
    let awaited = body.awaited();
    let late = (0..binder.world.honest).filter(|i| mask >> i & 1 == 1 && awaited.contains(*i));
    late.map(|index| Move::own(0, index, what)).collect()
}

/// Subsets of the honest parties.
fn subsets(world: &World) -> Vec<Option<u16>> {
    (0..1 << world.honest).map(Some).collect()
}

fn is_unstarted(board: &Board) -> bool {
    board.state.unstarted().next().is_some()
}

/// Whether some session will be in last call in this block.
fn in_last_call(world: &World, board: &Board, choice: &Choice) -> bool {
    let context = choice.context(world, board);
    let block = white_city_state_machine::Preview::new(board.state.clone(), context);
    let mut sessions = board.state.past_deadline(block.board_ms());
    sessions.next().is_some()
}

/// One proposer of each kind: alike are those that have counted in the same last calls.
fn proposers(world: &World, board: &Board) -> Vec<Option<usize>> {
    let mut kinds = BTreeSet::new();
    let mut some = vec![None];
    for replica in 0..usize::from(board.state.charter().size()) {
        let sessions = board.state.sessions().iter();
        let mut kind: Vec<bool> = sessions.map(|s| has_called(s, replica)).collect();
        kind.push(hostile_position(world, board) == Some(replica));
        if kinds.insert(kind) {
            some.push(Some(replica));
        }
    }
    some
}

/// Contents that a block may have: nothing, one of the moves, or several. Both orders only where the order of two moves could matter.
fn contents(world: &World, good: &[Move]) -> Vec<Vec<Move>> {
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..world.txs {
        let mut longer = Vec::new();
        for txs in &longest {
            for mv in good {
                let last = txs
                    .iter()
                    .filter_map(|tx| good.iter().position(|g| g == tx))
                    .max();
                let here = good.iter().position(|g| g == mv);
                let ascending = here > last;
                let orders = mv.commutes() && txs.iter().all(Move::commutes);
                if !txs.contains(mv) && (ascending || !orders) {
                    longer.push([&txs[..], &[*mv]].concat());
                }
            }
        }
        all.extend(longer.iter().cloned());
        longest = longer;
    }
    all
}
