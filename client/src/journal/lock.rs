//! The passphrase or key that opens a journal beside its identity.

use zeroize::Zeroizing;

use super::Keys;
use crate::vault::{Cost, Kdf, VaultError};

/// The kind of passphrase or key that is needed beside the identity; `None` if the identity is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lock(pub(super) Option<Kdf>);

impl Lock {
    /// A new journal's.
    pub(super) fn of(keys: &Keys<'_>) -> Self {
        Self(keys.unlock.map(|unlock| Kdf::of(unlock, Cost::default())))
    }

    pub(super) fn encode(self) -> [u8; Kdf::BYTES] {
        self.0.map_or([0; Kdf::BYTES], |kdf| kdf.encode())
    }

    pub(super) fn decode(bytes: &[u8; Kdf::BYTES]) -> Option<Self> {
        match bytes {
            [0, ..] => (*bytes == [0; Kdf::BYTES]).then_some(Self(None)),
            _ => Some(Self(Some(Kdf::decode(bytes)?))),
        }
    }

    pub(super) const fn opened_with(&self) -> &'static str {
        match &self.0 {
            None => "the identity alone",
            Some(kdf) => kdf.opened_with(),
        }
    }

    /// The secret that everything is derived from.
    ///
    /// # Errors
    /// [`VaultError::OtherUnlock`], and as for a vault.
    pub(super) fn secret(
        self,
        keys: &Keys<'_>,
        salt: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        // Sized at once: growing would leave copies of the secret in freed memory.
        let mut secret = Zeroizing::new(Vec::with_capacity(2 * 32));
        secret.extend_from_slice(&*keys.storage);
        match (self.0, keys.unlock) {
            (Some(kdf), Some(unlock)) => {
                kdf.check_not_weak()?;
                secret.extend_from_slice(&*kdf.key(unlock, salt)?);
            }
            (None, None) => {}
            _ => {
                let expected = self.opened_with();
                return Err(VaultError::OtherUnlock { expected });
            }
        }
        Ok(secret)
    }
}
