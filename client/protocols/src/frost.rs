//! `frost-ed25519`: plain functions between rounds.

use std::collections::BTreeMap;

use frost_ed25519::{
    Identifier, SigningPackage, aggregate,
    keys::{
        KeyPackage, PublicKeyPackage,
        dkg::{self, part1, part2, part3},
    },
    round1::{self, SigningCommitments},
    round2::{self, SignatureShare},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use white_city_client::Session;

use crate::{Failure, agree, exchange};

/// One party's share of a key, and what everybody knows of it.
pub type Share = (KeyPackage, PublicKeyPackage);

/// Identifiers begin at 1.
fn identifier(index: u16) -> Result<Identifier, Failure> {
    Ok(Identifier::try_from(index.saturating_add(1))?)
}

/// The messages of each of the others, read; who said what can't be read is named.
fn read<'a, T, B: AsRef<[u8]> + 'a>(
    me: u16,
    payloads: impl IntoIterator<Item = (&'a u16, &'a B)>,
    deserialize: impl Fn(&[u8]) -> Result<T, frost_ed25519::Error>,
) -> Result<BTreeMap<Identifier, T>, Failure> {
    let others = payloads.into_iter().filter(|(from, _)| **from != me);
    others
        .map(|(from, payload)| {
            let value = deserialize(payload.as_ref());
            let value = value.map_err(|error| format!("party {from}: {error}"))?;
            Ok((identifier(*from)?, value))
        })
        .collect()
}

/// Makes a key that any `threshold` parties can sign with.
///
/// # Errors
/// The protocol's and the session's.
pub async fn keygen(session: &mut Session, threshold: u16) -> Result<Share, Failure> {
    let (me, n) = (session.index(), session.n());
    let rng = ChaCha20Rng::from_seed(*session.randomness("frost/keygen"));
    let (secret, package) = part1(identifier(me)?, n, threshold, rng)?;
    let mut rounds = session.rounds();
    let inbox = exchange(&mut rounds, package.serialize()?, BTreeMap::new()).await?;
    let packages1 = read(me, &inbox.broadcasts, dkg::round1::Package::deserialize)?;

    let (secret, mut packages) = part2(secret, &packages1)?;
    let mut p2p = BTreeMap::new();
    for to in (0..n).filter(|to| *to != me) {
        let package = packages.remove(&identifier(to)?);
        let package = package.ok_or_else(|| format!("no package for party {to}"))?;
        p2p.insert(to, package.serialize()?.into());
    }
    let inbox = exchange(&mut rounds, Vec::new(), p2p).await?;
    let payloads = inbox.p2p.iter().map(|(from, bytes)| (from, &**bytes));
    let packages2 = read(me, payloads, dkg::round2::Package::deserialize)?;

    let (share, public) = part3(&secret, &packages1, &packages2)?;
    agree(session, &public.serialize()?).await?;
    Ok((share, public))
}

/// Signs with the shares of this session's parties. `signers` are their indices in the session that made the key.
///
/// # Errors
/// As [`keygen`].
pub async fn sign(
    session: &mut Session,
    (share, public): &Share,
    signers: &[u16],
    message: &[u8],
) -> Result<[u8; 64], Failure> {
    let signer = |index: u16| {
        let signer = signers.get(usize::from(index)).copied();
        signer.ok_or_else(|| Failure::from(format!("no signer for party {index}")))
    };
    let mut rng = ChaCha20Rng::from_seed(*session.randomness("frost/sign"));
    let (nonces, commitments) = round1::commit(share.signing_share(), &mut rng);
    let mut rounds = session.rounds();
    let inbox = exchange(&mut rounds, commitments.serialize()?, BTreeMap::new()).await?;
    let mut all = BTreeMap::new();
    for (from, bytes) in &inbox.broadcasts {
        let commitments = SigningCommitments::deserialize(bytes);
        let commitments = commitments.map_err(|error| format!("party {from}: {error}"))?;
        all.insert(identifier(signer(*from)?)?, commitments);
    }
    let package = SigningPackage::new(all, message);

    // A round without content: whoever is shown another history can't get past it, and no signature share is out yet.
    exchange(&mut rounds, Vec::new(), BTreeMap::new()).await?;

    let part = round2::sign(&package, &nonces, share)?;
    let inbox = exchange(&mut rounds, part.serialize(), BTreeMap::new()).await?;
    let mut parts = BTreeMap::new();
    for (from, bytes) in &inbox.broadcasts {
        let part = SignatureShare::deserialize(bytes);
        let part = part.map_err(|error| format!("party {from}: {error}"))?;
        parts.insert(identifier(signer(*from)?)?, part);
    }
    let signature = aggregate(&package, &parts, public)?.serialize()?;
    agree(session, &signature).await?;
    Ok(signature
        .try_into()
        .map_err(|_| "a signature has 64 bytes")?)
}
