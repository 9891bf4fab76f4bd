//! Putting a spec together, with defaults for what a protocol doesn't care about.

use std::time::Duration;

use white_city_wire::{
    IdentityKey, SessionId, Spec,
    keys::KEM_X25519,
    limits::{CIPHERTEXT_BYTES_MIN, ENTRY_BYTES},
};

use crate::error::Error;

/// Bytes by which a sealed payload is longer than its plaintext.
pub const SEALING_BYTES: u32 = CIPHERTEXT_BYTES_MIN - 1;

/// Builds a [`Spec`]. Everybody has to be there (`quorum` = n), nobody may be corrupt, ten minutes for joining, five for a round,
/// a day of retention, 64 KB broadcasts and 4 KB plaintexts, unless said otherwise.
#[derive(Debug, Clone)]
pub struct SpecBuilder {
    spec: Spec,
    quorum: Option<u16>,
    max_bytes: Option<u64>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl SpecBuilder {
    /// Begins with the protocol's name (1 to 64 printable ASCII bytes) and version, and the roster in agreed order.
    #[must_use]
    pub fn new(protocol: &str, version: u32, roster: Vec<IdentityKey>) -> Self {
        let minutes = |minutes: u64| minutes.saturating_mul(60_000);
        Self {
            spec: Spec {
                protocol: protocol.to_owned(),
                version,
                kem: KEM_X25519,
                roster,
                quorum: 0,
                corrupt: 0,
                max_rounds: 16,
                join_ms: minutes(10),
                round_ms: minutes(5),
                reveal_ms: minutes(5),
                retention_ms: minutes(24 * 60),
                max_bcast: 64 << 10,
                max_p2p: (4 << 10) + SEALING_BYTES,
                max_bytes: 0,
                input: Vec::new(),
                prev_session: SessionId::ZERO,
            },
            quorum: None,
            max_bytes: None,
        }
    }

    /// Number of entries of one group that close a round; more than half of the roster.
    #[must_use]
    pub const fn quorum(mut self, quorum: u16) -> Self {
        self.quorum = Some(quorum);
        self
    }

    /// Number of roster members that may be corrupt.
    #[must_use]
    pub const fn corrupt(mut self, corrupt: u16) -> Self {
        self.spec.corrupt = corrupt;
        self
    }

    /// Last round in which posts may win.
    #[must_use]
    pub const fn max_rounds(mut self, rounds: u32) -> Self {
        self.spec.max_rounds = rounds;
        self
    }

    /// Time for joining, for each round, and for the answer to a complaint, in board time.
    #[must_use]
    pub fn times(mut self, join: Duration, round: Duration, reveal: Duration) -> Self {
        self.spec.join_ms = millis(join);
        self.spec.round_ms = millis(round);
        self.spec.reveal_ms = millis(reveal);
        self
    }

    /// Time that payloads stay after the end.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.spec.retention_ms = millis(retention);
        self
    }

    /// Largest broadcast and largest p2p plaintext for one recipient, bytes.
    #[must_use]
    pub const fn payloads(mut self, broadcast: u32, p2p_plaintext: u32) -> Self {
        self.spec.max_bcast = broadcast;
        self.spec.max_p2p = p2p_plaintext.saturating_add(SEALING_BYTES);
        self
    }

    /// Largest size of all entries together, bytes; without it, full posts in every round and a finish fit.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// The input, which is to be signed or computed, at most 16 KB; shown before consent.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.spec.input = input;
        self
    }

    /// The session that this one continues.
    #[must_use]
    pub const fn previous(mut self, session: SessionId) -> Self {
        self.spec.prev_session = session;
        self
    }

    /// The spec, if it may be opened on any board.
    ///
    /// # Errors
    /// [`Error::Spec`] names the field and what it may be.
    pub fn build(self) -> Result<Spec, Error> {
        let mut spec = self.spec;
        let parties = spec.parties();
        spec.quorum = self.quorum.unwrap_or(parties);
        spec.max_bytes = self.max_bytes.unwrap_or_else(|| enough_bytes(&spec));
        spec.check().map_err(Error::Spec)?;
        Ok(spec)
    }
}

/// Bytes of all entries when every party posts as much as it may in every round, and finishes.
fn enough_bytes(spec: &Spec) -> u64 {
    let parties = u64::from(spec.parties());
    let others = parties.saturating_sub(1);
    let p2p = u64::from(spec.max_p2p).saturating_mul(others);
    let post = ENTRY_BYTES
        .saturating_add(u64::from(spec.max_bcast))
        .saturating_add(p2p);
    post.saturating_mul(u64::from(spec.max_rounds))
        .saturating_add(ENTRY_BYTES)
        .saturating_mul(parties)
}
