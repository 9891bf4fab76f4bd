//! All the randomness of one protocol run: 32 bytes, from which everything secret is derived.

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Backend;
use crate::hash;

/// 32 fresh random bytes for **one** run of one protocol by one party. Consumed by `start`.
///
/// To survive a crash, draw the bytes, store them secretly, and call [`Randomness::from_seed`] again to replay *the very same* recorded rounds.
/// With any other round it would be the same nonce for two challenges: the key would be lost.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Randomness([u8; 32]);

impl Randomness {
    /// Draws from a generator.
    pub fn from_rng<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        let randomness = Self(bytes);
        bytes.zeroize();
        randomness
    }

    /// Takes 32 secret, uniformly random bytes that serve no other purpose.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(seed)
    }
}

impl std::fmt::Debug for Randomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Randomness(..)")
    }
}

/// Derives secrets from fresh randomness *and* a long-term secret *and* the context (which holds session, roster and message): a broken random
/// generator alone then doesn't repeat a nonce for another message.
pub(crate) struct Deriver<'a> {
    pub tag: &'static str,
    pub context: &'a [u8; 32],
    pub index: u16,
    /// The long-term secret; empty where there is none yet.
    pub hedge: &'a [u8],
    pub randomness: &'a Randomness,
}

impl Deriver<'_> {
    fn wide(&self, label: &str, number: u16) -> zeroize::Zeroizing<[u8; 64]> {
        let (index, number) = (self.index.to_be_bytes(), number.to_be_bytes());
        let parts: [&[u8]; 6] = [
            self.context,
            &index,
            self.hedge,
            &self.randomness.0,
            label.as_bytes(),
            &number,
        ];
        hash::wide(self.tag, &parts)
    }

    /// A uniform scalar.
    pub(crate) fn scalar<B: Backend>(
        &self,
        label: &str,
        number: u16,
    ) -> zeroize::Zeroizing<B::Scalar> {
        zeroize::Zeroizing::new(B::scalar_from_wide(&self.wide(label, number)))
    }

    /// The blind of a commitment.
    pub(crate) fn blind(&self) -> [u8; 32] {
        let wide = self.wide("blind", 0);
        std::array::from_fn(|i| wide.get(i).copied().unwrap_or_default())
    }
}
