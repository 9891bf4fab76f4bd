//! `architecture.md`: a refusal changes nothing. A block of the accepted transactions alone gives the same state.

use super::Property;
use crate::{
    board::{Candidate, execute},
    simulator::Observed,
};

/// Executes every block again without what it refused.
#[derive(Default, Clone)]
pub struct Refusals;

impl Property for Refusals {
    const NAME: &'static str = "refusals";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let executed = &seen.executed;
        let accepted: Vec<Candidate> = executed
            .applied()
            .map(|(tx, _)| Candidate::verified(tx.clone()))
            .collect();
        let (ended, outcomes) = execute(executed.before.clone(), executed.context, accepted);
        let all = outcomes.iter().all(|outcome| outcome.result.is_ok());
        ensure!(all, "an accepted transaction needed a refused one");
        ensure!(
            ended.state.root() == seen.root,
            "a refused transaction changed the root"
        );
        let same = ended
            .state
            .sessions()
            .iter()
            .eq(executed.after.sessions().iter());
        ensure!(same, "a refused transaction changed a session");
        let same = ended
            .state
            .openers()
            .iter()
            .eq(executed.after.openers().iter());
        ensure!(same, "a refused transaction changed an opener");
        Ok(())
    }
}
