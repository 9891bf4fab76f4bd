//! `givre`: key generation of CGGMP and signing of FROST, both written for `round-based`.

use givre::{
    Ciphersuite, ciphersuite::Ed25519, keygen::ExecutionId, signing::aggregate::Signature,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use white_city_client::Session;

use crate::{Failure, agree};

/// The curve.
pub type Curve = <Ed25519 as Ciphersuite>::Curve;
/// One party's share of a key.
pub type KeyShare = givre::key_share::KeyShare<Curve>;

/// Makes a key that any `threshold` parties can sign with.
///
/// Its echo round is off. The documentation of `enforce_reliable_broadcast` allows that where the transport itself makes
/// broadcasts reliable, and names blockchains; here they are, for whoever reads through proofs, as a [`Session`] does.
///
/// # Errors
/// The protocol's, the delivery's, the session's.
pub async fn keygen(session: &mut Session, threshold: u16) -> Result<KeyShare, Failure> {
    let eid = session.execution_id("givre/keygen");
    let (i, n) = (session.index(), session.n());
    let mut rng = ChaCha20Rng::from_seed(*session.randomness("givre/keygen"));
    let mut delivery = session.delivery();
    let protocol = delivery.run(|party| {
        givre::keygen::<Curve>(ExecutionId::new(eid.as_bytes()), i, n)
            .set_threshold(threshold)
            .enforce_reliable_broadcast(false)
            .start(&mut rng, party)
    });
    let share = protocol.await?;
    drop(delivery);
    agree(session, &share.shared_public_key.to_bytes(true)).await?;
    Ok(share)
}

/// Signs with the shares of exactly `threshold` parties, the session's. `signers` are their indices in the session that made the key.
///
/// # Errors
/// As [`keygen`].
pub async fn sign(
    session: &mut Session,
    share: &KeyShare,
    signers: &[u16],
    message: &[u8],
) -> Result<[u8; 64], Failure> {
    let i = session.index();
    let mut rng = ChaCha20Rng::from_seed(*session.randomness("givre/sign"));
    let mut delivery = session.delivery();
    let protocol = delivery
        .run(|party| givre::signing::<Ed25519>(i, share, signers, message).sign(&mut rng, party));
    let signature: Signature<Ed25519> = protocol.await?;
    drop(delivery);
    let mut bytes = [0; 64];
    signature.write_to_slice(&mut bytes);
    agree(session, &bytes).await?;
    Ok(bytes)
}
