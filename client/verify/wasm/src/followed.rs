//! A session whose entries are read round by round, under their authors' signatures.

use serde_json::{Value, json};
use white_city_verify::{
    history::{ClosedRound, Contradiction, History, LastRound, check_broadcast, filled},
    read::{InboxPage, Lie, OrLie, SessionEvidence, SessionState},
    wire::{
        Entry, SessionId, Signature, SignedEntry, board::Terminal, proof::RoundProof, tx::Join,
    },
};

use crate::outcome::NotProven;

/// See the module.
pub struct Followed {
    pub id: SessionId,
    pub history: History,
    /// The round whose pages come in.
    pending: Option<Pending>,
    /// The round that was open when the session ended, once its entries have been checked.
    last: Option<Last>,
}

/// The last round, and the record of the end.
struct Last {
    joins: Vec<(Join, Signature)>,
    entries: Vec<SignedEntry>,
    terminal: Terminal,
}

/// Pages of a round, until it is whole.
struct Pending {
    now: SessionState,
    proof: Option<RoundProof>,
    pages: InboxPage,
}

impl Followed {
    pub const fn new(id: SessionId, history: History) -> Self {
        Self {
            id,
            history,
            pending: None,
            last: None,
        }
    }

    /// Takes the next page. Whoever gives another one is told which round comes next.
    pub fn take(
        &mut self,
        (round, from_index): (u32, u16),
        page: InboxPage,
    ) -> Result<Value, NotProven> {
        let wants = json!({ "round": self.history.open_round() });
        if round != self.history.open_round() || self.last.is_some() {
            return Err(NotProven::Wants(wants));
        }
        let pending = match (page.now.clone(), self.pending.take(), from_index) {
            (Some(now), _, 0) => Pending {
                now,
                proof: page.proof.clone(),
                pages: page,
            },
            (_, Some(mut pending), 1..) if pending.pages.next_index == Some(from_index) => {
                pending.pages.joins.extend(page.joins);
                pending.pages.entries.extend(page.entries);
                pending.pages.next_index = page.next_index;
                pending
            }
            _ => return Err(NotProven::Wants(wants)),
        };
        if let Some(next_index) = pending.pages.next_index {
            self.pending = Some(pending);
            return Ok(json!({ "round": round, "next_index": next_index }));
        }
        let slots = match &pending.proof {
            Some(proof) => Some(self.close(&pending, proof)?),
            None => self.end(pending)?,
        };
        Ok(json!({ "round": round, "next_index": null, "slots": slots }))
    }

    /// Takes a round that has closed.
    fn close(&mut self, pending: &Pending, proof: &RoundProof) -> Result<String, NotProven> {
        let (leaf, pages) = (&pending.now.leaf, &pending.pages);
        let closed = match self.history.open_round() {
            0 => self.history.check_joining(&pages.joins, proof, leaf),
            _ => self.history.check_round(None, &pages.entries, proof, leaf),
        };
        let closed = closed.map_err(|contradiction| match contradiction {
            Contradiction::Fork { .. } => NotProven::Other {
                by: "fork",
                text: contradiction.to_string(),
            },
            other => Lie::new(format!("round: {other}")).into(),
        })?;
        let slots = self.slots(&closed.joins, &closed.entries);
        self.history.push(closed);
        Ok(slots)
    }

    /// Takes the round that was open when the session ended; of one that is open still, nothing.
    fn end(&mut self, pending: Pending) -> Result<Option<String>, NotProven> {
        let Pending { now, pages, .. } = pending;
        let Some(terminal) = now.terminal else {
            return Ok(None);
        };
        let mut payloads = pages.entries.iter();
        payloads
            .try_for_each(check_broadcast)
            .or_lie("last round")?;
        let entries = pages.entries.into_iter().map(|entry| entry.signed);
        let entries: Vec<SignedEntry> = entries.collect();
        let last = LastRound {
            joins: &pages.joins,
            entries: &entries,
        };
        let ended = self
            .history
            .check_end((&now.leaf, &terminal), last, &now.left);
        ended.or_lie("end")?;
        let slots = self.slots(&pages.joins, &entries);
        let joins = pages.joins;
        self.last = Some(Last {
            joins,
            entries,
            terminal,
        });
        Ok(Some(slots))
    }

    /// What each party's slot holds: a join, a post, a finish, or nothing.
    fn slots(&self, joins: &[(Join, Signature)], entries: &[SignedEntry]) -> String {
        let mut slots = vec!['.'; self.history.spec().roster.len()];
        let joins = joins.iter().map(|(join, _)| (join.index, 'J'));
        let entries = entries.iter().map(|signed| match &signed.entry {
            Entry::Post(post) => (post.index, 'P'),
            Entry::Finish(finish) => (finish.index, 'F'),
        });
        for (index, kind) in joins.chain(entries) {
            if let Some(slot) = slots.get_mut(usize::from(index)) {
                *slot = kind;
            }
        }
        slots.into_iter().collect()
    }

    /// Whether a dispute, if there is one, was judged over what was read: then it has shown what the board says that it has.
    pub fn judge(&self, evidence: &SessionEvidence) -> Result<bool, Lie> {
        let joining = self.history.round(0);
        if let Some(joined) = joining.map(|joining| filled(&joining.digests)) {
            History::check_words(&evidence.left, &joined).or_lie("evidence")?;
        }
        let dispute = evidence.dispute.as_ref();
        let Some(signed) = dispute else {
            return Ok(false);
        };
        if signed.parties().round >= self.history.open_round() {
            return Ok(false);
        }
        self.history.check_evidence(evidence).or_lie("evidence")?;
        if let Some(last) = &self.last {
            let culprits = evidence.culprits.iter();
            let culprits: Vec<_> = culprits.map(|(culprit, _)| culprit.clone()).collect();
            let verdict = self
                .history
                .check_verdict(dispute, &culprits, &last.terminal);
            verdict.or_lie("end")?;
        }
        Ok(true)
    }

    /// One entry that was checked.
    pub fn entry(&self, round: u32, index: u16) -> Option<Value> {
        let closed = self.history.round(round);
        let closed = closed.map(|ClosedRound { joins, entries, .. }| (joins, entries));
        let last = self.last.as_ref();
        let last = last.filter(|_| round == self.history.open_round());
        let last = last.map(|last| (&last.joins, &last.entries));
        let (joins, entries) = closed.or(last)?;
        if round == 0 {
            let (join, _) = joins.iter().find(|(join, _)| join.index == index)?;
            return Some(json!({ "kind": "join", "digest": join.digest() }));
        }
        let of_index = |signed: &&SignedEntry| signed.entry.slot().2 == index;
        let entry = &entries.iter().find(of_index)?.entry;
        Some(match entry {
            Entry::Post(post) => json!({
                "kind": "post",
                "digest": post.digest(),
                "broadcast_bytes": post.bcast_len,
                "p2p_bytes": post.p2p_bytes,
            }),
            Entry::Finish(finish) => json!({
                "kind": "finish",
                "digest": finish.digest(),
                "outcome": finish.outcome,
            }),
        })
    }
}
