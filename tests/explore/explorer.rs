//! Breadth first through every state of a world, so that the first trace to anything is a shortest one. The code that runs is the
//! state machine itself; nothing of it is modelled.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use white_city_state_machine::Block;
use white_city_tests::{
    board::{Board, Candidate, Executed},
    invariants::{Invariant, all},
    simulator::Observed,
};
use white_city_wire::{Refusal, VerifiedTx};

use crate::{
    binder::Binder,
    choices::{Choice, choices, start},
    hunt::Hunt,
    key::{Key, key},
    moves::Move,
    predicates,
    report::Report,
    trace::words,
    world::World,
};

/// A state that was reached, with what the properties remember of the way to it.
pub struct Node {
    /// The board.
    pub board: Board,
    /// Honest parties, one bit each, whose entry of the open round every honest replica has had since it opened; `None` before that is
    /// decided.
    pub punctual: Option<u16>,
    /// Whether the last block was the hostile replica's, in last call.
    pub hostile_last: bool,
    /// Properties that are checked in every block.
    memory: Properties,
    /// Those that cost more, which are checked in a block to each state.
    dear: Properties,
    number: u32,
    depth: usize,
}

/// Properties, with what they remember.
type Properties = Vec<Box<dyn Invariant>>;

/// Properties that execute a block again, or hash the whole board.
const DEAR: [&str; 4] = ["agreement", "paths", "refusals", "root"];

/// A block to a state.
struct Stepped {
    after: Node,
    observed: Observed,
    /// Whether it needs nothing of anybody hostile.
    quiet: bool,
}

/// A world that is being explored.
pub struct Explorer<'a> {
    binder: Binder,
    moves: Vec<Move>,
    seen: BTreeMap<Key, u32>,
    /// Origin of each state.
    ways: Vec<(u32, Choice)>,
    /// From, to, and whether it needs nothing of anybody hostile.
    edges: Vec<(u32, u32, bool)>,
    /// Whether each state has only ended sessions; likewise those that weren't looked into.
    ended: Vec<bool>,
    queue: VecDeque<Node>,
    hunt: Option<&'a mut Hunt>,
    report: Report,
}

/// Explores a world.
///
/// # Errors
/// What is wrong, and the shortest trace to it.
pub fn explore(world: World, hunt: Option<&mut Hunt>) -> Result<Report, String> {
    let began = Instant::now();
    let board = Board::new(world.network());
    let mut explorer = Explorer {
        binder: Binder::new(world, &board),
        moves: world.moves(),
        seen: BTreeMap::new(),
        ways: Vec::new(),
        edges: Vec::new(),
        ended: Vec::new(),
        queue: VecDeque::new(),
        hunt,
        report: Report {
            complete: true,
            ..Report::default()
        },
    };
    explorer.begin(board)?;
    while let Some(node) = explorer.queue.pop_front() {
        if node.depth >= world.depth {
            explorer.report.complete = false;
            explorer.ended[usize::try_from(node.number).unwrap_or(0)] = true;
            continue;
        }
        explorer.expand(&node)?;
    }
    explorer.everything_can_end()?;
    explorer.report.states = explorer.seen.len();
    explorer.report.time = began.elapsed();
    Ok(explorer.report)
}

impl Explorer<'_> {
    fn begin(&mut self, board: Board) -> Result<(), String> {
        let (dear, memory) = all().into_iter().partition(|p| DEAR.contains(&p.name()));
        let mut node = Node {
            board,
            punctual: None,
            hostile_last: false,
            memory,
            dear,
            number: 0,
            depth: 0,
        };
        self.ways.push((0, Choice::still(vec![])));
        self.ended.push(false);
        for choice in start(&self.binder.world) {
            let txs = choice.txs.iter();
            let txs = txs.filter_map(|mv| self.binder.bind(&node.board, *mv));
            let txs = txs.collect();
            let mut stepped = self
                .step(&node, &choice, txs)?
                .ok_or("the start is refused")?;
            self.look_closer(&node, &choice, &mut stepped)?;
            node = stepped.after;
            node.depth = 0;
        }
        self.ended[0] = has_ended(&node.board);
        self.seen.insert(key(&self.binder, &node), 0);
        self.queue.push_back(node);
        Ok(())
    }

    fn expand(&mut self, node: &Node) -> Result<(), String> {
        let mut bound: Vec<(Move, VerifiedTx)> = Vec::new();
        for mv in self.moves.clone() {
            if let Some(tx) = self.binder.bind(&node.board, mv) {
                bound.push((mv, tx));
            }
        }
        let good = self.admit(node, &bound)?;
        let enabled = self.enabled(node, &bound, &good);
        let txs: BTreeMap<Move, VerifiedTx> = bound.into_iter().collect();
        for choice in choices(&self.binder, node, &good, &enabled) {
            let chosen = choice.txs.iter().filter_map(|mv| txs.get(mv).cloned());
            let Some(mut stepped) = self.step(node, &choice, chosen.collect())? else {
                continue;
            };
            let key = key(&self.binder, &stepped.after);
            let number = u32::try_from(self.ways.len()).unwrap_or(u32::MAX);
            let known = *self.seen.entry(key).or_insert(number);
            self.edges.push((node.number, known, stepped.quiet));
            if known == number {
                self.look_closer(node, &choice, &mut stepped)?;
                let mut after = stepped.after;
                after.number = number;
                self.report.depth = self.report.depth.max(after.depth);
                self.ended.push(has_ended(&after.board));
                self.ways.push((node.number, choice));
                self.queue.push_back(after);
            }
        }
        Ok(())
    }

    /// Moves that are taken in this state. The others are tried all at once, in a block that has to be the empty one.
    fn admit(&mut self, node: &Node, bound: &[(Move, VerifiedTx)]) -> Result<Vec<Move>, String> {
        let context = node.board.next_context(0, 0);
        let block = Block::begin(node.board.state.clone(), context);
        let mut good = Vec::new();
        let mut refused: Vec<(Candidate, Refusal)> = Vec::new();
        for (mv, tx) in bound {
            let must = predicates::must_be_taken(&self.binder, &node.board, *mv);
            match block.check(tx) {
                Ok(()) => good.push(*mv),
                Err(refusal) if must => {
                    let what = format!("an honest entry is refused: {mv}: {refusal}");
                    return Err(self.blame(node, None, &what));
                }
                Err(refusal) => {
                    *self.report.refused.entry(refusal.code()).or_default() += 1;
                    refused.push((Candidate::verified(tx.clone()), refusal));
                }
            }
        }
        let empty = node.board.clone().run(context, vec![]);
        let (candidates, refusals): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
        let noise = node.board.clone().run(context, candidates);
        let results = noise.outcomes.iter().map(|outcome| outcome.result.clone());
        if !results.eq(refusals.into_iter().map(Err)) {
            return Err(self.blame(node, None, "a refusal changes what is refused"));
        }
        if noise.after.root() != empty.after.root() {
            return Err(self.blame(node, None, "refused transactions change the root"));
        }
        let musts = vec![false; noise.outcomes.len()];
        let observed = self.observed(noise, musts);
        let nothing = Choice::still(vec![]);
        self.plant(node, &nothing, &observed);
        self.checked(&node.memory, node, &nothing, &observed)?;
        Ok(good)
    }

    /// Pairs of moves of which the second is taken only after the first, in the same block.
    fn enabled(
        &self,
        node: &Node,
        bound: &[(Move, VerifiedTx)],
        good: &[Move],
    ) -> Vec<(Move, Move)> {
        let mut pairs = Vec::new();
        if self.binder.world.txs < 2 {
            return pairs;
        }
        let is_good = |(mv, _): &&(Move, VerifiedTx)| good.contains(mv);
        for (first, tx) in bound.iter().filter(is_good) {
            let context = node.board.next_context(0, 0);
            let mut block = Block::begin(node.board.state.clone(), context);
            if block.apply(tx).is_err() {
                continue;
            }
            let others = bound.iter().filter(|other| !is_good(other));
            let taken = others.filter(|(_, tx)| block.check(tx).is_ok());
            pairs.extend(taken.map(|(second, _)| (*first, *second)));
        }
        pairs
    }

    /// Executes a block, and checks it unless something in it is refused.
    fn step(
        &mut self,
        node: &Node,
        choice: &Choice,
        txs: Vec<VerifiedTx>,
    ) -> Result<Option<Stepped>, String> {
        let mut board = node.board.clone();
        let context = choice.context(&self.binder.world, &node.board);
        let musts = choice.txs.iter().enumerate().map(|(place, mv)| {
            place == 0 && predicates::must_be_taken(&self.binder, &node.board, *mv)
        });
        let must_be_taken = musts.collect();
        let candidates = txs.into_iter().map(Candidate::verified).collect();
        let executed = board.run(context, candidates);
        if executed
            .outcomes
            .iter()
            .any(|outcome| outcome.result.is_err())
        {
            return Ok(None);
        }
        self.report.blocks += 1;
        let observed = self.observed(executed, must_be_taken);
        self.report.tally(&observed);
        self.plant(node, choice, &observed);
        let memory = self.checked(&node.memory, node, choice, &observed)?;
        let after = Node {
            punctual: predicates::punctual_after(node, choice, &board),
            hostile_last: choice.hostile,
            board,
            memory,
            dear: Vec::new(),
            number: 0,
            depth: node.depth + 1,
        };
        if let Err(what) = predicates::check(&self.binder, node, choice, &after.board.state) {
            return Err(self.blame(node, Some(choice), &what));
        }
        let world = &self.binder.world;
        let is_honest = |mv: &Move| world.is_honest(mv.by) && !mv.is_word();
        let quiet = !choice.hostile && choice.txs.iter().all(is_honest);
        Ok(Some(Stepped {
            after,
            observed,
            quiet: quiet && choice.proposer.is_some(),
        }))
    }

    fn observed(&self, executed: Executed, must_be_taken: Vec<bool>) -> Observed {
        Observed {
            root: executed.after.root(),
            executed,
            must_be_taken,
            signed: Arc::clone(&self.binder.signed),
            entries: Arc::clone(&self.binder.entries),
            sealed: Arc::clone(&self.binder.sealed),
            honest: Arc::clone(&self.binder.honest),
        }
    }

    /// Checks what costs more.
    fn look_closer(
        &mut self,
        node: &Node,
        choice: &Choice,
        to: &mut Stepped,
    ) -> Result<(), String> {
        to.after.dear = self.checked(&node.dear, node, choice, &to.observed)?;
        Ok(())
    }

    /// Checks properties that remember the way to a state in a block after it.
    fn checked(
        &self,
        properties: &Properties,
        node: &Node,
        choice: &Choice,
        observed: &Observed,
    ) -> Result<Properties, String> {
        let mut properties: Properties = properties.iter().map(|known| known.copy()).collect();
        for property in &mut properties {
            if let Err(what) = property.check(observed) {
                let what = format!("{}: {what}", property.name());
                return Err(self.blame(node, Some(choice), &what));
            }
        }
        Ok(properties)
    }

    /// Plants the bugs that are looked for in a block.
    fn plant(&mut self, node: &Node, choice: &Choice, observed: &Observed) {
        let Some(hunt) = self.hunt.as_mut() else {
            return;
        };
        let way = || {
            words(
                &self.binder.world,
                &path(&self.ways, node.number, Some(choice)),
            )
        };
        let own = |altered: &Observed| {
            let after = &altered.executed.after;
            predicates::check(&self.binder, node, choice, after).is_err()
        };
        let place = (self.binder.world.name, node.depth + 1);
        let properties = node.memory.iter().chain(&node.dear);
        hunt.plant(place, observed, properties, own, way);
    }

    /// Nobody hostile can keep a session alive: from every state there is a way to the end that needs only honest replicas and
    /// parties.
    fn everything_can_end(&mut self) -> Result<(), String> {
        let mut can = self.ended.clone();
        let mut into: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (from, to, _) in self.edges.iter().filter(|(_, _, quiet)| *quiet) {
            into.entry(*to).or_default().push(*from);
        }
        let numbers = (0_u32..).zip(&can).filter(|(_, can)| **can);
        let mut todo: Vec<u32> = numbers.map(|(number, _)| number).collect();
        while let Some(number) = todo.pop() {
            for from in into.get(&number).into_iter().flatten() {
                let place = usize::try_from(*from).unwrap_or(0);
                if !std::mem::replace(&mut can[place], true) {
                    todo.push(*from);
                }
            }
        }
        match can.iter().position(|can| !can) {
            None => Ok(()),
            Some(stuck) => {
                let number = u32::try_from(stuck).unwrap_or(0);
                let way = words(&self.binder.world, &path(&self.ways, number, None));
                Err(format!("a session can't end any more\n{way}"))
            }
        }
    }

    fn blame(&self, node: &Node, choice: Option<&Choice>, what: &str) -> String {
        let path = path(&self.ways, node.number, choice);
        let way = words(&self.binder.world, &path);
        format!("world {}: {what}\n{way}", self.binder.world.name)
    }
}

/// Whether no session lives.
fn has_ended(board: &Board) -> bool {
    let mut sessions = board.state.sessions().iter();
    sessions.all(|session| !session.status().is_live())
}

/// The choices on the way to a state, and one more.
fn path(ways: &[(u32, Choice)], mut number: u32, last: Option<&Choice>) -> Vec<Choice> {
    let mut path: Vec<Choice> = last.into_iter().cloned().collect();
    while let Some((from, choice)) = ways.get(usize::try_from(number).unwrap_or(0)) {
        if number == 0 {
            break;
        }
        path.push(choice.clone());
        number = *from;
    }
    path.reverse();
    path
}
