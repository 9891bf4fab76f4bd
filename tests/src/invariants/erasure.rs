//! `model.md`, after the end: payloads, headers and spec go when the retention has passed, not before and not
//! later; the record and its hashes stay for ever.

use std::collections::BTreeMap;

use white_city_state_machine::Session;
use white_city_wire::{board::Status, tx::Action};

use super::Property;
use crate::simulator::Observed;

/// When each ended session has to be erased, and what it must look like then.
#[derive(Default, Clone)]
pub struct Erasure(BTreeMap<u32, (u64, Option<Session>)>);

impl Property for Erasure {
    const NAME: &'static str = "erasure";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let board_ms = seen.executed.board_ms;
        for session in seen.executed.after.sessions().iter() {
            let number = session.number;
            let Some(record) = &session.terminal else {
                continue;
            };
            let kept = session.body.as_ref();
            let kept = kept.map_or((0, 0), |body| (body.spec.retention_ms, body.open_by_ms));
            let (due, erased) = self.0.entry(number).or_insert_with(|| {
                let due = record.board_ms.saturating_add(kept.0);
                (due.max(kept.1), None)
            });
            ensure!(
                session.leaf.deadline_ms == *due,
                "session {number}: erasure isn't due at {due}"
            );
            let must = board_ms > *due;
            let is = session.status() == Status::Erased;
            ensure!(
                is == must,
                "session {number}: erased: {is}, must be: {must}"
            );
            ensure!(
                is != session.body.is_some(),
                "session {number}: erased but still there"
            );
            if !is {
                let ending = session.status() == record.status;
                ensure!(ending, "session {number}: another status than its record's");
                continue;
            }
            let first = erased.get_or_insert_with(|| Session::clone(session));
            ensure!(
                *first == **session,
                "session {number} changed after its erasure"
            );
            let before = seen.executed.before.sessions().get(number);
            let hashes = |s: &Session| {
                (
                    s.leaf.transcript,
                    s.leaf.slots_root,
                    s.leaf.terminal,
                    s.leaf.left,
                    s.leaf.dispute,
                )
            };
            let kept = before.is_none_or(|before| hashes(before) == hashes(session));
            ensure!(kept, "session {number}: its hashes changed at erasure");
            let mut applied = seen.executed.applied().filter(|(_, at)| *at == number);
            let flagged = applied.any(|(tx, _)| matches!(tx.action(), Action::Evidence(_)));
            let changed = before.is_some_and(|b| b.leaf.evidence != session.leaf.evidence);
            ensure!(
                changed == flagged,
                "session {number}: the leaf's evidence isn't that of its last block"
            );
        }
        Ok(())
    }
}
