//! Sealing and opening: what an honest recipient can't open nobody can have sealed for it.

use proptest::{collection::vec, prelude::*};
use white_city_client::kem::PartyKem;
use white_city_tests::{
    complaints::{PayloadPlace, complain_about, reveal_of},
    party::Party,
    scene::spec,
};
use white_city_wire::{
    Hash, Kem, NetworkId, SessionId, Spec,
    dispute::{Verdict, judge},
    payload::{LibraryKem, PayloadContext, SessionSeed},
    tx::{Join, Post},
};

use crate::generators::hash;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A verdict of *false complaint* and an honest recipient that can't open exclude each other, whatever the sender does:
    /// it chooses keying material, plaintext, and where the ciphertext is sealed for or what is changed in it.
    #[test]
    fn a_complaint_is_false_only_if_its_author_can_open_the_payload(
        (seed, ikm_e, network, session) in (hash(), hash(), hash(), hash()),
        (transcript, round, plaintext) in (hash(), 1_u32..5, vec(any::<u8>(), 1..100)),
        (bend, at, flip) in (0..4_u8, any::<prop::sample::Index>(), 1..=255_u8),
        kem in prop::sample::select(&Kem::ALL[..]),
    ) {
        let (network, session) = (NetworkId(network.0), SessionId(session.0));
        let parties = Party::several(3);
        let spec = Spec { kem, ..spec(&parties, 2) };
        let (from, to) = (2, 1);
        let seed = SessionSeed::new(seed.0);
        let key = seed.encryption_key(kem, &session, to).unwrap();
        let mut place = PayloadPlace { network, session, spec: &spec, transcript, round, from, to, key: key.clone() };
        if bend == 1 {
            place.round += 1;
        }
        let mut sealed = place.seal(&ikm_e.0, &plaintext);
        if bend == 2 {
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
        }
        let post = Post::new(session, round, (from, 3), transcript, vec![], vec![(to, sealed.clone())]);
        let complain = complain_about(&post, to, 3).unwrap();
        let mut shown = plaintext.clone();
        if bend == 3 {
            let at = at.index(shown.len());
            shown[at] ^= flip;
        }
        let reveal = reveal_of(&complain, ikm_e.0, &shown);
        let verdict = judge(&network, &spec, &key, &complain, &reveal).unwrap();
        let context = PayloadContext {
            network,
            session,
            transcript,
            round,
            from,
            to,
            from_key: parties[2].key(),
            to_key: parties[1].key(),
            to_join: Join { session, index: to, key: key.clone() }.digest(),
        };
        let opened = seed.decryption_key::<PartyKem>(kem, &session, to).open(&context, &sealed);
        let by_library = seed.decryption_key::<LibraryKem>(kem, &session, to).open(&context, &sealed);
        prop_assert_eq!(&opened, &by_library);
        prop_assert_eq!(opened.is_ok(), bend == 0 || bend == 3);
        let expected = if bend == 0 { Verdict::FalseComplaint } else { Verdict::BadPayload };
        prop_assert_eq!(verdict, expected);
        let other = judge(&network, &spec, &key, &complain, &reveal_of(&complain, Hash::ZERO.0, &plaintext));
        prop_assert_eq!(other, Ok(Verdict::BadPayload));
    }
}
