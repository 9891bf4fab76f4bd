//! The journal's bytes.
//!
//! ```text
//! header = "WCJRNL2\0" ‖ network_id 32 ‖ session_id 32 ‖ identity 32 ‖ lock 13 ‖ salt 32
//! lock   = how the unlock's key is made, as in a vault's header: its number ‖ Argon2id's cost; all zeros without an unlock
//! record = u32 length of what follows the check ‖ check 8 ‖ nonce 24 ‖ ciphertext and tag (XChaCha20-Poly1305)
//! key    = HKDF-SHA256(salt, the identity's storage key ‖ the unlock's key, lp"white-city/journal/2" ‖ header without the salt)
//! unlock = Argon2id(the passphrase, salt), or the key file's 32 bytes; nothing without an unlock
//! chain  = H(header), then H(chain ‖ record)        check = H(lp"white-city/journal/length/1" ‖ chain ‖ length)[..8]
//! aad    = chain ‖ length
//! ```
//! With an unlock neither it nor the identity opens the journal alone. That there is one, and which, is in the header and hence in
//! the key: a header that says otherwise gives another key, whoever opens a journal says which lock it expects, and Argon2id may not
//! cost less than in a new one. Version 1 had no lock, and held what was sealed in each entry.
//!
//! The chain ties every record to its place: none can be left out, moved, or brought from another journal. The check tells a
//! changed length from a record that wasn't finished. Nonces are random: the place of a record that was cut off is written again.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use white_city_wire::{IdentityKey, NetworkId, SessionId, hash::sha256};
use zeroize::Zeroizing;

use super::JournalId;

const MAGIC: &[u8; 8] = b"WCJRNL2\0";
/// Size of what says how the unlock's key is made.
pub const LOCK_BYTES: usize = 1 + 3 * 4;
/// Size of a header.
pub const HEADER_BYTES: usize = 8 + 3 * 32 + LOCK_BYTES + 32;
/// Size of what is in front of a record's nonce.
pub const PREFIX_BYTES: usize = 4 + 8;
/// Size of a record's nonce.
pub const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Largest record before it is encrypted: a transaction, and what certifies the state before it.
pub const RECORD_BYTES_MAX: usize = 4 << 20;

/// A record that doesn't open.
#[derive(Debug, PartialEq, Eq)]
pub enum Torn {
    /// Its end is zeros, as after a loss of power.
    Maybe,
    /// It was changed, or isn't of this journal.
    No,
}

/// A header, taken apart.
pub struct Header {
    /// What it is of.
    pub id: JournalId,
    /// How the unlock's key is made; zeros where the identity alone opens it.
    pub lock: [u8; LOCK_BYTES],
    /// What the key is salted with, and the unlock's.
    pub salt: [u8; 32],
}

impl Header {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut header = self.before_salt();
        header.extend_from_slice(&self.salt);
        header
    }

    /// The header of these bytes; `None` unless it is whole and of this version.
    #[must_use]
    pub fn decode(header: &[u8]) -> Option<Self> {
        let rest = header.strip_prefix(MAGIC)?;
        let (network, rest) = rest.split_first_chunk()?;
        let (session, rest) = rest.split_first_chunk()?;
        let (identity, rest) = rest.split_first_chunk::<32>()?;
        let (lock, salt) = rest.split_first_chunk()?;
        let id = JournalId {
            network: NetworkId(*network),
            session: SessionId(*session),
            identity: IdentityKey::from_bytes(identity).ok()?,
        };
        Some(Self {
            id,
            lock: *lock,
            salt: salt.try_into().ok()?,
        })
    }

    fn before_salt(&self) -> Vec<u8> {
        let (network, session) = (&self.id.network.0, &self.id.session.0);
        let identity = self.id.identity.as_bytes();
        [&MAGIC[..], network, session, identity, &self.lock].concat()
    }
}

/// Seals and opens records, one after the other.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    chain: [u8; 32],
}

impl Sealer {
    /// At the journal's first record. The secret is the identity's storage key, and the unlock's behind it.
    #[must_use]
    pub fn new(header: &Header, secret: &[u8]) -> Self {
        let info = [&lp(b"white-city/journal/2"), &header.before_salt()[..]].concat();
        let mut derived = Zeroizing::new([0; 32]);
        // 32 bytes are one block of HKDF-SHA256, which can't be too long.
        let expanded = Hkdf::<Sha256>::new(Some(&header.salt), secret).expand(&info, &mut *derived);
        debug_assert!(expanded.is_ok());
        Self {
            cipher: XChaCha20Poly1305::new((&*derived).into()),
            chain: sha256(&header.encode()).0,
        }
    }

    /// The bytes of the next record; `None` if it is too large.
    #[must_use]
    pub fn seal(&mut self, plaintext: &[u8], nonce: [u8; NONCE_BYTES]) -> Option<Vec<u8>> {
        if plaintext.len() > RECORD_BYTES_MAX {
            return None;
        }
        let body = plaintext.len().saturating_add(NONCE_BYTES + TAG_BYTES);
        let length = u32::try_from(body).unwrap_or(u32::MAX).to_be_bytes();
        let aad = [&self.chain[..], &length].concat();
        let payload = Payload {
            msg: plaintext,
            aad: &aad,
        };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        let record = [&length[..], &self.check(length), &nonce, &sealed].concat();
        self.go_on(&record);
        Some(record)
    }

    /// The size of the rest of the next record; `None` if it was changed.
    #[must_use]
    pub fn body_bytes(&self, prefix: &[u8; PREFIX_BYTES]) -> Option<usize> {
        let (length, check) = prefix.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let range = NONCE_BYTES + TAG_BYTES..=RECORD_BYTES_MAX + NONCE_BYTES + TAG_BYTES;
        (check == self.check(*length) && range.contains(&size)).then_some(size)
    }

    /// Opens the next record.
    ///
    /// # Errors
    /// [`Torn`].
    pub fn open(
        &mut self,
        prefix: &[u8; PREFIX_BYTES],
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Torn> {
        let (length, _) = prefix.split_first_chunk::<4>().ok_or(Torn::No)?;
        let (nonce, sealed) = body.split_first_chunk().ok_or(Torn::No)?;
        let nonce: &[u8; NONCE_BYTES] = nonce;
        let aad = [&self.chain[..], length].concat();
        let payload = Payload {
            msg: sealed,
            aad: &aad,
        };
        match self.cipher.decrypt(&XNonce::from(*nonce), payload) {
            Ok(plaintext) => {
                self.go_on(&[prefix, body].concat());
                Ok(Zeroizing::new(plaintext))
            }
            Err(_) if sealed.ends_with(&[0; TAG_BYTES]) => Err(Torn::Maybe),
            Err(_) => Err(Torn::No),
        }
    }

    fn check(&self, length: [u8; 4]) -> [u8; 8] {
        let tag = lp(b"white-city/journal/length/1");
        let hash = sha256(&[&tag, &self.chain[..], &length].concat());
        hash.0.first_chunk().copied().unwrap_or_default()
    }

    fn go_on(&mut self, record: &[u8]) {
        self.chain = sha256(&[&self.chain, record].concat()).0;
    }
}

fn lp(tag: &[u8]) -> Vec<u8> {
    let length = u32::try_from(tag.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), tag].concat()
}
