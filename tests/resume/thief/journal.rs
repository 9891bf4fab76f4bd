//! A journal as a thief reads it.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use prost::Message;
use sha2::{Digest, Sha256};

const HEADER_BYTES: usize = 8 + 3 * 32 + 13 + 32;
const PREFIX_BYTES: usize = 4 + 8;

/// Everything that the thief is after. Journals held plaintexts once, of whatever was sealed; none does any more.
#[derive(Default)]
pub struct Loot {
    pub seeds: Option<Seeds>,
    pub plaintexts: Vec<(u32, Plaintext)>,
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, optional, tag = "1")]
    seeds: Option<Seeds>,
    #[prost(message, optional, tag = "2")]
    entry: Option<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Seeds {
    #[prost(bytes = "vec", tag = "1")]
    pub session: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub protocol: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(uint32, tag = "1")]
    round: u32,
    #[prost(message, repeated, tag = "3")]
    plaintexts: Vec<Plaintext>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Plaintext {
    #[prost(uint32, tag = "1")]
    pub to: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub bytes: Vec<u8>,
}

/// The journal as it was after each of its writes.
pub fn moments(journal: &[u8]) -> Vec<&[u8]> {
    let mut at = HEADER_BYTES;
    let mut all = vec![&journal[..at]];
    while at < journal.len() {
        let length = u32::from_be_bytes(journal[at..at + 4].try_into().unwrap());
        at += PREFIX_BYTES + usize::try_from(length).unwrap();
        all.push(&journal[..at]);
    }
    all
}

/// All that opens with this secret: what the thief has of the identity's storage key and what the lock's key is, one behind the other.
pub fn open(journal: &[u8], secret: &[u8]) -> Loot {
    let (header, mut rest) = journal.split_at(HEADER_BYTES);
    let (place, salt) = header.split_last_chunk::<32>().unwrap();
    let info = [&lp(b"white-city/journal/2"), place].concat();
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(&info, &mut key)
        .unwrap();
    let cipher = XChaCha20Poly1305::new(&key.into());
    let mut chain = Sha256::digest(header);
    let mut loot = Loot::default();
    while !rest.is_empty() {
        let length: [u8; 4] = rest[..4].try_into().unwrap();
        let end = PREFIX_BYTES + usize::try_from(u32::from_be_bytes(length)).unwrap();
        let (record, after) = rest.split_at(end);
        let (nonce, sealed) = record[PREFIX_BYTES..].split_first_chunk::<24>().unwrap();
        let aad = [&chain[..], &length].concat();
        let payload = Payload {
            msg: sealed,
            aad: &aad,
        };
        if let Ok(plaintext) = cipher.decrypt(&XNonce::from(*nonce), payload) {
            let record = Record::decode(&plaintext[..]).unwrap();
            loot.seeds = record.seeds.or(loot.seeds);
            let entry = record.entry.unwrap_or_default();
            let plaintexts = entry.plaintexts.into_iter();
            loot.plaintexts
                .extend(plaintexts.map(|plaintext| (entry.round, plaintext)));
        }
        chain = Sha256::digest([&chain[..], record].concat());
        rest = after;
    }
    loot
}

fn lp(tag: &[u8]) -> Vec<u8> {
    let length = u32::try_from(tag.len()).unwrap();
    [&length.to_be_bytes(), tag].concat()
}
