//! Weight of a session on the board: what its opening reserves of its opener's quota, and what it keeps of that when it has ended,
//! until erasure. Every replica keeps this much for it, hashes, rows and rosters included, so that quotas bound memory and disk.

use crate::{kem::Kem, spec::Spec};

/// Weight of a session and of its roster's place in an index, for each party, with its encryption key.
const fn party_bytes(kem: Kem) -> u64 {
    match kem {
        Kem::X25519 => 512,
        Kem::XWing => 1_792,
    }
}

/// Evidence against a party, which may come after the end, too.
const EVIDENCE_BYTES: u64 = 512;
/// A round and its root.
const ROUND_BYTES: u64 = 128;
/// A slot of a round: its digest, its header and its signature beside what an entry counts.
const SLOT_BYTES: u64 = 80;
/// A complaint, or a reveal beside its plaintext.
const DISPUTE_BYTES: u64 = 1_024;

/// Trace of a dispute on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disputed {
    /// Nothing: nobody complained.
    No,
    /// A complaint that nobody answered.
    Complained,
    /// A reveal, which shows so much plaintext, bytes.
    Revealed(u32),
}

/// Bytes that `Open` reserves: whatever the spec allows.
#[must_use]
pub fn reserved_bytes(spec: &Spec) -> u64 {
    let plaintext = u64::from(spec.max_p2p).min(spec.share_bytes());
    spec.max_bytes
        .saturating_add(plaintext)
        .saturating_add(DISPUTE_BYTES)
        .saturating_add(roster_bytes(spec))
        .saturating_add(rounds_bytes(spec, spec.max_rounds))
}

/// Bytes that are kept of a session that has ended in `open_round`, whose entries count `entries` bytes: whatever there was.
#[must_use]
pub fn kept_bytes(spec: &Spec, open_round: u32, entries: u64, disputed: Disputed) -> u64 {
    let disputed = match disputed {
        Disputed::No => 0,
        Disputed::Complained => DISPUTE_BYTES,
        Disputed::Revealed(plaintext) => DISPUTE_BYTES.saturating_add(plaintext.into()),
    };
    entries
        .saturating_add(disputed)
        .saturating_add(roster_bytes(spec))
        .saturating_add(rounds_bytes(spec, open_round))
}

/// The largest plaintext that a reveal may show: what fits the spec and the accused post, whose sealed payloads are `p2p_bytes`.
#[must_use]
pub fn max_plaintext(spec: &Spec, p2p_bytes: u32) -> u32 {
    spec.max_p2p
        .min(p2p_bytes)
        .saturating_sub(spec.kem.sealing_bytes())
}

fn roster_bytes(spec: &Spec) -> u64 {
    let parties = u64::from(spec.parties());
    let each = party_bytes(spec.kem).saturating_add(EVIDENCE_BYTES);
    spec.own_bytes()
        .saturating_add(parties.saturating_mul(each))
}

/// Rounds 0 to `last`.
fn rounds_bytes(spec: &Spec, last: u32) -> u64 {
    let slots = SLOT_BYTES.saturating_mul(spec.parties().into());
    let rounds = u64::from(last).saturating_add(1);
    rounds.saturating_mul(ROUND_BYTES.saturating_add(slots))
}
