//! The charter in force, and what the root says of its term.

use alloc::{sync::Arc, vec::Vec};

use white_city_wire::{Bitmap, Charter, Hash};

/// A term: the time for which a charter is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The charter.
    pub charter: Arc<Charter>,
    /// Its hash.
    pub charter_hash: Hash,
    /// Height of the block that enacted it; 0 in term 0.
    pub height: u64,
    /// Changes of the set of validators so far.
    pub eras: u32,
    /// Height of the block that made the last one; 0 without any.
    pub era_height: u64,
    /// Replicas whose validators have been seen to vote: a bitmap by position in the charter.
    pub proven: [u8; 32],
}

impl Term {
    /// Term 0, whose validators need no proof.
    #[must_use]
    pub fn first(charter: &Arc<Charter>) -> Self {
        Self {
            charter_hash: charter.hash(),
            height: 0,
            eras: 0,
            era_height: 0,
            proven: bits(&(0..charter.size()).fold(Bitmap::empty(256), Bitmap::with)),
            charter: Arc::clone(charter),
        }
    }

    /// The term that this charter begins, which the block at `height` enacts.
    #[must_use]
    pub fn next(&self, charter: Arc<Charter>, height: u64) -> Self {
        let changes = changes_validators(&self.charter, &charter);
        Self {
            charter_hash: charter.hash(),
            height,
            eras: self.eras.saturating_add(u32::from(changes)),
            era_height: if changes { height } else { self.era_height },
            proven: bits(&carry_proven(self, &charter)),
            charter,
        }
    }

    /// Whether this validator has been seen to vote since it came.
    #[must_use]
    pub fn is_proven(&self, validator: &Hash) -> bool {
        let mut replicas = (0_u16..).zip(&self.charter.replicas);
        let found = replicas.find(|(_, replica)| replica.validator == *validator);
        found.is_some_and(|(position, _)| self.proven().contains(position))
    }

    /// The replicas whose validators have been seen to vote.
    #[must_use]
    pub fn proven(&self) -> Bitmap {
        Bitmap::from_bytes(256, &self.proven).unwrap_or(Bitmap::empty(256))
    }

    /// The term with those proven, too, that have voted; `None` where they all were.
    #[must_use]
    pub(crate) fn with_voters(&self, voted: &[u8; 32]) -> Option<Self> {
        let mut proven = self.proven();
        let voted = Bitmap::from_bytes(256, voted)?;
        let new = voted
            .iter()
            .filter(|position| *position < self.charter.size());
        new.for_each(|position| proven.insert(position));
        let proven = bits(&proven);
        (proven != self.proven).then(|| Self {
            proven,
            ..self.clone()
        })
    }
}

/// Whether another set of validators signs under the next charter.
pub fn changes_validators(present: &Charter, next: &Charter) -> bool {
    let validators =
        |of: &Charter| -> Vec<Hash> { of.replicas.iter().map(|r| r.validator).collect() };
    validators(present) != validators(next)
}

/// The bits of validators that have been seen to vote, by the next charter's positions.
fn carry_proven(term: &Term, next: &Charter) -> Bitmap {
    let proven = (0_u16..).zip(&next.replicas);
    let proven = proven.filter(|(_, replica)| term.is_proven(&replica.validator));
    proven.fold(Bitmap::empty(256), |bits, (position, _)| {
        bits.with(position)
    })
}

/// The 32 bytes of a bitmap of 256.
fn bits(of: &Bitmap) -> [u8; 32] {
    of.as_bytes().try_into().unwrap_or_default()
}
