//! Room for pending transactions, in bytes: in all, and on each account. Whoever opens sessions and sends to them what is never put
//! into blocks as fast as it comes would else take all memory, and all room that others need.

use std::collections::BTreeMap;

use white_city_state_machine::State;
use white_city_wire::{IdentityKey, Refusal, SessionId, VerifiedTx, tx::Action};

/// Bytes that a pending transaction counts beside its own: more than what is kept of it besides, so that many small ones are
/// bounded, too.
pub const OVERHEAD_BYTES: u64 = 4 << 10;

/// The limits, bytes; the last ones are parts of the first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteLimits {
    /// Of everything.
    pub total: u64,
    /// Of all sessions that openers outside the genesis have opened.
    pub strangers: u64,
    /// Of all sessions of one opener.
    pub opener: u64,
    /// Of one session.
    pub session: u64,
    /// Of one signer.
    pub identity: u64,
}

/// On whose account a transaction is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    session: SessionId,
    opener: IdentityKey,
    is_stranger: bool,
    /// `None` for evidence, which the signer of its entries hasn't sent.
    identity: Option<IdentityKey>,
}

impl Account {
    /// On whose account a transaction would be pending.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`].
    pub fn of(state: &State, tx: &VerifiedTx) -> Result<Self, Refusal> {
        let author = tx.action().author();
        let is_word = matches!(tx.action(), Action::Approve(_));
        let Some((id, _)) = author else {
            return Ok(Self {
                session: opened(tx),
                opener: *tx.signer(),
                is_stranger: !is_word
                    && state
                        .opener(tx.signer())
                        .is_none_or(|(_, opener)| !opener.listed),
                identity: Some(*tx.signer()),
            });
        };
        let session = state.session(&id)?;
        let opener = state.openers().get(session.leaf.opener);
        let opener = opener.ok_or(Refusal::NotAnOpener)?;
        let is_evidence = matches!(tx.action(), Action::Evidence(_));
        Ok(Self {
            session: id,
            opener: opener.key,
            is_stranger: !opener.listed,
            identity: (!is_evidence).then(|| *tx.signer()),
        })
    }
}

/// The session that a transaction opens.
fn opened(tx: &VerifiedTx) -> SessionId {
    match tx.action() {
        Action::Open(open) => open.session_id(tx.network()),
        _ => SessionId::ZERO,
    }
}

/// Why there is no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Its own account is full.
    Own(Refusal),
    /// The room that it shares with others is full: with all, or with those of strangers.
    Shared {
        /// Whether it is that of strangers.
        is_strangers: bool,
        /// The refusal to give when nobody makes room.
        refusal: Refusal,
    },
}

/// The bytes that one session has pending.
#[derive(Debug, Clone, Copy)]
struct OfSession {
    bytes: u64,
    is_stranger: bool,
}

/// The bytes that are pending.
pub struct Room {
    limits: ByteLimits,
    total: u64,
    strangers: u64,
    openers: BTreeMap<IdentityKey, u64>,
    sessions: BTreeMap<SessionId, OfSession>,
    identities: BTreeMap<IdentityKey, u64>,
}

impl Room {
    pub const fn new(limits: ByteLimits) -> Self {
        Self {
            limits,
            total: 0,
            strangers: 0,
            openers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            identities: BTreeMap::new(),
        }
    }

    /// The bytes that are pending in all.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether there is room for so many bytes more.
    pub fn check(&self, account: &Account, bytes: u64) -> Result<(), Lack> {
        let refusal = |of, pending, max| Refusal::PendingBytes {
            of,
            pending,
            needed: bytes,
            max,
        };
        let identity = account.identity;
        let identity = identity.map_or(0, |key| pending_of(&self.identities, &key));
        for (whose, pending, max) in [
            ("this identity", identity, self.limits.identity),
            (
                "this session",
                self.of_session(&account.session),
                self.limits.session,
            ),
            (
                "this session's opener",
                pending_of(&self.openers, &account.opener),
                self.limits.opener,
            ),
        ] {
            if pending.saturating_add(bytes) > max {
                return Err(Lack::Own(refusal(whose, pending, max)));
            }
        }
        for (is_strangers, whose, pending, max) in [
            (
                true,
                "openers outside the genesis",
                self.strangers,
                self.limits.strangers,
            ),
            (false, "everybody", self.total, self.limits.total),
        ] {
            if (account.is_stranger || !is_strangers) && pending.saturating_add(bytes) > max {
                return Err(Lack::Shared {
                    is_strangers,
                    refusal: refusal(whose, pending, max),
                });
            }
        }
        Ok(())
    }

    /// The session that should make room for somebody who needs so many bytes more: the one with the most, if it has more than that
    /// one's would have then.
    pub fn fattest(&self, account: &Account, bytes: u64, is_strangers: bool) -> Option<SessionId> {
        let would_have = self.of_session(&account.session).saturating_add(bytes);
        let others = self.sessions.iter();
        let shared = others.filter(|(_, of)| of.is_stranger || !is_strangers);
        let (id, most) = shared.max_by_key(|(_, of)| of.bytes)?;
        (most.bytes > would_have).then_some(*id)
    }

    /// Counts what is taken.
    pub fn add(&mut self, account: &Account, bytes: u64) {
        self.total = self.total.saturating_add(bytes);
        if account.is_stranger {
            self.strangers = self.strangers.saturating_add(bytes);
        }
        let none = OfSession {
            bytes: 0,
            is_stranger: account.is_stranger,
        };
        let session = &mut self.sessions.entry(account.session).or_insert(none).bytes;
        *session = session.saturating_add(bytes);
        let opener = self.openers.entry(account.opener).or_default();
        *opener = opener.saturating_add(bytes);
        if let Some(identity) = account.identity {
            let identity = self.identities.entry(identity).or_default();
            *identity = identity.saturating_add(bytes);
        }
    }

    /// Counts what is let go of.
    pub fn remove(&mut self, account: &Account, bytes: u64) {
        self.total = self.total.saturating_sub(bytes);
        if account.is_stranger {
            self.strangers = self.strangers.saturating_sub(bytes);
        }
        if let Some(of) = self.sessions.get_mut(&account.session) {
            of.bytes = of.bytes.saturating_sub(bytes);
            if of.bytes == 0 {
                self.sessions.remove(&account.session);
            }
        }
        subtract(&mut self.openers, &account.opener, bytes);
        if let Some(identity) = &account.identity {
            subtract(&mut self.identities, identity, bytes);
        }
    }

    fn of_session(&self, session: &SessionId) -> u64 {
        self.sessions.get(session).map_or(0, |of| of.bytes)
    }
}

fn pending_of(map: &BTreeMap<IdentityKey, u64>, key: &IdentityKey) -> u64 {
    map.get(key).copied().unwrap_or(0)
}

fn subtract(map: &mut BTreeMap<IdentityKey, u64>, key: &IdentityKey, bytes: u64) {
    if let Some(pending) = map.get_mut(key) {
        *pending = pending.saturating_sub(bytes);
        if *pending == 0 {
            map.remove(key);
        }
    }
}
