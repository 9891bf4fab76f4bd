//! Promise 7, one agreed end: the record is made once, says what was, and never changes.

use std::collections::BTreeMap;

use white_city_wire::board::Terminal;

use super::Property;
use crate::simulator::Observed;

/// Every record, as it was made.
#[derive(Default, Clone)]
pub struct TerminalRecord(BTreeMap<u32, Terminal>);

impl Property for TerminalRecord {
    const NAME: &'static str = "terminal";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let executed = &seen.executed;
        for session in executed.after.sessions().iter() {
            let number = session.number;
            let live = session.status().is_live();
            ensure!(
                live != session.terminal.is_some(),
                "session {number}: a record while it lives"
            );
            let Some(record) = &session.terminal else {
                ensure!(!self.0.contains_key(&number), "session {number} came back");
                continue;
            };
            if let Some(first) = self.0.get(&number) {
                ensure!(first == record, "session {number}: its record changed");
                continue;
            }
            ensure!(
                record.height == executed.context.height,
                "session {number}: height"
            );
            ensure!(
                record.board_ms == executed.board_ms,
                "session {number}: board time"
            );
            let body = session.body().map_err(|refusal| refusal.to_string())?;
            ensure!(record.members == body.members, "session {number}: members");
            let filled: Vec<u16> = (0..)
                .zip(&body.slots)
                .filter(|(_, slot)| !slot.is_empty())
                .map(|(index, _)| index)
                .collect();
            let same = record.filled.iter().eq(filled);
            ensure!(same, "session {number}: filled slots");
            self.0.insert(number, record.clone());
        }
        ensure!(
            self.0
                .keys()
                .all(|number| executed.after.sessions().get(*number).is_some()),
            "a session with a record is gone"
        );
        Ok(())
    }
}
