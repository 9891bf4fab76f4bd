//! The signer: it signs only what the wire format knows, never bytes from outside.

mod local;

use futures::future::BoxFuture;
pub use local::{KeyFileError, LocalKey};
pub use white_city_party::SignError;
use white_city_wire::{IdentityKey, NetworkId, Signature, tx::Action};
use zeroize::Zeroizing;

/// Signs for one identity. A local key, or something that asks a device or a service.
///
/// An implementation gets the typed action, so that it can show it, log it, or refuse it, and lays out the bytes itself
/// with [`white_city_wire::tx::bytes_to_sign`].
pub trait Signer: Send + Sync {
    /// The identity's public key.
    fn identity(&self) -> IdentityKey;

    /// Signs an action for a network.
    ///
    /// # Errors
    /// [`SignError`] when the action isn't signed by anybody, or the signer refuses or fails.
    fn sign<'a>(
        &'a self,
        action: &'a Action,
        network: &'a NetworkId,
    ) -> BoxFuture<'a, Result<Signature, SignError>>;

    /// 32 secret bytes, always the same for this identity, from which the keys of its files are derived: of journals. They sign
    /// nothing.
    ///
    /// # Errors
    /// [`SignError::NoStorageKey`] unless the signer has some: sessions then have no journal.
    fn storage_key(&self) -> Result<Zeroizing<[u8; 32]>, SignError> {
        Err(SignError::NoStorageKey)
    }
}
