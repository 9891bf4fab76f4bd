//! A session's spec: what every party consents to before it joins.

use alloc::{string::String, vec::Vec};

use crate::{
    hash::{Hash, NetworkId, Preimage, SessionId},
    kem::Kem,
    keys::IdentityKey,
    limits::{INPUT_BYTES_MAX, PROTOCOL_BYTES_MAX, ROSTER_PARTIES_MAX, ROUNDS_MAX},
    refusal::Refusal,
};

/// Terms of a session: protocol, roster, quorum, deadlines, limits, retention, and what is to be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Name of the protocol, 1 to 64 bytes from 0x20 to 0x7E.
    pub protocol: String,
    /// Version of the protocol.
    pub version: u32,
    /// Kind of the encryption keys that its parties bring.
    pub kem: Kem,
    /// Identity keys in agreed order, 1 to 1 024, no key twice.
    pub roster: Vec<IdentityKey>,
    /// The quorum `m`: how many entries of one group close a round; `n/2 < m <= n`.
    pub quorum: u16,
    /// Number of roster members that may be corrupt, present or not; below `n`.
    pub corrupt: u16,
    /// Last round in which posts may win, at least 1.
    pub max_rounds: u32,
    /// Time for joining, ms of board time, at least 1; likewise the next three.
    pub join_ms: u64,
    /// Time for each round.
    pub round_ms: u64,
    /// Time for the answer to a complaint.
    pub reveal_ms: u64,
    /// Time for which payloads stay after the end.
    pub retention_ms: u64,
    /// Largest broadcast, bytes.
    pub max_bcast: u32,
    /// Largest sealed payload for one recipient, bytes.
    pub max_p2p: u32,
    /// Most that all entries together may weigh, bytes; each party's share is an n-th.
    pub max_bytes: u64,
    /// Data to sign or to compute with, at most 16 KB; shown before consent.
    pub input: Vec<u8>,
    /// The session that this one continues, or zeros; not checked by the board.
    pub prev_session: SessionId,
}

impl Spec {
    /// The roster's size `n`.
    #[must_use]
    pub fn parties(&self) -> u16 {
        u16::try_from(self.roster.len()).unwrap_or(u16::MAX)
    }

    /// The position of `key` in the roster.
    #[must_use]
    pub fn index_of(&self, key: &IdentityKey) -> Option<u16> {
        let position = self.roster.iter().position(|member| member == key)?;
        u16::try_from(position).ok()
    }

    /// The key at `index`.
    ///
    /// # Errors
    /// [`Refusal::NotInRoster`] past the end.
    pub fn key(&self, index: u16) -> Result<&IdentityKey, Refusal> {
        self.roster
            .get(usize::from(index))
            .ok_or(Refusal::NotInRoster {
                index,
                parties: self.parties(),
            })
    }

    /// One party's share of [`Spec::max_bytes`].
    #[must_use]
    pub fn share_bytes(&self) -> u64 {
        self.max_bytes
            .checked_div(u64::from(self.parties()))
            .unwrap_or(0)
    }

    /// Whether at most one of two histories can pass its next round, and at most one outcome be finished, when
    /// every replica is malicious: `2m > n + t`.
    #[must_use]
    pub fn is_fork_safe(&self) -> bool {
        u32::from(self.quorum).saturating_mul(2)
            > u32::from(self.parties()).saturating_add(u32::from(self.corrupt))
    }

    /// Checks what holds on every board.
    ///
    /// # Errors
    /// [`Refusal::Field`] or [`Refusal::TooLarge`] name the field and what it may be.
    pub fn check(&self) -> Result<(), Refusal> {
        let field = |good: bool, field, expected| {
            good.then_some(()).ok_or(Refusal::Field { field, expected })
        };
        let n = self.parties();
        field(
            (1..=to_usize(PROTOCOL_BYTES_MAX)).contains(&self.protocol.len())
                && self.protocol.bytes().all(|b| (0x20..=0x7e).contains(&b)),
            "protocol",
            "1 to 64 printable ASCII bytes",
        )?;
        field(
            (1..=usize::from(ROSTER_PARTIES_MAX)).contains(&self.roster.len()),
            "roster",
            "1 to 1024 parties",
        )?;
        field(!has_twice(&self.roster), "roster", "no key twice")?;
        field(
            self.quorum <= n && u32::from(self.quorum).saturating_mul(2) > u32::from(n),
            "quorum",
            "more than half of the roster, at most all of it",
        )?;
        field(self.corrupt < n, "corrupt", "fewer than the roster's size")?;
        field(
            (1..=ROUNDS_MAX).contains(&self.max_rounds),
            "max_rounds",
            "1 to 65536",
        )?;
        for (name, ms) in self.durations() {
            field(ms >= 1, name, "at least 1 ms")?;
        }
        let input_bytes = u64::try_from(self.input.len()).unwrap_or(u64::MAX);
        if input_bytes > u64::from(INPUT_BYTES_MAX) {
            return Err(Refusal::TooLarge {
                what: "input",
                got: input_bytes,
                max: u64::from(INPUT_BYTES_MAX),
            });
        }
        Ok(())
    }

    /// The four durations with their names.
    #[must_use]
    pub const fn durations(&self) -> [(&'static str, u64); 4] {
        [
            ("join_ms", self.join_ms),
            ("round_ms", self.round_ms),
            ("reveal_ms", self.reveal_ms),
            ("retention_ms", self.retention_ms),
        ]
    }

    /// The spec's hash: what a join consents to, by way of the session id.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.preimage().finish()
    }

    /// The spec's own size, which `Open` reserves beside [`Spec::max_bytes`]: the bytes under its hash.
    #[must_use]
    pub fn own_bytes(&self) -> u64 {
        self.preimage().len()
    }

    fn preimage(&self) -> Preimage {
        let head = Preimage::new("white-city/spec/2")
            .lp(self.protocol.as_bytes())
            .u32(self.version)
            .u8(self.kem.number())
            .u16(self.parties());
        self.roster
            .iter()
            .fold(head, |so_far, key| so_far.raw(key.as_bytes()))
            .u16(self.quorum)
            .u16(self.corrupt)
            .u32(self.max_rounds)
            .u64(self.join_ms)
            .u64(self.round_ms)
            .u64(self.reveal_ms)
            .u64(self.retention_ms)
            .u32(self.max_bcast)
            .u32(self.max_p2p)
            .u64(self.max_bytes)
            .lp(&self.input)
            .raw(&self.prev_session.0)
            .hash(&Hash::ZERO)
    }
}

/// The id of the session that `opener` opens with this spec.
#[must_use]
pub fn session_id(
    network: &NetworkId,
    opener: &IdentityKey,
    nonce: &[u8; 32],
    open_by_ms: u64,
    spec_hash: &Hash,
) -> SessionId {
    let id = Preimage::new("white-city/session/2")
        .raw(&network.0)
        .raw(opener.as_bytes())
        .raw(nonce)
        .u64(open_by_ms)
        .hash(spec_hash)
        .finish();
    SessionId(id.0)
}

fn has_twice(roster: &[IdentityKey]) -> bool {
    let mut sorted: Vec<&IdentityKey> = roster.iter().collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair.first() == pair.last())
}

/// A u32 as a size; 32-bit machines and larger.
pub(crate) fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
