//! Promise 1, no forging: whatever fills a slot or leaves was signed by that party of the roster.

use super::{Property, bodies};
use crate::simulator::Observed;

/// The digests on the board against the ledger of everything that was ever signed.
#[derive(Default, Clone)]
pub struct Authorship;

impl Property for Authorship {
    const NAME: &'static str = "authorship";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let rounds = body.closed.iter().map(|closed| closed.slots.as_slice());
            for slots in rounds.chain([body.slots.as_slice()]) {
                for (key, slot) in body.spec.roster.iter().zip(slots) {
                    let Some(digest) = slot.digest() else {
                        continue;
                    };
                    let signed = seen.signed.contains(&(*key.as_bytes(), digest));
                    ensure!(
                        signed,
                        "session {}: {key} never signed {digest}",
                        session.number
                    );
                }
            }
            for (index, digest) in &body.left {
                let key = body
                    .spec
                    .key(*index)
                    .map_err(|refusal| refusal.to_string())?;
                let signed = seen.signed.contains(&(*key.as_bytes(), *digest));
                ensure!(signed, "session {}: {key} never left", session.number);
            }
        }
        for (tx, number) in seen.executed.applied() {
            if let white_city_wire::tx::Action::Open(open) = tx.action() {
                let id = open.session_id(&seen.executed.before.network().id);
                let signed = (*open.opener.as_bytes(), white_city_wire::Hash(id.0));
                ensure!(
                    seen.signed.contains(&signed),
                    "nobody opened session {number}"
                );
            }
        }
        Ok(())
    }
}
