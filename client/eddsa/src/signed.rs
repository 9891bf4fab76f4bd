//! A finished signature.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::{Error, hash};

const OUTCOME: &str = "white-city/eddsa/signature/outcome/1";

/// An Ed25519 signature that has been verified (strictly), and who tried to spoil it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `R ‖ s`, as in RFC 8032.
    pub signature: [u8; 64],
    /// The key that it verifies under.
    pub public_key: [u8; 32],
    /// Parties whose partial signatures were wrong and not needed: indices of the signing session's roster, ascending. Threshold signing only.
    pub culprits: Vec<u16>,
    outcome: [u8; 32],
}

impl Signed {
    /// A digest of message, key and signature: the same for every party of the session.
    #[must_use]
    pub fn outcome(&self) -> [u8; 32] {
        self.outcome
    }

    /// The only way to make one: verify first.
    pub(crate) fn verified(
        context: &[u8; 32],
        nonce: &[u8; 32],
        response: &[u8; 32],
        public_key: [u8; 32],
        message: &[u8],
        culprits: Vec<u16>,
    ) -> Result<Self, Error> {
        let mut signature = [0; 64];
        let (first, second) = signature.split_at_mut(32);
        first.copy_from_slice(nonce);
        second.copy_from_slice(response);
        VerifyingKey::from_bytes(&public_key)
            .and_then(|key| key.verify_strict(message, &Signature::from_bytes(&signature)))
            .map_err(|_| Error::Signature)?;
        let outcome = hash::digest(OUTCOME, &[context, &public_key, message, &signature]);
        Ok(Self {
            signature,
            public_key,
            culprits,
            outcome,
        })
    }
}
