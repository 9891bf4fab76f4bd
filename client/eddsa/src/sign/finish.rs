//! The last round: partial signatures become the signature.

use std::collections::{BTreeMap, BTreeSet};

use super::job::Public;
use crate::message::{self, Partial};
use crate::polynomial::{lagrange, public_share};
use crate::{Backend, Error, Signed};

/// Round 4 is open, its message is made. Holds no secret any more.
pub struct Round4<B: Backend> {
    pub(super) public: Public,
    pub(super) dealers: BTreeSet<u16>,
    pub(super) nonce: [u8; 32],
    /// Commitments to the polynomial whose shares are the partial signatures, and whose value at zero is the signature's scalar.
    pub(super) expected: Vec<B::Point>,
    pub(super) sent: Vec<u8>,
}

impl<B: Backend> Round4<B> {
    /// Takes the partial signatures; gives the signature, made of the first `degree + 1` right ones. Wrong ones that aren't needed don't stop
    /// it: their senders are in [`Signed::culprits`]. All parties get the same signature, whichever partial ones they have.
    ///
    /// # Errors
    /// [`Error::OwnMessage`] if this party's own came back changed (it may be missing), [`Error::Unexpected`], and if fewer than `degree + 1`
    /// are right: [`Error::Malformed`] or [`Error::BadPartial`] of the first culprit, [`Error::TooFew`] if there is none.
    pub fn close<T: AsRef<[u8]>>(self, broadcasts: &BTreeMap<u16, T>) -> Result<Signed, Error> {
        let own = broadcasts.get(&self.public.session.index());
        if own.is_some_and(|own| own.as_ref() != self.sent) {
            return Err(Error::OwnMessage { round: 4 });
        }
        if let Some(&party) = broadcasts
            .keys()
            .find(|party| !self.dealers.contains(party))
        {
            return Err(Error::Unexpected { party, round: 4 });
        }
        let mut right = BTreeMap::new();
        let mut wrong = BTreeMap::new();
        for (&party, bytes) in broadcasts {
            match self.check(party, bytes.as_ref()) {
                Ok((signer, partial)) => drop(right.insert(signer, partial)),
                Err(error) => drop(wrong.insert(party, error)),
            }
        }
        let needed = usize::from(self.public.signers_min);
        if right.len() < needed {
            let got = right.len();
            let first = wrong.into_values().next();
            return Err(first.unwrap_or(Error::TooFew {
                round: 4,
                got,
                needed,
            }));
        }
        let used: BTreeSet<u16> = right.keys().copied().take(needed).collect();
        let mut sum = B::scalar_from_small(0);
        for (&signer, partial) in right.iter().take(needed) {
            let weight = lagrange::<B>(&used, signer).ok_or(Error::Signature)?;
            sum = B::scalar_add(&sum, &B::scalar_mul(&weight, partial));
        }
        let Public {
            context,
            public_key,
            message,
            ..
        } = &self.public;
        let response = B::scalar_to_bytes(&sum);
        let culprits = wrong.into_keys().collect();
        Signed::verified(
            context,
            &self.nonce,
            &response,
            *public_key,
            message,
            culprits,
        )
    }

    fn check(&self, party: u16, bytes: &[u8]) -> Result<(u16, B::Scalar), Error> {
        let malformed = Error::malformed(party);
        let partial = Partial::decode(bytes).map_err(&malformed)?;
        let scalar = message::scalar::<B>(&partial.0).map_err(&malformed)?;
        let signer = self
            .public
            .signer(party)
            .ok_or(Error::Unexpected { party, round: 4 })?;
        if B::mul_base(&scalar) != public_share::<B>(&self.expected, signer) {
            return Err(Error::BadPartial { party });
        }
        Ok((signer, (*scalar).clone()))
    }
}
