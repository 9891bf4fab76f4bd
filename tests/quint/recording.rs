//! What real boards did, checked to be traces of the specification.

use std::{collections::BTreeMap, fs, path::Path};

use white_city_state_machine::State;
use white_city_tests::board::{Board, Executed};
use white_city_wire::{Network, Refusal};

use crate::{
    binder::{outcome, proposer},
    script::{self, Block, Script},
    seen::{same_part, seen},
    teller::Teller,
    value::{Value, int, record},
};

/// Refusals for reasons that the specification doesn't have: sizes, quotas and shares, and kinds of keys and those of a roster.
const OUTSIDE: [&str; 13] = [
    "OtherKem",
    "UnderSealed",
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

/// The blocks of one board.
pub struct Recording {
    script: Script,
    teller: Teller,
}

impl Recording {
    pub fn new(network: &Network) -> Self {
        let params = &network.params;
        let network = record([
            ("validators", int(network.charter.size())),
            ("genesisMs", int(network.genesis_time.millis())),
            ("capMs", int(params.cap_ms)),
            ("fullBlock", int(params.full_block)),
            ("maxWork", int(params.max_work)),
            ("maxOpenMs", int(params.max_open_ms)),
        ]);
        Self {
            script: Script {
                start: format!("start({network})"),
                blocks: Vec::new(),
            },
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
        let mut sent = Vec::new();
        for said in &executed.outcomes {
            let Some(tx) = said.tx.as_ref().filter(|_| is_inside(&said.result)) else {
                continue;
            };
            sent.push((self.teller.tell(tx, &before), outcome(&said.result)));
            if let Ok(number) = said.result {
                self.teller.opened(tx, &before, number);
            }
        }
        let step_ms = context.time.millis() - context.parent_time.millis();
        let position = before.state.charter().position_of(&context.proposer);
        let proposer = proposer(&before, position);
        self.script.blocks.push(Block {
            begin: format!("begin({step_ms}, {proposer})"),
            sent,
            end: "end".to_owned(),
            after: seen(&board(&executed.after), &self.teller.meanings),
        });
    }

    /// Number of transactions by what became of them.
    pub fn outcomes(&self) -> BTreeMap<String, usize> {
        let mut outcomes = BTreeMap::new();
        for (tx, outcome) in self.script.blocks.iter().flat_map(|block| &block.sent) {
            let word = tx.field("says").case().0;
            *outcomes.entry(format!("{word}: {outcome}")).or_default() += 1;
        }
        outcomes
    }

    /// Causes of the endings of the board's sessions.
    pub fn endings(&self) -> Vec<String> {
        let last = self.script.blocks.last().unwrap().after.field("sessions");
        let endings = last.pairs().values().filter_map(|session| {
            let (_, record) = session.field("terminal").case();
            Some(record?.field("cause").case().0.to_owned())
        });
        endings.collect()
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
    let modules = [("rules", "session"), ("session", "session")];
    let scripts: Vec<&Script> = recordings
        .iter()
        .map(|recording| &recording.script)
        .collect();
    script::check(folder, &modules, &scripts, same_part)
}
