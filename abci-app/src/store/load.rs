//! From the store back to a state. What consensus has accepted isn't checked again, but compared with what the root commits to. Only what
//! is live is read whole: of an ended session its record and opening, of erased ones nothing but the roots of their subtrees.

use std::{ops::Range, sync::Arc};

use prost::Message;
use redb::ReadableTable;
use white_city_state_machine::{
    Body, ClosedRound, Dispute, Frozen, Part, Rest, Revealed, Session, Slot, State,
};
use white_city_wire::{
    Hash, IdentityKey, NetworkId, SignedTx,
    board::{OpenerLeaf, SessionLeaf, Terminal, transcript_after},
    dispute::Verdict,
    entry::Entry,
    limits::ENTRY_BYTES,
    pb,
    read::split_hashes,
    seal::{BlockTime, Seal},
    tx::{Action, Open, entry_from_pb, join_from_pb, open_from_accepted_pb},
};

use super::{
    META, OPENERS, OPENS, SESSIONS, Snapshot, StoreError, StoredEntry, Tip,
    records::{OpenerRecord, SessionRecord},
    rules,
};
use crate::genesis::StoredGenesis;

/// Loads the state and checks its root.
pub fn load(snapshot: &Snapshot) -> Result<Option<(State, Tip)>, StoreError> {
    let Some(genesis) = meta(snapshot, "genesis")? else {
        return Ok(None);
    };
    let genesis: StoredGenesis =
        serde_json::from_slice(&genesis).map_err(|_| StoreError::Damaged("genesis"))?;
    let network = Arc::new(
        genesis
            .network()
            .map_err(|_| StoreError::Damaged("genesis"))?,
    );
    let tip = Tip {
        height: number(snapshot, "height")?,
        block_hash: Hash(fixed(snapshot, "block_hash")?),
        time: BlockTime {
            seconds: i64::from_be_bytes(fixed(snapshot, "seconds")?),
            nanos: u32::from_be_bytes(fixed(snapshot, "nanos")?),
        },
        seal: Seal::decode(&meta(snapshot, "seal")?.unwrap_or_default())
            .ok_or(StoreError::Damaged("seal"))?,
        seal_path: meta(snapshot, "seal_path")?
            .and_then(|bytes| split_hashes(&bytes))
            .ok_or(StoreError::Damaged("seal_path"))?,
        is_restored: meta(snapshot, "is_restored")?.is_some_and(|is| is == [1]),
    };
    let paused_ms = number(snapshot, "paused_ms")?;
    let state = State::restore(
        Arc::clone(&network),
        rules::load(snapshot)?,
        paused_ms,
        openers(snapshot)?,
        sessions(snapshot, &network.id)?,
    );
    let loaded = state.root();
    if loaded != tip.seal.root {
        return Err(StoreError::Root {
            loaded,
            stored: tip.seal.root,
        });
    }
    Ok(Some((state, tip)))
}

pub(super) fn meta(snapshot: &Snapshot, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let meta = snapshot.read.open_table(META)?;
    Ok(meta.get(key)?.map(|value| value.value().to_vec()))
}

/// A number that is stored under this name.
pub(super) fn number(snapshot: &Snapshot, key: &'static str) -> Result<u64, StoreError> {
    Ok(u64::from_be_bytes(fixed(snapshot, key)?))
}

fn fixed<const N: usize>(snapshot: &Snapshot, key: &'static str) -> Result<[u8; N], StoreError> {
    meta(snapshot, key)?
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(StoreError::Damaged(key))
}

fn openers(snapshot: &Snapshot) -> Result<Vec<OpenerLeaf>, StoreError> {
    let openers = snapshot.read.open_table(OPENERS)?;
    let damaged = || StoreError::Damaged("an opener");
    openers
        .iter()?
        .map(|row| {
            let (_, bytes) = row?;
            let record = OpenerRecord::decode(bytes.value()).map_err(|_| damaged())?;
            Ok(OpenerLeaf {
                // The root is over it.
                key: IdentityKey::from_accepted(&record.key).map_err(|_| damaged())?,
                listed: record.listed,
                max_live: record.max_live,
                max_bytes: record.max_bytes,
                live: record.live,
                live_bytes: record.live_bytes,
            })
        })
        .collect()
}

/// The sessions, each gap between them filled with what is frozen there.
fn sessions(snapshot: &Snapshot, network: &NetworkId) -> Result<Vec<Part>, StoreError> {
    let sessions = snapshot.read.open_table(SESSIONS)?;
    let opens = snapshot.read.open_table(OPENS)?;
    let count = number(snapshot, "sessions")?;
    let mut parts = Vec::new();
    let mut next = 0;
    let mut opens = opens.iter()?;
    for row in sessions.iter()? {
        let (number, record) = row?;
        let number = number.value();
        let open = opens.next().transpose()?;
        let open = open.filter(|(of, _)| of.value() == number);
        let (_, open) = open.ok_or(StoreError::Damaged("a session without its spec"))?;
        frozen(snapshot, next..u64::from(number), &mut parts)?;
        let record =
            SessionRecord::decode(record.value()).map_err(|_| StoreError::Damaged("a session"))?;
        parts.push(session(snapshot, network, number, &record, open.value())?.into());
        next = u64::from(number).saturating_add(1);
    }
    frozen(snapshot, next..count, &mut parts)?;
    Ok(parts)
}

/// The largest subtrees that fill a gap.
fn frozen(
    snapshot: &Snapshot,
    mut gap: Range<u64>,
    parts: &mut Vec<Part>,
) -> Result<(), StoreError> {
    let damaged = || StoreError::Damaged("the tree of erased sessions");
    while let Some(room) = gap.end.saturating_sub(gap.start).checked_ilog2() {
        let aligned = gap.start.trailing_zeros();
        let level = u8::try_from(room.min(aligned)).map_err(|_| damaged())?;
        let index = u32::try_from(gap.start >> level).map_err(|_| damaged())?;
        let hash = snapshot.frozen(level, index)?;
        parts.push(Part::Frozen(Frozen { level, index, hash }));
        gap.start += 1 << level;
    }
    Ok(())
}

fn opened(open: &[u8], network: &NetworkId, leaf: &SessionLeaf) -> Result<Open, StoreError> {
    let open = pb::Open::decode(open).map_err(|_| StoreError::Damaged("a spec"))?;
    let opened = open_from_accepted_pb(open, network, &leaf.session);
    let (open, _) = opened.map_err(|_| StoreError::Damaged("a spec"))?;
    Ok(open)
}

fn session(
    snapshot: &Snapshot,
    network: &NetworkId,
    number: u32,
    record: &SessionRecord,
    open: &[u8],
) -> Result<Session, StoreError> {
    let damaged = || StoreError::Damaged("a session");
    let (leaf, terminal) = record.leaf_and_end()?;
    let open = opened(open, network, &leaf)?;
    let mut session = Session {
        number,
        leaf,
        terminal,
        body: None,
        rest: None,
    };
    let leaf = &session.leaf;
    if !leaf.status.is_live() {
        session.rest = Some(Rest {
            roster: open.spec.roster.as_slice().into(),
            culprits: record.culprits()?,
            leavers: u16::try_from(record.left.len()).map_err(|_| damaged())?,
        });
        return Ok(session);
    }
    let mut body = body(snapshot, (number, record), leaf, open)?;
    body.dispute = snapshot.dispute(number, session.terminal.as_ref())?;
    let digest = body.dispute.as_ref().map(|d| d.complain.digest());
    if digest.unwrap_or_default() != leaf.dispute {
        return Err(damaged());
    }
    session.body = Some(body);
    Ok(session)
}

fn body(
    snapshot: &Snapshot,
    (number, record): (u32, &SessionRecord),
    leaf: &SessionLeaf,
    open: Open,
) -> Result<Body, StoreError> {
    let damaged = || StoreError::Damaged("a session");
    let n = open.spec.parties();
    if leaf.members.size() != n {
        return Err(damaged());
    }
    let mut body = Body {
        members: leaf.members.clone(),
        slots: Vec::new(),
        closed: Default::default(),
        used_bytes: vec![0; usize::from(n)],
        culprits: record.culprits()?,
        left: record.left()?,
        dispute: None,
        spec: Arc::new(open.spec),
        open_by_ms: open.open_by_ms,
    };
    let mut entries = snapshot.entries(number)?.into_iter().peekable();
    let mut transcript = Hash(leaf.session.0);
    for round in 0..=leaf.open_round {
        let mut slots = vec![Slot::Empty; usize::from(n)];
        while let Some((_, index, entry)) = entries.next_if(|(of, _, _)| *of == round) {
            let (slot, bytes) = slot(&entry)?;
            let index = usize::from(index);
            *slots.get_mut(index).ok_or_else(damaged)? = slot;
            *body.used_bytes.get_mut(index).ok_or_else(damaged)? += bytes;
        }
        if round == leaf.open_round {
            body.slots = slots;
        } else {
            let closed = ClosedRound::new(slots, transcript);
            transcript = transcript_after(&transcript, round, &closed.root);
            body.closed.push_back_mut(closed);
        }
    }
    if transcript != leaf.transcript {
        return Err(damaged());
    }
    Ok(body)
}

impl Snapshot {
    /// What the state doesn't keep of a session that has ended: who left, in that order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn left(&self, session: u32) -> Result<Vec<(u16, Hash)>, StoreError> {
        self.record(session)?.left()
    }

    /// The name of a session's protocol.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn protocol(&self, session: u32) -> Result<String, StoreError> {
        Ok(self.record(session)?.protocol)
    }

    fn record(&self, session: u32) -> Result<SessionRecord, StoreError> {
        let record = self.unerased(session)?;
        record.ok_or(StoreError::Damaged("a session"))
    }

    /// The record of a session that isn't erased.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unerased(&self, session: u32) -> Result<Option<SessionRecord>, StoreError> {
        let sessions = self.read.open_table(SESSIONS)?;
        let row = sessions.get(session)?;
        let record = row.map(|row| SessionRecord::decode(row.value()));
        record
            .transpose()
            .map_err(|_| StoreError::Damaged("a session"))
    }

    /// The slots of a round, of so many parties.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn slots(&self, session: u32, round: u32, parties: u16) -> Result<Vec<Slot>, StoreError> {
        let mut slots = vec![Slot::Empty; usize::from(parties)];
        for (index, entry) in self.entries_of_round(session, round)? {
            let place = slots.get_mut(usize::from(index));
            (*place.ok_or(StoreError::Damaged("a session"))?, _) = slot(&entry)?;
        }
        Ok(slots)
    }

    /// The digest of what a slot holds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn digest(&self, session: u32, round: u32, index: u16) -> Result<Option<Hash>, StoreError> {
        let entry = self.entry(session, round, index)?;
        let slot = entry.map(|entry| slot(&entry)).transpose()?;
        Ok(slot.and_then(|(slot, _)| slot.digest()))
    }

    /// The complaint, and the reveal with the verdict that the session has ended of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn dispute(
        &self,
        number: u32,
        terminal: Option<&Terminal>,
    ) -> Result<Option<Dispute>, StoreError> {
        let action = |tx: Vec<u8>| {
            let tx = SignedTx::decode(&tx).map_err(|_| StoreError::Damaged("a dispute"))?;
            Ok::<_, StoreError>(tx.unverified_action().clone())
        };
        let complain = match self.complaint(number)?.map(action).transpose()? {
            Some(Action::Complain(complain)) => complain,
            None => return Ok(None),
            Some(_) => return Err(StoreError::Damaged("a complaint")),
        };
        let verdict = terminal.and_then(|record| Verdict::from_cause(record.cause));
        let revealed = match (self.reveal(number)?.map(action).transpose()?, verdict) {
            (Some(Action::Reveal(reveal)), Some(verdict)) => Some(Revealed {
                digest: reveal.digest(),
                verdict,
                plaintext_bytes: u32::try_from(reveal.plaintext.len()).unwrap_or(u32::MAX),
            }),
            (None, None) => None,
            _ => return Err(StoreError::Damaged("a reveal")),
        };
        Ok(Some(Dispute { complain, revealed }))
    }
}

/// A stored entry as its slot holds it, and the bytes that it counts against its author's share.
fn slot(stored: &StoredEntry) -> Result<(Slot, u64), StoreError> {
    let damaged = |_| StoreError::Damaged("an entry");
    if let Some(join) = &stored.join {
        let (join, _) = join_from_pb(join).map_err(damaged)?;
        let digest = join.digest();
        let key = join.key;
        return Ok((Slot::Join { digest, key }, 0));
    }
    let signed = entry_from_pb(stored.signed.as_ref()).map_err(damaged)?;
    let digest = signed.entry.digest();
    Ok(match signed.entry {
        Entry::Post(post) => {
            let payloads = u64::from(post.bcast_len) + u64::from(post.p2p_bytes);
            (Slot::Post(digest), ENTRY_BYTES + payloads)
        }
        Entry::Finish(finish) => {
            let outcome = finish.outcome;
            (Slot::Finish { digest, outcome }, ENTRY_BYTES)
        }
    })
}
