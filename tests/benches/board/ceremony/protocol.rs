//! Multi-party EdDSA over any exchange.

use white_city_eddsa::{
    KeyShare, Outgoing, Randomness, Session, Signed,
    aggregate::{self, KeyPair},
    keygen,
    run::{Next, Run},
    sign::{
        self,
        many::{self, SignedMany},
    },
};

use super::exchange::Exchange;

/// Runs a protocol from its first post to its result.
async fn play<T>(exchange: &mut impl Exchange, (first, post): (impl Into<Run<T>>, Outgoing)) -> T {
    let (mut run, mut outgoing) = (first.into(), post);
    loop {
        match run.close(&exchange.exchange(outgoing).await).unwrap() {
            Next::Post(next, post) => (run, outgoing) = (next, post),
            Next::Made(made) => return made,
        }
    }
}

/// A key of which any `threshold` parties can sign.
pub async fn keygen(mut exchange: impl Exchange, threshold: u16) -> KeyShare {
    let (n, session) = (exchange.n(), session(&exchange));
    let started = keygen::start(session, threshold - 1, n, randomness());
    let share: KeyShare = play(&mut exchange, started.unwrap()).await;
    exchange.agree(&share.outcome()).await;
    share
}

/// The signature of those who have these indices in the session that made the key.
pub async fn sign(mut exchange: impl Exchange, share: &KeyShare, signers: &[u16], message: &[u8]) {
    let session = session(&exchange);
    let started = sign::start(session, share, signers, message, randomness());
    let signed: Signed = play(&mut exchange, started.unwrap()).await;
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
    let started = many::start(&session, share, signers, messages, randomness());
    let signed: SignedMany = play(&mut exchange, started.unwrap()).await;
    exchange.agree(&signed.outcome()).await;
    for (one, message) in signed.signed().iter().zip(messages) {
        verify(&share.public_key(), message, &one.signature);
    }
}

/// The signature of all under the sum of their keys.
pub async fn aggregated(mut exchange: impl Exchange, message: &'static [u8]) {
    let session = session(&exchange);
    let pair = KeyPair::from_seed(&[exchange.index().to_be_bytes()[1]; 32]);
    let started = aggregate::start(session, &pair, None, message, randomness());
    let signed: Signed = play(&mut exchange, started.unwrap()).await;
    exchange.agree(&signed.outcome()).await;
    verify(&signed.public_key, message, &signed.signature);
}

fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) {
    let key = ed25519_dalek::VerifyingKey::from_bytes(key).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    key.verify_strict(message, &signature).unwrap();
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
