//! One round as one reader sees it, and how the session stands.

use white_city_wire::{
    Hash, SessionId, SignedEntry, Spec,
    board::slot_leaf,
    limits::{ENTRY_BYTES, NOBODY},
    pb::{self, query::Question},
    proof::RoundProof,
    read::{PageRoom, split_hashes},
    tx::{Join, entry_from_pb},
};

use crate::checked::Checked;

use super::{
    Lie, OrLie, Proven, Read, Sealed, SessionRef, SessionState, body, session::check_join,
};

/// An entry as it came, with what its reader may read of it. That it is in the round's slot isn't checked yet:
/// [`History::check_round`](crate::history::History::check_round) does that for all entries at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The author's header and signature.
    pub signed: SignedEntry,
    /// The broadcast, empty where there is none.
    pub broadcast: Vec<u8>,
    /// The reader's sealed payload, empty where there is none.
    pub ciphertext: Vec<u8>,
    /// From the reader's p2p leaf up to the p2p root.
    pub p2p_path: Vec<Hash>,
}

/// A part of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxPage {
    /// The session's state; on the first page only.
    pub now: Option<SessionState>,
    /// From the round to the transcript; `None` while it is the open one.
    pub proof: Option<RoundProof>,
    /// Joins, under their authors' signatures: the entries of round 0.
    pub joins: Vec<(Join, white_city_wire::Signature)>,
    /// Entries as they came.
    pub entries: Vec<Entry>,
    /// Index with which the next page begins; `None` after the last one.
    pub next_index: Option<u16>,
}

/// Asks for one round: all of it once it has closed or the session has ended, and how the session stands.
#[derive(Debug, Clone, Copy)]
pub struct ReadInbox<'a> {
    /// The session.
    pub id: SessionId,
    /// Its spec, checked against the id.
    pub spec: &'a Spec,
    /// The round.
    pub round: u32,
    /// Index of the party whose sealed payloads are wanted, if anybody's.
    pub reader: Option<u16>,
    /// The page begins with this index.
    pub from_index: u16,
}

impl Sealed for ReadInbox<'_> {}

impl Read for ReadInbox<'_> {
    type Value = InboxPage;

    fn question(&self) -> Question {
        Question::Inbox(pb::InboxQuery {
            session: SessionRef::Id(self.id).to_pb(),
            round: self.round,
            reader: self.reader.unwrap_or(NOBODY).into(),
            from_index: self.from_index.into(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<InboxPage, Lie> {
        self.page(proven, None)
    }
}

/// The same, where signatures that the process has checked aren't checked again.
#[derive(Debug, Clone, Copy)]
pub struct ReadInboxOnce<'a> {
    /// The question.
    pub inbox: ReadInbox<'a>,
    /// The signatures that were checked before.
    pub checked: &'a Checked,
}

impl Sealed for ReadInboxOnce<'_> {}

impl Read for ReadInboxOnce<'_> {
    type Value = InboxPage;

    fn question(&self) -> Question {
        self.inbox.question()
    }

    fn check(&self, proven: &Proven<'_>) -> Result<InboxPage, Lie> {
        self.inbox.page(proven, Some(self.checked))
    }
}

/// A page after the first one, of a round whose slots are known.
#[derive(Debug, Clone, Copy)]
pub struct ReadLaterPage<'a> {
    /// The question.
    pub page: ReadInboxOnce<'a>,
    /// Leaves of the round's slots in the order of the roster.
    pub slots: &'a [Hash],
}

impl Sealed for ReadLaterPage<'_> {}

impl Read for ReadLaterPage<'_> {
    type Value = InboxPage;

    fn question(&self) -> Question {
        self.page.question()
    }

    fn check(&self, proven: &Proven<'_>) -> Result<InboxPage, Lie> {
        let page = self.page.check(proven)?;
        let joins = page.joins.iter();
        let joins = joins.map(|(join, _)| (join.index, join.digest()));
        let entries = slots_of(page.entries.iter().map(|entry| &entry.signed));
        let mut found = vec![Hash::ZERO; self.slots.len()];
        for (index, digest) in joins.chain(entries) {
            if let Some(slot) = found.get_mut(usize::from(index)) {
                *slot = slot_leaf(Some(&digest));
            }
        }
        let from = usize::from(self.page.inbox.from_index);
        let end = page.next_index.map_or(found.len(), usize::from);
        if found.get(from..end) != self.slots.get(from..end) {
            return Err(Lie::new("entries that aren't those of the round's slots"));
        }
        Ok(page)
    }
}

impl ReadInbox<'_> {
    fn page(&self, proven: &Proven<'_>, checked: Option<&Checked>) -> Result<InboxPage, Lie> {
        let proof = proven.session(self.id.into())?;
        let answer = body!(proven, Inbox)?;
        if answer.round != self.round {
            return Err(Lie::new("an inbox of another round"));
        }
        let now = answer.now.as_ref();
        let now = now.map(|now| {
            SessionState::check(now, proof, (proven.at(), proven.trust.network()), self.spec)
        });
        let now = now.transpose()?;
        if self.from_index == 0 && now.is_none() {
            return Err(Lie::new(
                "the first page doesn't say how the session stands",
            ));
        }
        let next_index = self.next_index(answer.next_index)?;
        let end = next_index.unwrap_or(self.spec.parties());
        let mut page = InboxPage {
            now,
            proof: proven.round.clone(),
            joins: Vec::new(),
            entries: Vec::new(),
            next_index,
        };
        let (mut last, mut room) = (None, PageRoom::default());
        for item in &answer.items {
            if room.is_full() {
                return Err(Lie::new("a page that goes on when it is full"));
            }
            room.put(item);
            let index = self.take(item, &mut page, proven, checked)?;
            if !(self.from_index..end).contains(&index) || last.is_some_and(|last| last >= index) {
                return Err(Lie::new("entries outside of their page, or out of order"));
            }
            last = Some(index);
        }
        let is_whole = room.is_full() && last.and_then(|last| last.checked_add(1)) == next_index;
        if next_index.is_some() && !is_whole {
            return Err(Lie::new("a page that ends before it is full"));
        }
        Ok(page)
    }

    fn next_index(&self, next: u32) -> Result<Option<u16>, Lie> {
        let parties = self.spec.parties();
        let next = u16::try_from(next).unwrap_or(u16::MAX);
        if next <= self.from_index || next > parties {
            return Err(Lie::new("pages of an inbox that don't end"));
        }
        Ok((next < parties).then_some(next))
    }

    /// Puts an item on the page and gives its index.
    fn take(
        &self,
        item: &pb::InboxItem,
        page: &mut InboxPage,
        proven: &Proven<'_>,
        checked: Option<&Checked>,
    ) -> Result<u16, Lie> {
        use pb::inbox_item::Entry as Item;
        match (&item.entry, self.round) {
            (Some(Item::Join(join)), 0) => {
                let (join, signature) =
                    check_join(join, self.id, self.spec, proven.trust, checked)?;
                let index = join.index;
                page.joins.push((join, signature));
                Ok(index)
            }
            (Some(Item::Signed(signed)), 1..) => {
                let entry = Entry::from_pb(item, signed)?;
                let (_, _, index) = entry.signed.entry.slot();
                page.entries.push(entry);
                Ok(index)
            }
            _ => Err(Lie::new("an item that isn't an entry of the round")),
        }
    }
}

impl Entry {
    /// Bytes that it counts at least.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let payload = self.broadcast.len().saturating_add(self.ciphertext.len());
        ENTRY_BYTES.saturating_add(u64::try_from(payload).unwrap_or(u64::MAX))
    }

    pub(crate) fn from_pb(item: &pb::InboxItem, signed: &pb::SignedEntry) -> Result<Self, Lie> {
        let p2p_path = split_hashes(&item.p2p_path)
            .ok_or_else(|| Lie::new("p2p path: not a multiple of 32 bytes"))?;
        Ok(Self {
            signed: entry_from_pb(Some(signed)).or_lie("inbox")?,
            broadcast: item.broadcast.to_vec(),
            ciphertext: item.ciphertext.to_vec(),
            p2p_path,
        })
    }
}

/// The slots that entries say they fill, and with what.
pub(crate) fn slots_of<'a>(
    entries: impl IntoIterator<Item = &'a SignedEntry>,
) -> impl Iterator<Item = (u16, Hash)> {
    entries.into_iter().map(|signed| {
        let (_, _, index) = signed.entry.slot();
        (index, signed.entry.digest())
    })
}
