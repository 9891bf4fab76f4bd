//! The journal's bytes.
//!
//! ```text
//! header = "WCJRNL1\0" ‖ network_id 32 ‖ session_id 32 ‖ identity 32 ‖ salt 32
//! record = u32 length of what follows the check ‖ check 8 ‖ nonce 24 ‖ ciphertext and tag (XChaCha20-Poly1305)
//! key    = HKDF-SHA256(salt, the identity's storage key, lp"white-city/journal/1" ‖ header without the salt)
//! chain  = H(header), then H(chain ‖ record)        check = H(lp"white-city/journal/length/1" ‖ chain ‖ length)[..8]
//! aad    = chain ‖ length
//! ```
//! The chain ties every record to its place: none can be left out, moved, or brought from another journal. The check tells a
//! changed length from a record that wasn't finished. Nonces are random: the place of a record that was cut off is written again.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use white_city_wire::hash::sha256;
use zeroize::Zeroizing;

use super::Place;

const MAGIC: &[u8; 8] = b"WCJRNL1\0";
/// Size of a header.
pub(super) const HEADER_BYTES: usize = 8 + 4 * 32;
/// Size of what is in front of a record's nonce.
pub(super) const PREFIX_BYTES: usize = 4 + 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Largest record before it is encrypted: a transaction, the plaintexts in it, and what certifies the state before it.
pub(super) const RECORD_BYTES_MAX: usize = 4 << 20;

/// A record that doesn't open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Torn {
    /// Its end is zeros, as after a loss of power.
    Maybe,
    No,
}

/// The header of a new journal.
pub(super) fn header(place: &Place, salt: &[u8; 32]) -> Vec<u8> {
    let mut header = before_salt(place);
    header.extend_from_slice(salt);
    header
}

/// Whether a header is whole, of this version, and of this place.
pub(super) fn is_of(header: &[u8], place: &Place) -> bool {
    header.len() == HEADER_BYTES && header.starts_with(&before_salt(place))
}

fn before_salt(place: &Place) -> Vec<u8> {
    let (network, session) = (&place.network.0, &place.session.0);
    [&MAGIC[..], network, session, place.identity.as_bytes()].concat()
}

/// Seals and opens records, one after the other.
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
    chain: [u8; 32],
}

impl Sealer {
    /// At the journal's first record; `None` for a header of another size.
    pub(super) fn new(header: &[u8], key: &[u8; 32]) -> Option<Self> {
        if header.len() != HEADER_BYTES {
            return None;
        }
        let (place, salt) = header.split_last_chunk::<32>()?;
        let info = [&lp(b"white-city/journal/1"), place].concat();
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), key)
            .expand(&info, &mut *derived)
            .ok()?;
        Some(Self {
            cipher: XChaCha20Poly1305::new(Key::from_slice(&*derived)),
            chain: sha256(header).0,
        })
    }

    /// The bytes of the next record; `None` if it is too large.
    pub(super) fn seal(&mut self, plaintext: &[u8], nonce: [u8; NONCE_BYTES]) -> Option<Vec<u8>> {
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
    pub(super) fn body_bytes(&self, prefix: &[u8; PREFIX_BYTES]) -> Option<usize> {
        let (length, check) = prefix.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let range = NONCE_BYTES + TAG_BYTES..=RECORD_BYTES_MAX + NONCE_BYTES + TAG_BYTES;
        (check == self.check(*length) && range.contains(&size)).then_some(size)
    }

    /// Opens the next record.
    pub(super) fn open(
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
