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
    let mut loot = Loot::default();
    for plaintext in plaintexts(journal, secret).into_iter().flatten() {
        let record = Record::decode(&plaintext[..]).unwrap();
        loot.seeds = record.seeds.or(loot.seeds);
        let entry = record.entry.unwrap_or_default();
        let plaintexts = entry.plaintexts.into_iter();
        loot.plaintexts
            .extend(plaintexts.map(|plaintext| (entry.round, plaintext)));
    }
    loot
}

/// The journal with each record changed, by whoever has this secret.
pub fn rewritten(journal: &[u8], secret: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (header, _) = journal.split_at(HEADER_BYTES);
    let cipher = cipher(header, secret);
    let mut chain = Sha256::digest(header);
    let mut written = header.to_vec();
    for plaintext in plaintexts(journal, secret) {
        let plaintext = change(&plaintext.expect("the right secret"));
        let nonce = [5; 24];
        let length = u32::try_from(plaintext.len() + 24 + 16)
            .unwrap()
            .to_be_bytes();
        let aad = [&chain[..], &length].concat();
        let payload = Payload {
            msg: &plaintext,
            aad: &aad,
        };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).unwrap();
        let tag = lp(b"white-city/journal/length/1");
        let check = Sha256::digest([&tag, &chain[..], &length].concat());
        let record = [&length[..], &check[..8], &nonce, &sealed].concat();
        chain = Sha256::digest([&chain[..], &record].concat());
        written.extend_from_slice(&record);
    }
    written
}

fn cipher(header: &[u8], secret: &[u8]) -> XChaCha20Poly1305 {
    let (place, salt) = header.split_last_chunk::<32>().unwrap();
    let info = [&lp(b"white-city/journal/2"), place].concat();
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(&info, &mut key)
        .unwrap();
    XChaCha20Poly1305::new(&key.into())
}

/// The records, where this secret opens them.
fn plaintexts(journal: &[u8], secret: &[u8]) -> Vec<Option<Vec<u8>>> {
    let (header, mut rest) = journal.split_at(HEADER_BYTES);
    let cipher = cipher(header, secret);
    let mut chain = Sha256::digest(header);
    let mut opened = Vec::new();
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
        opened.push(cipher.decrypt(&XNonce::from(*nonce), payload).ok());
        chain = Sha256::digest([&chain[..], record].concat());
        rest = after;
    }
    opened
}

fn lp(tag: &[u8]) -> Vec<u8> {
    let length = u32::try_from(tag.len()).unwrap();
    [&length.to_be_bytes(), tag].concat()
}
