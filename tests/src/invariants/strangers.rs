//! `bytes.md`: what strangers have reserved stays within `max_board_bytes` less the genesis openers' quotas.

use white_city_wire::board::Status;

use super::Property;
use crate::simulator::Observed;

/// Recomputes the strangers' bytes from scratch.
#[derive(Default, Clone)]
pub struct Strangers;

impl Property for Strangers {
    const NAME: &'static str = "strangers";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let state = &seen.executed.after;
        let listed = u32::try_from(state.params().openers.len()).unwrap_or(u32::MAX);
        let bytes: u64 = state
            .sessions()
            .iter()
            .filter(|session| session.opener >= listed && session.status() != Status::Erased)
            .map(|session| session.reserved_bytes)
            .sum();
        let found = state.strangers_bytes();
        ensure!(
            found == bytes,
            "strangers have reserved {bytes} bytes, not {found}"
        );
        let quotas: u64 = state.params().openers.iter().map(|o| o.max_bytes).sum();
        let most = state.params().max_board_bytes - quotas;
        ensure!(
            bytes <= most,
            "strangers have reserved {bytes} bytes of {most}"
        );
        Ok(())
    }
}
