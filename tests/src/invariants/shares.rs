//! `bytes.md`, payloads: an entry counts 256 bytes and its payloads, and no party writes more than its share.

use std::collections::BTreeMap;

use white_city_wire::tx::Action;

use super::{Property, bodies};
use crate::simulator::Observed;

/// Bytes that every party has written.
#[derive(Default, Clone)]
pub struct Shares(BTreeMap<(u32, u16), u64>);

impl Property for Shares {
    const NAME: &'static str = "shares";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (tx, number) in seen.executed.applied() {
            let (index, payloads) = match tx.action() {
                Action::Post(post) => {
                    let p2p: usize = post.p2p.iter().map(|(_, bytes)| bytes.len()).sum();
                    (post.header.index, post.broadcast.len() + p2p)
                }
                Action::Finish(finish) => (finish.index, 0),
                _ => continue,
            };
            let bytes = u64::try_from(payloads).unwrap_or(u64::MAX) + 256;
            *self.0.entry((number, index)).or_default() += bytes;
        }
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let share = body.spec.max_bytes / u64::from(body.spec.parties());
            for (index, found) in (0_u16..).zip(&body.used_bytes) {
                let used = self.0.get(&(number, index)).copied().unwrap_or(0);
                ensure!(
                    *found == used,
                    "session {number}: party {index} wrote {used} bytes, not {found}"
                );
                ensure!(
                    used <= share,
                    "session {number}: party {index} wrote more than its share"
                );
            }
        }
        Ok(())
    }
}
