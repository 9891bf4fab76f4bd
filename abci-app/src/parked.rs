//! Entries that came too early: for the round after the open one, as far as this replica knows.
//!
//! Replicas store a block a few milliseconds apart. A party that has read it from one posts to all, and the others refuse
//! the post as early: else their engines would propose blocks for it in vain. Gossip doesn't bring it again, so it is kept
//! here until the round opens. It isn't put into the engine's mempool then: a replica is asked by its engine and has no
//! address to send to, and every replica to which the party has sent has kept the post by itself.

use std::{collections::BTreeMap, sync::Arc};

use white_city_state_machine::{Body, check_sealed, check_share, over_spec};
use white_city_wire::{Refusal, SessionId, VerifiedTx, limits::ENTRY_BYTES, tx::Action};

use crate::pending::{FORGET_BLOCKS, signed_entry};

struct Early {
    tx: Arc<VerifiedTx>,
    round: u32,
    /// Height of the last commit before it came.
    seen: u64,
    /// Its place in the order of coming.
    order: u64,
}

/// The parked entries: one of each member of a session, and a bounded number of bytes.
pub struct Parked {
    bytes_max: u64,
    bytes: u64,
    entries: BTreeMap<(SessionId, u16), Early>,
    /// Bytes of each session.
    sessions: BTreeMap<SessionId, u64>,
    by_order: BTreeMap<u64, (SessionId, u16)>,
    next: u64,
}

impl Parked {
    pub const fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            entries: BTreeMap::new(),
            sessions: BTreeMap::new(),
            by_order: BTreeMap::new(),
            next: 0,
        }
    }

    /// Bytes of all that is parked.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Parks an entry, when the last stored block is `height`; where there is no room, the session that has the most makes it with its
    /// oldest ones, since who is honest comes only a moment early. Gives what its author has parked here before and still has, if that is another
    /// entry: the first one stays.
    pub fn park(&mut self, tx: &Arc<VerifiedTx>, height: u64) -> Option<Arc<VerifiedTx>> {
        let (session, round, index) = signed_entry(tx)?.entry.slot();
        let bytes = u64::from(tx.bytes());
        if bytes > self.bytes_max {
            return None;
        }
        if let Some(other) = self.entries.get(&(session, index)) {
            if other.round == round {
                return Some(Arc::clone(&other.tx));
            }
            self.remove(session, index);
        }
        while self.bytes + bytes > self.bytes_max {
            let (session, index) = self.to_make_room(session, bytes)?;
            self.remove(session, index);
        }
        let early = Early {
            tx: Arc::clone(tx),
            round,
            seen: height,
            order: self.next,
        };
        self.next += 1;
        self.bytes += bytes;
        *self.sessions.entry(session).or_default() += bytes;
        self.by_order.insert(early.order, (session, index));
        self.entries.insert((session, index), early);
        None
    }

    /// Takes out what was parked for a session's rounds up to the open one.
    pub fn take_opened(&mut self, session: SessionId, open_round: u32) -> Vec<Arc<VerifiedTx>> {
        let of_session = self.entries.range((session, 0)..=(session, u16::MAX));
        let opened: Vec<u16> = of_session
            .filter(|(_, early)| early.round <= open_round)
            .map(|((_, index), _)| *index)
            .collect();
        let taken = opened
            .into_iter()
            .filter_map(|index| self.remove(session, index));
        taken.collect()
    }

    /// Takes out everything, in the order of coming.
    pub fn take_all(&mut self) -> Vec<Arc<VerifiedTx>> {
        let all: Vec<(SessionId, u16)> = self.by_order.values().copied().collect();
        let taken = all.into_iter();
        taken
            .filter_map(|(session, index)| self.remove(session, index))
            .collect()
    }

    /// Forgets what has waited for several blocks in vain.
    pub fn forget_old(&mut self, height: u64) {
        while let Some((_, &(session, index))) = self.by_order.first_key_value() {
            let early = self.entries.get(&(session, index));
            if early.is_some_and(|early| early.seen + FORGET_BLOCKS >= height) {
                return;
            }
            self.by_order.pop_first();
            self.remove(session, index);
        }
    }

    /// The oldest entry of the session that has the most, when so many bytes more come for one of them.
    fn to_make_room(&self, coming: SessionId, bytes: u64) -> Option<(SessionId, u16)> {
        let with_coming = |(session, parked): &(&SessionId, &u64)| {
            let more = if **session == coming { bytes } else { 0 };
            parked.saturating_add(more)
        };
        let (session, _) = self.sessions.iter().max_by_key(with_coming)?;
        let of_session = self.entries.range((*session, 0)..=(*session, u16::MAX));
        let (place, _) = of_session.min_by_key(|(_, early)| early.order)?;
        Some(*place)
    }

    fn remove(&mut self, session: SessionId, index: u16) -> Option<Arc<VerifiedTx>> {
        let early = self.entries.remove(&(session, index))?;
        self.by_order.remove(&early.order);
        let bytes = u64::from(early.tx.bytes());
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(of_session) = self.sessions.get_mut(&session) {
            *of_session = of_session.saturating_sub(bytes);
            if *of_session == 0 {
                self.sessions.remove(&session);
            }
        }
        Some(early.tx)
    }
}

/// Whether a session will take an entry as large as this one, once its round is open: what is refused then isn't kept until then.
///
/// # Errors
/// [`Refusal::OverSpec`], [`Refusal::UnderSealed`] or [`Refusal::ShareUsedUp`], as the state machine would say.
pub fn check_sizes(body: &Body, tx: &VerifiedTx) -> Result<(), Refusal> {
    let spec = &body.spec;
    let (index, payloads) = match tx.action() {
        Action::Post(post) => {
            let header = &post.header;
            over_spec("broadcast", header.bcast_len, spec.max_bcast)?;
            for (_, ciphertext) in &post.p2p {
                check_sealed(spec, ciphertext)?;
            }
            let payloads = u64::from(header.bcast_len) + u64::from(header.p2p_bytes);
            (header.index, payloads)
        }
        Action::Finish(finish) => (finish.index, 0),
        _ => return Ok(()),
    };
    check_share(body, index, ENTRY_BYTES.saturating_add(payloads)).map(|_| ())
}
