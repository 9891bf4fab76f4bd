//! Everybody deals a secret to everybody: commit, then reveal with shares. Key generation deals keys, threshold signing deals nonces, and a
//! resharing deals shares of a key.
//!
//! Torsion. Dealers' points are not checked for torsion one by one (a full multiplication each), only their sums, coefficient by coefficient.
//! That is enough: nothing but the sums is used later, and if they are torsion-free, then the check of the share against them is an equation in
//! the prime-order group. What could still hide are torsion parts (or errors) of corrupt dealers that cancel out; then together those dealers
//! have dealt correctly, as one dealer that chose all their polynomials could have. If a sum fails, each dealer is looked at, to name one.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::message::{self, Commitment, Opening, Share};
use crate::polynomial::{Polynomial, public_share};
use crate::randomness::{Deriver, Randomness};
use crate::secret::on_clean_stack;
use crate::{Backend, Error, Outgoing, hash};

/// Messages of one round as the protocols keep them: by roster index.
pub(crate) type Commitments = BTreeMap<u16, [u8; 32]>;

/// The domain of one dealing: tags of its protocol, and the hash of session and parameters.
pub(crate) struct Domain {
    pub commit: &'static str,
    pub proof: &'static str,
    pub derive: &'static str,
    pub context: [u8; 32],
    pub degree: u16,
}

impl Domain {
    fn commitment(&self, dealer: u16, opening: &Opening) -> [u8; 32] {
        let dealer = dealer.to_be_bytes();
        let points = opening.points.as_flattened();
        hash::digest(
            self.commit,
            &[&self.context, &dealer, points, &opening.blind],
        )
    }

    fn proof_challenge<B: Backend>(
        &self,
        dealer: u16,
        points: &[[u8; 32]],
        nonce: &[u8; 32],
    ) -> B::Scalar {
        let dealer = dealer.to_be_bytes();
        let wide = hash::wide(
            self.proof,
            &[&self.context, &dealer, points.as_flattened(), nonce],
        );
        B::scalar_from_wide(&wide)
    }

    /// Checks an opening (all but the share) and gives its points.
    fn open<B: Backend>(
        &self,
        dealer: u16,
        commitment: &[u8; 32],
        bytes: &[u8],
    ) -> Result<Vec<B::Point>, Error> {
        let malformed = Error::malformed(dealer);
        let opening = Opening::decode(bytes, self.degree).map_err(&malformed)?;
        if self.commitment(dealer, &opening) != *commitment {
            return Err(Error::BadOpening { party: dealer });
        }
        let points = decode_points::<B>(&opening).map_err(&malformed)?;
        let constant = points.first().ok_or(Error::BadOpening { party: dealer })?;
        let response = message::scalar::<B>(&opening.proof_response).map_err(&malformed)?;
        let challenge = self.proof_challenge::<B>(dealer, &opening.points, &opening.proof_nonce);
        // Comparing encodings spares decoding the nonce, and makes any other encoding of it wrong.
        let nonce = B::point_sub(
            &B::mul_base(&response),
            &B::mul_public(&challenge, constant),
        );
        if B::point_to_bytes(&nonce) != opening.proof_nonce {
            return Err(Error::BadProof { party: dealer });
        }
        Ok(points)
    }
}

fn decode_points<B: Backend>(opening: &Opening) -> Result<Vec<B::Point>, crate::Malformed> {
    opening.points.iter().map(message::point::<B>).collect()
}

/// One party's own dealing.
pub(crate) struct Dealer<B: Backend> {
    polynomial: Polynomial<B>,
    pub commitment: Vec<u8>,
    pub opening: Vec<u8>,
}

impl<B: Backend> Dealer<B> {
    /// Deals something random. `hedge`: a long-term secret, or nothing.
    pub(crate) fn new(domain: &Domain, index: u16, hedge: &[u8], randomness: &Randomness) -> Self {
        Self::of(domain, index, None, hedge, randomness)
    }

    /// Deals `secret`, or something random.
    pub(crate) fn of(
        domain: &Domain,
        index: u16,
        secret: Option<Zeroizing<B::Scalar>>,
        hedge: &[u8],
        randomness: &Randomness,
    ) -> Self {
        let derive = Deriver {
            tag: domain.derive,
            context: &domain.context,
            index,
            hedge,
            randomness,
        };
        let random = |power| derive.scalar::<B>("coefficient", power);
        let constant = secret.unwrap_or_else(|| random(0));
        let coefficients: Vec<_> = std::iter::once(constant)
            .chain((1..=domain.degree).map(random))
            .collect();
        let polynomial = Polynomial::<B>(coefficients);
        let points: Vec<_> = polynomial
            .commitments()
            .iter()
            .map(B::point_to_bytes)
            .collect();
        let nonce = derive.scalar::<B>("proof", 0);
        let proof_nonce = B::point_to_bytes(&B::mul_base(&nonce));
        let challenge = domain.proof_challenge::<B>(index, &points, &proof_nonce);
        let response = match polynomial.0.first() {
            Some(constant) => {
                let product = Zeroizing::new(B::scalar_mul(&challenge, constant));
                B::scalar_add(&nonce, &product)
            }
            // Never: a polynomial has `degree + 1` coefficients.
            None => challenge,
        };
        let opening = Opening {
            blind: derive.blind(),
            points,
            proof_nonce,
            proof_response: B::scalar_to_bytes(&response),
        };
        let commitment = Commitment(domain.commitment(index, &opening)).encode();
        Self {
            polynomial,
            commitment,
            opening: opening.encode(),
        }
    }

    /// The share of the party at this Shamir index.
    fn share(&self, shamir_index: u16) -> Zeroizing<B::Scalar> {
        self.polynomial.share(shamir_index)
    }

    /// Round 2: what to post, the opening and a share for each of `recipients` but this party itself, and the own share. Each party is its
    /// roster index and its Shamir index.
    pub(crate) fn deal(
        &self,
        (index, shamir_index): (u16, u16),
        recipients: impl Iterator<Item = (u16, u16)>,
    ) -> (Outgoing, Box<Zeroizing<B::Scalar>>) {
        let others = recipients.filter(|(party, _)| *party != index);
        on_clean_stack(|| {
            let own = Box::new(self.share(shamir_index));
            (self.reveal(others), own)
        })
    }

    /// The opening for everybody, and a share for each of `recipients` (roster index, Shamir index).
    fn reveal(&self, recipients: impl Iterator<Item = (u16, u16)>) -> Outgoing {
        let p2p = recipients
            .map(|(party, shamir_index)| {
                let share = Share(B::scalar_to_bytes(&self.share(shamir_index)));
                (party, share.encode())
            })
            .collect();
        Outgoing {
            broadcast: self.opening.clone(),
            p2p,
        }
    }
}

/// Decodes round 1.
pub(crate) fn read_commitments<T: AsRef<[u8]>>(
    broadcasts: &BTreeMap<u16, T>,
) -> Result<Commitments, Error> {
    broadcasts
        .iter()
        .map(|(&party, bytes)| match Commitment::decode(bytes.as_ref()) {
            Ok(Commitment(commitment)) => Ok((party, commitment)),
            Err(reason) => Err(Error::Malformed { party, reason }),
        })
        .collect()
}

/// The sum of all dealings, for one party.
pub(crate) struct Dealt<B: Backend> {
    /// `degree + 1` points of the prime-order group, the first not the identity.
    pub commitments: Vec<B::Point>,
    /// This party's share of that sum.
    pub share: Zeroizing<B::Scalar>,
}

/// This party as a recipient: its index in the roster, its Shamir index, and the share that it dealt to itself; zero if it deals none.
pub(crate) struct Recipient<B: Backend> {
    pub index: u16,
    pub shamir_index: u16,
    pub own: Box<Zeroizing<B::Scalar>>,
}

/// Round 2, checked: openings of exactly the dealers in `openings`, each of which is in `committed`.
pub(crate) fn collect<B: Backend, T: AsRef<[u8]>, S: AsRef<[u8]>>(
    domain: &Domain,
    committed: &Commitments,
    me: &Recipient<B>,
    openings: &BTreeMap<u16, T>,
    p2p: &BTreeMap<u16, S>,
) -> Result<Dealt<B>, Error> {
    let commitments = open_all::<B, T>(domain, committed, openings)?;
    let share = take_share(domain, &commitments, me, openings, p2p)?;
    match commitments.first() {
        Some(sum) if *sum != B::identity() => Ok(Dealt { commitments, share }),
        _ => Err(Error::Identity),
    }
}

/// Commitments to the sum of all polynomials: the part of round 2 that everybody reads.
pub(crate) fn open_all<B: Backend, T: AsRef<[u8]>>(
    domain: &Domain,
    committed: &Commitments,
    openings: &BTreeMap<u16, T>,
) -> Result<Vec<B::Point>, Error> {
    let mut sums = vec![B::identity(); usize::from(domain.degree) + 1];
    for (&dealer, bytes) in openings {
        let commitment = committed.get(&dealer).ok_or(Error::Unexpected {
            party: dealer,
            round: 2,
        })?;
        let points = domain.open::<B>(dealer, commitment, bytes.as_ref())?;
        for (sum, point) in sums.iter_mut().zip(&points) {
            *sum = B::point_add(sum, point);
        }
    }
    if sums.iter().all(B::is_torsion_free) {
        Ok(sums)
    } else {
        Err(blame_torsion::<B, T>(domain, openings))
    }
}

/// This party's share of that sum: the part of round 2 that is sent to it.
pub(crate) fn take_share<B: Backend, T: AsRef<[u8]>, S: AsRef<[u8]>>(
    domain: &Domain,
    sums: &[B::Point],
    me: &Recipient<B>,
    openings: &BTreeMap<u16, T>,
    p2p: &BTreeMap<u16, S>,
) -> Result<Zeroizing<B::Scalar>, Error> {
    let mut shares = BTreeMap::new();
    for &dealer in openings.keys().filter(|&&dealer| dealer != me.index) {
        let bytes = p2p.get(&dealer).ok_or(Error::MissingShare { dealer })?;
        let malformed = Error::malformed(dealer);
        let share = Share::decode(bytes.as_ref()).map_err(&malformed)?;
        shares.insert(dealer, message::scalar::<B>(&share.0).map_err(&malformed)?);
    }
    let share = shares.values().fold((*me.own).clone(), |sum, share| {
        Zeroizing::new(B::scalar_add(&sum, share))
    });
    if B::mul_base(&share) == public_share::<B>(sums, me.shamir_index) {
        Ok(share)
    } else {
        Err(blame_share::<B, T>(domain, me, openings, &shares))
    }
}

/// The error that names who sent a point with torsion. Somebody did, if a sum has it.
fn blame_torsion<B: Backend, T: AsRef<[u8]>>(
    domain: &Domain,
    openings: &BTreeMap<u16, T>,
) -> Error {
    for (&party, bytes) in openings {
        let points = Opening::decode(bytes.as_ref(), domain.degree)
            .and_then(|opening| decode_points::<B>(&opening));
        match points {
            Ok(points) if points.iter().all(B::is_torsion_free) => {}
            Ok(_) => return Error::Torsion { party },
            Err(reason) => return Error::Malformed { party, reason },
        }
    }
    Error::Signature
}

/// The error that names whose share contradicts its commitments. Somebody's does, if the sum does. A dealer whose torsion another
/// one cancels may be named instead of the one with the bad share: it is no honest dealer either.
fn blame_share<B: Backend, T: AsRef<[u8]>>(
    domain: &Domain,
    me: &Recipient<B>,
    openings: &BTreeMap<u16, T>,
    shares: &BTreeMap<u16, Zeroizing<B::Scalar>>,
) -> Error {
    for (&dealer, share) in shares {
        let points = openings.get(&dealer).map(|bytes| {
            Opening::decode(bytes.as_ref(), domain.degree)
                .and_then(|opening| decode_points::<B>(&opening))
        });
        let Some(Ok(points)) = points else {
            return Error::BadOpening { party: dealer };
        };
        if B::mul_base(share) != public_share::<B>(&points, me.shamir_index) {
            return Error::BadShare { dealer };
        }
    }
    Error::Signature
}

#[cfg(test)]
mod tests;
