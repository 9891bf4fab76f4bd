//! Keys, signatures, and sealed payloads.

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use white_city_client::kem::PartyKem;
use white_city_tests::{complaints::complain_about, scene::spec};
use white_city_wire::{
    EncryptionKey, IdentityKey, Reveal, Signature, Spec,
    dispute::judge,
    entry::p2p_leaf,
    payload::{LibraryKem, PayloadContext, SessionSeed, seal_with},
    signing::{Purpose, join_digest, signed_bytes},
    tx::Post,
};

use crate::case::{Case, bytes, hexed};

pub fn key(case: &Case) {
    let input = case.input();
    let bytes = input.bytes("key");
    let accepted = match input.text("kind") {
        "identity" => IdentityKey::from_bytes(&bytes).is_ok(),
        "encryption" => EncryptionKey::from_bytes(input.kem(), &bytes).is_ok(),
        other => panic!("unknown kind {other}"),
    };
    case.expect([("accepted", Value::from(accepted))]);
}

pub fn signature(case: &Case) {
    let input = case.input();
    let purpose = match input.text("purpose") {
        "open" => Purpose::Open,
        "join" => Purpose::Join,
        "post" => Purpose::Post,
        "finish" => Purpose::Finish,
        "abort" => Purpose::Abort,
        "complain" => Purpose::Complain,
        "reveal" => Purpose::Reveal,
        "decline" => Purpose::Decline,
        "approve" => Purpose::Approve,
        "operate" => Purpose::Operate,
        "card" => Purpose::Card,
        "genesis" => Purpose::Genesis,
        other => panic!("unknown purpose {other}"),
    };
    let message = signed_bytes(purpose, &input.network(), &input.hash("digest"));
    let signer = SigningKey::from_bytes(&input.bytes32("seed"));
    let signature = signer.sign(&message).to_bytes();
    let public = signer.verifying_key().to_bytes();
    let key = IdentityKey::from_bytes(&public).unwrap();
    assert!(key.verify(&message, &Signature(signature)));
    assert!(!key.verify(&message[1..], &Signature(signature)));
    case.expect([
        ("signed_bytes", hexed(&message)),
        ("public_key", hexed(public)),
        ("signature", hexed(signature)),
    ]);
}

pub fn sealing(case: &Case) {
    let input = case.input();
    let session = input.session();
    let (from, to) = (input.number("from"), input.number("to"));
    let recipient = SessionSeed::new(input.bytes32("recipient_seed"));
    let kem = input.kem();
    let key = recipient.encryption_key(kem, &session, to).unwrap();
    let to_join = join_digest(&session, to, kem.number(), key.as_bytes());
    let context = PayloadContext {
        network: input.network(),
        session,
        transcript: input.hash("transcript"),
        round: input.number("round"),
        from,
        to,
        from_key: &input.key("from_key"),
        to_key: &input.key("to_key"),
        to_join,
    };
    let plaintext = input.bytes("plaintext");
    let sender = SessionSeed::new(input.bytes32("sender_seed"));
    let ikm_e = sender.ikm_e(kem, &context, &plaintext);
    let sealed = sender.seal::<PartyKem>(&context, &key, &plaintext).unwrap();
    assert_eq!(
        seal_with(&ikm_e, &context, &key, &plaintext).unwrap(),
        sealed
    );
    let by_party = recipient.decryption_key::<PartyKem>(kem, &session, to);
    assert_eq!(*by_party.open(&context, &sealed).unwrap(), plaintext);
    let by_library = recipient.decryption_key::<LibraryKem>(kem, &session, to);
    assert_eq!(*by_library.open(&context, &sealed).unwrap(), plaintext);
    case.expect([
        ("recipient_public", hexed(key.as_bytes())),
        ("join_digest", hexed(to_join.0)),
        ("ikm_e", hexed(ikm_e.as_slice())),
        ("sealed", hexed(sealed)),
    ]);
}

pub fn judging(case: &Case) {
    let input = case.input();
    let roster: Vec<IdentityKey> = input
        .list("roster")
        .map(|key| IdentityKey::from_bytes(&bytes(key.0)).unwrap())
        .collect();
    let parties = u16::try_from(roster.len()).unwrap();
    let (accused, index) = (input.number("accused"), input.number("index"));
    let post = Post::new(
        input.session(),
        input.number("round"),
        (accused, parties),
        input.hash("transcript"),
        Vec::new(),
        vec![(index, input.bytes("ciphertext"))],
    );
    let complain = complain_about(&post, index, parties).unwrap();
    complain.check_path(parties).unwrap();
    assert_eq!(complain.leaf, p2p_leaf(&input.bytes("ciphertext")));
    let reveal = Reveal {
        session: input.session(),
        complaint: complain.digest(),
        index: accused,
        ikm_e: input.bytes32("ikm_e"),
        plaintext: input.bytes("plaintext"),
    };
    let spec = Spec {
        roster,
        kem: input.kem(),
        ..spec(&[], 2)
    };
    let key = input.encryption_key("enc_pk");
    let verdict = judge(&input.network(), &spec, &key, &complain, &reveal).unwrap();
    case.expect([
        ("complain_digest", hexed(complain.digest().0)),
        ("reveal_digest", hexed(reveal.digest().0)),
        ("culprit", Value::from(verdict.culprit(&complain))),
        ("kind", Value::from(verdict.offence().number())),
        ("cause", Value::from(verdict.cause().number())),
    ]);
}
