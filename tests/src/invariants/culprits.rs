//! Promise 5: a culprit is named only with evidence, never an honest party; the first evidence stays, also after
//! the end, and nothing else changes.

use std::collections::BTreeMap;

use white_city_state_machine::{Body, Session};
use white_city_wire::board::{Cause, Culprit, Offence};

use super::{Property, before_closing::before_closing, bodies, bytes::complain_digest};
use crate::simulator::Observed;

/// The evidence that was on the board first.
#[derive(Default, Clone)]
pub struct Culprits(BTreeMap<(u32, u16), Culprit>);

impl Property for Culprits {
    const NAME: &'static str = "culprits";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let ascending = body.culprits.is_sorted_by(|a, b| a.index < b.index);
            ensure!(
                ascending,
                "session {number}: culprits out of order or twice"
            );
            for culprit in &body.culprits {
                let real = match culprit.offence {
                    Offence::Equivocation => has_equivocated(seen, session, culprit),
                    _ => is_convicted(seen, session, body, culprit),
                };
                ensure!(real, "session {number}: party {} is framed", culprit.index);
                let key = body.spec.key(culprit.index);
                let key = key.map_err(|refusal| refusal.to_string())?;
                let honest = seen.honest.contains(key.as_bytes());
                ensure!(!honest, "session {number}: an honest party is a culprit");
                let first = self
                    .0
                    .entry((number, culprit.index))
                    .or_insert_with(|| culprit.clone());
                ensure!(
                    first == culprit,
                    "session {number}: the evidence was replaced"
                );
            }
            if let Some(verdict) = verdict(seen, session) {
                let convicted = body.culprits.iter().any(|c| c.index == verdict);
                ensure!(convicted, "session {number}: party {verdict} goes free");
            }
            let known = self.0.range((number, 0)..=(number, u16::MAX)).count();
            let all = known == body.culprits.len();
            ensure!(all, "session {number}: a culprit was forgotten");
        }
        Ok(())
    }
}

fn has_equivocated(seen: &Observed, session: &Session, culprit: &Culprit) -> bool {
    let slot = (session.id(), culprit.round, culprit.index);
    let signed = seen.entries.get(&slot);
    let both = [culprit.a, culprit.b];
    let real = |digest| signed.is_some_and(|signed| signed.contains_key(digest));
    both.iter().all(real) && culprit.a < culprit.b
}

/// Whether the dispute convicts this culprit: of a false complaint only when the payload opens, of a bad payload only by the
/// accused's own word.
fn is_convicted(seen: &Observed, session: &Session, body: &Body, culprit: &Culprit) -> bool {
    let Some(dispute) = &body.dispute else {
        return false;
    };
    let complain = &dispute.complain;
    let opens = seen.sealed.contains_key(&complain.leaf);
    let right = match culprit.offence {
        Offence::BadPayload => {
            session.terminal.as_ref().map(|record| record.cause) == Some(Cause::BadPayload)
                && culprit.index == complain.post.index
        }
        Offence::FalseComplaint => opens && culprit.index == complain.index,
        Offence::Equivocation => false,
    };
    right
        && culprit.round == complain.post.round
        && culprit.a == complain_digest(complain)
        && dispute.revealed.map(|revealed| revealed.digest) == Some(culprit.b)
}

/// The party that a reveal of this block convicts.
fn verdict(seen: &Observed, session: &Session) -> Option<u16> {
    let (_, culprit) = before_closing(seen, session.number)?.shown?;
    Some(culprit)
}
