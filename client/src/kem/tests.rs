use std::convert::Infallible;

use hpke::Kem;
use sha2::{Digest, Sha256};
use white_city_wire::payload::PayloadKem;

use super::*;

/// "Randomness" that is known: the keying material of an ephemeral key.
struct KnownBytes([u8; 32]);

impl hpke::rand_core::TryRng for KnownBytes {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        to.copy_from_slice(&self.0);
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for KnownBytes {}

fn bytes(hex: &str) -> [u8; 32] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn seeded(purpose: &str, number: u16) -> [u8; 32] {
    Sha256::new()
        .chain_update(purpose)
        .chain_update(number.to_be_bytes())
        .finalize()
        .into()
}

/// The shared secret and the encapsulated key for an ephemeral key of this material.
fn encap<K: PayloadKem>(to: &PublicKey, ikm: [u8; 32]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (shared, encapped) = K::encap_with_rng(to, None, &mut KnownBytes(ikm)).ok()?;
    Some((shared.0.to_vec(), encapped.to_bytes().to_vec()))
}

fn decap<K: PayloadKem>(key: &K::PrivateKey, encapped: &[u8; 32]) -> Option<Vec<u8>> {
    let encapped = EncappedKey::from_bytes(encapped).unwrap();
    let shared = K::decap(key, None, &encapped).ok()?;
    Some(shared.0.to_vec())
}

/// Keys that aren't a point's usual encoding: of low order, not reduced, with the bit that has no meaning.
fn unusual() -> Vec<[u8; 32]> {
    let mut keys = vec![
        [0; 32],
        [0xff; 32],
        bytes("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ];
    // From p - 1 to p + 5 = 2^255 - 14.
    keys.extend((0xec..=0xf2).map(|low| {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (low, 0x7f);
        key
    }));
    keys.extend([0, 1, 9].map(|low| {
        let mut key = [0; 32];
        (key[0], key[31]) = (low, 0x80);
        key
    }));
    keys
}

#[test]
fn it_is_the_kem_of_the_standards_vector() {
    let ikm = bytes("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234");
    let recipient = bytes("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037");
    let (private, public) = PartyKem::derive_keypair(&recipient);
    let encapped = bytes("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
    let shared = bytes("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc");
    let (sealed, sent) = encap::<PartyKem>(&public, ikm).unwrap();
    assert_eq!((sealed, sent), (shared.to_vec(), encapped.to_vec()));
    let opened = decap::<PartyKem>(&private, &encapped);
    assert_eq!(opened, Some(shared.to_vec()));
}

#[test]
fn it_gives_the_bytes_of_the_librarys_own() {
    let (library, public) = LibraryKem::derive_keypair(&seeded("recipient", 0));
    let (party, same) = PartyKem::derive_keypair(&seeded("recipient", 0));
    assert_eq!(
        (party.to_bytes(), same),
        (library.to_bytes(), public.clone())
    );
    for number in 0..64 {
        let (_, to) = LibraryKem::derive_keypair(&seeded("recipient", number));
        let ikm = seeded("ephemeral", number);
        let sealed = encap::<PartyKem>(&to, ikm);
        assert!(sealed.is_some());
        assert_eq!(sealed, encap::<LibraryKem>(&to, ikm));

        let (shared, encapped) = encap::<PartyKem>(&public, ikm).unwrap();
        let encapped = encapped.try_into().unwrap();
        assert_eq!(decap::<LibraryKem>(&library, &encapped), Some(shared));
    }
    // Half of all bytes are on the curve's twist.
    let any = (0..64).map(|number| seeded("encapped", number));
    let mut refused = 0;
    for encapped in any.chain(unusual()) {
        let shared = decap::<PartyKem>(&party, &encapped);
        assert_eq!(shared, decap::<LibraryKem>(&library, &encapped));
        refused += usize::from(shared.is_none());

        let to = PublicKey::from_bytes(&encapped).unwrap();
        let ikm = seeded("ephemeral", 0);
        assert_eq!(encap::<PartyKem>(&to, ikm), encap::<LibraryKem>(&to, ikm));
    }
    // 0 in three encodings, 1 in two, p - 1, and the two of order eight.
    assert_eq!(refused, 8);
}

#[test]
fn a_key_is_read_as_it_is_written_and_equals_no_other() {
    let (private, public) = PartyKem::derive_keypair(&seeded("recipient", 0));
    let (other, _) = PartyKem::derive_keypair(&seeded("recipient", 1));
    let read = PartyKey::from_bytes(&private.to_bytes()).unwrap();
    assert_eq!(PartyKem::sk_to_pk(&read), public);
    let (shared, encapped) = encap::<PartyKem>(&public, [1; 32]).unwrap();
    assert_eq!(
        decap::<PartyKem>(&read, &encapped.try_into().unwrap()),
        Some(shared)
    );
    assert!(bool::from(read.ct_eq(&private)));
    assert!(!bool::from(read.ct_eq(&other)));
    assert!(PartyKey::from_bytes(&[1; 31]).is_err());
}

#[test]
fn a_senders_key_is_refused() {
    let (private, public) = PartyKem::derive_keypair(&seeded("recipient", 0));
    let sender = Some((&private, &public));
    let sealed = PartyKem::encap_with_rng(&public, sender, &mut KnownBytes([1; 32]));
    assert!(matches!(sealed, Err(HpkeError::EncapError)));
    let encapped = EncappedKey::from_bytes(&public.to_bytes()).unwrap();
    let opened = PartyKem::decap(&private, Some(&public), &encapped);
    assert!(matches!(opened, Err(HpkeError::DecapError)));
}
