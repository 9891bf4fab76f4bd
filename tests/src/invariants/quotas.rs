//! Quotas of openers (`architecture.md`): an opener's live sessions and reserved bytes are the sums over its sessions,
//! within its quota; what a session reserves is what it may keep while it lives, and what it keeps when it has ended.

use std::collections::BTreeMap;

use white_city_state_machine::{Body, Session};
use white_city_wire::{Kem, Spec, board::Status};

use super::Property;
use crate::simulator::Observed;

/// Recomputes every opener's use from scratch.
#[derive(Default, Clone)]
pub struct Quotas;

/// The length of what the spec's hash is taken over, and what a roster and its evidence weigh.
fn roster(spec: &Spec) -> u64 {
    let fixed = 4 + 17 + 4 + 4 + 1 + 2 + 2 + 2 + 4 + 4 * 8 + 4 + 4 + 8 + 4 + 32 + 32;
    let parts = spec.protocol.len() + 32 * spec.roster.len() + spec.input.len();
    let key = match spec.kem {
        Kem::X25519 => 512,
        Kem::XWing => 1_792,
    };
    fixed + u64::try_from(parts).unwrap_or(u64::MAX) + (key + 512) * u64::from(spec.parties())
}

fn rounds(spec: &Spec, count: u32) -> u64 {
    u64::from(count) * (128 + 80 * u64::from(spec.parties()))
}

/// Bytes that a live session reserves: all that its spec allows.
fn reservation(spec: &Spec) -> u64 {
    let share = spec.max_bytes / u64::from(spec.parties());
    let plaintext = u64::from(spec.max_p2p).min(share);
    spec.max_bytes + plaintext + 1_024 + roster(spec) + rounds(spec, spec.max_rounds + 1)
}

/// Bytes that are kept of one that has ended: all that there is.
fn kept(session: &Session, body: &Body) -> u64 {
    let entries: u64 = body.used_bytes.iter().sum();
    let dispute = body.dispute.as_ref().map_or(0, |dispute| {
        let plaintext = dispute.revealed.map_or(0, |shown| shown.plaintext_bytes);
        1_024 + u64::from(plaintext)
    });
    let spec = &body.spec;
    entries + dispute + roster(spec) + rounds(spec, session.leaf.open_round + 1)
}

impl Property for Quotas {
    const NAME: &'static str = "quotas";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let state = &seen.executed.after;
        let mut used: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
        for session in state.sessions().iter() {
            let (live, bytes) = used.entry(session.leaf.opener).or_default();
            *live += u32::from(session.status().is_live());
            if session.status() != Status::Erased {
                *bytes += session.leaf.reserved_bytes;
            }
            if let Some(body) = &session.body {
                let due = if session.status().is_live() {
                    reservation(&body.spec)
                } else {
                    kept(session, body)
                };
                let same = session.leaf.reserved_bytes == due;
                ensure!(
                    same,
                    "session {} reserves another size than {due}",
                    session.number
                );
            }
        }
        for session in seen.executed.before.sessions().iter() {
            let after = state.sessions().get(session.number);
            let now = after.map_or(0, |after| after.leaf.reserved_bytes);
            let number = session.number;
            ensure!(
                now <= session.leaf.reserved_bytes,
                "session {number} reserves more than at its opening"
            );
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
            // What this block has opened was under the charter before it. What is over a quota since then stays, but grows no further.
            let (was, charter) = (
                seen.executed.before.openers().get(number),
                seen.executed.before.charter(),
            );
            let (max_live, max_bytes) = match was.filter(|was| was.listed) {
                Some(was) => (was.max_live, was.max_bytes),
                None => (charter.anyone_max_live, charter.anyone_max_bytes),
            };
            let (had_live, had_bytes) = was.map_or((0, 0), |was| (was.live, was.live_bytes));
            let within = live <= max_live.max(had_live) && bytes <= max_bytes.max(had_bytes);
            ensure!(within, "opener {number} is over its quota");
        }
        ensure!(used.is_empty(), "a session of an unknown opener");
        Ok(())
    }
}
