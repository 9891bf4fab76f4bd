//! Traces of the specification of charters, replayed on the state machine.

use std::collections::BTreeMap;

use white_city_tests::{
    board::{Board, Candidate, Executed},
    network::{network, operator, replica, rules},
    party::Party,
    scene::{open, spec},
};
use white_city_wire::{
    Charter, Hash, Signature, VerifiedTx,
    approve::{Approve, Word},
    charter::Replica,
    signing::{Purpose, signed_bytes},
    tx::Action,
};

use super::seen::{Meanings, same_part, seen};
use crate::{binder::outcome, program::Trace, value::Value};

/// Number from which on the specification's keys are operators'.
const OPERATORS: i64 = 100;
/// Replicas that it has keys of.
const REPLICAS: u8 = 7;
/// Time between the two blocks that open a session and start its clock, ms.
const STEP_MS: u64 = 100;

/// Events of the traces so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Steps by the name of the action that was chosen.
    pub actions: BTreeMap<String, usize>,
    /// Words by what became of them.
    pub outcomes: BTreeMap<String, usize>,
    pub enacted: usize,
    pub eras: usize,
    pub numbers: usize,
    pub in_last_call: usize,
    pub in_a_row: usize,
}

/// Something that looks at each block, and can ask whether another one would have been noticed.
pub type Look<'a> = &'a mut dyn FnMut(&Executed, &dyn Fn(&Executed) -> bool);

/// The board of a trace: its charters by their terms, and what is known of hashes.
struct Stage {
    board: Board,
    terms: BTreeMap<i64, Hash>,
    meanings: Meanings,
}

impl Stage {
    /// A board with a session in last call from its third block on, to which nobody comes.
    fn new(genesis: &Value) -> Self {
        let mut rules = rules(&[]);
        rules.params.cap_ms = 100_000;
        let k = genesis.field("replicas").set().len();
        let mut board = Board::new(network(u8::try_from(k).unwrap(), rules));
        let mut short = spec(&Party::several(2), 2);
        short.join_ms = 1;
        let opening = open(&board, &Party::new(1_000), short, [1; 32]);
        for txs in [vec![opening], vec![]] {
            let context = board.next_context(STEP_MS, usize::MAX);
            let executed = board.run(context, txs.into_iter().map(Candidate::verified).collect());
            assert!(
                executed
                    .outcomes
                    .iter()
                    .all(|outcome| outcome.result.is_ok())
            );
        }
        let mut meanings = Meanings::default();
        for number in 0..REPLICAS {
            let Replica {
                validator,
                operator,
            } = replica(number);
            meanings.keys.insert(validator, number.into());
            meanings
                .keys
                .insert(operator, OPERATORS + i64::from(number));
        }
        let hash = board.state.term().charter_hash;
        meanings.charters.insert(hash, genesis.clone());
        Self {
            terms: BTreeMap::from([(0, hash)]),
            board,
            meanings,
        }
    }

    /// The charter that the specification means.
    fn charter(&mut self, said: &Value) -> Charter {
        let mut charter = Charter::clone(&self.board.network().charter);
        let rest: i64 = said.field("rest").number();
        match u8::try_from(rest) {
            Ok(rest) => charter.anyone_max_live += u32::from(rest),
            Err(_) => charter.stamp_bits = u8::MAX,
        }
        charter.term = said.field("term").number();
        let follows = said.field("follows").number();
        charter.previous = self.terms.get(&follows).copied().unwrap_or_default();
        charter.until_ms = said.field("untilMs").number();
        charter.protocol = said.field("protocol").number();
        let replicas = said.field("replicas").set().iter().map(|said| Replica {
            validator: replica(said.field("validator").number()).validator,
            operator: key_of(said.field("operator")).unwrap_or_default(),
        });
        charter.replicas = replicas.collect();
        charter.sort();
        self.meanings.charters.insert(charter.hash(), said.clone());
        charter
    }

    /// The word that the specification means.
    fn bind(&mut self, said: &Value) -> VerifiedTx {
        let network = self.board.network().id;
        let word = match said.field("says").case() {
            ("Approves", Some(approves)) => {
                let charter = self.charter(approves.field("charter"));
                let newcomers = self.newcomers(&charter, approves.field("newcomers"));
                Word::Charter {
                    charter: Box::new(charter),
                    newcomers,
                }
            }
            _ => Word::Withdraw,
        };
        let present = self.board.state.charter();
        let key = key_of(said.field("operator"));
        let position = present
            .replicas
            .iter()
            .position(|r| Some(r.operator) == key);
        let position = position.unwrap_or(present.replicas.len());
        let approve = Approve {
            term: said.field("term").number(),
            operator: u16::try_from(position).unwrap(),
            sequence: said.field("sequence").number(),
            word,
        };
        let signer = operator_of(said.field("by")).unwrap_or_else(|| Party::new(0));
        signer.verified(Action::Approve(approve), 0, &network)
    }

    /// Signatures by these newcomers, in the charter's order where they are those whom it takes.
    fn newcomers(&self, charter: &Charter, said: &Value) -> Vec<Signature> {
        let message = signed_bytes(Purpose::Operate, &self.board.network().id, &charter.hash());
        let mut signers: Vec<Party> = said.set().iter().filter_map(operator_of).collect();
        let expected: Vec<&Hash> = charter
            .operators_new_to(self.board.state.charter())
            .collect();
        let place = |party: &Party| {
            expected
                .iter()
                .position(|key| key.0 == *party.key().as_bytes())
        };
        signers.sort_by_key(place);
        signers.iter().map(|party| party.sign(&message)).collect()
    }
}

/// Whether this is the number of an operator, and whose.
fn operator_of(number: &Value) -> Option<Party> {
    let number = number.number::<i64>() - OPERATORS;
    u8::try_from(number)
        .ok()
        .filter(|n| *n < REPLICAS)
        .map(operator)
}

fn key_of(number: &Value) -> Option<Hash> {
    operator_of(number).map(|party| Hash(*party.key().as_bytes()))
}

/// Replays one trace, block after block, and compares outcomes and all of the rules.
pub fn replay(trace: &Trace, tally: &mut Tally, look: Look<'_>) -> Result<(), String> {
    let genesis = trace[0].field("board").field("term").field("charter");
    let mut stage = Stage::new(genesis);
    let mut began: Option<&Value> = None;
    let mut sent: Vec<&Value> = Vec::new();
    for (step, state) in trace.iter().enumerate().skip(1) {
        let Value::Record(fields) = state else {
            continue;
        };
        let Some(Value::Text(action)) = fields.get("mbt::actionTaken") else {
            return Err("a step without the name of its action".to_owned());
        };
        *tally.actions.entry(action.clone()).or_default() += 1;
        match state.field("did").case() {
            ("Began", Some(what)) => began = Some(what),
            ("Sent", Some(all)) => sent.extend(all.list()),
            ("EndedBlock", Some(proposer)) => {
                let began = began.take().ok_or("a block that never began")?;
                let executed = stage.block(began, &sent, proposer);
                stage
                    .compare(&executed, &sent, state.field("board"), tally)
                    .map_err(|what| format!("step {step}: {what}"))?;
                sent.clear();
                let expected = same_part(state.field("board"));
                look(&executed, &|changed| expected != stage.seen(changed));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Stage {
    fn block(&mut self, began: &Value, sent: &[&Value], proposer: &Value) -> Executed {
        let replicas = self.board.state.charter().replicas.clone();
        let is = |number: &Value, of: &Replica| {
            self.meanings.keys[&of.validator] == number.number::<i64>()
        };
        let position = replicas.iter().position(|of| is(proposer, of));
        let step_ms = began.field("stepMs").number();
        let mut context = self
            .board
            .next_context(step_ms, position.unwrap_or(usize::MAX));
        let voted = began.field("voted").set().iter();
        let voted = voted.filter_map(|number| replicas.iter().find(|of| is(number, of)));
        let voted: Vec<[u8; 20]> = voted.map(Replica::address).collect();
        context.voted = self.board.state.charter().positions_of(&voted);
        let words = sent.iter().map(|one| self.bind(one.field("word")));
        let words: Vec<Candidate> = words.map(Candidate::verified).collect();
        let executed = self.board.run(context, words);
        let term = executed.after.term();
        self.terms
            .insert(term.charter.term.into(), term.charter_hash);
        executed
    }

    fn seen(&self, executed: &Executed) -> Value {
        let board = Board {
            state: executed.after.clone(),
            height: executed.context.height,
            time: executed.context.time,
        };
        seen(&board, executed.board_ms, &self.meanings)
    }

    fn compare(
        &self,
        executed: &Executed,
        sent: &[&Value],
        board: &Value,
        tally: &mut Tally,
    ) -> Result<(), String> {
        for (one, real) in sent.iter().zip(&executed.outcomes) {
            let (expected, found) = (one.field("outcome"), outcome(&real.result));
            if found != *expected {
                let word = one.field("word");
                return Err(format!(
                    "{word}: {expected} in the specification, {found} on the board"
                ));
            }
            let name = match found.case() {
                ("Refused", Some(Value::Text(why))) => why.clone(),
                (name, _) => name.to_owned(),
            };
            *tally.outcomes.entry(name).or_default() += 1;
        }
        tally.note(executed);
        match same_part(board).difference(&self.seen(executed)) {
            Some(difference) => Err(format!("after the block: {difference}")),
            None => Ok(()),
        }
    }
}

impl Tally {
    fn note(&mut self, executed: &Executed) {
        let (was, is) = (executed.before.term(), executed.after.term());
        if was.charter_hash == is.charter_hash {
            return;
        }
        self.enacted += 1;
        self.eras += usize::from(was.eras != is.eras);
        self.numbers += usize::from(was.charter.protocol != is.charter.protocol);
        self.in_a_row += usize::from(was.height > 0 && was.height + 1 == is.height);
        let session = executed.before.sessions().get(0);
        self.in_last_call += usize::from(session.is_some_and(|s| s.leaf.call_blocks > 0));
    }
}
