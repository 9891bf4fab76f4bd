//! Promise 3: whoever executes the same blocks has the same state, whether it restarted from its store, tried other
//! proposals in between and threw them away, or did neither.

use white_city_state_machine::{Session, State};
use white_city_wire::board::OpenerLeaf;

use super::Property;
use crate::{board::execute, simulator::Observed};

/// A second replica.
#[derive(Default, Clone)]
pub struct Agreement(Option<State>);

impl Property for Agreement {
    const NAME: &'static str = "agreement";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let executed = &seen.executed;
        let own = self
            .0
            .take()
            .unwrap_or_else(|| State::genesis(executed.before.network().clone()));
        let mut reversed = executed.candidates.clone();
        reversed.reverse();
        drop(execute(own.clone(), executed.context, reversed));
        let candidates = executed.candidates.clone();
        let (ended, outcomes) = execute(own, executed.context, candidates);
        let same =
            (outcomes.iter().map(|o| &o.result)).eq(executed.outcomes.iter().map(|o| &o.result));
        ensure!(same, "another replica accepts other transactions");
        let root = ended.state.root();
        ensure!(root == seen.root, "another replica has root {root}");
        ensure!(root == ended.seal().root, "the seal has another root");
        let own = if root.0[0] % 3 == 0 {
            restored(&ended.state)
        } else {
            ended.state
        };
        ensure!(own.root() == root, "a restart changes the root");
        ensure!(
            own.reserved() == executed.after.reserved(),
            "the reserved bytes differ"
        );
        self.0 = Some(own);
        Ok(())
    }
}

/// The state after a restart: from what is stored of it.
fn restored(state: &State) -> State {
    let openers: Vec<OpenerLeaf> = state
        .openers()
        .iter()
        .map(|o| OpenerLeaf::clone(o))
        .collect();
    let sessions: Vec<Session> = state.sessions().iter().map(|s| Session::clone(s)).collect();
    State::restore(
        state.network().clone(),
        state.rules(),
        state.paused_ms(),
        openers,
        sessions,
    )
}
