//! Journals whose records somebody else chooses, under one fixed key: for fuzzers, which can't seal anything.

use std::path::Path;

use white_city_wire::{NetworkId, SessionId};
use zeroize::Zeroizing;

use super::{Header, Journal, JournalError, JournalId, Keys, Lock, Record, Sealer};
use crate::{LocalKey, Signer as _};

fn keys() -> Keys<'static> {
    Keys {
        storage: Zeroizing::new([7; 32]),
        unlock: None,
    }
}

fn id() -> Option<JournalId> {
    Some(JournalId {
        network: NetworkId([1; 32]),
        session: SessionId([2; 32]),
        identity: LocalKey::from_seed(&[3; 32]).ok()?.identity(),
    })
}

/// The bytes of a journal with these plaintexts where records should be; `None` if one of them is too large.
#[must_use]
pub fn written<'a>(plaintexts: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let lock = Lock::of(&keys());
    let header = Header {
        id: id()?,
        lock: lock.encode(),
        salt: [4; 32],
    };
    let secret = lock.secret(&keys(), &header.salt).ok()?;
    let mut sealer = Sealer::new(&header, &secret);
    let mut bytes = header.encode();
    for plaintext in plaintexts {
        bytes.extend_from_slice(&sealer.seal(plaintext, [5; 24])?);
    }
    Some(bytes)
}

/// The bytes of a record as it is written, if a plaintext is one.
#[must_use]
pub fn canonical(plaintext: &[u8]) -> Option<Vec<u8>> {
    Record::from_bytes(plaintext).map(|record| record.to_bytes().to_vec())
}

/// Opens a journal as its party does it, and gives the bytes of what it holds.
///
/// # Errors
/// [`JournalError`].
pub fn opened(path: &Path) -> Result<Vec<Vec<u8>>, JournalError> {
    let id = id().ok_or_else(|| JournalError::File("no identity".into()))?;
    let (_, records) = Journal::open(path, &id, &keys())?;
    let records = records.iter();
    Ok(records.map(|record| record.to_bytes().to_vec()).collect())
}
