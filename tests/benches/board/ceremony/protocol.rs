//! Multi-party EdDSA over any exchange.

use std::collections::{BTreeMap, BTreeSet};

use white_city_eddsa::{
    Dalek, KeyShare, Outgoing, Randomness, Session,
    aggregate::{self, KeyPair},
    keygen,
    sign::{self, many},
};

use super::exchange::Exchange;

/// A key of which any `threshold` parties can sign.
pub async fn keygen(mut exchange: impl Exchange, threshold: u16) -> KeyShare {
    let (n, session) = (exchange.n(), session(&exchange));
    let begun = keygen::start_with::<Dalek>(session, threshold - 1, n, randomness());
    let (round1, outgoing) = begun.unwrap();
    let said = exchange.exchange(outgoing).await;
    let (round2, outgoing) = round1.close(&said.broadcasts).unwrap();
    let said = exchange.exchange(outgoing).await;
    let share = round2.close(&said.broadcasts, &said.p2p).unwrap();
    exchange.agree(&share.outcome()).await;
    share
}

/// The signature of those who have these indices in the session that made the key.
pub async fn sign(mut exchange: impl Exchange, share: &KeyShare, signers: &[u16], message: &[u8]) {
    let session = session(&exchange);
    let begun = sign::start_with::<Dalek>(session, share, signers, message, randomness());
    let (round1, outgoing) = begun.unwrap();
    let said = exchange.exchange(outgoing).await;
    let (round2, outgoing) = round1.close(&said.broadcasts).unwrap();
    let said = exchange.exchange(outgoing).await;
    let round3 = round2.close(&said.broadcasts, &said.p2p).unwrap();
    // A round without content, before what may be revealed only once.
    let said = exchange.exchange(nothing()).await;
    let confirmed: BTreeSet<u16> = said.posted.into_iter().collect();
    let (round4, outgoing) = round3.close(&confirmed).unwrap();
    let said = exchange.exchange(outgoing).await;
    let signed = round4.close(&said.broadcasts).unwrap();
    exchange.agree(&signed.outcome()).await;
    verify(&share.public_key(), message, &signed.signature);
}

/// The same for many messages in one session.
pub async fn sign_many(
    mut exchange: impl Exchange,
    share: &KeyShare,
    signers: &[u16],
    messages: &[Vec<u8>],
) {
    let session = session(&exchange);
    let begun = many::start(&session, share, signers, messages, randomness());
    let (round1, outgoing) = begun.unwrap();
    let said = exchange.exchange(outgoing).await;
    let (round2, outgoing) = round1.close(&said.broadcasts).unwrap();
    let said = exchange.exchange(outgoing).await;
    let round3 = round2.close(&said.broadcasts, &said.p2p).unwrap();
    let said = exchange.exchange(nothing()).await;
    let confirmed: BTreeSet<u16> = said.posted.into_iter().collect();
    let (round4, outgoing) = round3.close(&confirmed).unwrap();
    let said = exchange.exchange(outgoing).await;
    let signed = round4.close(&said.broadcasts).unwrap();
    exchange.agree(&signed.outcome()).await;
    for (one, message) in signed.signed().iter().zip(messages) {
        verify(&share.public_key(), message, &one.signature);
    }
}

/// The signature of all under the sum of their keys.
pub async fn aggregated(mut exchange: impl Exchange, message: &'static [u8]) {
    let session = session(&exchange);
    let pair = KeyPair::from_seed(&[exchange.index().to_be_bytes()[1]; 32]);
    let begun = aggregate::start(session, &pair, None, message, randomness());
    let (round1, outgoing) = begun.unwrap();
    let said = exchange.exchange(outgoing).await;
    let (round2, outgoing) = round1.close(&said.broadcasts).unwrap();
    let key = round2.key().public_key();
    let said = exchange.exchange(outgoing).await;
    let (round3, outgoing) = round2.close(&said.broadcasts).unwrap();
    let said = exchange.exchange(outgoing).await;
    let signed = round3.close(&said.broadcasts).unwrap();
    exchange.agree(&signed.outcome()).await;
    verify(&key, message, &signed.signature);
}

fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) {
    let key = ed25519_dalek::VerifyingKey::from_bytes(key).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    key.verify_strict(message, &signature).unwrap();
}

fn nothing() -> Outgoing {
    Outgoing {
        broadcast: Vec::new(),
        p2p: BTreeMap::new(),
    }
}

fn session(exchange: &impl Exchange) -> Session {
    let party = |index: u16| std::array::from_fn(|i| index.to_be_bytes()[i % 2]);
    let roster: Vec<[u8; 32]> = (0..exchange.n()).map(party).collect();
    Session::new(exchange.id(), &roster, exchange.index()).unwrap()
}

/// Never the same.
fn randomness() -> Randomness {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    Randomness::from_seed(seed)
}
