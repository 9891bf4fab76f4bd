//! What real boards did, checked to be traces of the specification: each recording becomes a test of a generated module, whose states are
//! held against those of the board.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use white_city_state_machine::State;
use white_city_tests::board::{Board, Executed};
use white_city_wire::{Network, Refusal};

use crate::{
    binder::{outcome, proposer},
    program::{quint, said, trace},
    seen::{same_part, seen},
    teller::Teller,
    value::{Value, int, record},
};

/// Refusals for reasons that the specification doesn't have: sizes, quotas and shares, and keys of a roster.
const OUTSIDE: [&str; 11] = [
    "TooLarge",
    "TooMuchWork",
    "NotInRoster",
    "OverSpec",
    "ShareUsedUp",
    "NotAnOpener",
    "LiveQuota",
    "BytesQuota",
    "BoardFull",
    "OverParams",
    "NumbersUsedUp",
];

/// A block: how it began, its transactions and what became of them, and the board after it.
struct Block {
    step_ms: u64,
    proposer: Value,
    txs: Vec<(Value, Value)>,
    after: Value,
}

/// The blocks of one board.
pub struct Recording {
    network: Value,
    blocks: Vec<Block>,
    teller: Teller,
}

impl Recording {
    pub fn new(network: &Network) -> Self {
        let params = &network.params;
        Self {
            network: record([
                ("validators", int(network.charter.size())),
                ("genesisMs", int(network.genesis_time.millis())),
                ("capMs", int(params.cap_ms)),
                ("fullBlock", int(params.full_block)),
                ("maxWork", int(params.max_work)),
                ("maxOpenMs", int(params.max_open_ms)),
            ]),
            blocks: Vec::new(),
            teller: Teller::default(),
        }
    }

    /// Records a block. What is refused for reasons outside of the specification is left out.
    pub fn block(&mut self, executed: &Executed) {
        let context = &executed.context;
        let board = |state: &State| Board {
            state: state.clone(),
            height: context.height,
            time: context.time,
        };
        let before = board(&executed.before);
        self.teller.begin_block();
        let mut txs = Vec::new();
        for said in &executed.outcomes {
            let Some(tx) = said.tx.as_ref().filter(|_| is_inside(&said.result)) else {
                continue;
            };
            txs.push((self.teller.tell(tx, &before), outcome(&said.result)));
            if let Ok(number) = said.result {
                self.teller.opened(tx, &before, number);
            }
        }
        let step_ms = context.time.millis() - context.parent_time.millis();
        let position = before.state.charter().position_of(&context.proposer);
        self.blocks.push(Block {
            step_ms,
            proposer: proposer(&before, position),
            txs,
            after: seen(&board(&executed.after), &self.teller.meanings),
        });
    }

    /// Number of transactions by what became of them.
    pub fn outcomes(&self) -> BTreeMap<String, usize> {
        let mut outcomes = BTreeMap::new();
        for (tx, outcome) in self.blocks.iter().flat_map(|block| &block.txs) {
            let word = tx.field("says").case().0;
            *outcomes.entry(format!("{word}: {outcome}")).or_default() += 1;
        }
        outcomes
    }

    /// Causes of the endings of the board's sessions.
    pub fn endings(&self) -> Vec<String> {
        let last = self.blocks.last().unwrap().after.field("sessions");
        let endings = last.pairs().values().filter_map(|session| {
            let (_, record) = session.field("terminal").case();
            Some(record?.field("cause").case().0.to_owned())
        });
        endings.collect()
    }

    fn write(&self, out: &mut String, number: usize) {
        for (at, block) in self.blocks.iter().enumerate() {
            let txs: Vec<String> = block.txs.iter().map(|(tx, _)| tx.to_string()).collect();
            let send = match txs.as_slice() {
                [] => String::new(),
                _ => format!(".then(send([\n    {}\n  ]))", txs.join(",\n    ")),
            };
            let (step_ms, proposer) = (block.step_ms, &block.proposer);
            writeln!(
                out,
                "  action block{number}x{at} = begin({step_ms}, {proposer}){send}.then(end)"
            )
            .unwrap();
        }
        let blocks = (0..self.blocks.len()).map(|at| format!(".then(block{number}x{at})"));
        let blocks: String = blocks.collect();
        writeln!(
            out,
            "  run recording{number}Test = start({}){blocks}",
            self.network
        )
        .unwrap();
    }

    /// Holds the states that the specification came to against those of the board.
    fn compare(&self, trace: &[Value]) -> Result<(), String> {
        let mut blocks = self.blocks.iter().enumerate();
        let mut sent: Vec<&Value> = Vec::new();
        for state in trace {
            match state.field("did").case() {
                ("Sent", Some(all)) => sent = all.list().iter().collect(),
                ("EndedBlock", _) => {
                    let (at, block) = blocks.next().ok_or("more blocks than there were")?;
                    if sent.len() != block.txs.len() {
                        return Err(format!("block {at}: {} transactions", sent.len()));
                    }
                    for (told, (tx, outcome)) in sent.drain(..).zip(&block.txs) {
                        let found = told.field("outcome");
                        if found != outcome {
                            return Err(format!(
                                "block {at}, {tx}: {found} in the specification, {outcome} on the board"
                            ));
                        }
                    }
                    let found = same_part(state.field("board"));
                    if let Some(difference) = found.difference(&block.after) {
                        return Err(format!("after block {at}: {difference}"));
                    }
                }
                _ => {}
            }
        }
        match blocks.next() {
            Some((at, _)) => Err(format!("block {at} isn't possible in the specification")),
            None => Ok(()),
        }
    }
}

fn is_inside<T>(result: &Result<T, Refusal>) -> bool {
    match result {
        // The order of two digests is a matter of bytes.
        Err(Refusal::NoEquivocation(why)) => !why.contains("smaller"),
        Err(_) => {
            let name = outcome(result).case().1.cloned();
            !OUTSIDE
                .iter()
                .any(|outside| name == Some(Value::Text((*outside).to_owned())))
        }
        Ok(_) => true,
    }
}

/// Checks that recordings are traces of this specification, in this folder.
pub fn check(folder: &Path, specification: &str, recordings: &[Recording]) -> Result<(), String> {
    fs::write(folder.join("session.qnt"), specification).unwrap();
    let mut module = String::from("module recorded {\n");
    module += "  import rules.* from \"./session\"\n  import session.* from \"./session\"\n";
    for (number, recording) in recordings.iter().enumerate() {
        recording.write(&mut module, number);
    }
    module += "}\n";
    let file = folder.join("recorded.qnt");
    fs::write(&file, module).unwrap();
    let to = folder.join("{test}.itf.json").display().to_string();
    let output = quint("test", &file, &["--out-itf", &to, "--max-samples", "1"]);
    for (number, recording) in recordings.iter().enumerate() {
        let file = folder.join(format!("recording{number}Test.itf.json"));
        if !file.is_file() {
            return Err(said(&output));
        }
        recording
            .compare(&trace(&file))
            .map_err(|what| format!("recording {number}: {what}"))?;
    }
    if output.status.success() {
        Ok(())
    } else {
        Err(said(&output))
    }
}
