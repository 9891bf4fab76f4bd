//! Promise 6, as far as the rules go: a valid entry of an honest member is accepted whatever else is in the block.

use super::Property;
use crate::simulator::Observed;

/// Checks what must be taken.
#[derive(Default, Clone)]
pub struct HonestEntries;

impl Property for HonestEntries {
    const NAME: &'static str = "honest_entries";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (outcome, must) in seen.executed.outcomes.iter().zip(&seen.must_be_taken) {
            if let (Err(refusal), true) = (&outcome.result, must) {
                return Err(format!("an honest party's entry was refused: {refusal}"));
            }
        }
        Ok(())
    }
}
