//! Promise 3, for a replica that lets go of what has ended: it accepts the same, and has the same roots and paths.

use std::collections::BTreeMap;

use white_city_state_machine::{Frozen, State};
use white_city_wire::{
    Hash, Refusal,
    board::{SessionLeaf, Status},
    tree::append_root_from_path,
};

use super::Property;
use crate::{board::execute, simulator::Observed};

/// A replica whose memory follows what is live.
#[derive(Default, Clone)]
pub struct Memory {
    state: Option<State>,
    /// Roots of frozen subtrees, by level and index.
    frozen: BTreeMap<(u8, u32), Hash>,
}

impl Property for Memory {
    const NAME: &'static str = "memory";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let executed = &seen.executed;
        let genesis = || State::genesis(executed.before.network().clone());
        let own = self.state.take().unwrap_or_else(genesis);
        let candidates = executed.candidates.clone();
        let (ended, outcomes) = execute(own, executed.context, candidates);
        for (own, other) in outcomes.iter().zip(&executed.outcomes) {
            let same = match (&own.result, &other.result) {
                (Ok(own), Ok(other)) => own == other,
                (Err(own), Err(other)) => own == other || has_let_go(own),
                _ => false,
            };
            ensure!(same, "{:?} instead of {:?}", own.result, other.result);
        }
        let mut state = ended.state.clone();
        for Frozen { level, index, hash } in state.put_aside(&ended.sessions) {
            let before = self.frozen.insert((level, index), hash);
            ensure!(before.is_none(), "{level}, {index} is frozen twice");
        }
        let root = state.root();
        ensure!(root == seen.root, "it has the root {root}");
        ensure!(root == ended.seal().root, "it changes in rest");
        let after = || (0_u32..).zip(executed.after.sessions().iter());
        for (number, session) in after() {
            let kept = state.sessions().get(number);
            let body = kept.is_some_and(|kept| kept.body.is_some());
            ensure!(
                body == session.status().is_live(),
                "session {number} is kept"
            );
            let erased = session.status() == Status::Erased;
            ensure!(kept.is_none() == erased, "session {number} isn't kept");
            if erased {
                self.frozen.insert((0, number), session.leaf.hash());
            }
        }
        for (number, session) in after() {
            self.check_path(&state, number, &session.leaf)?;
        }
        self.state = Some(state);
        Ok(())
    }
}

impl Memory {
    fn check_path(&self, state: &State, number: u32, leaf: &SessionLeaf) -> Result<(), String> {
        let frozen = |level, index| {
            let hash = self.frozen.get(&(level, index)).copied();
            hash.ok_or(format!("{level}, {index} was never frozen"))
        };
        let sessions = state.sessions();
        let path = sessions.path_with(number, frozen)?.ok_or("no path")?;
        let root = append_root_from_path(leaf.hash(), number, &path);
        ensure!(
            root == Some(sessions.root()),
            "session {number} isn't proven"
        );
        Ok(())
    }
}

/// Whether a refusal is of something that it doesn't know any more.
const fn has_let_go(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::UnknownSession(_) | Refusal::Ended | Refusal::OpenExpired { .. }
    )
}
