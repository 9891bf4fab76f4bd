//! Checks validators' votes by the rule of CometBFT, which isn't the one of everything else here.
//!
//! CometBFT takes signatures by ZIP 215: the encodings of points needn't be canonical, and the equation is multiplied by the
//! cofactor. A reader that was stricter would refuse what the network has committed as soon as one malicious validator signs
//! so that only CometBFT takes it. What parties sign is checked strictly, by everybody.

use curve25519_dalek::{
    EdwardsPoint, Scalar, edwards::CompressedEdwardsY, traits::IsIdentity as _,
};
use sha2::{Digest as _, Sha256, Sha512};
use tendermint::{
    PublicKey, Signature, account,
    crypto::{
        self,
        signature::{Error, Verifier},
    },
    merkle::MerkleHash,
    validator, vote,
};
use tendermint_light_client_verifier::predicates::VerificationPredicates;

/// Checks votes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Votes;

impl Verifier for Votes {
    fn verify(&self, key: PublicKey, message: &[u8], signature: &Signature) -> Result<(), Error> {
        let PublicKey::Ed25519(key) = key else {
            return Err(Error::UnsupportedKeyType);
        };
        match is_signed(key.as_bytes(), message, signature.as_bytes()) {
            true => Ok(()),
            false => Err(Error::VerificationFailed),
        }
    }
}

/// Whether `[8][s]B = [8]R + [8][k]A` with an `s` below the group's order.
fn is_signed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Some((r, s)) = signature.split_first_chunk::<32>() else {
        return false;
    };
    let (Ok(key), Ok(s)) = (<[u8; 32]>::try_from(key), <[u8; 32]>::try_from(s)) else {
        return false;
    };
    let [point_a, point_r] = [key, *r].map(|point| CompressedEdwardsY(point).decompress());
    let s: Option<Scalar> = Scalar::from_canonical_bytes(s).into();
    let (Some(point_a), Some(point_r), Some(s)) = (point_a, point_r, s) else {
        return false;
    };
    let hash = Sha512::new_with_prefix(r).chain_update(key);
    let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-point_a, &s);
    (point_r - expected).mul_by_cofactor().is_identity()
}

/// SHA-256 as CometBFT's headers, validators and trees have it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hasher;

impl crypto::Sha256 for Hasher {
    fn digest(data: impl AsRef<[u8]>) -> [u8; 32] {
        Sha256::digest(data).into()
    }
}

impl MerkleHash for Hasher {
    fn empty_hash(&mut self) -> [u8; 32] {
        Sha256::digest([]).into()
    }

    fn leaf_hash(&mut self, bytes: &[u8]) -> [u8; 32] {
        let hasher = Sha256::new_with_prefix([0]);
        hasher.chain_update(bytes).finalize().into()
    }

    fn inner_hash(&mut self, left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
        let hasher = Sha256::new_with_prefix([1]).chain_update(left);
        hasher.chain_update(right).finalize().into()
    }
}

/// The predicates of tendermint-rs with this hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predicates;

impl VerificationPredicates for Predicates {
    type Sha256 = Hasher;
}

/// A validator, named by the first 20 bytes of its key's SHA-256.
pub(crate) fn validator(key: PublicKey, power: vote::Power) -> validator::Info {
    let mut address = [0; 20];
    let hash = Sha256::digest(key.to_bytes());
    address
        .iter_mut()
        .zip(hash)
        .for_each(|(to, from)| *to = from);
    validator::Info {
        address: account::Id::new(address),
        pub_key: key,
        power,
        name: None,
        proposer_priority: validator::ProposerPriority::default(),
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use ed25519_dalek::Signer as _;

    use super::*;
    use crate::testing::key;

    /// As another implementation says.
    fn is_taken(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let key = ed25519_consensus::VerificationKey::try_from(*key);
        let signature = ed25519_consensus::Signature::from(*signature);
        key.is_ok_and(|key| key.verify(&signature, message).is_ok())
    }

    /// The points of small order, in all of their encodings: by y, and by y + p where that fits, with either sign.
    fn small_points() -> Vec<[u8; 32]> {
        let mut encodings: Vec<[u8; 32]> = Vec::new();
        for point in EIGHT_TORSION {
            let canonical = point.compress().to_bytes();
            encodings.push(canonical);
            let mut y = canonical;
            y[31] &= 0x7f;
            if y[0] < 19 && y[1..].iter().all(|byte| *byte == 0) {
                // p = 2^255 - 19
                let mut beyond = [0xff; 32];
                (beyond[0], beyond[31]) = (y[0] + 0xed, 0x7f);
                let signs = [beyond, y].map(|y| [0, 0x80].map(|sign| with_sign(y, sign)));
                encodings.extend(signs.as_flattened());
            } else if y[0] == 0xec {
                // y = -1
                encodings.push(with_sign(y, 0x80));
            }
        }
        encodings.sort_unstable();
        encodings.dedup();
        encodings
    }

    fn with_sign(mut y: [u8; 32], sign: u8) -> [u8; 32] {
        y[31] |= sign;
        y
    }

    #[test]
    fn votes_of_small_points_count_as_they_do_for_the_network() {
        let points = small_points();
        assert_eq!(points.len(), 14);
        let strict = |key: &[u8; 32], signature: &[u8; 64]| {
            let key = ed25519_dalek::VerifyingKey::from_bytes(key);
            let signature = ed25519_dalek::Signature::from_bytes(signature);
            key.is_ok_and(|key| key.verify_strict(b"vote", &signature).is_ok())
        };
        for key in &points {
            for r in &points {
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(r);
                assert!(is_signed(key, b"vote", &signature), "{key:?} {r:?}");
                assert!(is_taken(key, b"vote", &signature));
                assert!(!strict(key, &signature), "it is another rule");
            }
        }
    }

    #[test]
    fn a_vote_is_its_validators_and_nothing_of_it_can_be_changed() {
        for seed in 1..=8 {
            let key = key(seed);
            let message = vec![seed; 40 * usize::from(seed)];
            let signature = key.sign(&message).to_bytes();
            let public = key.verifying_key().to_bytes();
            assert!(is_signed(&public, &message, &signature));
            for bit in 0..512 {
                let mut changed = signature;
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_signed(&public, &message, &changed), "bit {bit}");
                assert!(!is_taken(&public, &message, &changed));
            }
            for bit in 0..256 {
                let mut other = public;
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_signed(&other, &message, &signature), "bit {bit}");
            }
            assert!(!is_signed(&public, &message[1..], &signature));
            assert!(!is_signed(&public, &message, &signature[..63]));
            assert!(!is_signed(&public[..31], &message, &signature));
        }
    }

    #[test]
    fn another_number_of_the_same_class_is_no_signature() {
        // s + l, which fits into the same 32 bytes.
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let key = key(1);
        let mut signature = key.sign(b"vote").to_bytes();
        let mut carry = 0;
        for (digit, add) in signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*digit) + u16::from(add) + carry;
            (*digit, carry) = ((sum & 0xff) as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        assert!(!is_signed(
            key.verifying_key().as_bytes(),
            b"vote",
            &signature
        ));
    }
}
