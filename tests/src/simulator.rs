//! Many sessions on one board, honest and hostile parties, outages and full blocks. One seed decides everything.

mod charters;
mod disputes;
mod hostile;
mod moves;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use prost::bytes::Bytes;
use white_city_state_machine::Session;
use white_city_wire::{
    AppState, Charter, Entry, Hash, Network, NetworkId, SessionId, SignedEntry, SignedTx,
    VerifiedTx,
    seal::Seal,
    tx::{Action, Post, bytes_to_sign},
};

use crate::{
    board::{Board, Executed},
    invariants::{Invariant, all},
    network::{network, rules, storable, with_max_work},
    party::Party,
    rng::Rng,
};

/// Blocks in one run.
pub const BLOCKS: usize = 70;
/// Parties with these numbers are honest: each signs one entry a round.
const HONEST: usize = 6;
/// All parties.
const PARTIES: usize = 9;

/// Everything that was ever signed: key and digest.
pub type SignedDigests = BTreeSet<([u8; 32], Hash)>;
/// The entries that the party of each slot has really signed, by their digests.
pub type Entries = BTreeMap<(SessionId, u32, u16), BTreeMap<Hash, SignedEntry>>;
/// Keying material and plaintext of the payloads that were rightly sealed, by their leaves.
pub type Sealed = BTreeMap<Hash, ([u8; 32], Vec<u8>)>;

/// A block as the properties see it.
#[derive(Clone)]
pub struct Observed {
    /// Result of the execution.
    pub executed: Executed,
    /// The root after it.
    pub root: Hash,
    /// Candidates that the rules have to accept, of all of them.
    pub must_be_taken: Vec<bool>,
    /// Everything that was ever signed.
    pub signed: Arc<SignedDigests>,
    /// The entries that were ever signed.
    pub entries: Arc<Entries>,
    /// The payloads that open.
    pub sealed: Arc<Sealed>,
    /// Keys of the honest parties.
    pub honest: Arc<BTreeSet<[u8; 32]>>,
}

impl Observed {
    /// The block as it was decided: its seal, and what was applied.
    #[must_use]
    pub fn block(&self) -> Vec<Bytes> {
        let context = self.executed.context;
        let seal = Seal {
            root: self.root,
            parent_hash: context.parent_hash,
            parent_time: context.parent_time,
        };
        let txs = self.executed.applied();
        let txs = txs.map(|(tx, _)| Bytes::from(tx.encode()));
        std::iter::once(Bytes::from(seal.encode()))
            .chain(txs)
            .collect()
    }

    /// An execution of which nothing else is known.
    #[must_use]
    pub fn only(executed: &Executed) -> Self {
        Self {
            root: executed.after.root(),
            executed: executed.clone(),
            must_be_taken: vec![false; executed.outcomes.len()],
            signed: Arc::default(),
            entries: Arc::default(),
            sealed: Arc::default(),
            honest: Arc::default(),
        }
    }
}

/// Counts over a run.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Transactions that were accepted.
    pub accepted: usize,
    /// Number of times that each refusal was given, by code.
    pub refused: BTreeMap<u32, usize>,
    /// Sessions that were opened.
    pub sessions: usize,
    /// Number of sessions that each cause ended.
    pub causes: BTreeMap<u16, usize>,
    /// Sessions that were erased.
    pub erased: usize,
    /// Rounds that were closed.
    pub rounds: usize,
    /// Culprits that were flagged.
    pub culprits: usize,
    /// Candidates that had to be taken.
    pub musts: usize,
}

/// Most work in a block of the usual world: a few entries take the room of those behind them in last call.
const MAX_WORK: u32 = 12;

/// A running simulation.
#[derive(Clone)]
pub struct World {
    rng: Rng,
    board: Board,
    parties: Vec<Party>,
    signed: Arc<SignedDigests>,
    entries: Arc<Entries>,
    sealed: Arc<Sealed>,
    honest: Arc<BTreeSet<[u8; 32]>>,
    /// Every post that was ever signed, by its digest.
    posts: BTreeMap<Hash, Post>,
    /// The one entry that an honest party signs for a slot, or the last one of a hostile party.
    journal: BTreeMap<(SessionId, u32, u16), Action>,
    /// Transactions of the past.
    past: Vec<Vec<u8>>,
    /// Sessions and parties that have acted in the present block.
    busy: BTreeSet<(SessionId, u16)>,
    /// What those have said that leave: by session and index, and who they are.
    left: BTreeMap<(SessionId, u16), (usize, Action)>,
    /// Charters that were drafted for the next term.
    drafts: Vec<Charter>,
    /// Percentage of the blocks in which operators say something.
    words: u64,
    /// Sessions that a complaint of the present block may stop.
    contested: BTreeSet<SessionId>,
}

impl World {
    /// The world that a seed decides.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::tight(Rng::new(seed))
    }

    /// The same with bounds that a genesis may have.
    #[must_use]
    pub fn storable(seed: u64) -> Self {
        Self::on(Rng::new(seed), |k, rules| network(k, storable(rules)))
    }

    /// The world that these choices decide.
    fn tight(rng: Rng) -> Self {
        Self::on(rng, |k, rules| with_max_work(&network(k, rules), MAX_WORK))
    }

    fn on(mut rng: Rng, network: impl FnOnce(u8, AppState) -> Arc<Network>) -> Self {
        let parties = Party::several(u64::try_from(PARTIES).unwrap_or(0));
        let k = *rng.pick(&[1, 4, 7]).unwrap_or(&1);
        let mut rules = rules(&[(&parties[0], 3, 80_000)]);
        rules.charter.max_board_bytes = 400_000;
        rules.params.full_block = 3_000;
        rules.charter.anyone_may_open = !rng.chance(10);
        let honest = parties.iter().take(HONEST).map(|p| *p.key().as_bytes());
        Self {
            honest: Arc::new(honest.collect()),
            sealed: Arc::default(),
            posts: BTreeMap::new(),
            contested: BTreeSet::new(),
            rng,
            board: Board::new(network(k, rules)),
            parties,
            signed: Arc::default(),
            entries: Arc::default(),
            journal: BTreeMap::new(),
            past: Vec::new(),
            busy: BTreeSet::new(),
            left: BTreeMap::new(),
            drafts: Vec::new(),
            words: 8,
        }
    }

    /// The same world, whose charter stays.
    #[must_use]
    pub const fn steady(mut self) -> Self {
        self.words = 0;
        self
    }

    /// The same world, whose operators have much to say.
    #[must_use]
    pub const fn busy(mut self) -> Self {
        self.words = 70;
        self
    }

    /// Makes the next block.
    pub fn block(&mut self) -> Observed {
        self.busy.clear();
        self.contested.clear();
        let step_ms = match self.rng.below(20) {
            3..=5 => self.step_to_a_deadline().unwrap_or(100),
            0 => self.rng.between(0, 2),
            1 => self.rng.between(2_900, 3_100),
            2 => self.rng.between(3_001, 60_000),
            _ => self.rng.between(50, 800),
        };
        let k = u64::from(self.board.state.charter().size());
        let proposer = usize::try_from(self.rng.below(k + 1)).unwrap_or(0);
        let mut candidates = Vec::new();
        for _ in 0..self.rng.below(5) {
            self.some_moves(&mut candidates);
        }
        if self.words > 0 && self.rng.chance(self.words) {
            self.charter_moves(&mut candidates);
        }
        let mut context = self.board.next_context(step_ms, proposer);
        // Who has voted for the block before it: usually all of those who are there.
        for bits in &mut context.voted {
            *bits = u8::try_from(self.rng.below(256)).unwrap_or(0)
                | u8::from(self.rng.chance(50)).wrapping_neg();
        }
        let (candidates, must_be_taken) = candidates.into_iter().unzip();
        let executed = self.board.run(context, candidates);
        if executed.after.term().charter_hash != executed.before.term().charter_hash {
            self.drafts.clear();
        }
        for outcome in &executed.outcomes {
            if let Some(tx) = outcome.tx.as_ref().filter(|_| self.past.len() < 500) {
                self.past.push(encode(tx));
            }
        }
        Observed {
            root: executed.after.root(),
            executed,
            must_be_taken,
            signed: Arc::clone(&self.signed),
            entries: Arc::clone(&self.entries),
            sealed: Arc::clone(&self.sealed),
            honest: Arc::clone(&self.honest),
        }
    }

    /// Time to some session's deadline, or to a millisecond before or after it.
    fn step_to_a_deadline(&mut self) -> Option<u64> {
        let board_ms = self.board.time.millis() - self.board.state.paused_ms();
        let steps: Vec<u64> = self
            .sessions()
            .iter()
            .filter_map(|session| session.leaf.deadline_ms.checked_sub(board_ms))
            .filter(|step| (1..3_000).contains(step))
            .collect();
        let step = *self.rng.pick(&steps)?;
        Some(step + self.rng.below(3) - 1)
    }

    /// Sessions that aren't erased.
    fn sessions(&self) -> Vec<Arc<Session>> {
        let sessions = self.board.state.sessions().iter();
        sessions.filter(|s| s.body.is_some()).cloned().collect()
    }

    fn network_id(&self) -> NetworkId {
        self.board.network().id
    }

    /// The number of the party at `index` of a session.
    fn party_at(&self, session: &Session, index: u16) -> Option<usize> {
        let key = *session.body.as_ref()?.spec.key(index).ok()?;
        self.parties.iter().position(|party| *party.key() == key)
    }

    /// Signs an action, and notes what was signed.
    fn sign(&mut self, party: usize, action: Action) -> Option<SignedTx> {
        let network = self.network_id();
        let bytes = bytes_to_sign(&action, &network)?;
        let signature = self.parties[party].sign(&bytes);
        let digest = Hash::from_slice(bytes.get(bytes.len() - 32..)?)?;
        let key = *self.parties[party].key();
        Arc::make_mut(&mut self.signed).insert((*key.as_bytes(), digest));
        let entry = match &action {
            Action::Post(post) => Some(Entry::Post(post.header.clone())),
            Action::Finish(finish) => Some(Entry::Finish(finish.clone())),
            _ => None,
        };
        if let Action::Post(post) = &action {
            self.note_post(post);
        }
        if let Some(entry) = entry {
            self.note_entry(party, SignedEntry { entry, signature });
        }
        SignedTx::new(action, signature).ok()
    }

    /// Notes an entry that the party of its own slot has signed.
    fn note_entry(&mut self, party: usize, entry: SignedEntry) {
        let (session, _, index) = entry.entry.slot();
        let Ok(at) = self.board.state.session(&session).cloned() else {
            return;
        };
        if self.party_at(&at, index) == Some(party) {
            let slot = Arc::make_mut(&mut self.entries).entry(entry.entry.slot());
            slot.or_default().insert(entry.entry.digest(), entry);
        }
    }
}

fn encode(tx: &VerifiedTx) -> Vec<u8> {
    SignedTx::new(tx.action().clone(), *tx.signature()).map_or(vec![], |tx| tx.encode())
}

impl Tally {
    fn note(&mut self, seen: &Observed) {
        for outcome in &seen.executed.outcomes {
            match &outcome.result {
                Ok(_) => self.accepted += 1,
                Err(refusal) => *self.refused.entry(refusal.code()).or_default() += 1,
            }
        }
        self.musts += seen.must_be_taken.iter().filter(|must| **must).count();
        for session in seen.executed.after.sessions().iter() {
            let before = seen.executed.before.sessions().get(session.number);
            self.sessions += usize::from(before.is_none());
            let round = before.map_or(0, |before| before.leaf.open_round);
            self.rounds += usize::try_from(session.leaf.open_round - round).unwrap_or(0);
            let ended = before.is_none_or(|before| before.terminal.is_none());
            if let Some(record) = session.terminal.as_ref().filter(|_| ended) {
                *self.causes.entry(record.cause.number()).or_default() += 1;
            }
            let had_body = before.is_none_or(|before| before.body.is_some());
            self.erased += usize::from(had_body && session.body.is_none());
            let culprits = |s: &Session| s.body.as_ref().map_or(0, |body| body.culprits.len());
            let flagged = culprits(session);
            self.culprits += flagged.saturating_sub(before.map_or(0, |b| culprits(b)));
        }
    }
}

/// Runs one seed and checks every property after every block.
///
/// # Errors
/// The property, the block and what is wrong.
pub fn run(seed: u64, tally: &mut Tally) -> Result<(), String> {
    run_while(World::new(seed), tally, |_| true)
}

/// Runs the world whose choices are read from bytes, as long as there are some, and checks the same.
///
/// # Errors
/// As [`run`].
pub fn run_told(bytes: &[u8], tally: &mut Tally) -> Result<(), String> {
    let world = World::tight(Rng::told(bytes));
    run_while(world, tally, |world| world.rng.is_told())
}

fn run_while(
    mut world: World,
    tally: &mut Tally,
    goes_on: impl Fn(&World) -> bool,
) -> Result<(), String> {
    let mut invariants = all();
    for height in 1..=BLOCKS {
        if !goes_on(&world) {
            break;
        }
        let seen = world.block();
        tally.note(&seen);
        check(&mut invariants, &seen).map_err(|what| format!("block {height}: {what}"))?;
    }
    Ok(())
}

/// Checks properties after a block.
///
/// # Errors
/// The property and what is wrong.
pub fn check(invariants: &mut [Box<dyn Invariant>], seen: &Observed) -> Result<(), String> {
    for invariant in invariants {
        let name = invariant.name();
        invariant
            .check(seen)
            .map_err(|what| format!("{name}: {what}"))?;
    }
    Ok(())
}
