//! `cggmp24`: threshold ECDSA over secp256k1, three protocols written for `round-based`, run unchanged over a [`Session`].
//!
//! Two of them make what a party needs to sign: a share of the key, and auxiliary data (Paillier moduli with their proofs).
//! Each function takes a session that has joined and is ready, and ends with everybody's agreement on the outcome.
//!
//! The echo round of all three is off. The documentation of `enforce_reliable_broadcast` says that it may be disabled where
//! the transport layer "is reliable by construction (e.g. you use blockchain for communications)": here broadcasts are, for
//! whoever reads through proofs, as a [`Session`] does.
//!
//! All the randomness of a party comes from its session ([`Session::randomness`]): another session draws other nonces, and with a
//! journal it is the same again after a crash.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use cggmp24::{
    DataToSign, ExecutionId, IncompleteKeyShare, KeyShare, PregeneratedPrimes, Signature,
    key_share::AuxInfo, security_level::SecurityLevel128, supported_curves::Secp256k1,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use sha2::Sha256;
use white_city_client::{End, Hash, Session, wire::hash::sha256};

/// Whatever went wrong.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes auxiliary data, once for a group of parties. The primes of `primes` have to be secret, safe, and this party's alone:
/// [`PregeneratedPrimes::generate`] takes a minute or two.
///
/// # Errors
/// The protocol's, the delivery's, the session's.
pub async fn aux_info(
    session: &mut Session,
    primes: PregeneratedPrimes<SecurityLevel128>,
) -> Result<AuxInfo, Failure> {
    let eid = session.execution_id("cggmp24/aux");
    let (i, n) = (session.index(), session.n());
    let mut rng = ChaCha20Rng::from_seed(*session.randomness("cggmp24/aux"));
    let mut delivery = session.delivery();
    let protocol = delivery.run(|party| {
        cggmp24::aux_info_gen(ExecutionId::new(eid.as_bytes()), i, n, primes)
            .enforce_reliable_broadcast(false)
            .start(&mut rng, party)
    });
    let aux = protocol.await?;
    drop(delivery);
    // Each party knows all moduli, and its own factors; that all are done is the outcome.
    agree(session, sha256(eid.as_bytes())).await?;
    Ok(aux)
}

/// Makes a key that any `threshold` parties can sign with.
///
/// # Errors
/// As [`aux_info`].
pub async fn keygen(
    session: &mut Session,
    threshold: u16,
) -> Result<IncompleteKeyShare<Secp256k1>, Failure> {
    let eid = session.execution_id("cggmp24/keygen");
    let (i, n) = (session.index(), session.n());
    let mut rng = ChaCha20Rng::from_seed(*session.randomness("cggmp24/keygen"));
    let mut delivery = session.delivery();
    let protocol = delivery.run(|party| {
        cggmp24::keygen::<Secp256k1>(ExecutionId::new(eid.as_bytes()), i, n)
            .set_threshold(threshold)
            .enforce_reliable_broadcast(false)
            .start(&mut rng, party)
    });
    let share = protocol.await?;
    drop(delivery);
    agree(session, sha256(&share.shared_public_key.to_bytes(true))).await?;
    Ok(share)
}

/// Signs the SHA-256 of `message` with the shares of exactly `threshold` parties, the session's. `signers` are their indices in
/// the session that made the key. The signature is r and s, 32 bytes each, s in the lower half.
///
/// # Errors
/// As [`aux_info`].
pub async fn sign(
    session: &mut Session,
    share: &KeyShare<Secp256k1>,
    signers: &[u16],
    message: &[u8],
) -> Result<[u8; 64], Failure> {
    let eid = session.execution_id("cggmp24/sign");
    let i = session.index();
    let mut rng = ChaCha20Rng::from_seed(*session.randomness("cggmp24/sign"));
    let data = DataToSign::digest::<Sha256>(message);
    let mut delivery = session.delivery();
    let protocol = delivery.run(|party| {
        cggmp24::signing(ExecutionId::new(eid.as_bytes()), i, signers, share)
            .enforce_reliable_broadcast(false)
            .sign(&mut rng, party, &data)
    });
    let signature: Signature<Secp256k1> = protocol.await?;
    drop(delivery);
    let mut bytes = [0; 64];
    signature.write_to_slice(&mut bytes);
    agree(session, sha256(&bytes)).await?;
    Ok(bytes)
}

/// Finishes, and waits until all have said so.
async fn agree(session: &mut Session, outcome: Hash) -> Result<(), Failure> {
    session.finish(outcome).await?;
    match session.wait_end().await? {
        End::Finished { outcome: agreed } if agreed == outcome => Ok(()),
        end => Err(format!("the session ended otherwise: {end:?}").into()),
    }
}
