//! Traces of the specification, replayed on the state machine.

use std::{collections::BTreeMap, sync::Arc};

use white_city_tests::{
    board::Candidate,
    board::{Board, Executed},
    network::{network, rules, with_max_work},
};
use white_city_wire::Network;

use crate::{
    binder::{Binder, outcome},
    program::Trace,
    seen::{Meanings, same_part, seen},
    value::Value,
};

/// Events of the traces so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub blocks: usize,
    /// Steps by the name of the action that was chosen.
    pub actions: BTreeMap<String, usize>,
    /// Transactions by their word and what became of them.
    pub outcomes: BTreeMap<String, usize>,
    /// Sessions by status and cause, when the trace ended.
    pub endings: BTreeMap<String, usize>,
    /// Sessions that were erased.
    pub erased: usize,
}

/// Something that looks at each block that was compared: the block, the state that was expected, and the words' meanings.
pub type Look<'a> = &'a mut dyn FnMut(&Executed, &Value, &Meanings);

/// The network that a specification's board is on.
pub fn network_of(said: &Value) -> Arc<Network> {
    let mut rules = rules(&[]);
    rules.params.cap_ms = said.field("capMs").number();
    rules.params.full_block = said.field("fullBlock").number();
    rules.params.max_open_ms = said.field("maxOpenMs").number();
    let charter = &mut rules.charter;
    (charter.anyone_max_live, charter.anyone_max_bytes) = (1_000, 1 << 40);
    charter.max_board_bytes = 1 << 40;
    let network = network(said.field("validators").number(), rules);
    with_max_work(&network, said.field("maxWork").number())
}

/// Replays one trace, block after block, and compares outcomes and all of the state.
pub fn replay(trace: &Trace, tally: &mut Tally, look: Look<'_>) -> Result<(), String> {
    let mut binder = Binder::new();
    let mut board = Board::new(network_of(trace[0].field("board").field("network")));
    let mut block = None;
    let mut sent: Vec<(Value, Value, Value)> = Vec::new();
    for (step, pair) in trace.windows(2).enumerate() {
        let [before, after] = pair else { continue };
        let of_board = after.field("board");
        if let Value::Record(fields) = after {
            let action = fields.get("mbt::actionTaken");
            let Some(Value::Text(action)) = action else {
                return Err("a step without the name of its action".to_owned());
            };
            *tally.actions.entry(action.clone()).or_default() += 1;
        }
        match after.field("did").case() {
            ("Began", Some(began)) => {
                let step_ms = began.field("stepMs").number();
                block = Some(board.next_context(step_ms, began.field("proposer").number()));
            }
            ("Sent", Some(all)) => sent.extend(all.list().iter().map(|one| {
                let (tx, outcome) = (one.field("tx").clone(), one.field("outcome").clone());
                (tx, outcome, before.field("board").clone())
            })),
            ("EndedBlock", _) => {
                let context = block.take().ok_or("a block that never began")?;
                let txs = sent.iter();
                let txs = txs.map(|(tx, _, before)| binder.bind(tx, before, &board));
                let candidates = txs.map(Candidate::verified).collect();
                let executed = board.run(context, candidates);
                for ((tx, expected, _), real) in sent.drain(..).zip(&executed.outcomes) {
                    let found = outcome(&real.result);
                    if found != expected {
                        return Err(format!(
                            "step {step}, {tx}: {expected} in the specification, {found} on the board"
                        ));
                    }
                    let word = tx.field("says").case().0.to_owned();
                    *tally
                        .outcomes
                        .entry(format!("{word}: {found}"))
                        .or_default() += 1;
                }
                let expected = same_part(of_board);
                let found = seen(&board, &binder.meanings);
                if let Some(difference) = expected.difference(&found) {
                    return Err(format!("step {step}, after the block: {difference}"));
                }
                look(&executed, &expected, &binder.meanings);
                tally.blocks += 1;
            }
            _ => {}
        }
    }
    let last = trace.last().ok_or("an empty trace")?;
    for session in last.field("board").field("sessions").pairs().values() {
        let (ending, record) = session.field("terminal").case();
        let cause = record.map_or(ending, |record| record.field("cause").case().0);
        *tally.endings.entry(cause.to_owned()).or_default() += 1;
        tally.erased += usize::from(session.field("status").case().0 == "Erased");
    }
    Ok(())
}
