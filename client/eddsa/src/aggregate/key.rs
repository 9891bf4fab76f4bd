//! A signer's own key pair, and the key of all signers together.

use curve25519_dalek::scalar::clamp_integer;
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::message;
use crate::secret::{Secret, on_clean_stack};
use crate::session::{MAX_PARTIES, MIN_PARTIES, in_range};
use crate::{Backend, Dalek, Error, Malformed, hash};

const LIST: &str = "white-city/eddsa/aggregate/keys/1";
const WEIGHT: &str = "white-city/eddsa/aggregate/weight/1";

/// One signer's ordinary Ed25519 key pair: a 32-byte seed, from which RFC 8032 derives everything else.
pub struct KeyPair {
    seed: Secret,
    public_key: [u8; 32],
}

impl KeyPair {
    /// From 32 secret, uniformly random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let seed = Secret::copy_of(seed);
        let public_key =
            on_clean_stack(|| SigningKey::from_bytes(&seed).verifying_key().to_bytes());
        Self { seed, public_key }
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The seed, for storage.
    #[must_use]
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.seed)
    }

    /// RFC 8032's secret scalar and prefix.
    pub(crate) fn expand<B: Backend>(&self) -> (Zeroizing<B::Scalar>, Zeroizing<[u8; 32]>) {
        let expanded = hash::expand(&self.seed);
        let (low, high) = expanded.split_at(32);
        let mut half = Zeroizing::new([0; 32]);
        half.copy_from_slice(low);
        let clamped = Zeroizing::new(clamp_integer(*half));
        let mut scalar = Zeroizing::new([0; 64]);
        for (to, from) in scalar.iter_mut().zip(clamped.iter()) {
            *to = *from;
        }
        let mut prefix = Zeroizing::new([0; 32]);
        prefix.copy_from_slice(high);
        (Zeroizing::new(B::scalar_from_wide(&scalar)), prefix)
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair")
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

/// The key under which all signers together sign: the sum of their public keys, each weighted by a hash of itself and the whole list.
///
/// The order of the list matters: other orders are other keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateKey {
    public_key: [u8; 32],
    keys: Vec<[u8; 32]>,
}

impl AggregateKey {
    /// From all signers' public keys, in roster order.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there are [`MIN_PARTIES`](crate::MIN_PARTIES) to [`MAX_PARTIES`](crate::MAX_PARTIES);
    /// [`Error::Malformed`] and [`Error::Torsion`] name the party whose key is none; [`Error::Identity`].
    pub fn new(keys: &[[u8; 32]]) -> Result<Self, Error> {
        Ok(Weighted::<Dalek>::new(keys)?.aggregate)
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The signers' own public keys, in roster order.
    #[must_use]
    pub fn keys(&self) -> &[[u8; 32]] {
        &self.keys
    }
}

/// An aggregate key with what it is made of.
pub(crate) struct Weighted<B: Backend> {
    pub aggregate: AggregateKey,
    /// Each signer's weight, and its public key times that weight.
    pub parts: Vec<(B::Scalar, B::Point)>,
}

impl<B: Backend> Weighted<B> {
    pub(crate) fn new(keys: &[[u8; 32]]) -> Result<Self, Error> {
        let parties = in_range("number of keys", keys.len(), MIN_PARTIES, MAX_PARTIES)?;
        let list = hash::digest(LIST, &[keys.as_flattened()]);
        let mut sum = B::identity();
        let mut parts = Vec::with_capacity(keys.len());
        for (party, key) in (0..parties).zip(keys) {
            let point = subgroup_point::<B>(party, key)?;
            let weight = B::scalar_from_wide(&hash::wide(WEIGHT, &[&list, key]));
            let weighted = B::mul_public(&weight, &point);
            sum = B::point_add(&sum, &weighted);
            parts.push((weight, weighted));
        }
        if sum == B::identity() {
            return Err(Error::Identity);
        }
        let aggregate = AggregateKey {
            public_key: B::point_to_bytes(&sum),
            keys: keys.to_vec(),
        };
        Ok(Self { aggregate, parts })
    }
}

/// A point of the prime-order subgroup other than the identity. Unlike dealings these are few, so each is checked.
pub(crate) fn subgroup_point<B: Backend>(party: u16, bytes: &[u8; 32]) -> Result<B::Point, Error> {
    let point: Result<_, Malformed> = message::point::<B>(bytes);
    let point = point.map_err(Error::malformed(party))?;
    if B::is_torsion_free(&point) {
        Ok(point)
    } else {
        Err(Error::Torsion { party })
    }
}
