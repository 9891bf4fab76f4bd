//! The state machine, in worlds whose every choice the input makes.

use white_city_tests::{
    rng::Rng,
    simulator::{Tally, run_told},
};

use crate::Target;

/// Memory for a board, everything that was ever signed on it, and what the properties remember, bytes.
const BOARD_BYTES: u64 = 64 << 20;

/// Many sessions with honest and hostile parties, and every property after every block.
pub const SIMULATED: Target = Target::new("simulated", seeds, take)
    .within(BOARD_BYTES)
    .costing(200);

fn seeds() -> Vec<Vec<u8>> {
    (0..8).map(|seed| Rng::new(seed).bytes(400)).collect()
}

/// Whether anything of what the parties do is accepted.
fn take(input: &[u8]) -> bool {
    let mut tally = Tally::default();
    let kept = run_told(input, &mut tally);
    kept.unwrap_or_else(|what| panic!("{what}"));
    tally.accepted > 0
}
