//! Random schedules of operators' words, on the board and in the model of charters.

use std::collections::{BTreeMap, BTreeSet};

use white_city_tests::{
    board::{Board, Candidate},
    charters::{approval, next, operator_with},
    network::{network, operator, rules},
    rng::Rng,
};
use white_city_wire::{
    Charter, Hash, Refusal, VerifiedTx,
    approve::{Approve, Word},
    limits::APPROVAL_PACE_MS,
    tx::Action,
};

use crate::model::{Model, Said};

/// Blocks of a schedule.
const BLOCKS: usize = 40;
/// Operators that there are keys for; the first ones are those of the genesis.
const OPERATORS: u8 = 12;
/// Longest time between two blocks that the board's clock counts.
const CAP_MS: u32 = 100_000;
/// A time that no schedule reaches, which the model can count to.
const LATE_MS: u64 = 1 << 50;

/// Everything that becomes of a word.
pub const OUTCOMES: [&str; 9] = [
    "charter",
    "nothing",
    "operator",
    "sequence",
    "signature",
    "soon",
    "stored",
    "taken",
    "term",
];

/// Events so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Words by what became of them.
    pub outcomes: BTreeMap<String, u64>,
    /// Charters that were enacted.
    pub enacted: u64,
    /// Those of them with another operator than before.
    pub exchanged: u64,
    /// Approvals by operators that had approved another charter in the term.
    pub changed_minds: u64,
    /// Withdrawals that were taken.
    pub withdrawn: u64,
    /// Numbers of operators of the boards on which a charter was enacted.
    pub sizes: BTreeSet<u16>,
}

/// A word, for both.
struct Told {
    approve: Approve,
    line: String,
    real: VerifiedTx,
}

/// A board, and what its operators have thought of.
struct Play<'a> {
    board: Board,
    model: &'a mut Model,
    rng: Rng,
    drafts: Vec<Charter>,
    /// Every word so far.
    told: Vec<Approve>,
    /// Numbers of the operators' keys in the model.
    keys: BTreeMap<Hash, u8>,
}

/// Plays one schedule to both. What differs is an error.
pub fn play(seed: u64, model: &mut Model, tally: &mut Tally) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let mut rules = rules(&[]);
    rules.params.cap_ms = CAP_MS;
    let board = Board::new(network(*rng.pick(&[1, 2, 3, 4, 6, 7]).unwrap(), rules));
    let keys = (0..OPERATORS).map(|number| (Hash(*operator(number).key().as_bytes()), number));
    let mut play = Play {
        keys: keys.collect(),
        drafts: Vec::new(),
        told: Vec::new(),
        board,
        model,
        rng,
    };
    let genesis = play.charter_words(play.board.state.charter());
    let said = play
        .model
        .ask(&[format!("found {APPROVAL_PACE_MS} {genesis}")]);
    play.compare(&said, &[])
        .map_err(|what| format!("founded: {what}"))?;
    for number in 0..BLOCKS {
        play.block(tally)
            .map_err(|what| format!("block {number}, {what}"))?;
    }
    Ok(())
}

impl Play<'_> {
    fn block(&mut self, tally: &mut Tally) -> Result<(), String> {
        let told = self.words();
        let step_ms = self.step_ms();
        let context = self.board.next_context(step_ms, 0);
        let before = self.board.state.clone();
        let txs = told
            .iter()
            .map(|word| Candidate::verified(word.real.clone()));
        let executed = self.board.run(context, txs.collect());
        let mut lines = vec![format!("block {}", executed.board_ms)];
        lines.extend(told.iter().map(|word| word.line.clone()));
        lines.push("end".into());
        let said = self.model.ask(&lines);
        let outcomes: Vec<&str> = executed
            .outcomes
            .iter()
            .map(|outcome| outcome_name(outcome.result.as_ref().err()))
            .collect();
        self.compare(&said, &outcomes)
            .map_err(|what| format!("{lines:?}: {what}"))?;
        for (word, outcome) in told.iter().zip(&outcomes) {
            *tally.outcomes.entry((*outcome).to_owned()).or_default() += 1;
            let changes = word.approve.sequence > 1 && word.approve.word != Word::Withdraw;
            let taken = u64::from(*outcome == "taken");
            tally.changed_minds += taken * u64::from(changes);
            tally.withdrawn += taken * u64::from(word.approve.word == Word::Withdraw);
        }
        let (old, new) = (before.charter(), self.board.state.charter());
        if old.term != new.term {
            tally.enacted += 1;
            tally.sizes.insert(old.size());
            tally.exchanged += u64::from(new.operators_new_to(old).next().is_some());
            self.drafts.clear();
            self.drafts.push(old.clone());
        }
        self.told.extend(told.into_iter().map(|word| word.approve));
        Ok(())
    }

    /// Board time now, ms.
    fn now(&self) -> u64 {
        self.board.time.millis() - self.board.state.paused_ms()
    }

    /// Time until the next block: often when an operator may approve again, a millisecond before that or after it.
    fn step_ms(&mut self) -> u64 {
        let now = self.now();
        let standing = self.rng.pick(self.board.state.proposals()).copied();
        let again = standing.map_or(0, |word| {
            (word.board_ms + APPROVAL_PACE_MS).saturating_sub(now)
        });
        match self.rng.below(100) {
            0..40 if again > 1 => again + self.rng.below(3) - 1,
            40..60 => self.rng.between(1, 1_000),
            60..70 => APPROVAL_PACE_MS,
            _ => 100,
        }
    }

    /// Words of the next block.
    fn words(&mut self) -> Vec<Told> {
        let size = self.board.state.charter().size();
        let mut words = Vec::new();
        if self.rng.chance(40) {
            let draft = self.draft();
            let mut operators: Vec<u16> = (0..size).collect();
            self.rng.shuffle(&mut operators);
            let count = self.rng.between(1, size.into());
            for operator in operators.into_iter().take(usize::try_from(count).unwrap()) {
                let word = approval(&self.board, &draft);
                words.push(self.tell(operator, word, &words));
            }
        }
        for _ in 0..self.rng.below(4) {
            let operator = u16::try_from(self.rng.below(size.into())).unwrap();
            let word = if self.rng.chance(30) {
                Word::Withdraw
            } else {
                let draft = self.draft();
                approval(&self.board, &draft)
            };
            words.push(self.tell(operator, word, &words));
        }
        words
    }

    /// A charter that the operators have talked about, or another one, which usually may follow the one in force.
    fn draft(&mut self) -> Charter {
        if self.rng.chance(60)
            && let Some(draft) = self.rng.pick(&self.drafts)
        {
            return draft.clone();
        }
        let (now, kind, content) = (self.now(), self.rng.below(12), self.rng.below(1_000));
        let place = usize::try_from(self.rng.below(self.board.state.charter().size().into()));
        let comes = operator(u8::try_from(self.rng.below(OPERATORS.into())).unwrap());
        let comes = Hash(*comes.key().as_bytes());
        let until = now + *self.rng.pick(&[1, 100, 1_000, APPROVAL_PACE_MS]).unwrap();
        let draft = next(&self.board, |charter| {
            charter.until_ms = LATE_MS;
            charter.anyone_max_live = u32::try_from(content).unwrap();
            match kind {
                0 => charter.term += 1,
                1 => charter.previous = Hash::ZERO,
                2..4 => charter.until_ms = until,
                4..7 if charter.replicas.iter().all(|r| r.operator != comes) => {
                    charter.replicas[place.unwrap()].operator = comes;
                }
                _ => {}
            }
        });
        self.drafts.push(draft.clone());
        draft
    }

    /// The next word of an operator, after those of this block; sometimes with a lie, or its last one once more.
    fn tell(&mut self, position: u16, word: Word, before: &[Told]) -> Told {
        let standing = self.board.state.proposals().iter();
        let mut standing = standing.filter(|standing| standing.operator == position);
        let stored = standing.next().map_or(0, |standing| standing.sequence);
        let ahead = before
            .iter()
            .filter(|told| told.approve.operator == position && told.approve.sequence > stored);
        let mut approve = Approve {
            term: self.board.state.charter().term,
            operator: position,
            sequence: stored + u32::try_from(ahead.count()).unwrap() + 1,
            word,
        };
        let mut signer = Some(self.board.state.charter().replicas[usize::from(position)].operator);
        match self.rng.below(100) {
            0..3 => approve.term += 1,
            3..6 => approve.term = approve.term.saturating_sub(1),
            6..9 => approve.operator = self.board.state.charter().size(),
            9..12 => approve.sequence += 1,
            12..15 if approve.sequence > 1 => approve.sequence -= 1,
            15..18 => signer = self.keys.keys().nth(usize::from(position)).copied(),
            18..24 => {
                let mut earlier = self
                    .told
                    .iter()
                    .chain(before.iter().map(|told| &told.approve));
                if let Some(last) = earlier.rfind(|told| told.operator == position) {
                    approve = last.clone();
                }
            }
            _ => {}
        }
        self.signed(approve, &signer.unwrap())
    }

    fn signed(&self, approve: Approve, signer: &Hash) -> Told {
        let Approve {
            term,
            operator,
            sequence,
            ..
        } = approve;
        let place = format!("{term} {operator} {sequence} {}", self.keys[signer]);
        let line = match &approve.word {
            Word::Withdraw => format!("withdraw {place}"),
            Word::Charter { charter, .. } => {
                format!("approve {place} {}", self.charter_words(charter))
            }
        };
        let party = operator_with(signer).unwrap();
        let action = Action::Approve(approve.clone());
        Told {
            real: party.verified(action, 0, &self.board.network().id),
            approve,
            line,
        }
    }

    fn charter_words(&self, charter: &Charter) -> String {
        format!(
            "{} {} {} {} {}",
            charter.term,
            self.model.number(&charter.previous),
            charter.until_ms,
            charter.anyone_max_live,
            self.operators(charter),
        )
    }

    fn operators(&self, charter: &Charter) -> String {
        let keys = charter.replicas.iter().map(|r| self.keys[&r.operator]);
        let keys: Vec<String> = keys.map(|key| key.to_string()).collect();
        keys.join(",")
    }

    /// Holds the model's words against the board, and the model's hashes against its hashes.
    fn compare(&mut self, said: &Said, outcomes: &[&str]) -> Result<(), String> {
        let state = &self.board.state;
        let charter = state.charter();
        let term = charter.term.to_string();
        for (name, value) in [
            ("refused", outcomes.join(",")),
            ("term", term.clone()),
            ("charters", term),
            ("until", charter.until_ms.to_string()),
            ("content", charter.anyone_max_live.to_string()),
            ("operators", self.operators(charter)),
        ] {
            if said[name] != value {
                let found = &said[name];
                return Err(format!(
                    "{name}: {found} in the model, {value} on the board"
                ));
            }
        }
        let mut words = said["words"].split(',').filter(|word| !word.is_empty());
        for standing in state.proposals() {
            let word = words.next().unwrap_or_default();
            let (place, approved) = word.rsplit_once('/').unwrap_or_default();
            let expected = format!(
                "{}/{}/{}",
                standing.operator, standing.sequence, standing.board_ms
            );
            if place != expected {
                return Err(format!(
                    "word: {word} in the model, {expected} on the board"
                ));
            }
            self.model
                .pair("approved", approved, standing.charter_hash)?;
        }
        if let Some(more) = words.next() {
            return Err(format!("word: {more} in the model, none on the board"));
        }
        self.model
            .pair("force", &said["force"], state.term().charter_hash)?;
        self.model
            .pair("previous", &said["previous"], charter.previous)
    }
}

/// The model's name of what became of a word.
fn outcome_name(refusal: Option<&Refusal>) -> &'static str {
    match refusal {
        None => "taken",
        Some(Refusal::Term { .. }) => "term",
        Some(Refusal::NotAnOperator(_)) => "operator",
        Some(Refusal::AlreadyStored) => "stored",
        Some(Refusal::Sequence { .. }) => "sequence",
        Some(Refusal::NothingChanges) => "nothing",
        Some(Refusal::TooSoon { .. }) => "soon",
        Some(Refusal::BadSignature { .. }) => "signature",
        Some(Refusal::Charter(_)) => "charter",
        Some(_) => "not in the model",
    }
}
