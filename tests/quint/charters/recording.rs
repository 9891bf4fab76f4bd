//! What operators did on real boards, checked to be traces of the specification of charters.

use std::{collections::BTreeMap, fs, path::Path};

use white_city_tests::board::{Board, Candidate, Executed, Outcome};
use white_city_wire::{
    Bitmap, IdentityKey, Network, Refusal, SignedTx, approve::Approve, tx::Action,
};

use super::{
    seen::{rules_of, seen},
    teller::Teller,
};
use crate::{
    binder::outcome,
    program::text,
    script::{self, Block, Script},
    value::Value,
};

/// The blocks of one board, as far as they are about charters.
pub struct Recording {
    script: Script,
    board_ms: u64,
    teller: Teller,
    /// Charters that were enacted, and those of them that changed the validators.
    pub enacted: [usize; 2],
}

/// An operator's word among the candidates of a block, and who has signed it, where that is known. What comes as bytes and isn't signed as
/// it should be is refused before it is looked at any further: that order isn't the specification's.
fn word_of(candidate: &Candidate, became: &Outcome) -> Option<(Approve, Option<IdentityKey>)> {
    // The specification has no sizes.
    if let Err(Refusal::TooLarge { .. } | Refusal::TooMuchWork { .. }) = &became.result {
        return None;
    }
    if let Some(tx) = &became.tx {
        let Action::Approve(approve) = tx.action() else {
            return None;
        };
        return Some((approve.clone(), Some(*tx.signer())));
    }
    let Candidate::Bytes(bytes) = candidate else {
        return None;
    };
    let tx = SignedTx::decode(bytes).ok()?;
    let Action::Approve(approve) = tx.unverified_action() else {
        return None;
    };
    let first = matches!(
        became.result,
        Err(Refusal::Term { .. } | Refusal::NotAnOperator(_))
    );
    first.then(|| (approve.clone(), None))
}

impl Recording {
    pub fn new(network: &Network) -> Self {
        let mut teller = Teller::default();
        let genesis = teller.charter(&network.charter);
        teller.in_force(&network.charter);
        let board_ms = network.genesis_time.millis();
        let height = network.initial_height - 1;
        // Nobody's last call is told.
        let start = format!("start({genesis}, {height}, {board_ms}, true)");
        Self {
            script: Script {
                start,
                blocks: Vec::new(),
            },
            board_ms,
            teller,
            enacted: [0; 2],
        }
    }

    /// Records a block.
    pub fn block(&mut self, executed: &Executed) {
        let (before, after) = (&executed.before, &executed.after);
        let candidates = executed.candidates.iter().zip(&executed.outcomes);
        let words = candidates.filter_map(|(candidate, became)| {
            let (approve, signer) = word_of(candidate, became)?;
            let word = self.teller.word(&approve, signer.as_ref(), before);
            Some((word, outcome(&became.result)))
        });
        let sent = words.collect();
        let replicas = &before.charter().replicas;
        let voted = Bitmap::from_bytes(256, &executed.context.voted).unwrap();
        let voted = (0_u16..)
            .zip(replicas)
            .filter(|(position, _)| voted.contains(*position))
            .map(|(_, replica)| self.teller.key(&replica.validator));
        let voted = Value::Set(voted.collect());
        let proposer = before.charter().position_of(&executed.context.proposer);
        let proposer = proposer.map_or(Value::Int(-1), |position| {
            self.teller.key(&replicas[usize::from(position)].validator)
        });
        let (was, is) = (before.term(), after.term());
        if was.charter_hash != is.charter_hash {
            self.teller.in_force(&is.charter);
            self.enacted[0] += 1;
            self.enacted[1] += usize::from(was.eras != is.eras);
        }
        let board = Board {
            state: after.clone(),
            height: executed.context.height,
            time: executed.context.time,
        };
        let seen = seen(&board, executed.board_ms, &self.teller.meanings);
        let step_ms = executed.board_ms - self.board_ms;
        self.script.blocks.push(Block {
            begin: format!("begin({step_ms}, {voted})"),
            sent,
            end: format!("end({proposer})"),
            after: rules_of(&seen),
        });
        self.board_ms = executed.board_ms;
    }

    /// Number of words by what became of them.
    pub fn outcomes(&self) -> BTreeMap<String, usize> {
        let mut outcomes = BTreeMap::new();
        for (_, outcome) in self.script.blocks.iter().flat_map(|block| &block.sent) {
            *outcomes.entry(outcome.to_string()).or_default() += 1;
        }
        outcomes
    }
}

/// Checks that recordings are traces of this specification, in this folder.
pub fn check(folder: &Path, specification: &str, recordings: &[Recording]) -> Result<(), String> {
    fs::write(folder.join("session.qnt"), text()).unwrap();
    fs::write(folder.join("charter.qnt"), specification).unwrap();
    let modules = [("charters", "charter"), ("enacting", "charter")];
    let scripts: Vec<&Script> = recordings
        .iter()
        .map(|recording| &recording.script)
        .collect();
    script::check(folder, &modules, &scripts, rules_of)
}
