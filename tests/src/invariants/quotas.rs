//! Who may write (`architecture.md`): an opener's live sessions and reserved bytes are the sums over its sessions,
//! within its quota.

use std::collections::BTreeMap;

use white_city_wire::{Spec, board::Status};

use super::Property;
use crate::simulator::Observed;

/// Recomputes every opener's use from scratch.
#[derive(Default, Clone)]
pub struct Quotas;

/// `max_bytes` and the length of what the spec's hash is taken over.
fn reservation(spec: &Spec) -> u64 {
    let fixed = 4 + 17 + 4 + 4 + 2 + 2 + 2 + 4 + 4 * 8 + 4 + 4 + 8 + 4 + 32 + 32;
    let parts = spec.protocol.len() + 32 * spec.roster.len() + spec.input.len();
    spec.max_bytes + fixed + u64::try_from(parts).unwrap_or(u64::MAX)
}

impl Property for Quotas {
    const NAME: &'static str = "quotas";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let state = &seen.executed.after;
        let mut used: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
        for session in state.sessions().iter() {
            let (live, bytes) = used.entry(session.opener).or_default();
            *live += u32::from(session.status().is_live());
            if session.status() != Status::Erased {
                *bytes += session.reserved_bytes;
            }
            if let Some(body) = &session.body {
                let due = reservation(&body.spec);
                let same = session.reserved_bytes == due;
                ensure!(
                    same,
                    "session {} reserves another size than {due}",
                    session.number
                );
            }
        }
        for (number, opener) in (0_u32..).zip(state.openers().iter()) {
            let (live, bytes) = used.remove(&number).unwrap_or_default();
            ensure!(
                opener.live == live,
                "opener {number} has {live} live sessions"
            );
            ensure!(
                opener.live_bytes == bytes,
                "opener {number} has reserved {bytes} bytes"
            );
            let within = live <= opener.max_live && bytes <= opener.max_bytes;
            ensure!(within, "opener {number} is over its quota");
        }
        ensure!(used.is_empty(), "a session of an unknown opener");
        Ok(())
    }
}
