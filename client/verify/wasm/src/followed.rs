//! A session whose entries are read round by round, under their authors' signatures.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use white_city_verify::{
    Verified,
    history::{ClosedRound, Contradiction, History, LastRound, check_broadcast, filled},
    read::{Entry, InboxPage, Lie, OrLie, SessionEvidence, SessionState},
    wire::{self, SessionId, Signature, SignedEntry, board::Terminal, proof::RoundProof, tx::Join},
};

use crate::outcome::NotProven;

/// See the module.
pub struct Followed {
    history: History,
    /// The party whose p2p payloads come along.
    reader: Option<u16>,
    /// The session's state in the round that follows the history, once it was read.
    now: Option<Verified<SessionState>>,
    /// The newest state that was read.
    newest: Option<Verified<()>>,
    /// Entries with their payloads, by round, for a party.
    kept: BTreeMap<u32, Vec<Entry>>,
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
    now: Verified<SessionState>,
    proof: Option<RoundProof>,
    pages: InboxPage,
}

impl Followed {
    /// A session of which nothing was read.
    pub const fn new(history: History, reader: Option<u16>) -> Self {
        Self {
            history,
            reader,
            now: None,
            newest: None,
            kept: BTreeMap::new(),
            pending: None,
            last: None,
        }
    }

    /// The rounds that have closed.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The session's state in the round that follows them.
    pub const fn now(&self) -> Option<&Verified<SessionState>> {
        self.now.as_ref()
    }

    /// The height of the newest state that was read.
    pub fn height(&self) -> u64 {
        self.newest.as_ref().map_or(0, Verified::height)
    }

    /// Entries of a closed round with their payloads, for whose reader they were asked for.
    pub fn entries_of(&self, round: u32) -> Option<&[Entry]> {
        self.kept.get(&round).map(Vec::as_slice)
    }

    /// The record of the end, once the last round's entries were checked against it.
    pub fn terminal(&self) -> Option<&Terminal> {
        self.last.as_ref().map(|last| &last.terminal)
    }

    /// Whether it is this session, as this party reads it.
    pub fn is_of(&self, id: SessionId, reader: Option<u16>) -> bool {
        self.history.session() == id && self.reader == reader
    }

    /// Whether somebody who asks for this page begins again from the start. A party that waits for others to join doesn't.
    pub fn is_anew(&self, place: (u32, u16)) -> bool {
        place == (0, 0) && (self.history.open_round() > 0 || self.last.is_some())
    }

    /// Takes the next page. Whoever gives another one is told which round comes next.
    pub fn take(
        &mut self,
        (round, from_index): (u32, u16),
        page: Verified<InboxPage>,
    ) -> Result<Value, NotProven> {
        let ended = self.last.is_some();
        let wants = json!({ "round": self.history.open_round(), "ended": ended });
        if round != self.history.open_round() || self.last.is_some() {
            return Err(NotProven::Wants(wants));
        }
        let pending = match (page.now(), self.pending.take(), from_index) {
            (Some(now), _, 0) => {
                self.check_past(&now)?;
                Pending {
                    now,
                    proof: page.proof.clone(),
                    pages: page.into_value(),
                }
            }
            (_, Some(mut pending), 1..) if pending.pages.next_index == Some(from_index) => {
                let page = page.into_value();
                pending.pages.joins.extend(page.joins);
                pending.pages.entries.extend(page.entries);
                pending.pages.next_index = page.next_index;
                let bytes = pending.pages.entries.iter().map(Entry::bytes);
                if bytes.fold(0, u64::saturating_add) > self.history.spec().max_bytes {
                    return Err(Lie::new("more bytes than the spec allows").into());
                }
                pending
            }
            _ => return Err(NotProven::Wants(wants)),
        };
        if let Some(next_index) = pending.pages.next_index {
            self.pending = Some(pending);
            return Ok(json!({ "round": round, "next_index": next_index }));
        }
        let is_open = pending.now.leaf.open_round == round;
        let slots = match pending.proof.clone() {
            Some(proof) => Some(self.close(pending, &proof)?),
            None if is_open => self.end(pending)?,
            None => return Err(Lie::new("a closed round without its proof").into()),
        };
        let ended = self.last.is_some();
        Ok(json!({ "round": round, "next_index": null, "slots": slots, "ended": ended }))
    }

    /// Whether a state goes on from what was read before: if it doesn't, the validators have signed two histories.
    fn check_past(&self, now: &Verified<SessionState>) -> Result<(), NotProven> {
        let is_older = self.height() > now.height();
        let is_open = now.leaf.open_round >= self.history.open_round();
        // Whoever only looks takes what there is; a party doesn't act on less than it has seen.
        if is_older && (self.reader.is_some() || !is_open) {
            let text = format!("height {}, and a newer one was read", now.height());
            return Err(NotProven::Other { by: "behind", text });
        }
        if !self.history.leads_to(&now.leaf) {
            let text = "two histories: this state doesn't go on from the rounds that were read";
            return Err(NotProven::fork(text.into()));
        }
        let newest = self.newest.as_ref().filter(|_| !is_older);
        let undone = newest.and_then(|newest| newest.leaf()?.undone_by(&now.leaf));
        undone.map_or(Ok(()), |undone| {
            let text = format!("two histories: a state undoes an earlier one: {undone}");
            Err(NotProven::fork(text))
        })
    }

    /// Takes a round that has closed.
    fn close(&mut self, pending: Pending, proof: &RoundProof) -> Result<String, NotProven> {
        let (leaf, pages) = (&pending.now.leaf, &pending.pages);
        let round = self.history.open_round();
        let closed = match round {
            0 => self.history.check_joining(&pages.joins, proof, leaf),
            _ => {
                let reader = self.reader;
                self.history
                    .check_round(reader, &pages.entries, proof, leaf)
            }
        };
        let closed = closed.map_err(|contradiction| match contradiction {
            Contradiction::Fork { .. } => NotProven::fork(contradiction.to_string()),
            other => Lie::new(format!("round: {other}")).into(),
        })?;
        let slots = self.slots(&closed.joins, &closed.entries);
        self.history.push(closed);
        if self.reader.is_some() {
            self.kept.insert(round, pending.pages.entries);
        }
        self.note(&pending.now);
        // A state of a later round is one that this history has to reach first.
        let is_now = pending.now.leaf.open_round == self.history.open_round();
        self.now = None;
        if is_now && pending.now.terminal.is_none() {
            self.check_filled(&pending.now)?;
            self.now = Some(pending.now);
        }
        Ok(slots)
    }

    fn note(&mut self, now: &Verified<SessionState>) {
        if self.height() <= now.height() {
            self.newest = Some(now.state());
        }
    }

    /// Nobody who is out has a slot.
    fn check_filled(&self, now: &SessionState) -> Result<(), Lie> {
        if now.filled().is_subset(self.history.members()) {
            return Ok(());
        }
        Err(Lie::new("a slot of somebody who is out is filled"))
    }

    /// Takes the round that was open when the session ended; of one that is open still, nothing.
    fn end(&mut self, pending: Pending) -> Result<Option<String>, NotProven> {
        let Pending { now, pages, .. } = pending;
        self.check_filled(&now)?;
        self.note(&now);
        let Some(terminal) = now.terminal.clone() else {
            self.now = Some(now);
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
        self.now = Some(now);
        Ok(Some(slots))
    }

    /// What each party's slot holds: a join, a post, a finish, or nothing.
    fn slots(&self, joins: &[(Join, Signature)], entries: &[SignedEntry]) -> String {
        let mut slots = vec!['.'; self.history.spec().roster.len()];
        let joins = joins.iter().map(|(join, _)| (join.index, 'J'));
        let entries = entries.iter().map(|signed| match &signed.entry {
            wire::Entry::Post(post) => (post.index, 'P'),
            wire::Entry::Finish(finish) => (finish.index, 'F'),
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
            wire::Entry::Post(post) => json!({
                "kind": "post",
                "digest": post.digest(),
                "broadcast_bytes": post.bcast_len,
                "p2p_bytes": post.p2p_bytes,
            }),
            wire::Entry::Finish(finish) => json!({
                "kind": "finish",
                "digest": finish.digest(),
                "outcome": finish.outcome,
            }),
        })
    }
}
