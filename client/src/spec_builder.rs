//! Putting a spec together, with defaults for what a protocol doesn't care about.

mod any_size;

use std::time::Duration;

use white_city_wire::{
    IdentityKey, Kem, Network, SessionId, Spec,
    limits::{ENTRY_BYTES, ROUNDS_MAX, TX_BYTES_MIN},
};

use crate::{
    Error,
    parts::{MARK, PAYLOAD_FRAME_BYTES, POST_FRAME_BYTES},
};

pub use any_size::RoundBytes;
pub(crate) use any_size::check_room;

/// Builds a [`Spec`]. Everybody has to be there (`quorum` = n), nobody may be corrupt, ten minutes for joining, five for a round,
/// a day of retention, 64 KB broadcasts and 4 KB plaintexts, unless said otherwise. Payloads are sealed to X-Wing keys where they
/// fit: see [`SpecBuilder::kem`].
#[derive(Debug, Clone)]
pub struct SpecBuilder {
    spec: Spec,
    kem: Option<Kem>,
    p2p_plaintext: u32,
    /// Whether that and the largest broadcast were asked for.
    is_sized: bool,
    /// Rounds with a post, and those of them with p2p payloads.
    posts: Option<(u32, u32)>,
    /// The protocol's rounds, where posts may have any size.
    any_size: Option<Vec<RoundBytes>>,
    room: Room,
    quorum: Option<u16>,
    max_bytes: Option<u64>,
}

/// Room for a session on a board.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// In a transaction, bytes.
    max_tx: u32,
    /// For all entries of a session, bytes.
    max_session: u64,
    /// Rounds of a session.
    max_rounds: u32,
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl SpecBuilder {
    /// Begins with the protocol's name (1 to 64 printable ASCII bytes; 50 always leave room for a number of parts) and version, and the roster in agreed order.
    #[must_use]
    pub fn new(protocol: &str, version: u32, roster: Vec<IdentityKey>) -> Self {
        let minutes = |minutes: u64| minutes.saturating_mul(60_000);
        Self {
            spec: Spec {
                protocol: protocol.to_owned(),
                version,
                kem: Kem::X25519,
                roster,
                quorum: 0,
                corrupt: 0,
                max_rounds: 16,
                join_ms: minutes(10),
                round_ms: minutes(5),
                reveal_ms: minutes(5),
                retention_ms: minutes(24 * 60),
                max_bcast: 64 << 10,
                max_p2p: 0,
                max_bytes: 0,
                input: Vec::new(),
                prev_session: SessionId::ZERO,
            },
            kem: None,
            p2p_plaintext: 4 << 10,
            is_sized: false,
            posts: None,
            any_size: None,
            // Every board has that much for a transaction; for a session, only its charter and its genesis say.
            room: Room {
                max_tx: TX_BYTES_MIN,
                max_session: u64::MAX,
                max_rounds: ROUNDS_MAX,
            },
            quorum: None,
            max_bytes: None,
        }
    }

    /// Kind of the parties' encryption keys. Without it, X-Wing where there are p2p payloads and the largest posts fit, sealed to
    /// such keys, into a transaction, and all of them into the session; X25519 elsewhere. Where posts come in several parts with X25519
    /// keys as well ([`SpecBuilder::any_size`]), X-Wing where all those parts have rounds and bytes: keys never make parts necessary.
    #[must_use]
    pub const fn kem(mut self, kem: Kem) -> Self {
        self.kem = Some(kem);
        self
    }

    /// The board that the session is for, which may have more room in a transaction than every board has, and has less than any
    /// for a session, and maybe fewer rounds.
    #[must_use]
    pub fn for_board(mut self, network: &Network) -> Self {
        self.room = Room {
            max_tx: network.params.max_tx,
            max_session: network.charter.max_session_bytes,
            max_rounds: network.params.max_rounds,
        };
        self
    }

    /// Rounds in which parties post, and those of them in which they send p2p payloads; without it, all rounds.
    #[must_use]
    pub const fn posts(mut self, rounds: u32, with_p2p: u32) -> Self {
        self.posts = Some((rounds, with_p2p));
        self
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

    /// Largest broadcast and largest p2p plaintext for one recipient, bytes; with [`SpecBuilder::any_size`] those of one part.
    #[must_use]
    pub const fn payloads(mut self, broadcast: u32, p2p_plaintext: u32) -> Self {
        self.spec.max_bcast = broadcast;
        self.p2p_plaintext = p2p_plaintext;
        self.is_sized = true;
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
    /// [`Error::Spec`] names the field and what it may be; [`Error::Usage`] for a name with `+parts/` in it, which only
    /// [`SpecBuilder::any_size`] gives; with that, [`Error::NoRoom`] for too few bytes, and [`Error::TooLarge`] for a name that leaves no
    /// room for what is said about parts.
    pub fn build(self) -> Result<Spec, Error> {
        if self.spec.protocol.contains(MARK) {
            let expected = "a name without \"+parts/\", which any_size puts behind it";
            return Err(Error::usage("protocol", expected));
        }
        let Some(rounds) = &self.any_size else {
            return self.build_as_it_is();
        };
        self.with_any_size(rounds)?.build_as_it_is()
    }

    fn build_as_it_is(&self) -> Result<Spec, Error> {
        let mut spec = self.spec.clone();
        spec.kem = self.kem.unwrap_or_else(|| self.largest_that_fits());
        spec.quorum = self.quorum.unwrap_or_else(|| spec.parties());
        spec.max_p2p = self.max_p2p(spec.kem);
        spec.max_bytes = self
            .max_bytes
            .unwrap_or_else(|| self.enough_bytes(spec.kem));
        spec.check().map_err(Error::Spec)?;
        Ok(spec)
    }

    fn largest_that_fits(&self) -> Kem {
        let max_bytes = self.max_bytes.unwrap_or(self.room.max_session);
        let fits = self.p2p_plaintext > 0
            && self.largest_tx_bytes(Kem::XWing) <= self.room.max_tx.into()
            && self.enough_bytes(Kem::XWing) <= max_bytes;
        if fits { Kem::XWing } else { Kem::X25519 }
    }

    const fn max_p2p(&self, kem: Kem) -> u32 {
        self.p2p_plaintext.saturating_add(kem.sealing_bytes())
    }

    fn others(&self) -> u64 {
        u64::from(self.spec.parties()).saturating_sub(1)
    }

    /// Bytes of the largest post's transaction, rounded up.
    fn largest_tx_bytes(&self, kem: Kem) -> u64 {
        let payload = count(PAYLOAD_FRAME_BYTES).saturating_add(self.max_p2p(kem).into());
        count(POST_FRAME_BYTES)
            .saturating_add(self.spec.max_bcast.into())
            .saturating_add(payload.saturating_mul(self.others()))
    }

    /// Bytes of all entries when every party posts as much as it may in every round with a post, and finishes.
    fn enough_bytes(&self, kem: Kem) -> u64 {
        let all = (self.spec.max_rounds, self.spec.max_rounds);
        let (rounds, with_p2p) = self.posts.unwrap_or(all);
        let post = ENTRY_BYTES.saturating_add(self.spec.max_bcast.into());
        let p2p = u64::from(self.max_p2p(kem)).saturating_mul(self.others());
        post.saturating_mul(rounds.into())
            .saturating_add(p2p.saturating_mul(with_p2p.into()))
            .saturating_add(ENTRY_BYTES)
            .saturating_mul(self.spec.parties().into())
    }
}

#[cfg(test)]
mod tests;
