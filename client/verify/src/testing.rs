//! The needs of several modules' tests: keys, and what they sign.

use ed25519_dalek::{Signer as _, SigningKey};
use white_city_wire::{
    IdentityKey, Kem, NetworkId, SessionId, Signature, Spec,
    tx::{Action, bytes_to_sign},
};

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn identity(key: &SigningKey) -> IdentityKey {
    IdentityKey::from_bytes(key.verifying_key().as_bytes()).unwrap()
}

pub(crate) fn sign(key: &SigningKey, action: &Action, network: &NetworkId) -> Signature {
    Signature(
        key.sign(&bytes_to_sign(action, network).unwrap())
            .to_bytes(),
    )
}

/// A spec for this roster, of which all but one have to be there, in four rounds.
pub(crate) fn spec(roster: Vec<IdentityKey>) -> Spec {
    let spec = Spec {
        protocol: "test".into(),
        version: 1,
        kem: Kem::X25519,
        quorum: u16::try_from(roster.len())
            .unwrap()
            .saturating_sub(1)
            .max(1),
        roster,
        corrupt: 0,
        max_rounds: 4,
        join_ms: 600_000,
        round_ms: 300_000,
        reveal_ms: 300_000,
        retention_ms: 86_400_000,
        max_bcast: 64 << 10,
        max_p2p: 8 << 10,
        max_bytes: 4 << 20,
        input: Vec::new(),
        prev_session: SessionId::ZERO,
    };
    spec.check().unwrap();
    spec
}
